//! How much noise each institution adds, so that a whole training keeps its epsilon.
//!
//! Contributions are vectors of whole numbers. Each institution adds a discrete Gaussian to every entry, and the noise of
//! `contributors` of them has to suffice; that of others is extra. What is spent is bounded by [`DiscreteGaussianSum`],
//! composed over all steps and converted by Renyi divergences.

use super::plan::{Accountant, Training};
use super::rdp::RenyiCurve;
use super::sum::{DiscreteGaussianSum, most_l1};
use super::{Guarantee, PrivacyError, noise};

/// A training in whole numbers, before it has noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mechanism {
    /// How often a sum over all units is opened.
    pub steps: u64,
    /// Institutions whose noise has to suffice.
    pub contributors: u32,
    /// L2 distance of the vectors of neighbours at most, in steps of the whole numbers.
    pub l2: f64,
    /// Entries of the vector.
    pub dimension: u64,
}

/// A mechanism with its noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    mechanism: Mechanism,
    /// Variance parameter of each institution's noise in every entry, in steps^2.
    pub variance: u64,
    /// What all steps spend, at most the target.
    pub spent: Guarantee,
}

impl Mechanism {
    /// The least noise, up to a thousandth, with which all steps spend no more than `epsilon` at `delta`.
    ///
    /// # Errors
    /// [`PrivacyError::Steps`], [`PrivacyError::Delta`], [`PrivacyError::Epsilon`], [`PrivacyError::Unreachable`];
    /// [`PrivacyError::Wide`] when the noise is wider than its sampler draws.
    pub fn calibrated(self, epsilon: f64, delta: f64) -> Result<Calibration, PrivacyError> {
        let training = Training::new(1.0, self.steps, delta)?;
        let in_the_sum = self.l2 * training.noise_for(epsilon, Accountant::Renyi)?;
        let wanted = libm::ceil(in_the_sum * in_the_sum / f64::from(self.contributors.max(1)));
        // A quarter of a squared step is the least for which the sum has a guarantee.
        let mut variance = (wanted as u64).max(1);
        loop {
            // What the sampler cannot draw is refused here, and so ends this.
            noise::Ratio::new(variance, 1).map_err(|_| PrivacyError::Wide { epsilon })?;
            let spent = self.curve(variance)?.times(self.steps)?.epsilon(delta)?.guarantee;
            if spent.epsilon <= epsilon {
                return Ok(Calibration { mechanism: self, variance, spent });
            }
            variance += variance / 1000 + 1;
        }
    }

    /// What one step spends when each institution adds noise of this variance.
    fn curve(self, variance: u64) -> Result<RenyiCurve, PrivacyError> {
        let Self { contributors, l2, dimension, .. } = self;
        let (variance, l1) = (variance as f64, most_l1(l2, dimension));
        DiscreteGaussianSum { variance, contributors, l2, l1, dimension }.curve()
    }
}

impl Calibration {
    /// What the first `steps` spend; nothing before the first.
    ///
    /// # Errors
    /// [`PrivacyError::Steps`] for more than there are.
    pub fn after(&self, steps: u64) -> Result<Guarantee, PrivacyError> {
        let delta = self.spent.delta;
        if steps == 0 {
            return Ok(Guarantee { epsilon: 0.0, delta });
        }
        if steps > self.mechanism.steps {
            return Err(PrivacyError::Steps { steps });
        }
        Ok(self.mechanism.curve(self.variance)?.times(steps)?.epsilon(delta)?.guarantee)
    }

    /// Standard deviation of the noise that is counted on in one sum, in sensitivities.
    pub fn noise(&self) -> f64 {
        let Mechanism { contributors, l2, .. } = self.mechanism;
        libm::sqrt(f64::from(contributors) * self.variance as f64) / l2
    }

    /// Institutions whose noise has to suffice.
    pub fn contributors(&self) -> u32 {
        self.mechanism.contributors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mechanism(contributors: u32) -> Mechanism {
        Mechanism { steps: 100, contributors, l2: 67_554.0, dimension: 91 }
    }

    #[test]
    fn a_calibrated_training_keeps_its_target_and_hardly_more() {
        for (epsilon, contributors) in [(0.5, 1), (1.0, 2), (3.0, 5), (8.0, 100)] {
            let found = mechanism(contributors).calibrated(epsilon, 1e-5).unwrap();
            assert!(found.spent.epsilon <= epsilon, "{found:?}");
            let narrower = found.mechanism.curve(found.variance - found.variance / 400).unwrap();
            let spent = narrower.times(100).unwrap().epsilon(1e-5).unwrap().guarantee.epsilon;
            assert!(spent > epsilon, "{found:?}: {spent}");
        }
    }

    #[test]
    fn wide_noise_costs_what_a_gaussian_does() {
        // Google dp-accounting 0.6.0: rate 1, noise multiplier 10, 50 steps, delta 1e-5: RDP 3.1890.
        let mechanism = Mechanism { steps: 50, ..mechanism(2) };
        let found = mechanism.calibrated(3.1890, 1e-5).unwrap();
        assert!((found.noise() / 10.0 - 1.0).abs() < 1e-3, "{}", found.noise());
    }

    #[test]
    fn what_each_adds_shrinks_with_the_root_of_those_who_are_counted_on() {
        let [alone, four] = [1, 4].map(|h| mechanism(h).calibrated(1.0, 1e-5).unwrap());
        assert!((alone.variance as f64 / four.variance as f64 - 4.0).abs() < 1e-3);
        assert!((alone.noise() / four.noise() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_training_that_ends_early_spends_less() {
        let found = mechanism(3).calibrated(2.0, 1e-6).unwrap();
        let along: Vec<f64> = [0, 1, 50, 100].map(|k| found.after(k).unwrap().epsilon).to_vec();
        assert!(along.is_sorted_by(|a, b| a < b) && along[0] == 0.0, "{along:?}");
        assert_eq!(along[3], found.spent.epsilon);
        assert_eq!(found.after(101).unwrap_err().code(), "privacy.steps");
    }

    #[test]
    fn noise_that_cannot_be_drawn_is_refused() {
        let error = mechanism(1).calibrated(0.05, 1e-5).unwrap_err();
        assert_eq!(error.code(), "privacy.unreachable");
    }
}
