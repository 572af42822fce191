//! Scenarios drawn from seeds, some of everything that can fail in each: sixty, or with `SYNDIC_SOAK=1` two
//! thousand.

use std::collections::BTreeSet;

use syndic_simulation::{Operation, Scenario, run};

/// Scenarios played; a failing one prints its seed and all that happened.
fn seeds() -> std::ops::Range<u64> {
    if std::env::var_os("SYNDIC_SOAK").is_some() { 0..2_000 } else { 0..60 }
}

#[test]
fn every_invariant_holds_in_every_sampled_scenario() {
    let (mut closed, mut abandoned) = (0, 0);
    let mut seen = BTreeSet::new();
    for seed in seeds() {
        let scenario = Scenario::sample(seed);
        let report = run(&scenario);
        assert!(report.violation.is_none(), "{scenario:?}\n{report}");
        assert_eq!(report.rounds.len(), scenario.rounds as usize, "{scenario:?}\n{report}");
        closed += report.rounds.iter().filter(|end| end.abandoned.is_none()).count();
        abandoned += report.rounds.iter().filter(|end| end.abandoned.is_some()).count();
        seen.extend(report.operations.iter().map(|(_, operation)| fault(operation)));
    }
    // A sample in which nothing happens would show nothing.
    assert!(closed > 60 && abandoned > 5, "{closed} closed, {abandoned} abandoned");
    for fault in [
        "lost",
        "arrives twice",
        "participant crashed",
        "participant back",
        "coordinator crashed",
        "deadline",
    ] {
        assert!(seen.contains(fault), "no scenario has: {fault}");
    }
}

fn fault(operation: &Operation) -> &'static str {
    match operation {
        Operation::Sent { fate, .. } => fate,
        Operation::ParticipantCrashed { .. } => "participant crashed",
        Operation::ParticipantBack(_) => "participant back",
        Operation::CoordinatorCrashed { .. } => "coordinator crashed",
        Operation::Woke(_) => "deadline",
        _ => "",
    }
}
