//! The product a s in Z[X]/(X^2048 + 1) modulo 2^64, exact and fast because s is small.
//!
//! The mask a is cut into signed pieces of 32 bits (for a key) or 22 (for a sum of keys). The product of each
//! piece with s is an integer polynomial small enough for double-precision Fourier transforms; its
//! coefficients, rounded, are exact.
//!
//! Why they are exact. Write u = 2^-53 and |x| for the Euclidean norm, take complex numbers throughout, and let
//! d stand for a number that may differ at every use. Three things happen to numbers here, with or without
//! fused multiply-add:
//!
//! - Sums: `fl(y + z) = (y + z)(1 + d)`, |d| <= u, as both parts are rounded by themselves.
//! - Products: `fl(w z) = w z (1 + d)`, |d| <= 3 u. Each part is a sum of two products, off by at most 2 u (1 + u)
//!   times the sum of their sizes, which is at most |w||z| (Cauchy-Schwarz); two such parts make 2 sqrt2 u.
//! - Factors from a table are roots of unity off by at most 3 u. Our own follow from [`root_of_unity`]; that
//!   tfhe's are no worse a test sees in the table itself. So to multiply by one costs (1 + 3 u)^2.
//!
//! Everything else is exact: folding, division by a power of two, multiplication by i, conjugation. (A result
//! too small for its exponent is off by 2^-1075 more, which the slack at the end takes a thousand times.)
//!
//! *Forward.* A transform of 1024 points is the twist, then ten levels of sums and differences of two numbers
//! with four layers of table factors between them (radix 4). As a map of vectors a level of sums is sqrt2 times
//! a unitary one and a layer of factors is unitary, so relative errors in the norm pass through unchanged and
//! the roundings multiply: the computed transform of x is X + e with |e| <= E |X|, where
//! 1 + E = (1 + u)^10 (1 + 3 u)^10 and |X|^2 = 1024 |x|^2. The same holds for S, scaled by 1/1024 beforehand.
//!
//! *Product.* Point by point, hence by Cauchy-Schwarz the absolute errors of all points together are at most
//! ((1 + E)^2 (1 + 3 u) - 1) |X| |S|, and |X| |S| = |x| |s| after the scaling.
//!
//! *Inverse.* Each output is the sum of all points, each of which reaches it on one path, over ten sums and at
//! most five factors, of size one: the inverse adds at most E times the sum of the sizes of the points. Together
//! a coefficient is off by at most
//!
//! > ((1 + E)^3 (1 + 3 u) - 1) |x| |s| = ((1 + u)^30 (1 + 3 u)^31 - 1) |x| |s| < 124 u |x| |s| < 2^-46 |x| |s|,
//!
//! the first-order term being 30 u + 93 u = 123 u. A piece of w bits has |x| <= 2^(w-1) sqrt2048, so the error
//! is below 1/2, whatever the mask, when
//!
//! > |s|^2 <= 2^(79 - 2 (w - 1)), that is 2^17 for w = 32 and 2^37 for w = 22.
//!
//! [`Multiplier::new`] asserts it. Keys satisfy the first by construction, and sums of up to 256 keys have
//! |S|^2 <= 256^2 * 2^17 = 2^33. No coefficient then exceeds |x| |s| <= 2^45, far below the 2^51 up to which
//! [`round`] rounds.
//!
//! One of the two modules that call tfhe (here its transform, `tfhe-fft`, and the stack it works on).

use std::sync::LazyLock;

use syndic_round::RING_DIMENSION;
use tfhe::core_crypto::prelude::PodStack;
use tfhe_fft::c64;
use tfhe_fft::ordered::FftAlgo;
use tfhe_fft::unordered::{Method, Plan};
use zeroize::{Zeroize, Zeroizing};

/// A small polynomial s, ready to be multiplied with masks cut in `PIECES`. Wiped on drop.
pub(crate) struct Multiplier<const PIECES: usize> {
    /// The transform of s, divided by the number of points so that the inverse transform need not be.
    spectrum: Vec<c64>,
}

/// For one key.
pub(crate) type KeyMultiplier = Multiplier<2>;

/// For a sum of up to 256 keys.
pub(crate) type KeySumMultiplier = Multiplier<3>;

/// Working memory of one thread. Wiped on drop.
pub(crate) struct Workspace {
    points: Vec<c64>,
    stack: Zeroizing<Vec<u8>>,
}

impl<const PIECES: usize> Multiplier<PIECES> {
    const WIDTH: u32 = 64_u32.div_ceil(PIECES as u32);
    const LARGEST_NORM_SQUARED: u64 = 1 << (79 - 2 * (Self::WIDTH - 1));

    /// Transforms s.
    ///
    /// # Panics
    /// When s is too long for the product to be exact (see the module's documentation).
    pub(crate) fn new(s: &[i32; RING_DIMENSION], workspace: &mut Workspace) -> Self {
        let norm_squared: u64 = s.iter().map(|&s| u64::from(s.unsigned_abs()).pow(2)).sum();
        assert!(
            norm_squared <= Self::LARGEST_NORM_SQUARED,
            "the product of a longer key is not proven exact"
        );
        let (low, high) = s.split_at(POINTS);
        let fold = |k: usize| c64::new(f64::from(low[k]), f64::from(high[k])) / POINTS as f64;
        workspace.forward(fold);
        Self { spectrum: workspace.points.clone() }
    }

