//! What a training spends with some noise, what noise a target needs, and how much of it each institution adds.

use super::pld::PrivacyLoss;
use super::rdp::RenyiCurve;
use super::{Guarantee, PrivacyError};

/// How often a training looks at a unit, and which delta is granted.
///
/// Each step takes a sample that every unit is in with probability `rate`, independently (Poisson sampling), clips what
/// each adds, adds Gaussian noise to the sum, and shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    rate: f64,
    steps: u64,
    delta: f64,
}

/// How epsilon is worked out. Both bound it from above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accountant {
    /// [`RenyiCurve`]: a little loose, and of the kind that holds for sums of discrete Gaussians too.
    Renyi,
    /// [`PrivacyLoss`]: tight to a fraction of a per cent.
    PrivacyLoss,
}

impl Training {
    /// `steps` samples of `rate` each, with `delta` in all.
    ///
    /// # Errors
    /// [`PrivacyError::Rate`], [`PrivacyError::Steps`], [`PrivacyError::Delta`].
    pub fn new(rate: f64, steps: u64, delta: f64) -> Result<Self, PrivacyError> {
        Ok(Self { rate: checked_rate(rate)?, steps: checked_steps(steps)?, delta: checked_delta(delta)? })
    }

    /// The same, for another number of steps.
    ///
    /// # Errors
    /// [`PrivacyError::Steps`].
    pub fn with_steps(self, steps: u64) -> Result<Self, PrivacyError> {
        Ok(Self { steps: checked_steps(steps)?, ..self })
    }

    /// Steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What the training spends when the noise in the sum has `noise` times the clipping norm as standard deviation.
    ///
    /// # Errors
    /// [`PrivacyError::Noise`]; [`PrivacyError::Precision`] from [`Accountant::PrivacyLoss`].
    pub fn spent(&self, noise: f64, accountant: Accountant) -> Result<Guarantee, PrivacyError> {
        match accountant {
            Accountant::Renyi => {
                let curve = RenyiCurve::sampled_gaussian(self.rate, noise)?.times(self.steps)?;
                Ok(curve.epsilon(self.delta)?.guarantee)
            }
            Accountant::PrivacyLoss => {
                PrivacyLoss::sampled_gaussian(self.rate, noise, self.steps)?.epsilon(self.delta)
            }
        }
    }

    /// The least noise multiplier, up to a ten-thousandth of it, that spends no more than `epsilon`. Found by bisection;
    /// of the last two, the one that keeps the target.
    ///
    /// # Errors
    /// [`PrivacyError::Epsilon`]; [`PrivacyError::Unreachable`] when not even [`MOST_NOISE`] suffices;
    /// [`PrivacyError::Precision`] from [`Accountant::PrivacyLoss`].
    pub fn noise_for(&self, epsilon: f64, accountant: Accountant) -> Result<f64, PrivacyError> {
        let epsilon = checked_epsilon(epsilon)?;
        let suffices = |noise| Ok(self.spent(noise, accountant)?.epsilon <= epsilon);
        // The tighter accountant is slow, and the looser one's answer is a little above its own.
        let guess = match accountant {
            Accountant::Renyi => 1.0,
            Accountant::PrivacyLoss => self.noise_for(epsilon, Accountant::Renyi).unwrap_or(1.0),
        };
        let mut high = guess;
        while !suffices(high)? {
            if high >= MOST_NOISE {
                return Err(PrivacyError::Unreachable { epsilon });
            }
            high = (high * STRIDE).min(MOST_NOISE);
        }
        let mut low = (high / STRIDE).max(LEAST_NOISE);
        while suffices(low)? {
            if low <= LEAST_NOISE {
                return Ok(LEAST_NOISE);
            }
            high = low;
            low = (high / STRIDE).max(LEAST_NOISE);
        }
        while high - low > low * TOLERANCE {
            let middle = libm::sqrt(low * high);
            if suffices(middle)? { high = middle } else { low = middle }
        }
        Ok(high)
    }
}

