//! How much noise each institution adds, so that a whole training keeps its epsilon.
//!
//! Contributions are vectors of whole numbers. Each institution adds a discrete Gaussian to every entry, and the noise of
//! `contributors` of them has to suffice; that of others is extra. What is spent is bounded by [`DiscreteGaussianSum`],
//! composed over all steps and converted by Renyi divergences.

use super::composition::Before;
use super::plan::{Accountant, MOST_NOISE, Training, checked_epsilon, checked_rate, checked_steps};
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
    pub(super) mechanism: Mechanism,
    pub(super) rate: f64,
    /// Variance parameter of each institution's noise in every entry, in steps^2.
    pub variance: u64,
    /// What all steps spend, at most the target, and what was opened before them.
    pub spent: Guarantee,
    /// A sum of another kind that is opened once, before the first step.
    pub before: Option<Before>,
}

impl Mechanism {
    /// The same where neighbours differ by up to `rows` rows, each of which moves the vector by at most [`Self::l2`] (the triangle
    /// inequality; group privacy within the mechanism, so that epsilon and delta do not grow). Every step has to sum over all rows:
    /// of a sample, neighbours do not differ by one sum of all or none of these.
    #[must_use]
    pub fn for_rows(self, rows: u32) -> Self {
        Self { l2: self.l2 * f64::from(rows.max(1)), ..self }
    }

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
            let spent = self.curve(1.0, variance as f64)?.times(self.steps)?.epsilon(delta)?.guarantee;
            if spent.epsilon <= epsilon {
                return Ok(Calibration { mechanism: self, rate: 1.0, variance, spent, before: None });
            }
            variance += variance / 1000 + 1;
        }
    }

    /// The same where each step sums a sample that every unit is in with probability `rate`, independently, and nobody but its
    /// institution knows which: the least noise up to a thousandth of its variance.
    ///
    /// # Errors
    /// [`PrivacyError::Rate`], and as [`Self::calibrated`].
    pub fn calibrated_on_samples(
        self,
        rate: f64,
        epsilon: f64,
        delta: f64,
    ) -> Result<Calibration, PrivacyError> {
        if checked_rate(rate)? == 1.0 {
            return self.calibrated(epsilon, delta);
        }
        let (epsilon, steps) = (checked_epsilon(epsilon)?, checked_steps(self.steps)?);
        let spent = |variance: u64| {
            let curve = self.curve(rate, variance as f64)?.times(steps)?;
            Ok::<_, PrivacyError>(curve.epsilon(delta)?.guarantee)
        };
        // What suffices without samples suffices with them; most often a great deal less does.
        let unsampled = Training::new(1.0, steps, delta)?.noise_for(epsilon, Accountant::Renyi);
        let in_the_sum = self.l2 * rate * unsampled.unwrap_or(MOST_NOISE);
        let guess = libm::ceil(in_the_sum * in_the_sum / f64::from(self.contributors.max(1)));
        let mut high = (guess as u64).clamp(1, MOST_VARIANCE);
        let mut low = 0;
        let mut at_high = spent(high)?;
        while at_high.epsilon > epsilon {
            if high == MOST_VARIANCE {
                return Err(PrivacyError::Wide { epsilon });
            }
            low = high;
            high = high.saturating_mul(2).min(MOST_VARIANCE);
            at_high = spent(high)?;
        }
        while low + 1 + high / 1000 < high {
            // Down by factors, as long as nothing is known from below.
            let middle = if low == 0 { high / 2 } else { low + (high - low) / 2 };
            let found = spent(middle)?;
            if found.epsilon <= epsilon { (high, at_high) = (middle, found) } else { low = middle }
        }
        Ok(Calibration { mechanism: self, rate, variance: high, spent: at_high, before: None })
    }

    /// What one step over samples of `rate` spends when each institution adds noise of this variance.
    pub(super) fn curve(self, rate: f64, variance: f64) -> Result<RenyiCurve, PrivacyError> {
        let Self { contributors, l2, dimension, .. } = self;
        let l1 = most_l1(l2, dimension);
        DiscreteGaussianSum { variance, contributors, l2, l1, dimension }.curve_on_samples(rate)
    }
}

