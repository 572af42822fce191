//! What grows with the cohort and not with the vector: sharing keys, receiving shares, restoring the sum of keys.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, SamplingMode};
use syndic_round::ParameterSet;
use syndic_secure_aggregation::reconstruct;

use super::COHORTS;
use super::dealing::Table;
use super::federation::Federation;
use super::processor::ProcessorTime;

/// Measures every phase in every cohort.
pub(crate) fn measure(criterion: &mut Criterion<ProcessorTime>) {
    for n in COHORTS {
        let table = Table::of(n);
        run(criterion, DEAL, n, || {
            black_box(table.deal());
        });
        let (sharing, sealed) = table.deal();
        run(criterion, RECEIVE, n, || table.receive(&sharing, &sealed));
        restore(criterion, n);
    }
}

pub(crate) fn run(
    criterion: &mut Criterion<ProcessorTime>,
    group: &str,
    n: usize,
    mut routine: impl FnMut(),
) {
    let mut benches = criterion.benchmark_group(group);
    benches.sampling_mode(SamplingMode::Flat).sample_size(12);
    benches.bench_function(BenchmarkId::from_parameter(n), |bencher| bencher.iter(&mut routine));
    benches.finish();
}

/// The sum of keys, from all reveals: every one beyond the threshold is checked.
fn restore(criterion: &mut Criterion<ProcessorTime>, n: usize) {
    let mut federation = Federation::new(ParameterSet::S32, n as u16, 10, 1);
    let ids = federation.ids();
    let steps: BTreeMap<_, _> = ids.iter().map(|&id| (id, vec![1; 10])).collect();
    let updates = federation.encrypt(&steps);
    let survivors = federation.survivors(&updates, &ids);
    let certificate = federation.certify(&survivors);
    let reveals = federation.reveal(&certificate, &ids);
    run(criterion, RESTORE, n, || {
        black_box(reconstruct(&reveals, federation.threshold(), n, &survivors).unwrap());
    });
}

const DEAL: &str = "share, commit and seal";
const RECEIVE: &str = "open and verify all shares";
const RESTORE: &str = "reconstruct";

/// What is measured, in order.
pub(crate) const GROUPS: [&str; 3] = [DEAL, RECEIVE, RESTORE];
