//! The job file: what a consortium approves as a whole, written in TOML.

mod cohort;
mod diagnostic;
pub mod draft;
mod drift;
mod fairness;
pub(crate) mod fields;
mod institution;
mod parse;
mod parse_averaging;
mod parse_comparison;
pub(crate) mod parse_contract;
mod parse_description;
mod parse_drift;
mod parse_external;
mod parse_institution;
mod parse_named;
mod parse_others;
mod parse_privacy;
mod parse_program;
mod parse_random_trees;
mod parse_scorecard;
pub mod privacy;
mod processing;
pub mod program;
mod promotion;
mod reader;
pub mod terms;
mod without_noise;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use syndic_round::{JobId, ParameterSet};

pub use cohort::CohortTerms;
pub use diagnostic::Diagnostic;
pub use draft::{ColumnSketch, draft, draft_predicting, spells_nothing};
pub use drift::DriftTerms;
pub use fairness::{FairnessTerms, Grouping};
pub use institution::InstitutionLevelTerms;
pub use parse_program::unknown_program;
pub use privacy::{NoiseSource, NoiseTerms, Privacy, Protected, RecordLevelTerms, Unit};
pub use processing::Processing;
pub use program::{Encoding, FedAvgTerms, LogisticRegressionTerms, ProgramTerms, Solver};
pub use promotion::PromotionTerms;
pub use terms::{Terms, TermsError, agreement};

use crate::contract::Contract;

/// A program run over rounds, with everything that the institutions must know to accept or decline it.
///
/// Read with [`Self::from_toml`]. Reading one through serde checks the same rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Job {
    /// Who it is and what it is for.
    #[serde(rename = "job")]
    pub identity: Identity,
    /// What a record of processing activities says of it.
    #[serde(default, skip_serializing_if = "Processing::is_absent")]
    pub processing: Processing,
    /// The data that it reads.
    pub contract: Contract,
    /// What it computes.
    pub program: ProgramTerms,
    /// How often, and how long each phase may take.
    pub rounds: Rounds,
    /// What is added against inference from the results.
    pub privacy: Privacy,
    /// Whom its rounds admit; without it all members of the federation.
    #[serde(default, skip_serializing_if = "CohortTerms::is_absent")]
    pub cohort: CohortTerms,
    /// How updates are encrypted.
    pub protection: ProtectionTerms,
    /// How results are measured.
    pub evaluation: EvaluationTerms,
    /// Between which groups the released model is compared; without it no groups are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<FairnessTerms>,
    /// How test rows are compared with training rows; without it they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftTerms>,
    /// How long what the rounds were made of is kept; without it until somebody decides otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Under which name its model stands in the registry, and what it must reach to be promoted; without it no gate is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<PromotionTerms>,
}

/// Name and purpose of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Unique within the federation.
    pub id: JobId,
    /// Lower-case machine word that site policies allow or not, `marketing-response` for instance.
    pub purpose: String,
    /// A sentence for people.
    pub description: String,
    /// The legal basis of the processing, where the consortium records one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lawful_basis: Option<String>,
}

/// How many training rounds, and how long the phases of an encrypted round may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounds {
    /// Training rounds; each takes an encrypted round, and another where rows are set aside to evaluate on.
    pub count: u32,
    /// After how many rounds without less log-loss on validation rows training ends; none where all rounds are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// Longest durations, in seconds.
    pub deadlines: Deadlines,
}

impl Rounds {
    /// Whether training ends with this round, where the best model is that of the round `best`.
    pub(crate) fn give_up(&self, training_round: u32, best: u32) -> bool {
        self.patience.is_some_and(|patience| training_round.saturating_sub(best) >= patience)
    }
}

/// Seconds after which a phase ends whoever is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// Advertising one-time keys.
    pub advertise_seconds: u32,
    /// Sharing keys.
    pub share_seconds: u32,
    /// Training and submitting updates.
    pub collect_seconds: u32,
    /// Signing the survivor set.
    pub certify_seconds: u32,
    /// Revealing shares.
    pub reveal_seconds: u32,
    /// From the agreement until the first round has opened; without it a job waits until it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_seconds: Option<u32>,
}

/// How updates are encrypted. What is left open is decided by the number of institutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectionTerms {
    /// Parameter set of KSA/1.
    pub parameter_set: ParameterSet,
    /// Institutions that must help to open a sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u16>,
    /// Institutions that may collude with the coordinator and learn nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colluding: Option<u16>,
    /// The fewest updates in a sum that is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_survivors: Option<u16>,
    /// How vectors that are small enough to be shared themselves reach their sum.
    #[serde(default, skip_serializing_if = "SmallVectors::is_default")]
    pub small_vectors: SmallVectors,
}

/// How vectors that are small enough to be shared themselves reach their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmallVectors {
    /// As all others: encrypted in the ring, with keys that are prepared ahead.
    #[default]
    Encrypted,
    /// Shared themselves: fewer bytes, and two exchanges more.
    Shared,
}

impl SmallVectors {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How results are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationTerms {
    /// Bins of the score histograms.
    pub bins: u32,
}

/// How long what the rounds of a job were made of is kept after its end. Sums, models and the ledger stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days after the end of the job from which on encrypted updates, sealed shares and questions are erased.
    pub updates_days: u32,
}

impl Job {
    /// The job written in `text`.
    ///
    /// # Errors
    /// Every error of the file, in its order. A file that no entry of a ledger has room for is not read.
    pub fn from_toml(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let bytes = serde_json::Value::from(text).to_string().len();
        if bytes > LARGEST_FILE {
            return Err(vec![Diagnostic::too_large(bytes)]);
        }
        parse::job(text)
    }

    /// The job as a file. [`Self::from_toml`] reads the same job from it; comments are lost.
    ///
    /// # Errors
    /// When a value has no TOML form, such as a count beyond 2^63.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

impl Default for Deadlines {
    /// For institutions that answer within seconds and train within minutes.
    fn default() -> Self {
        Self {
            advertise_seconds: 60,
            share_seconds: 60,
            collect_seconds: 600,
            certify_seconds: 60,
            reveal_seconds: 60,
            start_seconds: None,
        }
    }
}

impl Default for EvaluationTerms {
    fn default() -> Self {
        Self { bins: 4096 }
    }
}

impl Serialize for Job {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let job = Self::deserialize(deserializer)?;
        // The rules live in one place: the file's reader.
        let text = job.to_toml().map_err(D::Error::custom)?;
        // The limit is on the file that was agreed, not on what is written here.
        parse::job(&text).map_err(|diagnostics| {
            let all: Vec<_> = diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect();
            D::Error::custom(all.join("; "))
        })
    }
}

/// Bytes of a job file as a JSON string, in which a line's end or a quotation mark takes two. It is recorded
/// verbatim in one entry of the ledger, which has at most 65,535 bytes.
const LARGEST_FILE: usize = 60 << 10;

#[cfg(test)]
mod tests;
