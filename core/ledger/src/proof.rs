//! Verifying proofs that an entry is in the tree, and that a tree only grew. [`crate::Leaves`] makes them.

use crate::hash::{Hash, empty_root, node_hash};

/// Why a proof cannot be made or does not convince.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index or the older size does not lie in the tree.
    #[error("the tree of size {size} has nothing at {position}")]
    OutOfRange {
        /// The index asked for, or the older size.
        position: u64,
        /// The tree's size.
        size: u64,
    },
    /// The proof has too few or too many hashes for these sizes.
    #[error("the proof has the wrong length")]
    Length,
    /// The proof leads to another root than the one given.
    #[error("the proof does not lead to the root")]
    Root,
}

impl ProofError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "ledger.proof-out-of-range",
            Self::Length => "ledger.proof-length",
            Self::Root => "ledger.proof-root",
        }
    }
}

/// Checks that `leaf` is the leaf hash at `index` of the tree with this `size` and `root`. RFC 9162, 2.1.3.2.
///
/// # Errors
/// An index outside the tree, a proof of the wrong length, or another root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { position: index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut computed = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            computed = node_hash(sibling, &computed);
            climb_to_left_child(&mut node, &mut last);
        } else {
            computed = node_hash(&computed, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    expect_root(&computed, root)
}

/// Checks that the tree of `older` leaves is a prefix of the tree of `newer` leaves. RFC 9162, 2.1.4.2.
///
/// The empty tree is a prefix of every tree; equal sizes demand equal roots. Both take an empty proof.
///
/// # Errors
/// `older` beyond `newer`, a proof of the wrong length, or other roots.
pub fn verify_consistency(
    older: u64,
    older_root: &Hash,
    newer: u64,
    newer_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if older > newer {
        return Err(ProofError::OutOfRange { position: older, size: newer });
    }
    if older == 0 || older == newer {
        let expected = if older == 0 { empty_root() } else { *newer_root };
        return if proof.is_empty() { expect_root(&expected, older_root) } else { Err(ProofError::Length) };
    }
    // The RFC prepends the older root to the proof of a perfect tree; here it is where the walk starts.
    let (start, path) = if older.is_power_of_two() {
        (older_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Length)?
    };
    let (old, new) = climb(older, newer, start, path)?;
    expect_root(&old, older_root)?;
    expect_root(&new, newer_root)
}

/// The root of the first `older` leaves of the tree of `newer` leaves, where `proof` shows it by itself: it does so but for a
/// power of two, whose root a proof leaves out.
pub(crate) fn root_before(older: u64, newer: u64, newer_root: &Hash, proof: &[Hash]) -> Option<Hash> {
    if older == 0 || older >= newer || older.is_power_of_two() {
        return None;
    }
    let (start, path) = proof.split_first()?;
    let (old, new) = climb(older, newer, start, path).ok()?;
    (new == *newer_root).then_some(old)
}

/// The roots of both trees to which a consistency proof leads from `start`.
fn climb(older: u64, newer: u64, start: &Hash, path: &[Hash]) -> Result<(Hash, Hash), ProofError> {
    let shift = (older - 1).trailing_ones();
    let (mut node, mut last) = ((older - 1) >> shift, (newer - 1) >> shift);
    let (mut old, mut new) = (*start, *start);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            climb_to_left_child(&mut node, &mut last);
        } else {
            new = node_hash(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok((old, new)) } else { Err(ProofError::Length) }
}

/// Skips the levels at which a rightmost node has no sibling.
fn climb_to_left_child(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

fn expect_root(computed: &Hash, root: &Hash) -> Result<(), ProofError> {
    if computed == root { Ok(()) } else { Err(ProofError::Root) }
}
