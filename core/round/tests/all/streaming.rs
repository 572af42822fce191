//! Vectors piece by piece are the same vectors; rounding keeps its law whatever the order.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::block;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::vector::{Coefficients, Decoder, Quantiser, SumError};
use syndic_round::{Block, Coding, Contribution, Layout, ParameterSet, RING_DIMENSION, Sum};

fn quantiser(layout: &Layout, coding: &Coding, values: Vec<f64>, seed: u64) -> Quantiser {
    let contribution = Contribution::new(layout.clone(), values).unwrap();
    contribution.clip().quantiser(coding, &mut ChaCha20Rng::seed_from_u64(seed))
}

/// Blocks whose values take one to five limbs, so that values lie across chunks.
fn any_layout() -> impl Strategy<Value = Layout> {
    let block = (1..3_000_u32, 0..=51_u32);
    prop::collection::vec(block, 1..5).prop_map(|blocks| {
        let named = |(k, (len, bits)): (usize, (u32, u32))| Block {
            name: k.to_string(),
            len,
            bound: (1_u64 << bits) as f64 * 0.25,
            resolution: 0.25,
        };
        Layout::new(blocks.into_iter().enumerate().map(named).collect()).unwrap()
    })
}

/// Values all over each block's range, most of them between two steps.
fn spread(layout: &Layout) -> Vec<f64> {
    let within = |(block, k): (&Block, u32)| block.bound * (f64::from(k) * 0.618_033).sin();
    layout.blocks().iter().flat_map(|block| (0..block.len).map(move |k| (block, k))).map(within).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_in_any_order_are_those_of_the_whole_vector(layout in any_layout(), n in 3..=64_u16, seed: u64) {
        let coding = Coding::new(ParameterSet::S24, n);
        let values = spread(&layout);
        let contribution = Contribution::new(layout.clone(), values.clone()).unwrap();
        let whole = contribution.clip().quantise(&coding, &mut ChaCha20Rng::seed_from_u64(seed));
        let streamed = quantiser(&layout, &coding, values, seed);
        prop_assert_eq!(streamed.coding(), &coding);
        prop_assert_eq!(streamed.chunk_count() * RING_DIMENSION, coding.padded(&layout));
        prop_assert_eq!(whole.chunk_count(), streamed.chunk_count());
        for index in (0..streamed.chunk_count()).rev() {
            let (mut from_whole, mut chunk) = ([7; RING_DIMENSION], [8; RING_DIMENSION]);
            whole.fill(index, &mut from_whole);
            streamed.fill(index, &mut chunk);
            prop_assert!(chunk == from_whole, "chunk {}", index);
            prop_assert_eq!(&chunk[..], &whole.coefficients()[index * RING_DIMENSION..][..RING_DIMENSION]);
        }
    }

    #[test]
    fn a_sum_decoded_in_pieces_is_the_sum(layout in any_layout(), sizes in prop::collection::vec(1..5_000_usize, 1..9)) {
        let coding = Coding::new(ParameterSet::S32, 5);
        let contribution = Contribution::new(layout.clone(), spread(&layout)).unwrap();
        let opened = contribution.clip().quantise(&coding, &mut ChaCha20Rng::seed_from_u64(1));
        let whole = Sum::decode(layout.clone(), &coding, 1, opened.coefficients()).unwrap();
        let mut decoder = Decoder::new(layout.clone(), &coding, 1);
        let (mut rest, mut sizes) = (opened.coefficients(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            decoder.take(piece).unwrap();
            rest = later;
        }
        prop_assert_eq!(decoder.finish(), Ok(whole.clone()));
        let bytes = whole.to_bytes();
        prop_assert_eq!(whole.byte_count(), bytes.len());
        prop_assert_eq!(whole.pieces().collect::<Vec<_>>().concat(), bytes);
    }
}

#[test]
fn what_was_refused_in_one_piece_stays_refused() {
    let layout = Layout::new(vec![block(2_100, 1.0, 1.0)]).unwrap();
    let coding = Coding::new(ParameterSet::S32, 3);
    let decoder = || Decoder::new(layout.clone(), &coding, 2);
    let mut zeros = vec![0; 4_096];
    zeros[0] = 2;

    let mut short = decoder();
    short.take(&zeros[..4_095]).unwrap();
    assert_eq!(short.finish(), Err(SumError::Length { expected: 4_096, found: 4_095 }));

    let mut long = decoder();
    long.take(&zeros).unwrap();
    assert_eq!(long.take(&[0]), Err(SumError::Length { expected: 4_096, found: 4_097 }));

    for (position, expected) in [
        (1, SumError::Canary(1)),
        (3_000, SumError::Padding),
        (9, SumError::Overflow { block: "values".into() }),
    ] {
        let (mut altered, mut decoder) = (zeros.clone(), decoder());
        altered[position] = 3;
        let (first, second) = altered.split_at(position + 1);
        assert_eq!(decoder.take(first), Err(expected.clone()), "position {position}");
        assert_eq!(decoder.take(second), Err(expected.clone()), "position {position}");
        assert_eq!(decoder.finish(), Err(expected));
    }
}

/// Steps that `count` values of `value` become, at a resolution of one.
fn steps(value: f64, count: u32, seed: u64) -> Vec<i64> {
    let layout = Layout::new(vec![block(count, 2_f64.powi(52), 1.0)]).unwrap();
    let coding = Coding::new(ParameterSet::S40, 3);
    let contribution = Contribution::new(layout.clone(), vec![value; count as usize]).unwrap();
    let quantised = contribution.clip().quantise(&coding, &mut ChaCha20Rng::seed_from_u64(seed));
    Sum::decode(layout, &coding, 1, quantised.coefficients()).unwrap().steps().to_vec()
}

#[test]
fn rounding_has_the_mean_and_the_variance_of_its_law_at_every_fraction() {
    let count = 1 << 16;
    let fractions = [1.0 / 4096.0, 0.01, 0.1, 0.25, 0.5, 0.7, 0.99, 1.0 - 1.0 / 4096.0];
    for (seed, (whole, fraction)) in
        [-1_000.0, -1.0, 0.0, 3.0, 1e9].into_iter().flat_map(|w| fractions.map(|f| (w, f))).enumerate()
    {
        let steps = steps(whole + fraction, count, seed as u64);
        let ups = steps.iter().map(|step| (*step as f64) - whole);
        let mean = ups.clone().sum::<f64>() / f64::from(count);
        assert!(ups.clone().all(|up| up == 0.0 || up == 1.0), "{whole} + {fraction}");
        // A Bernoulli variable of this probability, hence its variance too; five standard errors.
        let error = (fraction * (1.0 - fraction) / f64::from(count)).sqrt();
        assert!((mean - fraction).abs() < 5.0 * error, "{whole} + {fraction}: {mean}");
    }
}

#[test]
fn neighbouring_values_are_rounded_independently() {
    let halves = steps(0.5, 1 << 16, 99);
    for lag in [1, 2, 3, 4, 64, 2_048] {
        let products = halves.windows(lag + 1).map(|pair| (2 * pair[0] - 1) * (2 * pair[lag] - 1));
        let correlation = products.clone().sum::<i64>() as f64 / products.len() as f64;
        assert!(correlation.abs() < 5.0 / 256.0, "lag {lag}: {correlation}");
    }
}

#[test]
fn whole_numbers_stay_as_they_are_up_to_the_largest() {
    let most = 1_i64 << 52;
    for whole in [0, 1, 3, 65_535, (1 << 50) - 1, 1 << 50, (1 << 51) + 1, most - 1, most] {
        for signed in [whole, -whole] {
            assert!(steps(signed as f64, 64, 5).iter().all(|step| *step == signed), "{signed}");
        }
    }
    // The smallest steps are rounded by another path than those of blocks up to 2^50 wide: both are met here.
    let layout = Layout::new(vec![block(64, 1_000.0, 1.0)]).unwrap();
    let coding = Coding::new(ParameterSet::S40, 3);
    let values = (0..64).map(|k| f64::from(k - 32)).collect();
    let streamed = quantiser(&layout, &coding, values, 6);
    let mut chunk = [0; RING_DIMENSION];
    streamed.fill(0, &mut chunk);
    assert!(chunk[4..68].iter().zip(-32..).all(|(found, whole)| *found == whole));
}

#[test]
fn both_ways_of_rounding_agree() {
    // One block below 2^50 steps and one above, of the same values and hence the same words at the same positions.
    let coding = Coding::new(ParameterSet::S40, 3);
    let values: Vec<f64> = (0..1_000).map(|k| f64::from(k).sin() * 1e6).collect();
    let rounded = |bound: f64| {
        let layout = Layout::new(vec![block(1_000, bound, 1.0)]).unwrap();
        let contribution = Contribution::new(layout.clone(), values.clone()).unwrap();
        let quantised = contribution.clip().quantise(&coding, &mut ChaCha20Rng::seed_from_u64(7));
        Sum::decode(layout, &coding, 1, quantised.coefficients()).unwrap().steps().to_vec()
    };
    assert_eq!(rounded(2_f64.powi(50) - 1.0), rounded(2_f64.powi(50) + 1.0));
}
