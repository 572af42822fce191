//! What grows with the length of the vector.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_benches::pairwise::{self, Seed, Sign};
use syndic_round::vector::{Coefficients, Decoder, Quantised};
use syndic_round::{Coding, Contribution, ParameterSet, RING_DIMENSION};
use syndic_secure_aggregation::{Aggregate, EncryptedUpdate, Masks, OneTimeKey, reconstruct, unmask};

use super::federation::Federation;
use super::processor::ProcessorTime;
use super::{COHORTS, PARAMETERS};

const SET: ParameterSet = ParameterSet::S32;

/// Measures every step at every length.
pub(crate) fn measure(criterion: &mut Criterion<ProcessorTime>) {
    for parameters in PARAMETERS {
        plain(criterion, parameters);
        participant(criterion, parameters);
        coordinator(criterion, parameters);
        masks_at(criterion, parameters);
    }
    // Over cohorts, at one length.
    for n in COHORTS {
        let (others, neighbours) = (n - 1, pairwise::neighbours(n));
        masking(criterion, "pairwise masks by cohort", n, others, 1_000_000);
        masking(criterion, "neighbours' masks by cohort", n, neighbours, 1_000_000);
        removal(criterion, "pairwise removal by cohort", n, others);
        removal(criterion, "neighbours' removal by cohort", n, neighbours);
    }
}

/// A float32 vector is read and added to a sum.
fn plain(criterion: &mut Criterion<ProcessorTime>, parameters: usize) {
    let update: Vec<f32> = values(parameters).iter().map(|value| *value as f32).collect();
    let mut sum = vec![0_f32; parameters];
    bench(criterion, "plain", parameters, parameters, |bencher| {
        bencher.iter(|| {
            sum.iter_mut().zip(black_box(&update)).for_each(|(sum, value)| *sum += value);
            black_box(&mut sum);
        });
    });
}

fn participant(criterion: &mut Criterion<ProcessorTime>, parameters: usize) {
    let federation = Federation::new(SET, 5, parameters as u32, 1);
    let (layout, coding) = (federation.plan.layout.clone(), federation.plan.coding());
    let values = values(parameters);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let contribution = || Contribution::new(layout.clone(), values.clone()).unwrap();

    let mut draw = ChaCha20Rng::seed_from_u64(3);
    bench(criterion, "encode", parameters, parameters, |bencher| {
        let mut chunk = [0; RING_DIMENSION];
        let encode = |contribution: Contribution| {
            let update = contribution.clip().quantiser(&coding, &mut draw);
            for index in 0..update.chunk_count() {
                update.fill(index, black_box(&mut chunk));
            }
            update
        };
        bencher.iter_batched(contribution, encode, BatchSize::PerIteration);
    });
    let quantised = contribution().clip().quantise(&coding, &mut rng);
    bench(criterion, "encrypt", parameters, parameters, |bencher| {
        let masks = &federation.masks;
        bencher.iter_batched(
            || (OneTimeKey::generate(&mut ChaCha20Rng::seed_from_u64(4)), Again(&quantised)),
            |(key, update)| {
                let mut rng = ChaCha20Rng::seed_from_u64(5);
                key.encrypt_into(update, masks, &mut rng, |chunks| {
                    black_box(chunks);
                    Ok::<_, ()>(())
                })
            },
            BatchSize::PerIteration,
        );
    });
}

