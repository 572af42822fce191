//! Plans: the one encoding, and every rule that makes a plan impossible.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{block, federation_of, id, plan};
use proptest::prelude::*;
use syndic_round::layout::LayoutError;
use syndic_round::{
    Block, Deadlines, Digest, JobId, Layout, ParameterSet, PlanError, Protection, RoundId, RoundPlan,
};

const S32: ParameterSet = ParameterSet::S32;

#[test]
fn a_plan_survives_its_own_bytes() {
    for n in [3, 5, 64, 256] {
        let plan = plan().cohort_of(n).build(&federation_of(n));
        assert_eq!(RoundPlan::from_bytes(&plan.to_bytes()), Ok(plan));
    }
}

/// The table of docs/concepts.md, "The three numbers": cohort, threshold, colluders beside a lying coordinator, drops.
#[test]
fn the_defaults_are_those_of_the_protocol() {
    let table =
        [(4, 3, 1, 1), (5, 4, 2, 1), (10, 7, 3, 3), (30, 21, 11, 9), (100, 67, 33, 33), (200, 134, 67, 66)];
    for (n, t, c, drops) in table.into_iter().chain([(3, 3, 1, 0)]) {
        let protection = Protection::default_for(S32, n).unwrap();
        assert_eq!((protection.threshold(), protection.colluding()), (t, c), "n = {n}");
        assert_eq!(n - protection.threshold(), drops);
        assert_eq!(protection.min_survivors(), t);
    }
}

#[test]
fn the_default_is_allowed_for_every_cohort_that_the_set_serves() {
    for set in ParameterSet::ALL {
        for n in 0..=u16::MAX {
            let serves = (3..=set.largest_cohort()).contains(&n);
            assert_eq!(Protection::default_for(set, n).is_ok(), serves, "{} with {n}", set.name());
        }
    }
}

#[test]
fn the_largest_number_of_colluders_is_allowed_and_one_more_is_not() {
    for n in 3..=256 {
        for t in (n / 2 + 1).max(2)..=n {
            let c = Protection::largest_colluding(n, t);
            assert!(Protection::new(S32, n, t, c, t).is_ok(), "n = {n}, t = {t}, c = {c}");
            assert!(Protection::new(S32, n, t, c + 1, t).is_err(), "n = {n}, t = {t}, c = {}", c + 1);
        }
    }
}

#[test]
fn three_may_lose_one_only_where_nobody_colludes() {
    assert!(Protection::new(S32, 3, 2, 0, 2).is_ok(), "asked for by name");
    assert_eq!(
        Protection::new(S32, 3, 2, 1, 2),
        Err(PlanError::Quorum { threshold: 2, admitted: 3, colluding: 1 })
    );
}

#[test]
fn every_rule_of_protection_has_its_error() {
    let cases = [
        ((S32, 2, 2, 0, 2), PlanError::Cohort { set: "KSA-S32", most: 256, admitted: 2 }),
        ((S32, 257, 172, 85, 172), PlanError::Cohort { set: "KSA-S32", most: 256, admitted: 257 }),
        ((ParameterSet::S24, 65, 44, 0, 44), PlanError::Cohort { set: "KSA-S24", most: 64, admitted: 65 }),
        ((S32, 5, 6, 0, 6), PlanError::Unreachable { threshold: 6, admitted: 5 }),
        ((S32, 5, u16::MAX, 0, 6), PlanError::Unreachable { threshold: u16::MAX, admitted: 5 }),
        ((S32, 6, 3, 0, 3), PlanError::Quorum { threshold: 3, admitted: 6, colluding: 0 }),
        ((S32, 5, 4, 3, 4), PlanError::Quorum { threshold: 4, admitted: 5, colluding: 3 }),
        ((S32, 5, 4, u16::MAX, 4), PlanError::Quorum { threshold: 4, admitted: 5, colluding: u16::MAX }),
        ((S32, 4, 4, 3, 4), PlanError::Anonymity { threshold: 4, colluding: 3 }),
        ((S32, 5, 4, 2, 3), PlanError::Survivors { threshold: 4, admitted: 5, min_survivors: 3 }),
        ((S32, 5, 4, 2, 6), PlanError::Survivors { threshold: 4, admitted: 5, min_survivors: 6 }),
    ];
    for ((set, n, t, c, u_min), expected) in cases {
        assert_eq!(Protection::new(set, n, t, c, u_min), Err(expected), "n = {n}, t = {t}, c = {c}");
    }
}

