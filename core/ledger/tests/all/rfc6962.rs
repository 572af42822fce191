//! Tree and proofs: the published vectors of certificate transparency, and the RFC's own recursive definition.

use proptest::prelude::*;
use syndic_ledger::hash::empty_root;
use syndic_ledger::{
    Hash, Leaves, ProofError, Tree, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Index, size, audit path.
const INCLUSION: [(u64, usize, &[&str]); 4] = [
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// Older size, newer size, proof.
const CONSISTENCY: [(usize, usize, &[&str]); 4] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

fn digest(text: &str) -> Hash {
    Hash::from_hex(text).expect("the vectors are digests")
}

fn digests(texts: &[&str]) -> Vec<Hash> {
    texts.iter().map(|text| digest(text)).collect()
}

fn published_leaves() -> Vec<Hash> {
    let bytes = |text: &&str| hex::decode(text).expect("the vectors are hexadecimal");
    LEAVES.iter().map(|text| leaf_hash(&bytes(text))).collect()
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Tree>().root()
}

/// MTH as section 2.1 of the RFC defines it.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// PATH as section 2.1.1 of the RFC defines it.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut path, sibling) = if index < left.len() {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - left.len(), right), naive_root(left))
    };
    path.push(sibling);
    path
}

/// The log of `leaves` and some more, which no proof about `leaves` may depend on.
fn grown(leaves: &[Hash]) -> Leaves {
    let later = (0..5_u8).map(|number| leaf_hash(&[b'l', number]));
    leaves.iter().copied().chain(later).collect()
}

fn inclusion_proof(index: u64, leaves: &[Hash]) -> Result<Vec<Hash>, ProofError> {
    grown(leaves).inclusion_proof(index, leaves.len() as u64)
}

fn consistency_proof(older: u64, leaves: &[Hash]) -> Result<Vec<Hash>, ProofError> {
    grown(leaves).consistency_proof(older, leaves.len() as u64)
}

/// SUBPROOF as section 2.1.2 of the RFC defines it.
fn naive_subproof(older: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if older == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut proof, other) = if older <= left.len() {
        (naive_subproof(older, left, whole), naive_root(right))
    } else {
        (naive_subproof(older - left.len(), right, false), naive_root(left))
    };
    proof.push(other);
    proof
}

fn naive_split(length: usize) -> usize {
    let mut split = 1;
    while split * 2 < length {
        split *= 2;
    }
    split
}

#[test]
fn the_roots_are_the_published_ones() {
    let leaves = published_leaves();
    for (size, expected) in ROOTS.iter().enumerate() {
        assert_eq!(root(&leaves[..size]), digest(expected), "{size} leaves");
    }
}

#[test]
fn the_inclusion_proofs_are_the_published_ones() {
    let leaves = published_leaves();
    for (index, size, path) in INCLUSION {
        let path = digests(path);
        assert_eq!(inclusion_proof(index, &leaves[..size]), Ok(path.clone()));
        let leaf = &leaves[usize::try_from(index).unwrap()];
        assert_eq!(verify_inclusion(leaf, index, size as u64, &path, &digest(ROOTS[size])), Ok(()));
    }
}

