//! Whether the test rows are still like the rows that the model was trained on: histograms of columns and of scores.
//!
//! Every row is counted where the training rows are and where the test rows are, in narrow cells of each column and of the
//! score, in one question. All counts are exact, so the figures are those of pooling to the last bit. What is shown of the
//! training rows are a few bins that each hold enough of them, and how many lack a value; with the card of a released model they are what rows of later
//! years are compared with ([`against`]).

pub mod against;
pub(super) mod counts;
pub mod figures;
pub mod released;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use self::counts::{Counts, width};
use self::figures::DriftFigures;
use super::scorer::Scorer;
use super::{Next, Program, ProgramError, TOO_MANY_ROWS, count_block, counts};
use crate::contract::Contract;
use crate::job::{DriftTerms, Job};
use crate::model::{Model, ModelError, Scoring};
use crate::table::{Role, Table};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct Drift {
    question: DriftQuestion,
    terms: DriftTerms,
    contract: Contract,
}

/// Asks where training rows and test rows are, by column and by a model's scores.
///
/// Keys that it does not know are refused where its spelling is checked: [`Question::from_bytes`](super::question::Question::from_bytes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftQuestion {
    /// The model.
    #[serde(flatten)]
    pub scorer: Scorer,
    /// Names of the columns, in contract order.
    pub columns: Vec<String>,
    /// How many cells, or levels, each of them has; of a nullable one there is one more, the last, for what is missing.
    pub widths: Vec<u32>,
    /// Bins of the histograms of scores.
    pub bins: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

impl Drift {
    /// A comparison of rows, and of what `model` makes of them in histograms of `bins` bins.
    pub fn new(model: &Model, terms: &DriftTerms, bins: u32) -> Self {
        let contract = model.contract().clone();
        let columns = terms.columns_of(&contract);
        let question = DriftQuestion {
            scorer: model.into(),
            widths: widths(&columns, &contract),
            columns,
            bins,
            max_rows: contract.max_rows,
        };
        Self { question, terms: terms.clone(), contract }
    }
}

impl DriftQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        if self.widths.len() != self.columns.len() {
            return Err(ProgramError::BadQuestion("it has no number for each column".into()));
        }
        layout(&self.widths, self.bins, self.max_rows)
    }

    /// What this table adds to the sum when `model` scores it.
    ///
    /// # Errors
    /// When the question has no layout, or the model cannot score the rows.
    pub(super) fn answered_by(
        &self,
        table: &Table,
        model: &impl Scoring,
    ) -> Result<Contribution, ProgramError> {
        let layout = self.layout()?;
        if self.widths != widths(&self.columns, table.contract()) {
            return Err(ProgramError::BadQuestion("it is about another contract".into()));
        }
        let mut contribution = Vec::with_capacity(layout.len());
        for role in ROLES {
            let counts = Counts::of(table, model, &self.columns, self.bins as usize, role)?;
            contribution.extend(counts.all().map(|count| count as f64));
        }
        Ok(Contribution::new(layout, contribution)?)
    }

    /// Checks on the participant that it is the one of the job, in everything that does not depend on sums.
    ///
    /// # Errors
    /// As [`Question::approved_by`](super::question::Question::approved_by).
    pub(super) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let columns = job.drift.as_ref().map(|terms| terms.columns_of(&job.contract));
        if columns.as_ref() != Some(&self.columns) || self.widths != widths(&self.columns, &job.contract) {
            return departs("columns to compare");
        }
        if self.max_rows != job.contract.max_rows {
            return departs("max_rows");
        }
        if self.bins != job.evaluation.bins {
            return departs("bins");
        }
        self.scorer.approved_by(job)
    }

    /// The summed counts of rows with `role`.
    fn counts(&self, sum: &Sum, layout: &Layout, role: Role) -> Result<Counts, ProgramError> {
        let mut of_columns = counts(sum, layout, &block(role, ROWS))?;
        let scores = counts(sum, layout, &block(role, SCORES))?;
        let mut columns = Vec::new();
        for &width in &self.widths {
            let rest = of_columns.split_off(width as usize);
            columns.push(std::mem::replace(&mut of_columns, rest));
        }
        let counts = Counts { columns, scores };
        let rows = counts.rows();
        if rows > u128::from(sum.survivors()) * u128::from(self.max_rows) {
            return Err(ProgramError::ImpossibleSum(TOO_MANY_ROWS));
        }
        if !counts.are_of_the_same_rows() {
            return Err(ProgramError::ImpossibleSum("columns of different numbers of rows"));
        }
        Ok(counts)
    }
}

