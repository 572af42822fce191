//! The scorecard that a job releases: bins, their counts, coefficients and points in one, so that it scores raw rows.
//!
//! Weights of evidence, information value and points as in Siddiqi, "Credit risk scorecards", Wiley 2006, chapters 10
//! and 11. "Good" is the label's negative value and "bad" its positive one: the probability is of a bad, and points rise
//! with the odds of a good. [`program::scorecard`](crate::program::scorecard) makes them.

pub mod coding;
mod file;
pub mod points;
pub mod table;

pub use coding::{CELLS, ClassCounts, WoeCoding};
pub use points::PointsScale;
use serde::{Deserialize, Serialize};
pub use table::{BinRow, ScorecardColumn, ScorecardTable};
use thiserror::Error;

use crate::coefficients::Coefficients;
use crate::contract::Contract;
use crate::metrics::logistic;
use crate::model::{ModelError, Scoring};
use crate::table::Table;

/// A scorecard with its preprocessing.
#[derive(Clone, Debug, PartialEq)]
pub struct ScorecardModel {
    /// The contract of the rows that it scores.
    pub contract: Contract,
    /// Bins and coefficients.
    pub scorecard: Scorecard,
    /// How log-odds become points.
    pub scale: PointsScale,
}

/// Bins, and a logistic regression on their weights of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scorecard {
    /// The bins of all columns, and which columns are used.
    pub coding: WoeCoding,
    /// One weight for each column of the contract, by one unit of its weight of evidence; zero where it is not used.
    pub coefficients: Coefficients,
}

/// A scorecard whose parts do not fit each other or the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the scorecard does not fit the contract: it needs {0}")]
pub struct ScorecardMismatch(pub(crate) &'static str);

impl Scorecard {
    /// Checks it against the contract.
    ///
    /// # Errors
    /// When bins or coefficients are not those of such a contract.
    pub fn check(&self, contract: &Contract) -> Result<(), ScorecardMismatch> {
        self.coding.check(contract)?;
        let is_used = |column: usize| self.coding.used.contains(&(column as u32));
        // One spelling of it, so that a model has one file.
        let is_nothing = |weight: f64| weight == 0.0 && weight.is_sign_positive();
        let weights = &self.coefficients.weights;
        if weights.len() != contract.columns.len() || !self.coefficients.is_finite() {
            return Err(ScorecardMismatch("one finite weight for each column"));
        }
        match weights.iter().enumerate().all(|(column, &weight)| is_used(column) || is_nothing(weight)) {
            true => Ok(()),
            false => Err(ScorecardMismatch("no weight where a column is not used")),
        }
    }

    /// The log-odds of a bad, for each of the rows at these positions.
    fn log_odds(&self, table: &Table, rows: &[usize]) -> Vec<f64> {
        let mut log_odds = vec![self.coefficients.intercept; rows.len()];
        for &column in &self.coding.used {
            let column = column as usize;
            let weight = self.coefficients.weights[column];
            let woe = self.coding.woe(column);
            let bins = self.coding.bins_of(table, rows, column);
            log_odds.iter_mut().zip(bins).for_each(|(sum, bin)| *sum += weight * woe[usize::from(bin)]);
        }
        log_odds
    }
}

impl ScorecardModel {
    /// The points of the rows at these positions of a table: the sum of the whole points of their bins.
    ///
    /// # Errors
    /// When the table keeps another contract, or the parts of the model do not fit each other.
    pub fn points(&self, table: &Table, rows: &[usize]) -> Result<Vec<i64>, ModelError> {
        self.check_table(table)?;
        let mut points = vec![0; rows.len()];
        for &column in &self.scorecard.coding.used {
            let of_bins = self.points_of(column as usize);
            let bins = self.scorecard.coding.bins_of(table, rows, column as usize);
            points.iter_mut().zip(bins).for_each(|(sum, bin)| *sum += of_bins[usize::from(bin)]);
        }
        Ok(points)
    }

    /// The whole points of each bin of a used column.
    pub fn points_of(&self, column: usize) -> Vec<i64> {
        let Coefficients { weights, intercept } = &self.scorecard.coefficients;
        let columns = self.scorecard.coding.used.len();
        let exact = |woe: &f64| self.scale.points(weights[column] * woe, *intercept, columns);
        self.scorecard.coding.woe(column).iter().map(exact).map(|points| libm::rint(points) as i64).collect()
    }

    fn check_table(&self, table: &Table) -> Result<(), ModelError> {
        if *table.contract() != self.contract {
            return Err(ModelError::Contract { expected: self.contract.id(), found: table.contract().id() });
        }
        Ok(self.check()?)
    }

    /// Checks that its parts fit each other.
    pub(crate) fn check(&self) -> Result<(), ScorecardMismatch> {
        self.scorecard.check(&self.contract)?;
        self.scale.check().map_err(ScorecardMismatch)
    }
}

impl Scoring for ScorecardModel {
    fn score_rows(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>, ModelError> {
        self.check_table(table)?;
        Ok(self.scorecard.log_odds(table, rows).into_iter().map(logistic).collect())
    }
}

impl From<ScorecardMismatch> for ModelError {
    fn from(error: ScorecardMismatch) -> Self {
        Self::Weights(error.to_string())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
pub(crate) mod tests;
