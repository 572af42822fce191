//! The product against its definition, at its extremes, and what the proof of its exactness supposes.

use super::*;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// a s by the definition.
fn schoolbook(a: &[u64; RING_DIMENSION], s: &[i32; RING_DIMENSION]) -> Vec<u64> {
    let mut product = vec![0_u64; RING_DIMENSION];
    for (i, &a) in a.iter().enumerate() {
        for (j, &s) in s.iter().enumerate() {
            let term = a.wrapping_mul(s as i64 as u64);
            let k = (i + j) % RING_DIMENSION;
            product[k] = if i + j < RING_DIMENSION {
                product[k].wrapping_add(term)
            } else {
                product[k].wrapping_sub(term)
            };
        }
    }
    product
}

fn fast<const PIECES: usize>(a: &[u64; RING_DIMENSION], s: &[i32; RING_DIMENSION]) -> Vec<u64> {
    let mut workspace = Workspace::new();
    let mut product = [0; RING_DIMENSION];
    Multiplier::<PIECES>::new(s, &mut workspace).add_product(a, &mut product, &mut workspace);
    product.to_vec()
}

/// Polynomials that are as large as allowed, and line up with themselves.
fn extremes<T: Copy + Default>(most: T, least: T) -> Vec<[T; RING_DIMENSION]> {
    let alternating = std::array::from_fn(|k| if k % 2 == 0 { most } else { least });
    let blocks = std::array::from_fn(|k| if k / 64 % 2 == 0 { most } else { least });
    let mut single = [T::default(); RING_DIMENSION];
    single[RING_DIMENSION - 1] = most;
    vec![[most; RING_DIMENSION], [least; RING_DIMENSION], alternating, blocks, single]
}

#[test]
fn products_of_extreme_masks_and_keys_are_exact() {
    // Both cuts meet their largest pieces at 2^31 and 2^21 and multiples above; 8 is the largest constant
    // whose norm a key may have.
    let masks = [(1 << 63, 1 << 31), (0x7fff_ffff_7fff_ffff, 0x8000_0000_8000_0000), (u64::MAX, 1 << 21)];
    for (most, least) in masks {
        for a in extremes(most, least) {
            for s in extremes(8, -8) {
                assert_eq!(fast::<2>(&a, &s), schoolbook(&a, &s));
            }
            for s in extremes(256 * 8, -256 * 8) {
                assert_eq!(fast::<3>(&a, &s), schoolbook(&a, &s));
            }
        }
    }
}

/// pi with 62 fractional bits.
const PI: i128 = 0x3243_f6a8_885a_308d_3131_98a2 >> 30;

/// exp(i pi k / 2048) with 62 fractional bits, in integers alone: Taylor's series up to pi/4, mirrored beyond.
fn exact_root(k: usize) -> (i128, i128) {
    match k {
        0..=512 => {
            let angle = (PI * k as i128) >> 11;
            let (mut term, mut cos, mut sin) = (1 << 62, 0, 0);
            for n in 0..24 {
                let sign = if n / 2 % 2 == 0 { 1 } else { -1 };
                *if n % 2 == 0 { &mut cos } else { &mut sin } += sign * term;
                term = ((term * angle) >> 62) / (n + 1);
            }
            (cos, sin)
        }
        513..=1024 => {
            let (cos, sin) = exact_root(1024 - k);
            (sin, cos)
        }
        _ => {
            let (cos, sin) = exact_root(k - 1024);
            (-sin, cos)
        }
    }
}

/// How far `found` is from exp(i pi k / 2048), in units of 2^-53.
fn distance(found: c64, k: usize) -> f64 {
    let scale = (1_u64 << 62) as f64;
    let (cos, sin) = exact_root(k % 4096);
    let (re, im) = ((found.re * scale) as i128 - cos, (found.im * scale) as i128 - sin);
    (re as f64).hypot(im as f64) / (1 << 9) as f64
}

#[test]
fn the_exact_roots_are_roots_of_unity() {
    for k in 0..4096 {
        let (cos, sin) = exact_root(k);
        let norm = ((cos * cos) >> 62) + ((sin * sin) >> 62);
        assert!((norm - (1 << 62)).abs() < 64, "root {k}");
    }
    assert_eq!(exact_root(512).0 >> 20, exact_root(512).1 >> 20, "at pi/4 sine and cosine are equal");
}

