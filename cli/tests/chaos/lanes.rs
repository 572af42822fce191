//! Many runs, two at a time, each lane with a federation of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::house::Founded;

/// All scenarios in a soak, or as many as it may play; otherwise `sample` of them. Drawn with a seed.
pub(crate) fn chosen<T>(mut scenarios: Vec<T>, sample: usize) -> Vec<T> {
    let most = std::env::var("SYNDIC_SOAK_RUNS").map_or(usize::MAX, |runs| runs.parse().unwrap());
    scenarios.shuffle(&mut StdRng::seed_from_u64(seed()));
    scenarios.truncate(if is_soak() { most } else { sample });
    scenarios
}

pub(crate) fn is_soak() -> bool {
    std::env::var_os("SYNDIC_SOAK").is_some()
}

pub(crate) fn seed() -> u64 {
    std::env::var("SYNDIC_SOAK_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// Plays every scenario, and panics if one of them fails.
pub(crate) fn play<S: Sync, R: Send>(scenarios: &[S], run: impl Fn(&Founded, &S) -> R + Sync) -> Vec<R> {
    let (next, played) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let lane = || {
        let founded = Founded::new();
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ran = run(&founded, scenario);
            played.lock().unwrap().push(ran);
        }
    };
    thread::scope(|scope| {
        for lane in [scope.spawn(lane), scope.spawn(lane)] {
            lane.join().expect("a scenario has failed; see above");
        }
    });
    played.into_inner().unwrap()
}
