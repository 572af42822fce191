//! A seeded sample of every target, and every finding that was kept. With `SYNDIC_SOAK=1` a hundred times as many.

use std::path::Path;

use syndic_fuzz::{TARGETS, sample, target};

#[test]
fn no_sampled_input_breaks_a_promise() {
    let times = if std::env::var_os("SYNDIC_SOAK").is_some() { 100 } else { 1 };
    let broken: Vec<_> =
        TARGETS.iter().filter(|target| !sample::holds(target, times * target.sample, SEED)).collect();
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

/// Draws the sample; any other number draws another.
const SEED: u64 = 20_261;
