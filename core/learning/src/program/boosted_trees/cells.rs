//! The first question: how many rows fall into each of many narrow cells, from which the coordinator takes the edges of
//! the bins.
//!
//! A cell is a 2,048th of a column's public range after its transform. Bins hold about equally many rows, and a value that
//! is more common than that fills a bin with at most half a bin of its neighbours (as in LightGBM), so 64 bins need cells that are well narrower than a 64th
//! of where the rows are: 2,048 are, as long as most rows lie in more than a 32nd of the range, which a logarithm as the
//! column's transform brings about for amounts. A whole number of years or months has a cell to itself, too. 22 columns
//! come to 45,056 counts, once for a job.

use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout};

use super::super::statistics::is_zero;
use super::super::{NEGATIVE_COUNT, ProgramError, TOO_MANY_ROWS, count_block};
use crate::contract::Contract;
use crate::table::{Role, Table, Values, is_missing};
use crate::trees::Bins;

/// Asks for the training rows in each cell of each numeric column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellsQuestion {
    /// Numeric columns of the contract.
    pub numeric_columns: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// Those of the numeric columns that are nullable.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nullable_columns: u32,
}

impl CellsQuestion {
    /// The only question that a contract leads to.
    pub fn of(contract: &Contract) -> Self {
        Self {
            numeric_columns: contract.numeric().count() as u32,
            max_rows: contract.max_rows,
            nullable_columns: contract.nullable_numbers().filter(|&nullable| nullable).count() as u32,
        }
    }

    /// What an answer looks like: the cells of one column after the other, then the missing values of each nullable one.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        let len = u64::from(self.numeric_columns) * CELLS as u64;
        let len =
            u32::try_from(len).map_err(|_| ProgramError::BadQuestion("it has too many columns".into()))?;
        let mut blocks = vec![count_block(CELL_ROWS, len as usize, self.max_rows)];
        if self.nullable_columns > 0 {
            blocks.push(count_block(MISSING, self.nullable_columns as usize, self.max_rows));
        }
        Ok(Layout::new(blocks)?)
    }

    /// What this table adds to the sum.
    ///
    /// # Errors
    /// When the question is about another contract.
    pub(in crate::program) fn answer(&self, table: &Table) -> Result<Contribution, ProgramError> {
        if *self != Self::of(table.contract()) {
            return Err(ProgramError::BadQuestion("it is about another contract".into()));
        }
        let rows = table.rows_for(Role::Train);
        let numeric = table.columns().iter().filter_map(|column| match column {
            Values::Numeric(values) => Some(values),
            Values::Categorical(_) => None,
        });
        let mut counts = vec![0.0; self.numeric_columns as usize * CELLS];
        let mut missing = Vec::new();
        let columns = numeric.zip(ranges(table.contract())).zip(table.contract().nullable_numbers());
        for (((values, range), nullable), counts) in columns.zip(counts.chunks_exact_mut(CELLS)) {
            let present = || rows.iter().map(|&row| values[row]).filter(|&value| !is_missing(value));
            present().for_each(|value| counts[range.cell_of(value)] += 1.0);
            missing.extend(nullable.then(|| (rows.len() - present().count()) as f64));
        }
        counts.extend(missing);
        Ok(Contribution::new(self.layout()?, counts)?)
    }

    /// At most `bins` bins of each numeric column, from the summed counts of so many institutions.
    ///
    /// # Errors
    /// When no tables have such counts.
    pub(super) fn bins(
        &self,
        contract: &Contract,
        bins: usize,
        counts: &[f64],
        institutions: u16,
    ) -> Result<Bins, ProgramError> {
        let most = f64::from(institutions) * self.max_rows as f64;
        let (counts, missing) = counts.split_at(self.numeric_columns as usize * CELLS);
        let mut of_nullable = missing.iter();
        let totals = counts.chunks_exact(CELLS).zip(contract.nullable_numbers()).map(|(counts, nullable)| {
            let missing = if nullable { of_nullable.next().copied().unwrap_or(0.0) } else { 0.0 };
            counts.iter().sum::<f64>() + missing
        });
        let totals: Vec<f64> = totals.collect();
        let problem = if counts.iter().chain(missing).any(|&count| count < 0.0) {
            NEGATIVE_COUNT
        } else if totals.iter().any(|&total| total > most) {
            TOO_MANY_ROWS
        } else if totals.iter().any(|&total| total != totals[0]) {
            "columns of different numbers of rows"
        } else if totals.contains(&0.0) {
            "no training row"
        } else {
            let columns = ranges(contract).zip(counts.chunks_exact(CELLS));
            return Ok(Bins { edges: columns.map(|(range, counts)| edges(range, counts, bins)).collect() });
        };
        Err(ProgramError::ImpossibleSum(problem))
    }
}

