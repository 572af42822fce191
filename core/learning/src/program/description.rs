//! What the rows of all institutions look like together: a job that trains nothing, and asks for one sum.
//!
//! Every row is counted by its class in one cell or level of each column, and its numbers, their squares and their products are
//! summed, moved and scaled so that the contract's range after the transform becomes minus one to one. Counts are exact without
//! noise; what rounding makes of moments is told in [`statistics`](super::statistics). The sum is opened to the coordinator; what
//! is told of it in the end are bins of at least so many rows as the job says.
//!
//! **With noise** a row adds at most one to each of so many sums as `Shape::touched` says, in whole steps of 1/`ROW`, so that it
//! moves the vector by no more than `ROW` times the root of that number, whatever the row is. All is asked at once: nothing is
//! spent twice.

mod answer;
mod counted;
pub mod figures;
mod numbers;
mod shape;
mod terms;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Block, Contribution, Layout, Sum};

use self::answer::{ROW, Rows};
use self::counted::Counted;
use self::figures::StatisticsFigures;
use self::shape::Shape;
use super::{Next, Program, ProgramError, count_block, finest_step, noisy_block};
use crate::contract::Contract;
use crate::job::Job;
use crate::privacy::calibration::Mechanism;
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::table::Table;
pub use terms::{DescriptionTerms, NAME};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct Description {
    question: DescribeQuestion,
    terms: DescriptionTerms,
    contract: Contract,
}

/// Asks where rows are in each column by class, and for moments of numbers.
///
/// Keys that it does not know are refused where its spelling is checked: [`Question::from_bytes`](super::question::Question::from_bytes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeQuestion {
    /// Names of the columns, in contract order.
    pub columns: Vec<String>,
    /// How many cells, or levels, each of them has; of a nullable one there is one more, the last, for what is missing.
    pub widths: Vec<u32>,
    /// Cells of each column of numbers.
    pub cells: u32,
    /// How many of the columns are of numbers.
    pub numbers: u32,
    /// How many pairs of them are correlated.
    pub pairs: u32,
    /// Those of the pairs in which a row may lack a value.
    pub gaps: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// Variance parameter of the noise that each institution adds to every sum, in steps^2; left out where none is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<u64>,
}

impl Description {
    /// That of a job with these terms.
    pub fn new(job: &Job, terms: &DescriptionTerms) -> Self {
        let question = DescribeQuestion::of(job, terms);
        Self { question, terms: terms.clone(), contract: job.contract.clone() }
    }
}

/// What is asked once, before it has noise.
pub(crate) fn mechanism(terms: &DescriptionTerms, contract: &Contract, contributors: u16) -> Mechanism {
    let names = terms.columns_of(contract);
    let shape = Shape::of(contract, &names, terms.cells(true), (terms.correlates(true), true));
    Mechanism {
        steps: 1,
        contributors: contributors.into(),
        // The root is rounded up; the factor is a power of two.
        l2: ROW as f64 * libm::sqrt(shape.touched() as f64) * (1.0 + f64::EPSILON),
        dimension: shape.places().end as u64,
    }
}

impl Job {
    /// How far noise puts each count of a description off when so many institutions answer, in rows; none where it describes none, or
    /// without noise.
    pub fn noise_of_counts(&self, institutions: u16) -> Option<f64> {
        self.description()?;
        let variance = self.calibration().ok()??.variance as f64;
        Some(libm::sqrt(f64::from(institutions) * variance) / ROW as f64)
    }
}

