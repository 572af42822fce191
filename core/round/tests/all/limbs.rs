//! From values to coefficients and back: what goes in is what comes out, exactly, or it is refused.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::block;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::layout::LayoutError;
use syndic_round::vector::{CANARIES, ContributionError, SumError};
use syndic_round::{Block, Coding, Contribution, Layout, ParameterSet, RING_DIMENSION, Sum};

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn layout(blocks: &[Block]) -> Layout {
    Layout::new(blocks.to_vec()).expect("a sound layout")
}

/// The sum of what `contributions` quantise to, as the ring would hand it over: exact while it fits.
fn add_up(layout: &Layout, coding: &Coding, contributions: &[Vec<f64>]) -> Vec<i64> {
    let mut sum = vec![0; coding.padded(layout)];
    for (k, values) in contributions.iter().enumerate() {
        let clipped = Contribution::new(layout.clone(), values.clone()).unwrap().clip();
        let quantised = clipped.quantise(coding, &mut rng(k as u64));
        sum.iter_mut().zip(quantised.coefficients()).for_each(|(sum, c)| *sum += c);
    }
    let (least, most) = (
        -(1_i64 << (coding.parameter_set().sum_bits() - 1)),
        1_i64 << (coding.parameter_set().sum_bits() - 1),
    );
    assert!(sum.iter().all(|c| (least..most).contains(c)), "a coefficient leaves the signed sum of mu bits");
    sum
}

fn any_set() -> impl Strategy<Value = ParameterSet> {
    prop::sample::select(ParameterSet::ALL.to_vec())
}

/// A parameter set and a number of admitted institutions that it serves, the extremes often.
fn any_coding() -> impl Strategy<Value = (ParameterSet, u16)> {
    any_set().prop_flat_map(|set| {
        let most = set.largest_cohort();
        (Just(set), prop_oneof![Just(3), Just(most), 3..=most])
    })
}

