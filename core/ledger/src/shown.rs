//! What a log shows of one entry to somebody who keeps its last checkpoint: that the entry is in it, and that the log has
//! only grown since.

use alloc::string::String;
use alloc::vec::Vec;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::entry::{Entry, EntryError};
use crate::hash::{Hash, leaf_hash};
use crate::note::VerifierKey;
use crate::proof::{ProofError, verify_consistency, verify_inclusion};

/// An entry with the proofs of its place, under a signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownEntry {
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The size from which [`Self::consistency`] leads to the checkpoint.
    pub older: u64,
    /// The root that the log had at that size, by its own account. Nothing is believed for it; of a log with another past it
    /// is what convicts.
    pub older_root: Hash,
    /// That the log of that size is a prefix of the checkpoint's.
    pub consistency: Vec<Hash>,
    /// The entry's place.
    pub index: u64,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// That it is in the checkpoint's tree.
    pub inclusion: Vec<Hash>,
}

/// Why what a log shows convinces nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShownError {
    /// The checkpoint is not signed by the log, or malformed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof starts at another size than that of the checkpoint that was kept.
    #[error("the log proves its growth from {shown} entries, and a checkpoint of {kept} was kept")]
    Base {
        /// Size of the kept checkpoint.
        kept: u64,
        /// Size from which growth is proved.
        shown: u64,
    },
    /// The log is shorter than it was.
    #[error("the log has {shown} entries, and one of {kept} was seen before")]
    Shrunk {
        /// Size of the kept checkpoint.
        kept: u64,
        /// Size shown.
        shown: u64,
    },
    /// The log did not grow from what was kept: its past is another.
    #[error("the log is not a continuation of the one that was seen before: {0}")]
    Forked(ProofError),
    /// The entry is not in the log.
    #[error("the entry is not in the log: {0}")]
    NotIncluded(ProofError),
    /// The entry is malformed.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl ShownError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Checkpoint(error) => error.code(),
            Self::Base { .. } => "ledger.shown-base",
            Self::Shrunk { .. } => "ledger.shrunk",
            Self::Forked(_) => "ledger.forked",
            Self::NotIncluded(_) => "ledger.not-included",
            Self::Entry(error) => error.code(),
        }
    }
}

impl ShownEntry {
    /// Verifies what is shown, for somebody who kept the checkpoint `kept`. Returns the checkpoint to keep from now on, and
    /// the entry.
    ///
    /// # Errors
    /// [`ShownError`]; the kept checkpoint stays what it is.
    pub fn verify(
        &self,
        key: &VerifierKey,
        kept: Option<&Checkpoint>,
    ) -> Result<(Checkpoint, Entry), ShownError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key)?;
        if let Some(kept) = kept {
            if checkpoint.size() < kept.size() {
                return Err(ShownError::Shrunk { kept: kept.size(), shown: checkpoint.size() });
            }
            if self.older != kept.size() {
                return Err(ShownError::Base { kept: kept.size(), shown: self.older });
            }
            let (size, root) = (checkpoint.size(), checkpoint.root());
            verify_consistency(kept.size(), kept.root(), size, root, &self.consistency)
                .map_err(ShownError::Forked)?;
        }
        let leaf = leaf_hash(&self.entry);
        verify_inclusion(&leaf, self.index, checkpoint.size(), &self.inclusion, checkpoint.root())
            .map_err(ShownError::NotIncluded)?;
        Ok((checkpoint, Entry::parse(&self.entry)?))
    }
}
