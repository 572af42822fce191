//! Daemons that stand still for longer than a phase waits: SIGSTOP in the middle of a round, SIGCONT after its deadline, as
//! where a laptop sleeps or a virtual machine is moved.

use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::house::{Founded, Seconds};
use crate::lanes::{chosen, play};
use crate::moment::Moment;
use crate::oracle::{Verdict, judge};
use crate::process::Process;
use crate::victim::{Victim, started};

#[test]
fn a_participant_that_sleeps_through_deadlines_comes_back_and_costs_nobody_else_a_sum() {
    for (moment, verdict) in paused_everywhere(Victim::Participant) {
        assert!(matches!(verdict, Verdict::Completed { .. }), "{moment:?}: {verdict:?}");
    }
}

#[test]
fn a_coordinator_that_stands_still_through_deadlines_opens_no_wrong_sum() {
    for (moment, verdict) in paused_everywhere(Victim::Coordinator) {
        assert!(matches!(verdict, Verdict::Completed { .. }), "{moment:?}: {verdict:?}");
    }
}

/// Lets the victim stand still in each phase of each round, or at a sample of these moments.
fn paused_everywhere(victim: Victim) -> Vec<(Moment, Verdict)> {
    let moments = chosen(Moment::all(), SAMPLE);
    let ran = play(&moments, |founded, moment| (*moment, paused(founded, victim, *moment)));
    let calm = ran.iter().filter(|(_, verdict)| *verdict == Verdict::WHOLE).count();
    println!("{victim:?}: stood still {} times, {calm} of the jobs with everybody in every sum", ran.len());
    ran
}

fn paused(founded: &Founded, victim: Victim, moment: Moment) -> Verdict {
    let house = founded.house(DEADLINES);
    let (mut coordinator, mut banks) = started(&house, victim, &[]);
    moment.comes(&mut coordinator);
    match victim {
        Victim::Participant => {
            let asleep = victim.among(&mut coordinator, &mut banks);
            signal(asleep, "STOP");
            // Until the others are past the round, or all is over.
            coordinator.shows("a later round", |line| line.is("phase begins") && line.round() > moment.round);
            signal(victim.among(&mut coordinator, &mut banks), "CONT");
        }
        Victim::Coordinator => {
            signal(&coordinator, "STOP");
            // Nobody tells when a deadline has passed for somebody who stands still: the time itself is the fault.
            thread::sleep(Duration::from_secs(u64::from(DEADLINES.0) + 1));
            signal(&coordinator, "CONT");
        }
    }
    judge(&house, &mut coordinator, &mut banks)
}

pub(crate) fn signal(process: &Process, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &process.id().to_string()]).status();
    assert!(status.unwrap().success(), "{name}");
}

const DEADLINES: Seconds = Seconds(5);
/// Pauses in the normal run, for each side.
const SAMPLE: usize = 1;
