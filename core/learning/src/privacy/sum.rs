//! The sum of discrete Gaussians that several contributors add, each in whole numbers.
//!
//! Kairouz, Liu, Steinke, "The distributed discrete Gaussian mechanism for federated learning with secure
//! aggregation", ICML 2021, arXiv 2102.06387, Proposition 14. Such a sum is not a discrete Gaussian; the proposition
//! bounds by how little it is not.

use core::f64::consts::PI;

use super::rdp::RenyiCurve;
use super::{PrivacyError, any_sampled};

/// A vector of whole numbers with noise from several contributors in every entry.
///
/// All lengths are in steps, the unit of the whole numbers. Noise of further contributors, known to nobody or to the
/// adversary, makes no guarantee weaker; so `contributors` counts those only whose noise is sure to be there and secret.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiscreteGaussianSum {
    /// Variance parameter of each contributor's noise in one entry, in steps^2; at least 1/4.
    pub variance: f64,
    /// Contributors whose noise counts, from 1.
    pub contributors: u32,
    /// L2 distance of the whole-numbered vectors of neighbours at most, in steps: of rounded values, which are longer
    /// than before rounding.
    pub l2: f64,
    /// L1 distance at most, in steps. [`most_l1`] bounds it.
    pub l1: f64,
    /// Entries of the vector.
    pub dimension: u64,
}

impl DiscreteGaussianSum {
    /// What it costs.
    ///
    /// With n contributors and noise of parameter sigma each, s2 and s1 being the distances divided by sqrt(n) sigma,
    /// the bound at order a is the least of
    ///
    /// - a s2^2 / 2 + tau d,
    /// - a (s2^2 + 2 s1 tau + tau^2 d) / 2,
    /// - a (s2 + sqrt(d) tau)^2 / 2,
    ///
    /// where tau = 10 sum_(k=1)^(n-1) exp(-2 pi^2 sigma^2 k / (k + 1)).
    ///
    /// # Errors
    /// [`PrivacyError::Sum`] where the proposition does not hold, or a distance is no positive number.
    pub fn curve(&self) -> Result<RenyiCurve, PrivacyError> {
        self.curve_on_samples(1.0)
    }

    /// The same when each unit is in the sum with probability `rate`, independently and unknown to those who see it: Poisson
    /// sampling. The sum of independent discrete Gaussians is as likely as its negative, which is what it takes.
    ///
    /// # Errors
    /// [`PrivacyError::Rate`]; [`PrivacyError::Sum`] as without a sample.
    pub fn curve_on_samples(&self, rate: f64) -> Result<RenyiCurve, PrivacyError> {
        self.check()?;
        let deviation = libm::sqrt(f64::from(self.contributors) * self.variance);
        let (s2, s1) = (self.l2 / deviation, self.l1 / deviation);
        let (tau, dimension) = (self.tau(), self.dimension as f64);
        let both = s2 * s2 + 2.0 * s1 * tau + tau * tau * dimension;
        let triangle = s2 + libm::sqrt(dimension) * tau;
        let scaled = both.min(triangle * triangle);
        any_sampled::curve(rate, |order| (order / 2.0 * s2 * s2 + tau * dimension).min(order / 2.0 * scaled))
    }

    /// How far the sum is from a discrete Gaussian, in nats for each entry.
    fn tau(&self) -> f64 {
        let exponent = 2.0 * PI * PI * self.variance;
        let mut sum = 0.0;
        for k in 1..self.contributors {
            let k = f64::from(k);
            sum += libm::exp(-exponent * k / (k + 1.0));
        }
        10.0 * sum
    }

    fn check(&self) -> Result<(), PrivacyError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(self.variance) || self.variance < LEAST_VARIANCE {
            return Err(PrivacyError::Sum(
                "each contributor's variance is below a quarter of a squared step",
            ));
        }
        if self.contributors == 0 {
            return Err(PrivacyError::Sum("nobody contributes noise"));
        }
        if self.dimension == 0 {
            return Err(PrivacyError::Sum("the vector has no entries"));
        }
        if !positive(self.l2) || !positive(self.l1) {
            return Err(PrivacyError::Sum("a sensitivity is not a finite number above 0"));
        }
        Ok(())
    }
}

