//! Elementary functions of probabilities, in logarithms where these get small.

use core::f64::consts::{LN_2, PI, SQRT_2};

/// log(exp(x) + exp(y)).
pub(super) fn log_add(x: f64, y: f64) -> f64 {
    let (low, high) = if x < y { (x, y) } else { (y, x) };
    if low == f64::NEG_INFINITY || high == f64::INFINITY {
        return high;
    }
    high + libm::log1p(libm::exp(low - high))
}

/// log |n choose k| for a real n.
pub(super) fn log_binomial(n: f64, k: f64) -> f64 {
    libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
}

/// log(exp(x) - 1) for x > 0.
pub(super) fn log_expm1(x: f64) -> f64 {
    if x > 40.0 { x } else { libm::log(libm::expm1(x)) }
}

/// log erfc(x); by the asymptotic series where erfc(x) itself is near the end of the floating numbers, whose next
/// term is then below 1e-9.
pub(super) fn log_erfc(x: f64) -> f64 {
    if x < LARGE {
        return libm::log(libm::erfc(x));
    }
    let y = 1.0 / (x * x);
    let series = -0.5 * y + 0.625 * y * y - 37.0 / 24.0 * y * y * y;
    -x * x - libm::log(x) - 0.5 * libm::log(PI) + series
}

/// Probability that a standard normal number is between `from` and `to`, taken in the nearer tail.
pub(super) fn normal_between(from: f64, to: f64) -> f64 {
    if from >= to {
        return 0.0;
    }
    if from > 0.0 {
        return upper_tail(from) - upper_tail(to);
    }
    if to < 0.0 {
        return upper_tail(-to) - upper_tail(-from);
    }
    0.5 * (libm::erf(to / SQRT_2) - libm::erf(from / SQRT_2))
}

/// Probability that a standard normal number is above `x`.
pub(super) fn upper_tail(x: f64) -> f64 {
    0.5 * libm::erfc(x / SQRT_2)
}

/// log(1/2).
pub(super) const LOG_HALF: f64 = -LN_2;

const LARGE: f64 = 25.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ways_to_a_logarithm_of_erfc_meet() {
        let (below, above) = (log_erfc(LARGE - 1e-12), log_erfc(LARGE));
        assert!((below - above).abs() < 1e-9, "{below} {above}");
    }

    #[test]
    fn known_values() {
        assert!((log_add(0.0, 0.0) - LN_2).abs() < 1e-15);
        assert_eq!(log_add(f64::NEG_INFINITY, 3.0), 3.0);
        assert!((log_binomial(10.0, 3.0) - libm::log(120.0)).abs() < 1e-13);
        // 2.5 choose 4 is 2.5 * 1.5 * 0.5 * -0.5 / 24.
        assert!((log_binomial(2.5, 4.0) - libm::log(0.9375 / 24.0)).abs() < 1e-13);
        assert!((log_expm1(1e-9) - libm::log(1e-9)).abs() < 1e-8);
        assert!((normal_between(-1.0, 1.0) - 0.682_689_492_137_085_9).abs() < 1e-15);
        let tail = normal_between(9.0, 10.0);
        assert!((tail / 1.128_512_207_423_6e-19 - 1.0).abs() < 1e-9, "{tail}");
        assert_eq!(normal_between(-10.0, -9.0), tail);
    }
}