/// Contributors of noise that an adversary can neither keep away nor learn the noise of: h = t - c, of `institutions`
/// of which at least `threshold` (t) are in every sum and up to `colluding` (c) tell their noise.
///
/// # Errors
/// [`PrivacyError::Honest`] unless c < t <= institutions.
pub fn honest_contributors(institutions: u32, threshold: u32, colluding: u32) -> Result<u32, PrivacyError> {
    if threshold > institutions || colluding >= threshold {
        return Err(PrivacyError::Honest { institutions, threshold, colluding });
    }
    Ok(threshold - colluding)
}

/// The noise multiplier that each institution adds by itself, so that the noise of `contributors` (h) of them has
/// `noise` in the sum: noise / sqrt(h), since variances add up. At least 1 contributor.
pub fn noise_of_each(noise: f64, contributors: u32) -> f64 {
    noise / libm::sqrt(f64::from(contributors.max(1)))
}

pub(super) fn checked_rate(rate: f64) -> Result<f64, PrivacyError> {
    if rate > 0.0 && rate <= 1.0 { Ok(rate) } else { Err(PrivacyError::Rate { rate }) }
}

pub(super) fn checked_noise(noise: f64) -> Result<f64, PrivacyError> {
    if (LEAST_NOISE..=MOST_NOISE).contains(&noise) { Ok(noise) } else { Err(PrivacyError::Noise { noise }) }
}

pub(super) fn checked_steps(steps: u64) -> Result<u64, PrivacyError> {
    if (1..=MOST_STEPS).contains(&steps) { Ok(steps) } else { Err(PrivacyError::Steps { steps }) }
}

pub(super) fn checked_delta(delta: f64) -> Result<f64, PrivacyError> {
    if (LEAST_DELTA..1.0).contains(&delta) { Ok(delta) } else { Err(PrivacyError::Delta { delta }) }
}

pub(super) fn checked_epsilon(epsilon: f64) -> Result<f64, PrivacyError> {
    if epsilon > 0.0 && epsilon.is_finite() { Ok(epsilon) } else { Err(PrivacyError::Epsilon { epsilon }) }
}

/// The smallest noise multiplier that is considered: below it there is hardly any privacy to account for.
pub const LEAST_NOISE: f64 = 0.1;

/// The largest one.
pub const MOST_NOISE: f64 = 100_000.0;

/// The largest number of steps.
pub const MOST_STEPS: u64 = 10_000_000;

/// The smallest delta.
pub const LEAST_DELTA: f64 = 1e-12;

/// Factor by which the noise is raised or lowered until two values have the wanted one between them.
const STRIDE: f64 = 1.3;

