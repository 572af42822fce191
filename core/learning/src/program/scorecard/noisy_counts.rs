//! The first question of a scorecard with noise: how many training rows of each class lie in each cell of each column.
//!
//! Cells are public: even parts of a numeric column's range after its transform, and the levels of a categorical one, with missing
//! values behind them. **A row is in one cell of each column**, of its own class: adding or removing it moves one count of each of k
//! columns by `ROW` steps, in whole numbers, so that the vector moves by sqrt(k) `ROW`, whatever the rows are.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use super::super::{ProgramError, noisy_block, values};
use super::terms::ScorecardTerms;
use crate::contract::{Column, ColumnKind, Contract};
use crate::job::{Job, RecordLevelTerms};
use crate::privacy::PrivacyError;
use crate::privacy::calibration::{Calibration, Mechanism};
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::program::noisy_sum;
use crate::scorecard::CELLS;
use crate::scorecard::coding::CellRange;
use crate::table::{Role, Table, Values, is_missing};

/// Asks for the training rows of each class in each cell, with noise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisyCountsQuestion {
    /// Even cells of each numeric column, as in the job.
    pub cells: u32,
    /// Numeric columns of the contract.
    pub numeric_columns: u32,
    /// Levels of all its categorical columns, and one for the missing values of each nullable column.
    pub levels: u32,
    /// Variance parameter of the noise that each institution adds to every count, in steps^2.
    pub variance: u64,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

/// Noisy counts of one column's cells, in rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NoisyCells {
    pub(super) good: Vec<f64>,
    pub(super) bad: Vec<f64>,
}

impl Job {
    /// The terms of its noise and of its scorecard, where it makes one with noise for rows.
    pub fn noisy_scorecard(&self) -> Option<(&RecordLevelTerms, &ScorecardTerms)> {
        self.privacy.record_level().zip(self.program.scorecard())
    }
}

/// The noise of the counts and of the gradients of a scorecard in so many rounds.
///
/// # Errors
/// [`PrivacyError`] where no noise keeps the terms, which no job file passes with.
pub(crate) fn calibrated(
    privacy: &RecordLevelTerms,
    terms: &ScorecardTerms,
    contract: &Contract,
    rounds: u32,
) -> Result<Calibration, PrivacyError> {
    let contributors = privacy.contributors();
    let gradients = noisy_sum::mechanism(contract.columns.len() + 1, rounds, contributors);
    let counts = mechanism(contract, terms.cells(), contributors);
    gradients.calibrated_after(counts, terms.bins_share(), privacy.epsilon, privacy.delta)
}

/// One row is in one count of each column.
fn mechanism(contract: &Contract, cells: u32, contributors: u16) -> Mechanism {
    let columns = contract.columns.len();
    let dimension = 2 * contract.columns.iter().map(|column| width(column, cells) as u64).sum::<u64>();
    // Rounded up.
    let l2 = ROW as f64 * libm::sqrt(columns as f64) * (1.0 + f64::EPSILON);
    Mechanism { steps: 1, contributors: contributors.into(), l2, dimension }
}

impl NoisyCountsQuestion {
    /// The only one that a job with these terms leads to.
    pub(super) fn of(contract: &Contract, terms: &ScorecardTerms, variance: u64) -> Self {
        let numeric = contract.numeric().count();
        Self {
            cells: terms.cells(),
            numeric_columns: numeric as u32,
            levels: (contract.inputs() - numeric) as u32,
            variance,
            max_rows: contract.max_rows,
        }
    }

