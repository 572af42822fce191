//! How released models did on the same rows, as the entry has it with which the job ended.

use serde::Serialize;
use syndic_learning::ComparisonFigures;

use crate::model::compare::Row;

/// What a job found that compared released models.
#[derive(Debug, Serialize)]
pub struct ComparisonFacts {
    /// The place of the entry that says so.
    pub index: u64,
    /// Rows, and the figures of each model.
    #[serde(flatten)]
    pub found: ComparisonFigures,
}

impl ComparisonFacts {
    /// The models by number and digest, in the order of the job file.
    pub(super) fn models(&self) -> Vec<(usize, String)> {
        self.found
            .models
            .iter()
            .enumerate()
            .map(|(position, one)| (position + 1, one.model.to_string()))
            .collect()
    }

    /// Each figure of all models, and their differences.
    pub(super) fn rows(&self) -> Vec<Row> {
        Row::all(&self.found)
    }
}
