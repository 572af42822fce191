//! Instructions of every step of an encrypted round: what no other work on the machine can change.
//!
//! `cargo bench -p syndic-benches --features instructions --bench instructions`, where valgrind and the runner are
//! (docs/performance.md). Every step runs in a process of its own, on one thread.

#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot be made may fail loudly")]

#[path = "../performance/dealing.rs"]
#[allow(dead_code, reason = "shared with the other benchmark")]
mod dealing;
#[path = "../../../core/secure-aggregation/tests/encrypted_round/federation.rs"]
#[allow(dead_code, reason = "shared with the tests of whole rounds")]
mod federation;

use std::collections::BTreeMap;
use std::hint::black_box;

use dealing::Table;
use federation::Federation;
use gungraun::{library_benchmark, library_benchmark_group, main};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::vector::{Coefficients, Decoder, Quantised};
use syndic_round::{
    Coding, Contribution, Digest, ParameterSet, ParticipantId, RING_DIMENSION, RoundPlan, Sum, SurvivorSet,
};
use syndic_secure_aggregation::{
    Aggregate, KeyShareSum, KeySum, Masks, OneTimeKey, Sharing, reconstruct, unmask,
};

const SET: ParameterSet = ParameterSet::S32;
const COHORT: u16 = 5;

/// As many as fill 64 chunks, canaries included.
const PARAMETERS: usize = 64 * RING_DIMENSION - 4;

#[library_benchmark]
#[bench::chunks_64(setup = contribution)]
fn encode((contribution, coding): (Contribution, Coding)) {
    let mut chunk = [0; RING_DIMENSION];
    let update = contribution.clip().quantiser(&coding, &mut ChaCha20Rng::seed_from_u64(3));
    for index in 0..update.chunk_count() {
        update.fill(index, black_box(&mut chunk));
    }
}

#[library_benchmark]
#[bench::chunks_64(setup = key_and_update)]
fn encrypt((key, update, masks): (OneTimeKey, Quantised, Masks)) -> Digest {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let sink = |chunks: &[u8]| {
        black_box(chunks);
        Ok::<_, ()>(())
    };
    key.encrypt_into(update, &masks, &mut rng, sink).unwrap()
}

#[library_benchmark]
#[bench::chunks_64(setup = aggregate_and_update)]
fn fold((mut aggregate, from, update): (Aggregate, ParticipantId, Vec<u8>)) -> Aggregate {
    aggregate.fold(from, &update).unwrap();
    aggregate
}

#[library_benchmark]
#[bench::chunks_64(setup = Sealed::of_all)]
fn unmask_and_decode(sealed: Sealed) -> Sum {
    let Sealed { plan, aggregate, survivors, keys, masks } = &sealed;
    let mut decoder = Decoder::new(plan.layout.clone(), &plan.coding(), survivors.len() as u16);
    decoder.take(&unmask(aggregate, survivors, keys, masks).unwrap()).unwrap();
    decoder.finish().unwrap()
}

#[library_benchmark]
#[bench::cohort_of_5(setup = table)]
fn share_commit_and_seal(table: Table) -> (Sharing, Vec<Vec<u8>>) {
    table.deal()
}

#[library_benchmark]
#[bench::cohort_of_5(setup = dealt)]
fn open_and_verify_all_shares((table, sharing, sealed): (Table, Sharing, Vec<Vec<u8>>)) {
    table.receive(&sharing, &sealed);
}

#[library_benchmark]
#[bench::cohort_of_5(setup = Revealed::by_all)]
fn restore(revealed: Revealed) -> KeySum {
    let Revealed { reveals, threshold, survivors } = &revealed;
    reconstruct(reveals, *threshold, usize::from(COHORT), survivors).unwrap().keys
}

library_benchmark_group!(
    name = steps;
    benchmarks = encode, encrypt, fold, unmask_and_decode, share_commit_and_seal, open_and_verify_all_shares, restore
);
main!(library_benchmark_groups = steps);

fn values() -> Vec<f64> {
    (0..PARAMETERS).map(|k| (k as f64).sin() * 1_000.0).collect()
}

fn federation() -> Federation {
    alone();
    Federation::new(SET, COHORT, PARAMETERS as u32, 1)
}

fn contribution() -> (Contribution, Coding) {
    let plan = federation().plan;
    (Contribution::new(plan.layout.clone(), values()).unwrap(), plan.coding())
}

fn key_and_update() -> (OneTimeKey, Quantised, Masks) {
    let mut federation = federation();
    let contribution = Contribution::new(federation.plan.layout.clone(), values()).unwrap();
    let update = contribution.clip().quantise(&federation.plan.coding(), &mut federation.rng);
    (OneTimeKey::generate(&mut federation.rng), update, federation.masks)
}

fn aggregate_and_update() -> (Aggregate, ParticipantId, Vec<u8>) {
    let mut federation = federation();
    let steps = BTreeMap::from([(federation.ids()[0], vec![1; PARAMETERS])]);
    let (from, update) = federation.encrypt(&steps).pop_first().unwrap();
    (federation.empty_aggregate(), from, update.into_bytes())
}

/// What a coordinator unmasks.
struct Sealed {
    plan: RoundPlan,
    aggregate: Aggregate,
    survivors: SurvivorSet,
    keys: KeySum,
    masks: Masks,
}

impl Sealed {
    fn of_all() -> Self {
        let mut federation = federation();
        let ids = federation.ids();
        let steps = ids.iter().map(|&id| (id, vec![1; PARAMETERS])).collect();
        let updates = federation.encrypt(&steps);
        let mut aggregate = federation.empty_aggregate();
        updates.iter().for_each(|(id, update)| aggregate.fold(*id, update.bytes()).unwrap());
        let survivors = federation.survivors(&updates, &ids);
        let reveals = federation.reveal(&federation.certify(&survivors), &ids);
        let keys = reconstruct(&reveals, federation.threshold(), ids.len(), &survivors).unwrap().keys;
        Self { aggregate, survivors, keys, masks: federation.masks, plan: federation.plan }
    }
}

fn table() -> Table {
    alone();
    Table::of(COHORT.into())
}

fn dealt() -> (Table, Sharing, Vec<Vec<u8>>) {
    let table = table();
    let (sharing, sealed) = table.deal();
    (table, sharing, sealed)
}

/// What a coordinator restores the sum of keys from.
struct Revealed {
    reveals: Vec<(ParticipantId, KeyShareSum)>,
    threshold: u16,
    survivors: SurvivorSet,
}

impl Revealed {
    fn by_all() -> Self {
        alone();
        let mut federation = Federation::new(SET, COHORT, 10, 1);
        let ids = federation.ids();
        let steps = ids.iter().map(|&id| (id, vec![1; 10])).collect();
        let updates = federation.encrypt(&steps);
        let survivors = federation.survivors(&updates, &ids);
        let reveals = federation.reveal(&federation.certify(&survivors), &ids);
        Self { reveals, threshold: federation.threshold(), survivors }
    }
}

/// Work that is divided among threads stays on the one that is watched.
fn alone() {
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().unwrap();
}
