//! What encryption adds to a whole round: wall time over TLS on the loopback, beside the same round with the plain engine.
//!
//! `cargo bench -p syndic-benches --bench round -- [PARAMETERS] [PARTICIPANTS] [REPETITIONS]`

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made may fail loudly")]

use std::path::Path;
use std::time::Duration;

use syndic_bench_round::{Played, Spent, Workload, play};
use syndic_benches::report;
use syndic_round::{Block, Layout, ParameterSet};
use syndic_simulation::engine::Engine;

fn main() {
    // Cargo says `--bench` too. A word is a filter for the other benchmark.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let Ok(numbers) = words.iter().map(|word| word.parse()).collect::<Result<Vec<u32>, _>>() else { return };
    let mut arguments = numbers.into_iter();
    let (parameters, participants) = (arguments.next().unwrap_or(1_000_000), arguments.next().unwrap_or(10));
    let repetitions = arguments.next().unwrap_or(15) as usize;
    let block = Block { name: "update".into(), len: parameters, bound: 1_000.0, resolution: 1.0 };
    let workload = Workload {
        participants: participants as u16,
        layout: Layout::new(vec![block]).unwrap(),
        parameter_set: ParameterSet::S32,
        values: |id, k| (k as f64 + f64::from(id.get())).sin() * 1_000.0,
    };
    let mut spent: [Vec<[Spent; 3]>; 2] = [Vec::new(), Vec::new()];
    let mut sum = None;
    // The first of each is not counted. They take turns, so that other work on the machine meets both.
    for repetition in 0..=repetitions {
        for (engine, spent) in [Engine::Plain, Engine::Encrypted].into_iter().zip(&mut spent) {
            let Played { steps, preparation, rest } = measured(engine, &workload);
            assert_eq!(sum.get_or_insert_with(|| steps.clone()), &steps, "{engine:?} has another sum");
            let whole = Spent {
                wall: preparation.wall + rest.wall,
                processor: preparation.processor + rest.processor,
            };
            if repetition > 0 {
                spent.push([preparation, rest, whole]);
            }
        }
    }
    println!("{participants} participants, {parameters} parameters, {repetitions} rounds of each\n");
    print!("{}", report::table(&head(), &rows(&spent)));
}

/// One round in a new runtime, with files on the disk that the build is on: elsewhere there may be nothing to sync.
fn measured(engine: Engine, workload: &Workload) -> Played {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let played = runtime.block_on(play(engine, workload, folder.path())).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(10));
    played
}

fn head() -> Vec<String> {
    ["milliseconds", "plain engine", "KSA/1", "ratio"].map(String::from).into()
}

fn rows(spent: &[Vec<[Spent; 3]>; 2]) -> Vec<Vec<String>> {
    let parts = ["keys and shares (phases A to C)", "updates to stored sum", "the whole round"];
    let mut rows = Vec::new();
    for (part, name) in parts.iter().enumerate() {
        let wall = |rounds: &Vec<[Spent; 3]>| sorted(rounds.iter().map(|round| round[part].wall));
        rows.push(row(format!("{name}: median"), spent.each_ref().map(wall), median));
        rows.push(row(format!("{name}: fastest"), spent.each_ref().map(wall), |times| times[0]));
        let processor = |rounds: &Vec<[Spent; 3]>| sorted(rounds.iter().map(|round| round[part].processor));
        rows.push(row(format!("{name}: processor time, median"), spent.each_ref().map(processor), median));
    }
    rows
}

fn row(name: String, times: [Vec<f64>; 2], choose: impl Fn(&[f64]) -> f64) -> Vec<String> {
    let [plain, encrypted] = times.map(|times| choose(&times));
    let figure = |number| report::figure(Some(number));
    vec![name, figure(plain), figure(encrypted), format!("{:.2}", encrypted / plain)]
}

/// In milliseconds.
fn sorted(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn median(times: &[f64]) -> f64 {
    times[times.len() / 2]
}
