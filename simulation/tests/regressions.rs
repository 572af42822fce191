//! Runs that once broke an invariant, or came close, shrunk and printed by the sweeps; each keeps what it taught.

use syndic_round::message::Kind;
use syndic_simulation::{Engine, Moment, Network, ParticipantCrash, Scenario, run};

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
