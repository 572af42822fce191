//! Bins of all columns, with the classes of the rows in them: how a row becomes weights of evidence.
//!
//! The weight of evidence of a bin is ln(share of all goods in it / share of all bads in it), and the information value
//! of a column the sum over its bins of the difference of the two shares times that (Siddiqi, chapter 10; Kullback,
//! "Information theory and statistics", 1959). No bin lacks a class, so neither needs smoothing.

use serde::{Deserialize, Serialize};

use super::ScorecardMismatch;
use crate::contract::{Column, ColumnKind, Contract, Transform};
use crate::table::{Table, Values, is_missing};

/// Training rows of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassCounts {
    /// Negatives.
    pub good: u64,
    /// Positives.
    pub bad: u64,
}

/// The bins of all columns of a contract, and the classes of the training rows in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WoeCoding {
    /// Where the columns are cut.
    pub bins: ColumnBins,
    /// For each column, the rows in each bin.
    pub counts: Vec<Vec<ClassCounts>>,
    /// Positions of the columns that are used, ascending.
    pub used: Vec<u32>,
}

/// Where the columns are cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnBins {
    /// For each numeric column the first cell of each of its bins but the first, ascending. A cell is a 2,048th of the
    /// column's public range after its transform.
    pub cuts: Vec<Vec<u16>>,
    /// For each categorical column the bin of each level, and of a nullable one that of missing values behind them.
    pub groups: Vec<Vec<u16>>,
    /// For each nullable numeric column the bin of missing values: one of those of its numbers, or the one behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u16>,
}

impl ClassCounts {
    /// Of both classes.
    pub fn rows(self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    /// The share of bads.
    pub fn rate(self) -> f64 {
        self.bad as f64 / self.rows() as f64
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self { good: self.good.saturating_add(other.good), bad: self.bad.saturating_add(other.bad) }
    }

    /// Weight of evidence of these rows among `all`.
    pub fn woe(self, all: Self) -> f64 {
        libm::log((self.good as f64 / all.good as f64) / (self.bad as f64 / all.bad as f64))
    }

    /// What these rows add to the information value of a column.
    pub fn information(self, all: Self) -> f64 {
        (self.good as f64 / all.good as f64 - self.bad as f64 / all.bad as f64) * self.woe(all)
    }
}

impl ColumnBins {
    /// How many bins each column has, in contract order.
    pub fn widths(&self, contract: &Contract) -> Vec<usize> {
        let (mut cuts, mut groups) = (self.cuts.iter(), self.groups.iter());
        let mut missing = self.missing.iter();
        let width = |column: &Column| match &column.kind {
            ColumnKind::Numeric { .. } => {
                let of_numbers = cuts.next().map_or(1, |cuts| cuts.len() + 1);
                let of_missing = column.nullable.then(|| missing.next()).flatten();
                of_missing.map_or(of_numbers, |&bin| of_numbers.max(usize::from(bin) + 1))
            }
            ColumnKind::Categorical { .. } => {
                groups.next().and_then(|groups| groups.iter().max()).map_or(1, |&last| usize::from(last) + 1)
            }
        };
        contract.columns.iter().map(width).collect()
    }