/// The largest L1 norm of a vector of `dimension` whole numbers whose L2 norm is `l2`: sqrt(d) l2, and l2^2 since no
/// whole number is larger than its square.
pub fn most_l1(l2: f64, dimension: u64) -> f64 {
    (libm::sqrt(dimension as f64) * l2).min(l2 * l2)
}

/// The proposition holds from a standard deviation of 1/2 on.
const LEAST_VARIANCE: f64 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;

    fn sum() -> DiscreteGaussianSum {
        let (l2, dimension) = (100.0, 1000);
        DiscreteGaussianSum { variance: 400.0, contributors: 25, l2, l1: most_l1(l2, dimension), dimension }
    }

    #[test]
    fn with_wide_noise_it_costs_what_a_gaussian_does() {
        // sqrt(25 * 400) steps of noise on 100 steps of sensitivity.
        let (sum, gaussian) = (sum().curve().unwrap(), RenyiCurve::gaussian(1.0).unwrap());
        for ((order, found), (_, expected)) in sum.bounds().zip(gaussian.bounds()) {
            assert!((found / expected - 1.0).abs() < 1e-12, "{order}: {found} {expected}");
        }
    }

    #[test]
    fn one_contributor_alone_adds_a_discrete_gaussian_and_nothing_more() {
        let alone = DiscreteGaussianSum { variance: 0.25, contributors: 1, l2: 1.0, l1: 1.0, dimension: 9 };
        let gaussian = RenyiCurve::gaussian(0.5).unwrap();
        assert_eq!(alone.curve().unwrap(), gaussian);
    }

    #[test]
    fn narrow_noise_costs_more_by_the_least_of_three_bounds() {
        let narrow = DiscreteGaussianSum { variance: 0.5, contributors: 4, l2: 2.0, l1: 4.0, dimension: 100 };
        // Worked out by hand: exponents pi^2 times 1/2, 2/3 and 3/4.
        let tau: f64 = 10.0 * (0.007_191_883_355_826_368 + 0.001_388_3 + 0.000_609_9);
        assert!((narrow.tau() - tau).abs() < 1e-5, "{} {tau}", narrow.tau());
        let (s2, s1): (f64, f64) = (libm::sqrt(2.0), 4.0 / libm::sqrt(2.0));
        let curve = narrow.curve().unwrap();
        for (order, found) in curve.bounds() {
            let first = order / 2.0 * s2 * s2 + narrow.tau() * 100.0;
            let second =
                order / 2.0 * (s2 * s2 + 2.0 * s1 * narrow.tau() + narrow.tau() * narrow.tau() * 100.0);
            let third = order / 2.0 * (s2 + 10.0 * narrow.tau()) * (s2 + 10.0 * narrow.tau());
            let expected = first.min(second).min(third);
            assert!((found / expected - 1.0).abs() < 1e-12, "{order}: {found} {expected}");
            assert!(found > order / 2.0 * s2 * s2);
        }
    }

    #[test]
    fn more_honest_noise_never_costs_more() {
        for variance in [0.25, 1.0, 100.0] {
            let epsilon = |contributors| {
                let sum = DiscreteGaussianSum { variance, contributors, l2: 1.0, l1: 1.0, dimension: 1 };
                sum.curve().unwrap().epsilon(1e-5).unwrap().guarantee.epsilon
            };
            if variance >= 1.0 {
                assert!(epsilon(2) < epsilon(1) && epsilon(10) < epsilon(2), "{variance}");
            } else {
                // The bound is loose there, but it is a number.
                assert!(epsilon(10).is_finite());
            }
        }
    }

    #[test]
    fn the_l1_norm_is_bounded_by_dimension_and_by_wholeness() {
        assert_eq!(most_l1(3.0, 4), 6.0);
        assert_eq!(most_l1(3.0, 1_000_000), 9.0);
    }

    #[test]
    fn what_the_proposition_does_not_cover_is_refused() {
        let wrong = [
            DiscreteGaussianSum { variance: 0.24, ..sum() },
            DiscreteGaussianSum { variance: f64::NAN, ..sum() },
            DiscreteGaussianSum { contributors: 0, ..sum() },
            DiscreteGaussianSum { dimension: 0, ..sum() },
            DiscreteGaussianSum { l2: 0.0, ..sum() },
            DiscreteGaussianSum { l1: f64::INFINITY, ..sum() },
        ];
        for sum in wrong {
            assert_eq!(sum.curve().unwrap_err().code(), "privacy.sum");
        }
    }
}