/// The range of a column after its transform.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    width: f64,
}

impl Range {
    fn cell_of(self, value: f64) -> usize {
        // What rounding puts below zero becomes zero.
        (((value - self.low) / self.width * CELLS as f64) as usize).min(CELLS - 1)
    }

    /// Where a cell begins, for halves of cells too.
    fn at(self, cells: f64) -> f64 {
        // A zero has no sign.
        self.low + self.width * (cells / CELLS as f64) + 0.0
    }
}

/// The range of each numeric column, in contract order.
fn ranges(contract: &Contract) -> impl Iterator<Item = Range> + '_ {
    contract.numeric().map(|(transform, min, max)| {
        let (low, high) = (transform.apply(min), transform.apply(max));
        Range { low, width: high - low }
    })
}

/// So many bins of each numeric column, which divide its range evenly: nothing of them is taken from rows.
pub(super) fn even_bins(contract: &Contract, bins: u32) -> Bins {
    let edges = |range: Range| {
        let mut edges: Vec<f64> = Vec::new();
        for edge in (1..bins).map(|bin| range.at(f64::from(bin) / f64::from(bins) * CELLS as f64)) {
            // In a narrow range around a large number two edges may be one float.
            if edges.last().is_none_or(|&last| last < edge) {
                edges.push(edge);
            }
        }
        edges
    };
    Bins { edges: ranges(contract).map(edges).collect() }
}

/// Whether all edges are cells' middles or ends.
pub(super) fn are_between_cells(bins: &Bins, contract: &Contract) -> bool {
    let is_between = |range: Range, edge: f64| {
        let halves = libm::rint((edge - range.low) / range.width * (2 * CELLS) as f64);
        range.at(halves / 2.0) == edge
    };
    ranges(contract).zip(&bins.edges).all(|(range, edges)| edges.iter().all(|&edge| is_between(range, edge)))
}

/// Upper edges of at most `bins` bins of about equally many rows, of which each ends midway between a cell that has rows
/// and the next that has.
fn edges(range: Range, counts: &[f64], bins: usize) -> Vec<f64> {
    let occupied: Vec<(usize, f64)> =
        counts.iter().copied().enumerate().filter(|&(_, count)| count > 0.0).collect();
    let total: f64 = occupied.iter().map(|(_, count)| count).sum();
    // Cells that fill a bin alone do not make the others larger.
    let is_large = |count: f64| count >= total / bins as f64;
    let large = occupied.iter().filter(|(_, count)| is_large(*count)).count();
    let in_large: f64 = occupied.iter().map(|(_, count)| count).filter(|count| is_large(**count)).sum();
    let (mut rest, mut bins_left) = (total - in_large, bins - large.min(bins - 1));
    let mut edges: Vec<f64> = Vec::new();
    let mut filled = 0.0;
    for pair in occupied.windows(2) {
        let [(cell, count), (next, next_count)] = [pair[0], pair[1]];
        filled += count;
        let is_full = occupied.len() <= bins
            || is_large(count)
            || filled >= rest / bins_left as f64
            || (is_large(next_count) && filled >= rest / bins_left as f64 / 2.0);
        if is_full && edges.len() + 1 < bins {
            if !is_large(count) {
                // What is left is divided among the bins that are left.
                rest -= filled;
                bins_left = (bins_left - 1).max(1);
            }
            filled = 0.0;
            let edge = range.at((cell + 1 + next) as f64 / 2.0);
            // In a narrow range around a large number two edges may be one float.
            if edges.last().is_none_or(|&last| last < edge) {
                edges.push(edge);
            }
        }
    }
    edges
}

/// Cells of each column.
pub(super) const CELLS: usize = 2_048;