#[test]
fn complaints_that_evict_nobody_are_at_most_c_and_at_most_those_that_may_drop() {
    let tolerated = |n, t, c| Protection::new(S32, n, t, c, t).unwrap().tolerated_complaints();
    assert_eq!(tolerated(5, 4, 2), 1);
    assert_eq!(tolerated(10, 7, 1), 1);
    assert_eq!(tolerated(3, 3, 1), 0);
    assert_eq!(tolerated(30, 21, 11), 9);
}

#[test]
fn every_rule_of_a_plan_has_its_error() {
    type Change = fn(&mut RoundPlan);
    let cases: [(Change, PlanError); 12] = [
        (|plan| plan.terms.deadlines.advertise = 0, PlanError::Deadline),
        (|plan| plan.terms.deadlines.share = 0, PlanError::Deadline),
        (|plan| plan.terms.deadlines.collect = 0, PlanError::Deadline),
        (|plan| plan.terms.deadlines.certify = 0, PlanError::Deadline),
        (|plan| plan.terms.deadlines.reveal = 0, PlanError::Deadline),
        (|plan| plan.id.round = 0, PlanError::Number),
        (|plan| plan.id.attempt = 0, PlanError::Number),
        (|plan| plan.terms.number = 0, PlanError::Number),
        (|plan| plan.terms.admitted.swap(0, 1), PlanError::Admitted),
        (|plan| plan.terms.admitted[1] = id(1), PlanError::Admitted),
        (|plan| plan.terms.admitted.truncate(4), PlanError::Admitted),
        (|plan| plan.terms.admitted.push(id(6)), PlanError::Admitted),
    ];
    for (change, expected) in cases {
        let mut broken = plan().build(&federation_of(5));
        change(&mut broken);
        assert_eq!(broken.check(), Err(expected.clone()));
        // A plan's bytes list the admitted once, and n is their number.
        if broken.terms.admitted.len() == 5 {
            assert_eq!(RoundPlan::from_bytes(&broken.to_bytes()), Err(expected));
        }
    }
}

#[test]
fn every_plan_error_has_its_own_code() {
    let codes = [
        PlanError::Cohort { set: "", most: 0, admitted: 0 },
        PlanError::Unreachable { threshold: 0, admitted: 0 },
        PlanError::Quorum { threshold: 0, admitted: 0, colluding: 0 },
        PlanError::Anonymity { threshold: 0, colluding: 0 },
        PlanError::Survivors { threshold: 0, admitted: 0, min_survivors: 0 },
        PlanError::Admitted,
        PlanError::Roster,
        PlanError::Deadline,
        PlanError::Number,
        PlanError::Malformed,
    ]
    .map(|error| error.code());
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len());
    assert!(codes.iter().all(|code| code.starts_with("plan.")));
}

