//! Whether what is told in the largest cohort can be received.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use prost::Message as _;
use syndic_proto::convert::{Duty, Owed, PlaceRef};
use syndic_proto::{LARGEST_DUTY, v1};
use syndic_round::message::{Dealing, Payload, PublicPart};
use syndic_round::participant::Received;
use syndic_round::{Digest, JobId, ParticipantId, Place, Signed};

/// t of 256 institutions.
const THRESHOLD: usize = 171;
/// A share of the longest key, sealed: 512 elements, two blinding ones and a salt, behind an X-Wing ciphertext and a tag.
const SEALED: usize = 1_120 + 8 * 514 + 32 + 16;

#[test]
fn the_shares_of_the_largest_cohort_fit_into_one_message() {
    let ids: Vec<_> = (1..=256).map(|number| ParticipantId::new(number).unwrap()).collect();
    let received = ids.iter().map(|&id| {
        let public = PublicPart {
            commitments: vec![Digest([1; 32]); ids.len()],
            checks: [vec![1; THRESHOLD], vec![1; THRESHOLD]],
        };
        let dealing = Dealing { id, shares: ids.iter().map(|&to| (to, Digest([2; 32]))).collect(), public };
        let public = Signed { from: id, payload: dealing.encode(), signature: [3; 64] };
        Received { public, sealed: vec![4; SEALED] }
    });
    let at = PlaceRef { job: JobId::new("largest").unwrap(), place: Place::Ahead(1) };
    let owed = Owed::Acknowledge(received.collect());
    let duty = Duty { voided: Vec::new(), ledger: None, at, plan: Default::default(), owed };
    let bytes = v1::Duty::from(duty).encoded_len();
    assert!(bytes <= LARGEST_DUTY, "{bytes} bytes");
}
