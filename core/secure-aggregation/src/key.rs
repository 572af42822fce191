//! One-time keys, and the discrete Gaussian from which they come.
//!
//! The sampler takes the same time whatever it draws: a uniform number of 127 bits is compared with all 63 tails of the
//! distribution, without a branch, and nothing is indexed by a secret. A coefficient therefore has exactly the
//! probabilities of the table, and the table is within 2^-115 of the discrete Gaussian cut at 63: a test computes it
//! again with 224 fractional bits. Cutting takes off 2^-74.8 of the whole Gaussian, and drawing a long key again 2^-171 of
//! all keys. Together a key is within 2^-63 of 2048 perfect draws, in statistical distance.

use rand_core::CryptoRng;
use syndic_round::{KEY_BOUND, RING_DIMENSION};
use zeroize::Zeroizing;

/// A participant's key for one preparation: a ring element of 2048 small coefficients.
///
/// Discrete Gaussian of standard deviation 6.4, at most 63 in absolute value. Gaussian and nothing else: the
/// sum of several is opened later, and leaves each of them Gaussian still; the sum of binary or uniform keys
/// would give them away (docs/protocol.md, "Rules that carry the security").
///
/// It is shared first and consumed by encryption, so it serves one update. It has no `Debug` and no `Clone`,
/// and is wiped on drop.
pub struct OneTimeKey {
    coefficients: Box<Zeroizing<[i8; RING_DIMENSION]>>,
}

impl OneTimeKey {
    /// Draws a key.
    ///
    /// A key longer than 2^8.5 is drawn again, which the exact product relies on and which happens with
    /// probability below 2^-170.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self { coefficients: Box::new(Zeroizing::new([0; RING_DIMENSION])) };
        loop {
            key.draw(rng);
            if key.norm_squared() <= LARGEST_NORM_SQUARED {
                return key;
            }
        }
    }

    /// Draws each coefficient, by 128 bits.
    fn draw(&mut self, rng: &mut impl CryptoRng) {
        let mut random = Zeroizing::new([0; WORDS_AT_ONCE * 8]);
        for coefficients in self.coefficients.chunks_mut(WORDS_AT_ONCE / 2) {
            rng.fill_bytes(&mut *random);
            let words = random.as_chunks().0;
            for (coefficient, words) in coefficients.iter_mut().zip(words.as_chunks::<2>().0) {
                let [high, low] = words.map(u64::from_le_bytes);
                *coefficient = sample(u128::from(high) << 64 | u128::from(low));
            }
        }
    }

    /// The key of a test vector.
    #[cfg(test)]
    pub(crate) fn of(coefficients: [i8; RING_DIMENSION]) -> Self {
        let key = Self { coefficients: Box::new(Zeroizing::new(coefficients)) };
        assert!(coefficients.iter().all(|s| i64::from(s.unsigned_abs()) <= KEY_BOUND));
        assert!(key.norm_squared() <= LARGEST_NORM_SQUARED);
        key
    }

    /// The coefficients, lowest power of X first.
    pub(crate) fn coefficients(&self) -> &[i8; RING_DIMENSION] {
        &self.coefficients
    }

    fn norm_squared(&self) -> i64 {
        self.coefficients.iter().map(|&s| i64::from(s).pow(2)).sum()
    }
}

/// Words of 64 bits that are drawn at a time: to ask a source of the operating system for each would take several times as
/// long as all else here.
const WORDS_AT_ONCE: usize = 512;

/// No key is longer than the square root of this, 2^8.5 (the mean is 290).
pub(crate) const LARGEST_NORM_SQUARED: i64 = 1 << 17;

/// The coefficient that a uniform number stands for, in constant time: the magnitude is the number of tails that hold it
/// but for its lowest bit, all of which are compared.
fn sample(uniform: u128) -> i8 {
    let (position, sign) = (uniform >> 1, (uniform & 1) as i8);
    // Both are below 2^127, so the top bit of the difference is the borrow: position < tail.
    let magnitude = TAILS.iter().fold(0, |count, &tail| count + (position.wrapping_sub(tail) >> 127) as i8);
    (magnitude ^ -sign) + sign
}

/// `TAILS[k]` is the probability, in units of 2^-127, that |s| > k.
///
/// Computed while compiling, in integers of 120 fractional bits, and within 2^-115: the weight of k is
/// exp(-k^2 / (2 * 6.4^2)) = exp(-25/2048)^(k^2), and k^2 grows by successive odd numbers.
static TAILS: [u128; BOUND] = tails();

const BOUND: usize = KEY_BOUND as usize;

