//! Runs that once broke an invariant, or came close, shrunk and printed by the sweeps; each keeps what it taught.

use syndic_round::ParameterSet;
use syndic_round::message::Kind;
use syndic_simulation::{
    Engine, Moment, Move, Network, Operation, ParticipantCrash, Partition, Scenario, Strategy, Twist, run,
};

/// Found by the first sweep in which agents declined as the shipped ones do: a reveal is lost, the others cannot reveal
/// any more, and its sender is asked to give the attempt up. It declines, since it has revealed, and nothing is voided.
#[test]
fn who_has_revealed_promises_nothing_though_its_reveal_was_lost() {
    let crash = |participant, back_after| ParticipantCrash {
        participant,
        round: 1,
        kind: Kind::Reveal,
        moment: Moment::Before,
        back_after,
    };
    for seed in 0..40 {
        let scenario = Scenario {
            engine: Engine::Plain,
            network: Network { lost: 400, duplicated: 0, delay: 40 },
            participants_crash: vec![crash(2, Some(50)), crash(3, Some(50))],
            ..Scenario::calm(seed, 3)
        };
        let report = run(&scenario);
        assert!(report.violation.is_none(), "{scenario}\n{report}");
    }
}

/// Found by the first sweep that asked what a phase waits for: where two of five had declined, and the last signature of
/// the others came after their noes, the round stood until its deadline although nobody was left to sign.
#[test]
fn a_signature_that_comes_after_too_many_noes_is_the_last_thing_waited_for() {
    for seed in 0..40 {
        let crash = |participant| ParticipantCrash {
            participant,
            round: 1,
            kind: Kind::Certify,
            moment: Moment::Before,
            back_after: Some(20),
        };
        let scenario = Scenario {
            engine: Engine::Plain,
            network: Network { lost: 400, duplicated: 0, delay: 40 },
            participants_crash: vec![crash(2), crash(4)],
            ..Scenario::calm(seed, 5)
        };
        let report = run(&scenario);
        assert!(report.violation.is_none(), "{scenario}\n{report}");
    }
}

/// Found by the first sweep in which agents looked at their keys before they took a round up: one that was cut off before it
/// acknowledged, and came back when the others' survivors were to be signed, took the honest coordinator's plan for another's.
#[test]
fn who_missed_a_phase_of_the_preparation_ahead_is_too_early_and_accuses_nobody() {
    let scenario = Scenario {
        engine: Engine::Plain,
        parameter_set: ParameterSet::S24,
        rounds: 2,
        ahead: true,
        network: Network { lost: 200, duplicated: 400, delay: 40 },
        partitions: vec![Partition { participants: vec![4], from: 1247, lasts: 2023 }],
        ..Scenario::calm(911800, 4)
    };
    let report = run(&scenario);
    assert!(report.violation.is_none(), "{scenario}\n{report}");
    let too_early = |operation: &Operation| matches!(operation, Operation::Declined { participant, code: "round.early", .. } if participant.get() == 4);
    assert!(report.count(too_early) > 0, "{report}");
}

/// What the sweep of strategies came down to when a journal forgot which question it had opened: the second attempt has
/// another set.
#[test]
fn a31_a_question_asked_in_two_rounds_over_two_sets_is_opened_once() {
    let strategy = Strategy {
        seed: 8,
        engine: Engine::Encrypted,
        participants: 6,
        shared: false,
        corrupted: vec![4, 5, 6],
        moves: vec![
            Move::Ask { id: (2, 1), preparation: 1, slot: 1, variant: 0, weaker: false, to: 63 },
            Move::Share { back: 0, of: 63, to: 63, twist: Twist::None },
            Move::Submit { back: 0, of: 63, to: 63, twist: Twist::None },
            Move::Certify { back: 0, of: 63, to: 63, twist: Twist::None },
            Move::Reveal { back: 0, of: 63, to: 63, twist: Twist::None },
            Move::Ask { id: (1, 2), preparation: 2, slot: 1, variant: 0, weaker: false, to: 63 },
            Move::Share { back: 0, of: 63, to: 63, twist: Twist::None },
            Move::Submit { back: 0, of: 63, to: 63, twist: Twist::None },
            Move::Certify { back: 0, of: 62, to: 63, twist: Twist::None },
            Move::Reveal { back: 0, of: 63, to: 63, twist: Twist::None },
        ],
    };
    let played = strategy.play();
    assert_eq!(played.violation, None, "{strategy}\n{}", played.operations.join("\n"));
    assert_eq!(played.sums, 1, "{}", played.operations.join("\n"));
}

