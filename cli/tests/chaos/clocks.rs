//! Clocks that jump by hours in the middle of a round, forwards and backwards, by libfaketime. Time as it passes for timers
//! (`CLOCK_MONOTONIC`) goes on, as it does when an administrator or NTP sets a clock.

use std::fs;
use std::path::{Path, PathBuf};

use crate::house::{Founded, House, Seconds};
use crate::lanes::{chosen, play};
use crate::moment::Moment;
use crate::oracle::{Verdict, judge};
use crate::victim::{Victim, started};

#[test]
fn a_clock_that_jumps_at_a_participant_changes_nothing() {
    for (jump, verdict) in jumped(Victim::Participant) {
        assert_eq!(verdict, Verdict::WHOLE, "{jump:?}");
    }
}

#[test]
fn a_clock_that_jumps_at_the_coordinator_costs_attempts_at_most() {
    for (jump, verdict) in jumped(Victim::Coordinator) {
        // Forwards, every deadline has passed at once: rounds are tried again.
        let is_well = if jump.hours < 0 {
            verdict == Verdict::WHOLE
        } else {
            matches!(verdict, Verdict::Completed { .. })
        };
        assert!(is_well, "{jump:?}: {verdict:?}");
    }
}

/// By how much a clock is set, and when.
#[derive(Clone, Copy, Debug)]
struct Jump {
    hours: i32,
    moment: Moment,
}

fn jumped(victim: Victim) -> Vec<(Jump, Verdict)> {
    let Some(library) = library() else { return Vec::new() };
    let all = Moment::all().into_iter().zip(HOURS.into_iter().cycle());
    let jumps = chosen(all.map(|(moment, hours)| Jump { hours, moment }).collect(), SAMPLE);
    let ran = play(&jumps, |founded, jump| (*jump, with_jump(founded, victim, *jump, library)));
    let whole = ran.iter().filter(|(_, verdict)| *verdict == Verdict::WHOLE).count();
    println!("{victim:?}: {} jumps, {whole} of the jobs with everybody in every sum", ran.len());
    ran
}

fn with_jump(founded: &Founded, victim: Victim, jump: Jump, library: &Path) -> Verdict {
    let house = founded.house(Seconds::FOR_EVER);
    let clock = Clock::right(&house);
    let (mut coordinator, mut banks) = started(&house, victim, &clock.environment(library));
    jump.moment.comes(&mut coordinator);
    clock.set(jump.hours);
    judge(&house, &mut coordinator, &mut banks)
}

/// The clock of one process, a file that libfaketime reads each time it is asked for the time.
struct Clock(PathBuf);

impl Clock {
    fn right(house: &House) -> Self {
        let clock = Self(house.host("clock"));
        clock.set(0);
        clock
    }

    /// Renamed into place, as it is read at any moment.
    fn set(&self, hours: i32) {
        let next = self.0.with_extension("next");
        fs::write(&next, format!("{hours:+}h\n")).unwrap();
        fs::rename(next, &self.0).unwrap();
    }

    fn environment(&self, library: &Path) -> Vec<(String, String)> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("LD_PRELOAD", path(library)),
            ("FAKETIME_TIMESTAMP_FILE", path(&self.0)),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// Debian's libfaketime; none where it is not installed, which is said loudly.
fn library() -> Option<&'static Path> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    let found = paths.find(|path| path.exists());
    if found.is_none() {
        eprintln!("*** SKIPPED: libfaketime is not installed (Debian: faketime), so no clock jumps ***");
    }
    found.map(|path| &*Box::leak(path.into_boxed_path()))
}

const HOURS: [i32; 6] = [5, -5, 26, -26, 1, -1];
/// Jumps in the normal run, for each side.
const SAMPLE: usize = 1;
