//! The short way to run a target: its seeds, then a seeded draw of damaged ones. The same inputs at every run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::{Target, mutate};

/// Runs the seeds of `target`, then `count` inputs drawn by `seed`: whether it keeps its promises. The first input that
/// breaks one is kept in a file, which is named on standard error.
///
/// # Panics
/// Where the target has no seeds.
pub fn holds(target: &Target, count: u32, seed: u64) -> bool {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    let longest = longest(&seeds);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || {
        let mut input = seeds[(rng.next_u64() % seeds.len() as u64) as usize].clone();
        mutate(&mut input, &seeds, longest, &mut rng);
        input
    };
    seeds.iter().all(|input| passes(target, input)) && (0..count).all(|_| passes(target, &draw()))
}

/// How long inputs may grow: twice the longest seed, and four kilobytes.
fn longest(seeds: &[Vec<u8>]) -> usize {
    seeds.iter().map(Vec::len).max().map_or(0, |length| 2 * length).max(4_096)
}

fn passes(target: &Target, input: &[u8]) -> bool {
    let passed = catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok();
    if !passed {
        let name = target.name;
        match keep(name, input) {
            Ok(path) => eprintln!(
                "target {name} broke a promise; the input is {}: once it is understood, keep it as \
                 fuzz/regressions/{name}/<what-it-shows>",
                path.display()
            ),
            Err(error) => eprintln!("target {name} broke a promise; its input could not be kept: {error}"),
        }
    }
    passed
}

fn keep(name: &str, input: &[u8]) -> std::io::Result<PathBuf> {
    let folder = std::env::temp_dir().join("syndic-fuzz");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}-{}", &syndic_round::Digest::of(input).to_string()[..16]));
    std::fs::write(&path, input)?;
    Ok(path)
}
