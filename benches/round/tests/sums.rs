//! What is measured is a round: with either engine it ends in the sum that the values make up.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use syndic_bench_round::{Workload, play};
use syndic_round::{Block, Layout, ParameterSet, ParticipantId};
use syndic_simulation::engine::Engine;

const PARAMETERS: u32 = 10_000;

/// Whole numbers, which the encoder leaves as they are.
fn value(id: ParticipantId, k: usize) -> f64 {
    ((k * 31 + usize::from(id.get())) % 2_000) as f64 - 999.0
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_come_to_the_sum_of_the_values() {
    let block = Block { name: "update".into(), len: PARAMETERS, bound: 1_000.0, resolution: 1.0 };
    let workload = Workload {
        participants: 5,
        layout: Layout::new(vec![block]).unwrap(),
        parameter_set: ParameterSet::S32,
        values: value,
    };
    let ids = (1..=5).map(|number| ParticipantId::new(number).unwrap());
    let sum = |k: usize| ids.clone().map(|id| value(id, k) as i64).sum();
    let expected: Vec<i64> = (0..PARAMETERS as usize).map(sum).collect();
    for engine in [Engine::Encrypted, Engine::Plain] {
        let folder = tempfile::tempdir().unwrap();
        let played = play(engine, &workload, folder.path()).await.unwrap();
        assert_eq!(played.steps, expected, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_round_alike() {
    let block = Block { name: "update".into(), len: PARAMETERS, bound: 1_000.0, resolution: 1.0 };
    let workload = Workload {
        participants: 5,
        layout: Layout::new(vec![block]).unwrap(),
        parameter_set: ParameterSet::S32,
        values: |id, k| (k as f64 + f64::from(id.get())).sin() * 1_000.0,
    };
    let mut sums = Vec::new();
    for engine in [Engine::Encrypted, Engine::Plain] {
        let folder = tempfile::tempdir().unwrap();
        sums.push(play(engine, &workload, folder.path()).await.unwrap().steps);
    }
    assert_eq!(sums[0], sums[1]);
}
