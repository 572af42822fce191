//! The site policy: what this institution takes part in. Whatever it does not allow is denied.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use syndic_learning::Job;
use syndic_round::Protection;
use thiserror::Error;

use crate::malformed::read_toml;

/// `policy.toml`. An absent list allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
        Ok(())
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
        }
    }
}
