//! What Syndic publishes is verified by programs that are none of ours: Go's checksum database, and openssl.
//!
//! Both come from Debian's packages (golang-go, golang-golang-x-mod-dev, openssl), which `cargo xtask test` installs where it
//! may. Where they are not, these tests say so and pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../../core/ledger/tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::log_of;
use ed25519_dalek::SigningKey;
use syndic::ledger::prove;
use syndic::ledger::trust::Trust;
use syndic_ledger::tiles::{self, CHECKPOINT};
use syndic_ledger::{Checkpoint, Tree, VerifierKey, leaf_hash};
use tempfile::TempDir;

const ORIGIN: &str = "coordinator.example/federation";

/// Begins an Ed25519 public key in DER (RFC 8410, 4).
const PUBLIC_KEY: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn vkey() -> String {
    VerifierKey::new(ORIGIN, key().verifying_key()).unwrap().to_string()
}

/// A published ledger of at least `size` entries.
fn published(size: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let entries = log_of(size).entries;
    for file in tiles::files(entries.iter().map(Vec::as_slice)).unwrap() {
        let path = folder.path().join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.bytes).unwrap();
    }
    let tree: Tree = entries.iter().map(|bytes| leaf_hash(bytes)).collect();
    let note = Checkpoint::of(ORIGIN, &tree).unwrap().sign(&key()).unwrap();
    std::fs::write(folder.path().join(CHECKPOINT), note).unwrap();
    folder
}

/// The auditor in Go, built; none where there is no Go with that package.
fn auditor(folder: &Path) -> Option<PathBuf> {
    if !Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog").is_dir() {
        eprintln!("SKIPPED: install golang-go and golang-golang-x-mod-dev, and Go verifies the ledger too");
        return None;
    }
    let program = folder.join("auditor");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/auditor.go"))
        .envs([
            ("GO111MODULE", "off"),
            ("GOPATH", "/usr/share/gocode"),
            ("GOFLAGS", ""),
            ("HOME", "/nowhere"),
        ])
        .env("GOCACHE", folder.join("go-cache"))
        .output()
        .expect("the package comes with Go");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(program)
}

fn audit(program: &Path, ledger: &Path, vkey: &str) -> Output {
    Command::new(program).arg(ledger).arg(vkey).output().unwrap()
}

#[test]
fn go_verifies_a_ledger_and_finds_a_flipped_byte_in_any_of_its_files() {
    let tools = tempfile::tempdir().unwrap();
    let Some(auditor) = auditor(tools.path()) else { return };
    for size in [1, 255, 256, 257, 600] {
        let ledger = published(size);
        let good = audit(&auditor, ledger.path(), &vkey());
        assert!(good.status.success(), "{size}: {}", String::from_utf8_lossy(&good.stderr));
    }

    let ledger = published(600);
    let other = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[8; 32]).verifying_key()).unwrap();
    assert!(!audit(&auditor, ledger.path(), &other.to_string()).status.success(), "another key");
    for file in ["checkpoint", "tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"] {
        let path = ledger.path().join(file);
        let whole = std::fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 2] {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            std::fs::write(&path, altered).unwrap();
            let found = audit(&auditor, ledger.path(), &vkey());
            assert!(!found.status.success() && !found.stderr.is_empty(), "byte {at} of {file}");
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert!(audit(&auditor, ledger.path(), &vkey()).status.success(), "all is as it was");
}

#[test]
fn go_verifies_one_entrys_proof_and_finds_a_flipped_byte_in_any_of_its_lines() {
    let tools = tempfile::tempdir().unwrap();
    let Some(auditor) = auditor(tools.path()) else { return };
    let (ledger, vkey) = (published(300), vkey());
    let trust = Trust::of(Some(&vkey), None).unwrap();
    let path = tools.path().join("one.tlog-proof");
    for index in [0, 1, 255, 256, 299] {
        let proof = prove::prove(ledger.path(), index, &trust).unwrap().to_string();
        std::fs::write(&path, &proof).unwrap();
        let good = audit(&auditor, &path, &vkey);
        assert!(good.status.success(), "{index}: {}", String::from_utf8_lossy(&good.stderr));
        assert!(String::from_utf8_lossy(&good.stdout).contains(&format!("verified entry {index} of")));
        // The last byte of every line; of the empty one, the end of the line before it.
        for (end, _) in proof.match_indices('\n') {
            let mut altered = proof.clone().into_bytes();
            altered[end - 1] ^= 1;
            std::fs::write(&path, &altered).unwrap();
            let found = audit(&auditor, &path, &vkey);
            assert!(
                !found.status.success() && !found.stderr.is_empty(),
                "byte {end} of the proof of {index}"
            );
        }
    }
}

#[test]
fn openssl_verifies_a_checkpoint_from_a_shell() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: install openssl, and it verifies a checkpoint too");
        return;
    }
    let ledger = published(10);
    let note = std::fs::read_to_string(ledger.path().join(CHECKPOINT)).unwrap();
    let (text, line) = note.rsplit_once("\n\n").unwrap();
    let signature = BASE64.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = ledger.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let public = file("key.der", &[&PUBLIC_KEY[..], key().verifying_key().as_bytes()].concat());
    let signed = file("signature", &signature[4..]);
    let verifies = |text: &str| {
        let text = file("text", text.as_bytes());
        let openssl = Command::new("openssl")
            .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey"])
            .arg(&public)
            .arg("-in")
            .arg(text)
            .arg("-sigfile")
            .arg(&signed)
            .output();
        openssl.unwrap().status.success()
    };
    assert!(verifies(&format!("{text}\n")));
    assert!(!verifies(&format!("{text}\n").replacen("coordinator", "co0rdinator", 1)));
}
