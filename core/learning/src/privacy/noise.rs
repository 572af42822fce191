//! Exact samplers of integer noise: discrete Laplace and discrete Gaussian.
//!
//! Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy", NeurIPS 2020, arXiv 2004.00010,
//! Algorithms 1 to 3. Parameters are ratios of whole numbers and so is every probability on the way: no floating number
//! is involved, so none can be attacked through its rounding (Mironov, CCS 2012). How long a draw takes depends on what
//! is drawn; who can time single draws learns something of them.

use rand_core::CryptoRng;

use super::PrivacyError;

/// A ratio of whole numbers above zero, in lowest terms, both at most 2^[`RATIO_BITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    /// numerator / denominator.
    ///
    /// # Errors
    /// [`PrivacyError::Ratio`] when one of them is zero, or too large in lowest terms.
    pub fn new(numerator: u64, denominator: u64) -> Result<Self, PrivacyError> {
        if numerator == 0 || denominator == 0 {
            return Err(PrivacyError::Ratio { numerator, denominator });
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        let ratio = Self { numerator: numerator / divisor, denominator: denominator / divisor };
        if ratio.numerator.max(ratio.denominator) > 1 << RATIO_BITS {
            return Err(PrivacyError::Ratio { numerator, denominator });
        }
        Ok(ratio)
    }

    /// The smallest ratio that is at least `value` and has 2^`places` as denominator before it is reduced: for noise,
    /// rounding up is the safe side.
    ///
    /// # Errors
    /// [`PrivacyError::Ratio`] when the value is not above zero or too large.
    pub fn at_least(value: f64, places: u32) -> Result<Self, PrivacyError> {
        let denominator = 1_u64 << places.min(RATIO_BITS);
        // A power of two is an exact factor, and the conversion of what is too large or no number is refused below.
        let numerator = libm::ceil(value * denominator as f64);
        Self::new(numerator as u64, denominator)
    }

    /// The numerator, in lowest terms.
    pub fn numerator(&self) -> u64 {
        self.numerator
    }

    /// The denominator, in lowest terms.
    pub fn denominator(&self) -> u64 {
        self.denominator
    }
}

/// Discrete noise of one kind, drawn as often as needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerNoise {
    /// P(x) is proportional to exp(-|x| / scale).
    Laplace {
        /// Scale, in the unit of the whole numbers.
        scale: Ratio,
    },
    /// P(x) is proportional to exp(-x^2 / (2 variance)).
    Gaussian {
        /// Variance parameter: the variance itself, but for a tiny bit less where it is small.
        variance: Ratio,
    },
}

impl IntegerNoise {
    /// One draw.
    pub fn draw(&self, rng: &mut impl CryptoRng) -> i64 {
        match *self {
            Self::Laplace { scale } => laplace(scale, rng),
            Self::Gaussian { variance } => gaussian(variance, rng),
        }
    }
}

/// Algorithm 2: a discrete Laplace number of scale t/s.
fn laplace(scale: Ratio, rng: &mut impl CryptoRng) -> i64 {
    let (t, s) = (u128::from(scale.numerator), u128::from(scale.denominator));
    loop {
        let remainder = below(t, rng);
        if !bernoulli_exp(remainder, t, rng) {
            continue;
        }
        let mut whole = 0;
        while whole < MOST_WHOLE && bernoulli_exp_one(rng) {
            whole += 1;
        }
        if whole == MOST_WHOLE {
            // Has probability exp(-1024): that it happens is less likely than that the generator repeats its key. It
            // keeps all products within 128 bits.
            continue;
        }
        let magnitude = ((remainder + t * whole) / s) as i64;
        let negative = below(2, rng) == 1;
        if negative && magnitude == 0 {
            continue;
        }
        return if negative { -magnitude } else { magnitude };
    }
}

/// Algorithm 3: a discrete Gaussian number of variance a/b, from a discrete Laplace one of scale t.
fn gaussian(variance: Ratio, rng: &mut impl CryptoRng) -> i64 {
    let (a, b) = (u128::from(variance.numerator), u128::from(variance.denominator));
    let t = (a / b).isqrt() + 1;
    let scale = Ratio { numerator: t as u64, denominator: 1 };
    loop {
        let candidate = laplace(scale, rng);
        // (|y| - a/bt)^2 / (2a/b) as one fraction. With a, b <= 2^50, b t^2 <= 2^52 and |y| < 2^10 t, so that the square
        // is below 2^126 and the denominator below 2^104.
        let distance = (u128::from(candidate.unsigned_abs()) * b * t).abs_diff(a);
        if bernoulli_exp(distance * distance, 2 * a * b * t * t, rng) {
            return candidate;
        }
    }
}

