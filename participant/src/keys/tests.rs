//! Keys survive their directory, and nothing else gets in or out.

use std::fs;
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn keys() -> Keys {
    Keys::generate("bank_a", &mut StdRng::seed_from_u64(1)).unwrap()
}

fn refusal(dir: &Path) -> KeysError {
    Keys::load(dir).err().expect("these keys must be refused")
}

#[test]
fn keys_are_the_same_after_their_directory() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("bank");
    let keys = keys();
    keys.write(&home).unwrap();

    let loaded = Keys::load(&home).unwrap();

    assert_eq!(loaded.name(), "bank_a");
    assert_eq!(loaded.signing_key().to_bytes(), keys.signing_key().to_bytes());
    assert_eq!(loaded.tls_key().public_key_info(), keys.tls_key().public_key_info());
    let request = fs::read(home.join("bank_a.request.json")).unwrap();
    let request: SigningRequest = serde_json::from_slice(&request).unwrap();
    assert_eq!(request.verify(), Ok(()));
    assert_eq!(request.signing_key, keys.signing_key().verifying_key().to_bytes());
}

#[test]
fn keys_are_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    keys().write(dir.path()).unwrap();
    let before = fs::read(dir.path().join("tls.key.pem")).unwrap();

    let again = keys().write(dir.path()).unwrap_err();
    fs::remove_file(dir.path().join("keys.json")).unwrap();
    let over_a_torn_one = keys().write(dir.path()).unwrap_err();

    assert_eq!((again.code(), over_a_torn_one.code()), ("keys.exists", "keys.exists"));
    assert_eq!(fs::read(dir.path().join("tls.key.pem")).unwrap(), before);
    assert_eq!(refusal(dir.path()).code(), "keys.missing");
}

#[cfg(unix)]
#[test]
fn private_keys_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("bank");
    keys().write(&home).unwrap();

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    for name in ["signing.key.pem", "tls.key.pem"] {
        let path = home.join(name);
        assert_eq!(mode(&path), 0o600, "{name}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(refusal(&home).code(), "keys.permissions");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(Keys::load(&home).is_ok());
}

#[test]
fn exchanged_or_damaged_keys_are_named() {
    let dir = tempfile::tempdir().unwrap();
    keys().write(dir.path()).unwrap();
    let other = tempfile::tempdir().unwrap();
    Keys::generate("bank_b", &mut StdRng::seed_from_u64(2)).unwrap().write(other.path()).unwrap();

    fs::copy(other.path().join("signing.key.pem"), dir.path().join("signing.key.pem")).unwrap();
    assert!(refusal(dir.path()).to_string().contains("holds another key"));
    fs::copy(dir.path().join("tls.key.pem"), dir.path().join("signing.key.pem")).unwrap();
    assert!(refusal(dir.path()).to_string().contains("does not hold an Ed25519 key"));
    fs::write(dir.path().join("signing.key.pem"), "nothing").unwrap();
    assert!(refusal(dir.path()).to_string().contains("is not a PEM file"));
    let record = fs::read_to_string(dir.path().join("keys.json")).unwrap();
    fs::write(dir.path().join("keys.json"), record.replace("bank_a", "../bank_a")).unwrap();
    assert!(refusal(dir.path()).to_string().contains("is not a `syndic.keys/1` record"));
}

#[test]
fn a_name_outside_the_rule_gets_no_keys() {
    for name in ["", "Bank", "bank a", "../bank", &"x".repeat(65)] {
        let refused = Keys::generate(name, &mut StdRng::seed_from_u64(1)).err().unwrap();
        assert_eq!(refused.code(), "keys.name", "{name}");
    }
}