fn coordinator(criterion: &mut Criterion<ProcessorTime>, parameters: usize) {
    let mut federation = Federation::new(SET, 5, parameters as u32, 1);
    let ids = federation.ids();
    let updates: BTreeMap<_, EncryptedUpdate> = ids
        .iter()
        .map(|&id| {
            let key = federation.keys.remove(&id).unwrap();
            let contribution = Contribution::new(federation.plan.layout.clone(), values(parameters)).unwrap();
            let update = contribution.clip().quantiser(&federation.plan.coding(), &mut federation.rng);
            (id, key.encrypt(update, &federation.masks, &mut federation.rng))
        })
        .collect();
    let survivors = federation.survivors(&updates, &ids);
    let reveals = federation.reveal(&federation.certify(&survivors), &ids);
    let keys = reconstruct(&reveals, federation.threshold(), ids.len(), &survivors).unwrap().keys;

    bench(criterion, "fold", parameters, parameters, |bencher| {
        let update = &updates[&ids[0]];
        bencher.iter_batched_ref(
            || resident(Aggregate::new(SET, update.chunk_count())),
            |aggregate| aggregate.fold(ids[0], update.bytes()),
            BatchSize::PerIteration,
        );
    });
    let mut windows = Vec::new();
    let size = syndic_secure_aggregation::chunk_bytes(SET);
    let chunks = updates[&ids[0]].chunk_count();
    for first in (0..chunks).step_by(64) {
        let width = 64.min(chunks - first);
        let mut window = Aggregate::window(SET, first, width);
        for (id, update) in &updates {
            window.fold(*id, &update.bytes()[first * size..(first + width) * size]).unwrap();
        }
        windows.push(window);
    }
    let (plan, masks) = (&federation.plan, &federation.masks);
    let open = |masks: &Masks, coding: &Coding| {
        let mut decoder = Decoder::new(plan.layout.clone(), coding, ids.len() as u16);
        for window in &windows {
            decoder.take(&unmask(window, &survivors, &keys, masks).unwrap()).unwrap();
        }
        decoder.finish().unwrap()
    };
    bench(criterion, "unmask and decode", parameters, parameters, |bencher| {
        bencher.iter(|| open(masks, &plan.coding()));
    });
}

/// Pairwise masks among five, at every length.
fn masks_at(criterion: &mut Criterion<ProcessorTime>, parameters: usize) {
    masking(criterion, "pairwise masks among 5", parameters, 4, parameters);
}

/// What a participant with so many neighbours does to its vector.
fn masking(
    criterion: &mut Criterion<ProcessorTime>,
    group: &str,
    parameter: usize,
    neighbours: usize,
    length: usize,
) {
    let seeds: Vec<_> = (0..neighbours).map(|k| (seed(k), sign(k))).collect();
    let mut vector = vec![1_u32; length];
    bench(criterion, group, parameter, length, |bencher| {
        bencher.iter(|| pairwise::mask(black_box(&mut vector), &seed(1_000), &seeds));
    });
}

/// What the coordinator does when a tenth of n dropped: own masks of the others, pair masks of the dropped.
fn removal(criterion: &mut Criterion<ProcessorTime>, group: &str, n: usize, neighbours: usize) {
    const LENGTH: usize = 100_000;
    let dropped: Vec<Vec<_>> =
        (0..n / 10).map(|_| (0..neighbours).map(|k| (seed(k), sign(k))).collect()).collect();
    let survivors: Vec<Seed> = (0..n - n / 10).map(seed).collect();
    let mut sum = vec![1_u32; LENGTH];
    bench(criterion, group, n, LENGTH, |bencher| {
        bencher.iter(|| pairwise::unmask(black_box(&mut sum), &survivors, &dropped));
    });
}

fn bench(
    criterion: &mut Criterion<ProcessorTime>,
    group: &str,
    parameter: usize,
    elements: usize,
    mut routine: impl FnMut(&mut criterion::Bencher<'_, ProcessorTime>),
) {
    let mut benches = criterion.benchmark_group(group);
    benches.throughput(Throughput::Elements(elements as u64)).sampling_mode(SamplingMode::Flat);
    if elements > 1_000_000 {
        benches.sample_size(12);
    }
    benches.bench_function(BenchmarkId::from_parameter(parameter), |bencher| routine(bencher));
    benches.finish();
}

/// An update that is encrypted more than once: for measuring, under a new key each time.
struct Again<'a>(&'a Quantised);

impl Coefficients for Again<'_> {
    fn coding(&self) -> &Coding {
        self.0.coding()
    }

    fn chunk_count(&self) -> usize {
        self.0.chunk_count()
    }

    fn fill(&self, index: usize, chunk: &mut [i64; RING_DIMENSION]) {
        self.0.fill(index, chunk);
    }
}

/// Values between the steps of a layout whose resolution is one.
fn values(parameters: usize) -> Vec<f64> {
    (0..parameters).map(|k| (k as f64).sin() * 1_000.0).collect()
}

/// Touches the pages of an aggregate, so that folding does not pay for them.
fn resident(mut aggregate: Aggregate) -> Aggregate {
    let zeros = Aggregate::new(SET, aggregate.chunk_count());
    aggregate.merge(zeros).unwrap();
    aggregate
}

fn seed(k: usize) -> Seed {
    (k as u128 + 1).to_le_bytes()
}

fn sign(k: usize) -> Sign {
    if k.is_multiple_of(2) { Sign::Plus } else { Sign::Minus }
}
