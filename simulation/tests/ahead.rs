//! Preparations made ahead while a round collects updates, and the rounds that consume them, under faults.

use syndic_round::message::Kind;
use syndic_round::{Place, RoundId};
use syndic_simulation::{
    CoordinatorCrash, Moment, Network, Operation, ParticipantCrash, Partition, Report, Scenario, run,
};

const KEYS: [Kind; 3] = [Kind::Advertise, Kind::Dealing, Kind::Ack];

/// Questions in a row, with preparations made ahead.
fn ahead(seed: u64, participants: u16, rounds: u32) -> Scenario {
    Scenario { rounds, ahead: true, ..Scenario::calm(seed, participants) }
}

fn sound(scenario: &Scenario) -> Report {
    let report = run(scenario);
    assert!(report.violation.is_none(), "{scenario}\n{report}");
    assert_eq!(report.questions().len(), scenario.rounds as usize, "every round ends\n{report}");
    report
}

/// The rounds that consumed a preparation made ahead.
fn prepared(report: &Report) -> Vec<RoundId> {
    let opened = report.operations.iter().filter_map(|(_, operation)| match operation {
        Operation::Opened { round, prepared: true, .. } => Some(*round),
        _ => None,
    });
    opened.collect()
}

fn crash(participant: u16, round: u32, kind: Kind, back_after: Option<u64>) -> [ParticipantCrash; 2] {
    [Moment::Before, Moment::After].map(|moment| ParticipantCrash {
        participant,
        round,
        kind,
        moment,
        back_after,
    })
}

fn round(round: u32) -> RoundId {
    RoundId { round, attempt: 1 }
}

#[test]
fn every_round_but_the_first_consumes_a_preparation_made_ahead() {
    let report = sound(&ahead(41, 5, 3));
    assert_eq!(prepared(&report), [round(2), round(3)], "{report}");
    assert!(report.rounds.iter().all(|end| end.survivors == [1, 2, 3, 4, 5]), "{report}");
    let begun = |operation: &Operation| matches!(operation, Operation::Prepares(_));
    assert_eq!(report.count(begun), 2, "none is made that no question follows\n{report}");
    let in_a_round = |operation: &Operation| matches!(operation, Operation::Sent { kind, place: Place::Round(id), .. } if id.round > 1 && *kind <= Kind::Ack);
    assert_eq!(report.count(in_a_round), 0, "no key is made in the round itself\n{report}");
}

#[test]
fn with_a_preparation_made_ahead_the_sums_are_those_without() {
    let sums =
        |scenario: &Scenario| sound(scenario).rounds.into_iter().map(|end| end.sum).collect::<Vec<_>>();
    let with = ahead(42, 4, 2);
    assert_eq!(sums(&with), sums(&Scenario { ahead: false, ..with.clone() }));
}

#[test]
fn who_vanishes_while_a_preparation_is_made_is_not_in_its_round() {
    for kind in KEYS {
        for crash in crash(2, 2, kind, None) {
            let report = sound(&Scenario { participants_crash: vec![crash], ..ahead(43, 5, 2) });
            assert_eq!(report.rounds[0].survivors, [1, 2, 3, 4, 5], "{kind:?}\n{report}");
            assert_eq!(report.rounds[1].survivors, [1, 3, 4, 5], "{kind:?}\n{report}");
            assert_eq!(prepared(&report), [round(2)], "{kind:?}\n{report}");
        }
    }
}

#[test]
fn a_round_makes_its_own_preparation_for_one_that_has_lost_its_keys_and_is_back() {
    // After its acknowledgement nothing tells the coordinator but its word when it comes.
    let [_, crash] = crash(2, 2, Kind::Ack, Some(30));
    let report = sound(&Scenario { participants_crash: vec![crash], ..ahead(44, 5, 2) });
    assert_eq!(prepared(&report), [], "{report}");
    assert_eq!(report.rounds[1].survivors, [1, 2, 3, 4, 5], "{report}");
}

#[test]
fn one_that_loses_its_keys_as_it_takes_the_round_up_declines_and_is_done_without() {
    for crash in crash(3, 2, Kind::Header, Some(50)) {
        let report = sound(&Scenario { participants_crash: vec![crash], ..ahead(45, 5, 2) });
        assert_eq!(prepared(&report), [round(2)], "{report}");
        assert_eq!(report.rounds[1].survivors, [1, 2, 4, 5], "{report}");
        let declined = |operation: &Operation| matches!(operation, Operation::Declined { participant, code: "participant.restarted", .. } if participant.get() == 3);
        assert!(report.count(declined) > 0, "{report}");
    }
}

#[test]
fn too_few_for_a_preparation_made_ahead_cost_no_round() {
    // Two of five are cut off while it is made, and back when its round would open.
    let calm = sound(&ahead(46, 5, 2));
    let begun = calm.operations.iter().find(|(_, operation)| matches!(operation, Operation::Prepares(_)));
    let partitions = vec![Partition { participants: vec![4, 5], from: begun.unwrap().0, lasts: 1_700 }];
    let report = sound(&Scenario { partitions, ..ahead(46, 5, 2) });
    assert_eq!(report.rounds.last().unwrap().survivors, [1, 2, 3, 4, 5], "{report}");
}

#[test]
fn a_coordinator_may_crash_before_or_after_any_append_of_a_preparation() {
    let entries = sound(&ahead(47, 3, 2)).ledger_size;
    for index in 0..entries {
        for moment in [Moment::Before, Moment::After] {
            let coordinator_crashes = CoordinatorCrash::Once(index, moment);
            let report = sound(&Scenario { coordinator_crashes, ..ahead(47, 3, 2) });
            assert!(
                report.rounds.iter().all(|end| end.survivors == [1, 2, 3]),
                "{index} {moment:?}\n{report}"
            );
        }
    }
    let coordinator_crashes = CoordinatorCrash::AfterEveryAppend;
    let report = sound(&Scenario { coordinator_crashes, ..ahead(47, 4, 3) });
    assert!(report.rounds.iter().all(|end| end.survivors == [1, 2, 3, 4]), "{report}");
    assert!(!prepared(&report).is_empty(), "{report}");
}

#[test]
fn lost_late_and_doubled_messages_of_a_preparation_cost_nobody_its_place() {
    let network = Network { lost: 100, duplicated: 500, delay: 100 };
    let report = sound(&Scenario { network, ..ahead(48, 5, 3) });
    assert!(report.rounds.iter().all(|end| end.survivors == [1, 2, 3, 4, 5]), "{report}");
    assert_eq!(prepared(&report), [round(2), round(3)], "{report}");
    let stale = |operation: &Operation| matches!(operation, Operation::Heard { place: Place::Ahead(_), outcome, .. } if outcome.starts_with("round."));
    assert!(report.count(stale) > 0, "some came when it was consumed\n{report}");
}
