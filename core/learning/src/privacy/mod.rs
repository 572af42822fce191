//! Differential privacy: what noise costs, how much of it a training needs, and the exact noise itself.
//!
//! Jobs of `mode = "record-level"` and `"institution-level"` run it; [`plan`] is for planning ahead (docs/privacy.md). A guarantee is
//! a pair (epsilon, delta) for one unit of privacy: a row that is added or removed, or an institution with zero in its place.
//!
//! | | |
//! |---|---|
//! | [`rdp`] | accountant by Renyi divergences: composes anything that has a curve |
//! | [`pld`] | accountant by the distribution of the privacy loss: tighter, for the Gaussian mechanism alone |
//! | [`sum`] | the curve of a sum of discrete Gaussians, as institutions add them, over all units or Poisson samples |
//! | [`noise`] | exact samplers of integer noise |
//! | [`calibration`] | the noise that a training in whole numbers needs |
//! | [`claim`] | what a job claims, and what it has spent |
//! | [`budget`] | what several jobs spend together |
//! | [`plan`] | epsilon from noise, noise from epsilon, and who has to add how much |

mod any_sampled;
pub mod budget;
pub mod calibration;
pub mod claim;
pub mod composition;
mod fft;
pub mod noise;
pub mod plan;
pub mod pld;
pub mod rdp;
mod sampled;
mod special;
pub mod sum;

use thiserror::Error;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PrivacyError {
    /// A probability that is none, or zero.
    #[error("the sampling rate {rate} is not above 0 and at most 1")]
    Rate {
        /// As given.
        rate: f64,
    },
    /// Noise outside what the accountants are made for.
    #[error("the noise multiplier {noise} is not between {} and {}", plan::LEAST_NOISE, plan::MOST_NOISE)]
    Noise {
        /// As given.
        noise: f64,
    },
    /// No steps, or more than the accountants are made for.
    #[error("{steps} steps are not between 1 and {}", plan::MOST_STEPS)]
    Steps {
        /// As given.
        steps: u64,
    },
    /// A delta that says nothing, or one that rounding would drown.
    #[error("delta {delta} is not at least {} and below 1", plan::LEAST_DELTA)]
    Delta {
        /// As given.
        delta: f64,
    },
    /// An epsilon that is no finite number above zero.
    #[error("epsilon {epsilon} is not a finite number above 0")]
    Epsilon {
        /// As given.
        epsilon: f64,
    },
    /// A delta that the privacy loss accountant cannot tell from its own rounding.
    #[error("delta {delta} is too small for the privacy loss accountant over so many steps")]
    Precision {
        /// As given.
        delta: f64,
    },
    /// No noise in the range of the accountants reaches the epsilon.
    #[error("no noise multiplier up to {} keeps epsilon at or below {epsilon}", plan::MOST_NOISE)]
    Unreachable {
        /// As asked for.
        epsilon: f64,
    },
    /// The noise for the epsilon is wider than its sampler draws.
    #[error("epsilon {epsilon} needs noise that is wider than can be drawn exactly")]
    Wide {
        /// As asked for.
        epsilon: f64,
    },
    /// Nobody honest is left to add noise, or more answer than there are.
    #[error(
        "of {institutions} institutions {threshold} answer and {colluding} collude: no honest noise is left"
    )]
    Honest {
        /// Institutions in all.
        institutions: u32,
        /// Those of them whose noise is in the sum at least.
        threshold: u32,
        /// Those that may tell their noise to whoever sees the sum.
        colluding: u32,
    },
    /// More honest noise is counted on than there is.
    #[error(
        "the job counts on the noise of {honest} honest institutions, but of {threshold} that answer {colluding} may collude"
    )]
    Counted {
        /// As the job says.
        honest: u16,
        /// t.
        threshold: u16,
        /// c.
        colluding: u16,
    },
    /// Discrete noise too narrow for the theorem, or a sensitivity or dimension that is none.
    #[error("the sum of discrete Gaussians has no guarantee: {0}")]
    Sum(&'static str),
    /// A parameter of a sampler that is zero or too large.
    #[error(
        "{numerator}/{denominator} is not a ratio of whole numbers between 1 and 2^{}",
        noise::RATIO_BITS
    )]
    Ratio {
        /// As given.
        numerator: u64,
        /// As given.
        denominator: u64,
    },
}

impl PrivacyError {
    /// Stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rate { .. } => "privacy.rate",
            Self::Noise { .. } => "privacy.noise",
            Self::Steps { .. } => "privacy.steps",
            Self::Delta { .. } => "privacy.delta",
            Self::Epsilon { .. } => "privacy.epsilon",
            Self::Precision { .. } => "privacy.precision",
            Self::Unreachable { .. } | Self::Wide { .. } => "privacy.unreachable",
            Self::Honest { .. } | Self::Counted { .. } => "privacy.honest",
            Self::Sum(_) => "privacy.sum",
            Self::Ratio { .. } => "privacy.ratio",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Rate { .. } => {
                "the rate is the probability with which a step looks at a unit: batch size / units, or 1 for all of them"
            }
            Self::Noise { .. } => {
                "the multiplier is the standard deviation of the noise in the sum, divided by the clipping norm"
            }
            Self::Steps { .. } => {
                "count how often noise is added and a sum is opened: rounds, or local steps"
            }
            Self::Delta { .. } => "choose delta well below 1 / units, such as 1e-6 for 100,000 customers",
            Self::Epsilon { .. } => "choose epsilon above 0; up to 1 is strong, above 10 says little",
            Self::Precision { .. } => "use the Renyi accountant, or a larger delta",
            Self::Unreachable { .. } | Self::Wide { .. } => {
                "take fewer steps, a lower rate, fewer rows of one customer, a larger delta or a larger epsilon"
            }
            Self::Honest { .. } => {
                "take a threshold of at most the number of institutions, and fewer colluding ones than the threshold"
            }
            Self::Counted { .. } => {
                "lower `honest` of [privacy] to at most t - c, or raise `threshold`, or lower `colluding`"
            }
            Self::Sum(_) => {
                "use a finer resolution, so that each institution's noise is wider than half a step"
            }
            Self::Ratio { .. } => "round the parameter to fewer binary places, or use a coarser resolution",
        }
    }
}

/// What a mechanism spends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guarantee {
    /// Epsilon: bounds the privacy loss, but for a probability of about `delta`.
    pub epsilon: f64,
    /// Delta.
    pub delta: f64,
}

impl Guarantee {
    /// What holds for two contributions of one institution that differ in any way, where this holds for each of them and for none
    /// in its place: so also where they differ by one row. From the one to none and on to the other, the probability of anything
    /// grows by e^epsilon and delta twice: (2 epsilon, (1 + e^epsilon) delta).
    #[must_use]
    pub fn through_none(self) -> Self {
        let Self { epsilon, delta } = self;
        Self { epsilon: 2.0 * epsilon, delta: ((1.0 + libm::exp(epsilon)) * delta).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_are_both_near_none_are_twice_as_far_from_each_other() {
        let near = Guarantee { epsilon: 1.0, delta: 1e-6 };
        let apart = near.through_none();
        assert_eq!(apart.epsilon, 2.0);
        assert!((apart.delta / (1e-6 * (1.0 + core::f64::consts::E)) - 1.0).abs() < 1e-12);
        assert_eq!(Guarantee { epsilon: 50.0, delta: 1e-5 }.through_none().delta, 1.0);
    }
}
