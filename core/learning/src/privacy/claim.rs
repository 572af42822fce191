//! What a job with noise claims, in the terms of NIST SP 800-226: unit, trust model, mechanism, accountant, delta.

use serde::{Deserialize, Serialize};

use super::PrivacyError;
use crate::job::{Job, NoiseSource, Unit};

/// What is claimed of a job with noise. Numbers are decimal text, rounded up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What neighbours differ by.
    pub unit: String,
    /// Who may know what, so that the claim holds.
    pub trust: String,
    /// What is done to what is opened.
    pub mechanism: String,
    /// How epsilon was worked out.
    pub accountant: String,
    /// Epsilon of the whole job, by the accountant.
    pub epsilon: String,
    /// Delta of the whole job.
    pub delta: String,
    /// Training rounds whose sums were opened, and their epsilon; none before the job ran.
    pub spent: Option<Spent>,
}

/// What was spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Training rounds.
    pub training_rounds: u32,
    /// Their epsilon, at the delta of the job.
    pub epsilon: String,
}

impl Job {
    /// What the job claims, and what it has spent once so many training rounds ran; none where it adds no noise.
    ///
    /// # Errors
    /// [`PrivacyError`] where no noise keeps its terms, or it has fewer rounds.
    pub fn claim(&self, training_rounds: Option<u32>) -> Result<Option<Claim>, PrivacyError> {
        let (Some(terms), Some(calibration)) = (self.privacy.record_level(), self.calibration()?) else {
            return Ok(None);
        };
        let spent = |rounds: u32| {
            let epsilon = figure(calibration.after(rounds.into())?.epsilon);
            Ok(Spent { training_rounds: rounds, epsilon })
        };
        let unit = match terms.unit {
            Unit::Row => "one training row of one institution, added or removed",
        };
        let trust = match terms.noise {
            NoiseSource::Local => {
                "each institution trusts itself: its own noise suffices against everybody else".into()
            }
            NoiseSource::Distributed => format!(
                "noise of {} institutions suffices: of those in a sum at least so many are honest and tell nobody their noise",
                terms.contributors()
            ),
        };
        let mechanism = format!(
            "discrete Gaussian noise of {} sensitivities in each of {} sums of clipped gradients over all rows",
            figure(calibration.noise()),
            self.rounds.count
        );
        Ok(Some(Claim {
            unit: unit.into(),
            trust,
            mechanism,
            accountant: "Renyi divergences of sums of discrete Gaussians (rdp)".into(),
            epsilon: figure(calibration.spent.epsilon),
            delta: terms.delta.to_string(),
            spent: training_rounds.map(spent).transpose()?,
        }))
    }
}

/// Four digits after the point, rounded up.
fn figure(value: f64) -> String {
    format!("{:.4}", libm::ceil(value * 1e4 - 1e-6) / 1e4)
}