impl Calibration {
    /// What the first `steps` spend, and what was opened before them; nothing before the first.
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
        let before = self.before.map_or_else(|| Ok(RenyiCurve::nothing()), |before| before.curve())?;
        let curve = self.mechanism.curve(self.rate, self.variance as f64)?;
        Ok(curve.times(steps)?.and(&before).epsilon(delta)?.guarantee)
    }

    /// What all steps would spend if the noise in each sum had this standard deviation, in sensitivities; without
    /// what was opened before them.
    ///
    /// # Errors
    /// [`PrivacyError::Sum`] where that is too little for a guarantee.
    pub fn with_noise(&self, noise: f64) -> Result<Guarantee, PrivacyError> {
        let Mechanism { contributors, l2, steps, .. } = self.mechanism;
        let variance = noise * noise * l2 * l2 / f64::from(contributors);
        Ok(self.mechanism.curve(self.rate, variance)?.times(steps)?.epsilon(self.spent.delta)?.guarantee)
    }

    /// The probability with which a unit is in a step's sum.
    pub fn rate(&self) -> f64 {
        self.rate
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

/// The widest noise that can be drawn.
const MOST_VARIANCE: u64 = 1 << noise::RATIO_BITS;

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
            let narrower =
                found.mechanism.curve(1.0, (found.variance - found.variance / 400) as f64).unwrap();
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
    fn noise_for_several_rows_is_so_many_times_as_wide_and_spends_no_more() {
        let one = mechanism(3).calibrated(1.0, 1e-5).unwrap();
        assert_eq!(mechanism(3).for_rows(1).calibrated(1.0, 1e-5).unwrap(), one);
        let five = mechanism(3).for_rows(5).calibrated(1.0, 1e-5).unwrap();
        assert!((five.variance as f64 / one.variance as f64 / 25.0 - 1.0).abs() < 2e-3, "{five:?}");
        assert!(five.spent.epsilon <= 1.0 && (five.noise() / one.noise() - 1.0).abs() < 1e-3);
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

    #[test]
    fn samples_need_less_noise_the_smaller_they_are_and_keep_the_target() {
        for (epsilon, contributors) in [(1.0, 2), (8.0, 1)] {
            let mechanism = mechanism(contributors);
            let rates = [0.01, 0.05, 0.3, 0.99, 1.0];
            let found = rates.map(|rate| mechanism.calibrated_on_samples(rate, epsilon, 1e-5).unwrap());
            for (found, rate) in found.iter().zip(rates) {
                assert!(found.spent.epsilon <= epsilon && found.rate() == rate, "{found:?}");
                let narrower = (found.variance - found.variance / 200) as f64;
                let spent = mechanism.curve(rate, narrower).unwrap().times(100).unwrap();
                assert!(spent.epsilon(1e-5).unwrap().guarantee.epsilon > epsilon, "{found:?}");
                assert_eq!(found.after(100).unwrap(), found.spent);
                assert!(found.after(10).unwrap().epsilon < found.spent.epsilon);
            }
            assert!(found.is_sorted_by(|a, b| a.variance <= b.variance + b.variance / 1000), "{found:?}");
            assert_eq!(found[4], mechanism.calibrated(epsilon, 1e-5).unwrap());
        }
    }

    #[test]
    fn noise_for_samples_is_about_that_of_another_accountant_and_never_less() {
        // Google dp-accounting 0.6.0, by its privacy loss distributions: rate 0.05, 1,000 steps, delta 1e-5.
        let mechanism = Mechanism { steps: 1000, ..mechanism(2) };
        for (epsilon, tight) in [(8.0, 1.191), (3.0, 2.353), (1.0, 5.999)] {
            let found = mechanism.calibrated_on_samples(0.05, epsilon, 1e-5).unwrap();
            assert!(found.noise() >= tight && found.noise() < tight * 1.15, "{epsilon}: {}", found.noise());
            let spent = found.with_noise(found.noise()).unwrap().epsilon;
            assert!((spent / found.spent.epsilon - 1.0).abs() < 1e-9, "{spent}");
        }
    }

    #[test]
    fn samples_that_are_none_and_noise_that_cannot_be_drawn_are_refused() {
        for rate in [0.0, 1.5, f64::NAN] {
            assert_eq!(
                mechanism(1).calibrated_on_samples(rate, 1.0, 1e-5).unwrap_err().code(),
                "privacy.rate"
            );
        }
        let wide = Mechanism { steps: 10_000, ..mechanism(1) };
        assert_eq!(wide.calibrated_on_samples(0.9, 0.01, 1e-12).unwrap_err().code(), "privacy.unreachable");
    }
}
