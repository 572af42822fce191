//! The site policy: what this institution takes part in. Whatever it does not allow is denied.

mod contracts;
mod privacy;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use syndic_learning::Job;
use syndic_learning::job::Protected;
use syndic_learning::privacy::budget::Amount;
use syndic_round::{Digest, Protection};
use thiserror::Error;

use crate::journal::Known;
use crate::malformed::read_toml;

pub use contracts::{AllowedContract, Named};
pub use privacy::{AlreadySpent, Budget, DEFAULT_MAX_DELTA, InstitutionPolicy, PrivacyPolicy, RequiredNoise};

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
    /// Data contracts with version, `bank_marketing.v1` for instance, and with the digest of their content where the policy pins it.
    #[serde(default)]
    pub contracts: Vec<AllowedContract>,
    /// Takes part with a threshold t from here on, although it is below the default for the number of
    /// institutions. Without it, nothing below the default is accepted.
    pub min_threshold: Option<u16>,
    /// Takes part when no more than this many colluding institutions are tolerated (c), although the default
    /// for the number of institutions is higher.
    pub min_colluding: Option<u16>,
    /// Spot-checks one closed round in so many, at random; 0 for none.
    #[serde(default = "default_spot_check_every")]
    pub spot_check_every: u32,
    /// Takes part in jobs whose rounds admit some institutions by lot (`each_round`).
    #[serde(default = "yes")]
    pub allow_lots: bool,
    /// Takes part in jobs that name their institutions (`members`), so that two jobs can differ by one of them.
    #[serde(default = "yes")]
    pub allow_members: bool,
    /// What jobs may tell of single rows.
    #[serde(default)]
    pub privacy: PrivacyPolicy,
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
            allow_lots: yes(),
            allow_members: yes(),
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
    /// The contract has another content under its name and version than was agreed.
    #[error(
        "contract `{contract}` of the job has the content sha256:{found}, and sha256:{agreed} was agreed under that name"
    )]
    ContractChanged {
        /// Name and version.
        contract: String,
        /// Digest of the content in the job file.
        found: Digest,
        /// Digest of what the policy names, or of what was accepted first.
        agreed: Digest,
    },
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
    /// Rounds that admit some institutions by lot.
    #[error("the site policy allows no job whose rounds admit institutions by lot")]
    Lots,
    /// A job of some members of the federation.
    #[error(
        "the site policy allows no job that names its institutions: two such jobs can differ by one of them"
    )]
    Members,
    /// Sums without noise.
    #[error("the site policy allows no job that opens exact sums")]
    ExactSums,
    /// Noise that hides the institution as a whole, of which the policy says nothing.
    #[error(
        "the job's noise is for institutions as a whole, and the site policy, which has no [privacy.institution], allows none such"
    )]
    Unit,
    /// Noise that keeps a larger epsilon than is allowed, or none that can be accounted for.
    #[error("the job may spend {job}, and the site policy allows epsilon {most} for one job")]
    Epsilon {
        /// What the job may spend.
        job: Amount,
        /// The most allowed, as written.
        most: String,
    },
    /// Noise for one of rows and institutions, of which the policy limits the other alone.
    #[error(
        "the job's noise is for each {}, and the site policy limits epsilon for each {} alone", .unit.name(), .unit.other().name()
    )]
    Unlimited {
        /// What the noise is for.
        unit: Protected,
    },
    /// A larger delta than is allowed.
    #[error("the job asks for delta {job}, and the site policy allows delta {most} for one job")]
    Delta {
        /// That of the job, as written.
        job: String,
        /// The most allowed.
        most: String,
    },
    /// Noise that counts on others.
    #[error(
        "the job counts on the noise of {honest} institutions, and the site policy demands `noise = \"local\"`"
    )]
    Noise {
        /// On how many.
        honest: u16,
    },
    /// Noise that counts on too many.
    #[error("the job counts on the noise of {honest} honest institutions, and the site policy allows {most}")]
    Honest {
        /// On how many.
        honest: u16,
        /// The most allowed.
        most: u16,
    },
    /// Less is left of the budget than the job may spend.
    #[error("the job needs {needed} for each {}, and the privacy budget of this institution has {left} left", .unit.name())]
    Budget {
        /// What the amounts protect.
        unit: Protected,
        /// What the job may spend.
        needed: Amount,
        /// What is left.
        left: Amount,
    },
}