const fn tails() -> [u128; BOUND] {
    let root = exp_minus_25_over_2048();
    let root_squared = times(root, root);
    // Weights of |s| = 0, 1, ..., 63; all but the first count for both signs.
    let mut weights = [ONE; BOUND + 1];
    let (mut weight, mut odd_power) = (ONE, root);
    let mut k = 1;
    while k <= BOUND {
        weight = times(weight, odd_power);
        odd_power = times(odd_power, root_squared);
        weights[k] = 2 * weight;
        k += 1;
    }
    // Smallest first, so that tails are exact sums.
    let mut tails = [0; BOUND];
    let mut sum = 0;
    while k > 1 {
        k -= 1;
        sum += weights[k];
        tails[k - 1] = sum;
    }
    let total = sum + ONE;
    let mut k = 0;
    while k < BOUND {
        tails[k] = fraction(tails[k], total);
        k += 1;
    }
    tails
}

/// One, with 120 fractional bits.
const ONE: u128 = 1 << 120;

/// exp(-x) by its power series; x = 1 / (2 * 6.4^2) = 25/2048.
const fn exp_minus_25_over_2048() -> u128 {
    let (mut term, mut even, mut odd) = (ONE, ONE, 0);
    let mut n = 1;
    while term != 0 {
        term = term / 2048 * 25 / n;
        if n % 2 == 0 {
            even += term;
        } else {
            odd += term;
        }
        n += 1;
    }
    even - odd
}

/// a b for numbers of 120 fractional bits that are at most one.
const fn times(a: u128, b: u128) -> u128 {
    const HALF: u128 = 1 << 60;
    let (a1, a0, b1, b0) = (a / HALF, a % HALF, b / HALF, b % HALF);
    a1 * b1 + (a1 * b0 + a0 * b1) / HALF // a0 b0 is below one unit
}

