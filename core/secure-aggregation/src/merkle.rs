//! The Merkle root that binds an update's chunks to its signed header.
//!
//! The tree of RFC 6962, section 2.1: a leaf hashes 0x00 and the chunk, a node 0x01 and its children.

use sha2::{Digest as _, Sha256};
use syndic_round::Digest;

/// The leaf of a chunk.
pub fn leaf(chunk: &[u8]) -> Digest {
    hash(0, [chunk])
}

/// The root over leaves, in the order of their chunks.
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node(root(left), root(right))
        }
    }
}

/// The hashes beside the way from leaf `index` to the root, lowest first (RFC 6962, section 2.1.1); none where there
/// is no such leaf.
pub fn path(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = match index.checked_sub(left.len()) {
        None => (path(left, index)?, root(right)),
        Some(index) => (path(right, index)?, root(left)),
    };
    path.push(sibling);
    Some(path)
}

/// The root over `count` leaves of which number `index` is `leaf`, by its path; none where the path has another length.
pub fn root_of(leaf: Digest, index: usize, count: usize, path: &[Digest]) -> Option<Digest> {
    if index >= count {
        return None;
    }
    if count == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (sibling, below) = path.split_last()?;
    let left = count.next_power_of_two() / 2;
    match index.checked_sub(left) {
        None => Some(node(root_of(leaf, index, left, below)?, *sibling)),
        Some(index) => Some(node(*sibling, root_of(leaf, index, count - left, below)?)),
    }
}

fn node(left: Digest, right: Digest) -> Digest {
    hash(1, [left.as_bytes().as_slice(), right.as_bytes().as_slice()])
}

fn hash<const N: usize>(prefix: u8, parts: [&[u8]; N]) -> Digest {
    let mut hash = Sha256::new_with_prefix([prefix]);
    parts.iter().for_each(|part| hash.update(part));
    Digest(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_of_rfc_6962() {
        // Test vectors of the certificate-transparency project: leaves "", 00, 10, 2021, 3031.
        let leaves: Vec<Digest> = [&[][..], &[0x00], &[0x10], &[0x20, 0x21], &[0x30, 0x31]].map(leaf).into();
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        ];
        for (count, expected) in roots.iter().enumerate() {
            assert_eq!(root(&leaves[..count]).to_string(), *expected, "{count} leaves");
        }
    }

    #[test]
    fn every_leafs_path_leads_to_the_root_and_no_other_does() {
        for count in 1..20_usize {
            let leaves: Vec<Digest> = (0..count).map(|k| leaf(&[k as u8])).collect();
            for index in 0..count {
                let mut path = path(&leaves, index).unwrap();
                assert_eq!(root_of(leaves[index], index, count, &path), Some(root(&leaves)));
                let other = (index + 1) % count;
                if count > 1 {
                    assert_ne!(root_of(leaves[index], other, count, &path), Some(root(&leaves)));
                    assert_ne!(root_of(leaves[other], index, count, &path), Some(root(&leaves)));
                }
                path.push(leaf(b"more"));
                assert_eq!(root_of(leaves[index], index, count, &path), None, "a longer path");
            }
            assert_eq!(path(&leaves, count), None);
        }
    }

    #[test]
    fn order_and_content_change_the_root() {
        let [a, b, c] = [leaf(b"a"), leaf(b"b"), leaf(b"c")];
        assert_ne!(root(&[a, b, c]), root(&[a, c, b]));
        assert_ne!(root(&[a, b]), root(&[a, b, c]));
    }
}
