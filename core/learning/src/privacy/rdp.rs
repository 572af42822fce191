//! Accountant by Renyi divergences.
//!
//! A mechanism is (alpha, e)-RDP when the Renyi divergence of order alpha between its outputs on neighbours is at most
//! e, in both directions (Mironov, "Renyi differential privacy", CSF 2017, arXiv 1702.07476). At one order such bounds
//! add up when mechanisms run one after the other, each chosen by what came before.

use super::plan::{checked_delta, checked_epsilon, checked_noise, checked_rate, checked_steps};
use super::{Guarantee, PrivacyError, sampled};

/// Bounds of the Renyi divergence at each of [`orders`], in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct RenyiCurve {
    bounds: Vec<f64>,
}

/// A guarantee, and the order of the curve that gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtOrder {
    /// The guarantee.
    pub guarantee: Guarantee,
    /// The order.
    pub order: f64,
}

impl RenyiCurve {
    /// What a mechanism costs that does not look at the data.
    pub fn nothing() -> Self {
        Self { bounds: orders().map(|_| 0.0).collect() }
    }

    /// The Gaussian mechanism: `noise` is the standard deviation divided by the L2 sensitivity. Mironov 2017,
    /// Proposition 7.
    ///
    /// # Errors
    /// [`PrivacyError::Noise`].
    pub fn gaussian(noise: f64) -> Result<Self, PrivacyError> {
        Self::sampled_gaussian(1.0, noise)
    }

    /// The Gaussian mechanism over a sample that each unit is in with probability `rate`, independently. Mironov,
    /// Talwar, Zhang 2019 (arXiv 1908.10530).
    ///
    /// # Errors
    /// [`PrivacyError::Rate`], [`PrivacyError::Noise`].
    pub fn sampled_gaussian(rate: f64, noise: f64) -> Result<Self, PrivacyError> {
        let (rate, noise) = (checked_rate(rate)?, checked_noise(noise)?);
        Ok(Self::of(|order| sampled::divergence(rate, noise, order)))
    }

    /// The curve with this bound at each order.
    pub(super) fn of(bound: impl Fn(f64) -> f64) -> Self {
        Self { bounds: orders().map(bound).collect() }
    }

    /// The same mechanism, `steps` times.
    ///
    /// # Errors
    /// [`PrivacyError::Steps`].
    pub fn times(&self, steps: u64) -> Result<Self, PrivacyError> {
        let steps = checked_steps(steps)? as f64;
        Ok(Self { bounds: self.bounds.iter().map(|bound| bound * steps).collect() })
    }

    /// This mechanism, and the other one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let pairs = self.bounds.iter().zip(&other.bounds);
        Self { bounds: pairs.map(|(one, other)| one + other).collect() }
    }

    /// The bound at each order.
    pub fn bounds(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        orders().zip(self.bounds.iter().copied())
    }

    /// The smallest epsilon for `delta`. Canonne, Kamath, Steinke 2020 (arXiv 2004.00010, Proposition 12); zero
    /// where already the total variation distance is within delta, by the inequality of Bretagnolle and Huber.
    ///
    /// # Errors
    /// [`PrivacyError::Delta`].
    pub fn epsilon(&self, delta: f64) -> Result<AtOrder, PrivacyError> {
        let delta = checked_delta(delta)?;
        let at = |(order, bound): (f64, f64)| {
            if delta * delta + libm::expm1(-bound) > 0.0 {
                return (0.0, order);
            }
            let rest = libm::log(delta * order) / (order - 1.0);
            (bound + libm::log1p(-1.0 / order) - rest, order)
        };
        let (epsilon, order) = smallest(self.bounds().map(at));
        Ok(AtOrder { guarantee: Guarantee { epsilon: epsilon.max(0.0), delta }, order })
    }

    /// The smallest delta for `epsilon`, by the same results.
    ///
    /// # Errors
    /// [`PrivacyError::Epsilon`].
    pub fn delta(&self, epsilon: f64) -> Result<AtOrder, PrivacyError> {
        let epsilon = checked_epsilon(epsilon)?;
        let at = |(order, bound): (f64, f64)| {
            let distance = 0.5 * libm::log(-libm::expm1(-bound));
            let converted = (order - 1.0) * (bound - epsilon + libm::log1p(-1.0 / order)) - libm::log(order);
            (distance.min(converted), order)
        };
        let (log_delta, order) = smallest(self.bounds().map(at));
        Ok(AtOrder { guarantee: Guarantee { epsilon, delta: libm::exp(log_delta).min(1.0) }, order })
    }
}

