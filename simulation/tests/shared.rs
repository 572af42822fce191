//! Rounds whose vectors are small and shared themselves, under faults and with liars among those who reveal.

use syndic_round::message::Kind;
use syndic_round::{ParameterSet, RoundId};
use syndic_simulation::{
    CoordinatorCrash, Dishonest, Engine, Misbehaviour, Moment, Network, Operation, ParticipantCrash, Report,
    Scenario, Shared, run,
};

const KINDS: [Kind; 6] =
    [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal];

/// With shares that are not sealed, which is all that the engines differ by here.
fn calm(seed: u64, participants: u16) -> Scenario {
    Scenario { shared: Shared::Everything, engine: Engine::Plain, ..Scenario::calm(seed, participants) }
}

fn sound(scenario: &Scenario) -> Report {
    let report = run(scenario);
    assert!(report.violation.is_none(), "{scenario}\n{report}");
    assert_eq!(report.questions().len(), scenario.rounds as usize, "every round ends\n{report}");
    report
}

fn crash(participant: u16, kind: Kind, moment: Moment, back_after: Option<u64>) -> ParticipantCrash {
    ParticipantCrash { participant, round: 1, kind, moment, back_after }
}

fn liar(participant: u16, without: u16) -> Dishonest {
    Dishonest { participant, how: Misbehaviour::ShiftedReveal { without } }
}

/// The sum without lies, and the one with them.
fn sums(scenario: &Scenario) -> (Vec<i64>, Report) {
    let right = sound(&Scenario { dishonest: Vec::new(), ..scenario.clone() });
    (right.rounds[0].sum.clone(), sound(scenario))
}

#[test]
fn the_sums_are_those_of_encrypted_rounds_under_every_parameter_set_and_engine() {
    for parameter_set in ParameterSet::ALL {
        for participants in [3, 5, 9] {
            for engine in [Engine::Encrypted, Engine::Plain] {
                let shared = Scenario { parameter_set, engine, ..calm(1, participants) };
                let report = sound(&shared);
                assert!(report.rounds[0].shared, "{report}");
                assert_eq!(
                    report.rounds[0].checked,
                    participants > 3,
                    "three are all that it takes\n{report}"
                );
                let encrypted = sound(&Scenario { shared: Shared::Nothing, ..shared });
                assert_eq!(report.rounds[0].sum, encrypted.rounds[0].sum);
            }
        }
    }
}

#[test]
fn the_round_completes_without_the_one_that_vanishes_in_any_phase() {
    for kind in KINDS {
        for moment in [Moment::Before, Moment::After] {
            let participants_crash = vec![crash(2, kind, moment, None)];
            let report = sound(&Scenario { participants_crash, ..calm(2, 5) });
            let end = &report.rounds[0];
            assert_eq!(end.abandoned, None, "{kind:?} {moment:?}\n{report}");
            assert_eq!(end.survivors.contains(&2), kind > Kind::Header, "{kind:?} {moment:?}\n{report}");
            assert!(!end.checked, "four reveals are exactly t\n{report}");
        }
    }
}

#[test]
fn one_that_restarts_after_its_header_was_written_down_is_in_the_sum() {
    let participants_crash = vec![crash(3, Kind::Header, Moment::After, Some(100))];
    let report = sound(&Scenario { participants_crash, ..calm(4, 5) });
    // Nothing travels behind the header; what it held of the others is gone, and it helps to open nothing.
    assert_eq!(report.rounds[0].survivors, [1, 2, 3, 4, 5], "{report}");
    assert!(!report.rounds[0].checked, "{report}");
}

#[test]
fn a38_one_liar_among_exactly_t_shifts_a_sum_and_the_result_is_unchecked() {
    let of_three = Scenario { dishonest: vec![liar(2, 0)], ..calm(5, 3) };
    let one_vanishes = Scenario {
        dishonest: vec![liar(2, 5)],
        participants_crash: vec![crash(5, Kind::Reveal, Moment::Before, None)],
        ..calm(5, 5)
    };
    for scenario in [of_three, one_vanishes] {
        let (mut right, report) = sums(&scenario);
        *right.last_mut().unwrap() += 1;
        assert_eq!(report.rounds[0].sum, right, "{report}");
        assert!(!report.rounds[0].checked && report.rounds[0].wrong_reveals.is_empty(), "{report}");
    }
}

