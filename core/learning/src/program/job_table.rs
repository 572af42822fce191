//! The participant half of a job, for whoever answers all its questions.

use std::sync::Arc;

use rand_core::CryptoRng;
use syndic_round::Contribution;

use super::boosted_trees::PreparedTable;
use super::question::Question;
use super::run::JobRun;
use super::{Program, ProgramError};
use crate::table::Table;

/// A table for whoever answers all questions of a job. It answers as [`JobRun`] does, and remembers what the trees so far make
/// of its rows.
pub struct JobTable(PreparedTable<Arc<Table>>);

impl JobTable {
    /// A table that has not been asked anything.
    pub fn new(table: Arc<Table>) -> Self {
        Self(PreparedTable::new(table))
    }

    /// The rows.
    pub fn rows(&self) -> Arc<Table> {
        self.0.given().clone()
    }

    /// The values that the table adds to the sum.
    ///
    /// # Errors
    /// When the question makes no sense for it.
    pub fn answer(
        &mut self,
        question: &Question,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        match question {
            Question::Grow(question) => self.0.grow(question),
            Question::NoisyTrees(question) => self.0.noisy_trees(question, rng),
            question => JobRun::answer(question, self.0.table(), rng),
        }
    }
}
