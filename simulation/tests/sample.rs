//! Scenarios drawn from seeds, some of everything that can fail in each, and strategies of a lying coordinator.
//!
//! With `SYNDIC_SOAK=1`, 100,000 attempts and more: most with the plain engine, one in fifty scenarios encrypted. What
//! fails is shrunk and printed as Rust, for tests/regressions.rs. `SYNDIC_SOAK_ROUNDS` and `SYNDIC_SOAK_STRATEGIES` set
//! other numbers of attempts and strategies, `SYNDIC_SOAK_SEED` the first seed and `SYNDIC_SOAK_THREADS` the threads, which
//! are as many as there are cores otherwise; `SYNDIC_SOAK_SECONDS` ends the sweep earlier. How far it came is printed.
//! `cargo xtask soak --help` has all of them as options.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use syndic_simulation::{Engine, Operation, Replayed, Report, RoundEnd, Scenario, Strategy, run};

/// What a sweep came to.
#[derive(Default)]
struct Tally {
    closed: usize,
    abandoned: usize,
    retried: usize,
    encrypted: usize,
    wrong_reveals: usize,
    prepared: usize,
    shared: usize,
    unchecked: usize,
    seen: BTreeSet<&'static str>,
}

impl Tally {
    fn attempts(&self) -> usize {
        self.closed + self.abandoned
    }

    fn count(&mut self, scenario: &Scenario, report: &Report) {
        let closed = report.rounds.iter().filter(|end| end.abandoned.is_none()).count();
        self.closed += closed;
        self.abandoned += report.rounds.len() - closed;
        self.retried += report.rounds.iter().filter(|end| end.round.attempt > 1).count();
        self.encrypted += if scenario.engine == Engine::Encrypted { report.rounds.len() } else { 0 };
        self.wrong_reveals += report.rounds.iter().filter(|end| !end.wrong_reveals.is_empty()).count();
        self.shared += report.rounds.iter().filter(|end| end.shared).count();
        self.unchecked += report.rounds.iter().filter(|end| end.abandoned.is_none() && !end.checked).count();
        self.prepared +=
            report.count(|operation| matches!(operation, Operation::Opened { prepared: true, .. }));
        self.seen.extend(report.operations.iter().map(|(_, operation)| fault(operation)));
    }
}

/// Plays scenarios on all cores until `enough`.
fn sweep(scenario: impl Fn(u64) -> Scenario + Sync, enough: impl Fn(u64, &Tally) -> bool + Sync) -> Tally {
    let (next, tally) = (AtomicU64::new(first_seed()), Mutex::new(Tally::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if enough(seed, &tally.lock().unwrap()) {
                return;
            }
            let scenario = scenario(seed);
            let report = run(&scenario);
            sound(&scenario, &report);
            tally.lock().unwrap().count(&scenario, &report);
        }
    };
    std::thread::scope(|scope| {
        (0..threads()).for_each(|_| {
            scope.spawn(work);
        });
    });
    tally.into_inner().unwrap()
}

fn sound(scenario: &Scenario, report: &Report) {
    let fails = |scenario: &Scenario| {
        let report = run(scenario);
        report.violation.is_some() || report.questions().len() != scenario.rounds as usize
    };
    if report.violation.is_some() || report.questions().len() != scenario.rounds as usize {
        let least = scenario.shrunk(fails);
        panic!("seed {}, shrunk to\n{least}\n{}", scenario.seed, run(&least));
    }
}

#[test]
fn every_invariant_holds_in_every_sampled_scenario() {
    let began = Instant::now();
    let tally = match is_soak() {
        false => {
            let drawn = |seed| match seed % 6 {
                0 => Scenario::sample(seed),
                _ => Scenario { engine: Engine::Plain, ..Scenario::sample(seed) },
            };
            sweep(drawn, |seed, _| seed >= 90)
        }
        true => {
            let drawn = |seed| match seed % 50 {
                0 => Scenario::sample(seed),
                _ => Scenario { engine: Engine::Plain, replayed: Replayed::AtEnds, ..Scenario::sample(seed) },
            };
            let most = number("SYNDIC_SOAK_ROUNDS").unwrap_or(100_000) as usize;
            let longest = number("SYNDIC_SOAK_SECONDS").unwrap_or(u64::MAX);
            sweep(drawn, |_, tally| tally.attempts() >= most || began.elapsed().as_secs() >= longest)
        }
    };
    let (attempts, seconds) = (tally.attempts(), began.elapsed().as_secs_f64());
    println!(
        "{attempts} attempts ({} encrypted, {} prepared ahead, {} of shared vectors), {} closed ({} unchecked), \
         {} retried, {} with wrong reveals corrected: {:.0} a second",
        tally.encrypted,
        tally.prepared,
        tally.shared,
        tally.closed,
        tally.unchecked,
        tally.retried,
        tally.wrong_reveals,
        attempts as f64 / seconds
    );
    // A sample in which nothing happens would show nothing.
    assert!(tally.closed > 80 && tally.abandoned > 20 && tally.retried > 10, "too calm");
    let made = tally.attempts() - tally.prepared;
    assert!(tally.prepared > 20 && made > 20, "{} prepared ahead, {made} not", tally.prepared);
    assert!(
        tally.shared > 20 && tally.unchecked > 2,
        "{} shared, {} unchecked",
        tally.shared,
        tally.unchecked
    );
    for fault in FAULTS {
        assert!(tally.seen.contains(fault), "no scenario has: {fault}");
    }
}

