//! Whether a log that is read from its first entry on continues an earlier head of it.

use crate::{Checkpoint, Hash, Tree};

/// An earlier checkpoint, and the tree of the log as far as it was read.
///
/// Whoever has all entries needs no consistency proof: the root of the earlier size is computed from them.
#[derive(Debug, Clone)]
pub struct Growth {
    earlier: Checkpoint,
    tree: Tree,
    root: Option<Hash>,
}

/// Why a log is no continuation of an earlier head of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrowthError {
    /// It is shorter than it was.
    #[error("the log has {size} entries, and an earlier checkpoint of it {earlier}")]
    Shrunk {
        /// How many entries it had.
        earlier: u64,
        /// How many it has.
        size: u64,
    },
    /// Its past is another.
    #[error("history was rewritten: the first {earlier} entries have the root {root}, and had {was}")]
    Rewritten {
        /// How many entries it had.
        earlier: u64,
        /// The root of as many entries now.
        root: Hash,
        /// The root that was signed.
        was: Hash,
    },
}

impl GrowthError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shrunk { .. } => "ledger.shrunk",
            Self::Rewritten { .. } => "ledger.forked",
        }
    }
}

impl Growth {
    /// Nothing was read yet of the log that had the head `earlier`.
    #[must_use]
    pub fn since(earlier: Checkpoint) -> Self {
        let mut growth = Self { earlier, tree: Tree::new(), root: None };
        growth.look();
        growth
    }

    /// The earlier head.
    #[must_use]
    pub const fn earlier(&self) -> &Checkpoint {
        &self.earlier
    }

    /// Takes the hash of the next entry.
    pub fn append(&mut self, leaf: Hash) {
        // Beyond the earlier size nothing is of interest.
        if self.root.is_none() {
            self.tree.append(leaf);
            self.look();
        }
    }

    /// Whether the log, of `size` entries that all were taken, continues the earlier head.
    ///
    /// # Errors
    /// [`GrowthError`].
    pub fn check(&self, size: u64) -> Result<(), GrowthError> {
        let (earlier, was) = (self.earlier.size(), *self.earlier.root());
        match self.root {
            None => Err(GrowthError::Shrunk { earlier, size }),
            Some(root) if root == was => Ok(()),
            Some(root) => Err(GrowthError::Rewritten { earlier, root, was }),
        }
    }

    fn look(&mut self) {
        if self.tree.size() == self.earlier.size() {
            self.root = Some(self.tree.root());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaf_hash;

    fn leaves(size: u8) -> impl Iterator<Item = Hash> {
        (0..size).map(|k| leaf_hash(&[k]))
    }

    fn read(earlier: &Tree, leaves: impl Iterator<Item = Hash>) -> Result<(), GrowthError> {
        let mut growth = Growth::since(Checkpoint::of("log.example", earlier).unwrap());
        let mut size = 0;
        for leaf in leaves {
            growth.append(leaf);
            size += 1;
        }
        growth.check(size)
    }

    #[test]
    fn a_log_continues_every_earlier_head_of_itself() {
        for earlier in 0..=9 {
            assert_eq!(read(&leaves(earlier).collect(), leaves(9)), Ok(()), "{earlier}");
        }
    }

    #[test]
    fn one_that_is_shorter_or_has_another_past_does_not() {
        let earlier: Tree = leaves(5).collect();
        assert_eq!(read(&earlier, leaves(4)), Err(GrowthError::Shrunk { earlier: 5, size: 4 }));
        let rewritten = leaves(4).chain([leaf_hash(b"another")]).chain(leaves(3));
        let error = read(&earlier, rewritten).unwrap_err();
        assert_eq!(error.code(), "ledger.forked");
        assert!(matches!(error, GrowthError::Rewritten { earlier: 5, was, .. } if was == earlier.root()));
    }
}