/// Why a policy file cannot be used. Shows no text of the file.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy file {path}: {source}")]
    Unreadable {
        /// File.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no policy.
    #[error("cannot use the policy file {path}: {reason}")]
    Malformed {
        /// File.
        path: PathBuf,
        /// Why, with the line.
        reason: String,
    },
}

impl Policy {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let failed = |reason: String| PolicyError::Malformed { path: path.into(), reason };
        let text = std::fs::read_to_string(path)
            .map_err(|source| PolicyError::Unreadable { path: path.into(), source })?;
        let policy: Self = read_toml(&text).map_err(failed)?;
        match policy.misfit() {
            Some(misfit) => Err(failed(misfit)),
            None => Ok(policy),
        }
    }

    /// What cannot be meant, in words that quote none of its values.
    fn misfit(&self) -> Option<String> {
        let unknown = |(position, program): (usize, &String)| {
            let known = syndic_learning::job::unknown_program(program)?;
            Some(format!("entry {} of `programs` names no program of this version; {known}", position + 1))
        };
        self.programs.iter().enumerate().find_map(unknown)
    }

    /// The policy that allows exactly this job: what the sandbox gives to its own institutions.
    pub fn allowing(job: &Job, protection: &Protection) -> Self {
        Self {
            min_threshold: Some(protection.threshold()),
            min_colluding: Some(protection.colluding()),
            purposes: vec![job.identity.purpose.clone()],
            programs: vec![job.program.name().into()],
            contracts: vec![AllowedContract::of(&job.contract)],
            privacy: PrivacyPolicy {
                institution: job.privacy.institution_level().map(|_| InstitutionPolicy::default()),
                ..PrivacyPolicy::default()
            },
            ..Self::default()
        }
    }

    /// Checks a job before any data are read.
    ///
    /// # Errors
    /// [`Denied`] names the first thing that is not allowed.
    pub fn check(&self, job: &Job, protection: &Protection) -> Result<(), Denied> {
        let (purpose, program) = (&job.identity.purpose, job.program.name());
        if !self.purposes.contains(purpose) {
            return Err(Denied::Purpose(purpose.clone()));
        }
        if !self.programs.iter().any(|allowed| allowed == program) {
            return Err(Denied::Program(program.into()));
        }
        self.names(job)?;
        let (admitted, threshold, colluding) =
            (protection.admitted(), protection.threshold(), protection.colluding());
        let default = Protection::default_threshold(admitted);
        let min_threshold = self.min_threshold.unwrap_or(default);
        let min_colluding =
            self.min_colluding.unwrap_or_else(|| Protection::largest_colluding(admitted, default));
        if threshold < min_threshold || colluding < min_colluding {
            return Err(Denied::Protection { threshold, min_threshold, colluding, min_colluding });
        }
        if !self.allow_lots && job.cohort.each_round.is_some() {
            return Err(Denied::Lots);
        }
        if !self.allow_members && job.cohort.members.is_some() {
            return Err(Denied::Members);
        }
        self.privacy.check(job)
    }

    /// Checks a job that [`Self::check`] allows against what a journal knows: what its agent would find when it takes the job on.
    ///
    /// # Errors
    /// [`Denied::ContractChanged`] or [`Denied::Budget`].
    pub fn check_known(&self, job: &Job, known: &Known) -> Result<(), Denied> {
        if known.agreement.is_some() {
            return Ok(());
        }
        let found = job.contract.digest();
        match known.content {
            Some(agreed) if agreed != found && self.names(job)? == Named::ById => {
                return Err(Denied::ContractChanged { contract: job.contract.id(), found, agreed });
            }
            _ => {}
        }
        let (Some(needed), Some(terms)) = (amount_of(job), job.privacy.noise()) else { return Ok(()) };
        let unit = terms.protected;
        let Some(budget) = self.privacy.budget_of(unit) else { return Ok(()) };
        let mut account = known.account.clone();
        account.carried.extend(budget.carried().map(|carried| (unit, carried)));
        let debited = account.debited(unit);
        match budget.limit().admits(debited, needed) {
            true => Ok(()),
            false => Err(Denied::Budget { unit, needed, left: budget.limit().left(debited) }),
        }
    }

    /// How the policy names the contract of a job.
    ///
    /// # Errors
    /// [`Denied::Contract`], or [`Denied::ContractChanged`] where it names another content.
    pub fn names(&self, job: &Job) -> Result<Named, Denied> {
        contracts::named(&self.contracts, &job.contract)
    }
}

