//! The Gaussian errors that make encryption safe: one rounded Gaussian for each coefficient.
//!
//! How good they are. Of an error e only this travels: to which multiple of 2^(64 - p), four of its widths, the sum
//! a s + Delta m + e is rounded. So the view of anybody depends on e by the probabilities of falling beyond points that the
//! other terms choose, and on nothing finer. Each of those probabilities is within 2^-41 of the Gaussian's:
//!
//! - Layers of the ziggurat are chosen with probability 1/256. Their areas, as computed, agree within a factor of
//!   1 + 2^-42, which a test sees; so the density is that of the Gaussian within the same factor.
//! - A position is a multiple of 2^-53 of its layer's width, and is rounded once, by at most 2^-53 of itself: together
//!   they move a probability by less than 2^-51. The wedges compare numbers of 53 bits, off by as little.
//! - Scaling by a power of two is exact, and rounding to an integer is part of what is wanted.
//!
//! Errors end at 13.7 widths, so there are at most eight multiples, and given everything else a sent coefficient is within
//! 2^-39 of one with a perfect error, in statistical distance. Looked at more closely than anybody can, the integers
//! beside each other differ by more: fewer than 2^53 positions share 2^(62 - p) integers (docs/parameters.md).
//!
//! Tests hold the errors of every set against the rounded Gaussian: moments, tails, and chi-square over bins that end
//! where layers do.

use std::sync::LazyLock;

use aes::Aes256;
use aes::cipher::KeyInit;
use rand_core::CryptoRng;
use syndic_round::ParameterSet;
use zeroize::{Zeroize, Zeroizing};

use crate::keystream;

/// Where the errors of one encryption come from: a fresh 256-bit secret, one stream for each chunk, so that
/// chunks can be encrypted in any order.
///
/// Drawn from the participant's own generator and never from the round's seed; lives in memory only, for the
/// length of one call, and is wiped on drop.
pub(crate) struct NoiseSource {
    cipher: Aes256,
}

impl NoiseSource {
    /// A source of its own for one encryption.
    pub(crate) fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self { cipher: Aes256::new((&*seed).into()) }
    }

    /// Adds the errors of chunk `index` to `coefficients`, modulo 2^64: Gaussians of standard deviation
    /// 2^(62 - p), rounded to integers.
    ///
    /// The ziggurat is exact but not constant in time: how long a chunk takes depends on how many candidates
    /// were rejected in it.
    pub(crate) fn add_to(&self, coefficients: &mut [u64], index: usize, set: ParameterSet) {
        let width = (1_u64 << (62 - set.sent_bits())) as f64;
        let mut stream = Stream::new(&self.cipher, index);
        for coefficient in coefficients {
            // |error| stays below 2^42, far from the 2^51 up to which adding and subtracting rounds.
            let rounded = (ZIGGURAT.sample(&mut stream) * width + ROUNDER).to_bits();
            *coefficient = coefficient.wrapping_add(rounded.wrapping_sub(ROUNDER.to_bits()));
        }
    }
}

/// Adding this leaves a number's nearest integer in the low bits of the sum.
const ROUNDER: f64 = (3_u64 << 51) as f64;

/// The random words of one chunk.
struct Stream<'a> {
    cipher: &'a Aes256,
    next_block: u128,
    words: [u64; WORDS],
    used: usize,
}

const WORDS: usize = 256;

impl<'a> Stream<'a> {
    fn new(cipher: &'a Aes256, index: usize) -> Self {
        Self { cipher, next_block: (index as u128) << 64, words: [0; WORDS], used: WORDS }
    }

