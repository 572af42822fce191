//! Renyi curves of any symmetric noise over a Poisson sample: what holds for sums of discrete Gaussians too.
//!
//! A unit is in a sample with probability q, independently of all others and unknown to those who see what comes of it. Let P be
//! the noise, whole vectors about zero that are as likely as their negatives, and Q the same moved by what the unit adds, a vector
//! g. Whatever else is in the sample moves both alike, and given it, neighbours differ by P and M = (1 - q) P + q Q; what is not
//! given makes nothing larger, since divergences are jointly quasi-convex.
//!
//! **M from P, at a whole order a.** By the binomial theorem (Wang, Balle, Kasiviswanathan, AISTATS 2019, arXiv 1808.00087; Zhu,
//! Wang, "Poisson subsampled Renyi differential privacy", ICML 2019),
//!
//! ```text
//! E_P (M/P)^a = sum_k (a choose k) (1 - q)^(a - k) q^k E_P (Q/P)^k,    E_P (Q/P)^k = exp((k - 1) D_k(Q | P)),
//! ```
//!
//! with no factor that could be negative: bounds e(k) of the divergences without a sample, in the place of D_k, bound the whole.
//! Nothing is said of the noise but its curve. For k of 0 and 1 the mean is 1. With e(k) = k / (2 z^2) it is the formula for
//! Gaussian noise (Mironov, Talwar, Zhang 2019, arXiv 1908.10530, section 3.3).
//!
//! **P from M** is never more, so that no general bound with its factor of three is needed. (Zhu and Wang's Theorem 6 asks for a
//! condition; Theorem 5 of Mironov, Talwar and Zhang is this one, for densities.) The points x and g - x have P and Q exchanged.
//! Such a pair, with probabilities p <= 1 - p given that it is one of both, has m under M, between p and 1 - p. So it suffices that
//! for two points, and c = a - 1/2 >= 1/2,
//!
//! ```text
//! m^a p^(1-a) + (1-m)^a (1-p)^(1-a) - p^a m^(1-a) - (1-p)^a (1-m)^(1-a)
//!     = 2 sqrt(m p) sinh(c A) - 2 sqrt((1-m) (1-p)) sinh(c B),    A = log(m/p),  B = log((1-p)/(1-m)),
//! ```
//!
//! is not negative. At c = 1/2 it is (m - p) + (1 - m) - (1 - p) = 0. And sinh(c A) / sinh(c B) does not fall with c, because
//! A >= B: m (1 - m) >= p (1 - p), for m is no further from one half than p.
//!
//! **Orders between whole ones.** log E_P (M/P)^a is convex in a, and zero at 1: between two whole orders a line through what
//! bounds it at both bounds it too. And a sample never costs more than all units do, by quasi-convexity.

use super::PrivacyError;
use super::plan::checked_rate;
use super::rdp::{RenyiCurve, orders};
use super::special::log_expm1;

/// What noise costs over samples of `rate`, when it costs `bound` at each order over all units. `bound` does not fall with the
/// order; at a rate of 1 it is the curve.
///
/// # Errors
/// [`PrivacyError::Rate`].
pub(super) fn curve(rate: f64, bound: impl Fn(f64) -> f64) -> Result<RenyiCurve, PrivacyError> {
    let rate = checked_rate(rate)?;
    if rate == 1.0 {
        return Ok(RenyiCurve::of(bound));
    }
    let moments = Moments::new(rate, &bound);
    Ok(RenyiCurve::of(|order| (moments.log_at(order) / (order - 1.0)).min(bound(order))))
}

/// What moments of the ratio of both likelihoods are made of.
struct Moments {
    log_rate: f64,
    log_rest: f64,
    /// log k! for each k.
    log_factorials: Vec<f64>,
    /// log(E_P (Q/P)^k - 1), for each k from 2.
    log_gains: Vec<f64>,
}

impl Moments {
    fn new(rate: f64, bound: impl Fn(f64) -> f64) -> Self {
        let most = orders().fold(2.0, f64::max) as u32;
        let mut log_factorials = vec![0.0];
        let mut log_gains = vec![f64::NEG_INFINITY; 2];
        let mut log_factorial = 0.0;
        for k in 1..=most {
            let k = f64::from(k);
            log_factorial += libm::log(k);
            log_factorials.push(log_factorial);
            if k >= 2.0 {
                log_gains.push(log_expm1((k - 1.0) * bound(k)));
            }
        }
        Self { log_rate: libm::log(rate), log_rest: libm::log1p(-rate), log_factorials, log_gains }
    }

    /// A bound of log E_P (M/P)^order.
    fn log_at(&self, order: f64) -> f64 {
        let whole = libm::floor(order);
        let at = |whole: f64| self.log_at_whole(whole as usize);
        if whole == order {
            return at(whole);
        }
        let part = order - whole;
        (1.0 - part) * at(whole) + part * at(whole + 1.0)
    }

    /// The same at a whole order from 1. The mean of the binomial's gains over 1 has positive terms only, so that nothing
    /// cancels where the moment is close to 1.
    fn log_at_whole(&self, order: usize) -> f64 {
        let log_choices =
            |k: usize| self.log_factorials[order] - self.log_factorials[k] - self.log_factorials[order - k];
        let term = |k: usize| {
            log_choices(k) + k as f64 * self.log_rate + (order - k) as f64 * self.log_rest + self.log_gains[k]
        };
        let terms: Vec<f64> = (2..=order).map(term).collect();
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return 0.0;
        }
        let sum: f64 = terms.iter().map(|term| libm::exp(term - largest)).sum();
        let log_excess = largest + libm::log(sum);
        // log(1 + exp(x)), without overflow.
        log_excess.max(0.0) + libm::log1p(libm::exp(-log_excess.abs()))
    }
}

#[cfg(test)]
#[path = "any_sampled_tests.rs"]
mod tests;
