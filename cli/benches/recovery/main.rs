//! What a round takes that has next to nothing to do, and how long a coordinator takes to be ready again after many of them.
//!
//! `cargo bench -p syndic --bench recovery -- [ROUNDS]`
//!
//! The daemons that operators run, as processes on this machine, with the configuration of the tests of `cli/tests/chaos`: four
//! institutions with a few rows each, one job, whose vectors are as short as they get. Everything goes over TLS on the loopback
//! interface, and every write is as durable as ever. The coordinator is then killed in the middle of its job and started again
//! on what it left, alone; stopped in order, and started once more.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made may fail loudly")]

#[path = "../../tests/chaos/house.rs"]
#[allow(dead_code, reason = "shared with the tests of whole federations")]
mod house;
#[path = "../../tests/two_hosts/process.rs"]
#[allow(dead_code, reason = "shared with the tests of whole federations")]
mod process;
mod used;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use syndic_coordinator::store::{Log as _, SqliteLog};

use house::{BANKS, Founded, House, Seconds, free_port};
use process::{Line, Process, is_ready};
use used::{processor, resident};

fn main() {
    // Cargo says `--bench` too. A word is a filter for another benchmark.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let Ok(numbers) = words.iter().map(|word| word.parse()).collect::<Result<Vec<u32>, _>>() else { return };
    let rounds = numbers.first().copied().unwrap_or(10_000);
    let house = Founded::new().house(Seconds::FOR_EVER);
    let health = prepare(&house, rounds);

    play(&house, rounds).kill();
    println!("after {}:", stored(&house.state("operator")));
    let killed = started(&house, health, "killed");
    let asked = Command::new("kill").args(["-TERM", &killed.id().to_string()]).status();
    assert!(asked.unwrap().success());
    let mut stopped = killed;
    assert_eq!(stopped.ended(), 0, "{}", stopped.told());
    started(&house, health, "stopped in order").kill();
}

/// A job of so many training rounds, and a port that tells of the coordinator's health.
fn prepare(house: &House, rounds: u32) -> u16 {
    let (operator, health) = (house.host("operator"), free_port());
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        let path = operator.join(file);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    };
    change("job.toml", &|job| {
        let job = job.replace("count = 1\n", &format!("count = {rounds}\n"));
        // By default steps decay to nothing before so many rounds.
        job.replace("[rounds]\n", "learning_rate_decay = 1.0\n\n[rounds]\n")
    });
    change("coordinator.toml", &|configuration| {
        configuration + &format!("health = \"127.0.0.1:{health}\"\n")
    });
    health
}

/// Plays so many rounds, and tells what one took; the coordinator then, in the middle of the next.
fn play(house: &House, rounds: u32) -> Process {
    let mut coordinator = house.coordinator_with(&[]);
    let banks: Vec<Process> = BANKS.iter().map(|bank| house.bank_with(bank, &[])).collect();
    let everybody = || banks.iter().map(processor).sum::<Duration>();
    let (mut closed, mut without_all) = (Vec::new(), 0);
    let mut begun = (Duration::ZERO, Duration::ZERO);
    for round in 1..=rounds {
        let has_closed = |line: &Line| line.is("round closed") || line.is(WITHOUT_ALL);
        let line = coordinator.wait_for("a round", |line| has_closed(line) && line.round() == round);
        without_all += usize::from(line.is(WITHOUT_ALL));
        closed.push(Instant::now());
        if round == 1 {
            begun = (processor(&coordinator), everybody());
        }
    }
    let each = |total: Duration| total.as_secs_f64() * 1e3 / f64::from(rounds - 1);
    let (own, others) = (processor(&coordinator) - begun.0, everybody() - begun.1);
    let mut took: Vec<Duration> = closed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "{rounds} rounds of {} institutions, {without_all} of them without all; a round: {:.1} ms in the mean, median {:.1}, fastest {:.1}, 99 of 100 below {:.1}",
        banks.len(),
        each(closed[closed.len() - 1] - closed[0]),
        at(50),
        at(0),
        at(99),
    );
    println!(
        "processor time of a round: coordinator {:.1} ms, the institutions together {:.1} ms",
        each(own),
        each(others)
    );
    println!("resident memory of the coordinator: {} MB at most", resident(&coordinator));
    coordinator
}

/// Starts the coordinator after it was `ended`, and tells how long it took to be ready.
fn started(house: &House, health: u16, ended: &str) -> Process {
    let begun = Instant::now();
    let coordinator = house.coordinator_with(&[]);
    while !is_ready(health) {
        assert!(!coordinator.has_ended(), "{}", coordinator.told());
        thread::sleep(BETWEEN_LOOKS);
    }
    println!(
        "{ended}: ready after {:.2} s, {:.2} s of the processor; resident memory {} MB at most",
        begun.elapsed().as_secs_f64(),
        processor(&coordinator).as_secs_f64(),
        resident(&coordinator),
    );
    coordinator
}

/// What lies in the state folder.
fn stored(state: &Path) -> String {
    let length = |file: &str| fs::metadata(state.join(file)).map_or(0, |file| file.len()) as f64 / 1e6;
    let blobs =
        Command::new("du").args(["-sm", "--apparent-size"]).arg(state.join("blobs")).output().unwrap();
    let blobs = String::from_utf8(blobs.stdout).unwrap();
    // Looked at in a copy: whoever opens it tidies up.
    let copy = tempfile::tempdir().unwrap();
    for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
        fs::copy(state.join(file), copy.path().join(file)).unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let entries = runtime.block_on(async {
        SqliteLog::open(&copy.path().join("ledger.sqlite")).await.unwrap().size().await.unwrap()
    });
    format!(
        "{entries} entries, {:.0} MB in ledger.sqlite, {:.1} in its write-ahead log, {} MB of blobs",
        length("ledger.sqlite"),
        length("ledger.sqlite-wal"),
        blobs.split_whitespace().next().unwrap_or("?"),
    )
}

/// The line of a round that somebody is missing in.
const WITHOUT_ALL: &str = "round closed without all who were admitted";
/// Between two looks at whether it is ready.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