    /// What an answer looks like: goods, then bads, of the cells of one column after the other.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        let len = u64::from(self.numeric_columns) * u64::from(self.cells) + u64::from(self.levels);
        if len > u64::from(u32::MAX / 4) {
            return Err(ProgramError::BadQuestion("it has too many cells".into()));
        }
        let block = |name| noisy_block(name, len as u32, ROW, self.max_rows, self.variance);
        Ok(Layout::new(vec![block(GOOD), block(BAD)])?)
    }

    /// Checks that it is the one of `job`, with noise that keeps the job's epsilon.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs.
    pub(in crate::program) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let Some((_, terms)) = job.noisy_scorecard() else { return departs("privacy mode") };
        let Ok(Some(calibration)) = job.calibration() else { return departs("noise") };
        let Some(before) = calibration.before else { return departs("noise") };
        let fine = Self::of(&job.contract, terms, before.variance);
        if self.variance != fine.variance {
            departs("noise")
        } else if self.max_rows != fine.max_rows {
            departs("max_rows")
        } else if *self != fine {
            departs("cells")
        } else {
            Ok(())
        }
    }

    /// What this table adds to the sum, with noise.
    ///
    /// # Errors
    /// When the question is about another contract, or its noise cannot be drawn.
    pub(in crate::program) fn answer(
        &self,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        let variance = Ratio::new(self.variance, 1)
            .map_err(|_| ProgramError::BadQuestion("its noise cannot be drawn".into()))?;
        let noise = IntegerNoise::Gaussian { variance };
        let layout = self.layout()?;
        let noised = self.exact(table)?.into_iter().map(|steps| steps.saturating_add(noise.draw(rng)) as f64);
        Ok(Contribution::new(layout, noised.collect())?)
    }

    /// The counts before noise, in steps. Not to leave the institution.
    pub(crate) fn exact(&self, table: &Table) -> Result<Vec<i64>, ProgramError> {
        let contract = table.contract();
        let numeric = contract.numeric().count();
        let fits = self.numeric_columns as usize == numeric
            && self.levels as usize == contract.inputs() - numeric
            && are_cells(self.cells);
        if !fits {
            return Err(ProgramError::BadQuestion("it is about another contract".into()));
        }
        let rows = table.rows_for(Role::Train);
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (column, values) in contract.columns.iter().zip(table.columns()) {
            let mut counts = [0, 1].map(|_| vec![0_i64; width(column, self.cells)]);
            let place = self.place(column, values);
            rows.iter().for_each(|&row| counts[usize::from(table.labels()[row])][place(row)] += ROW);
            let [of_good, of_bad] = counts;
            good.extend(of_good);
            bad.extend(of_bad);
        }
        good.extend(bad);
        Ok(good)
    }

    /// The cell of each row of a column.
    fn place<'v>(&self, column: &Column, values: &'v Values) -> Box<dyn Fn(usize) -> usize + 'v> {
        let cells = self.cells as usize;
        match (&column.kind, values) {
            (&ColumnKind::Numeric { transform, min, max }, Values::Numeric(values)) => {
                let range = CellRange::of(transform, min, max);
                // Only a nullable column has missing values, and a place for them.
                Box::new(move |row| match values[row] {
                    value if is_missing(value) => cells,
                    value => range.cell_of(value) / (CELLS / cells),
                })
            }
            (_, Values::Categorical(values)) => Box::new(|row| usize::from(values[row])),
            // A table's values are of the kinds of its contract.
            (ColumnKind::Categorical { .. }, Values::Numeric(_)) => Box::new(|_| 0),
        }
    }

    /// The noisy counts of each column, and the deviation of the noise in each of them, in rows.
    ///
    /// # Errors
    /// When the sum is no answer to it.
    pub(super) fn counted(
        &self,
        contract: &Contract,
        sum: &Sum,
    ) -> Result<(Vec<NoisyCells>, f64), ProgramError> {
        let layout = self.layout()?;
        let in_rows = |block| -> Result<Vec<f64>, ProgramError> {
            Ok(values(sum, &layout, block)?.into_iter().map(|steps| steps / ROW as f64).collect())
        };
        let (good, bad) = (in_rows(GOOD)?, in_rows(BAD)?);
        let mut from = 0;
        let mut columns = Vec::new();
        for column in &contract.columns {
            let to = from + width(column, self.cells);
            columns.push(NoisyCells { good: good[from..to].to_vec(), bad: bad[from..to].to_vec() });
            from = to;
        }
        let noise = libm::sqrt(f64::from(sum.survivors()) * self.variance as f64) / ROW as f64;
        Ok((columns, noise))
    }
}

/// Cells of a column, missing values among them.
pub(super) fn width(column: &Column, cells: u32) -> usize {
    column.positions().unwrap_or(cells as usize + usize::from(column.nullable))
}

/// Whether a range can be cut in so many even cells.
pub(super) fn are_cells(cells: u32) -> bool {
    (4..=256).contains(&cells) && cells.is_power_of_two()
}

/// What a row adds to its count of each column, in steps: noise is drawn in whole ones.
const ROW: i64 = 256;

const GOOD: &str = "good";
const BAD: &str = "bad";