    /// Checks them against the contract.
    ///
    /// # Errors
    /// When there are not ascending cells of the range for each numeric column, and a bin for each level of each categorical
    /// one with none of the bins left out.
    pub fn check(&self, contract: &Contract) -> Result<(), ScorecardMismatch> {
        let levels: Vec<usize> = contract.columns.iter().filter_map(Column::positions).collect();
        if self.cuts.len() != contract.numeric().count() || self.groups.len() != levels.len() {
            return Err(ScorecardMismatch("bins of each column"));
        }
        let are_cells = |cuts: &Vec<u16>| {
            cuts.windows(2).all(|pair| pair[0] < pair[1])
                && cuts.first().is_none_or(|&cut| cut > 0)
                && cuts.last().is_none_or(|&cut| usize::from(cut) < CELLS)
        };
        let are_groups = |(groups, &levels): (&Vec<u16>, &usize)| {
            let last = groups.iter().max().copied().unwrap_or(0);
            groups.len() == levels
                && usize::from(last) < levels.max(1)
                && (0..=last).all(|group| groups.contains(&group))
        };
        if !self.cuts.iter().all(are_cells) {
            return Err(ScorecardMismatch("cuts that ascend within the range"));
        }
        let nullable = self.cuts.iter().zip(contract.nullable_numbers()).filter(|(_, nullable)| *nullable);
        let last: Vec<usize> = nullable.map(|(cuts, _)| cuts.len() + 1).collect();
        if self.missing.len() != last.len()
            || self.missing.iter().zip(last).any(|(&bin, last)| usize::from(bin) > last)
        {
            return Err(ScorecardMismatch("a bin for the missing values of each nullable column"));
        }
        match self.groups.iter().zip(&levels).all(are_groups) {
            true => Ok(()),
            false => Err(ScorecardMismatch("a bin for each level, and a level in each bin")),
        }
    }

    /// The position of a column among those of its own kind.
    fn position(contract: &Contract, column: usize) -> usize {
        let is_numeric = |kind: &ColumnKind| matches!(kind, ColumnKind::Numeric { .. });
        let of = is_numeric(&contract.columns[column].kind);
        contract.columns[..column].iter().filter(|other| is_numeric(&other.kind) == of).count()
    }

    /// The cuts of a numeric column; none of a categorical one.
    pub fn cuts_of(&self, contract: &Contract, column: usize) -> &[u16] {
        match contract.columns[column].kind {
            ColumnKind::Numeric { .. } => &self.cuts[Self::position(contract, column)],
            ColumnKind::Categorical { .. } => &[],
        }
    }

    /// The bins of the levels of a categorical column; none of a numeric one.
    pub fn groups_of(&self, contract: &Contract, column: usize) -> &[u16] {
        match contract.columns[column].kind {
            ColumnKind::Numeric { .. } => &[],
            ColumnKind::Categorical { .. } => &self.groups[Self::position(contract, column)],
        }
    }

    /// The bin of the missing values of a nullable column; none of another.
    pub fn missing_of(&self, contract: &Contract, column: usize) -> Option<u16> {
        let of = &contract.columns[column];
        if !of.nullable {
            return None;
        }
        match of.kind {
            ColumnKind::Numeric { .. } => {
                let before = contract.columns[..column].iter();
                let before = before.filter(|other| other.nullable && other.positions().is_none()).count();
                self.missing.get(before).copied()
            }
            ColumnKind::Categorical { .. } => self.groups_of(contract, column).last().copied(),
        }
    }

    /// The bins of one column of the rows at these positions of a table, under whose contract they were checked.
    pub fn of(&self, table: &Table, rows: &[usize], column: usize) -> Vec<u16> {
        let contract = table.contract();
        match (&table.columns()[column], &contract.columns[column].kind) {
            (Values::Numeric(values), ColumnKind::Numeric { transform, min, max }) => {
                let (cuts, range) = (self.cuts_of(contract, column), CellRange::of(*transform, *min, *max));
                let missing = self.missing_of(contract, column);
                let bin = |&row: &usize| {
                    if let Some(bin) = missing.filter(|_| is_missing(values[row])) {
                        return bin;
                    }
                    let cell = range.cell_of(values[row]);
                    cuts.partition_point(|&cut| usize::from(cut) <= cell) as u16
                };
                rows.iter().map(bin).collect()
            }
            (Values::Categorical(values), _) => {
                let groups = self.groups_of(contract, column);
                rows.iter().map(|&row| groups[usize::from(values[row])]).collect()
            }
            // A table's values are of the kinds of its contract.
            (Values::Numeric(_), ColumnKind::Categorical { .. }) => vec![0; rows.len()],
        }
    }
}

impl WoeCoding {
    /// All training rows.
    pub fn all(&self) -> ClassCounts {
        let of_column = self.counts.first().into_iter().flatten();
        of_column.fold(ClassCounts::default(), |sum, counts| sum.and(*counts))
    }

