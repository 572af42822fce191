//! The participant half: sums of gradient, Hessian and rows over the bins of a table.

use std::borrow::Borrow;

use syndic_round::Contribution;

use super::super::ProgramError;
use super::question::{BoostedTreesQuestion, GrowQuestion, resolution};
use super::sums::Sums;
use super::terms::is_sampled;
use crate::metrics::logistic;
use crate::table::{Role, Table};
use crate::trees::{BinnedRows, Ensemble};

/// A table that remembers what the last question made of it: its bins, and the log-odds of its rows.
///
/// It answers as a fresh one does, but only the trees that are new since the last question are added up. For whoever
/// answers all questions of a job.
pub struct PreparedTable<T> {
    table: T,
    /// Positions of the training rows.
    rows: Vec<usize>,
    last: Option<Prepared>,
}

/// The training rows under an ensemble.
struct Prepared {
    ensemble: Ensemble,
    binned: BinnedRows,
    log_odds: Vec<f64>,
}

impl<T: Borrow<Table>> PreparedTable<T> {
    /// A table that has not been asked anything.
    pub fn new(table: T) -> Self {
        let rows = table.borrow().rows_for(Role::Train);
        Self { table, rows, last: None }
    }

    /// The table.
    pub fn table(&self) -> &Table {
        self.table.borrow()
    }

    /// The table as it was given.
    pub(in crate::program) fn given(&self) -> &T {
        &self.table
    }

    /// The values that this table adds to the sum.
    ///
    /// # Errors
    /// When the question makes no sense for this table.
    pub fn answer(&mut self, question: &BoostedTreesQuestion) -> Result<Contribution, ProgramError> {
        match question {
            BoostedTreesQuestion::Cells(question) => question.answer(self.table.borrow()),
            BoostedTreesQuestion::Grow(question) => self.grow(question),
        }
    }

    /// What `ensemble` makes of each training row: its bins, its log-odds, and its label.
    pub(super) fn under(
        &mut self,
        ensemble: &Ensemble,
    ) -> Result<impl Iterator<Item = (&[u16], f64, bool)>, ProgramError> {
        let table = self.table.borrow();
        let prepared = Prepared::of(self.last.take(), table, &self.rows, ensemble)?;
        let Prepared { binned, log_odds, .. } = self.last.insert(prepared);
        let rows = binned.rows().zip(&*log_odds).zip(&self.rows);
        Ok(rows.map(|((bins, &log_odds), &row)| (bins, log_odds, table.labels()[row])))
    }

    pub(in crate::program) fn grow(&mut self, question: &GrowQuestion) -> Result<Contribution, ProgramError> {
        let table = self.table.borrow();
        question.check(table.contract())?;
        let layout = question.layout()?;
        let prepared = Prepared::of(self.last.take(), table, &self.rows, &question.ensemble)?;
        let trees = question.ensemble.trees.len();
        let step = resolution(question.max_rows);
        let class_weights = question.class_weights.unwrap_or([1.0, 1.0]);
        let mut sums = HistogramSums::of(question);
        for ((bins, &log_odds), &row) in prepared.binned.rows().zip(&prepared.log_odds).zip(&self.rows) {
            if is_sampled(question.row_fraction, question.seed, trees, row) {
                let label = table.labels()[row];
                let of_row = || sums_of_row(log_odds, label, class_weights[usize::from(label)], step);
                sums.add(question.tree.place_of(bins), bins, of_row);
            }
        }
        self.last = Some(prepared);
        Ok(Contribution::new(layout, sums.values())?)
    }
}

/// The histograms of the places in question, one after the other.
struct HistogramSums {
    /// Of each place of the tree, its position among those in question, if it is one.
    positions: Vec<Option<usize>>,
    /// Of each column in question, its position in the contract, and where its bins begin in a histogram.
    columns: Vec<(usize, usize)>,
    /// Bins of all columns in question.
    width: usize,
    sums: Vec<Sums>,
}

impl HistogramSums {
    fn of(question: &GrowQuestion) -> Self {
        let mut positions = vec![None; question.tree.parts().len()];
        let places = question.places.iter().enumerate();
        places.for_each(|(position, &place)| positions[place as usize] = Some(position));
        let mut width = 0;
        let mut columns = Vec::with_capacity(question.columns.len());
        for &(column, bins) in &question.columns {
            columns.push((column as usize, width));
            width += bins as usize;
        }
        let sums = vec![Sums::default(); question.places.len() * width];
        Self { positions, columns, width, sums }
    }

    /// Adds a row of these bins that ends at `place`, if that is in question.
    fn add(&mut self, place: usize, bins: &[u16], of_row: impl FnOnce() -> Sums) {
        let Some(position) = self.positions[place] else { return };
        let of_row = of_row();
        let histogram = &mut self.sums[position * self.width..][..self.width];
        self.columns
            .iter()
            .for_each(|&(column, start)| histogram[start + usize::from(bins[column])] += of_row);
    }

    /// In the order of the layout.
    fn values(&self) -> Vec<f64> {
        let gradients = self.sums.iter().map(|sums| sums.gradient);
        let hessians = self.sums.iter().map(|sums| sums.hessian);
        gradients.chain(hessians).chain(self.sums.iter().map(|sums| sums.rows)).collect()
    }
}

impl Prepared {
    /// The rows under `ensemble`: from the `last` time, if that was about the beginning of the same ensemble.
    fn of(
        last: Option<Self>,
        table: &Table,
        rows: &[usize],
        ensemble: &Ensemble,
    ) -> Result<Self, ProgramError> {
        let is_beginning = |last: &Self| {
            last.ensemble.base == ensemble.base
                && last.ensemble.bins == ensemble.bins
                && ensemble.trees.starts_with(&last.ensemble.trees)
        };
        let mut prepared = match last.filter(is_beginning) {
            Some(last) => last,
            None => {
                let binned = BinnedRows::of(table, rows, &ensemble.bins)?;
                let log_odds = vec![ensemble.base; rows.len()];
                Self { ensemble: Ensemble { trees: Vec::new(), ..ensemble.clone() }, binned, log_odds }
            }
        };
        let first = prepared.ensemble.trees.len();
        ensemble.add_trees_from(first, &prepared.binned, &mut prepared.log_odds);
        prepared.ensemble.trees.extend_from_slice(&ensemble.trees[first..]);
        Ok(prepared)
    }
}

/// What one row adds, rounded to whole steps, which are a power of two.
fn sums_of_row(log_odds: f64, label: bool, weight: f64, step: f64) -> Sums {
    let rounded = |value: f64| libm::rint(value / step) * step;
    let probability = logistic(log_odds);
    Sums {
        gradient: rounded(weight * (probability - f64::from(u8::from(label)))),
        hessian: rounded(weight * (probability * (1.0 - probability))),
        rows: 1.0,
    }
}