const CELL_ROWS: &str = "rows";
const MISSING: &str = "missing";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const UNIT: Range = Range { low: 0.0, width: CELLS as f64 };

    fn counts(rows: impl IntoIterator<Item = (usize, f64)>) -> Vec<f64> {
        let mut counts = vec![0.0; CELLS];
        rows.into_iter().for_each(|(cell, count)| counts[cell] += count);
        counts
    }

    #[test]
    fn few_values_have_a_bin_each_and_edges_midway() {
        let counts = counts([(3, 1.0), (7, 900.0), (8, 2.0)]);
        assert_eq!(edges(UNIT, &counts, 64), [5.5, 8.0]);
        assert_eq!(edges(UNIT, &counts, 2).len(), 1);
    }

    #[test]
    fn a_constant_column_has_one_bin() {
        assert_eq!(edges(UNIT, &counts([(5, 10.0)]), 64), [0.0; 0]);
    }

    #[test]
    fn bins_hold_about_equally_many_rows() {
        let uniform = counts((0..CELLS).map(|cell| (cell, 5.0)));
        let found = edges(UNIT, &uniform, 64);
        assert_eq!(found, (1..64).map(|k| f64::from(32 * k)).collect::<Vec<_>>());
    }

    #[test]
    fn a_common_value_has_a_bin_nearly_of_its_own_and_costs_the_others_none() {
        let skewed = counts((0..CELLS).map(|cell| (cell, if cell == 100 { 1e6 } else { 1.0 })));
        let found = edges(UNIT, &skewed, 64);
        let end = found.iter().position(|&edge| edge == 101.0).unwrap();
        assert!(found[end - 1] >= 84.0, "less than half a bin joins it: {found:?}");
        assert!(found.len() >= 60, "{}", found.len());
        assert!(found.windows(2).all(|pair| pair[1] - pair[0] < 70.0), "{found:?}");
    }

    #[test]
    fn edges_ascend_and_are_not_too_many_whatever_the_counts() {
        let mut rng = fixture::rng(9);
        for case in 0..400 {
            let bins = 2 + case % 63;
            let occupied = 1 + (fixture::uniform(&mut rng) * 300.0) as usize;
            let counts = counts((0..occupied).map(|_| {
                let at = fixture::uniform(&mut rng);
                ((at * at * at * CELLS as f64) as usize, 1.0 / (1e-4 + fixture::uniform(&mut rng)))
            }));
            let found = edges(UNIT, &counts, bins);
            assert!(found.len() < bins, "{} of {bins}", found.len());
            assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            let distinct = counts.iter().filter(|&&count| count > 0.0).count();
            assert!(found.len() + 1 >= distinct.min(bins / 2), "{} of {bins}, {distinct}", found.len());
        }
    }

    #[test]
    fn counts_that_no_tables_have_are_refused() {
        let contract = fixture::contract();
        let question = CellsQuestion::of(&contract);
        let told = |bend: fn(&mut Vec<f64>)| {
            let mut counts: Vec<f64> =
                [counts([(1, 5.0), (4, 5.0)]), counts([(9, 10.0)])].into_iter().flatten().collect();
            bend(&mut counts);
            question.bins(&contract, 64, &counts, 1).map_err(|error| error.code())
        };
        assert_eq!(told(|_| ()).unwrap().edges.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
        let impossible = Err("program.impossible-sum");
        assert_eq!(told(|counts| (counts[0], counts[1]) = (-1.0, 6.0)), impossible);
        assert_eq!(told(|counts| counts[0] = 1.0), impossible);
        assert_eq!(told(|counts| counts.fill(0.0)), impossible);
        assert_eq!(told(|counts| counts.fill(1e6)), impossible);
    }

    #[test]
    fn a_column_without_its_missing_values_has_fewer_rows_than_others() {
        let mut contract = fixture::contract();
        contract.columns[2].nullable = true;
        let question = CellsQuestion::of(&contract);
        let told = |in_cells: f64, missing: f64| {
            let mut counts = counts([(1, 5.0), (4, 5.0)]);
            counts.extend(super::tests::counts([(9, in_cells)]));
            counts.push(missing);
            question
                .bins(&contract, 64, &counts, 1)
                .map(|bins| bins.edges.len())
                .map_err(|error| error.code())
        };
        assert_eq!(question.layout().unwrap().len(), 2 * CELLS + 1);
        assert_eq!([told(7.0, 3.0), told(0.0, 10.0), told(10.0, 0.0)], [Ok(2); 3]);
        let impossible = Err("program.impossible-sum");
        assert_eq!([told(10.0, 3.0), told(11.0, -1.0), told(7.0, 2.0)], [impossible; 3]);
    }
}