#[test]
fn another_version_or_a_truncated_or_longer_plan_is_malformed() {
    let bytes = plan().build(&federation_of(5)).to_bytes();
    for end in 0..bytes.len() {
        assert_eq!(RoundPlan::from_bytes(&bytes[..end]), Err(PlanError::Malformed), "{end} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(RoundPlan::from_bytes(&longer), Err(PlanError::Malformed));
    let mut other_version = bytes;
    other_version[8] = b'2';
    assert_eq!(RoundPlan::from_bytes(&other_version), Err(PlanError::Malformed));
}

#[test]
fn every_term_is_in_the_digest() {
    let plan = plan().build(&federation_of(5));
    type Change = fn(&mut RoundPlan);
    let changes: [Change; 13] = [
        |plan| plan.terms.federation.push('x'),
        |plan| plan.terms.roster = Digest::of(b"other"),
        |plan| plan.terms.job = JobId::new("other").unwrap(),
        |plan| plan.terms.agreement = Digest::of(b"other"),
        |plan| plan.id.round = 2,
        |plan| plan.id.attempt = 2,
        |plan| plan.terms.number = 2,
        |plan| plan.terms.protection = Protection::new(S32, 5, 4, 1, 4).unwrap(),
        |plan| plan.terms.protection = Protection::new(ParameterSet::S40, 5, 4, 2, 4).unwrap(),
        |plan| plan.terms.admitted[4] = id(6),
        |plan| plan.question = Digest::of(b"other"),
        |plan| plan.layout = Layout::new(vec![block(8, 100.0, 0.5)]).unwrap(),
        |plan| plan.terms.deadlines.reveal += 1,
    ];
    for change in changes {
        let mut changed = plan.clone();
        change(&mut changed);
        assert_ne!(changed.digest(), plan.digest());
    }
}

#[test]
fn ctx0_names_preparation_and_protection_but_not_the_question() {
    let plan = plan().build(&federation_of(5));
    let mut asked = plan.clone();
    asked.question = Digest::of(b"other");
    asked.id = RoundId { round: 7, attempt: 2 };
    assert_eq!(asked.context(), plan.context(), "keys may be prepared before the question is known");
    type Change = fn(&mut RoundPlan);
    let changes: [Change; 8] = [
        |plan| plan.terms.federation.push('x'),
        |plan| plan.terms.roster = Digest::of(b"other"),
        |plan| plan.terms.job = JobId::new("other").unwrap(),
        |plan| plan.terms.number = 2,
        |plan| plan.terms.protection = Protection::new(S32, 5, 4, 1, 4).unwrap(),
        |plan| plan.terms.protection = Protection::new(S32, 5, 5, 2, 5).unwrap(),
        |plan| plan.terms.protection = Protection::new(S32, 5, 4, 2, 5).unwrap(),
        |plan| plan.terms.protection = Protection::new(ParameterSet::S40, 5, 4, 2, 4).unwrap(),
    ];
    for change in changes {
        let mut changed = plan.clone();
        change(&mut changed);
        assert_ne!(changed.context(), plan.context());
    }
}

#[test]
fn a_question_is_the_same_in_whatever_round_and_words_it_is_asked() {
    let federation = federation_of(5);
    let fingerprint = plan().build(&federation).question_fingerprint("statistics");
    assert_eq!(plan().round(3, 2, 9).build(&federation).question_fingerprint("statistics"), fingerprint);
    assert_eq!(plan().asking(b"the same").build(&federation).question_fingerprint("statistics"), fingerprint);
    assert_ne!(plan().build(&federation).question_fingerprint("train/1"), fingerprint);
}

#[test]
fn a_layout_without_sense_cannot_be_constructed() {
    let named = |name: &str| Block { name: name.into(), ..block(1, 1.0, 1.0) };
    assert_eq!(Layout::new(vec![]), Err(LayoutError::Empty(String::new())));
    assert_eq!(Layout::new(vec![block(0, 1.0, 1.0)]), Err(LayoutError::Empty("values".into())));
    assert_eq!(
        Layout::new(vec![named("a"), named("b"), named("a")]),
        Err(LayoutError::Duplicate("a".into()))
    );
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Layout::new(vec![block(1, bad, 1.0)]), Err(LayoutError::Range("values".into())));
        assert_eq!(Layout::new(vec![block(1, 1.0, bad)]), Err(LayoutError::Range("values".into())));
    }
    let most = (1_u64 << 52) as f64;
    assert!(Layout::new(vec![block(1, most, 1.0)]).is_ok());
    assert_eq!(Layout::new(vec![block(1, 2.0 * most, 1.0)]), Err(LayoutError::Range("values".into())));
    let long = |name: &str| Block { name: name.into(), ..block(u32::MAX, 1.0, 1.0) };
    assert!(Layout::new(vec![long("a")]).is_ok());
    assert_eq!(Layout::new(vec![long("a"), named("b")]), Err(LayoutError::TooLong));
    let blocks = |count: u32| (0..count).map(|k| named(&k.to_string())).collect();
    assert!(Layout::new(blocks(1_024)).is_ok());
    assert_eq!(Layout::new(blocks(1_025)), Err(LayoutError::TooLong));
}

proptest! {
    #[test]
    fn every_constructible_protection_keeps_the_rules(n in 0..300_u16, t in 0..300_u16, c in 0..300_u16, u in 0..300_u16) {
        for set in ParameterSet::ALL {
            let rules = (3..=set.largest_cohort()).contains(&n)
                && t <= n
                && 2 * t > n + c
                && t >= c + 2
                && (t..=n).contains(&u);
            prop_assert_eq!(Protection::new(set, n, t, c, u).is_ok(), rules);
        }
    }

    #[test]
    fn plans_survive_their_own_bytes(
        round in 1..u32::MAX, attempt in 1..u32::MAX, preparation in 1..u64::MAX, millis in 1..u64::MAX,
        (len, bound, resolution) in (1..5_000_u32, 1e-3..1e6_f64, 1e-6..1e3_f64), n in 3..40_u16,
    ) {
        let mut plan = plan().cohort_of(n).round(round, attempt, preparation).build(&federation_of(n));
        plan.layout = Layout::new(vec![block(len, bound, resolution)]).unwrap();
        plan.terms.deadlines = Deadlines { collect: millis, ..plan.terms.deadlines };
        let bytes = plan.to_bytes();
        prop_assert_eq!(RoundPlan::from_bytes(&bytes), Ok(plan));
    }
}
