//! The site policy: what this institution takes part in. Whatever it does not allow is denied.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use syndic_learning::Job;
use thiserror::Error;

/// `policy.toml`. An absent list allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
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
}

/// What the policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// The purpose.
    #[error("the site policy does not allow purpose `{0}`")]
    Purpose(String),
    /// The program.
    #[error("the site policy does not allow program `{0}`")]
    Program(String),
    /// The contract.
    #[error("the site policy does not allow contract `{0}`")]
    Contract(String),
}

/// Why a policy file cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the policy file {path}: {reason}")]
pub struct PolicyError {
    /// File.
    pub path: PathBuf,
    /// Why, with line and column.
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
        toml::from_str(&text).map_err(|error| failed(error.to_string()))
    }

    /// The policy that allows exactly this job: what the sandbox gives to its own institutions.
    pub fn allowing(job: &Job) -> Self {
        Self {
            purposes: vec![job.identity.purpose.clone()],
            programs: vec![job.program.name().into()],
            contracts: vec![job.contract.id()],
        }
    }

    /// Checks a job before any data are read.
    ///
    /// # Errors
    /// [`Denied`] names the first thing that is not allowed.
    pub fn check(&self, job: &Job) -> Result<(), Denied> {
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
        Ok(())
    }
}

impl Denied {
    /// The stable code, also the reason that the coordinator is told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Purpose(_) => "policy.purpose",
            Self::Program(_) => "policy.program",
            Self::Contract(_) => "policy.contract",
        }
    }
}
