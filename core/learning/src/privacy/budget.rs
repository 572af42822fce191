//! What jobs on the same rows spend together, in whole numbers, and what a limit leaves.
//!
//! Guarantees of jobs add up: epsilon to epsilon, delta to delta (Dwork, Kenthapadi, McSherry, Mironov, Naor, "Our data,
//! ourselves", EUROCRYPT 2006), whatever each job does and however it depends on those before. Amounts are rounded up and
//! limits down, so that an account never holds less than was spent.

use std::fmt;

use super::Guarantee;

/// An amount of privacy: of one job, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Millionths of epsilon.
    pub micro_epsilon: u64,
    /// Units of 10^-15 of delta.
    pub femto_delta: u64,
}

/// How much may be spent in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub Amount);

impl Amount {
    /// What a guarantee takes, rounded up; the most there is where it is no finite number.
    pub fn of(guarantee: Guarantee) -> Self {
        Self { micro_epsilon: up(guarantee.epsilon, MICRO), femto_delta: up(guarantee.delta, FEMTO) }
    }

    /// Both together; at the end of the numbers it stays there.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            micro_epsilon: self.micro_epsilon.saturating_add(other.micro_epsilon),
            femto_delta: self.femto_delta.saturating_add(other.femto_delta),
        }
    }
}

impl Limit {
    /// A limit, rounded down; nothing where a number is below zero or none.
    pub fn of(epsilon: f64, delta: f64) -> Self {
        Self(Amount { micro_epsilon: (epsilon * MICRO) as u64, femto_delta: (delta * FEMTO) as u64 })
    }

    /// What is left once `spent` is.
    pub fn left(self, spent: Amount) -> Amount {
        Amount {
            micro_epsilon: self.0.micro_epsilon.saturating_sub(spent.micro_epsilon),
            femto_delta: self.0.femto_delta.saturating_sub(spent.femto_delta),
        }
    }

    /// Whether `more` may be spent beside `spent`.
    pub fn admits(self, spent: Amount, more: Amount) -> bool {
        let all = spent.and(more);
        all.micro_epsilon <= self.0.micro_epsilon && all.femto_delta <= self.0.femto_delta
    }
}

impl fmt::Display for Amount {
    /// `epsilon 1.5 at delta 1e-5`, and `delta 0` where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { micro_epsilon, femto_delta } = *self;
        write!(f, "epsilon {} at delta ", micro_epsilon as f64 / MICRO)?;
        match femto_delta {
            0 => f.write_str("0"),
            some => write!(f, "{:e}", some as f64 / FEMTO),
        }
    }
}

/// In units of 1 / `scale`, rounded up; a thousandth of a unit too much is what the product may be off by.
fn up(value: f64, scale: f64) -> u64 {
    if value.is_nan() { u64::MAX } else { libm::ceil(value * scale - 1e-3).max(0.0) as u64 }
}

const MICRO: f64 = 1e6;
const FEMTO: f64 = 1e15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{rng, uniform};

    fn amount(epsilon: f64, delta: f64) -> Amount {
        Amount::of(Guarantee { epsilon, delta })
    }

    #[test]
    fn amounts_are_rounded_up_and_limits_down() {
        assert_eq!(amount(1.0, 1e-5), Amount { micro_epsilon: 1_000_000, femto_delta: 10_000_000_000 });
        assert_eq!(amount(0.999_999_1, 0.0).micro_epsilon, 1_000_000);
        assert_eq!(Limit::of(0.999_999_9, 0.0).0.micro_epsilon, 999_999);
        assert_eq!(amount(f64::NAN, 0.0).micro_epsilon, u64::MAX);
        assert_eq!(amount(f64::INFINITY, 0.0).micro_epsilon, u64::MAX);
        assert_eq!(Limit::of(-1.0, f64::NAN).0, Amount::default());
        assert_eq!(amount(1.5, 1e-5).to_string(), "epsilon 1.5 at delta 1e-5");
        assert_eq!(amount(0.0, 0.0).to_string(), "epsilon 0 at delta 0");
    }

    #[test]
    fn whatever_is_admitted_in_whatever_order_the_limit_is_never_exceeded() {
        for seed in 0..200 {
            let mut rng = rng(seed);
            let (epsilon, delta) = (10.0 * uniform(&mut rng), 1e-5 * uniform(&mut rng));
            let (limit, mut spent, mut sum) = (Limit::of(epsilon, delta), Amount::default(), (0.0, 0.0));
            for _ in 0..50 {
                let job = (uniform(&mut rng), 1e-6 * uniform(&mut rng));
                let more = amount(job.0, job.1);
                if limit.admits(spent, more) {
                    spent = spent.and(more);
                    sum = (sum.0 + job.0, sum.1 + job.1);
                } else {
                    let left = limit.left(spent);
                    assert!(more.micro_epsilon > left.micro_epsilon || more.femto_delta > left.femto_delta);
                }
            }
            assert!(sum.0 <= epsilon + 1e-6 && sum.1 <= delta + 1e-15, "{seed}: {sum:?}");
        }
    }

    #[test]
    fn at_the_end_of_the_numbers_nothing_more_is_admitted() {
        let most = Amount { micro_epsilon: u64::MAX, femto_delta: 0 };
        assert_eq!(most.and(amount(1.0, 0.0)), most);
        assert!(!Limit::of(1e9, 1.0).admits(most, amount(0.0, 0.0)));
    }
}
