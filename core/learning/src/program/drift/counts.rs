//! How many rows are where: in narrow cells of a column's range, at its levels, and in narrow ranges of the score.

use super::super::scorecard::cuts;
use crate::contract::{Column, ColumnKind, Contract};
use crate::metrics::ScoreHistogram;
use crate::model::{ModelError, Scoring};
use crate::scorecard::CELLS;
use crate::scorecard::coding::CellRange;
use crate::table::{Role, Table, Values, is_missing};

/// Rows of one role.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// For each column that is compared the rows in each cell, or at each level; of a nullable one those without a value
    /// come last.
    pub(super) columns: Vec<Vec<u64>>,
    /// In each range of the score, from the lowest up.
    pub(super) scores: Vec<u64>,
}

impl Counts {
    /// Those of a table.
    pub(super) fn of(
        table: &Table,
        model: &impl Scoring,
        columns: &[String],
        bins: usize,
        role: Role,
    ) -> Result<Self, ModelError> {
        let rows = table.rows_for(role);
        let of_column = |name: &String| {
            let mut named = table.contract().columns.iter().zip(table.columns());
            named
                .find(|(column, _)| column.name == *name)
                .map_or_else(Vec::new, |(column, values)| in_cells(column, values, &rows))
        };
        let scores = model.score_rows(table, &rows)?;
        let histogram = ScoreHistogram::of(&scores, &vec![false; rows.len()], bins);
        Ok(Self { columns: columns.iter().map(of_column).collect(), scores: histogram.negative })
    }

    /// The columns one after the other, then the scores.
    pub(super) fn all(&self) -> impl Iterator<Item = u64> + '_ {
        self.columns.iter().flatten().chain(&self.scores).copied()
    }

    /// Rows, as the scores count them.
    pub(super) fn rows(&self) -> u128 {
        total(&self.scores)
    }

    pub(super) fn are_of_the_same_rows(&self) -> bool {
        self.columns.iter().all(|counts| total(counts) == self.rows())
    }

    /// Adds other rows in the same cells.
    pub(super) fn add(&mut self, other: Self) {
        if self.scores.is_empty() {
            *self = other;
            return;
        }
        let (mine, others) = (self.columns.iter_mut().flatten(), other.columns.iter().flatten());
        mine.chain(&mut self.scores)
            .zip(others.chain(&other.scores))
            .for_each(|(sum, count)| *sum = sum.saturating_add(*count));
    }
}

fn in_cells(column: &Column, values: &Values, rows: &[usize]) -> Vec<u64> {
    let mut counts = vec![0; width(column)];
    match (&column.kind, values) {
        (ColumnKind::Numeric { transform, min, max }, Values::Numeric(values)) => {
            let range = CellRange::of(*transform, *min, *max);
            let cell = |value| if is_missing(value) { CELLS } else { range.cell_of(value) };
            rows.iter().for_each(|&row| counts[cell(values[row])] += 1);
        }
        (_, Values::Categorical(values)) => {
            rows.iter().for_each(|&row| counts[usize::from(values[row])] += 1);
        }
        // A table's values are of the kinds of its contract.
        (ColumnKind::Categorical { .. }, Values::Numeric(_)) => {}
    }
    counts
}

/// How many cells or levels a column has, with that of missing values where there may be some.
pub(super) fn width(column: &Column) -> usize {
    column.positions().unwrap_or(CELLS + usize::from(column.nullable))
}

/// The counts of values that are there, and of those that are missing where some may be.
pub(super) fn apart<'c>(column: &Column, counts: &'c [u64]) -> (&'c [u64], Option<u64>) {
    match counts.split_last().filter(|_| column.nullable) {
        Some((missing, present)) => (present, Some(*missing)),
        None => (counts, None),
    }
}

/// Which cells make a bin.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::program) enum Cut {
    /// Of cells in their order: the first of each bin but the first.
    Between(Vec<u16>),
    /// Of levels: the bin of each.
    Groups(Vec<usize>),
}

impl Cut {
    /// At most `bins` bins of about equally many rows and at least `floor`; one where there are fewer.
    pub(in crate::program) fn ordered(reference: &[u64], bins: u32, floor: u64) -> Self {
        let counts: Vec<f64> = reference.iter().map(|&count| count as f64).collect();
        Self::Between(cuts(&counts, bins as usize, floor as f64))
    }

