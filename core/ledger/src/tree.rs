//! The Merkle tree over leaf hashes, kept as the few subtree roots that its next leaf needs.

use alloc::vec::Vec;

use crate::hash::{Hash, empty_root, node_hash};

/// A Merkle tree (RFC 6962, section 2.1) in its compact form.
///
/// Holds the roots of the perfect subtrees that the binary digits of its size name, largest first: at most 64
/// hashes, whatever the size. Appending computes one hash on average.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    peaks: Vec<Hash>,
}

impl Tree {
    /// The tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// Adds a leaf by its hash (see [`crate::leaf_hash`]) and returns its index.
    pub fn append(&mut self, leaf: Hash) -> u64 {
        let index = self.size;
        let mut root = leaf;
        // Each trailing one bit of the old size is a perfect subtree as large as the one just completed.
        for _ in 0..index.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each one bit of the size");
            root = node_hash(&left, &root);
        }
        self.peaks.push(root);
        self.size += 1;
        index
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The Merkle tree hash; of no leaves, SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let smallest_first = self.peaks.iter().rev().copied();
        smallest_first.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

impl FromIterator<Hash> for Tree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        for leaf in leaves {
            tree.append(leaf);
        }
        tree
    }
}
