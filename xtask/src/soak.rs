//! The campaigns that the tests only sample, in full: simulated rounds, a crash at every append, real processes under real
//! faults, a port under attack, a table of ten million rows, malformed input, fuzzing.

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
    /// How many of those runs go on side by side: they wait more than they work
    #[arg(long, default_value_t = 2)]
    chaos_lanes: u64,
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
    // On its own as well: how much memory a table of ten million rows takes is measured.
    let large = ["-p", "syndic-data", "--test", "large_tables", "--", "--nocapture"];
    run_one(&[&["test", "--release", "--locked"], &large[..]].concat(), &[])?;
    run_one(&["test", "--release", "--locked", "-p", "syndic-fuzz", "--", "--nocapture"], &[])?;
    let done = "simulated rounds, a crash at every append, real processes under real faults, a port under attack, a table of ten million rows";
    fuzz::long().map(|fuzzed| format!("{done}, malformed input; {fuzzed}"))
}

/// Kills, pauses, failing disks, bad networks, jumping clocks and flipped bytes, with what came of them.
fn chaos(campaign: &Campaign, filter: &[&str]) -> Result<(), Failure> {
    let variables = [
        ("SYNDIC_SOAK_SEED", Some(campaign.seed)),
        ("SYNDIC_SOAK_RUNS", campaign.chaos_runs),
        ("SYNDIC_SOAK_LANES", Some(campaign.chaos_lanes)),
    ];
    let package = ["test", "--release", "--locked", "-p", "syndic", "--test", "chaos"];
    let arguments = [&package[..], &["--", "--nocapture", "--test-threads=1"], filter].concat();
    run_with(&arguments, &variables)
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
    let package = ["-p", "syndic-simulation", "--test", "sample", "--test", "histories"];
    // One sweep after another, each on all threads.
    let arguments =
        [&["test", "--release", "--locked"], &package[..], &["--", "--nocapture", "--test-threads=1"]];
    run_with(&arguments.concat(), &lengths)
}

/// The same with numbers in the environment, those that are given.
fn run_with(arguments: &[&str], variables: &[(&str, Option<u64>)]) -> Result<(), Failure> {
    let variables: Vec<(&str, String)> =
        variables.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?.to_string()))).collect();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    run_one(arguments, &variables)
}

fn run_one(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), Failure> {
    let environment = [&[("SYNDIC_SOAK", "1")], environment].concat();
    cargo::run(arguments, &environment)
        .map(drop)
        .map_err(|()| Failure::new("the scenario or the point of the crash that failed stands above"))
}
