//! What is added against inference from the results: the section `[privacy]`.

use serde::{Deserialize, Serialize};
use syndic_round::Protection;

use super::institution::{self, InstitutionLevelTerms};
use super::{Job, ProgramTerms};
use crate::contract::Contract;
use crate::privacy::calibration::Calibration;
use crate::privacy::{Guarantee, PrivacyError};
use crate::program::boosted_trees::noisy as noisy_trees;
use crate::program::noisy_model::NoisyModel;
use crate::program::{description, noisy_sum, scorecard};

/// What is added against inference from the results.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Privacy {
    /// Nothing beyond showing sums only.
    None {},
    /// Noise in every sum, so that it hardly matters whether one row is there.
    RecordLevel(RecordLevelTerms),
    /// Noise in every sum, so that it hardly matters what one institution contributes.
    InstitutionLevel(InstitutionLevelTerms),
}

/// What noise promises, whatever it protects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseTerms {
    /// What neighbours differ by.
    pub protected: Protected,
    /// Epsilon of the whole job.
    pub epsilon: f64,
    /// Delta of the whole job.
    pub delta: f64,
    /// Whose noise has to suffice.
    pub noise: NoiseSource,
    /// h: institutions whose noise has to suffice.
    pub contributors: u16,
}

/// What neighbours differ by. Amounts for one say nothing of the other, and are never added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protected {
    /// One row, added or removed.
    Row,
    /// All that one institution contributes, or nothing in its place.
    Institution,
}

/// The guarantee for each row, for the whole job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLevelTerms {
    /// Epsilon of the whole job.
    pub epsilon: f64,
    /// Delta of the whole job.
    pub delta: f64,
    /// Whose noise has to suffice.
    pub noise: NoiseSource,
    /// h: of distributed noise, institutions whose noise has to suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub honest: Option<u16>,
    /// The longest gradient of one row; without it what suits the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// What one customer is.
    pub unit: Unit,
    /// Bins of the noisy score histogram of test rows; without it nothing is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_bins: Option<u16>,
}

/// Whose noise has to suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseSource {
    /// That of several honest institutions together.
    Distributed,
    /// Each institution's own.
    Local,
}

/// What neighbours differ by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// One row of one institution.
    #[default]
    Row,
    /// All rows of one customer of one institution, by the contract's column of customers.
    Customer,
}

impl Privacy {
    /// The terms of noise for rows; none where nothing is added, or for something else.
    pub fn record_level(&self) -> Option<&RecordLevelTerms> {
        match self {
            Self::None {} | Self::InstitutionLevel(_) => None,
            Self::RecordLevel(terms) => Some(terms),
        }
    }

    /// The terms of noise for whole institutions; none where nothing is added, or for something else.
    pub fn institution_level(&self) -> Option<&InstitutionLevelTerms> {
        match self {
            Self::None {} | Self::RecordLevel(_) => None,
            Self::InstitutionLevel(terms) => Some(terms),
        }
    }

    /// What noise promises; none where nothing is added.
    pub fn noise(&self) -> Option<NoiseTerms> {
        let (protected, epsilon, delta, noise, honest) = match *self {
            Self::None {} => return None,
            Self::RecordLevel(RecordLevelTerms { epsilon, delta, noise, honest, .. }) => {
                (Protected::Row, epsilon, delta, noise, honest)
            }
            Self::InstitutionLevel(InstitutionLevelTerms { epsilon, delta, noise, honest, .. }) => {
                (Protected::Institution, epsilon, delta, noise, honest)
            }
        };
        let contributors = noise.contributors(honest);
        Some(NoiseTerms { protected, epsilon, delta, noise, contributors })
    }

    /// The name in job files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None {} => NONE,
            Self::RecordLevel(_) => RECORD_LEVEL,
            Self::InstitutionLevel(_) => institution::MODE,
        }
    }
}

impl Protected {
    /// The word for it, in accounts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Institution => "institution",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Row => Self::Institution,
            Self::Institution => Self::Row,
        }
    }

    /// What the word is for; none where it is no such word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == word)
    }

    /// Every one.
    pub const ALL: [Self; 2] = [Self::Row, Self::Institution];
}

impl NoiseSource {
    /// The name in job files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Distributed => "distributed",
            Self::Local => "local",
        }
    }

    /// h: institutions whose noise has to suffice, where the job says `honest`.
    pub(super) fn contributors(self, honest: Option<u16>) -> u16 {
        match self {
            Self::Local => 1,
            Self::Distributed => honest.unwrap_or(1),
        }
    }
}

