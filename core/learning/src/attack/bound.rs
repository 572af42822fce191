//! What differential privacy allows any adversary at most, whatever it knows.
//!
//! A test between two neighbours whose false alarms are a share a finds at most min(e^epsilon a + delta, 1 - e^-epsilon (1 - delta - a))
//! of the members (Kairouz, Oh, Viswanath, ICML 2015, Theorem 2.1); the difference is largest where both are equal.

use crate::privacy::Guarantee;

/// The most that the share of members found can exceed that of false alarms.
pub fn advantage(guarantee: Guarantee) -> f64 {
    let Guarantee { epsilon, delta } = guarantee;
    // (e^epsilon - 1 + 2 delta) / (e^epsilon + 1), which stays finite for a large epsilon.
    let small = libm::exp(-epsilon);
    ((1.0 - small + 2.0 * delta * small) / (1.0 + small)).min(1.0)
}

/// The largest share of members found where so many others are taken for members.
pub fn found(guarantee: Guarantee, alarms: f64) -> f64 {
    let Guarantee { epsilon, delta } = guarantee;
    let (large, small) = (libm::exp(epsilon), libm::exp(-epsilon));
    (large * alarms + delta).min(1.0 - small * (1.0 - delta - alarms)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_epsilon_leaves_chance_and_delta_and_a_large_one_everything() {
        let none = Guarantee { epsilon: 0.0, delta: 1e-3 };
        assert!((advantage(none) - 1e-3).abs() < 1e-12 && (found(none, 0.1) - 0.101).abs() < 1e-12);
        let large = Guarantee { epsilon: 800.0, delta: 0.0 };
        assert_eq!((advantage(large), found(large, 0.001)), (1.0, 1.0));
    }

    #[test]
    fn the_advantage_is_the_largest_difference_of_the_curve() {
        for epsilon in [0.1, 1.0, 3.0, 8.0] {
            let guarantee = Guarantee { epsilon, delta: 1e-5 };
            let difference = |share: u32| found(guarantee, f64::from(share) / 1e5) - f64::from(share) / 1e5;
            let largest = (0..=100_000).map(difference).fold(0.0, f64::max);
            assert!((largest - advantage(guarantee)).abs() < 1e-4, "{epsilon}: {largest}");
        }
    }
}
