//! Dishonest participants with an honest coordinator: honest sums stay exact or the round ends, and nobody honest is
//! blamed. Seven institutions: t = 5, c = 2, and two complaints are borne.

use syndic_round::message::Kind;
use syndic_simulation::{Dishonest, Engine, Misbehaviour, Operation, Report, Scenario, run};

const ALL: [u16; 7] = [1, 2, 3, 4, 5, 6, 7];

/// A round in which these cheat, under both engines.
fn rounds(dishonest: &[(u16, Misbehaviour)]) -> [Report; 2] {
    [Engine::Encrypted, Engine::Plain].map(|engine| {
        let dishonest =
            dishonest.iter().map(|(participant, how)| Dishonest { participant: *participant, how: *how });
        let scenario = Scenario { engine, dishonest: dishonest.collect(), ..Scenario::calm(21, 7) };
        let report = run(&scenario);
        assert!(report.violation.is_none(), "{scenario}\n{report}");
        assert_eq!(report.questions().len(), 1, "{report}");
        report
    })
}

#[test]
fn a16_a_dealer_of_inconsistent_shares_is_left_out_and_the_others_sum_is_exact() {
    for report in rounds(&[(3, Misbehaviour::BadShares { holders: 3 })]) {
        assert_eq!(report.rounds[0].survivors, [1, 2, 4, 5, 6, 7], "{report}");
    }
}

#[test]
fn a16_a_dealer_of_so_few_bad_shares_that_its_key_can_be_restored_may_stay() {
    for report in rounds(&[(3, Misbehaviour::BadShares { holders: 2 })]) {
        assert_eq!(report.rounds[0].survivors, ALL, "{report}");
        let refuses = |operation: &Operation| matches!(operation, Operation::Declined { code, .. } if *code != "round.not-eligible");
        assert_eq!(report.count(refuses), 0, "{report}");
    }
}

#[test]
fn a17_as_many_false_complaints_as_there_may_be_colluders_evict_nobody() {
    let complaint = Misbehaviour::FalseComplaint { of: 2 };
    for report in rounds(&[(6, complaint), (7, complaint)]) {
        assert!(report.rounds[0].survivors.contains(&2), "{report}");
    }
}

#[test]
fn a18_a_wrong_reveal_is_corrected_and_named() {
    for report in rounds(&[(2, Misbehaviour::WrongReveal)]) {
        assert_eq!(report.rounds[0].survivors, ALL, "{report}");
        let sent = |kind| move |operation: &Operation| matches!(operation, Operation::Heard { from, kind: k, outcome: "accepted", .. } if from.get() == 2 && *k == kind);
        let named = if report.count(sent(Kind::Reveal)) > 0 { vec![2] } else { vec![] };
        assert_eq!(report.rounds[0].wrong_reveals, named, "{report}");
    }
}

#[test]
fn a18_two_wrong_reveals_among_seven_are_more_than_can_be_told_and_nothing_is_published() {
    for report in rounds(&[(1, Misbehaviour::WrongReveal), (2, Misbehaviour::WrongReveal)]) {
        let end = &report.rounds[0];
        assert!(end.wrong_reveals.iter().all(|who| *who <= 2), "{report}");
        assert!(end.abandoned.is_some() || end.survivors == ALL, "{report}");
    }
}

#[test]
fn a19_a_key_that_differs_from_the_shared_one_spoils_the_sum_and_nothing_is_published() {
    for report in rounds(&[(4, Misbehaviour::KeyMismatch)]) {
        let reason = report.rounds[0].abandoned.as_deref().expect("there is no sum");
        assert!(reason.contains("discarded"), "{report}");
        assert_eq!(
            report.rounds.len(),
            1,
            "it counts as opened, so the question is not asked again\n{report}"
        );
    }
}

#[test]
fn an_equivocator_is_heard_once() {
    for kind in [Kind::Advertise, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal] {
        for report in rounds(&[(5, Misbehaviour::Equivocates(kind))]) {
            assert!(report.rounds[0].abandoned.is_none(), "{kind:?}\n{report}");
            assert!(
                [1, 2, 3, 4, 6, 7].iter().all(|who| report.rounds[0].survivors.contains(who)),
                "{kind:?}\n{report}"
            );
            let from_it = |operation: &Operation| matches!(operation, Operation::Heard { from, kind: k, outcome: "accepted", .. } if from.get() == 5 && *k == kind);
            assert!(report.count(from_it) <= 1, "{kind:?}\n{report}");
        }
    }
}

#[test]
fn silence_from_any_phase_on_costs_the_silent_ones_place_at_most() {
    for kind in [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal] {
        for report in
            rounds(&[(1, Misbehaviour::Silent { from: kind }), (2, Misbehaviour::Silent { from: kind })])
        {
            assert!(
                [3, 4, 5, 6, 7].iter().all(|who| report.rounds[0].survivors.contains(who)),
                "{kind:?}\n{report}"
            );
        }
    }
}
