//! What a sum says, in rows: counts and moments of all institutions together, checked for what no tables add up to.

use syndic_round::{Layout, Sum};

use super::answer::ROW;
use super::shape::{Pair, Shape, is_numeric};
use super::{
    CLASSES, DescribeQuestion, NEGATIVE, PAIR_ROWS, PAIR_SQUARES, PAIR_SUMS, POSITIVE, PRODUCTS, SQUARES,
    SUMS,
};
use crate::contract::RANGE_ROUNDING;
use crate::program::{NEGATIVE_COUNT, ProgramError, TOO_MANY_ROWS, finest_step, values};

/// Counts and moments. With noise they are no whole numbers, and may be below zero.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    /// Negatives and positives.
    pub(super) rows: [f64; 2],
    /// For each column, of negatives and of positives, the rows in each cell or at each level, those without a value last.
    pub(super) columns: Vec<[Vec<f64>; 2]>,
    /// Of each column of numbers.
    pub(super) moments: Vec<Moments>,
    /// Of each pair that is correlated.
    pub(super) pairs: Vec<PairMoments>,
    /// Standard deviation of the noise in each of these, in rows; zero without noise.
    pub(super) noise: f64,
}

/// Of scaled numbers that are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) rows: f64,
    /// Standard deviation of the noise in that.
    pub(super) rows_noise: f64,
    pub(super) sum: f64,
    pub(super) square: f64,
    /// A variance that is no more than this is one of rounding.
    pub(super) rounding: f64,
}

/// Of rows that have both numbers of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairMoments {
    pub(super) pair: Pair,
    pub(super) a: Moments,
    pub(super) b: Moments,
    pub(super) product: f64,
}

impl Counted {
    /// Reads the sum of the answers to a question.
    ///
    /// # Errors
    /// [`ProgramError::WrongSum`], or [`ProgramError::ImpossibleSum`] where no tables have such counts; noise excuses them.
    pub(super) fn of(
        question: &DescribeQuestion,
        shape: &Shape<'_>,
        sum: &Sum,
    ) -> Result<Self, ProgramError> {
        let read = Read { question, layout: question.layout()?, sum };
        let rows = read.block(CLASSES)?;
        let by_class = [read.block(NEGATIVE)?, read.block(POSITIVE)?];
        let (sums, squares) = (read.block(SUMS)?, read.block(SQUARES)?);
        let noise = read.noise();
        let rows = [rows[0], rows[1]];
        let (mut columns, mut moments, mut first) = (Vec::new(), Vec::new(), 0);
        for (column, &width) in shape.columns.iter().zip(&question.widths) {
            let end = first + width as usize;
            let cells = by_class.each_ref().map(|counts| counts[first..end].to_vec());
            first = end;
            if is_numeric(column) {
                let last = |counts: &Vec<f64>| counts.last().copied().unwrap_or(0.0);
                let missing = if column.nullable { cells.iter().map(last).sum() } else { 0.0 };
                let (position, present) = (moments.len(), rows[0] + rows[1] - missing);
                moments.push(Moments {
                    rows: present,
                    rounding: read.rounding(present),
                    rows_noise: noise * libm::sqrt(if column.nullable { 4.0 } else { 2.0 }),
                    sum: sums[position],
                    square: squares[position],
                });
            }
            columns.push(cells);
        }
        let pairs = read.pairs(shape, &moments)?;
        let counted = Self { rows, columns, moments, pairs, noise };
        if question.variance.is_none() {
            counted.check(question, sum.survivors())?;
        }
        Ok(counted)
    }

    /// Refuses what no tables add up to.
    fn check(&self, question: &DescribeQuestion, survivors: u16) -> Result<(), ProgramError> {
        let impossible = |what| Err(ProgramError::ImpossibleSum(what));
        let counts = self.columns.iter().flatten().flatten().chain(&self.rows);
        if counts.copied().any(|count| count < 0.0) || self.pairs.iter().any(|pair| pair.a.rows < 0.0) {
            return impossible(NEGATIVE_COUNT);
        }
        if self.rows.iter().sum::<f64>() > f64::from(survivors) * question.max_rows as f64 {
            return impossible(TOO_MANY_ROWS);
        }
        let are_all = |cells: &[Vec<f64>; 2]| {
            cells.iter().zip(&self.rows).all(|(counts, rows)| counts.iter().sum::<f64>() == *rows)
        };
        if !self.columns.iter().all(are_all) {
            return impossible("columns of different numbers of rows");
        }
        let steps = f64::from(survivors) * finest_step(question.max_rows);
        let is_possible = |moments: &Moments| {
            let most = moments.rows * (1.0 + RANGE_ROUNDING) + steps;
            moments.sum.abs() <= most && moments.square <= most && moments.square >= -steps
        };
        let of_pair = |pair: &PairMoments| {
            let most = pair.a.rows * (1.0 + RANGE_ROUNDING) + steps;
            let fewest = self.moments[pair.pair.a].rows.min(self.moments[pair.pair.b].rows);
            pair.product.abs() <= most
                && pair.a.rows <= fewest
                && is_possible(&pair.a)
                && is_possible(&pair.b)
        };
        if !self.moments.iter().all(is_possible) || !self.pairs.iter().all(of_pair) {
            return impossible("a moment that so many rows cannot have");
        }
        Ok(())
    }
}

struct Read<'a> {
    question: &'a DescribeQuestion,
    layout: Layout,
    sum: &'a Sum,
}

impl Read<'_> {
    /// A block in rows; without values where the layout has none of them.
    fn block(&self, name: &str) -> Result<Vec<f64>, ProgramError> {
        if !self.layout.blocks().iter().any(|block| block.name == name) {
            return Ok(Vec::new());
        }
        let row = if self.question.variance.is_some() { ROW as f64 } else { 1.0 };
        Ok(values(self.sum, &self.layout, name)?.into_iter().map(|value| value / row).collect())
    }

    /// Of all who answered, each of whom added noise.
    fn noise(&self) -> f64 {
        let variance = self.question.variance.unwrap_or(0) as f64;
        libm::sqrt(f64::from(self.sum.survivors()) * variance) / ROW as f64
    }

    /// What the steps of all who answered leave of the variance of a constant.
    fn rounding(&self, rows: f64) -> f64 {
        let step = if self.question.variance.is_some() { 0.0 } else { finest_step(self.question.max_rows) };
        4.0 * f64::from(self.sum.survivors()) * step / rows.max(1.0) + ROUNDING
    }

    fn pairs(&self, shape: &Shape<'_>, moments: &[Moments]) -> Result<Vec<PairMoments>, ProgramError> {
        let (products, rows) = (self.block(PRODUCTS)?, self.block(PAIR_ROWS)?);
        let (sums, squares) = (self.block(PAIR_SUMS)?, self.block(PAIR_SQUARES)?);
        let mut gap = 0;
        let of_pair = |(&pair, &product): (&Pair, &f64)| {
            if !pair.has_gaps {
                return PairMoments { pair, a: moments[pair.a], b: moments[pair.b], product };
            }
            let side = |side: usize| Moments {
                rows: rows[gap],
                rounding: self.rounding(rows[gap]),
                rows_noise: 0.0,
                sum: sums[2 * gap + side],
                square: squares[2 * gap + side],
            };
            let of = PairMoments { pair, a: side(0), b: side(1), product };
            gap += 1;
            of
        };
        Ok(shape.pairs.iter().zip(&products).map(of_pair).collect())
    }
}

/// What floating-point numbers leave of the variance of a constant, in squared half ranges.
const ROUNDING: f64 = 1e-12;
