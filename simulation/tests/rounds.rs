//! The whole encrypted round over the pure crates, under every fault that this crate knows.

use syndic_round::message::Kind;
use syndic_round::{ParameterSet, RoundId};
use syndic_simulation::{
    CoordinatorCrash, Moment, Network, Operation, ParticipantCrash, Partition, Report, Scenario, run,
};

const KINDS: [Kind; 6] =
    [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal];

fn sound(scenario: &Scenario) -> Report {
    let report = run(scenario);
    assert!(report.violation.is_none(), "{scenario:?}\n{report}");
    assert_eq!(report.questions().len(), scenario.rounds as usize, "every round ends\n{report}");
    report
}

fn crash(participant: u16, kind: Kind, moment: Moment, back_after: Option<u64>) -> ParticipantCrash {
    ParticipantCrash { participant, round: 1, kind, moment, back_after }
}

#[test]
fn a_calm_round_sums_everybody_under_every_parameter_set() {
    for parameter_set in ParameterSet::ALL {
        for participants in [3, 5, 9] {
            let report = sound(&Scenario { parameter_set, ..Scenario::calm(1, participants) });
            assert_eq!(report.rounds[0].survivors, (1..=participants).collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_round_completes_without_the_one_that_vanishes_in_any_phase() {
    for kind in KINDS {
        for moment in [Moment::Before, Moment::After] {
            let participants_crash = vec![crash(2, kind, moment, None)];
            let report = sound(&Scenario { participants_crash, ..Scenario::calm(2, 5) });
            let end = &report.rounds[0];
            assert_eq!(end.abandoned, None, "{kind:?} {moment:?}\n{report}");
            assert_eq!(end.survivors.contains(&2), kind > Kind::Header, "{kind:?} {moment:?}\n{report}");
        }
    }
}

#[test]
fn one_that_comes_back_takes_part_in_the_next_round() {
    for kind in KINDS {
        for moment in [Moment::Before, Moment::After] {
            let participants_crash = vec![crash(2, kind, moment, Some(100))];
            let scenario = Scenario { participants_crash, rounds: 2, ..Scenario::calm(3, 5) };
            let report = sound(&scenario);
            assert!(report.rounds.iter().all(|end| end.abandoned.is_none()), "{report}");
            assert_eq!(report.rounds[1].survivors, [1, 2, 3, 4, 5], "{kind:?} {moment:?}\n{report}");
        }
    }
}

#[test]
fn one_that_crashed_after_writing_about_the_survivor_set_says_the_same_again() {
    for kind in [Kind::Certify, Kind::Reveal] {
        let participants_crash =
            vec![crash(3, kind, Moment::After, Some(100)), crash(1, kind, Moment::Before, None)];
        let report = sound(&Scenario { participants_crash, ..Scenario::calm(4, 5) });
        // Without its word the round would stand still; its shares went with the crash, its reveal did not.
        assert_eq!(report.rounds[0].abandoned.is_none(), kind == Kind::Reveal, "{report}");
        let again = |operation: &Operation| matches!(operation, Operation::Sent { from, kind: k, again: true, .. } if from.get() == 3 && *k == kind);
        assert!(report.count(again) > 0, "{kind:?}\n{report}");
    }
}

#[test]
fn one_that_lost_its_keys_declines_as_the_agent_does() {
    for kind in [Kind::Dealing, Kind::Ack, Kind::Header] {
        let participants_crash = vec![crash(3, kind, Moment::After, Some(100))];
        let report = sound(&Scenario { participants_crash, ..Scenario::calm(4, 5) });
        assert_eq!(report.rounds[0].survivors, [1, 2, 4, 5], "{kind:?}\n{report}");
        let declined = |operation: &Operation| matches!(operation, Operation::Declined { participant, code: "participant.restarted", .. } if participant.get() == 3);
        assert!(report.count(declined) > 0, "{kind:?}\n{report}");
    }
}

#[test]
fn the_question_is_asked_again_when_too_many_vanish_before_revealing() {
    for kind in &KINDS[..5] {
        let back = Some(1_000);
        let participants_crash =
            vec![crash(2, *kind, Moment::Before, back), crash(4, *kind, Moment::Before, back)];
        let report = sound(&Scenario { participants_crash, ..Scenario::calm(5, 5) });
        assert!(report.rounds[0].abandoned.is_some(), "{kind:?}\n{report}");
        assert_eq!(report.rounds[1].round, RoundId { round: 1, attempt: 2 }, "{kind:?}\n{report}");
        assert_eq!(report.rounds[1].survivors, [1, 2, 3, 4, 5], "{kind:?}\n{report}");
    }
}

#[test]
fn a_question_that_may_have_been_opened_is_not_asked_again() {
    let participants_crash =
        vec![crash(2, Kind::Reveal, Moment::Before, None), crash(4, Kind::Reveal, Moment::Before, None)];
    let report = sound(&Scenario { participants_crash, ..Scenario::calm(5, 5) });
    assert_eq!(report.rounds.len(), 1, "{report}");
    assert!(report.rounds[0].abandoned.is_some(), "{report}");
}

#[test]
fn a_round_that_too_many_left_while_revealing_is_voided_and_asked_again() {
    // As many as leave too few restart, and lose their shares, before any other hears of the certificate.
    let calm = sound(&Scenario::calm(6, 5));
    let certified = |operation: &Operation| {
        matches!(operation, Operation::Heard { kind: Kind::Certify, outcome: "accepted", .. })
    };
    let revealing = calm.operations.iter().filter(|(_, operation)| certified(operation)).nth(3).unwrap().0;
    let others = Partition { participants: vec![3, 4, 5], from: revealing, lasts: 600 };
    let scenario = Scenario {
        participants_crash: [1, 2].map(|who| crash(who, Kind::Reveal, Moment::Before, Some(100))).into(),
        partitions: vec![others],
        ..Scenario::calm(6, 5)
    };
    let report = sound(&scenario);
    let voided = report.rounds[0].abandoned.as_deref().unwrap();
    assert!(voided.contains("gave the attempt up"), "{report}");
    assert_eq!(report.rounds[1].round, RoundId { round: 1, attempt: 2 }, "{report}");
    assert_eq!(report.rounds[1].survivors, [1, 2, 3, 4, 5], "{report}");
}

#[test]
fn those_that_were_about_to_reveal_and_restarted_void_and_reveal_in_the_next_attempt() {
    // All but one have written down that they open the question, and only a proven void lets them do it again.
    let participants_crash = (1..=4).map(|who| crash(who, Kind::Reveal, Moment::Before, Some(50))).collect();
    let report = sound(&Scenario { participants_crash, ..Scenario::calm(7, 5) });
    assert!(report.rounds[0].abandoned.is_some(), "{report}");
    assert_eq!(report.rounds[1].survivors, [1, 2, 3, 4, 5], "{report}");
}

#[test]
fn a_coordinator_that_crashes_after_every_append_finishes_all_the_same() {
    let scenario = Scenario {
        rounds: 2,
        coordinator_crashes: CoordinatorCrash::AfterEveryAppend,
        ..Scenario::calm(6, 4)
    };
    let report = sound(&scenario);
    assert!(report.rounds.iter().all(|end| end.survivors == [1, 2, 3, 4]), "{report}");
    let crashed = |operation: &Operation| matches!(operation, Operation::CoordinatorCrashed { .. });
    assert!(report.count(crashed) >= 2 * (4 + 4 + 4 + 4 + 3 + 3), "{report}");
}

#[test]
fn a_coordinator_may_crash_before_or_after_any_append() {
    let entries = sound(&Scenario::calm(7, 3)).ledger_size;
    for index in 0..entries {
        for moment in [Moment::Before, Moment::After] {
            let coordinator_crashes = CoordinatorCrash::Once(index, moment);
            let report = sound(&Scenario { coordinator_crashes, ..Scenario::calm(7, 3) });
            assert_eq!(report.rounds[0].survivors, [1, 2, 3], "entry {index} {moment:?}\n{report}");
            let crashed = |operation: &Operation| matches!(operation, Operation::CoordinatorCrashed { .. });
            assert_eq!(report.count(crashed), 1, "{report}");
        }
    }
}

#[test]
fn lost_late_and_doubled_messages_cost_nobody_its_place() {
    let network = Network { lost: 100, duplicated: 500, delay: 100 };
    let scenario = Scenario { network, rounds: 3, ..Scenario::calm(8, 5) };
    let report = sound(&scenario);
    assert!(report.rounds.iter().all(|end| end.survivors == [1, 2, 3, 4, 5]), "{report}");
    let lost = |operation: &Operation| matches!(operation, Operation::Sent { fate: "lost", .. });
    let stale = |operation: &Operation| matches!(operation, Operation::Heard { outcome, .. } if outcome.starts_with("round."));
    assert!(report.count(lost) > 0 && report.count(stale) > 0, "the faults took place\n{report}");
}

#[test]
fn messages_of_an_earlier_round_are_refused_in_the_next() {
    let network = Network { lost: 0, duplicated: 1_000, delay: 30 };
    let report = sound(&Scenario { network, rounds: 3, ..Scenario::calm(9, 4) });
    let opened =
        |operation: &Operation| matches!(operation, Operation::Opened { round, .. } if round.round == 2);
    let second = report.operations.iter().position(|(_, operation)| opened(operation)).unwrap();
    let stale: Vec<_> = report.operations[second..]
        .iter()
        .filter_map(|(_, operation)| match operation {
            Operation::Heard { place, outcome, .. } if place.round().round == 1 => Some(*outcome),
            _ => None,
        })
        .collect();
    assert!(!stale.is_empty(), "{report}");
    assert!(stale.iter().all(|outcome| outcome.starts_with("round.")), "{stale:?}");
}

#[test]
fn equal_scenarios_give_equal_reports() {
    let scenario = Scenario::sample(11);
    assert_eq!(run(&scenario), run(&scenario));
    assert_ne!(run(&scenario).ledger_root, run(&Scenario { seed: 12, ..scenario }).ledger_root);
}