#[test]
fn table_factors_are_as_good_as_the_proof_supposes() {
    for (k, &twist) in TRANSFORM.twist.iter().enumerate() {
        assert!(distance(twist, k) < 3.0, "twist {k}");
    }
    // A transform of a single one gives at frequency k, where k has one digit in base 4 that is not zero,
    // exactly one factor of tfhe's table: all others on that path are one, and sums with zeros are exact.
    let mut workspace = Workspace::new();
    let mut transform = |position: usize| {
        workspace.points.fill(c64::default());
        workspace.points[position] = c64::new(1.0, 0.0);
        TRANSFORM.plan.fwd(&mut workspace.points, PodStack::new(&mut workspace.stack));
        workspace.points.clone()
    };
    let turns = |point: &c64| point.im.atan2(point.re) / (2.0 * std::f64::consts::PI);
    let frequency = |point| (-turns(point) * POINTS as f64).round().rem_euclid(POINTS as f64) as usize;
    let frequencies: Vec<usize> = transform(1).iter().map(frequency).collect();
    let is_one_digit = |k: usize| (0..5).any(|place| (1..4).any(|digit| k == digit << (2 * place)));
    let mut factors = 0;
    for position in 0..POINTS {
        for (point, &k) in transform(position).iter().zip(&frequencies).filter(|(_, k)| is_one_digit(**k)) {
            // exp(-2 pi i k position / 1024), as a power of exp(i pi / 2048).
            let power = 4096 - 4 * (k * position % POINTS);
            assert!(distance(*point, power) < 3.0, "frequency {k} at {position}");
            factors += 1;
        }
    }
    assert_eq!(factors, 15 * POINTS);
}

#[test]
#[should_panic(expected = "not proven exact")]
fn a_key_too_long_for_the_proof_is_refused() {
    fast::<2>(&[0; RING_DIMENSION], &[9; RING_DIMENSION]);
}

#[test]
fn rounding_errors_stay_far_below_the_bound() {
    // The distance of every coefficient from its integer, which the proof puts below 1/2.
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut workspace = Workspace::new();
    let mut worst = 0_f64;
    for _ in 0..20 {
        let s: [i32; RING_DIMENSION] = std::array::from_fn(|_| (rng.next_u32() % 17) as i32 - 8);
        let key = KeyMultiplier::new(&s, &mut workspace);
        workspace.forward(|_| c64::new(f64::from(rng.next_u32() as i32), f64::from(rng.next_u32() as i32)));
        workspace.points.iter_mut().zip(&key.spectrum).for_each(|(point, factor)| *point *= factor);
        TRANSFORM.plan.inv(&mut workspace.points, PodStack::new(&mut workspace.stack));
        for (point, twist) in workspace.points.iter().zip(&TRANSFORM.twist) {
            let both = point * twist.conj();
            worst = worst.max((both.re - both.re.round()).abs()).max((both.im - both.im.round()).abs());
        }
    }
    assert!(worst < 1.0 / 64.0, "a coefficient is {worst} from its integer");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_fast_product_is_the_schoolbook_product(seed: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let a = std::array::from_fn(|_| rng.next_u64());
        let s = std::array::from_fn(|_| (rng.next_u32() % 17) as i32 - 8);
        let sum = std::array::from_fn(|_| (rng.next_u32() % 4097) as i32 - 2048);
        prop_assert_eq!(fast::<2>(&a, &s), schoolbook(&a, &s));
        prop_assert_eq!(fast::<3>(&a, &sum), schoolbook(&a, &sum));
    }

    #[test]
    fn pieces_make_up_the_whole(a: u64) {
        let two = (0..2).fold(0_u64, |sum, i| {
            sum.wrapping_add((Multiplier::<2>::piece(a, i) as i64 as u64) << (32 * i))
        });
        let three = (0..3).fold(0_u64, |sum, i| {
            sum.wrapping_add((Multiplier::<3>::piece(a, i) as i64 as u64) << (22 * i))
        });
        prop_assert_eq!((two, three), (a, a));
        prop_assert!((0..3).all(|i| Multiplier::<3>::piece(a, i).unsigned_abs() <= 1 << 21));
    }
}
