//! A published ledger, the keys around it, and the command that looks at it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ed25519_dalek::SigningKey;
use serde_json::Value;
use syndic_ledger::tiles::{self, CHECKPOINT, VERIFIER_KEY};
use syndic_ledger::{Checkpoint, CosignerKey, Tree, VerifierKey, cosign, leaf_hash};
use tempfile::TempDir;

use crate::common::log_of;

/// The log's name.
pub(crate) const ORIGIN: &str = "coordinator.example/federation";

/// The key of seed `seed`; 7 is the log's.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// A key of the log's name.
pub(crate) fn log_key(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, key(seed).verifying_key()).unwrap()
}

/// A ledger in a folder, and room beside it.
pub(crate) struct Published {
    room: TempDir,
    /// Its entries.
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Published {
    /// A ledger of at least `size` entries.
    pub(crate) fn of(size: u64) -> Self {
        Self::with(log_of(size).entries)
    }

    /// A ledger of these entries.
    pub(crate) fn with(entries: Vec<Vec<u8>>) -> Self {
        let published = Self { room: tempfile::tempdir().unwrap(), entries };
        published.publish();
        std::fs::write(published.ledger().join(VERIFIER_KEY), format!("{}\n", log_key(7))).unwrap();
        published
    }

    /// Writes the entries, and a checkpoint over all of them.
    pub(crate) fn publish(&self) {
        for file in tiles::files(self.entries.iter().map(Vec::as_slice)).unwrap() {
            let path = self.ledger().join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file.bytes).unwrap();
        }
        self.set_checkpoint(&self.signed(7));
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.room.path().join("ledger")
    }

    /// A file beside the ledger.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.beside(name), text).unwrap();
        self.beside(name)
    }

    pub(crate) fn checkpoint(&self) -> String {
        std::fs::read_to_string(self.ledger().join(CHECKPOINT)).unwrap()
    }

    pub(crate) fn set_checkpoint(&self, note: &str) {
        std::fs::write(self.ledger().join(CHECKPOINT), note).unwrap();
    }

    /// The checkpoint over all entries as the key of `seed` signs it.
    pub(crate) fn signed(&self, seed: u8) -> String {
        let tree: Tree = self.entries.iter().map(|bytes| leaf_hash(bytes)).collect();
        Checkpoint::of(ORIGIN, &tree).unwrap().sign(&key(seed)).unwrap()
    }

    /// Lets the witness of this name and seed sign the checkpoint.
    pub(crate) fn witnessed(&self, name: &str, seed: u8) -> String {
        let note = cosign(&self.checkpoint(), &log_key(7), name, 1_785_585_600, &key(seed)).unwrap();
        self.set_checkpoint(&note);
        CosignerKey::new(name, key(seed).verifying_key()).unwrap().to_string()
    }
}

/// What `syndic ledger` did.
pub(crate) struct Ran(Output);

impl Ran {
    /// That it exited so, and its standard output.
    pub(crate) fn exits(&self, code: i32) -> String {
        let told = || String::from_utf8_lossy(&self.0.stderr).into_owned();
        assert_eq!(self.0.status.code(), Some(code), "{}", told());
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    /// The code of the error that it exited with, and where.
    pub(crate) fn refuses(&self, code: i32) -> (String, String) {
        self.exits(code);
        let told: Value = serde_json::from_slice(&self.0.stderr).unwrap();
        let text = |key: &str| told["error"][key].as_str().unwrap_or_default().to_owned();
        (text("code"), text("in"))
    }

    /// What it said on standard error.
    pub(crate) fn told(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }
}

/// Runs `syndic ledger` with these arguments.
pub(crate) fn ledger(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Ran {
    let arguments = arguments.iter().map(|argument| argument.as_ref());
    let program = Path::new(env!("CARGO_BIN_EXE_syndic"));
    Ran(Command::new(program).arg("ledger").args(arguments).env_remove("SYNDIC_LOG").output().unwrap())
}
