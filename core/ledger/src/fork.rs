//! Forks: two signed heads of one log of which neither continues the other, and what shows so to whoever has the log's key.
//!
//! Two heads of one size with two roots convict by themselves. Two of different sizes need the root that the newer one's
//! log had at the older one's size, and the proof that it had: the newer signature vouches for that root, the older one
//! for another. Nothing of the log's entries is needed then, and no word of whoever found it out.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::leaves::Leaves;
use crate::note::{NoteError, VerifierKey};
use crate::proof::{self, ProofError, verify_consistency};

/// Two signed heads of one log, as evidence against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The signed head of the smaller size.
    pub older: String,
    /// The other.
    pub newer: String,
    /// The past of the newer; none where it is not known, or the sizes are equal.
    pub past: Option<Past>,
}

/// What the log of a newer head was at the size of an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Its root.
    pub root: Hash,
    /// That the newer log grew from it.
    pub consistency: Vec<Hash>,
}

/// A log that signed two histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convicted {
    /// The older head.
    pub older: Checkpoint,
    /// The newer head.
    pub newer: Checkpoint,
    /// The root that the newer one's log had at the older one's size.
    pub root: Hash,
}

/// Why two heads do not convict a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// The file is no evidence of a fork.
    #[error("this is no evidence of the form {FORMAT}")]
    Malformed,
    /// One of the heads is not signed by the log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof leads elsewhere.
    #[error("the newer head's past is not proved: {0}")]
    Unproven(ProofError),
    /// The newer head continues the older.
    #[error("the newer checkpoint continues the older")]
    Consistent,
    /// Nobody has shown what the newer log was at the older one's size.
    #[error("nothing shows whether the checkpoint of {newer} entries continues that of {older}")]
    Undecided {
        /// Size of the older.
        older: u64,
        /// Size of the newer.
        newer: u64,
    },
}

impl ForkError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "ledger.evidence-malformed",
            Self::Checkpoint(error) => error.code(),
            Self::Unproven(error) => error.code(),
            Self::Consistent => "ledger.consistent",
            Self::Undecided { .. } => "ledger.undecided",
        }
    }
}

impl Fork {
    /// The two heads in `a` and `b`, the older first, without the past of the newer.
    ///
    /// # Errors
    /// [`ForkError::Checkpoint`].
    pub fn of(a: &str, b: &str, key: &VerifierKey) -> Result<Self, ForkError> {
        let in_order = Checkpoint::verify(a, key)?.size() <= Checkpoint::verify(b, key)?.size();
        let (older, newer) = if in_order { (a, b) } else { (b, a) };
        Ok(Self { older: older.to_string(), newer: newer.to_string(), past: None })
    }

    /// The same with the past of the newer head, whose log these are the `leaves` of; without it where they are not.
    ///
    /// # Errors
    /// [`ForkError::Checkpoint`].
    pub fn with_leaves(mut self, leaves: &Leaves, key: &VerifierKey) -> Result<Self, ForkError> {
        let (older, newer) = (Checkpoint::verify(&self.older, key)?, Checkpoint::verify(&self.newer, key)?);
        if leaves.root(newer.size()).is_ok_and(|root| root == *newer.root()) {
            let root = leaves.root(older.size()).map_err(ForkError::Unproven)?;
            let consistency =
                leaves.consistency_proof(older.size(), newer.size()).map_err(ForkError::Unproven)?;
            self.past = Some(Past { root, consistency });
        }
        Ok(self)
    }

    /// The same with the past of the newer head, if the proof `consistency`, which does not lead from the older one, shows
    /// what it leads from instead: `said`, the root that the log says it had, or where that is not so, what the proof shows by
    /// itself.
    ///
    /// # Errors
    /// [`ForkError::Checkpoint`].
    pub fn with_failed_proof(
        mut self,
        said: Hash,
        consistency: &[Hash],
        key: &VerifierKey,
    ) -> Result<Self, ForkError> {
        let (older, newer) = (Checkpoint::verify(&self.older, key)?, Checkpoint::verify(&self.newer, key)?);
        let (older, newer, newer_root) = (older.size(), newer.size(), newer.root());
        let root = match verify_consistency(older, &said, newer, newer_root, consistency) {
            Ok(()) => Some(said),
            Err(_) => proof::root_before(older, newer, newer_root, consistency),
        };
        self.past = root.map(|root| Past { root, consistency: consistency.to_vec() });
        Ok(self)
    }

    /// What these heads convict the log of `key` of.
    ///
    /// # Errors
    /// [`ForkError`] where they do not.
    pub fn verify(&self, key: &VerifierKey) -> Result<Convicted, ForkError> {
        let (older, newer) = (Checkpoint::verify(&self.older, key)?, Checkpoint::verify(&self.newer, key)?);
        let (before, after) = (older.size(), newer.size());
        let root = match &self.past {
            None if before == after => *newer.root(),
            None => return Err(ForkError::Undecided { older: before, newer: after }),
            Some(Past { root, consistency }) => {
                verify_consistency(before, root, after, newer.root(), consistency)
                    .map_err(ForkError::Unproven)?;
                *root
            }
        };
        if root == *older.root() {
            return Err(ForkError::Consistent);
        }
        Ok(Convicted { older, newer, root })
    }

    /// The evidence as a JSON file, with the key that it verifies with for a reader who compares it with his own.
    #[must_use]
    pub fn to_json(&self, key: &VerifierKey) -> String {
        let past = self.past.as_ref().map(|Past { root, consistency }| {
            let consistency: Vec<_> = consistency.iter().map(Hash::to_string).collect();
            json!({ "root": root.to_string(), "consistency": consistency })
        });
        let file = json!({
            "format": FORMAT, "key": key.to_string(), "older": self.older, "newer": self.newer, "past": past,
        });
        file.to_string()
    }

    /// Reads such a file. The key in it is its author's.
    ///
    /// # Errors
    /// [`ForkError::Malformed`].
    pub fn from_json(text: &str) -> Result<(Self, VerifierKey), ForkError> {
        let file: Value = serde_json::from_str(text).map_err(|_| ForkError::Malformed)?;
        read(&file).ok_or(ForkError::Malformed)
    }
}

fn read(file: &Value) -> Option<(Fork, VerifierKey)> {
    let text = |name: &str| file.get(name)?.as_str();
    if text("format")? != FORMAT {
        return None;
    }
    let key = text("key")?.parse().map_err(|_: NoteError| ()).ok()?;
    let past = match file.get("past")? {
        Value::Null => None,
        past => {
            let hashes = past.get("consistency")?.as_array()?.iter();
            let consistency = hashes.map(|hash| Hash::from_hex(hash.as_str()?)).collect::<Option<_>>()?;
            Some(Past { root: Hash::from_hex(past.get("root")?.as_str()?)?, consistency })
        }
    };
    Some((Fork { older: text("older")?.into(), newer: text("newer")?.into(), past }, key))
}

const FORMAT: &str = "syndic-fork/1";
