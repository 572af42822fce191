//! Which released models are compared, and on which rows.

use serde::{Deserialize, Serialize};
use syndic_round::Digest;

use crate::job::{Job, ProgramTerms};
use crate::table::{Role, Table};

/// The name in job files and site policies.
pub const NAME: &str = "evaluation";

/// The most models of one comparison.
pub const MOST_MODELS: usize = 8;

/// Which models are compared, on which rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonTerms {
    /// SHA-256 of the weights of each released model. The others are compared with the first.
    pub models: Vec<Digest>,
    /// On which rows.
    #[serde(default, skip_serializing_if = "RowsCompared::is_default")]
    pub rows: RowsCompared,
}

/// The rows that models are compared on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowsCompared {
    /// Test rows alone.
    #[default]
    Test,
    /// All rows, whatever they are set aside for: rows that came after the models were trained.
    All,
}

impl RowsCompared {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The name in job files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::All => "all",
        }
    }

    /// Which rows of a table those are.
    pub fn of(self, table: &Table) -> Vec<usize> {
        match self {
            Self::Test => table.rows_for(Role::Test),
            Self::All => (0..table.rows()).collect(),
        }
    }
}

impl Job {
    /// Which models it compares, where it trains none.
    pub fn comparison(&self) -> Option<&ComparisonTerms> {
        match &self.program {
            ProgramTerms::Evaluation(terms) => Some(terms),
            _ => None,
        }
    }
}
