//! The campaigns that the tests only sample, in full: simulated rounds, a crash at every append, real processes under real
//! faults, a port under attack, malformed input, fuzzing.

use crate::cargo;
use crate::fuzz;
use crate::gate::Failure;

/// How long, and on how many threads.
#[derive(clap::Args)]
pub(crate) struct Campaign {
    /// Simulated attempts at rounds
    #[arg(long, default_value_t = 100_000)]
    attempts: u64,
    /// Strategies of a lying coordinator
    #[arg(long, default_value_t = 20_000)]
    strategies: u64,
    /// Threads that simulate; one for each core otherwise
    #[arg(long)]
    threads: Option<u64>,
    /// The first seed: another one plays other scenarios and strategies
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Ends the simulated attempts after so many seconds, if they take longer
    #[arg(long)]
    seconds: Option<u64>,
    /// Leaves out the crashes and the attack over TLS, the real processes, malformed input and the fuzzing
    #[arg(long)]
    simulation_only: bool,
    /// Real processes under real faults alone: those of cli/tests/chaos whose names have this in them, or all for `::`
    #[arg(long, value_name = "NAME", conflicts_with = "simulation_only")]
    chaos_only: Option<String>,
    /// At most so many runs of each of those; all otherwise, which takes hours
    #[arg(long)]
    chaos_runs: Option<u64>,
}

/// Runs one campaign after another, until one fails.
pub(crate) fn run(campaign: &Campaign) -> Result<String, Failure> {
    if let Some(name) = &campaign.chaos_only {
        return chaos(campaign, &[name]).map(|()| format!("real processes under real faults ({name})"));
    }
    simulate(campaign)?;
    if campaign.simulation_only {
        return Ok("simulated rounds".into());
    }
    run_one(&["test", "--release", "--locked", "-p", "syndic", "--test", "crashes"], &[])?;
    chaos(campaign, &[])?;
    // On its own: what a round takes is measured.
    let besieged = ["-p", "syndic", "--test", "two_hosts", "besieged", "--", "--nocapture"];
    run_one(&[&["test", "--release", "--locked"], &besieged[..]].concat(), &[])?;
    run_one(&["test", "--release", "--locked", "-p", "syndic-fuzz", "--", "--nocapture"], &[])?;
    let done =
        "simulated rounds, a crash at every append, real processes under real faults, a port under attack";
    fuzz::long().map(|fuzzed| format!("{done}, malformed input; {fuzzed}"))
}

/// Kills, pauses, failing disks, bad networks, jumping clocks and flipped bytes, with what came of them.
fn chaos(campaign: &Campaign, filter: &[&str]) -> Result<(), Failure> {
    let (seed, runs) = (campaign.seed.to_string(), campaign.chaos_runs.map(|runs| runs.to_string()));
    let package = ["test", "--release", "--locked", "-p", "syndic", "--test", "chaos"];
    let arguments = [&package[..], &["--", "--nocapture", "--test-threads=1"], filter].concat();
    let runs = runs.as_deref().map(|runs| ("SYNDIC_SOAK_RUNS", runs));
    run_one(&arguments, &[Some(("SYNDIC_SOAK_SEED", &*seed)), runs].into_iter().flatten().collect::<Vec<_>>())
}

fn simulate(campaign: &Campaign) -> Result<(), Failure> {
    let Campaign { attempts, strategies, threads, seed, seconds, .. } = *campaign;
    let lengths = [
        ("SYNDIC_SOAK_ROUNDS", Some(attempts)),
        ("SYNDIC_SOAK_STRATEGIES", Some(strategies)),
        ("SYNDIC_SOAK_THREADS", threads),
        ("SYNDIC_SOAK_SEED", Some(seed)),
        ("SYNDIC_SOAK_SECONDS", seconds),
    ];
    let lengths: Vec<(&str, String)> =
        lengths.into_iter().filter_map(|(name, value)| Some((name, value?.to_string()))).collect();
    let lengths: Vec<(&str, &str)> = lengths.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let package = ["-p", "syndic-simulation", "--test", "sample", "--test", "histories"];
    // One sweep after another, each on all threads.
    let arguments =
        [&["test", "--release", "--locked"], &package[..], &["--", "--nocapture", "--test-threads=1"]];
    run_one(&arguments.concat(), &lengths)
}

fn run_one(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), Failure> {
    let environment = [&[("SYNDIC_SOAK", "1")], environment].concat();
    cargo::run(arguments, &environment)
        .map(drop)
        .map_err(|()| Failure::new("the scenario or the point of the crash that failed stands above"))
}
