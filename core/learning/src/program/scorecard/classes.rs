//! The second question: how many rows of each class fall into each narrower bin. From them the bins of the scorecard.

use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout};

use super::super::{NEGATIVE_COUNT, ProgramError, TOO_MANY_ROWS, count_block};
use super::optimal::{Floors, partition_among};
use super::terms::{ScorecardTerms, Trend};
use crate::contract::{ColumnKind, Contract};
use crate::scorecard::coding::ColumnBins;
use crate::scorecard::{ClassCounts, WoeCoding};
use crate::table::{Role, Table};

/// Asks for the training rows of each class in each bin. An answer is as long as the terms allow bins, however many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassesQuestion {
    /// The narrower bins.
    pub bins: ColumnBins,
    /// The most bins of a numeric column, as in the job.
    pub coarse_bins: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

impl ClassesQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        let levels = self.bins.groups.iter().map(Vec::len).sum::<usize>() + self.bins.missing.len();
        layout(self.bins.cuts.len(), levels, self.coarse_bins, self.max_rows)
    }

    /// Checks on the participant that the approved contract and terms can lead to it. How many rows a bin has depends on
    /// sums.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where the bins fit no table under the
    /// contract.
    pub(in crate::program) fn approved_by(
        &self,
        contract: &Contract,
        terms: &ScorecardTerms,
    ) -> Result<(), ProgramError> {
        if self.max_rows != contract.max_rows {
            return Err(ProgramError::NotApproved("max_rows"));
        }
        if self.coarse_bins != terms.coarse_bins {
            return Err(ProgramError::NotApproved("coarse_bins"));
        }
        self.check(contract)
    }

    fn check(&self, contract: &Contract) -> Result<(), ProgramError> {
        self.bins.check(contract)?;
        match self.bins.cuts.iter().all(|cuts| cuts.len() < self.coarse_bins as usize) {
            true => Ok(()),
            false => Err(ProgramError::NotApproved("number of bins")),
        }
    }

    /// What this table adds to the sum.
    ///
    /// # Errors
    /// When the bins do not fit the table's contract.
    pub(in crate::program) fn answer(&self, table: &Table) -> Result<Contribution, ProgramError> {
        Ok(Contribution::new(self.layout()?, self.counts(table)?)?)
    }

    pub(super) fn counts(&self, table: &Table) -> Result<Vec<f64>, ProgramError> {
        let contract = table.contract();
        self.check(contract)?;
        let rows = table.rows_for(Role::Train);
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (column, width) in self.widths(contract).into_iter().enumerate() {
            let mut counts = [vec![0.0; width], vec![0.0; width]];
            let bins = self.bins.of(table, &rows, column);
            for (&row, bin) in rows.iter().zip(bins) {
                counts[usize::from(table.labels()[row])][usize::from(bin)] += 1.0;
            }
            let [of_good, of_bad] = counts;
            good.extend(of_good);
            bad.extend(of_bad);
        }
        good.extend(bad);
        Ok(good)
    }

    /// How many values of each class each column has in an answer.
    fn widths(&self, contract: &Contract) -> Vec<usize> {
        let of_numbers = |column: &crate::Column| self.coarse_bins as usize + usize::from(column.nullable);
        let width = |column: &crate::Column| column.positions().unwrap_or_else(|| of_numbers(column));
        contract.columns.iter().map(width).collect()
    }

    /// The bins of the scorecard and the columns that it uses, from the summed counts of so many institutions.
    ///
    /// # Errors
    /// When no tables have such counts, all are of one class, or no column tells enough.
    pub(super) fn coding(
        &self,
        contract: &Contract,
        terms: &ScorecardTerms,
        summed: &[f64],
        institutions: u16,
    ) -> Result<WoeCoding, ProgramError> {
        let narrow = self.narrow(contract, summed, institutions)?;
        let all = narrow.first().into_iter().flatten().fold(ClassCounts::default(), |sum, bin| sum.and(*bin));
        if all.good == 0 || all.bad == 0 {
            return Err(ProgramError::OneClass { rows: all.rows(), positives: all.bad });
        }
        let floors = Floors::of(terms, all);
        let mut coding = WoeCoding {
            bins: ColumnBins { cuts: Vec::new(), groups: Vec::new(), missing: Vec::new() },
            counts: Vec::new(),
            used: Vec::new(),
        };
        for (position, (column, narrow)) in contract.columns.iter().zip(&narrow).enumerate() {
            let counts = match column.kind {
                ColumnKind::Numeric { .. } => {
                    let cuts = self.bins.cuts_of(contract, position);
                    let (numbers, missing) = (&narrow[..=cuts.len()], narrow.get(cuts.len() + 1).copied());
                    let mut numbers = numbers.to_vec();
                    let mut home = self.bins.missing_of(contract, position);
                    let apart = missing.filter(|missing| stands_apart(*missing, all, floors));
                    if let Some(missing) = missing.filter(|_| apart.is_none()) {
                        let most = of_most_rows(&numbers);
                        numbers[most] = numbers[most].and(missing);
                        home = Some(most as u16);
                    }
                    let starts = partition_among(&numbers, all, floors, terms.trend(&column.name));
                    let bin_of = |narrow: u16| starts.partition_point(|&start| start <= usize::from(narrow));
                    // Behind all narrow bins is behind all bins.
                    let bin_of = |narrow| bin_of(narrow) + usize::from(apart.is_some());
                    coding.bins.missing.extend(home.map(|home| bin_of(home) as u16));
                    coding.bins.cuts.push(starts.iter().map(|&start| cuts[start - 1]).collect());
                    joined(&numbers, &starts).into_iter().chain(apart).collect()
                }
                ColumnKind::Categorical { .. } => {
                    let groups = self.bins.groups_of(contract, position);
                    let apart = self
                        .missing_apart(contract, position)
                        .filter(|&group| stands_apart(narrow[usize::from(group)], all, floors));
                    let mut order = by_rate(narrow);
                    order.retain(|&group| apart.map(usize::from) != Some(group));
                    let ordered: Vec<ClassCounts> = order.iter().map(|&group| narrow[group]).collect();
                    let starts = partition_among(&ordered, all, floors, Trend::Free);
                    let mut bin_of = vec![starts.len() as u16 + 1; narrow.len()];
                    for (place, &group) in order.iter().enumerate() {
                        bin_of[group] = starts.partition_point(|&start| start <= place) as u16;
                    }
                    coding.bins.groups.push(groups.iter().map(|&group| bin_of[usize::from(group)]).collect());
                    let apart = apart.map(|group| narrow[usize::from(group)]);
                    joined(&ordered, &starts).into_iter().chain(apart).collect()
                }
            };
            coding.counts.push(counts);
        }
        let tells = |column: &u32| {
            let column = *column as usize;
            coding.counts[column].len() > 1 && coding.information(column) >= terms.min_iv
        };
        let used: Vec<u32> = (0..contract.columns.len() as u32).filter(tells).collect();
        if used.is_empty() {
            return Err(ProgramError::NoColumnTells { least: terms.min_iv });
        }
        coding.used = used;
        coding.check(contract)?;
        Ok(coding)
    }

    /// Of a nullable categorical column the group of missing values, where no level shares it.
    fn missing_apart(&self, contract: &Contract, column: usize) -> Option<u16> {
        let missing = self.bins.missing_of(contract, column)?;
        let sharing = self.bins.groups_of(contract, column).iter().filter(|&&group| group == missing);
        (sharing.count() == 1).then_some(missing)
    }

    /// The classes in each narrower bin of each column.
    fn narrow(
        &self,
        contract: &Contract,
        summed: &[f64],
        institutions: u16,
    ) -> Result<Vec<Vec<ClassCounts>>, ProgramError> {
        let impossible = |what| Err(ProgramError::ImpossibleSum(what));
        if summed.iter().any(|&count| count < 0.0) {
            return impossible(NEGATIVE_COUNT);
        }
        let (good, bad) = summed.split_at(summed.len() / 2);
        let mut pairs =
            good.iter().zip(bad).map(|(&good, &bad)| ClassCounts { good: good as u64, bad: bad as u64 });
        let bins = self.bins.widths(contract);
        let mut narrow: Vec<Vec<ClassCounts>> = Vec::new();
        for (width, bins) in self.widths(contract).into_iter().zip(bins) {
            let mut counts: Vec<ClassCounts> = pairs.by_ref().take(width).collect();
            if counts.split_off(bins.min(counts.len())).iter().any(|beyond| beyond.rows() > 0) {
                return impossible("rows in bins that there are not");
            }
            narrow.push(counts);
        }
        let total =
            |bins: &Vec<ClassCounts>| bins.iter().fold(ClassCounts::default(), |sum, bin| sum.and(*bin));
        let totals: Vec<ClassCounts> = narrow.iter().map(total).collect();
        let most = f64::from(institutions) * self.max_rows as f64;
        if totals.iter().any(|all| all.rows() as f64 > most) {
            return impossible(TOO_MANY_ROWS);
        }
        match totals.iter().all(|all| *all == totals[0]) {
            true => Ok(narrow),
            false => impossible("columns of different numbers of rows"),
        }
    }
}

