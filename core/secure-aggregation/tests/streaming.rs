//! Updates and aggregates piece by piece are the same bytes and the same sums.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

#[path = "encrypted_round/federation.rs"]
#[allow(dead_code, reason = "shared with the tests of whole rounds")]
mod federation;

use federation::Federation;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::vector::{Coefficients, Decoder, Quantiser};
use syndic_round::{Contribution, ParameterSet};
use syndic_secure_aggregation::*;

const VALUES: u32 = 300_000;

fn quantiser(federation: &Federation, seed: u64) -> Quantiser {
    let values = (0..VALUES).map(|k| f64::from(k % 1_000) - 500.25 + seed as f64).collect();
    let contribution = Contribution::new(federation.plan.layout.clone(), values).unwrap();
    contribution.clip().quantiser(&federation.plan.coding(), &mut ChaCha20Rng::seed_from_u64(seed))
}

/// The pieces of an update and its root, by as many threads.
fn streamed(federation: &Federation, threads: usize) -> (Vec<Vec<u8>>, syndic_round::Digest) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut pieces = Vec::new();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = OneTimeKey::generate(&mut rng);
    let update = quantiser(federation, 2);
    let sink = |chunks: &[u8]| {
        pieces.push(chunks.to_vec());
        Ok::<_, ()>(())
    };
    let root = pool.install(|| key.encrypt_into(update, &federation.masks, &mut rng, sink)).unwrap();
    (pieces, root)
}

#[test]
fn an_update_encrypted_in_pieces_is_the_update_whatever_the_threads() {
    for set in ParameterSet::ALL {
        let federation = Federation::new(set, 3, VALUES, 1);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = OneTimeKey::generate(&mut rng);
        let whole = key.encrypt(quantiser(&federation, 2), &federation.masks, &mut rng);
        assert_eq!(EncryptedUpdate::from_bytes(set, whole.bytes().to_vec()).as_ref(), Ok(&whole));
        for threads in [1, 3] {
            let (pieces, root) = streamed(&federation, threads);
            assert_eq!((pieces.concat(), root), (whole.bytes().to_vec(), whole.root()));
            assert!(pieces.iter().all(|piece| piece.len() < 1 << 20 && piece.len() % chunk_bytes(set) == 0));
            assert!(pieces.len() > 2, "an update of this length has several pieces");
        }
    }
}

#[test]
fn the_first_error_of_the_sink_ends_an_encryption() {
    let mut federation = Federation::new(ParameterSet::S32, 3, VALUES, 1);
    let key = OneTimeKey::generate(&mut federation.rng);
    let update = quantiser(&federation, 3);
    let mut calls = 0;
    let full = |_: &[u8]| {
        calls += 1;
        if calls == 2 { Err("the disk is full") } else { Ok(()) }
    };
    let ended = key.encrypt_into(update, &federation.masks, &mut federation.rng, full);
    assert_eq!((ended, calls), (Err("the disk is full"), 2));
}

#[test]
fn windows_of_the_aggregate_open_to_the_same_sum() {
    let mut federation = Federation::new(ParameterSet::S40, 3, VALUES, 4);
    let ids = federation.ids();
    let updates = ids
        .iter()
        .map(|&id| {
            let key = federation.keys.remove(&id).unwrap();
            let update = quantiser(&federation, u64::from(id.get()));
            (id, key.encrypt(update, &federation.masks, &mut federation.rng))
        })
        .collect();
    let survivors = federation.survivors(&updates, &ids);
    let reveals = federation.reveal(&federation.certify(&survivors), &ids);
    let keys = reconstruct(&reveals, federation.threshold(), 3, &survivors).unwrap().keys;

    let mut whole = federation.empty_aggregate();
    updates.iter().for_each(|(id, update)| whole.fold(*id, update.bytes()).unwrap());
    let opened = unmask(&whole, &survivors, &keys, &federation.masks).unwrap();

    let size = chunk_bytes(ParameterSet::S40);
    let mut decoder =
        Decoder::new(federation.plan.layout.clone(), &federation.plan.coding(), survivors.len() as u16);
    let (mut leaves, mut bytes) = (Vec::new(), Vec::new());
    let mut first = 0;
    for width in [1, 70, 3, 1_000] {
        let width = width.min(whole.chunk_count() - first);
        let mut window = Aggregate::window(ParameterSet::S40, first, width);
        for (id, update) in &updates {
            window.fold(*id, &update.bytes()[first * size..(first + width) * size]).unwrap();
        }
        leaves.extend(window.leaves());
        bytes.extend_from_slice(window.bytes());
        decoder.take(&unmask(&window, &survivors, &keys, &federation.masks).unwrap()).unwrap();
        first += width;
    }
    assert_eq!(first, whole.chunk_count());
    assert_eq!((bytes.as_slice(), merkle::root(&leaves)), (whole.bytes(), whole.root()));
    assert_eq!(decoder.finish(), federation.decode(&survivors, &opened));

    // A window that says it is another one is unmasked by the wrong masks.
    let mut misplaced = Aggregate::window(ParameterSet::S40, 1, 1);
    for (id, update) in &updates {
        misplaced.fold(*id, &update.bytes()[..size]).unwrap();
    }
    let refused = unmask(&misplaced, &survivors, &keys, &federation.masks);
    assert_eq!(refused, Err(UnmaskError::Residual));
}

#[test]
fn what_is_left_of_a_short_last_piece_is_not_sent() {
    let federation = Federation::new(ParameterSet::S32, 3, VALUES, 6);
    let (pieces, _) = streamed(&federation, 2);
    let chunks: usize = pieces.iter().map(|piece| piece.len() / chunk_bytes(ParameterSet::S32)).sum();
    assert_eq!(chunks, quantiser(&federation, 2).chunk_count());
}