    /// Adds a s to `sum`, modulo 2^64.
    pub(crate) fn add_product(
        &self,
        a: &[u64; RING_DIMENSION],
        sum: &mut [u64; RING_DIMENSION],
        workspace: &mut Workspace,
    ) {
        let (a_low, a_high) = a.split_at(POINTS);
        let (sum_low, sum_high) = sum.split_at_mut(POINTS);
        for index in 0..PIECES as u32 {
            let part = |a| f64::from(Self::piece(a, index));
            workspace.forward(|k| c64::new(part(a_low[k]), part(a_high[k])));
            for (point, factor) in workspace.points.iter_mut().zip(&self.spectrum) {
                *point *= factor;
            }
            let shift = Self::WIDTH * index;
            workspace.inverse(|k, re, im| {
                sum_low[k] = sum_low[k].wrapping_add(re << shift);
                sum_high[k] = sum_high[k].wrapping_add(im << shift);
            });
        }
    }

    /// Piece `index` of `a`, in -2^(w-1) .. 2^(w-1): `a` is the sum of its pieces times 2^(w index), modulo
    /// 2^64.
    #[inline(always)]
    fn piece(a: u64, index: u32) -> i32 {
        // Half a unit added at every cut makes the digits of the sum, less that half, signed pieces.
        let half = 1 << (Self::WIDTH - 1);
        let halves = (0..PIECES as u32 - 1).fold(0, |sum, cut| sum | half << (Self::WIDTH * cut));
        let digits = a.wrapping_add(halves) >> (Self::WIDTH * index);
        if index + 1 == PIECES as u32 {
            digits as i32
        } else {
            ((digits & (2 * half - 1)) as i64 - half as i64) as i32
        }
    }
}

impl<const PIECES: usize> Drop for Multiplier<PIECES> {
    fn drop(&mut self) {
        wipe(&mut self.spectrum);
    }
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let stack = vec![0; TRANSFORM.plan.fft_scratch().unaligned_bytes_required()];
        Self { points: vec![c64::default(); POINTS], stack: Zeroizing::new(stack) }
    }

    /// Leaves in `points` the values at the roots of X^2048 + 1 of the polynomial whose coefficients k and
    /// k + 1024 are the real and imaginary part of `fold(k)`.
    #[inline(always)]
    fn forward(&mut self, mut fold: impl FnMut(usize) -> c64) {
        for (k, (point, twist)) in self.points.iter_mut().zip(&TRANSFORM.twist).enumerate() {
            *point = fold(k) * twist;
        }
        TRANSFORM.plan.fwd(&mut self.points, PodStack::new(&mut self.stack));
    }

    /// The way back: gives coefficients k and k + 1024, rounded, as integers modulo 2^64.
    #[inline(always)]
    fn inverse(&mut self, mut give: impl FnMut(usize, u64, u64)) {
        TRANSFORM.plan.inv(&mut self.points, PodStack::new(&mut self.stack));
        for (k, (point, twist)) in self.points.iter().zip(&TRANSFORM.twist).enumerate() {
            let both = point * twist.conj();
            give(k, round(both.re), round(both.im));
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        wipe(&mut self.points);
    }
}

/// The nearest integer modulo 2^64, for |x| < 2^51: `f64::round` is a call into the C library on the common
/// x86-64 target.
#[inline(always)]
fn round(x: f64) -> u64 {
    const ROUNDER: f64 = (3_u64 << 51) as f64;
    (x + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits())
}

fn wipe(points: &mut [c64]) {
    for point in points {
        point.re.zeroize();
        point.im.zeroize();
    }
}

/// Points of a transform: two real coefficients each.
const POINTS: usize = RING_DIMENSION / 2;

struct Transform {
    plan: Plan,
    /// Powers of exp(i pi / 2048), which turn X^1024 - i into X^1024 - 1.
    twist: Vec<c64>,
}

/// The algorithm is named, not measured: measuring picks badly under load.
static TRANSFORM: LazyLock<Transform> = LazyLock::new(|| Transform {
    plan: Plan::new(POINTS, Method::UserProvided { base_algo: FftAlgo::Dif4, base_n: 256 }),
    twist: (0..POINTS).map(root_of_unity).collect(),
});

/// exp(i pi k / 2048) for k up to 1024, off by at most 3 u.
///
/// Angles beyond pi/4 are mirrored. So the angle is at most pi/4 and, since pi is stored within 0.36 u of itself
/// and the product is rounded once, off by at most 1.4 u pi/4 < 1.1 u; sine and cosine of the C library are off
/// by a unit in their last place, which is at most u: together 1.1 u + sqrt2 u.
fn root_of_unity(k: usize) -> c64 {
    let of = |k: usize| (std::f64::consts::PI / RING_DIMENSION as f64 * k as f64).sin_cos();
    if k <= POINTS / 2 {
        let (sin, cos) = of(k);
        c64::new(cos, sin)
    } else {
        let (cos, sin) = of(POINTS - k);
        c64::new(cos, sin)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    /// a s by the definition.
    pub(crate) fn schoolbook(a: &[u64; RING_DIMENSION], s: &[i32; RING_DIMENSION]) -> Vec<u64> {
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
            for (point, &k) in transform(position).iter().zip(&frequencies).filter(|(_, k)| is_one_digit(**k))
            {
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
            workspace
                .forward(|_| c64::new(f64::from(rng.next_u32() as i32), f64::from(rng.next_u32() as i32)));
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
}