/// What an answer looks like: goods, then bads, of the bins or levels of one column after the other.
pub(super) fn layout(
    numeric_columns: usize,
    levels: usize,
    coarse_bins: u32,
    max_rows: u64,
) -> Result<Layout, ProgramError> {
    let len = numeric_columns as u64 * u64::from(coarse_bins) + levels as u64;
    if len > u64::from(u32::MAX / 4) {
        return Err(ProgramError::BadQuestion("it has too many bins".into()));
    }
    let block = |name| count_block(name, len as usize, max_rows);
    Ok(Layout::new(vec![block(GOOD), block(BAD)])?)
}

/// Whether missing values are a bin of their own: where they and all others keep the floors.
fn stands_apart(missing: ClassCounts, all: ClassCounts, floors: Floors) -> bool {
    let others = ClassCounts { good: all.good - missing.good, bad: all.bad - missing.bad };
    floors.keep(missing) && floors.keep(others)
}

/// The bin of most rows, the first of several.
fn of_most_rows(bins: &[ClassCounts]) -> usize {
    (0..bins.len()).reduce(|a, b| if bins[b].rows() > bins[a].rows() { b } else { a }).unwrap_or(0)
}

/// Narrower bins joined: each start begins a bin.
pub(super) fn joined(narrow: &[ClassCounts], starts: &[usize]) -> Vec<ClassCounts> {
    let mut bins = vec![ClassCounts::default(); starts.len() + 1];
    for (place, counts) in narrow.iter().enumerate() {
        let bin = &mut bins[starts.partition_point(|&start| start <= place)];
        *bin = bin.and(*counts);
    }
    bins
}

/// Groups in the order of their rate of bads; of equal ones the first comes first, and one without rows comes last.
pub(super) fn by_rate(groups: &[ClassCounts]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| {
        let scaled =
            |one: usize, other: usize| u128::from(groups[one].bad) * u128::from(groups[other].rows());
        let is_empty = |group: usize| groups[group].rows() == 0;
        is_empty(a).cmp(&is_empty(b)).then(scaled(a, b).cmp(&scaled(b, a))).then(a.cmp(&b))
    });
    order
}

const GOOD: &str = "good";
const BAD: &str = "bad";