/// The orders of every curve: 1.1 to 10.9 in tenths, 11 to 63, and 128, 256, 512 and 1024, as in Google's
/// dp-accounting, so that figures can be compared.
pub fn orders() -> impl Iterator<Item = f64> {
    let tenths = (11..110).map(|tenth: u32| f64::from(tenth) / 10.0);
    tenths.chain((11..64).map(f64::from)).chain([128.0, 256.0, 512.0, 1024.0])
}

fn smallest(values: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    values.fold((f64::INFINITY, 1.0), |least, this| if this.0 < least.0 { this } else { least })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::plan::tests::{REFERENCE, TWO_MORE};

    #[test]
    fn every_row_of_the_reference_is_met() {
        for row in REFERENCE.iter().chain(&TWO_MORE) {
            let curve = RenyiCurve::sampled_gaussian(row.rate, row.noise).unwrap();
            let found = curve.times(row.steps).unwrap().epsilon(row.delta).unwrap();
            let epsilon = found.guarantee.epsilon;
            assert!((epsilon / row.rdp - 1.0).abs() < 1e-4, "{row:?}: {found:?}");
            assert!(epsilon >= row.pld, "{row:?}: {found:?}");
            if let Some(order) = row.order {
                assert!((found.order - order).abs() < 0.11, "{row:?}: {found:?}");
            }
        }
    }

    #[test]
    fn delta_and_epsilon_are_each_others_inverse() {
        let curve = RenyiCurve::sampled_gaussian(0.02, 1.0).unwrap().times(250).unwrap();
        for delta in [1e-3, 1e-5, 1e-9] {
            let epsilon = curve.epsilon(delta).unwrap().guarantee.epsilon;
            let back = curve.delta(epsilon).unwrap().guarantee.delta;
            assert!((back / delta - 1.0).abs() < 1e-9, "{delta}: {epsilon}, {back}");
        }
    }

    #[test]
    fn steps_add_up_in_any_order() {
        let (a, b) = (RenyiCurve::gaussian(3.0).unwrap(), RenyiCurve::sampled_gaussian(0.1, 1.0).unwrap());
        assert_eq!(a.and(&b), b.and(&a));
        assert_eq!(a.and(&a), a.times(2).unwrap());
        assert_eq!(a.and(&RenyiCurve::nothing()), a);
        let (one, both) = (a.epsilon(1e-6).unwrap(), a.and(&b).epsilon(1e-6).unwrap());
        assert!(both.guarantee.epsilon > one.guarantee.epsilon);
    }

    #[test]
    fn what_does_not_look_at_the_data_costs_nothing() {
        let nothing = RenyiCurve::nothing();
        assert_eq!(nothing.epsilon(1e-6).unwrap().guarantee.epsilon, 0.0);
        assert_eq!(nothing.delta(0.5).unwrap().guarantee.delta, 0.0);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (rate, noise, code) in [
            (0.0, 1.0, "privacy.rate"),
            (1.1, 1.0, "privacy.rate"),
            (f64::NAN, 1.0, "privacy.rate"),
            (0.1, 0.0, "privacy.noise"),
            (0.1, f64::INFINITY, "privacy.noise"),
            (0.1, f64::NAN, "privacy.noise"),
        ] {
            assert_eq!(RenyiCurve::sampled_gaussian(rate, noise).unwrap_err().code(), code);
        }
        let curve = RenyiCurve::gaussian(1.0).unwrap();
        assert_eq!(curve.times(0).unwrap_err().code(), "privacy.steps");
        for delta in [0.0, 1.0, -1.0, f64::NAN] {
            assert_eq!(curve.epsilon(delta).unwrap_err().code(), "privacy.delta");
        }
        for epsilon in [0.0, f64::INFINITY, f64::NAN] {
            let error = curve.delta(epsilon).unwrap_err();
            assert_eq!(error.code(), "privacy.epsilon");
            assert!(!error.help().is_empty());
        }
    }
}