#[test]
fn a38_who_deals_bad_shares_too_leaves_a_sum_unchecked_alone_and_what_it_shifts_is_said_to_be() {
    // Bad shares to min(c, n - t) others evict nobody, and those cannot reveal for a set with their dealer: t are left.
    for (participants, holders) in [(5, 1), (7, 2), (10, 3)] {
        let bad_shares = Dishonest { participant: 2, how: Misbehaviour::BadShares { holders } };
        let report = sound(&Scenario { dishonest: vec![bad_shares], ..calm(5, participants) });
        assert!(!report.rounds[0].checked, "with {participants}\n{report}");
    }
    let bad_share = Dishonest { participant: 2, how: Misbehaviour::BadShares { holders: 1 } };
    let (right, report) = sums(&Scenario { dishonest: vec![bad_share, liar(2, 1)], ..calm(5, 5) });
    let end = &report.rounds[0];
    assert_ne!(end.sum, right, "it is shifted\n{report}");
    assert!(!end.checked, "{report}");
}

#[test]
fn a38_with_one_reveal_more_nothing_is_published_and_with_two_the_liar_is_named() {
    let (_, report) = sums(&Scenario { dishonest: vec![liar(2, 5)], ..calm(6, 5) });
    assert!(report.rounds[0].abandoned.is_some(), "all five contradict each other\n{report}");
    let (right, report) = sums(&Scenario { dishonest: vec![liar(2, 7)], ..calm(6, 7) });
    assert_eq!(report.rounds[0].sum, right, "{report}");
    let accepted = |operation: &Operation| matches!(operation, Operation::Heard { from, kind: Kind::Reveal, outcome: "accepted", .. } if from.get() == 2);
    let named = if report.count(accepted) > 0 { vec![2] } else { vec![] };
    assert_eq!(report.rounds[0].wrong_reveals, named, "{report}");
    assert!(report.rounds[0].checked, "{report}");
}

#[test]
fn a19_a_header_about_another_sharing_is_refused_and_the_others_sum_is_exact() {
    let dishonest = vec![Dishonest { participant: 4, how: Misbehaviour::KeyMismatch }];
    let report = sound(&Scenario { dishonest, ..calm(7, 7) });
    assert_eq!(report.rounds[0].survivors, [1, 2, 3, 5, 6, 7], "{report}");
}

#[test]
fn a_coordinator_may_crash_before_or_after_any_append() {
    let entries = sound(&calm(8, 3)).ledger_size;
    for index in 0..entries {
        for moment in [Moment::Before, Moment::After] {
            let coordinator_crashes = CoordinatorCrash::Once(index, moment);
            let report = sound(&Scenario { coordinator_crashes, ..calm(8, 3) });
            assert_eq!(report.rounds[0].survivors, [1, 2, 3], "entry {index} {moment:?}\n{report}");
        }
    }
    let coordinator_crashes = CoordinatorCrash::AfterEveryAppend;
    let report = sound(&Scenario { coordinator_crashes, rounds: 2, ..calm(8, 4) });
    assert!(report.rounds.iter().all(|end| end.survivors == [1, 2, 3, 4]), "{report}");
}

#[test]
fn lost_late_and_doubled_messages_cost_nobody_its_place() {
    let network = Network { lost: 100, duplicated: 500, delay: 100 };
    let report = sound(&Scenario { network, rounds: 3, ..calm(9, 5) });
    assert!(report.rounds.iter().all(|end| end.survivors == [1, 2, 3, 4, 5]), "{report}");
}

#[test]
fn a_job_with_vectors_of_both_lengths_has_its_keys_made_ahead_for_none_that_is_shared() {
    let scenario = Scenario { shared: Shared::EveryOther, rounds: 4, ahead: true, ..calm(10, 5) };
    let report = sound(&scenario);
    assert_eq!(report.rounds.iter().map(|end| end.shared).collect::<Vec<_>>(), [true, false, true, false]);
    let ahead = |operation: &Operation| matches!(operation, Operation::Opened { prepared: true, .. });
    assert_eq!(report.count(ahead), 0, "what was made in a long round is of no use for the next\n{report}");
    let begun = |operation: &Operation| matches!(operation, Operation::Prepares(_));
    assert_eq!(report.count(begun), 1, "none while a vector is shared\n{report}");
}

#[test]
fn a_round_of_shared_vectors_that_too_many_left_is_tried_again_with_other_shares() {
    let participants_crash = [2, 4].map(|who| crash(who, Kind::Dealing, Moment::After, Some(1_000))).to_vec();
    let report = sound(&Scenario { participants_crash, ..calm(11, 5) });
    assert!(report.rounds[0].abandoned.is_some(), "{report}");
    assert_eq!(report.rounds[1].round, RoundId { round: 1, attempt: 2 }, "{report}");
    assert_eq!(report.rounds[1].survivors, [1, 2, 3, 4, 5], "{report}");
    let text = report.to_string();
    assert!(text.contains("coordinator opens round 1.2, whose vectors are shared themselves"), "{text}");
}
