//! Disks that fail: I/O errors and no space, at every call by which a daemon writes its files.
//!
//! A daemon goes on, or ends with an error that says what to do; then it is started again on a disk that is well.

use std::collections::BTreeMap;

use crate::faults::{Fate, Fault, Site, counting, sites};
use crate::house::{Founded, House};
use crate::lanes::{chosen, play};
use crate::oracle::{Verdict, judge};
use crate::process::Process;
use crate::victim::{Victim, started};

#[test]
fn a_coordinator_whose_disk_fails_says_so_or_goes_on_and_loses_nothing() {
    for (fault, verdict) in failing_everywhere(Victim::Coordinator, SAMPLE) {
        assert!(matches!(verdict, Verdict::Completed { abandoned: 0, .. }), "{fault:?}: {verdict:?}");
    }
}

#[test]
fn a_participant_whose_disk_fails_says_so_or_goes_on_and_costs_nobody_else_a_sum() {
    for (fault, verdict) in failing_everywhere(Victim::Participant, SAMPLE) {
        assert!(matches!(verdict, Verdict::Completed { .. }), "{fault:?}: {verdict:?}");
    }
}

/// Lets every write of a calm run fail in turn, or a sample of them: that call alone, or with those after it.
fn failing_everywhere(victim: Victim, sample: usize) -> Vec<(Fault, Verdict)> {
    let Some(calm) = calm(victim) else { return Vec::new() };
    let all = (1..=calm.len() as u64).flat_map(|number| {
        let fault = move |fate, last| Fault { fate, at: (number, last), durable: false };
        [Fate::InputOutput, Fate::NoSpace]
            .into_iter()
            .flat_map(move |fate| [fault(fate, number), fault(fate, number + BURST)])
    });
    let faults = chosen(all.collect(), sample);
    let ran = play(&faults, |founded, fault| (*fault, failing(founded, victim, *fault)));
    let mut ends = BTreeMap::<&str, usize>::new();
    for (_, (_, code)) in &ran {
        *ends.entry(code.as_deref().unwrap_or("went on")).or_default() += 1;
    }
    println!("{victim:?}: {} writes, {} faults: {ends:?}", calm.len(), ran.len());
    ran.into_iter().map(|(fault, (verdict, _))| (fault, verdict)).collect()
}

/// The writes of the victim in a run in which nothing happens; none where they cannot be told.
fn calm(victim: Victim) -> Option<Vec<Site>> {
    let house = Founded::new().house(victim.deadlines());
    let environment = counting(&house.state(victim.host()), false)?;
    let (mut coordinator, mut banks) = started(&house, victim, &environment);
    judge(&house, &mut coordinator, &mut banks);
    Some(sites(&house.state(victim.host())))
}

/// One run in which calls of the victim fail; the code of the error that it ended with, if it did.
fn failing(founded: &Founded, victim: Victim, fault: Fault) -> (Verdict, Option<String>) {
    let house = founded.house(victim.deadlines());
    let environment = fault.environment(&house.state(victim.host())).unwrap();
    let (mut coordinator, mut banks) = started(&house, victim, &environment);
    let struck = victim.among(&mut coordinator, &mut banks);
    let code = gave_up(&house, victim, struck);
    (judge(&house, &mut coordinator, &mut banks), code)
}

/// Waits for the victim to end. If it was for its disk, it has said so, and is started again.
fn gave_up(house: &House, victim: Victim, struck: &mut Process) -> Option<String> {
    let exit = struck.ended();
    if matches!(exit, 0 | 1) {
        return None;
    }
    let code = struck.error_code();
    assert_eq!(exit, 3, "{}", struck.told());
    let is_of_the_disk =
        ["store.", "journal.", "control.socket", "coordinator.stopped"].iter().any(|of| code.starts_with(of));
    assert!(is_of_the_disk, "{}", struck.told());
    *struck = victim.start(house, &[]);
    Some(code)
}

/// Faults in the normal run, for each side.
const SAMPLE: usize = 2;
/// How many more calls fail where a disk does not recover at once.
const BURST: u64 = 24;
