//! What a participant believes of a log that it is shown.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::common::log_of;
use ed25519_dalek::SigningKey;
use syndic_ledger::shown::{ShownEntry, ShownError};
use syndic_ledger::{Checkpoint, Hash, Leaves, VerifierKey, leaf_hash};

const ORIGIN: &str = "coordinator.example/federation";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn verifier() -> VerifierKey {
    VerifierKey::new(ORIGIN, key().verifying_key()).unwrap()
}

fn checkpoint(leaves: &Leaves, size: u64) -> Checkpoint {
    Checkpoint::new(ORIGIN, size, leaves.root(size).unwrap()).unwrap()
}

/// Entry `index` of `entries` in the log of `size`, to somebody who knows the log of `older`.
fn shown(entries: &[Vec<u8>], older: u64, index: u64, size: u64) -> ShownEntry {
    let leaves: Leaves = entries.iter().map(|bytes| leaf_hash(bytes)).collect();
    ShownEntry {
        checkpoint: checkpoint(&leaves, size).sign(&key()).unwrap(),
        older,
        older_root: leaves.root(older).unwrap(),
        consistency: leaves.consistency_proof(older, size).unwrap(),
        index,
        entry: entries[usize::try_from(index).unwrap()].clone(),
        inclusion: leaves.inclusion_proof(index, size).unwrap(),
    }
}

#[test]
fn an_entry_of_a_log_that_only_grew_is_believed() {
    let entries = log_of(40).entries;
    let leaves: Leaves = entries.iter().map(|bytes| leaf_hash(bytes)).collect();
    for (older, index, size) in [(0, 0, 1), (1, 0, 1), (7, 3, 7), (7, 20, 31), (31, 5, 40), (40, 39, 40)] {
        let kept = checkpoint(&leaves, older);
        let (now, entry) = shown(&entries, older, index, size).verify(&verifier(), Some(&kept)).unwrap();
        assert_eq!(now, checkpoint(&leaves, size));
        assert_eq!(entry.to_canonical().unwrap(), entries[usize::try_from(index).unwrap()]);
    }
    assert!(
        shown(&entries, 0, 3, 9).verify(&verifier(), None).is_ok(),
        "who kept nothing believes the first"
    );
}

#[test]
fn another_past_a_shorter_log_and_a_proof_from_elsewhere_are_refused() {
    let entries = log_of(40).entries;
    let leaves: Leaves = entries.iter().map(|bytes| leaf_hash(bytes)).collect();
    let verify = |entry: &ShownEntry, kept: &Checkpoint| entry.verify(&verifier(), Some(kept)).unwrap_err();

    let mut rewritten = entries.clone();
    rewritten[2] = entries[3].clone();
    let forked = verify(&shown(&rewritten, 20, 25, 40), &checkpoint(&leaves, 20));
    assert!(matches!(forked, ShownError::Forked(_)), "{forked}");
    let forked = verify(&shown(&rewritten, 40, 25, 40), &checkpoint(&leaves, 40));
    assert!(matches!(forked, ShownError::Forked(_)), "the same size: {forked}");

    let shrunk = verify(&shown(&entries, 20, 3, 20), &checkpoint(&leaves, 21));
    assert_eq!(shrunk, ShownError::Shrunk { kept: 21, shown: 20 });
    let elsewhere = verify(&shown(&entries, 19, 25, 40), &checkpoint(&leaves, 20));
    assert_eq!(elsewhere, ShownError::Base { kept: 20, shown: 19 });
}

#[test]
fn an_entry_that_is_not_in_the_log_is_refused() {
    let entries = log_of(40).entries;
    let good = shown(&entries, 0, 25, 40);
    let refused = |entry: ShownEntry| entry.verify(&verifier(), None).unwrap_err().code();
    assert_eq!(refused(ShownEntry { entry: entries[24].clone(), ..good.clone() }), "ledger.not-included");
    assert_eq!(refused(ShownEntry { index: 24, ..good.clone() }), "ledger.not-included");
    assert_eq!(refused(ShownEntry { index: 40, ..good.clone() }), "ledger.not-included");
    let mut inclusion = good.inclusion.clone();
    inclusion[0] = Hash::of(&[b"another"]);
    assert_eq!(refused(ShownEntry { inclusion, ..good.clone() }), "ledger.not-included");
    let other = Checkpoint::new(ORIGIN, 40, Hash::of(&[b"another"])).unwrap();
    let other = other.sign(&SigningKey::from_bytes(&[8; 32])).unwrap();
    assert!(refused(ShownEntry { checkpoint: other, ..good }).starts_with("ledger."));
}
