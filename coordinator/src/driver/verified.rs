//! How much of the ledger this coordinator has verified, by its own signature: a start need not do so once more.
//!
//! The note is a checkpoint under a name of its own, signed with the ledger's key. It is no second truth. Where the entries do
//! not have the root that it names, nothing in them is taken at its word; without it, a start takes longer and comes to the
//! same. What another program has verified is verified again: its rules may have been others. But that the entries are those
//! that it saw is looked at all the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::{SigningKey, VerifyingKey};
use syndic_ledger::{Checkpoint, Tree, VerifierKey};
use syndic_round::Signatures;
use tokio::sync::Mutex;
use tracing::{debug, warn};

use crate::instance::Software;
use crate::store::write_file;

/// The file with the note.
pub(super) struct VerifiedNote {
    path: PathBuf,
    /// What notes about this ledger are signed as, by whatever program.
    any: String,
    /// What those of this program are; none where it is not known which that is, and nothing is noted.
    name: Option<String>,
    /// Entries that the last note is about, or will be.
    noted: AtomicU64,
    /// Held while one is written.
    writing: Arc<Mutex<()>>,
}

/// What a note says.
pub(super) struct Noted {
    /// The part of the ledger that was verified.
    pub(super) part: Checkpoint,
    /// Whether that was by the rules of this program, so that it need not be done again.
    pub(super) signatures: Signatures,
}

impl VerifiedNote {
    /// The one at `path`, about the ledger of this name, of this program.
    pub(super) fn at(path: PathBuf, ledger: &str, program: &Software) -> Self {
        let Software { version, binary, .. } = program;
        let any = format!("{ledger}/verified-by/");
        let name = binary.map(|binary| format!("{any}{version}/{binary}"));
        Self { path, any, name, noted: AtomicU64::new(0), writing: Arc::default() }
    }

    /// What is noted, if the holder of `key` has signed it; none where there is no note, or one that says nothing to us.
    pub(super) async fn read(&self, key: VerifyingKey) -> Option<Noted> {
        let note = tokio::fs::read_to_string(&self.path).await.ok()?;
        let name = note.lines().next().filter(|name| name.starts_with(&self.any))?;
        let key = VerifierKey::new(name, key).ok()?;
        let part = Checkpoint::verify(&note, &key);
        if let Err(error) = &part {
            debug!(path = %self.path.display(), %error, "this note of what was verified is not ours, and is not used");
        }
        let part = part.ok()?;
        let signatures = if self.name.as_deref() == Some(name) {
            self.noted.store(part.size(), Ordering::Relaxed);
            Signatures::Verified
        } else {
            Signatures::Unverified
        };
        Some(Noted { part, signatures })
    }

    /// Notes beside other work that all of `tree` is verified, where that is much more than is noted.
    pub(super) fn note_at_times(&self, tree: &Tree, key: &SigningKey) {
        let noted = self.noted.load(Ordering::Relaxed);
        if tree.size() < noted || tree.size() - noted >= BETWEEN_NOTES {
            tokio::spawn(self.note(tree, key));
        }
    }

    /// Notes that all of `tree` is verified.
    pub(super) fn note(&self, tree: &Tree, key: &SigningKey) -> impl Future<Output = ()> + Send + use<> {
        self.noted.store(tree.size(), Ordering::Relaxed);
        let signed = self.name.as_ref().map(|name| Checkpoint::of(name, tree)?.sign(key));
        let (path, writing) = (self.path.clone(), self.writing.clone());
        async move {
            let _writing = writing.lock().await;
            let Some(Ok(note)) = signed else { return };
            // If we crash here less is noted than was verified, and the next start verifies the rest once more.
            if let Err(error) = write_file(&path, note.as_bytes()).await {
                let code = error.code();
                warn!(code, %error, "how much of the ledger is verified is not noted: the next start takes longer");
            }
        }
    }
}

/// Entries that a start may have to verify once more: some tenths of a second of work.
const BETWEEN_NOTES: u64 = 8_192;
