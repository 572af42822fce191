//! What quantising, encrypting, folding and hashing an update cost, in nanoseconds per parameter.
//!
//! `cargo run --release -p syndic-secure-aggregation --example encrypt_speed -- [PARAMETERS]`

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::{Block, Coding, Contribution, Digest, Layout, ParameterSet, ParticipantId};
use syndic_secure_aggregation::{Aggregate, Masks, OneTimeKey};

fn main() {
    let parameters: u32 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number"));
    let block = Block { name: "weights".into(), len: parameters, bound: 1.0, resolution: 0.000_1 };
    let layout = Layout::new(vec![block]).expect("the layout is valid");
    let values: Vec<f64> = (0..parameters).map(|k| f64::from(k).sin()).collect();
    let masks = Masks::new(&Digest::of(b"speed"));
    let mut rng = ChaCha20Rng::seed_from_u64(0);
    let per_parameter = |start: Instant| start.elapsed().as_nanos() as f64 / f64::from(parameters);

    println!("{} threads; set RAYON_NUM_THREADS=1 for one core", rayon::current_num_threads());
    for set in ParameterSet::ALL {
        let coding = Coding::new(set, 5);
        let id = ParticipantId::new(1).expect("not zero");
        let mut best = [f64::INFINITY; 4];
        for _ in 0..5 {
            let contribution =
                Contribution::new(layout.clone(), values.clone()).expect("the values are finite");
            let start = Instant::now();
            let update = contribution.clip().quantise(&coding, &mut rng);
            let quantise = per_parameter(start);

            let key = OneTimeKey::generate(&mut rng);
            let start = Instant::now();
            let encrypted = key.encrypt(update, &masks, &mut rng);
            let encrypt = per_parameter(start);

            let mut aggregate = Aggregate::new(set, encrypted.chunk_count());
            let start = Instant::now();
            aggregate.fold(id, encrypted.bytes()).expect("the first update of this participant");
            let fold = per_parameter(start);

            let start = Instant::now();
            encrypted.root();
            let root = per_parameter(start);
            for (best, found) in best.iter_mut().zip([quantise, encrypt, fold, root]) {
                *best = best.min(found);
            }
        }
        let [quantise, encrypt, fold, root] = best;
        println!(
            "{}: quantise {quantise:.2}, encrypt {encrypt:.2}, fold {fold:.2}, Merkle root {root:.2} ns/parameter",
            set.name()
        );
    }
}