/// What a job may spend in all; none where it adds no noise. One that cannot be accounted for spends all there is.
pub(crate) fn amount_of(job: &Job) -> Option<Amount> {
    match job.spent() {
        Ok(spent) => spent.map(Amount::of),
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
            Self::ContractChanged { .. } => "policy.contract-changed",
            Self::Protection { .. } => "policy.protection",
            Self::Lots => "policy.lots",
            Self::Members => "policy.members",
            Self::ExactSums => "policy.exact-sums",
            Self::Unit | Self::Unlimited { .. } => "policy.unit",
            Self::Epsilon { .. } => "policy.epsilon",
            Self::Delta { .. } => "policy.delta",
            Self::Noise { .. } => "policy.noise",
            Self::Honest { .. } => "policy.honest",
            Self::Budget { .. } => "budget.spent",
        }
    }
    /// What the institution's operator can do, if it agrees.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Purpose(_) => {
                "if its data may be used for this, add the purpose to `purposes` of the policy"
            }
            Self::Program(_) => "if it may be computed, add the program to `programs` of the policy",
            Self::Trainer(_) => "name the trainer in [trainer] of participant.toml, or stay out of this job",
            Self::Contract(_) => {
                "read the contract in the job file; if it is agreed, add it to `contracts` of the policy"
            }
            Self::ContractChanged { .. } => {
                "a changed contract needs a new version. If this content is the agreed one, pin it in `contracts` of the policy, as \
                 NAME.vVERSION@sha256:DIGEST"
            }
            Self::Protection { .. } => {
                "find out why the job asks for less; `min_threshold` and `min_colluding` of the policy accept it"
            }
            Self::Lots => "`allow_lots = true` in the policy accepts it",
            Self::Members => {
                "ask for the job without `members` in [cohort], which is then of all members of the federation; `allow_members = true` in \
                 the policy accepts it as it is"
            }
            Self::ExactSums => {
                "`allow_exact_sums = true` in [privacy] of the policy accepts it: no epsilon bounds what its sums tell. It is false \
                 without the key wherever [privacy] limits anything"
            }
            Self::Unit => {
                "a section [privacy.institution] in the policy accepts such jobs: what they may spend of the institution is limited \
                 there, as limits of [privacy] are of single rows; jobs with `mode = \"none\"` then need `allow_exact_sums = true`"
            }
            Self::Unlimited { unit: Protected::Row } => {
                "set `max_epsilon_per_job` of [privacy], or a [privacy.budget]: noise for rows hides hardly anything of an institution"
            }
            Self::Unlimited { unit: Protected::Institution } => {
                "set `max_epsilon_per_job` of [privacy.institution], or a [privacy.institution.budget]: what such jobs tell of a row is \
                 on no account of rows"
            }
            Self::Epsilon { .. } => {
                "ask for a job with a smaller epsilon, or raise `max_epsilon_per_job` of [privacy], of [privacy.institution] where \
                 noise is for institutions"
            }
            Self::Delta { .. } => {
                "ask for a job with a smaller delta, or set `max_delta_per_job` of [privacy], well below 1 / customers; of \
                 [privacy.institution] where noise is for institutions"
            }
            Self::Noise { .. } => {
                "ask for a job with `noise = \"local\"`, or remove `noise` from [privacy] of the policy"
            }
            Self::Honest { .. } => {
                "ask for a job with a smaller `honest`, or raise `max_honest` of [privacy]"
            }
            Self::Budget { unit: Protected::Institution, .. } => {
                "a larger [privacy.institution.budget] is a decision about all that this institution contributes: what was debited \
                 stays debited"
            }
            Self::Budget { unit: Protected::Row, .. } => {
                "a larger [privacy.budget] is a decision about the same customers: what was debited stays debited"
            }
        }
    }
}