impl DescribeQuestion {
    /// The only question of a job with these terms.
    pub fn of(job: &Job, terms: &DescriptionTerms) -> Self {
        let is_noisy = job.adds_noise();
        let columns = terms.columns_of(&job.contract);
        let cells = terms.cells(is_noisy);
        let shape = Shape::of(&job.contract, &columns, cells, (terms.correlates(is_noisy), is_noisy));
        let (widths, numbers, pairs, gaps) =
            (shape.widths(), shape.numbers() as u32, shape.pairs.len() as u32, shape.gaps() as u32);
        // A job that no noise suffices for is none that a file passes for.
        let variance = is_noisy.then(|| job.calibration().ok().flatten().map_or(0, |found| found.variance));
        Self { columns, widths, cells, numbers, pairs, gaps, max_rows: job.contract.max_rows, variance }
    }

    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        let cells = self.widths.iter().try_fold(0_u32, |sum, &width| sum.checked_add(width));
        let is_long = |count: u32| count > MOST_VALUES;
        let Some(cells) =
            cells.filter(|&cells| !is_long(cells) && !is_long(self.numbers) && !is_long(self.pairs))
        else {
            return Err(ProgramError::BadQuestion("it has too many columns or cells".into()));
        };
        if self.widths.len() != self.columns.len() || self.gaps > self.pairs {
            return Err(ProgramError::BadQuestion("it has no number for each column".into()));
        }
        let max_rows = self.max_rows;
        let counts = |name: &str, len: u32| match self.variance {
            None => count_block(name, len as usize, max_rows),
            Some(variance) => noisy_block(name, len, ROW, max_rows, variance),
        };
        let sums = |name: &str, len: u32| match self.variance {
            None => {
                Block { name: name.into(), len, bound: max_rows as f64, resolution: finest_step(max_rows) }
            }
            Some(variance) => noisy_block(name, len, ROW, max_rows, variance),
        };
        let blocks = [
            counts(CLASSES, 2),
            counts(NEGATIVE, cells),
            counts(POSITIVE, cells),
            sums(SUMS, self.numbers),
            sums(SQUARES, self.numbers),
            sums(PRODUCTS, self.pairs),
            counts(PAIR_ROWS, self.gaps),
            sums(PAIR_SUMS, 2 * self.gaps),
            sums(PAIR_SQUARES, 2 * self.gaps),
        ];
        Ok(Layout::new(blocks.into_iter().filter(|block| block.len > 0).collect())?)
    }

    /// Checks on the participant that it is the one question of the approved job, with noise that keeps the job's epsilon.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`].
    pub(super) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let Some(terms) = job.description() else { return Err(ProgramError::NotApproved("program")) };
        let asked = Self::of(job, terms);
        match *self == asked {
            true => Ok(()),
            false if self.variance != asked.variance => Err(ProgramError::NotApproved("noise")),
            false => Err(ProgramError::NotApproved("statistics")),
        }
    }

    /// The shape that it has under a contract; none where it is about another one.
    fn shape<'c>(&self, contract: &'c Contract) -> Result<Shape<'c>, ProgramError> {
        let other = || ProgramError::BadQuestion("it is about another contract".into());
        let is_power = (LEAST_CELLS..=MOST_CELLS).contains(&self.cells) && self.cells.is_power_of_two();
        let shape = Shape::of(contract, &self.columns, self.cells, (self.pairs > 0, self.variance.is_some()));
        let is_so = shape.columns.len() == self.columns.len()
            && shape.widths() == self.widths
            && shape.numbers() == self.numbers as usize
            && shape.pairs.len() == self.pairs as usize
            && shape.gaps() == self.gaps as usize;
        if is_power && is_so { Ok(shape) } else { Err(other()) }
    }
}

impl Program for Description {
    type Question = DescribeQuestion;
    type Outcome = StatisticsFigures;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<DescribeQuestion, StatisticsFigures>, ProgramError> {
        let Some(sum) = sum else { return Ok(Next::Ask(self.question.clone())) };
        let shape = self.question.shape(&self.contract)?;
        let counted = Counted::of(&self.question, &shape, sum)?;
        Ok(Next::Done(StatisticsFigures::of(&self.terms, &self.contract, &shape, &counted)))
    }

    fn answer(
        question: &DescribeQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        let layout = question.layout()?;
        let shape = question.shape(table.contract())?;
        let rows = Rows::of(table, &shape);
        let values = match question.variance {
            None => rows.summed(),
            Some(variance) => {
                let variance = Ratio::new(variance, 1)
                    .map_err(|_| ProgramError::BadQuestion("its noise cannot be drawn".into()))?;
                rows.noised(IntegerNoise::Gaussian { variance }, rng)
            }
        };
        Ok(Contribution::new(layout, values)?)
    }
}

/// The fewest and most cells of a column of numbers.
pub(crate) const LEAST_CELLS: u32 = 4;
/// The most.
pub(crate) const MOST_CELLS: u32 = crate::scorecard::CELLS as u32;

/// The most values of a block.
const MOST_VALUES: u32 = 1 << 26;

const CLASSES: &str = "rows";
const NEGATIVE: &str = "negative";
const POSITIVE: &str = "positive";
const SUMS: &str = "sums";
const SQUARES: &str = "squares";
const PRODUCTS: &str = "products";
const PAIR_ROWS: &str = "pairs.rows";
const PAIR_SUMS: &str = "pairs.sums";
const PAIR_SQUARES: &str = "pairs.squares";

#[cfg(test)]
#[path = "description/noisy_tests.rs"]
mod noisy_tests;
#[cfg(test)]
#[path = "description/tests.rs"]
mod tests;