/// What it came down to when a journal let a promise follow a reveal: those who revealed gave the attempt up as well.
#[test]
fn a32_who_revealed_in_an_attempt_does_not_void_it() {
    let strategy = Strategy {
        seed: 9,
        engine: Engine::Encrypted,
        participants: 5,
        shared: false,
        corrupted: vec![5],
        moves: vec![
            Move::Ask { id: (1, 1), preparation: 1, slot: 1, variant: 0, weaker: false, to: 31 },
            Move::Share { back: 0, of: 31, to: 31, twist: Twist::None },
            Move::Submit { back: 0, of: 31, to: 31, twist: Twist::None },
            Move::Certify { back: 0, of: 31, to: 31, twist: Twist::None },
            Move::Reveal { back: 0, of: 31, to: 7, twist: Twist::None },
            Move::Restart { who: 31 },
            Move::Void { back: 0, to: 31 },
            Move::Reveal { back: 0, of: 31, to: 31, twist: Twist::None },
        ],
    };
    let played = strategy.play();
    assert_eq!(played.violation, None, "{strategy}\n{}", played.operations.join("\n"));
    assert_eq!(played.sums, 1, "{}", played.operations.join("\n"));
}

/// What the sweep of strategies came down to when keys made ahead were taken up under whatever terms: a vector went to the
/// cohort of a lax job that has a preparation of the same number, where two open it.
#[test]
fn a37_a_vector_is_shared_by_no_terms_but_those_of_its_own_plan() {
    let strategy = Strategy {
        seed: 3,
        engine: Engine::Encrypted,
        participants: 6,
        shared: true,
        corrupted: vec![6, 1],
        moves: vec![
            Move::Ask { id: (2, 1), preparation: 2, slot: 2, variant: 0, weaker: false, to: 45 },
            Move::Prepare { lax: true, preparation: 2, weaker: false, to: 63 },
            Move::TakeUp { back: 0, id: (3, 1), slot: 2, to: 59 },
            Move::Share { back: 0, of: 63, to: 31, twist: Twist::None },
        ],
    };
    let played = strategy.play();
    assert_eq!(played.violation, None, "{strategy}\n{}", played.operations.join("\n"));
    let refused = "4 asked for Header of 3.1 in 2: round.mismatch";
    assert!(played.operations.iter().any(|line| line == refused), "{}", played.operations.join("\n"));
}

/// What it came down to when signers did not compare the headers of shared vectors with the sharings that they hold.
#[test]
fn a36_a_set_of_shared_vectors_is_signed_for_the_sharings_that_were_acknowledged_only() {
    let strategy = Strategy {
        seed: 11,
        engine: Engine::Encrypted,
        participants: 5,
        shared: true,
        corrupted: vec![5, 1],
        moves: vec![
            Move::Ask { id: (1, 1), preparation: 1, slot: 2, variant: 0, weaker: false, to: 31 },
            Move::Share { back: 0, of: 31, to: 31, twist: Twist::None },
            Move::Share { back: 0, of: 31, to: 31, twist: Twist::None },
            Move::Submit { back: 0, of: 31, to: 31, twist: Twist::None },
            Move::Share { back: 1, of: 10, to: 31, twist: Twist::None },
            Move::Share { back: 0, of: 30, to: 31, twist: Twist::None },
            Move::Certify { back: 2, of: 31, to: 31, twist: Twist::None },
        ],
    };
    let played = strategy.play();
    assert_eq!(played.violation, None, "{strategy}\n{}", played.operations.join("\n"));
    assert_eq!(played.sums, 0, "{}", played.operations.join("\n"));
}
