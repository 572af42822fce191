//! The site policy: what this institution takes part in. Whatever it does not allow is denied.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use syndic_learning::Job;
use syndic_learning::privacy::budget::{Amount, Limit};
use syndic_round::Protection;
use thiserror::Error;

use crate::malformed::read_toml;

/// `policy.toml`. An absent list allows nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Purposes of jobs, `marketing-response` for instance.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Programs, `logistic-regression` for instance.
    #[serde(default)]
    pub programs: Vec<String>,
    /// Data contracts with version, `bank-marketing.v1` for instance.
    #[serde(default)]
    pub contracts: Vec<String>,
    /// Takes part with a threshold t from here on, although it is below the default for the number of
    /// institutions. Without it, nothing below the default is accepted.
    pub min_threshold: Option<u16>,
    /// Takes part when no more than this many colluding institutions are tolerated (c), although the default
    /// for the number of institutions is higher.
    pub min_colluding: Option<u16>,
    /// Spot-checks one closed round in so many, at random; 0 for none.
    #[serde(default = "default_spot_check_every")]
    pub spot_check_every: u32,
    /// What jobs may tell of single rows.
    #[serde(default)]
    pub privacy: PrivacyPolicy,
}

/// What jobs may tell of single rows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyPolicy {
    /// Takes part in jobs that add no noise.
    #[serde(default = "yes")]
    pub allow_exact_sums: bool,
    /// The most epsilon of one job with noise.
    pub max_epsilon_per_job: Option<f64>,
    /// What all jobs with noise may spend together, for ever; without it there is no limit.
    pub budget: Option<Budget>,
}

/// What all jobs with noise may spend together.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Epsilon.
    pub epsilon: f64,
    /// Delta.
    pub delta: f64,
}

impl Budget {
    /// The same in whole numbers.
    pub fn limit(&self) -> Limit {
        Limit::of(self.epsilon, self.delta)
    }
}

impl Default for PrivacyPolicy {
    fn default() -> Self {
        Self { allow_exact_sums: yes(), max_epsilon_per_job: None, budget: None }
    }
}

fn yes() -> bool {
    true
}

fn default_spot_check_every() -> u32 {
    10
}

impl Default for Policy {
    /// What an empty file says: nothing is allowed.
    fn default() -> Self {
        Self {
            purposes: Vec::new(),
            programs: Vec::new(),
            contracts: Vec::new(),
            min_threshold: None,
            min_colluding: None,
            spot_check_every: default_spot_check_every(),
            privacy: PrivacyPolicy::default(),
        }
    }
}

/// What the policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// The purpose.
    #[error("the site policy does not allow purpose `{0}`")]
    Purpose(String),
    /// The external trainer, which the configuration does not offer.
    #[error("the job is trained by `{0}`, which [trainer] of participant.toml does not offer")]
    Trainer(String),
    /// The program.
    #[error("the site policy does not allow program `{0}`")]
    Program(String),
    /// The contract.
    #[error("the site policy does not allow contract `{0}`")]
    Contract(String),
    /// Fewer reveals, or fewer colluding institutions tolerated, than by default.
    #[error(
        "the job protects less than the site policy demands: t = {threshold} (at least {min_threshold}), c = {colluding} (at least {min_colluding})"
    )]
    Protection {
        /// t of the job.
        threshold: u16,
        /// The least t allowed.
        min_threshold: u16,
        /// c of the job.
        colluding: u16,
        /// The least c allowed.
        min_colluding: u16,
    },
    /// Sums without noise.
    #[error("the site policy allows no job that opens exact sums")]
    ExactSums,
    /// Noise that keeps a larger epsilon than is allowed, or none that can be accounted for.
    #[error("the job may spend {job}, and the site policy allows epsilon {most} for one job")]
    Epsilon {
        /// What the job may spend.
        job: Amount,
        /// The most allowed, as written.
        most: String,
    },
    /// Less is left of the budget than the job may spend.
    #[error("the job needs {needed}, and the privacy budget of this institution has {left} left")]
    Budget {
        /// What the job may spend.
        needed: Amount,
        /// What is left.
        left: Amount,
    },
}

/// Why a policy file cannot be used. Shows no text of the file.
#[derive(Debug, Error)]
#[error("cannot use the policy file {path}: {reason}")]
pub struct PolicyError {
    /// File.
    pub path: PathBuf,
    /// Why, with the line.
    pub reason: String,
}

impl Policy {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let failed = |reason: String| PolicyError { path: path.into(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        read_toml(&text).map_err(failed)
    }

    /// The policy that allows exactly this job: what the sandbox gives to its own institutions.
    pub fn allowing(job: &Job, protection: &Protection) -> Self {
        Self {
            min_threshold: Some(protection.threshold()),
            min_colluding: Some(protection.colluding()),
            purposes: vec![job.identity.purpose.clone()],
            programs: vec![job.program.name().into()],
            contracts: vec![job.contract.id()],
            ..Self::default()
        }
    }

    /// Checks a job before any data are read.
    ///
    /// # Errors
    /// [`Denied`] names the first thing that is not allowed.
    pub fn check(&self, job: &Job, protection: &Protection) -> Result<(), Denied> {
        let (purpose, program, contract) = (&job.identity.purpose, job.program.name(), job.contract.id());
        if !self.purposes.contains(purpose) {
            return Err(Denied::Purpose(purpose.clone()));
        }
        if !self.programs.iter().any(|allowed| allowed == program) {
            return Err(Denied::Program(program.into()));
        }
        if !self.contracts.contains(&contract) {
            return Err(Denied::Contract(contract));
        }
        let (admitted, threshold, colluding) =
            (protection.admitted(), protection.threshold(), protection.colluding());
        let default = Protection::default_threshold(admitted);
        let min_threshold = self.min_threshold.unwrap_or(default);
        let min_colluding =
            self.min_colluding.unwrap_or_else(|| Protection::largest_colluding(admitted, default));
        if threshold < min_threshold || colluding < min_colluding {
            return Err(Denied::Protection { threshold, min_threshold, colluding, min_colluding });
        }
        self.privacy.check(job)
    }
}

impl PrivacyPolicy {
    fn check(&self, job: &Job) -> Result<(), Denied> {
        let Some(needed) = amount_of(job) else {
            return if self.allow_exact_sums { Ok(()) } else { Err(Denied::ExactSums) };
        };
        match self.max_epsilon_per_job {
            Some(most) if !Limit::of(most, 1.0).admits(Amount::default(), needed) => {
                Err(Denied::Epsilon { job: needed, most: most.to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// What a job may spend in all; none where it adds no noise. One that cannot be accounted for spends all there is.
pub(crate) fn amount_of(job: &Job) -> Option<Amount> {
    match job.calibration() {
        Ok(calibration) => calibration.map(|found| Amount::of(found.spent)),
        Err(_) => Some(Amount { micro_epsilon: u64::MAX, femto_delta: u64::MAX }),
    }
}

impl Denied {
    /// The stable code, also the reason that the coordinator is told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Purpose(_) => "policy.purpose",
            Self::Program(_) => "policy.program",
            Self::Trainer(_) => "trainer.not-offered",
            Self::Contract(_) => "policy.contract",
            Self::Protection { .. } => "policy.protection",
            Self::ExactSums => "policy.exact-sums",
            Self::Epsilon { .. } => "policy.epsilon",
            Self::Budget { .. } => "budget.spent",
        }
    }
}