#[test]
fn no_sampled_strategy_of_a_lying_coordinator_breaks_an_invariant() {
    let strategies = if is_soak() { number("SYNDIC_SOAK_STRATEGIES").unwrap_or(20_000) } else { 500 };
    let encrypted = if is_soak() { strategies / 100 } else { 10 };
    let first = first_seed();
    let next = AtomicU64::new(first);
    let (sums, worthless) = (AtomicU64::new(0), AtomicU64::new(0));
    let (shared, sums_shared) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - first >= strategies {
                return;
            }
            let engine = if seed - first < encrypted { Engine::Encrypted } else { Engine::Plain };
            let strategy = Strategy::sample(seed, engine);
            let played = strategy.play();
            if let Some(violation) = played.violation {
                let invariant = violation.invariant;
                let breaks = |s: &Strategy| s.play().violation.is_some_and(|v| v.invariant == invariant);
                let least = strategy.shrunk(breaks);
                let operations = least.play().operations.join("\n");
                panic!("{violation:?}, shrunk to\n{least}\n{operations}");
            }
            sums.fetch_add(played.sums as u64, Ordering::Relaxed);
            worthless.fetch_add(u64::from(played.sums == 0), Ordering::Relaxed);
            if strategy.shared {
                shared.fetch_add(1, Ordering::Relaxed);
                sums_shared.fetch_add(played.sums as u64, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        (0..threads()).for_each(|_| {
            scope.spawn(work);
        });
    });
    let (sums, worthless) = (sums.into_inner(), worthless.into_inner());
    let a_second = strategies as f64 / began.elapsed().as_secs_f64();
    let (shared, sums_shared) = (shared.into_inner(), sums_shared.into_inner());
    println!(
        "{strategies} strategies ({shared} with shared vectors), {sums} sums opened ({sums_shared} of shared vectors), \
         {worthless} opened none: {a_second:.0} a second"
    );
    // Strategies that all fail at the door would show nothing, nor would those that do as they should.
    assert!(sums > strategies / 10 && worthless > strategies / 10, "{sums} sums, {worthless} without");
    assert!(sums_shared > shared / 20, "{sums_shared} sums of shared vectors in {shared} strategies");
}

#[test]
fn the_plain_engine_gives_the_sums_of_the_encrypted_one() {
    let mut sums = 0;
    for seed in 1_000..1_000 + if is_soak() { 300 } else { 15 } {
        let encrypted = Scenario { replayed: Replayed::AtEnds, ..Scenario::sample(seed) };
        let plain = Scenario { engine: Engine::Plain, ..encrypted.clone() };
        let (encrypted, plain) = (run(&encrypted), run(&plain));
        assert_eq!(without_reasons(&encrypted), without_reasons(&plain), "seed {seed}");
        sums += encrypted.rounds.iter().filter(|end| !end.sum.is_empty()).count();
    }
    assert!(sums > 12, "{sums} sums were compared");
}

/// Rounds, survivors, integers, who is blamed, and everything on the way. In which words a sum is refused may differ: what
/// a wrong reveal restores is noise, of which some looks plausible until it is taken off.
fn without_reasons(report: &Report) -> (Vec<RoundEnd>, Vec<(u64, Operation)>) {
    let reason = |end: &RoundEnd| end.abandoned.as_ref().map(|_| String::new());
    let rounds = report.rounds.iter().map(|end| RoundEnd { abandoned: reason(end), ..end.clone() });
    let is_end = |operation: &Operation| matches!(operation, Operation::Ended { .. });
    let operations = report.operations.iter().filter(|(_, operation)| !is_end(operation)).cloned();
    (rounds.collect(), operations.collect())
}

fn is_soak() -> bool {
    std::env::var_os("SYNDIC_SOAK").is_some()
}

/// The first seed of a long sweep; the sample has its own.
fn first_seed() -> u64 {
    if is_soak() { number("SYNDIC_SOAK_SEED").unwrap_or(0) } else { 0 }
}

fn threads() -> usize {
    let chosen = number("SYNDIC_SOAK_THREADS").and_then(|threads| usize::try_from(threads).ok());
    chosen.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn fault(operation: &Operation) -> &'static str {
    match operation {
        Operation::Sent { fate, .. } => fate,
        Operation::ParticipantCrashed { .. } => "participant crashed",
        Operation::ParticipantBack(_) => "participant back",
        Operation::CoordinatorCrashed { .. } => "coordinator crashed",
        Operation::CutOff { .. } => "cut off",
        Operation::ClockJumped { .. } => "clock jumped",
        Operation::BlobDamaged => "blob damaged",
        Operation::Declined { .. } => "declined",
        Operation::Woke(_) => "deadline",
        _ => "",
    }
}

const FAULTS: [&str; 10] = [
    "lost",
    "arrives twice",
    "cut off",
    "clock jumped",
    "participant crashed",
    "participant back",
    "coordinator crashed",
    "blob damaged",
    "declined",
    "deadline",
];