impl Unit {
    /// The name in job files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Customer => "customer",
        }
    }
}

impl RecordLevelTerms {
    /// h: institutions whose noise has to suffice.
    pub fn contributors(&self) -> u16 {
        self.noise.contributors(self.honest)
    }

    /// k: the most rows that neighbours differ by under `contract`. Sums to which a row adds a vector of a bounded length differ by
    /// k such lengths at most, so that noise is k times as wide.
    pub fn rows_of_unit(&self, contract: &Contract) -> u32 {
        match self.unit {
            Unit::Row => 1,
            Unit::Customer => contract.rows_per_customer(),
        }
    }
}

impl Job {
    /// Whether the training rows of every institution have to be of both classes. With noise they need not be, since who declines
    /// for that tells something exact of its rows.
    pub fn needs_both_classes(&self) -> bool {
        !self.adds_noise() && self.program.trains()
    }

    /// Whether all that is opened has noise.
    pub fn adds_noise(&self) -> bool {
        self.privacy.noise().is_some()
    }

    /// How much noise is added, and what the whole job spends; none where nothing is added.
    ///
    /// # Errors
    /// [`PrivacyError`] where no noise keeps the terms, which no job file passes with.
    pub fn calibration(&self) -> Result<Option<Calibration>, PrivacyError> {
        calibrated(&self.privacy, &self.program, &self.contract, self.rounds.count)
    }

    /// What all of it spends: training, or the counts of test rows where these spend more, since a row is in one of both; none where
    /// it adds no noise.
    ///
    /// # Errors
    /// [`PrivacyError`] where no noise keeps the terms, which no job file passes with.
    pub fn spent(&self) -> Result<Option<Guarantee>, PrivacyError> {
        let Some(Guarantee { epsilon, delta }) = self.calibration()?.map(|found| found.spent) else {
            return Ok(None);
        };
        let of_counts = self.evaluation_calibration()?.map_or(0.0, |found| found.spent.epsilon);
        Ok(Some(Guarantee { epsilon: epsilon.max(of_counts), delta }))
    }

    /// Checks that the noise of those suffices who are honest under this protection.
    ///
    /// # Errors
    /// [`PrivacyError::Counted`] where the job counts on more of them.
    pub fn check_honest(&self, protection: &Protection) -> Result<(), PrivacyError> {
        let Some(terms) = self.privacy.noise() else { return Ok(()) };
        let (threshold, colluding) = (protection.threshold(), protection.colluding());
        if terms.contributors <= threshold - colluding {
            return Ok(());
        }
        Err(PrivacyError::Counted { honest: terms.contributors, threshold, colluding })
    }
}

pub(super) fn calibrated(
    privacy: &Privacy,
    program: &ProgramTerms,
    contract: &Contract,
    rounds: u32,
) -> Result<Option<Calibration>, PrivacyError> {
    match privacy {
        Privacy::None {} => Ok(None),
        Privacy::RecordLevel(terms) => {
            if let ProgramTerms::BoostedTrees(trees) = program
                && let Some(trees) = trees.random()
            {
                let mechanism = noisy_trees::mechanism(trees, contract, rounds, terms.contributors());
                return mechanism.calibrated(terms.epsilon, terms.delta).map(Some);
            }
            if let ProgramTerms::Statistics(described) = program {
                let mechanism = description::mechanism(described, contract, terms.contributors());
                return mechanism.calibrated(terms.epsilon, terms.delta).map(Some);
            }
            if let Some(of_scorecard) = program.scorecard() {
                return scorecard::calibrated(terms, of_scorecard, contract, rounds).map(Some);
            }
            // A program that adds no noise is refused with noise, whatever the noise would be.
            let parameters = NoisyModel::parameters_of(program, contract).unwrap_or(contract.inputs() + 1);
            let mechanism = noisy_sum::mechanism(parameters, rounds, terms.contributors());
            let mechanism = mechanism.for_rows(terms.rows_of_unit(contract));
            let rate = program.sample().unwrap_or(1.0);
            mechanism.calibrated_on_samples(rate, terms.epsilon, terms.delta).map(Some)
        }
        Privacy::InstitutionLevel(terms) => {
            institution::calibrated(terms, program, contract, rounds).map(Some)
        }
    }
}

pub(super) const NONE: &str = "none";
pub(super) const RECORD_LEVEL: &str = "record-level";
