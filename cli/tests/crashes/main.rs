//! A whole federation over real loopback TCP and TLS whose coordinator dies at an append, before or after the
//! entry is stored, and is started again on the same store and port while the institutions go on.
//!
//! No phase of a round ends for want of time here, so whatever a crash loses is missed: the run never ends.
//!
//! The normal run takes a seeded sample of the points at which a coordinator can die; `SYNDIC_SOAK=1` all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod answers;
mod copies;
#[allow(dead_code, reason = "other tests need more of it")]
mod federation;
mod fsck;
#[path = "../over_the_wire/kept.rs"]
#[allow(dead_code, reason = "other tests look at more of it")]
mod kept;
mod life;
mod log;
mod mortal;
mod older;
mod run;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::log::{Death, Fate, Plan};
use crate::run::{Ran, run};

/// Every way to die at the append of the entry of this number.
fn points_at(entry: u64) -> [Plan; 4] {
    [
        (Fate::NotStored, Death::Silent),
        (Fate::Stored, Death::Silent),
        (Fate::NotStored, Death::Told),
        (Fate::Stored, Death::Told),
    ]
    .map(|(fate, death)| Plan { of: "", first: entry, every: None, fate, death })
}

#[test]
fn a_coordinator_that_dies_at_any_append_loses_nothing() {
    let calm = run(&Plan::NEVER);
    assert_eq!(calm.deaths, 0);
    // Who reveals last in a round is heard only if the sum is not open yet, so runs differ by a few entries.
    let certain = calm.entries - SLOWEST;
    let mut points: Vec<Plan> = (0..certain).flat_map(points_at).collect();
    if std::env::var_os("SYNDIC_SOAK").is_some() {
        points.extend((certain..calm.entries + SLOWEST).flat_map(points_at));
    } else {
        points.shuffle(&mut StdRng::seed_from_u64(2));
        points.truncate(SAMPLE);
    }

    let ran = on_two_lanes(&points);

    let died = ran.iter().filter(|ran| ran.deaths > 0).count();
    println!("{} points of {} entries; the coordinator died at {died}", ran.len(), calm.entries);
    for ran in ran.iter().filter(|ran| ran.plan.first < certain) {
        assert_eq!(ran.deaths, 1, "it must have died at {:?}", ran.plan);
    }
}

#[test]
fn a_coordinator_that_dies_again_and_again_loses_nothing() {
    let often = |fate, death| Plan { of: "", first: 3, every: Some(7), fate, death };
    let plans = [often(Fate::NotStored, Death::Silent), often(Fate::Stored, Death::Told)];
    for ran in on_two_lanes(&plans) {
        assert!(ran.deaths >= 8, "{} deaths", ran.deaths);
    }
}

/// Runs all plans, two at a time, and panics if one of them fails.
fn on_two_lanes(plans: &[Plan]) -> Vec<Ran> {
    two_at_a_time(plans, run)
}

fn two_at_a_time<P: Sync, R: Send>(plans: &[P], run: impl Fn(&P) -> R + Sync) -> Vec<R> {
    let next = AtomicU64::new(0);
    let lane = || {
        let mut ran = Vec::new();
        while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            ran.push(run(plan));
        }
        ran
    };
    thread::scope(|scope| {
        let lanes = [scope.spawn(lane), scope.spawn(lane)];
        lanes.into_iter().flat_map(|lane| lane.join().expect("a run has failed; see above")).collect()
    })
}

/// Points of the normal run.
const SAMPLE: usize = 24;
/// Entries by which runs may differ: two for each round.
const SLOWEST: u64 = 6;
