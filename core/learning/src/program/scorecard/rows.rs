//! The first question: how many rows fall into each narrow cell of each numeric column, and have each level of each
//! categorical one, or are missing; without labels. From them the narrower bins whose classes may be counted: each of enough rows.

use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout};

use super::super::{NEGATIVE_COUNT, ProgramError, TOO_MANY_ROWS, count_block};
use super::terms::ScorecardTerms;
use crate::contract::{Column, ColumnKind, Contract};
use crate::scorecard::CELLS;
use crate::scorecard::coding::{CellRange, ColumnBins};
use crate::table::{Role, Table, Values, is_missing};

/// Asks for the training rows in each cell and of each level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsQuestion {
    /// Numeric columns of the contract.
    pub numeric_columns: u32,
    /// Levels of all its categorical columns, and one for the missing values of each nullable column.
    pub levels: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

impl RowsQuestion {
    /// The only question that a contract leads to.
    pub fn of(contract: &Contract) -> Self {
        let numeric = contract.numeric().count();
        let levels = contract.inputs() - numeric;
        Self { numeric_columns: numeric as u32, levels: levels as u32, max_rows: contract.max_rows }
    }

    /// What an answer looks like: cells or levels of one column after the other, each with its missing values behind.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        let len = u64::from(self.numeric_columns) * CELLS as u64 + u64::from(self.levels);
        let len =
            u32::try_from(len).map_err(|_| ProgramError::BadQuestion("it has too many columns".into()))?;
        Ok(Layout::new(vec![count_block(ROWS, len as usize, self.max_rows)])?)
    }

    pub(in crate::program) fn approved_by(&self, contract: &Contract) -> Result<(), ProgramError> {
        if *self == Self::of(contract) { Ok(()) } else { Err(ProgramError::NotApproved("cells")) }
    }

    /// What this table adds to the sum.
    ///
    /// # Errors
    /// When the question is about another contract.
    pub(in crate::program) fn answer(&self, table: &Table) -> Result<Contribution, ProgramError> {
        Ok(Contribution::new(self.layout()?, self.counts(table)?)?)
    }

    pub(super) fn counts(&self, table: &Table) -> Result<Vec<f64>, ProgramError> {
        let contract = table.contract();
        if *self != Self::of(contract) {
            return Err(ProgramError::BadQuestion("it is about another contract".into()));
        }
        let rows = table.rows_for(Role::Train);
        let mut counts = Vec::new();
        for (column, values) in contract.columns.iter().zip(table.columns()) {
            let mut of_column = vec![0.0; width(column)];
            match (&column.kind, values) {
                (ColumnKind::Numeric { transform, min, max }, Values::Numeric(values)) => {
                    let range = CellRange::of(*transform, *min, *max);
                    // Only a nullable column has missing values, and a place for them.
                    let place = |value| if is_missing(value) { CELLS } else { range.cell_of(value) };
                    rows.iter().for_each(|&row| of_column[place(values[row])] += 1.0);
                }
                (_, Values::Categorical(values)) => {
                    rows.iter().for_each(|&row| of_column[usize::from(values[row])] += 1.0);
                }
                // A table's values are of the kinds of its contract.
                (ColumnKind::Categorical { .. }, Values::Numeric(_)) => {}
            }
            counts.extend(of_column);
        }
        Ok(counts)
    }

    /// The narrower bins, from the summed counts of so many institutions.
    ///
    /// # Errors
    /// When no tables have such counts.
    pub(super) fn bins(
        &self,
        contract: &Contract,
        terms: &ScorecardTerms,
        counts: &[f64],
        institutions: u16,
    ) -> Result<ColumnBins, ProgramError> {
        let most = f64::from(institutions) * self.max_rows as f64;
        let mut rest = counts;
        let columns: Vec<&[f64]> = contract
            .columns
            .iter()
            .map(|column| {
                let (of_column, others) = rest.split_at(width(column).min(rest.len()));
                rest = others;
                of_column
            })
            .collect();
        let totals: Vec<f64> = columns.iter().map(|counts| counts.iter().sum()).collect();
        let problem = if counts.iter().any(|&count| count < 0.0) {
            NEGATIVE_COUNT
        } else if totals.iter().any(|&total| total > most) {
            TOO_MANY_ROWS
        } else if totals.iter().any(|&total| total != totals[0]) {
            "columns of different numbers of rows"
        } else if totals.contains(&0.0) {
            "no training row"
        } else {
            let mut bins = ColumnBins { cuts: Vec::new(), groups: Vec::new(), missing: Vec::new() };
            let floor = terms.min_count as f64;
            for (column, counts) in contract.columns.iter().zip(columns) {
                match column.kind {
                    ColumnKind::Numeric { .. } => {
                        let (numbers, missing) = counts.split_at(CELLS);
                        let cuts = cuts(numbers, terms.coarse_bins as usize, floor);
                        bins.missing.extend(missing.iter().map(|&rows| home(numbers, &cuts, rows, floor)));
                        bins.cuts.push(cuts);
                    }
                    ColumnKind::Categorical { .. } => bins.groups.push(groups(counts, floor)),
                }
            }
            return Ok(bins);
        };
        Err(ProgramError::ImpossibleSum(problem))
    }
}

fn width(column: &Column) -> usize {
    column.positions().unwrap_or(CELLS + usize::from(column.nullable))
}

