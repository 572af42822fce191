//! Two signed heads of one log: they convict it exactly where neither continues the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use ed25519_dalek::SigningKey;
use syndic_ledger::{Checkpoint, Fork, ForkError, Hash, Leaves, Past, VerifierKey, leaf_hash};

const LOG: &str = "coordinator.example/federation";
const LONGEST: u64 = 11;

fn signing() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn key() -> VerifierKey {
    VerifierKey::new(LOG, signing().verifying_key()).unwrap()
}

/// A log that tells another history from the entry at `fork` on.
fn log(fork: u64) -> Leaves {
    let mut leaves = Leaves::new();
    for index in 0..LONGEST {
        leaves.append(leaf_hash(format!("{index} {}", index >= fork).as_bytes()));
    }
    leaves
}

fn head_of(leaves: &Leaves, size: u64) -> Checkpoint {
    Checkpoint::new(LOG, size, leaves.root(size).unwrap()).unwrap()
}

fn head(of: &Leaves, size: u64) -> String {
    head_of(of, size).sign(&signing()).unwrap()
}

#[test]
fn two_histories_convict_at_all_sizes_behind_their_fork_and_at_none_before() {
    let one = log(LONGEST);
    for fork in [0, 1, 5, 8] {
        let other = log(fork);
        for (older, newer) in (1..=LONGEST).flat_map(|newer| (1..=newer).map(move |older| (older, newer))) {
            let pair = Fork::of(&head(&one, older), &head(&other, newer), &key()).unwrap();
            if older < newer {
                let turned = Fork::of(&head(&other, newer), &head(&one, older), &key()).unwrap();
                assert_eq!(turned, pair, "the older comes first");
            }
            let verdict = pair.with_leaves(&other, &key()).unwrap().verify(&key());
            if older <= fork {
                assert_eq!(verdict, Err(ForkError::Consistent), "{older} of {newer}, forked at {fork}");
            } else {
                let convicted = verdict.unwrap();
                assert_eq!((convicted.older.size(), convicted.newer.size()), (older, newer));
                assert_eq!(convicted.root, other.root(older).unwrap());
            }
        }
    }
}

#[test]
fn the_proof_that_fails_convicts_by_itself_but_where_a_power_of_two_is_not_owned_up_to() {
    let (one, other) = (log(LONGEST), log(3));
    for older in 4..LONGEST {
        let consistency = other.consistency_proof(older, LONGEST).unwrap();
        let was = other.root(older).unwrap();
        let pair = Fork::of(&head(&one, older), &head(&other, LONGEST), &key()).unwrap();
        let verdict = |said, consistency: &[Hash]| {
            pair.clone().with_failed_proof(said, consistency, &key()).unwrap().verify(&key())
        };
        // A log that says what it was is convicted by its word, one that says something else by the proof.
        assert_eq!(verdict(was, &consistency).unwrap().root, was);
        for false_root in [*head_of(&one, older).root(), Hash::of(&[b"none"])] {
            let verdict = verdict(false_root, &consistency);
            if older.is_power_of_two() {
                assert_eq!(verdict, Err(ForkError::Undecided { older, newer: LONGEST }));
            } else {
                assert_eq!(verdict.unwrap().root, was);
            }
        }
        // A proof that leads nowhere shows nothing.
        let elsewhere = one.consistency_proof(older, LONGEST).unwrap();
        assert_eq!(verdict(was, &elsewhere), Err(ForkError::Undecided { older, newer: LONGEST }));
    }
}

#[test]
fn nobody_is_convicted_by_what_is_not_shown_or_not_signed() {
    let (one, other) = (log(LONGEST), log(3));
    let pair = Fork::of(&head(&one, 5), &head(&other, 9), &key()).unwrap();
    assert_eq!(pair.verify(&key()), Err(ForkError::Undecided { older: 5, newer: 9 }));
    // The leaves of the older one's log are of no use, nor is a past that its own finder made up.
    assert_eq!(pair.clone().with_leaves(&one, &key()).unwrap().past, None);
    let past =
        Some(Past { root: other.root(4).unwrap(), consistency: other.consistency_proof(5, 9).unwrap() });
    assert!(matches!(Fork { past, ..pair.clone() }.verify(&key()), Err(ForkError::Unproven(_))));

    let stranger = SigningKey::from_bytes(&[2; 32]);
    let forged = Checkpoint::new(LOG, 9, other.root(9).unwrap()).unwrap().sign(&stranger).unwrap();
    assert!(matches!(Fork::of(&head(&one, 9), &forged, &key()), Err(ForkError::Checkpoint(_))));
    let made_up = Fork { older: head(&one, 9), newer: forged, past: None };
    assert!(matches!(made_up.verify(&key()), Err(ForkError::Checkpoint(_))));
}

#[test]
fn evidence_is_a_file_that_convicts_whoever_reads_it() {
    let (one, other) = (log(LONGEST), log(3));
    for newer in [9, 5] {
        let pair = Fork::of(&head(&one, 5), &head(&other, newer), &key()).unwrap();
        for fork in [pair.clone(), pair.with_leaves(&other, &key()).unwrap()] {
            let (read, named) = Fork::from_json(&fork.to_json(&key())).unwrap();
            assert_eq!((&read, &named), (&fork, &key()));
            assert_eq!(read.verify(&key()), fork.verify(&key()));
        }
    }
    let text = Fork::of(&head(&one, 5), &head(&other, 9), &key()).unwrap().to_json(&key());
    for other in ["{}", "", &text.replace("syndic-fork/1", "syndic-fork/2"), &text.replace("null", "{}")] {
        assert_eq!(Fork::from_json(other), Err(ForkError::Malformed), "{other}");
    }
}
