//! Many runs side by side, each lane with a federation of its own.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::house::Founded;

/// All scenarios in a soak, or as many as it may play; otherwise `sample` of them. Drawn with a seed.
pub(crate) fn chosen<T>(mut scenarios: Vec<T>, sample: usize) -> Vec<T> {
    scenarios.shuffle(&mut StdRng::seed_from_u64(seed()));
    scenarios.truncate(most(sample));
    scenarios
}

/// The same with all of them so many `times` in a soak: none a second time before each was played once.
pub(crate) fn chosen_again<T: Clone>(scenarios: Vec<T>, times: usize, sample: usize) -> Vec<T> {
    let mut rng = StdRng::seed_from_u64(seed());
    let mut passes = vec![scenarios; times];
    passes.iter_mut().for_each(|pass| pass.shuffle(&mut rng));
    let mut all = passes.concat();
    all.truncate(most(sample));
    all
}

/// How many runs of a campaign there are at most.
fn most(sample: usize) -> usize {
    if is_soak() { number("SYNDIC_SOAK_RUNS").unwrap_or(usize::MAX) } else { sample }
}

pub(crate) fn is_soak() -> bool {
    std::env::var_os("SYNDIC_SOAK").is_some()
}

pub(crate) fn seed() -> u64 {
    number("SYNDIC_SOAK_SEED").map_or(1, |seed| seed as u64)
}

/// Plays every scenario, each to its end whatever becomes of the others, and panics if any of them has failed. Tells of each
/// as it ends: a soak takes hours.
pub(crate) fn play<S: Debug + Sync, R: Debug + Send>(
    scenarios: &[S],
    run: impl Fn(&Founded, &S) -> R + Sync,
) -> Vec<R> {
    let (next, played, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let lane = || {
        let founded = Founded::new();
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ran = catch_unwind(AssertUnwindSafe(|| run(&founded, scenario)));
            let (mut played, mut failed) = (played.lock().unwrap(), failed.lock().unwrap());
            match ran {
                Ok(ran) => {
                    println!("{scenario:?}: {ran:?}");
                    played.push(ran);
                }
                // Why stands above.
                Err(_) => {
                    println!("{scenario:?}: FAILED");
                    failed.push(scenario);
                }
            }
            println!("{} of {}, {} failed", played.len() + failed.len(), scenarios.len(), failed.len());
        }
    };
    thread::scope(|scope| {
        for lane in (0..lanes()).map(|_| scope.spawn(lane)).collect::<Vec<_>>() {
            lane.join().expect("no federation is founded; see above");
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} scenarios have failed: {failed:#?}", failed.len(), scenarios.len());
    played.into_inner().unwrap()
}

/// How many runs go on side by side. They wait more than they work.
fn lanes() -> usize {
    number("SYNDIC_SOAK_LANES").unwrap_or(2)
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}