    /// A bin for each level, the rarest together: at most `bins`, each of at least `floor` rows; one where there are
    /// fewer.
    ///
    /// Those that are together join the rarest of the others where they are too few even so, since there a rare level that
    /// grows is seen soonest.
    pub(in crate::program) fn levels(reference: &[u64], bins: u32, floor: u64) -> Self {
        let mut by_rows: Vec<usize> = (0..reference.len()).collect();
        by_rows.sort_by_key(|&level| (std::cmp::Reverse(reference[level]), level));
        let large = by_rows.iter().filter(|&&level| reference[level] >= floor).count();
        let mut alone =
            large.min(if by_rows.len() > bins as usize { bins as usize - 1 } else { by_rows.len() });
        let rest = |alone: usize| by_rows[alone..].iter().map(|&level| reference[level]).sum::<u64>();
        while alone > 0 && alone < by_rows.len() && rest(alone) < floor {
            alone -= 1;
        }
        // Bins in the order of their first levels.
        let is_alone = |level: &usize| by_rows[..alone].contains(level);
        let first_rare = (0..reference.len()).find(|level| !is_alone(level));
        let heads: Vec<usize> =
            (0..reference.len()).filter(|level| is_alone(level) || Some(*level) == first_rare).collect();
        let home = |level: usize| if is_alone(&level) { level } else { first_rare.unwrap_or(level) };
        Self::Groups(
            (0..reference.len()).map(|level| heads.partition_point(|&head| head < home(level))).collect(),
        )
    }

    /// The rows in each bin.
    pub(in crate::program) fn binned(&self, counts: &[u64]) -> Vec<u64> {
        match self {
            Self::Between(cuts) => {
                let starts = [0].into_iter().chain(cuts.iter().map(|&cut| usize::from(cut)));
                let ends = cuts.iter().map(|&cut| usize::from(cut)).chain([counts.len()]);
                starts.zip(ends).map(|(start, end)| counts[start..end].iter().sum()).collect()
            }
            Self::Groups(groups) => {
                let mut bins = vec![0; groups.iter().max().map_or(0, |last| last + 1)];
                groups.iter().zip(counts).for_each(|(&group, count)| bins[group] += count);
                bins
            }
        }
    }
}

/// The column of this name.
pub(super) fn column_of<'c>(contract: &'c Contract, name: &str) -> Option<&'c Column> {
    contract.columns.iter().find(|column| column.name == name)
}

/// All rows of a histogram.
pub(super) fn total(counts: &[u64]) -> u128 {
    counts.iter().copied().map(u128::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(reference: &[u64], bins: u32) -> Vec<usize> {
        match Cut::levels(reference, bins, 50) {
            Cut::Groups(groups) => groups,
            Cut::Between(_) => panic!("levels have groups"),
        }
    }

    #[test]
    fn rare_levels_share_a_bin_or_join_the_rarest_of_the_others() {
        assert_eq!(groups(&[100, 60, 30, 25], 10), [0, 1, 2, 2]);
        assert_eq!(
            groups(&[10, 60, 100, 0], 10),
            [0, 0, 1, 0],
            "a level that nobody had yet counts among few"
        );
        assert_eq!(groups(&[10, 20, 25], 10), [0, 0, 0]);
        assert_eq!(groups(&[80, 90], 10), [0, 1]);
        assert_eq!(groups(&[80, 90, 100, 110], 3), [0, 0, 1, 2], "no more bins than are wanted");
    }

    #[test]
    fn every_bin_has_enough_rows_whatever_the_levels() {
        let mut rng = crate::fixture::rng(5);
        for case in 0..500_u32 {
            let levels = 1 + case as usize % 30;
            let reference: Vec<u64> = (0..levels)
                .map(|_| {
                    (300.0 * crate::fixture::uniform(&mut rng) * crate::fixture::uniform(&mut rng)) as u64
                })
                .collect();
            if total(&reference) < 50 {
                continue;
            }
            let bins = 2 + case % 20;
            let cut = Cut::levels(&reference, bins, 50);
            let found = cut.binned(&reference);
            assert!(
                found.len() <= bins as usize && found.iter().all(|&rows| rows >= 50),
                "{reference:?}: {found:?}"
            );
            assert_eq!(total(&found), total(&reference));
        }
    }

    #[test]
    fn bins_of_cells_hold_all_rows() {
        let mut reference = vec![0; CELLS];
        (0..1000).for_each(|row: usize| reference[(row * row) % 700] += 1);
        let cut = Cut::ordered(&reference, 10, 50);
        let found = cut.binned(&reference);
        assert!((8..=10).contains(&found.len()) && found.iter().all(|&rows| rows >= 50), "{found:?}");
        assert_eq!(total(&found), 1000);
    }
}