/// A block whose values need up to five limbs, with a resolution that is a power of two, so that steps times
/// resolution is exact.
fn any_block(name: &'static str) -> impl Strategy<Value = Block> {
    (1..=6_u32, -20..=20_i32, 0..=51_u32, 0.5..1.0_f64).prop_map(move |(len, exponent, bits, fraction)| {
        let resolution = 2_f64.powi(exponent);
        let steps = ((1_u64 << bits) as f64 * fraction).ceil();
        Block { name: name.into(), len, bound: steps * resolution, resolution }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_sum_of_quantised_vectors_decodes_to_the_exact_integer_sum(
        (set, n) in any_coding(),
        blocks in (any_block("a"), any_block("b")),
        seed in any::<u64>(),
        extreme in prop::option::of(any::<bool>()),
        missing in 0..3_u16,
    ) {
        let layout = layout(&[blocks.0, blocks.1]);
        let coding = Coding::new(set, n);
        let survivors = (n - missing).max(1);
        let mut draw = rng(seed);
        let mut steps = vec![0_i64; layout.len()];
        let contributions: Vec<Vec<f64>> = (0..survivors).map(|_| {
            let mut entry = 0;
            let mut values = Vec::new();
            for block in layout.blocks() {
                for _ in 0..block.len {
                    let most = block.largest_step();
                    let step = match extreme {
                        Some(true) => most,
                        Some(false) => -most,
                        None => (rand_core::Rng::next_u64(&mut draw) % (2 * most as u64 + 1)) as i64 - most,
                    };
                    steps[entry] += step;
                    entry += 1;
                    values.push(step as f64 * block.resolution);
                }
            }
            values
        }).collect();
        let sum = add_up(&layout, &coding, &contributions);
        let decoded = Sum::decode(layout.clone(), &coding, survivors, &sum).unwrap();
        prop_assert_eq!(decoded.steps(), &steps[..]);
        prop_assert_eq!(decoded.survivors(), survivors);
        let first = layout.blocks()[0].clone();
        let values: Vec<f64> = steps[..first.len as usize].iter().map(|s| *s as f64 * first.resolution).collect();
        prop_assert_eq!(decoded.values("a"), Some(values));
        prop_assert_eq!(Sum::from_bytes(layout.clone(), &decoded.to_bytes()), Some(decoded));
    }

    #[test]
    fn no_opened_vector_panics(coefficients in prop::collection::vec(any::<i64>(), 12), n in 3..=256_u16) {
        let layout = layout(&[block(3, 1e9, 1e-3)]);
        let coding = Coding::new(ParameterSet::S32, n);
        let mut sum = vec![0; coding.padded(&layout)];
        sum[..4].copy_from_slice(&[i64::from(n), 0, 0, 0]);
        sum[4..16].copy_from_slice(&coefficients);
        Sum::decode(layout, &coding, n, &sum).ok();
    }

    #[test]
    fn no_bytes_panic_as_a_sum(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let layout = layout(&[block(3, 1.0, 1.0)]);
        if let Some(sum) = Sum::from_bytes(layout, &bytes) {
            prop_assert_eq!(sum.to_bytes(), bytes);
        }
    }

    #[test]
    fn rounding_goes_to_one_of_the_two_neighbours(value in -1e6..1e6_f64, seed in any::<u64>()) {
        let layout = layout(&[block(1, 1e6, 1.0)]);
        let coding = Coding::new(ParameterSet::S40, 3);
        let quantised = Contribution::new(layout.clone(), vec![value]).unwrap().clip().quantise(&coding, &mut rng(seed));
        let step = Sum::decode(layout, &coding, 1, quantised.coefficients()).unwrap().steps()[0] as f64;
        prop_assert!(step == value.floor() || step == value.ceil(), "{} became {}", value, step);
    }
}

#[test]
fn a_value_wider_than_one_limb_takes_several() {
    let coding = Coding::new(ParameterSet::S32, 256);
    for (steps, limbs) in [(1.0, 1), (65_535.0, 1), (65_536.0, 2), (4_294_967_295.0, 2), (4_294_967_296.0, 3)]
    {
        assert_eq!(coding.limbs(&block(1, steps, 1.0)), limbs, "{steps} steps");
    }
    let coding = Coding::new(ParameterSet::S24, 64);
    assert_eq!(coding.limbs(&block(1, 2047.0, 1.0)), 1, "11 bits x 64 fit exactly");
    assert_eq!(coding.limbs(&block(1, 2048.0, 1.0)), 2);
    let coding = Coding::new(ParameterSet::S40, 256);
    assert_eq!(coding.limbs(&block(1, 8_388_607.0, 1.0)), 1);
}

#[test]
fn every_vector_begins_with_canaries_and_fills_whole_chunks() {
    let coding = Coding::new(ParameterSet::S32, 5);
    for (len, padded) in [(1, 2048), (2044, 2048), (2045, 4096)] {
        let layout = layout(&[block(len, 100.0, 1.0)]);
        assert_eq!(coding.padded(&layout), padded);
        let contribution = Contribution::new(layout, vec![3.0; len as usize]).unwrap();
        let quantised = contribution.clip().quantise(&coding, &mut rng(0));
        assert_eq!(quantised.coding(), &coding);
        assert_eq!(quantised.coefficients().len(), padded);
        assert_eq!(quantised.coefficients()[..4], CANARIES);
        assert!(quantised.coefficients()[4 + len as usize..].iter().all(|padding| *padding == 0));
        assert_eq!(padded % RING_DIMENSION, 0);
    }
}

#[test]
fn negative_values_cross_limbs() {
    let layout = layout(&[block(4, 1e12, 1.0)]);
    let coding = Coding::new(ParameterSet::S32, 4);
    let values = [vec![-1.0, -1e12, 1e12, 0.0], vec![1.0, -1.0, -1e12, -0.0], vec![-1.0, 1e12, -1e12, 5.0]];
    let sum = add_up(&layout, &coding, &values);
    let decoded = Sum::decode(layout, &coding, 3, &sum).unwrap();
    assert_eq!(decoded.steps(), [-1, -1, -1_000_000_000_000, 5]);
}

#[test]
fn values_beyond_the_bound_are_clipped_and_counted() {
    let layout = layout(&[block(2, 10.0, 1.0), Block { name: "wide".into(), ..block(1, 100.0, 1.0) }]);
    let coding = Coding::new(ParameterSet::S32, 3);
    let clipped = Contribution::new(layout.clone(), vec![-11.0, 10.0, 50.0]).unwrap().clip();
    assert_eq!(clipped.clamped(), 1);
    let quantised = clipped.quantise(&coding, &mut rng(0));
    let decoded = Sum::decode(layout, &coding, 1, quantised.coefficients()).unwrap();
    assert_eq!(decoded.steps(), [-10, 10, 50]);
}

#[test]
fn a_bound_between_two_steps_never_exceeds_the_larger_one() {
    let layout = layout(&[block(1, 0.25, 1.0)]);
    let coding = Coding::new(ParameterSet::S32, 3);
    for seed in 0..50 {
        let quantised =
            Contribution::new(layout.clone(), vec![0.25]).unwrap().clip().quantise(&coding, &mut rng(seed));
        let decoded = Sum::decode(layout.clone(), &coding, 1, quantised.coefficients()).unwrap();
        assert!([0, 1].contains(&decoded.steps()[0]));
    }
}

#[test]
fn stochastic_rounding_keeps_whole_numbers_and_the_mean() {
    let count = 100_000;
    let layout = layout(&[block(count, 10.0, 0.5)]);
    let coding = Coding::new(ParameterSet::S32, 3);
    let steps = |value: f64| {
        let contribution = Contribution::new(layout.clone(), vec![value; count as usize]).unwrap();
        let quantised = contribution.clip().quantise(&coding, &mut rng(42));
        Sum::decode(layout.clone(), &coding, 1, quantised.coefficients()).unwrap().steps().to_vec()
    };
    for whole in [-7.0, -0.5, 0.0, 1.0, 10.0] {
        assert!(
            steps(whole).iter().all(|step| *step as f64 * 0.5 == whole),
            "{whole} is a whole number of steps"
        );
    }
    for value in [-3.3, -0.01, 0.2, 0.37, 9.99] {
        let mean = steps(value).iter().sum::<i64>() as f64 * 0.5 / f64::from(count);
        // Standard deviation of the mean is at most 0.5 * 0.5 / sqrt(count) = 0.0008; six of them.
        assert!((mean - value).abs() < 0.005, "{value} has the mean {mean}");
    }
}

#[test]
fn a_contribution_has_a_finite_value_for_each_entry() {
    let layout = layout(&[block(1, 1.0, 1.0), Block { name: "second".into(), ..block(2, 1.0, 1.0) }]);
    let refused = |values: &[f64]| Contribution::new(layout.clone(), values.to_vec()).err();
    assert_eq!(refused(&[1.0; 3]), None);
    assert_eq!(refused(&[1.0; 2]), Some(ContributionError::Length { expected: 3, found: 2 }));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let expected = ContributionError::NotFinite { block: "second".into(), position: 1 };
        assert_eq!(refused(&[1.0, 0.0, bad]), Some(expected));
    }
}

/// The honest sum of three participants, over one narrow and one wide value.
fn honest_sum() -> (Layout, Coding, Vec<i64>) {
    let layout = layout(&[block(1, 100.0, 1.0), Block { name: "wide".into(), ..block(1, 1e9, 1.0) }]);
    let coding = Coding::new(ParameterSet::S32, 4);
    let sum = add_up(&layout, &coding, &[vec![100.0, 1e9], vec![100.0, 1e9], vec![100.0, -5.0]]);
    (layout, coding, sum)
}

fn altered(position: usize, by: i64) -> Result<Sum, SumError> {
    let (layout, coding, mut sum) = honest_sum();
    sum[position] += by;
    Sum::decode(layout, &coding, 3, &sum)
}

#[test]
fn a_wrong_canary_is_refused() {
    for position in 0..4 {
        for by in [-1, 1] {
            assert_eq!(altered(position, by), Err(SumError::Canary(position)));
        }
    }
    let (layout, coding, sum) = honest_sum();
    assert_eq!(Sum::decode(layout, &coding, 4, &sum), Err(SumError::Canary(0)), "one survivor is missing");
}

#[test]
fn a20_a_sum_beyond_what_the_survivors_can_have_sent_is_refused() {
    assert!(altered(4, 0).is_ok());
    assert_eq!(altered(4, 1), Err(SumError::Overflow { block: "values".into() }));
    assert_eq!(altered(4, -601), Err(SumError::Overflow { block: "values".into() }));
    let wide = || Err(SumError::Overflow { block: "wide".into() });
    let (layout, coding, sum) = honest_sum();
    assert_eq!(coding.limbs(&layout.blocks()[1]), 2);
    assert_eq!(altered(5, -sum[5] - 1), wide(), "a low limb is never negative");
    assert_eq!(altered(5, 1 << 24), wide(), "a low limb has at most its width times the survivors");
    assert_eq!(altered(6, 1 << 10), wide());
    assert_eq!(altered(6, -(1 << 11)), wide());
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    for position in [7, 8, 2047] {
        assert_eq!(altered(position, 1), Err(SumError::Padding));
        assert_eq!(altered(position, -1), Err(SumError::Padding));
    }
}

#[test]
fn a_vector_of_another_length_is_refused() {
    let (layout, coding, sum) = honest_sum();
    for found in [0, 2047, 4096] {
        let mut other = sum.clone();
        other.resize(found, 0);
        let refused = Sum::decode(layout.clone(), &coding, 3, &other);
        assert_eq!(refused, Err(SumError::Length { expected: 2048, found }));
    }
}

#[test]
fn a_block_whose_values_are_no_step_apart_is_no_layout() {
    // The quotient of these underflows to zero: such values would take no room, however many there are.
    for (bound, resolution) in [(5e-324, 1e308), (f64::MIN_POSITIVE, f64::MAX)] {
        let refused = Layout::new(vec![block(u32::MAX, bound, resolution)]);
        assert_eq!(refused, Err(LayoutError::Range("values".into())));
    }
}