#[test]
fn the_consistency_proofs_are_the_published_ones() {
    let leaves = published_leaves();
    for (older, newer, proof) in CONSISTENCY {
        let proof = digests(proof);
        assert_eq!(consistency_proof(older as u64, &leaves[..newer]), Ok(proof.clone()));
        let (old, new) = (digest(ROOTS[older]), digest(ROOTS[newer]));
        assert_eq!(verify_consistency(older as u64, &old, newer as u64, &new, &proof), Ok(()));
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_proved_and_no_other_place_is() {
    for size in 1..=33_u64 {
        let leaves = leaves(usize::try_from(size).unwrap());
        let root = naive_root(&leaves);
        for (index, leaf) in (0..).zip(&leaves) {
            let path = inclusion_proof(index, &leaves).unwrap();
            for claimed in 0..size {
                let verdict = verify_inclusion(leaf, claimed, size, &path, &root);
                assert_eq!(verdict.is_ok(), claimed == index, "leaf {index} of {size} as {claimed}");
            }
        }
    }
}

#[test]
fn every_small_tree_is_a_prefix_of_the_larger_ones_and_of_no_other() {
    for newer in 0..=33_u64 {
        let leaves = leaves(usize::try_from(newer).unwrap());
        let new_root = naive_root(&leaves);
        for older in 0..=newer {
            let old_leaves = &leaves[..usize::try_from(older).unwrap()];
            let proof = consistency_proof(older, &leaves).unwrap();
            assert_eq!(
                verify_consistency(older, &naive_root(old_leaves), newer, &new_root, &proof),
                Ok(()),
                "{older} of {newer}"
            );
            let other = leaf_hash(b"another history");
            assert_eq!(
                verify_consistency(older, &other, newer, &new_root, &proof),
                Err(ProofError::Root),
                "{older} of {newer}"
            );
            if older > 0 {
                let verdict = verify_consistency(older, &naive_root(old_leaves), newer, &other, &proof);
                assert_eq!(verdict, Err(ProofError::Root), "{older} of another {newer}");
            }
            let mut longer = proof.clone();
            longer.push(other);
            assert!(verify_consistency(older, &naive_root(old_leaves), newer, &new_root, &longer).is_err());
        }
    }
}

#[test]
fn what_lies_outside_the_tree_has_no_proof() {
    let leaves = leaves(5);
    let root = naive_root(&leaves);
    let outside = ProofError::OutOfRange { position: 5, size: 5 };
    assert_eq!(inclusion_proof(5, &leaves), Err(outside));
    assert_eq!(verify_inclusion(&leaves[4], 5, 5, &[], &root), Err(outside));
    let log: Leaves = leaves.iter().copied().collect();
    let too_large = ProofError::OutOfRange { position: 6, size: 5 };
    assert_eq!(log.root(6), Err(too_large));
    assert_eq!(log.inclusion_proof(0, 6), Err(too_large));
    assert_eq!(log.consistency_proof(0, 6), Err(too_large));
    assert_eq!(Leaves::new().root(0), Ok(naive_root(&[])));
    let beyond = ProofError::OutOfRange { position: 6, size: 5 };
    assert_eq!(consistency_proof(6, &leaves), Err(beyond));
    assert_eq!(verify_consistency(6, &root, 5, &root, &[]), Err(beyond));
}

#[test]
fn absurd_sizes_are_refused_without_harm() {
    let hash = leaf_hash(b"");
    assert_eq!(verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &[], &hash), Err(ProofError::Length));
    let long = vec![hash; 100];
    assert!(verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &long, &hash).is_err());
    assert!(verify_consistency(u64::MAX - 1, &hash, u64::MAX, &hash, &long).is_err());
    assert!(verify_consistency(1 << 63, &hash, u64::MAX, &hash, &long).is_err());
}

proptest! {
    #[test]
    fn tree_and_proofs_follow_the_definition(size in 1_usize..600, at in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let index = at.index(size);
        prop_assert_eq!(root(&leaves), naive_root(&leaves));
        prop_assert_eq!(grown(&leaves).root(size as u64), Ok(naive_root(&leaves)));
        prop_assert_eq!(inclusion_proof(index as u64, &leaves), Ok(naive_path(index, &leaves)));
        let older = index + 1;
        prop_assert_eq!(consistency_proof(older as u64, &leaves), Ok(naive_subproof(older, &leaves, true)));
    }

    #[test]
    fn a_proof_with_one_bit_changed_convinces_nobody(
        size in 2_usize..600, at in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let leaves = leaves(size);
        let index = at.index(size);
        let root = naive_root(&leaves);
        let mut path = inclusion_proof(index as u64, &leaves).unwrap();
        let place = which.index(path.len());
        path[place] = flip(path[place], bit);
        let verdict = verify_inclusion(&leaves[index], index as u64, size as u64, &path, &root);
        prop_assert_eq!(verdict, Err(ProofError::Root));

        let older = index + 1;
        let mut proof = consistency_proof(older as u64, &leaves).unwrap();
        if !proof.is_empty() {
            let place = which.index(proof.len());
            proof[place] = flip(proof[place], bit);
            let old_root = naive_root(&leaves[..older]);
            let verdict = verify_consistency(older as u64, &old_root, size as u64, &root, &proof);
            prop_assert_eq!(verdict, Err(ProofError::Root));
        }
    }
}

fn flip(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}
