//! What is described, and how finely: the terms of the program `statistics`.

use serde::{Deserialize, Serialize};

use crate::contract::Contract;
use crate::job::{Job, ProgramTerms};
use crate::scorecard::CELLS;

/// The name in job files and site policies.
pub const NAME: &str = "statistics";

/// What is told of which columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescriptionTerms {
    /// The most bins of a column of numbers.
    pub bins: u32,
    /// The fewest rows of which anything is told.
    pub min_rows: u32,
    /// Equally wide cells in which the rows of a column of numbers are counted, a power of two; without it as many as suit the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<u32>,
    /// Whether columns of numbers are correlated with each other; without it where nothing is added to sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlations: Option<bool>,
    /// Columns of the contract; all of them where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

impl DescriptionTerms {
    /// The columns that are described, in contract order.
    pub fn columns_of(&self, contract: &Contract) -> Vec<String> {
        let names = contract.columns.iter().map(|column| &column.name);
        names.filter(|name| self.columns.is_empty() || self.columns.contains(name)).cloned().collect()
    }

    /// Cells of each column of numbers: the finest there are, or with noise so few that a cell's rows are not lost in it.
    pub fn cells(&self, is_noisy: bool) -> u32 {
        self.cells.unwrap_or(if is_noisy { CELLS_WITH_NOISE } else { CELLS as u32 })
    }

    /// Whether columns are correlated: each pair of them is one more sum that a row adds to, so that all need more noise.
    pub fn correlates(&self, is_noisy: bool) -> bool {
        self.correlations.unwrap_or(!is_noisy)
    }
}

impl Default for DescriptionTerms {
    fn default() -> Self {
        Self { bins: 10, min_rows: 50, cells: None, correlations: None, columns: Vec::new() }
    }
}

impl Job {
    /// What it describes, where that is all that it does.
    pub fn description(&self) -> Option<&DescriptionTerms> {
        match &self.program {
            ProgramTerms::Statistics(terms) => Some(terms),
            _ => None,
        }
    }
}

const CELLS_WITH_NOISE: u32 = 32;
