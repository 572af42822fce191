//! The product a s in `Z[X]/(X^2048 + 1)` modulo 2^64, exact and fast because s is small.
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
//! - Factors from a table are roots of unity off by at most 3 u. Our own follow from `root_of_unity`; that
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
//! `round` rounds.
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
/// by a unit in their last place, which is at most u: together 1.1 u + sqrt2 u. (A library that is grossly worse
/// fails the self-test that a participant makes at its start.)
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
mod tests;