/// a / b in units of 2^-127, by long division; a < b < 2^127.
const fn fraction(mut a: u128, b: u128) -> u128 {
    let mut quotient = 0;
    let mut bit = 0;
    while bit < 127 {
        a *= 2;
        quotient *= 2;
        if a >= b {
            a -= b;
            quotient += 1;
        }
        bit += 1;
    }
    quotient
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const WIDTH: f64 = 6.4;

    fn weight(k: usize) -> f64 {
        (-((k * k) as f64) / (2.0 * WIDTH * WIDTH)).exp()
    }

    /// Probability that |s| = k, computed apart from the table.
    fn probability(k: usize) -> f64 {
        let total: f64 = weight(0) + 2.0 * (1..=BOUND).map(weight).sum::<f64>();
        weight(k) * if k == 0 { 1.0 } else { 2.0 } / total
    }

    #[test]
    fn the_table_is_that_of_the_discrete_gaussian() {
        let scale = 2_f64.powi(-127);
        for (k, &tail_k) in TAILS.iter().enumerate() {
            let tail: f64 = (k + 1..=BOUND).rev().map(probability).sum();
            let found = tail_k as f64 * scale;
            assert!((found / tail - 1.0).abs() < 1e-12, "tail beyond {k}: {found:e}, expected {tail:e}");
        }
    }

    /// A number with 224 fractional bits, lowest word first.
    type Fixed = [u32; 8];

    fn product(a: &Fixed, b: &Fixed) -> Fixed {
        let mut words = [0_u32; 16];
        for (i, &a) in a.iter().enumerate() {
            let mut carry = 0;
            for (j, &b) in b.iter().enumerate() {
                carry += u64::from(a) * u64::from(b) + u64::from(words[i + j]);
                (words[i + j], carry) = (carry as u32, carry >> 32);
            }
            words[i + 8] = carry as u32;
        }
        std::array::from_fn(|k| words[k + 7])
    }

    fn sum(a: &Fixed, b: &Fixed) -> Fixed {
        let mut carry = 0;
        std::array::from_fn(|k| {
            carry = u64::from(a[k]) + u64::from(b[k]) + (carry >> 32);
            carry as u32
        })
    }

    /// |a - b| as an ordinary number, good to many digits.
    fn apart(a: &Fixed, b: &Fixed) -> f64 {
        let signed = |k: usize| f64::from(a[k]) - f64::from(b[k]);
        (0..8).map(|k| signed(k) * 2_f64.powi(32 * k as i32 - 224)).sum::<f64>().abs()
    }

    /// a x / y for small x and y.
    fn scaled(a: &Fixed, x: u64, y: u64) -> Fixed {
        let (mut wide, mut carry) = ([0_u64; 9], 0);
        for (wide, &word) in wide.iter_mut().zip(a) {
            carry += u64::from(word) * x;
            (*wide, carry) = (carry & 0xffff_ffff, carry >> 32);
        }
        wide[8] = carry;
        let mut rest = 0;
        for word in wide.iter_mut().rev() {
            rest = rest << 32 | *word;
            (*word, rest) = (rest / y, rest % y);
        }
        std::array::from_fn(|k| wide[k] as u32)
    }

    #[test]
    fn every_tail_is_within_two_to_the_minus_115() {
        // exp(25/2048) by its series, all of whose terms are positive.
        let mut one = [0; 8];
        one[7] = 1;
        let (mut term, mut growth) = (one, one);
        for n in 1..60 {
            term = scaled(&term, 25, 2048 * n);
            growth = sum(&growth, &term);
        }
        // exp(-25/2048) by Newton's iteration x (2 - growth x), from a double.
        let mut root = [0; 8];
        let start = (-25.0_f64 / 2048.0).exp();
        (root[6], root[5]) = ((start * 2_f64.powi(32)) as u32, 0);
        for _ in 0..6 {
            // 2 - growth x, by two's complement.
            let negative = product(&growth, &root).map(|word| !word);
            let mut two = sum(&negative, &[1, 0, 0, 0, 0, 0, 0, 0]);
            two[7] = two[7].wrapping_add(2);
            root = product(&root, &two);
        }
        assert!(apart(&product(&root, &growth), &one) < 2_f64.powi(-200));

        let (squared, mut odd, mut weight) = (product(&root, &root), root, one);
        let mut weights = vec![one];
        for _ in 1..=BOUND {
            weight = product(&weight, &odd);
            odd = product(&odd, &squared);
            weights.push(sum(&weight, &weight));
        }
        let total = weights.iter().fold([0; 8], |all, weight| sum(&all, weight));
        let size = f64::from(total[7]) + f64::from(total[6]) * 2_f64.powi(-32);
        let mut tail = [0; 8];
        for k in (0..BOUND).rev() {
            tail = sum(&tail, &weights[k + 1]);
            // Units of 2^-127 are 2^97 of ours.
            let doubled = TAILS[k] << 1;
            let found: Fixed = std::array::from_fn(|word| {
                if (3..=6).contains(&word) { (doubled >> (32 * (word - 3))) as u32 } else { 0 }
            });
            let distance = apart(&product(&found, &total), &tail) / size;
            assert!(distance < 2_f64.powi(-115), "the tail beyond {k} is off by {distance:e}");
        }
    }

    #[test]
    fn a_draw_is_the_number_of_tails_that_hold_it() {
        let draw = |position: u128, sign: u128| sample(position << 1 | sign);
        for (k, &tail) in TAILS.iter().enumerate() {
            let k = k as i8;
            assert_eq!((draw(tail, 0), draw(tail, 1)), (k, -k), "at the tail beyond {k}");
            assert_eq!((draw(tail - 1, 0), draw(tail - 1, 1)), (k + 1, -k - 1), "just within it");
        }
        assert_eq!((draw((1 << 127) - 1, 0), draw(0, 1)), (0, -63), "the ends");
    }

    #[test]
    fn keys_have_the_moments_and_the_shape_of_the_discrete_gaussian() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let draws: Vec<i32> =
            (0..500).flat_map(|_| OneTimeKey::generate(&mut rng).coefficients().map(i32::from)).collect();
        let n = draws.len() as f64;
        let moment = |power: i32| draws.iter().map(|&s| f64::from(s).powi(power)).sum::<f64>() / n;
        let variance = WIDTH * WIDTH;
        // Five standard errors of each estimate.
        assert!(moment(1).abs() < 5.0 * WIDTH / n.sqrt(), "mean {}", moment(1));
        assert!((moment(2) / variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "variance {}", moment(2));
        assert!((moment(4) / (3.0 * variance * variance) - 1.0).abs() < 5.0 * (10.7 / n).sqrt(), "kurtosis");

        // Chi-square over -25..=25 (each expected at least 20 times) and the two tails.
        let edge = 25_i32;
        let expected = |s: i32| probability(s.unsigned_abs() as usize) * n * if s == 0 { 1.0 } else { 0.5 };
        let tail: f64 = (edge + 1..=63).map(expected).sum();
        let observed =
            |s: i32| draws.iter().filter(|&&draw| draw.clamp(-edge - 1, edge + 1) == s).count() as f64;
        let chi_square: f64 = (-edge - 1..=edge + 1)
            .map(|s| (observed(s), if s.abs() > edge { tail } else { expected(s) }))
            .map(|(observed, expected)| (observed - expected).powi(2) / expected)
            .sum();
        // 52 degrees of freedom: mean 52, standard deviation 10.2.
        assert!(chi_square < 52.0 + 5.0 * 10.2, "chi-square {chi_square}");
    }

    #[test]
    fn no_key_is_binary() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let key = OneTimeKey::generate(&mut rng);
        assert!(key.coefficients().iter().any(|s| s.abs() > 5));
        assert!(key.coefficients().iter().any(|&s| s < 0));
        assert!(key.norm_squared() > 70_000);
    }
}
