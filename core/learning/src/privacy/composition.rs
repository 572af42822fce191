//! Noise for a training that opens one sum of another kind before its own: both are composed on one curve.
//!
//! Renyi divergences of one order add up, each mechanism being chosen by what came before (Mironov 2017, Proposition 1). How the
//! whole is divided is told as a share of the divergence: noise of z sensitivities has a / (2 z^2) at order a, so that one sum of
//! noise z / sqrt(s) and T sums of noise z sqrt(T / (1 - s)) are together one sum of noise z, whatever the share s is.

use super::calibration::{Calibration, Mechanism};
use super::plan::{Accountant, Training};
use super::rdp::RenyiCurve;
use super::{PrivacyError, noise};

/// A sum that is opened once, before the sums of a training, and its noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Before {
    mechanism: Mechanism,
    /// Variance parameter of each institution's noise in every entry, in steps^2.
    pub variance: u64,
}

impl Before {
    /// What it spends.
    pub(super) fn curve(&self) -> Result<RenyiCurve, PrivacyError> {
        self.mechanism.curve(1.0, self.variance as f64)
    }

    /// Standard deviation of the noise that is counted on, in sensitivities.
    pub fn noise(&self) -> f64 {
        let Mechanism { contributors, l2, .. } = self.mechanism;
        libm::sqrt(f64::from(contributors) * self.variance as f64) / l2
    }
}

impl Mechanism {
    /// The noise of this training, and of one sum of `before` that is opened before it and has this share of the divergence, with
    /// which all spend no more than `epsilon` at `delta`.
    ///
    /// # Errors
    /// As [`Mechanism::calibrated`].
    pub fn calibrated_after(
        self,
        before: Self,
        share: f64,
        epsilon: f64,
        delta: f64,
    ) -> Result<Calibration, PrivacyError> {
        let whole = Training::new(1.0, 1, delta)?.noise_for(epsilon, Accountant::Renyi)?;
        let wanted = |mechanism: Self, parts: f64| {
            let in_the_sum = mechanism.l2 * whole * libm::sqrt(parts);
            let wanted = libm::ceil(in_the_sum * in_the_sum / f64::from(mechanism.contributors.max(1)));
            (wanted as u64).max(1)
        };
        let mut first = wanted(before, 1.0 / share);
        let mut variance = wanted(self, self.steps as f64 / (1.0 - share));
        loop {
            for variance in [first, variance] {
                // What the sampler cannot draw is refused here, and so ends this.
                noise::Ratio::new(variance, 1).map_err(|_| PrivacyError::Wide { epsilon })?;
            }
            let before = Before { mechanism: before, variance: first };
            let curve = self.curve(1.0, variance as f64)?.times(self.steps)?.and(&before.curve()?);
            let spent = curve.epsilon(delta)?.guarantee;
            if spent.epsilon <= epsilon {
                return Ok(Calibration { mechanism: self, rate: 1.0, variance, spent, before: Some(before) });
            }
            first += first / 1000 + 1;
            variance += variance / 1000 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> (Mechanism, Mechanism) {
        let gradients = Mechanism { steps: 100, contributors: 2, l2: 67_554.0, dimension: 24 };
        (gradients, Mechanism { steps: 1, contributors: 2, l2: 1228.0, dimension: 1500 })
    }

    #[test]
    fn both_together_spend_the_target_and_hardly_less_however_it_is_divided() {
        let (gradients, counts) = parts();
        for epsilon in [0.5, 1.0, 3.0, 8.0] {
            for share in [0.05, 0.3, 0.9] {
                let found = gradients.calibrated_after(counts, share, epsilon, 1e-5).unwrap();
                let before = found.before.unwrap();
                // Each curve by itself, added up by hand.
                let of = |mechanism: Mechanism, variance: u64, steps| {
                    mechanism.curve(1.0, variance as f64).unwrap().times(steps).unwrap()
                };
                let all = of(gradients, found.variance, 100).and(&of(counts, before.variance, 1));
                let spent = all.epsilon(1e-5).unwrap().guarantee.epsilon;
                assert_eq!(spent, found.spent.epsilon);
                assert!(spent <= epsilon && spent > 0.995 * epsilon, "{epsilon}, {share}: {spent}");
                // Either alone spends less.
                for alone in [of(gradients, found.variance, 100), of(counts, before.variance, 1)] {
                    assert!(alone.epsilon(1e-5).unwrap().guarantee.epsilon < spent);
                }
                let divided = 1.0
                    / (before.noise() * before.noise())
                    / (1.0 / (before.noise() * before.noise()) + 100.0 / (found.noise() * found.noise()));
                assert!((divided - share).abs() < 0.01, "{divided} of {share}");
            }
        }
    }

    #[test]
    fn what_came_before_is_spent_with_the_first_step() {
        let (gradients, counts) = parts();
        let found = gradients.calibrated_after(counts, 0.3, 2.0, 1e-5).unwrap();
        let along: Vec<f64> = [0, 1, 50, 100].map(|k| found.after(k).unwrap().epsilon).to_vec();
        assert!(along.is_sorted_by(|a, b| a < b) && along[0] == 0.0, "{along:?}");
        let counted = found.before.unwrap().curve().unwrap().epsilon(1e-5).unwrap().guarantee.epsilon;
        assert!(along[1] > counted, "{along:?} and {counted}");
        assert_eq!(along[3], found.spent.epsilon);
    }
}