    /// The weights of evidence of a column's bins.
    pub fn woe(&self, column: usize) -> Vec<f64> {
        let all = self.all();
        self.counts[column].iter().map(|counts| counts.woe(all)).collect()
    }

    /// The information value of a column.
    pub fn information(&self, column: usize) -> f64 {
        let all = self.all();
        self.counts[column].iter().map(|counts| counts.information(all)).sum()
    }

    pub(super) fn bins_of(&self, table: &Table, rows: &[usize], column: usize) -> Vec<u16> {
        self.bins.of(table, rows, column)
    }

    /// Checks it against the contract.
    ///
    /// # Errors
    /// When the bins are not those of such a contract, a bin lacks a class, columns count different rows, or what is used is
    /// no column of two bins or more whose weights of evidence differ.
    pub fn check(&self, contract: &Contract) -> Result<(), ScorecardMismatch> {
        self.bins.check(contract)?;
        let counts = &self.counts;
        let widths = self.bins.widths(contract);
        if !counts.iter().map(Vec::len).eq(widths) {
            return Err(ScorecardMismatch("counts of each bin"));
        }
        let sound =
            |bin: &ClassCounts| (1..=MOST_ROWS).contains(&bin.good) && (1..=MOST_ROWS).contains(&bin.bad);
        if !counts.iter().flatten().all(sound) {
            return Err(ScorecardMismatch("rows of both classes in each bin, and not too many"));
        }
        let total =
            |bins: &Vec<ClassCounts>| bins.iter().fold(ClassCounts::default(), |sum, bin| sum.and(*bin));
        if counts.iter().any(|bins| total(bins) != self.all()) {
            return Err(ScorecardMismatch("the same rows in all columns"));
        }
        let is_telling = |&column: &u32| {
            let woe = counts.get(column as usize).map(|_| self.woe(column as usize)).unwrap_or_default();
            woe.iter().any(|value| *value != woe[0])
        };
        let ascends = self.used.windows(2).all(|pair| pair[0] < pair[1]);
        match ascends && self.used.iter().all(is_telling) {
            true => Ok(()),
            false => Err(ScorecardMismatch("columns to use whose bins differ")),
        }
    }
}

/// The range of a numeric column after its transform, in cells.
#[derive(Clone, Copy)]
pub(crate) struct CellRange {
    low: f64,
    width: f64,
    transform: Transform,
}

impl CellRange {
    pub(crate) fn of(transform: Transform, min: f64, max: f64) -> Self {
        let (low, high) = (transform.apply(min), transform.apply(max));
        Self { low, width: high - low, transform }
    }

    /// The cell of a transformed value.
    pub(crate) fn cell_of(self, value: f64) -> usize {
        // What rounding puts below zero becomes zero.
        (((value - self.low) / self.width * CELLS as f64) as usize).min(CELLS - 1)
    }

    /// Where a cell begins, before the transform.
    pub(crate) fn value_at(self, cell: u16) -> f64 {
        self.value_at_place(f64::from(cell))
    }

    /// The same so many cells above the least value.
    pub(crate) fn value_at_place(self, cells: f64) -> f64 {
        let transformed = self.low + self.width * (cells / CELLS as f64);
        match self.transform {
            Transform::Identity => transformed,
            Transform::Slog1p => libm::copysign(libm::expm1(transformed.abs()), transformed),
        }
    }
}

/// Cells of each numeric column.
pub const CELLS: usize = 2_048;

/// Counts up to here, and sums of them, are exact floats.
const MOST_ROWS: u64 = 1 << 40;
