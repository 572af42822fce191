//! Rows of today, of all institutions together, against the rows that a released model was trained on: a job that trains nothing.
//!
//! The job file has the bins of the model's card, so that institutions approve what their rows are compared with, and whoever reads
//! the ledger can compute the figures without the card. The question names the model by its digest and does not carry it: an
//! institution scores by the model that it holds, and declines where its own card has other bins. Nothing is counted but the rows
//! in these few bins, and the figures are those that [`against`](super::against) finds on pooled rows, to the last bit.

mod departs;
pub mod record;
pub mod reference;
mod terms;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Digest, Layout, Sum};

use self::record::DriftRecord;
use self::reference::Reference;
use super::against::{Compared, found};
use super::figures::DriftFigures;
use crate::contract::Contract;
use crate::job::Job;
use crate::model::{Model, ModelError, Scoring};
use crate::program::comparison::RowsCompared;
use crate::program::{Next, Program, ProgramError, TOO_MANY_ROWS, count_block, counts};
use crate::table::Table;
pub use departs::Departs;
pub use terms::{NAME, ReleasedDriftTerms};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct ReleasedDrift {
    question: ReleasedDriftQuestion,
    terms: ReleasedDriftTerms,
}

/// Asks where rows are, by column and by the scores of a model that whoever is asked has itself.
///
/// Keys that it does not know are refused where its spelling is checked:
/// [`Question::from_bytes`](crate::program::question::Question::from_bytes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleasedDriftQuestion {
    /// SHA-256 of the model's weights.
    pub model: Digest,
    /// Which rows.
    pub rows: RowsCompared,
    /// The bins in which they are counted.
    pub reference: Reference,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

impl ReleasedDrift {
    /// The comparison of a job with these terms.
    pub fn new(job: &Job, terms: &ReleasedDriftTerms) -> Self {
        Self { question: ReleasedDriftQuestion::of(job, terms), terms: terms.clone() }
    }
}

impl ReleasedDriftQuestion {
    /// The only question of a job with these terms.
    pub fn of(job: &Job, terms: &ReleasedDriftTerms) -> Self {
        let ReleasedDriftTerms { model, rows, reference, .. } = terms.clone();
        Self { model, rows, reference, max_rows: job.contract.max_rows }
    }

    /// What an answer looks like: the rows in each bin of all columns, and of the scores.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        let Reference { score, columns, .. } = &self.reference;
        let of_columns: usize = columns.iter().map(|column| column.bins()).sum();
        if of_columns.max(score.rows.len()) > MOST_BINS {
            return Err(ProgramError::BadQuestion("it has too many bins".into()));
        }
        let rows = (of_columns > 0).then(|| count_block(ROWS, of_columns, self.max_rows));
        let scores = count_block(SCORES, score.rows.len(), self.max_rows);
        Ok(Layout::new(rows.into_iter().chain([scores]).collect())?)
    }

    /// What this table adds to the sum by this model, which is the one that the question names, of a card with these bins: that is
    /// for whoever holds it to prove.
    ///
    /// # Errors
    /// When the question has no layout, its bins are of another contract, or the model cannot score the rows.
    pub fn answered_by(&self, table: &Table, model: &Model) -> Result<Contribution, ProgramError> {
        let layout = self.layout()?;
        self.reference.check(table.contract()).map_err(|why| ProgramError::BadQuestion(why.into()))?;
        let figures = self.reference.figures();
        let rows = self.rows.of(table);
        let mut compared = Compared::of(table.contract(), &figures);
        compared.add_rows(table, &rows, &model.score_rows(table, &rows)?)?;
        let (of_columns, of_scores) = compared.counts();
        let all = of_columns.chain(of_scores.iter().copied());
        Ok(Contribution::new(layout, all.map(|count| count as f64).collect())?)
    }

    /// Checks on the participant that it is the one question of the approved job.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`].
    pub(in crate::program) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        match job.released_drift() {
            None => Err(ProgramError::NotApproved("program")),
            Some(terms) if self.model != terms.model => Err(ProgramError::NotApproved("model")),
            Some(terms) if self.reference != terms.reference => {
                Err(ProgramError::NotApproved("bins of the training rows"))
            }
            Some(terms) if *self != Self::of(job, terms) => Err(ProgramError::NotApproved("rows to compare")),
            Some(_) => Ok(()),
        }
    }

    /// The rows in each bin, of the columns and of the scores.
    fn counts(&self, sum: &Sum) -> Result<(Vec<Vec<u64>>, Vec<u64>), ProgramError> {
        let layout = self.layout()?;
        let widths: Vec<usize> = self.reference.columns.iter().map(|column| column.bins()).collect();
        let mut of_columns = if widths.is_empty() { Vec::new() } else { counts(sum, &layout, ROWS)? };
        let of_scores = counts(sum, &layout, SCORES)?;
        let mut columns = Vec::with_capacity(widths.len());
        for width in widths {
            let rest = of_columns.split_off(width);
            columns.push(std::mem::replace(&mut of_columns, rest));
        }
        Ok((columns, of_scores))
    }
}

impl Program for ReleasedDrift {
    type Question = ReleasedDriftQuestion;
    type Outcome = DriftRecord;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<ReleasedDriftQuestion, DriftRecord>, ProgramError> {
        let Some(sum) = sum else { return Ok(Next::Ask(self.question.clone())) };
        let (columns, score) = self.question.counts(sum)?;
        let rows = super::counts::total(&score);
        if rows > u128::from(sum.survivors()) * u128::from(self.question.max_rows) {
            return Err(ProgramError::ImpossibleSum(TOO_MANY_ROWS));
        }
        if columns.iter().any(|counts| super::counts::total(counts) != rows) {
            return Err(ProgramError::ImpossibleSum("columns of different numbers of rows"));
        }
        let rows = u64::try_from(rows).map_err(|_| ProgramError::ImpossibleSum(TOO_MANY_ROWS))?;
        let figures = shown(found(&self.terms.figures(), rows, &score, &columns));
        Ok(Next::Done(DriftRecord::of(&self.terms, &figures)))
    }

    /// Nobody can answer it by a table alone: [`ReleasedDriftQuestion::answered_by`] takes the model too.
    fn answer(
        _question: &ReleasedDriftQuestion,
        _table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        Err(ModelError::NotGiven.into())
    }
}

/// The figures without small counts.
fn shown(mut figures: DriftFigures) -> DriftFigures {
    let floor = u64::from(figures.min_rows);
    let shifts = [&mut figures.score].into_iter().chain(&mut figures.columns);
    shifts.for_each(|shift| super::figures::suppress(&mut shift.bins, floor));
    figures
}

/// The figures on the rows of all `tables`, as a federation has them of their sum.
///
/// # Errors
/// When the model does not fit the tables.
pub fn measured(
    model: &Model,
    contract: &Contract,
    terms: &ReleasedDriftTerms,
    tables: &[&Table],
) -> Result<DriftFigures, ModelError> {
    let figures = terms.figures();
    let mut compared = Compared::of(contract, &figures);
    for table in tables {
        let rows = terms.rows.of(table);
        compared.add_rows(table, &rows, &model.score_rows(table, &rows)?)?;
    }
    Ok(shown(compared.finish()))
}

/// Far more than a job file has room for.
const MOST_BINS: usize = 1 << 20;

const ROWS: &str = "rows";
const SCORES: &str = "scores";

#[cfg(test)]
#[path = "released/tests.rs"]
mod tests;
