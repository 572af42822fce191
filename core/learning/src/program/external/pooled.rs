//! Training by an external trainer with all rows in one place, for comparison only: the federation's steps without its sums.
//!
//! Nothing here asks a trainer: whoever has one hands over each question, and says what came of it.

use super::model::{ExternalModel, RowScores};
use super::terms::ExternalTerms;
use super::{ExternalQuestion, ExternalState};
use crate::job::Rounds;
use crate::model::Scoring as _;
use crate::program::ProgramError;
use crate::program::statistics::Count;
use crate::reference::{FitError, standardise};
use crate::table::{Role, Table};

/// Training on one table: how far it is, and the best model so far.
pub struct PooledTraining<'a> {
    table: &'a Table,
    terms: &'a ExternalTerms,
    question: ExternalQuestion,
    rounds: Rounds,
    /// Log-loss on validation rows, the model that had it, and its round.
    best: Option<(f64, ExternalState, u32)>,
}

impl<'a> PooledTraining<'a> {
    /// Training in these rounds by these terms on the training rows of `table`, scaled by those rows.
    ///
    /// # Errors
    /// [`FitError::OneClass`] where these are not of both classes.
    pub fn new(terms: &'a ExternalTerms, rounds: Rounds, table: &'a Table) -> Result<Self, FitError> {
        let (rows, positives) = table.count(Role::Train);
        if positives == 0 || positives == rows {
            return Err(FitError::OneClass { rows: rows as usize, positives: positives as usize });
        }
        let standardisation = standardise(table.contract(), &[(table, table.rows_for(Role::Train))]);
        let state =
            ExternalState { parameters: terms.start(), standardisation, training: Count { rows, positives } };
        let max_rows = table.contract().max_rows;
        let question = ExternalQuestion { training_round: 1, clip: terms.clip, max_rows, state };
        Ok(Self { table, terms, question, rounds, best: None })
    }

    /// What the trainer is asked next; none after the last round, or where no round was better for as long as the job waits.
    pub fn question(&self) -> Option<&ExternalQuestion> {
        let done = self.question.training_round - 1;
        let gives_up = self.best.as_ref().is_some_and(|(.., best)| self.rounds.give_up(done, *best));
        (done < self.rounds.count && !gives_up).then_some(&self.question)
    }

    /// The model that stands now.
    pub fn state(&self) -> &ExternalState {
        &self.question.state
    }

    /// Ends the round: the numbers move by the trainer's update, each by `clip` at most.
    ///
    /// # Errors
    /// [`ProgramError::BadQuestion`] where there is not one change of each number, [`ProgramError::WrongSum`] after the last
    /// round.
    pub fn moved(&mut self, update: &[f64]) -> Result<(), ProgramError> {
        if self.question().is_none() {
            return Err(ProgramError::WrongSum);
        }
        let parameters = &mut self.question.state.parameters;
        if update.len() != parameters.len() {
            return Err(ProgramError::BadQuestion("an update is as long as what it changes".into()));
        }
        let clip = self.terms.clip;
        parameters.iter_mut().zip(update).for_each(|(value, change)| *value += change.clamp(-clip, clip));
        self.question.training_round += 1;
        Ok(())
    }

    /// Takes the model that stands now for the best, where these scores of the validation rows are better than any before.
    ///
    /// # Errors
    /// When a validation row has no score.
    pub fn measured(&mut self, scores: &RowScores) -> Result<(), FitError> {
        let Some(metrics) = scores.evaluate(&[self.table], Role::Validation)? else { return Ok(()) };
        if self.best.as_ref().is_none_or(|(least, ..)| metrics.log_loss < *least) {
            let round = self.question.training_round - 1;
            self.best = Some((metrics.log_loss, self.question.state.clone(), round));
        }
        Ok(())
    }

    /// The model that such a job would release: the best of those that were measured, or else the last.
    pub fn model(self) -> ExternalModel {
        let state = self.best.map_or(self.question.state, |(_, state, _)| state);
        ExternalModel { contract: self.table.contract().clone(), terms: self.terms.clone(), state }
    }
}
