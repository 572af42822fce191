//! The Gaussian errors that make encryption safe: one rounded Gaussian for each coefficient.

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
    fn errors(set: ParameterSet) -> Vec<f64> {
        let source = NoiseSource::draw(&mut ChaCha20Rng::seed_from_u64(3));
        let mut errors = vec![0; SAMPLES];
        errors.chunks_mut(2048).enumerate().for_each(|(index, chunk)| source.add_to(chunk, index, set));
        let width = 2_f64.powi(62 - set.sent_bits() as i32);
        errors.into_iter().map(|error| error as i64 as f64 / width).collect()
    }

    /// Probability that a standard normal variable exceeds x, by Simpson's rule on the density.
    fn upper_tail(x: f64) -> f64 {
        let (steps, end) = (4_000, 12.0);
        let step = (end - x) / f64::from(steps);
        let weight = |i| if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        let sum: f64 = (0..=steps).map(|i| weight(i) * bell(x + f64::from(i) * step)).sum();
        sum * step / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn errors_are_gaussian_of_the_stated_width_in_every_set() {
        for set in ParameterSet::ALL {
            let errors = errors(set);
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
