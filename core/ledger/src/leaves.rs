//! All leaf hashes of a log, kept so that proofs about any of its sizes cost a few hashes.

use alloc::vec::Vec;

use crate::hash::{Hash, empty_root, node_hash};
use crate::proof::ProofError;

/// The leaves of a log and the roots of the perfect subtrees over them: two hashes for each leaf.
///
/// A [`crate::Tree`] has the root of the newest size only; this proves what is in a tree, and that one grew from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaves {
    /// `levels[k][i]` is the root over the leaves from i 2^k up to (i + 1) 2^k.
    levels: Vec<Vec<Hash>>,
}

impl Leaves {
    /// No leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Adds a leaf by its hash (see [`crate::leaf_hash`]).
    pub fn append(&mut self, leaf: Hash) {
        let mut root = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let roots = &mut self.levels[level];
            roots.push(root);
            match roots.as_slice() {
                [.., left, right] if roots.len().is_multiple_of(2) => root = node_hash(left, right),
                _ => return,
            }
        }
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The root of the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] when there are fewer.
    pub fn root(&self, size: u64) -> Result<Hash, ProofError> {
        let size = self.within(size)?;
        Ok(if size == 0 { empty_root() } else { self.root_over(0, size) })
    }

    /// The audit path of the leaf at `index` in the tree of the first `size` leaves, nearest sibling first. RFC 6962,
    /// 2.1.1.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] when there is no such leaf or size.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        let (mut start, mut rest) = (0, self.within(size)?);
        let outside = ProofError::OutOfRange { position: index, size };
        let at = usize::try_from(index).ok().filter(|at| *at < rest).ok_or(outside)?;
        let mut path = Vec::new();
        while rest > 1 {
            let left = split(rest);
            if at < start + left {
                path.push(self.root_over(start + left, rest - left));
                rest = left;
            } else {
                path.push(self.root_over(start, left));
                (start, rest) = (start + left, rest - left);
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of the first `older` leaves is a prefix of the tree of the first `newer`. RFC 6962,
    /// 2.1.2.
    ///
    /// Empty when `older` is 0 or `newer`.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] when there are fewer leaves, or `newer` is below `older`.
    pub fn consistency_proof(&self, older: u64, newer: u64) -> Result<Vec<Hash>, ProofError> {
        let (mut start, mut rest) = (0, self.within(newer)?);
        let outside = ProofError::OutOfRange { position: older, size: newer };
        let old = usize::try_from(older).ok().filter(|old| *old <= rest).ok_or(outside)?;
        let mut proof = Vec::new();
        if old == 0 {
            return Ok(proof);
        }
        let mut whole = true;
        while old < start + rest {
            let left = split(rest);
            if old <= start + left {
                proof.push(self.root_over(start + left, rest - left));
                rest = left;
            } else {
                proof.push(self.root_over(start, left));
                (start, rest) = (start + left, rest - left);
                // From here on the older tree is only a part of what it was, so its root is not known beforehand.
                whole = false;
            }
        }
        if !whole {
            proof.push(self.root_over(start, rest));
        }
        proof.reverse();
        Ok(proof)
    }

    /// The root over `length` leaves from `start`, as a tree that begins at the first leaf is split.
    fn root_over(&self, start: usize, length: usize) -> Hash {
        if length.is_power_of_two() {
            // Splitting leaves every perfect subtree at a multiple of its size.
            return self.levels[length.ilog2() as usize][start / length];
        }
        let left = split(length);
        node_hash(&self.root_over(start, left), &self.root_over(start + left, length - left))
    }

    fn within(&self, size: u64) -> Result<usize, ProofError> {
        let known = self.size();
        let outside = ProofError::OutOfRange { position: size, size: known };
        usize::try_from(size).ok().filter(|_| size <= known).ok_or(outside)
    }
}

impl FromIterator<Hash> for Leaves {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut all = Self::new();
        for leaf in leaves {
            all.append(leaf);
        }
        all
    }
}

/// The largest power of two below `length`, which is at least 2: where the RFC splits a tree.
fn split(length: usize) -> usize {
    1 << (length - 1).ilog2()
}
