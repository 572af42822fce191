//! A seeded sample of every target, and every finding that was kept. With `SYNDIC_SOAK=1` a hundred times as many, and ten
//! thousand for each decoder at least. With `SYNDIC_FUZZ_TARGET` that target alone.

use std::path::Path;
use std::time::Instant;

use syndic_fuzz::{TARGETS, Target, sample, target};

#[test]
fn no_sampled_input_breaks_a_promise() {
    let is_long = std::env::var_os("SYNDIC_SOAK").is_some();
    let count = |target: &Target| match is_long {
        true => (100 * target.sample).max(PER_DECODER * target.decoders),
        false => target.sample,
    };
    let holds = |target: &Target| {
        let (count, began) = (count(target), Instant::now());
        let holds = sample::holds(target, count, SEED);
        println!("{}: {count} inputs, {:?}", target.name, began.elapsed());
        holds
    };
    let alone = std::env::var("SYNDIC_FUZZ_TARGET").ok();
    let chosen = TARGETS.iter().filter(|target| alone.as_ref().is_none_or(|name| name == target.name));
    let broken: Vec<_> = chosen.filter(|target| !holds(target)).collect();
    assert!(broken.is_empty(), "broken: {:?}", broken.iter().map(|target| target.name).collect::<Vec<_>>());
}

#[test]
fn every_finding_that_was_kept_stays_mended() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for folder in std::fs::read_dir(folders).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let target = target(&name).unwrap_or_else(|| panic!("regressions/{name} belongs to no target"));
        for finding in std::fs::read_dir(folder.path()).unwrap() {
            let path = finding.unwrap().path();
            println!("{}", path.display());
            (target.run)(&std::fs::read(path).unwrap());
        }
    }
}

#[test]
fn targets_have_names_of_their_own() {
    let mut names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

/// Inputs for each decoder, at least, where the sample is long.
const PER_DECODER: u32 = 10_000;
/// Draws the sample; any other number draws another.
const SEED: u64 = 20_261;