    #[inline]
    fn next(&mut self) -> u64 {
        if self.used == WORDS {
            keystream::fill(self.cipher, self.next_block, &mut self.words);
            self.next_block += WORDS as u128 / 2;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// Uniform in (0, 1].
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 * UNIT
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

/// 2^-53.
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

/// Marsaglia and Tsang's ziggurat of 256 layers for the standard normal distribution (Journal of Statistical
/// Software 5(8), 2000), with 53 bits for the position within a layer.
struct Ziggurat {
    /// Right edge of each layer, falling; the first is that of the base's rectangle of equal area.
    edge: [f64; LAYERS + 1],
    /// Density at each edge, rising.
    density: [f64; LAYERS + 1],
}

const LAYERS: usize = 256;
/// Where the base layer's tail begins.
const TAIL: f64 = 3.654_152_885_361_009;
/// Area of each layer.
const AREA: f64 = 0.004_928_673_233_974_655;

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(Ziggurat::new);

impl Ziggurat {
    fn new() -> Self {
        let (mut edge, mut density) = ([0.0; LAYERS + 1], [1.0; LAYERS + 1]);
        edge[0] = AREA / bell(TAIL);
        edge[1] = TAIL;
        for layer in 2..LAYERS {
            edge[layer] = (-2.0 * (AREA / edge[layer - 1] + bell(edge[layer - 1])).ln()).sqrt();
        }
        for layer in 0..LAYERS {
            density[layer] = bell(edge[layer]);
        }
        Self { edge, density }
    }

    #[inline]
    fn sample(&self, stream: &mut Stream) -> f64 {
        loop {
            // Bits 0-7 choose the layer, bit 8 the sign, bits 11-63 the position.
            let word = stream.next();
            let layer = (word & 0xff) as usize;
            let x = (word >> 11) as f64 * UNIT * self.edge[layer];
            let sign = (word & 0x100) << 55;
            if x < self.edge[layer + 1] {
                return f64::from_bits(x.to_bits() | sign);
            }
            if let Some(x) = self.beyond(layer, x, stream) {
                return f64::from_bits(x.to_bits() | sign);
            }
        }
    }

    /// The one candidate in a hundred outside the rectangle that lies wholly under the curve.
    #[cold]
    fn beyond(&self, layer: usize, x: f64, stream: &mut Stream) -> Option<f64> {
        if layer == 0 {
            loop {
                let (a, b) = (-stream.uniform().ln() / TAIL, -stream.uniform().ln());
                if b + b >= a * a {
                    return Some(TAIL + a);
                }
            }
        }
        let (low, high) = (self.density[layer], self.density[layer + 1]);
        (low + stream.uniform() * (high - low) < bell(x)).then_some(x)
    }
}

/// The standard normal density, times sqrt(2 pi).
fn bell(x: f64) -> f64 {
    (-0.5 * x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const SAMPLES: usize = 1 << 20;

    /// Errors in units of their nominal width.
    fn errors(set: ParameterSet, samples: usize) -> Vec<f64> {
        let source = NoiseSource::draw(&mut ChaCha20Rng::seed_from_u64(3));
        let mut errors = vec![0; samples];
        errors.chunks_mut(2048).enumerate().for_each(|(index, chunk)| source.add_to(chunk, index, set));
        let width = 2_f64.powi(62 - set.sent_bits() as i32);
        errors.into_iter().map(|error| error as i64 as f64 / width).collect()
    }

    /// Probability that a standard normal variable exceeds x, by Simpson's rule on the density.
    fn upper_tail(x: f64) -> f64 {
        upper_tail_in(4_000, x)
    }

    fn upper_tail_in(steps: i32, x: f64) -> f64 {
        let end = 12.0;
        let step = (end - x) / f64::from(steps);
        let weight = |i| if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        let sum: f64 = (0..=steps).map(|i| weight(i) * bell(x + f64::from(i) * step)).sum();
        sum * step / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn errors_are_gaussian_of_the_stated_width_in_every_set() {
        for set in ParameterSet::ALL {
            let errors = errors(set, SAMPLES);
            let n = SAMPLES as f64;
            let moment = |power: i32| errors.iter().map(|e| e.powi(power)).sum::<f64>() / n;
            // Five standard errors of each estimate.
            assert!(moment(1).abs() < 5.0 / n.sqrt(), "mean {}", moment(1));
            assert!((moment(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "variance {}", moment(2));
            assert!(moment(3).abs() < 5.0 * (15.0 / n).sqrt(), "skewness {}", moment(3));
            assert!((moment(4) - 3.0).abs() < 5.0 * (96.0 / n).sqrt(), "kurtosis {}", moment(4));
            for threshold in [0.25, 1.0, 2.0, 3.0, TAIL, 4.0] {
                let expected = 2.0 * upper_tail(threshold) * n;
                let found = errors.iter().filter(|e| e.abs() > threshold).count() as f64;
                assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{threshold}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn layers_have_equal_areas() {
        let Ziggurat { edge, density } = &*ZIGGURAT;
        let off = |area: f64| (area / AREA - 1.0).abs();
        for layer in 1..LAYERS {
            let area = edge[layer] * (density[layer + 1] - density[layer]);
            assert!(off(area) < 2_f64.powi(-42), "layer {layer} is off by {:e}", off(area));
        }
        // The base is a rectangle up to the tail, and the tail.
        let tail = upper_tail_in(40_000, TAIL) * (2.0 * std::f64::consts::PI).sqrt();
        let base = TAIL * bell(TAIL) + tail;
        assert!(off(base) < 2_f64.powi(-42), "the base is off by {:e}", off(base));
        assert_eq!((edge[0] * density[1] / AREA, density[LAYERS]), (1.0, 1.0));
    }

    #[test]
    fn errors_fall_into_every_layer_as_often_as_a_gaussian() {
        // Bins end where layers do, where a wrong ziggurat shows, then in the tail; both signs.
        let mut ends: Vec<f64> = ZIGGURAT.edge[1..LAYERS].iter().rev().copied().collect();
        ends.extend([3.8, 4.0, 4.25]);
        let beyond: Vec<f64> = std::iter::once(0.5).chain(ends.iter().map(|&end| upper_tail(end))).collect();
        let probability = |bin: usize| beyond[bin] - beyond.get(bin + 1).copied().unwrap_or(0.0);
        for set in ParameterSet::ALL {
            let mut counts = vec![[0_u32; 2]; beyond.len()];
            for error in errors(set, 1 << 22) {
                let bin = ends.partition_point(|&end| end <= error.abs());
                counts[bin][usize::from(error < 0.0)] += 1;
            }
            let chi_square: f64 = counts
                .iter()
                .enumerate()
                .flat_map(|(bin, counts)| counts.map(|count| (probability(bin) * f64::from(1 << 22), count)))
                .map(|(expected, count)| (f64::from(count) - expected).powi(2) / expected)
                .sum();
            let freedom = (2 * beyond.len() - 1) as f64;
            let off = (chi_square - freedom) / (2.0 * freedom).sqrt();
            // A chi-square that is too small would be no random sample either.
            assert!(off.abs() < 5.0, "{}: chi-square {chi_square}, {freedom} degrees", set.name());
        }
    }

    #[test]
    fn low_bits_are_noise_too() {
        let source = NoiseSource::draw(&mut ChaCha20Rng::seed_from_u64(4));
        let mut errors = vec![0; 4096];
        source.add_to(&mut errors, 0, ParameterSet::S24);
        for bit in 0..20 {
            let ones = errors.iter().filter(|&&error| error >> bit & 1 == 1).count();
            assert!(ones.abs_diff(2048) < 5 * 32, "bit {bit} is set in {ones} of 4096");
        }
    }

    #[test]
    fn each_encryption_and_each_chunk_has_errors_of_its_own() {
        let chunk = |seed, index| {
            let mut errors = vec![0; 2048];
            NoiseSource::draw(&mut ChaCha20Rng::seed_from_u64(seed)).add_to(
                &mut errors,
                index,
                ParameterSet::S32,
            );
            errors
        };
        assert_eq!(chunk(5, 1), chunk(5, 1));
        assert_ne!(chunk(5, 1), chunk(5, 2));
        assert_ne!(chunk(5, 1), chunk(6, 1));
    }
}
