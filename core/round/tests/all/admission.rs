//! Whom a job's rounds admit by lot.

use std::collections::BTreeMap;

use syndic_round::{Admission, Digest, JobId, ParticipantId, question_fingerprint};

fn ids(numbers: impl IntoIterator<Item = u16>) -> Vec<ParticipantId> {
    numbers.into_iter().filter_map(ParticipantId::new).collect()
}

fn place(slot: &str) -> Digest {
    question_fingerprint(&JobId::new("credit-risk").expect("it keeps the rule"), slot)
}

#[test]
fn draws_are_those_of_an_independent_computation() {
    // Python's hashlib, by the rule of `Digest::of_parts`: the label and each part behind its length as eight bytes.
    let (of_ten, agreement) = (Admission::by_lot(ids(1..=10), 5), Digest::of(b"the job file"));
    for (slot, drawn) in
        [("statistics", DRAWS[0]), ("train/1", DRAWS[1]), ("train/2", DRAWS[2]), ("evaluate/2", DRAWS[3])]
    {
        assert_eq!(of_ten.of_question(agreement, place(slot)), ids(drawn), "{slot}");
    }
}

#[test]
fn without_a_lot_everybody_is_admitted_to_every_place() {
    let all = Admission::of_all(ids([2, 3, 7]));
    assert!(!all.is_by_lot());
    assert_eq!(all.of_question(Digest::of(b"a"), place("train/1")), ids([2, 3, 7]));
}

#[test]
fn everybody_is_drawn_about_as_often_and_every_pair_too() {
    let (of_ten, agreement, places) = (Admission::by_lot(ids(1..=10), 5), Digest::of(b"the job file"), 4_000);
    let (mut alone, mut pairs) = (BTreeMap::new(), BTreeMap::new());
    for number in 0..places {
        let drawn = of_ten.of_question(agreement, place(&format!("train/{number}")));
        assert!(drawn.len() == 5 && drawn.windows(2).all(|pair| pair[0] < pair[1]));
        for (position, one) in drawn.iter().enumerate() {
            *alone.entry(*one).or_insert(0) += 1;
            drawn[..position].iter().for_each(|other| *pairs.entry((*other, *one)).or_insert(0) += 1);
        }
    }
    // Of 4,000 a half and two ninths are expected; six standard deviations are 190 and 158.
    assert!(alone.len() == 10 && alone.values().all(|times: &i32| (times - 2_000).abs() < 190), "{alone:?}");
    assert!(pairs.len() == 45 && pairs.values().all(|times: &i32| (times - 889).abs() < 158), "{pairs:?}");
}

/// Of members 1 to 10.
const DRAWS: [[u16; 5]; 4] = [[1, 3, 4, 5, 7], [2, 3, 4, 7, 10], [1, 2, 5, 6, 9], [2, 6, 7, 9, 10]];
