//! Federated averaging of whatever an external trainer learns at each institution.
//!
//! McMahan and others, AISTATS 2017, as in [`logistic_regression`](super::logistic_regression): each institution's trainer
//! starts from the common numbers and returns their change; the institution contributes it weighted by its share of the
//! rows, which it counts itself, and the common numbers move by the weighted mean. What the numbers mean, only the trainer
//! knows: it also scores the rows that models are measured on.

pub mod model;
pub mod pooled;
pub mod terms;

use serde::{Deserialize, Serialize};
use syndic_round::{Block, Contribution, Layout, Sum};

use self::model::{ExternalModel, RowScores};
use self::terms::{ExternalTerms, MOST_ELEMENTS};
use super::question::Question;
use super::statistics::{Count, Summary};
use super::{Next, ProgramError, count_block, drift, power_of_two_above, values};
use crate::contract::Contract;
use crate::encode::Standardisation;
use crate::job::Job;
use crate::packed;
use crate::table::{Role, Table};

/// The name in job files and model cards.
pub const NAME: &str = "external";

/// The coordinator half: the numbers, and how far training is.
#[derive(Clone, Debug)]
pub struct External {
    terms: ExternalTerms,
    question: ExternalQuestion,
    rounds: u32,
    finished: bool,
}

/// Asks for one round of training by the external trainer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// The largest absolute change of one number.
    pub clip: f64,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// Where to start.
    pub state: ExternalState,
}

/// What a trainer needs to know of the model: what was learnt so far, and what the statistics found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalState {
    /// The numbers of all tensors in the job's order, each row by row.
    #[serde(with = "packed")]
    pub parameters: Vec<f64>,
    /// How numeric inputs are scaled.
    pub standardisation: Standardisation,
    /// Training rows of all institutions, and positives among them.
    pub training: Count,
}

/// What a question wants of the external trainer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked<'a> {
    /// To train.
    Train(&'a ExternalQuestion),
    /// To score the rows with these roles.
    Score(&'a ExternalState, &'a [Role]),
}

impl External {
    /// Training for `rounds` rounds by these terms.
    pub fn new(terms: &ExternalTerms, max_rows: u64, summary: &Summary, rounds: u32) -> Self {
        let state = ExternalState {
            parameters: terms.start(),
            standardisation: summary.standardisation.clone(),
            training: summary.training,
        };
        let question = ExternalQuestion { training_round: 1, clip: terms.clip, max_rows, state };
        Self { terms: terms.clone(), question, rounds, finished: false }
    }

    /// The training round that is asked for, counted from 1.
    pub fn training_round(&self) -> u32 {
        self.question.training_round
    }

    /// Whether the training round that is asked for, or was the last to be, is the last of all.
    pub fn is_last(&self) -> bool {
        self.question.training_round == self.rounds
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The model so far.
    pub fn model(&self, contract: &Contract) -> ExternalModel {
        let state = self.question.state.clone();
        ExternalModel { contract: contract.clone(), terms: self.terms.clone(), state }
    }

    /// As [`Program::next`](super::Program::next); an institution's half is [`ExternalQuestion::contribution`].
    ///
    /// # Errors
    /// When the sum is no answer to the last question.
    pub fn next(&mut self, sum: Option<&Sum>) -> Result<Next<ExternalQuestion, ()>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished {
                return Err(ProgramError::WrongSum);
            }
            let layout = self.question.layout()?;
            let (rows, update) = (values(sum, &layout, ROWS)?, values(sum, &layout, UPDATE)?);
            let share = rows[0] / self.question.state.training.rows as f64;
            if share <= 0.0 {
                return Err(ProgramError::ImpossibleSum("no row was trained on"));
            }
            let parameters = self.question.state.parameters.iter_mut();
            parameters.zip(update).for_each(|(value, change)| *value += change / share);
            if self.is_last() {
                self.finished = true;
            } else {
                self.question.training_round += 1;
            }
        }
        Ok(if self.finished { Next::Done(()) } else { Next::Ask(self.question.clone()) })
    }
}