/// The figures of `model` on the rows of all `tables`, for comparison only: a federation has their sums.
///
/// # Errors
/// When the model does not fit the tables.
pub fn measured(
    model: &Model,
    tables: &[&Table],
    terms: &DriftTerms,
    bins: u32,
) -> Result<DriftFigures, ModelError> {
    measured_by(model, model.contract(), tables, (terms, bins))
}

/// The same by whatever scores the rows, which keep `contract`.
///
/// # Errors
/// As [`measured`].
pub fn measured_by(
    scoring: &impl Scoring,
    contract: &Contract,
    tables: &[&Table],
    (terms, bins): (&DriftTerms, u32),
) -> Result<DriftFigures, ModelError> {
    let columns = terms.columns_of(contract);
    let of_role = |role: Role| -> Result<Counts, ModelError> {
        let mut total = Counts::default();
        for table in tables {
            total.add(Counts::of(table, scoring, &columns, bins as usize, role)?);
        }
        Ok(total)
    };
    let (reference, current) = (of_role(Role::Train)?, of_role(Role::Test)?);
    Ok(DriftFigures::of(terms, contract, &reference, &current))
}

/// What an answer looks like: for each role the cells of all columns, and the scores.
pub(super) fn layout(widths: &[u32], bins: u32, max_rows: u64) -> Result<Layout, ProgramError> {
    let cells = widths.iter().try_fold(0_u32, |sum, &width| sum.checked_add(width));
    let Some(cells) = cells.filter(|&cells| cells <= MOST_VALUES && bins <= MOST_VALUES) else {
        return Err(ProgramError::BadQuestion("it has too many columns or bins".into()));
    };
    let of_role = |role: Role| {
        let rows = count_block(block(role, ROWS), cells as usize, max_rows);
        [rows, count_block(block(role, SCORES), bins as usize, max_rows)]
    };
    Ok(Layout::new(ROLES.into_iter().flat_map(of_role).collect())?)
}

/// How many cells or levels each of these columns has under `contract`; one that it has not has none.
pub(super) fn widths(columns: &[String], contract: &Contract) -> Vec<u32> {
    let of_name = |name: &String| contract.columns.iter().find(|column| column.name == *name);
    columns.iter().map(|name| of_name(name).map_or(0, |column| width(column) as u32)).collect()
}

impl Program for Drift {
    type Question = DriftQuestion;
    type Outcome = DriftFigures;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<DriftQuestion, DriftFigures>, ProgramError> {
        let Some(sum) = sum else { return Ok(Next::Ask(self.question.clone())) };
        let layout = self.question.layout()?;
        let reference = self.question.counts(sum, &layout, Role::Train)?;
        let current = self.question.counts(sum, &layout, Role::Test)?;
        Ok(Next::Done(DriftFigures::of(&self.terms, &self.contract, &reference, &current)))
    }

    fn answer(
        question: &DriftQuestion,
        table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        question.answered_by(table, &question.scorer.model(table.contract())?)
    }
}

fn block(role: Role, what: &str) -> String {
    let role = if role == Role::Test { "test" } else { "train" };
    format!("{role}.{what}")
}

/// What the figures are of, and what they are compared with.
pub(super) const ROLES: [Role; 2] = [Role::Train, Role::Test];

/// The most values of one role: 32,768 columns.
const MOST_VALUES: u32 = 1 << 26;

const ROWS: &str = "rows";
const SCORES: &str = "scores";

#[cfg(test)]
#[path = "drift/missing_tests.rs"]
mod missing_tests;
#[cfg(test)]
#[path = "drift/tests.rs"]
mod tests;
