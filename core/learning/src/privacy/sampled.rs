//! Renyi divergence of the Poisson-subsampled Gaussian mechanism at one order.
//!
//! Mironov, Talwar, Zhang, "Renyi differential privacy of the sampled Gaussian mechanism" (arXiv 1908.10530), section
//! 3.3. Of the two directions of add/remove neighbours, this one is the larger, as they show.

use core::f64::consts::SQRT_2;

use super::special::{LOG_HALF, log_add, log_binomial, log_erfc, log_expm1};

/// The divergence at `order` > 1 of noise of standard deviation `noise` (in sensitivities), when a unit is looked at
/// with probability `rate` in (0, 1]. Never below the true one, but for rounding in the last places.
pub(super) fn divergence(rate: f64, noise: f64, order: f64) -> f64 {
    if rate == 1.0 {
        return order / (2.0 * noise * noise);
    }
    let whole = |order: f64| log_moment_at_whole(rate, noise, order) / (order - 1.0);
    if libm::floor(order) == order {
        return whole(order);
    }
    // The divergence does not decrease with the order, so the next whole order bounds it too. That is what is left
    // where the series loses a tiny divergence in its rounding, or does not converge.
    let series = log_moment_at_fraction(rate, noise, order) + SERIES_ROUNDING;
    (series / (order - 1.0)).min(whole(libm::ceil(order)))
}

/// log A for a whole order. A is the mean of exp((k^2 - k) / 2 noise^2) over a binomial k; the mean of that less 1 has
/// positive terms only, so that nothing cancels where A is close to 1.
fn log_moment_at_whole(rate: f64, noise: f64, order: f64) -> f64 {
    let (log_rate, log_rest) = (libm::log(rate), libm::log1p(-rate));
    let mut excess = f64::NEG_INFINITY;
    for k in 2..=order as u32 {
        let k = f64::from(k);
        let weight = log_binomial(order, k) + k * log_rate + (order - k) * log_rest;
        excess = log_add(excess, weight + log_expm1(k * (k - 1.0) / (2.0 * noise * noise)));
    }
    log_add(0.0, excess)
}

/// An upper bound of log A for any other order: the two series of the paper, left and right of the point where both
/// parts of the mixture are equally likely, with all terms taken as positive. Infinite when they do not converge.
fn log_moment_at_fraction(rate: f64, noise: f64, order: f64) -> f64 {
    let (log_rate, log_rest) = (libm::log(rate), libm::log1p(-rate));
    let variance = noise * noise;
    let border = variance * libm::log(1.0 / rate - 1.0) + 0.5;
    let mut total = f64::NEG_INFINITY;
    let mut last = [f64::NEG_INFINITY; 2];
    for i in 0..MOST_TERMS {
        let i = f64::from(i);
        let j = order - i;
        let binomial = log_binomial(order, i) + LOG_HALF;
        let left = binomial
            + i * log_rate
            + j * log_rest
            + i * (i - 1.0) / (2.0 * variance)
            + log_erfc((i - border) / (SQRT_2 * noise));
        let right = binomial
            + j * log_rate
            + i * log_rest
            + j * (j - 1.0) / (2.0 * variance)
            + log_erfc((border - j) / (SQRT_2 * noise));
        total = log_add(total, log_add(left, right));
        let falling = left < last[0] && right < last[1];
        if falling && left.max(right) < total - NEGLIGIBLE {
            return total;
        }
        last = [left, right];
    }
    f64::INFINITY
}

/// What the rounding of the series' terms can take from a logarithm.
const SERIES_ROUNDING: f64 = 1e-12;

/// Terms below exp(-NEGLIGIBLE) of the sum end it.
const NEGLIGIBLE: f64 = 30.0;

const MOST_TERMS: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_fractional_orders_are_one_curve() {
        for (rate, noise) in [(0.01, 1.0), (0.1, 0.7), (0.5, 3.0), (0.999, 2.0)] {
            for order in [2.0, 3.0, 7.0] {
                let exact = divergence(rate, noise, order);
                let near = log_moment_at_fraction(rate, noise, order + 1e-7) / (order - 1.0);
                assert!((near / exact - 1.0).abs() < 1e-4, "{rate} {noise} {order}: {exact} {near}");
            }
        }
    }

    #[test]
    fn a_divergence_far_below_rounding_keeps_its_digits() {
        // For a small rate it is rate^2 order (exp(1 / noise^2) - 1) / 2.
        let (rate, noise): (f64, f64) = (1e-9, 10.0);
        for order in [2.0, 32.0] {
            let expected = rate * rate * order * libm::expm1(1.0 / (noise * noise)) / 2.0;
            let found = divergence(rate, noise, order);
            assert!((found / expected - 1.0).abs() < 1e-6, "{order}: {found} {expected}");
        }
    }

    #[test]
    fn it_does_not_decrease_with_order_or_rate_and_does_with_noise() {
        let orders = [1.1, 1.5, 2.0, 2.5, 4.0, 10.9, 11.0, 64.0, 1024.0];
        let along: Vec<f64> = orders.iter().map(|order| divergence(0.02, 1.3, *order)).collect();
        assert!(along.is_sorted(), "{along:?}");
        let along = [0.001, 0.01, 0.1, 0.5, 0.99, 1.0].map(|rate| divergence(rate, 1.3, 3.5));
        assert!(along.is_sorted(), "{along:?}");
        let along = [10.0, 3.0, 1.0, 0.5].map(|noise| divergence(0.02, noise, 3.5));
        assert!(along.is_sorted(), "{along:?}");
    }
}
