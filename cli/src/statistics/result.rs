//! `result.json` of a run that describes rows. Its schema is `syndic.described/1`: keys are only ever added.

use serde::{Deserialize, Serialize};
use syndic_learning::StatisticsFigures;

use crate::result::LedgerHead;

/// The name of the schema in the file.
pub const SCHEMA: &str = "syndic.described/1";

/// The contents of `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DescribedResult {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Job id.
    pub job: String,
    /// What must be said beside the figures, a sentence for each.
    pub warnings: Vec<String>,
    /// Institutions, by their roster names in roster order.
    pub participants: Vec<String>,
    /// What was found.
    pub statistics: StatisticsFigures,
    /// SHA-256 of `statistics.json`, as the ledger has it.
    pub document: String,
    /// Values in the sum.
    pub values: u64,
    /// How they were protected: parameter set, institutions admitted, and how many must help before a sum opens.
    pub protection: Protected,
    /// Seconds of the whole federation, from the making of its keys to the exported ledger.
    pub federation_seconds: f64,
    /// Where the ledger ended.
    pub ledger: LedgerHead,
    /// Seed of the run.
    pub seed: u64,
    /// What it ran on.
    pub data: Described,
}

/// How the sum was protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    /// Protocol and version.
    pub protocol: String,
    /// Parameter set.
    pub parameter_set: String,
    /// Institutions admitted.
    pub cohort: u32,
    /// How many must help before a sum opens.
    pub threshold: u32,
    /// Values of answers that were clipped to the bounds of the plan.
    pub clipped: u64,
}

/// What a run read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// Name of the table as it was given.
    pub table: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Rows of it that institutions brought.
    pub rows: u64,
}

impl DescribedResult {
    /// One line of JSON.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("finite numbers and strings serialise")
    }

    /// The file.
    pub fn to_file(&self) -> String {
        serde_json::to_string_pretty(self).expect("finite numbers and strings serialise") + "\n"
    }
}