/// How far bisection narrows the noise down, relative to it.
const TOLERANCE: f64 = 1e-4;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What another accountant says of one training.
    #[derive(Debug)]
    pub(crate) struct Row {
        pub(crate) rate: f64,
        pub(crate) noise: f64,
        pub(crate) steps: u64,
        pub(crate) delta: f64,
        pub(crate) rdp: f64,
        pub(crate) order: Option<f64>,
        pub(crate) pld: f64,
    }

    const fn row(rate: f64, noise: f64, steps: u64, rdp: f64, order: f64, pld: f64) -> Row {
        Row { rate, noise, steps, delta: 1e-5, rdp, order: Some(order), pld }
    }

    /// Google dp-accounting 0.6.0; delta = 1e-5, add/remove neighbours, its own orders and discretisation.
    pub(crate) const REFERENCE: [Row; 10] = [
        row(0.01, 1.0, 1_000, 2.1014, 7.8, 1.8282),
        row(0.01, 1.1, 10_000, 5.6320, 4.7, 5.1926),
        row(0.004_266_666, 1.1, 14_062, 2.5966, 8.1, 2.3817),
        row(0.02, 1.0, 250, 2.4018, 6.6, 2.0324),
        row(0.05, 1.0, 250, 5.9352, 3.9, 5.3005),
        row(0.05, 2.0, 1_000, 4.0244, 5.9, 3.6997),
        row(0.1, 4.0, 100, 1.0817, 16.0, 0.9829),
        row(1.0, 5.0, 1, 0.7945, 22.0, 0.7255),
        row(1.0, 10.0, 50, 3.1890, 7.2, 2.9432),
        row(0.001, 0.6, 5_000, 2.9807, 4.5, 2.0550),
    ];

    /// Google dp-accounting 0.6.0, at delta = 1e-6.
    pub(crate) const TWO_MORE: [Row; 2] = [
        Row { rate: 1.0, noise: 4.0, steps: 100, delta: 1e-6, rdp: 15.32798, order: None, pld: 14.45078 },
        Row { rate: 0.1, noise: 1.0, steps: 100, delta: 1e-6, rdp: 8.92139, order: None, pld: 8.05861 },
    ];

    #[test]
    fn noise_for_a_target_keeps_it_and_hardly_more() {
        let training = Training::new(0.02, 250, 1e-6).unwrap();
        let targets = [(Accountant::Renyi, [0.1, 1.0, 8.0].as_slice()), (Accountant::PrivacyLoss, &[1.0])];
        for (accountant, targets) in targets {
            for &epsilon in targets {
                let noise = training.noise_for(epsilon, accountant).unwrap();
                let spent = training.spent(noise, accountant).unwrap().epsilon;
                assert!(spent <= epsilon, "{accountant:?} {epsilon}: {noise} {spent}");
                let spent = training.spent(noise * 0.9998, accountant).unwrap().epsilon;
                assert!(spent > epsilon, "{accountant:?} {epsilon}: {noise} {spent}");
            }
        }
    }

    #[test]
    fn noise_multipliers_of_the_reference_are_met() {
        // Google dp-accounting 0.6.0, by its privacy loss distributions: rate 0.05, 1,000 steps, delta 1e-5.
        let training = Training::new(0.05, 1_000, 1e-5).unwrap();
        for (epsilon, expected) in [(8.0, 1.191), (3.0, 2.353), (1.0, 5.999)] {
            let noise = training.noise_for(epsilon, Accountant::PrivacyLoss).unwrap();
            // The reference itself is on the safe side of its target by up to 0.14 %.
            assert!((noise / expected - 1.0).abs() < 2e-3, "{epsilon}: {noise} {expected}");
            let renyi = training.noise_for(epsilon, Accountant::Renyi).unwrap();
            assert!(renyi > noise && renyi < noise * 1.15, "{epsilon}: {renyi}");
        }
    }

    #[test]
    fn more_steps_spend_more() {
        let training = Training::new(0.01, 1, 1e-5).unwrap();
        let spent = [1, 10, 100, 1000]
            .map(|steps| training.with_steps(steps).unwrap().spent(1.0, Accountant::Renyi).unwrap().epsilon);
        assert!(spent.is_sorted_by(|a, b| a < b), "{spent:?}");
    }

    #[test]
    fn a_target_that_no_noise_reaches_is_told_so() {
        let training = Training::new(1.0, MOST_STEPS, 1e-12).unwrap();
        let error = training.noise_for(1e-9, Accountant::Renyi).unwrap_err();
        assert_eq!(error.code(), "privacy.unreachable");
        assert_eq!(
            Training::new(1e-9, 1, 0.9).unwrap().noise_for(50.0, Accountant::Renyi).unwrap(),
            LEAST_NOISE
        );
    }

    #[test]
    fn the_noise_of_the_honest_alone_suffices() {
        assert_eq!(honest_contributors(5, 4, 2).unwrap(), 2);
        assert_eq!(honest_contributors(5, 5, 0).unwrap(), 5);
        let each = noise_of_each(3.0, 4);
        assert_eq!(each, 1.5);
        assert_eq!(libm::sqrt(4.0 * each * each), 3.0);
        for (institutions, threshold, colluding) in [(5, 6, 0), (5, 4, 4), (5, 0, 0), (3, 2, 7)] {
            let error = honest_contributors(institutions, threshold, colluding).unwrap_err();
            assert_eq!(error.code(), "privacy.honest");
        }
    }
}
