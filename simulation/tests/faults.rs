//! Partitions, jumps of the clock and damaged blobs.

use syndic_round::RoundId;
use syndic_simulation::{ClockJump, Operation, Partition, Report, Scenario, TornBlob, run};

fn sound(scenario: &Scenario) -> Report {
    let report = run(scenario);
    assert!(report.violation.is_none(), "{scenario}\n{report}");
    assert_eq!(report.questions().len(), scenario.rounds as usize, "{report}");
    report
}

#[test]
fn a_federation_that_is_cut_in_two_goes_on_once_it_is_whole_again() {
    let partitions = vec![Partition { participants: vec![1, 2], from: 0, lasts: 2_500 }];
    let report = sound(&Scenario { partitions, ..Scenario::calm(31, 5) });
    assert!(report.rounds[0].abandoned.is_some(), "three of five are too few\n{report}");
    let end = report.rounds.last().unwrap();
    assert_eq!(end.survivors, [1, 2, 3, 4, 5], "{report}");
    assert_eq!(end.round, RoundId { round: 1, attempt: report.rounds.len() as u32 }, "{report}");
}

#[test]
fn one_that_is_cut_off_is_done_without() {
    let partitions = vec![Partition { participants: vec![4], from: 0, lasts: 60_000 }];
    let report = sound(&Scenario { partitions, ..Scenario::calm(32, 5) });
    assert_eq!(report.rounds[0].survivors, [1, 2, 3, 5], "{report}");
}

#[test]
fn a_clock_that_jumps_forward_ends_phases_early_and_one_that_jumps_back_late() {
    for at in (0..1_000).step_by(100) {
        for by in [-3_600_000, -3_000, 3_000, 3_600_000] {
            let clock_jumps = vec![ClockJump { at, by }];
            let report = sound(&Scenario { clock_jumps, rounds: 3, ..Scenario::calm(33, 4) });
            let last = report.rounds.last().unwrap();
            assert_eq!(last.survivors, [1, 2, 3, 4], "the next question is as ever: {at} {by}\n{report}");
        }
    }
}

#[test]
fn a_damaged_blob_is_never_summed_and_the_round_goes_on_once_it_is_mended() {
    let noticed = |operation: &Operation| matches!(operation, Operation::BlobDamaged);
    let mut stopped = 0;
    for blob in 1..=10 {
        let torn_blob = Some(TornBlob { blob, mended_after: 700 });
        let report = sound(&Scenario { torn_blob, ..Scenario::calm(34, 5) });
        let end = report.rounds.last().unwrap();
        assert_eq!(end.survivors, [1, 2, 3, 4, 5], "blob {blob}\n{report}");
        // The first five are sealed shares, which are offered to nobody; the others are updates.
        assert_eq!(report.count(noticed) > 0, blob > 5, "blob {blob}\n{report}");
        assert_eq!(report.rounds[0].abandoned.is_some(), blob <= 5, "blob {blob}\n{report}");
        stopped += report.count(noticed);
    }
    assert_eq!(stopped, 5);
}

#[test]
fn one_that_sleeps_for_an_hour_at_whatever_moment_comes_back_and_goes_on() {
    // It hears of nothing, and what it did not hear is lost to it; for the others an hour passes in which they go on.
    let mut without = 0;
    for from in (0..1_000).step_by(100) {
        let partitions = vec![Partition { participants: vec![4], from, lasts: 12_000 }];
        let clock_jumps = vec![ClockJump { at: from + 11_000, by: HOUR }];
        let report = sound(&Scenario { partitions, clock_jumps, rounds: 40, ..Scenario::calm(35, 5) });
        let last = report.rounds.last().unwrap();
        assert_eq!(last.survivors, [1, 2, 3, 4, 5], "asleep from {from}\n{report}");
        without += report.rounds.iter().filter(|round| round.survivors == [1, 2, 3, 5]).count();
    }
    // Once nobody waits for it any more they do more rounds than a deadline each would leave time for.
    assert!(without > 100, "the others did not go on: {without}");
}

/// Milliseconds.
const HOUR: i64 = 3_600_000;