/// Algorithm 1: true with probability exp(-numerator / denominator).
fn bernoulli_exp(numerator: u128, denominator: u128, rng: &mut impl CryptoRng) -> bool {
    let mut whole = numerator / denominator;
    while whole > 0 {
        if !bernoulli_exp_one(rng) {
            return false;
        }
        whole -= 1;
    }
    bernoulli_exp_below_one(numerator % denominator, denominator, rng)
}

fn bernoulli_exp_one(rng: &mut impl CryptoRng) -> bool {
    bernoulli_exp_below_one(1, 1, rng)
}

/// The same for an exponent of at most 1.
fn bernoulli_exp_below_one(numerator: u128, denominator: u128, rng: &mut impl CryptoRng) -> bool {
    // The k-th trial succeeds with probability exponent / k. There are more than 2^20 of them with a probability below
    // 1 / 2^20!, so the product does not overflow.
    let mut k = 1;
    while below(denominator * k, rng) < numerator {
        k += 1;
    }
    k % 2 == 1
}

/// A uniform number below `bound`, which is at least 1: bits as many as it needs, drawn anew while they are too large.
fn below(bound: u128, rng: &mut impl CryptoRng) -> u128 {
    let bits = u128::BITS - (bound - 1).leading_zeros();
    if bits == 0 {
        return 0;
    }
    loop {
        let low = u128::from(rng.next_u64());
        let word = if bits > 64 { low | u128::from(rng.next_u64()) << 64 } else { low };
        let value = word & (u128::MAX >> (u128::BITS - bits));
        if value < bound {
            return value;
        }
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Bits of the largest numerator and denominator.
pub const RATIO_BITS: u32 = 50;

/// Scales that the magnitude of a Laplace number stays below.
const MOST_WHOLE: u128 = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn ratio(numerator: u64, denominator: u64) -> Ratio {
        Ratio::new(numerator, denominator).unwrap()
    }

    fn draws(noise: IntegerNoise, seed: u64, count: usize) -> Vec<i64> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        (0..count).map(|_| noise.draw(&mut rng)).collect()
    }

    /// The probabilities of -reach..=reach, from their definition.
    fn probabilities(noise: IntegerNoise, reach: i64) -> Vec<f64> {
        let value = |ratio: Ratio| ratio.numerator as f64 / ratio.denominator as f64;
        let density = |x: i64| {
            let x = x as f64;
            match noise {
                IntegerNoise::Laplace { scale } => libm::exp(-x.abs() / value(scale)),
                IntegerNoise::Gaussian { variance } => libm::exp(-x * x / (2.0 * value(variance))),
            }
        };
        let total: f64 = (-reach * 20..=reach * 20).map(density).sum();
        (-reach..=reach).map(|x| density(x) / total).collect()
    }

    #[test]
    fn draws_follow_the_exact_probabilities() {
        let kinds = [
            (IntegerNoise::Gaussian { variance: ratio(1, 10) }, 2),
            (IntegerNoise::Gaussian { variance: ratio(1, 2) }, 3),
            (IntegerNoise::Gaussian { variance: ratio(1, 1) }, 4),
            (IntegerNoise::Gaussian { variance: ratio(7, 3) }, 5),
            (IntegerNoise::Gaussian { variance: ratio(100, 1) }, 35),
            (IntegerNoise::Laplace { scale: ratio(1, 3) }, 2),
            (IntegerNoise::Laplace { scale: ratio(1, 1) }, 7),
            (IntegerNoise::Laplace { scale: ratio(20, 3) }, 40),
        ];
        let count = 100_000;
        for (seed, (noise, reach)) in kinds.into_iter().enumerate() {
            let drawn = draws(noise, seed as u64, count);
            let mut expected: Vec<f64> = probabilities(noise, reach);
            expected.push(1.0 - expected.iter().sum::<f64>());
            let mut found = vec![0_u32; expected.len()];
            for x in drawn {
                let at = if x.abs() <= reach { (x + reach) as usize } else { expected.len() - 1 };
                found[at] += 1;
            }
            // Cells that are hardly ever met are left out of the statistic; 5 is the usual bound.
            let cells = expected.iter().map(|p| p * count as f64).zip(&found).filter(|cell| cell.0 >= 5.0);
            let (statistic, cells) = cells.fold((0.0, 0.0), |(sum, cells), (mean, found)| {
                let off = f64::from(*found) - mean;
                (sum + off * off / mean, cells + 1.0)
            });
            // Of a chi-square with k degrees of freedom, mean k and variance 2k: five deviations, and some for the tail.
            let most = cells + 5.0 * libm::sqrt(2.0 * cells) + 10.0;
            assert!(statistic < most, "{noise:?}: {statistic} of {cells} cells");
        }
    }

    #[test]
    fn moments_of_wide_noise_are_right() {
        let count = 40_000;
        for (numerator, denominator) in [(1 << 20, 3), (1 << 40, 1), (1 << 50, 1)] {
            let drawn = draws(IntegerNoise::Gaussian { variance: ratio(numerator, denominator) }, 7, count);
            let variance = numerator as f64 / denominator as f64;
            let scaled = |power: i32| {
                let sum: f64 = drawn.iter().map(|x| (*x as f64 / libm::sqrt(variance)).powi(power)).sum();
                sum / count as f64
            };
            // Five standard errors of each mean.
            let error = 5.0 / libm::sqrt(count as f64);
            assert!(scaled(1).abs() < error, "{numerator}: {}", scaled(1));
            assert!((scaled(2) - 1.0).abs() < error * libm::sqrt(2.0), "{numerator}: {}", scaled(2));
            assert!(scaled(3).abs() < error * libm::sqrt(15.0), "{numerator}: {}", scaled(3));
            assert!((scaled(4) - 3.0).abs() < error * libm::sqrt(96.0), "{numerator}: {}", scaled(4));
        }
    }

    #[test]
    fn a_seed_always_gives_the_same_numbers() {
        let gaussian = IntegerNoise::Gaussian { variance: ratio(1_000_001, 4) };
        assert_eq!(draws(gaussian, 1, 8), KNOWN_GAUSSIAN);
        let laplace = IntegerNoise::Laplace { scale: ratio(2_001, 4) };
        assert_eq!(draws(laplace, 1, 8), KNOWN_LAPLACE);
    }

    #[test]
    fn probabilities_of_an_exponential_are_exact() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let count = 100_000;
        for (numerator, denominator) in [(0, 7), (1, 7), (6, 7), (7, 7), (17, 7)] {
            let hits = (0..count).filter(|_| bernoulli_exp(numerator, denominator, &mut rng)).count();
            let p = libm::exp(-(numerator as f64) / denominator as f64);
            let error = libm::sqrt(p * (1.0 - p) / count as f64);
            assert!((hits as f64 / count as f64 - p).abs() <= 5.0 * error, "{numerator}: {hits}");
        }
    }

    #[test]
    fn extreme_parameters_do_not_overflow() {
        let most = 1 << RATIO_BITS;
        for (numerator, denominator) in [(most, 1), (1, most), (most, most - 1), (most - 1, most)] {
            for seed in 0..50 {
                draws(IntegerNoise::Gaussian { variance: ratio(numerator, denominator) }, seed, 1);
                draws(IntegerNoise::Laplace { scale: ratio(numerator, denominator) }, seed, 1);
            }
        }
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        assert_eq!(below(1, &mut rng), 0);
        assert!(below(u128::MAX, &mut rng) < u128::MAX);
    }

    #[test]
    fn ratios_are_reduced_and_bounded() {
        assert_eq!(ratio(6, 4), ratio(3, 2));
        assert!(Ratio::new(1 << 60, 1 << 60).is_ok());
        for (numerator, denominator) in [(0, 1), (1, 0), ((1 << 50) + 1, 1)] {
            assert_eq!(Ratio::new(numerator, denominator).unwrap_err().code(), "privacy.ratio");
        }
    }

    #[test]
    fn a_number_is_rounded_up_to_a_ratio() {
        assert_eq!(Ratio::at_least(2.5, 10).unwrap(), ratio(5, 2));
        let third = Ratio::at_least(1.0 / 3.0, 2).unwrap();
        assert_eq!(third, ratio(1, 2));
        assert_eq!(Ratio::at_least(1e-30, 4).unwrap(), ratio(1, 16));
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Ratio::at_least(value, 10).unwrap_err().code(), "privacy.ratio", "{value}");
        }
    }

    const KNOWN_GAUSSIAN: [i64; 8] = [-222, 24, -5, 31, -960, 414, 631, 570];
    const KNOWN_LAPLACE: [i64; 8] = [-1487, -129, 811, -1157, -570, -1336, 130, -147];
}
