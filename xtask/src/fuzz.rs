//! The coverage-guided campaigns over the fuzz targets: libFuzzer on the stable toolchain.
//!
//! Only the crates of this workspace are compiled with counters (`fuzz/instrument.sh`), so that their dependencies
//! are those of every other build. Corpora grow in `target/fuzz`, one folder a target, and are kept between runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;
use crate::gate::Failure;
use crate::sources;

/// What is fuzzed, and for how long.
#[derive(clap::Args)]
pub(crate) struct Campaign {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    /// One target alone
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Draws the same mutations again, where the corpus is the same too
    #[arg(long)]
    pub(crate) seed: Option<u32>,
}

/// Runs one target after another, until one breaks a promise.
pub(crate) fn run(campaign: &Campaign) -> Result<String, Failure> {
    let fuzzer = build()?;
    let names = names(&fuzzer)?;
    let chosen: Vec<&String> =
        names.iter().filter(|name| campaign.target.as_ref().is_none_or(|target| target == *name)).collect();
    if chosen.is_empty() {
        return Err(Failure::new(format!("there are these targets: {}", names.join(", "))));
    }
    for name in &chosen {
        println!("\n-- {name}, {} s", campaign.seconds);
        fuzz(&fuzzer, name, campaign)?;
    }
    Ok(format!("{} targets, {} s each, and no promise broken", chosen.len(), campaign.seconds))
}

/// Every target, five minutes each.
pub(crate) fn long() -> Result<String, Failure> {
    run(&Campaign { seconds: 300, target: None, seed: None })
}

fn build() -> Result<PathBuf, Failure> {
    let wrapper = sources::root().join("fuzz/instrument.sh");
    let arguments = ["build", "--release", "--locked", "-p", "syndic-fuzz", "--bin", "syndic-fuzz"];
    println!("$ cargo {} --features guided", arguments.join(" "));
    let status = cargo::cargo()
        .args(arguments)
        .args(["--features", "guided"])
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(Failure::new(
            "libFuzzer needs a C++ compiler; without one, `SYNDIC_SOAK=1 cargo test --release -p syndic-fuzz` draws a long sample",
        ));
    }
    Ok(target_folder()?.join("release/syndic-fuzz"))
}

fn target_folder() -> Result<PathBuf, Failure> {
    let metadata = cargo::metadata()?;
    let folder = metadata["target_directory"].as_str();
    folder.map(PathBuf::from).ok_or_else(|| Failure::new("`cargo metadata` names no `target_directory`"))
}

/// The names of all targets, as the fuzzer prints them where none is chosen.
fn names(fuzzer: &Path) -> Result<Vec<String>, Failure> {
    let output = Command::new(fuzzer).env_remove(TARGET).output();
    let output = output.map_err(|error| Failure::new(format!("{}: {error}", fuzzer.display())))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn fuzz(fuzzer: &Path, name: &str, campaign: &Campaign) -> Result<(), Failure> {
    let folder = target_folder()?.join("fuzz").join(name);
    let (corpus, seeds) = (folder.join("corpus"), folder.join("seeds"));
    let regressions = sources::root().join("fuzz/regressions").join(name);
    for made in [&corpus, &seeds] {
        std::fs::create_dir_all(made)
            .map_err(|error| Failure::new(format!("{}: {error}", made.display())))?;
    }
    let mut command = Command::new(fuzzer);
    command
        .env(TARGET, name)
        .env("SYNDIC_FUZZ_SEEDS", &seeds)
        .arg(format!("-max_total_time={}", campaign.seconds))
        .arg(format!("-artifact_prefix={}/found-", folder.display()))
        .args(["-timeout=20", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"])
        .arg(format!("-max_len={LONGEST}"))
        .args(campaign.seed.map(|seed| format!("-seed={seed}")))
        .args([&corpus, &seeds]);
    if regressions.is_dir() {
        command.arg(regressions);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new(format!(
            "the input stands above as `found-...`; mend what it shows, and keep it as fuzz/regressions/{name}/<what-it-shows>"
        ))),
        Err(error) => Err(Failure::new(format!("{}: {error}", fuzzer.display()))),
    }
}

const TARGET: &str = "SYNDIC_FUZZ_TARGET";

/// Longer than the longest seed.
const LONGEST: usize = 32 << 10;