impl ExternalQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(self.state.parameters.len(), self.clip, self.max_rows)
    }

    /// What this table adds to the sum, its trainer having changed the numbers by `update`; and how many of them by more than
    /// the job allows, which are clipped. The table counts its own rows: a trainer gives itself no weight.
    ///
    /// # Errors
    /// When the update has another length than the numbers, or is not finite.
    pub fn contribution(&self, table: &Table, update: &[f64]) -> Result<(Contribution, usize), ProgramError> {
        if update.len() != self.state.parameters.len() || self.state.training.rows == 0 {
            return Err(ProgramError::BadQuestion("an update is as long as what it changes".into()));
        }
        let (rows, _) = table.count(Role::Train);
        let share = rows as f64 / self.state.training.rows as f64;
        let clipped = update.iter().filter(|change| change.abs() > self.clip).count();
        // A NaN stays one, and is refused below.
        let weighted = update.iter().map(|change| share * change.clamp(-self.clip, self.clip));
        let contribution = [rows as f64].into_iter().chain(weighted).collect();
        Ok((Contribution::new(self.layout()?, contribution)?, clipped))
    }

    /// Checks on the participant that it is one of the job's, in everything that does not depend on sums.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where it fits no table under the
    /// contract.
    pub(super) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let Some(terms) = job.external() else { return departs("program") };
        if !(1..=job.rounds.count).contains(&self.training_round) {
            return departs("round");
        }
        if self.clip != terms.clip {
            return departs("clip");
        }
        if self.max_rows != job.contract.max_rows {
            return departs("max_rows");
        }
        self.state.approved_by(job)?;
        if self.training_round == 1 && self.state.parameters != terms.start() {
            return departs("where training starts");
        }
        Ok(())
    }
}

impl ExternalState {
    /// Checks on the participant that it fits the job.
    ///
    /// # Errors
    /// As [`ExternalQuestion::approved_by`].
    pub(super) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let elements = job.external().map(ExternalTerms::elements);
        if elements != Some(self.parameters.len()) {
            return Err(ProgramError::NotApproved("number of weights"));
        }
        let finite = self.parameters.iter().all(|value| value.is_finite());
        if !finite || self.training.positives > self.training.rows || self.training.rows == 0 {
            return Err(ProgramError::BadQuestion("its numbers are not those of any model".into()));
        }
        Ok(self.standardisation.check(&job.contract)?)
    }
}

impl Question {
    /// What it wants of the external trainer; none where it wants nothing.
    pub fn for_trainer(&self) -> Option<Asked<'_>> {
        match self {
            Self::External(question) => Some(Asked::Train(question)),
            Self::Evaluate(question) => {
                question.scorer.external().map(|state| Asked::Score(state, &question.roles))
            }
            Self::Fairness(question) => {
                question.scorer.external().map(|state| Asked::Score(state, &[Role::Test]))
            }
            Self::Drift(question) => {
                question.scorer.external().map(|state| Asked::Score(state, &drift::ROLES))
            }
            _ => None,
        }
    }

    /// What the table adds to the sum of an evaluation or a comparison, its rows having been scored.
    ///
    /// # Errors
    /// When the question asks for something else, or for rows that have no score.
    pub fn scored(&self, table: &Table, scores: &RowScores) -> Result<Contribution, ProgramError> {
        match self {
            Self::Evaluate(question) => question.answered_by(table, scores),
            Self::Fairness(question) => question.answered_by(table, scores),
            Self::Drift(question) => question.answered_by(table, scores),
            _ => Err(ProgramError::BadQuestion("it asks for no scores".into())),
        }
    }
}

/// What an answer looks like: the rows trained on, then the weighted change of each number, which fits one limb of 20 bits,
/// so up to 16 institutions under KSA-S32.
pub(super) fn layout(elements: usize, clip: f64, max_rows: u64) -> Result<Layout, ProgramError> {
    if elements > MOST_ELEMENTS || !(clip > 0.0 && clip.is_finite()) {
        return Err(ProgramError::BadQuestion("it has too many numbers, or no bound".into()));
    }
    let resolution = power_of_two_above(clip) * UPDATE_STEP;
    let bound = clip.min(UPDATE_STEPS * resolution);
    let update = Block { name: UPDATE.into(), len: elements as u32, bound, resolution };
    Ok(Layout::new(vec![count_block(ROWS, 1, max_rows), update])?)
}

/// One limb of 20 bits.
const UPDATE_STEPS: f64 = ((1 << 20) - 1) as f64;
const UPDATE_STEP: f64 = 1.0 / (1 << 20) as f64;

const ROWS: &str = "rows";
const UPDATE: &str = "update";

#[cfg(test)]
mod tests;
