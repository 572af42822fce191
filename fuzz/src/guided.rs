//! What libFuzzer is told before it starts, by two variables of the environment that `cargo xtask fuzz` sets.

use std::path::Path;
use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::{TARGETS, Target, mutate, target};

struct Campaign {
    target: &'static Target,
    seeds: Vec<Vec<u8>>,
}

/// Chooses the target that `SYNDIC_FUZZ_TARGET` names and writes its seeds to the folder `SYNDIC_FUZZ_SEEDS`, with
/// the name of each by its place. Without the first, prints the names of all targets and ends the process.
///
/// # Panics
/// When there is no such target or the folder cannot be written.
pub fn prepare() {
    let Ok(name) = std::env::var("SYNDIC_FUZZ_TARGET") else {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        std::process::exit(0);
    };
    let target = target(&name).expect("SYNDIC_FUZZ_TARGET names a target");
    let seeds = (target.seeds)();
    if let Some(folder) = std::env::var_os("SYNDIC_FUZZ_SEEDS") {
        std::fs::create_dir_all(&folder).expect("the folder of seeds can be made");
        for (number, seed) in seeds.iter().enumerate() {
            let path = Path::new(&folder).join(format!("seed-{number:03}"));
            std::fs::write(path, seed).expect("a seed can be written");
        }
    }
    CAMPAIGN.get_or_init(|| Campaign { target, seeds });
}

/// Runs the chosen target once.
pub fn run(input: &[u8]) {
    if let Some(campaign) = CAMPAIGN.get() {
        (campaign.target.run)(input);
    }
}

/// Damages `data[..size]` in place by [`mutate`], and says how long it is then.
pub fn damage(data: &mut [u8], size: usize, longest: usize, seed: u32) -> usize {
    let seeds = CAMPAIGN.get().map_or(&[][..], |campaign| &campaign.seeds);
    let mut input = data[..size].to_vec();
    mutate(&mut input, seeds, longest.min(data.len()), &mut ChaCha8Rng::seed_from_u64(seed.into()));
    data[..input.len()].copy_from_slice(&input);
    input.len()
}

static CAMPAIGN: OnceLock<Campaign> = OnceLock::new();
