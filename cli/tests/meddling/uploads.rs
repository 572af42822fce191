//! A26 over the wire: an upload that is not the one that its header was signed over does not count.

use std::sync::Arc;

use syndic_proto::v1;
use syndic_round::ParticipantId;

use crate::between::Meddler;
use crate::scene::{Fares, Scene};

/// Alters what participant 2 uploads in round 1.
struct Altered(fn(&mut Vec<u8>));

impl Meddler for Altered {
    fn uploading(&self, from: ParticipantId, round: &v1::RoundRef, mut update: Vec<u8>) -> Vec<u8> {
        if from.get() == 2 && round.round == 1 {
            (self.0)(&mut update);
        }
        update
    }
}

fn is_refused(alter: fn(&mut Vec<u8>)) {
    let ran = Scene::set(5, 0, Arc::new(Altered(alter)), |_| Fares::Well).run();
    ran.completed();
    let survivors = ran.exact_sums();
    assert_eq!(survivors[&(1, 1)], [1, 3, 4, 5]);
    assert_eq!(survivors[&(2, 1)], [1, 2, 3, 4, 5]);
    assert_eq!(ran.declined(1, 1), [(2, "participant.refused".to_owned())], "its own agent is told");
}

#[test]
fn a26_a_ciphertext_with_an_altered_byte_does_not_count() {
    is_refused(|update| update[100] ^= 1);
}

#[test]
fn a26_a_ciphertext_that_is_cut_short_does_not_count() {
    is_refused(|update| update.truncate(update.len() - 1));
    is_refused(|update| update.truncate(1));
}

#[test]
fn a26_a_ciphertext_with_more_behind_it_does_not_count() {
    is_refused(|update| update.push(0));
    is_refused(|update| update.extend(vec![0; 8_192]));
}
