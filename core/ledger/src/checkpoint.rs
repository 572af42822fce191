//! The signed head of a log: how long it is and what it holds.

use alloc::format;
use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;

use crate::note::{self, NoteError, VerifierKey};
use crate::{Hash, Tree};

/// A log's name, size and root; C2SP tlog-checkpoint without extension lines.
///
/// The origin is also the name under which the log signs, so a key signs for one log only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is malformed, unsigned or wrongly signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is genuine, but not origin, size and root on three lines.
    #[error("the note is not a checkpoint of origin, size and root")]
    Malformed,
    /// The checkpoint is of another log than the key.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    Origin {
        /// The log that the key signs for.
        expected: String,
        /// The log that the checkpoint names.
        found: String,
    },
}

impl CheckpointError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Note(error) => error.code(),
            Self::Malformed => "ledger.checkpoint-malformed",
            Self::Origin { .. } => "ledger.checkpoint-origin",
        }
    }
}

impl Checkpoint {
    /// The head of the log `origin` with this `size` and `root`.
    ///
    /// # Errors
    /// [`NoteError::Name`] for an origin that cannot name a key.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, NoteError> {
        note::check_name(origin)?;
        Ok(Self { origin: String::from(origin), size, root })
    }

    /// The head of the log `origin` whose tree is `tree`.
    ///
    /// # Errors
    /// [`NoteError::Name`] for an origin that cannot name a key.
    pub fn of(origin: &str, tree: &Tree) -> Result<Self, NoteError> {
        Self::new(origin, tree.size(), tree.root())
    }

    /// The log's name: by convention a URL without scheme, such as `coordinator.example/federation`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The Merkle root over them.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// The signed note that a log publishes at `checkpoint`.
    ///
    /// A log must never sign two checkpoints of which neither is a prefix of the other.
    ///
    /// # Errors
    /// [`NoteError`] where [`note::sign`] has one, which no origin of a checkpoint and no Ed25519 signing key gives
    /// rise to.
    pub fn sign(&self, key: &SigningKey) -> Result<String, NoteError> {
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.as_bytes()));
        note::sign(&text, &self.origin, key)
    }

    /// Reads a checkpoint from a note, once `key` is known to have signed it.
    ///
    /// # Errors
    /// A note that this key did not sign; a text other than origin, size and root; the origin of another log.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::from_text(note::open(note, key)?).ok_or(CheckpointError::Malformed)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin {
                expected: String::from(key.name()),
                found: checkpoint.origin,
            });
        }
        Ok(checkpoint)
    }

    /// The checkpoint that a note's text is.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size_text, root) = (lines.next()?, lines.next()?, lines.next()?);
        // Extension lines are refused: no auditor could check them.
        if lines.next().is_some() {
            return None;
        }
        let size = size_text.parse::<u64>().ok()?;
        // One spelling only: no sign, no leading zeros.
        if format!("{size}") != size_text {
            return None;
        }
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        Self::new(origin, size, Hash::from_bytes(root)).ok()
    }
}
