//! Files of a federation directory that are not what they should be, each named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

/// Two federations of one name in one folder.
struct Two {
    root: tempfile::TempDir,
}

impl Two {
    fn founded() -> Self {
        let two = Self { root: tempfile::tempdir().unwrap() };
        for (dir, seed) in [("ours", 1), ("theirs", 2)] {
            let here = Address::new("127.0.0.1").unwrap();
            let federation =
                Federation::create("credit", vec![here], NOW, &mut StdRng::seed_from_u64(seed)).unwrap();
            federation.write(&two.root.path().join(dir)).unwrap();
        }
        two
    }

    fn ours(&self, file: &str) -> PathBuf {
        self.root.path().join("ours").join(file)
    }

    /// Puts their file in the place of ours.
    fn take(&self, file: &str) {
        fs::copy(self.root.path().join("theirs").join(file), self.ours(file)).unwrap();
    }

    fn load(&self) -> Result<Federation, FederationError> {
        Federation::load(&self.root.path().join("ours"))
    }

    /// Why ours cannot be loaded, in which the file must be named.
    fn refusal(&self, file: &str) -> String {
        let refused = self.load().err().unwrap();
        assert_eq!(refused.code(), "federation.malformed", "{refused}");
        assert!(!refused.is_of_the_world());
        let told = refused.to_string();
        assert!(told.contains(self.ours(file).to_str().unwrap()), "{told}");
        told
    }
}

const NOW: Timestamp = Timestamp(1_800_000_000_000);

#[test]
fn a_key_that_is_not_its_certificates_is_named() {
    for (key, certificate) in
        [("authority.key.pem", "authority.pem"), ("coordinator.key.pem", "coordinator.pem")]
    {
        let two = Two::founded();
        assert!(two.load().is_ok());
        two.take(key);
        assert!(two.refusal(key).ends_with(&format!("is not the key of {certificate}")));
        // The other half from the same place makes them a pair again.
        two.take(certificate);
        assert!(two.load().is_ok(), "{key}");
    }
}

#[test]
fn what_is_no_key_is_named_and_not_shown() {
    let two = Two::founded();
    let ledger_key = fs::read(two.ours("ledger.key.pem")).unwrap();
    for key in ["authority.key.pem", "coordinator.key.pem"] {
        let good = fs::read(two.ours(key)).unwrap();
        fs::write(two.ours(key), &ledger_key).unwrap();
        assert!(two.refusal(key).ends_with("does not hold an ECDSA P-256 key"));
        fs::write(two.ours(key), "Jane Doe,87.25\n").unwrap();
        assert!(two.refusal(key).ends_with("is not a PEM file with a PKCS #8 private key"));
        fs::write(two.ours(key), good).unwrap();
    }
    assert!(two.load().is_ok());
}

#[test]
fn an_authority_of_another_federation_is_named() {
    let two = Two::founded();
    let elsewhere = Authority::create("fraud", NOW).unwrap();
    fs::write(two.ours("authority.pem"), to_pem(elsewhere.certificate())).unwrap();
    assert!(two.refusal("authority.pem").ends_with("federation.json names"));
}

#[test]
fn a_file_of_something_else_is_told_by_line_and_key_without_its_text() {
    let two = Two::founded();
    let good = fs::read_to_string(two.ours("federation.json")).unwrap();
    let refused = |text: &str| {
        fs::write(two.ours("federation.json"), text).unwrap();
        let told = two.refusal("federation.json");
        assert!(!told.contains("Jane") && !told.contains("87.25"), "{told}");
        told
    };
    assert!(refused("{\"Jane Doe\": 87.25}").ends_with("line 1: unknown field"));
    assert!(refused("Jane Doe,87.25\n").contains("line 1: "));
    assert!(refused("[\n  \"Jane Doe\"\n]").contains("line "));
    let other = refused(&good.replace("syndic.federation/1", "Jane Doe"));
    assert!(other.ends_with("is of another schema than `syndic.federation/1`"), "{other}");
    let told = refused(&good.replace("\"credit\"", "[\"Jane Doe\", 87.25]"));
    assert!(told.contains("line 3, `federation`: invalid type, expected a string"), "{told}");
    fs::write(two.ours("federation.json"), good).unwrap();
    assert!(two.load().is_ok());
}

#[test]
fn private_keys_and_their_folder_are_their_owners_alone() {
    let two = Two::founded();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&two.root.path().join("ours")), 0o700);
    for key in ["authority.key.pem", "coordinator.key.pem", "ledger.key.pem"] {
        assert_eq!(mode(&two.ours(key)), 0o600, "{key}");
        fs::set_permissions(two.ours(key), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(two.load().err().unwrap().code(), "federation.permissions", "{key}");
        fs::set_permissions(two.ours(key), fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(two.load().is_ok());
}

#[test]
fn a_disk_that_refuses_is_of_the_world() {
    let two = Two::founded();
    let federation = two.load().unwrap();
    fs::create_dir(two.ours("coordinator.pem.partial")).unwrap();
    let refused = federation.write_coordinator_certificate(&two.root.path().join("ours")).unwrap_err();
    assert!(refused.is_of_the_world(), "{refused}");
    assert!(two.load().is_ok(), "the former certificate is still in place");
}