/// The bin of so many missing values: one behind those of the numbers, or where they or the numbers are fewer than `floor`,
/// that of most numbers.
fn home(numbers: &[f64], cuts: &[u16], missing: f64, floor: f64) -> u16 {
    let mut bins = vec![0.0; cuts.len() + 1];
    for (cell, rows) in numbers.iter().enumerate() {
        bins[cuts.partition_point(|&cut| usize::from(cut) <= cell)] += rows;
    }
    if missing >= floor && bins.iter().sum::<f64>() >= floor {
        return bins.len() as u16;
    }
    (0..bins.len()).reduce(|a, b| if bins[b] > bins[a] { b } else { a }).unwrap_or(0) as u16
}

/// The first cell of each of at most `bins` bins but the first, of about equally many rows and at least `floor`. A bin begins
/// midway between a cell that has rows and the next that has.
pub(in crate::program) fn cuts(counts: &[f64], bins: usize, floor: f64) -> Vec<u16> {
    let occupied: Vec<(usize, f64)> =
        counts.iter().copied().enumerate().filter(|&(_, count)| count > 0.0).collect();
    let mut rest: f64 = counts.iter().sum();
    let mut cuts = Vec::new();
    let mut filled = 0.0;
    for pair in occupied.windows(2) {
        let [(cell, count), (next, next_count)] = [pair[0], pair[1]];
        let left = bins - cuts.len();
        let share = rest / left as f64;
        filled += count;
        // A cell of many rows is not spoilt by its few neighbours.
        let is_full = filled >= share || next_count >= share;
        if left > 1 && is_full && filled >= floor && rest - filled >= floor {
            rest -= filled;
            filled = 0.0;
            cuts.push((cell + 1 + next).div_ceil(2) as u16);
        }
    }
    cuts
}

/// The group of each level: its own, but for those of fewer rows than `floor`, which are one together, or belong to the level of
/// most rows where they are too few even so.
fn groups(counts: &[f64], floor: f64) -> Vec<u16> {
    let is_rare = |level: usize| counts[level] < floor;
    let rare: f64 = (0..counts.len()).filter(|&level| is_rare(level)).map(|level| counts[level]).sum();
    let largest = (0..counts.len()).reduce(|a, b| if counts[b] > counts[a] { b } else { a }).unwrap_or(0);
    let first_rare = (0..counts.len()).find(|&level| is_rare(level)).unwrap_or(0);
    // Whose group a level shares.
    let home = |level: usize| match is_rare(level) {
        false => level,
        true if rare >= floor || is_rare(largest) => first_rare,
        true => largest,
    };
    let homes: Vec<usize> = (0..counts.len()).map(home).collect();
    let mut heads = homes.clone();
    heads.sort_unstable();
    heads.dedup();
    homes.iter().map(|home| heads.partition_point(|head| head < home) as u16).collect()
}

const ROWS: &str = "rows";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn narrow_bins_hold_enough_rows_and_are_not_too_many_whatever_the_counts() {
        let mut rng = fixture::rng(3);
        for case in 0..300 {
            let bins = 2 + case % 40;
            let mut counts = vec![0.0; CELLS];
            for _ in 0..1 + case {
                let at = fixture::uniform(&mut rng);
                counts[(at * at * CELLS as f64) as usize] +=
                    libm::floor(1.0 / (1e-3 + fixture::uniform(&mut rng)));
            }
            let found = cuts(&counts, bins, 50.0);
            assert!(found.len() < bins);
            assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            let starts = [0].into_iter().chain(found.iter().map(|&cut| usize::from(cut)));
            let ends = found.iter().map(|&cut| usize::from(cut)).chain([CELLS]);
            for (start, end) in starts.zip(ends) {
                let rows: f64 = counts[start..end].iter().sum();
                assert!(rows >= 50.0 || found.is_empty(), "case {case}: {rows}");
            }
        }
    }

    #[test]
    fn a_cell_of_many_rows_has_a_bin_to_itself() {
        let mut counts = vec![1.0; CELLS];
        counts[700] = 1e5;
        let found = cuts(&counts, 8, 50.0);
        assert!(found.contains(&700) && found.contains(&701), "{found:?}");
    }

    #[test]
    fn missing_values_have_a_bin_of_their_own_where_they_are_enough() {
        let mut numbers = vec![0.0; CELLS];
        (numbers[10], numbers[20], numbers[30]) = (60.0, 80.0, 70.0);
        let home = |numbers: &[f64], missing| home(numbers, &[15, 25], missing, 50.0);
        assert_eq!([home(&numbers, 50.0), home(&numbers, 49.0), home(&numbers, 0.0)], [3, 1, 1]);
        assert_eq!(home(&[0.0; CELLS], 500.0), 0);
    }

    #[test]
    fn rare_levels_share_a_group_or_join_the_largest() {
        assert_eq!(groups(&[100.0, 60.0, 30.0, 25.0], 50.0), [0, 1, 2, 2]);
        assert_eq!(groups(&[10.0, 60.0, 100.0, 0.0], 50.0), [1, 0, 1, 1]);
        assert_eq!(groups(&[10.0, 20.0, 15.0], 50.0), [0, 0, 0]);
        assert_eq!(groups(&[80.0, 90.0], 50.0), [0, 1]);
    }
}
