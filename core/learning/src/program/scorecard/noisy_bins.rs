//! The bins of a scorecard from noisy counts: all of it follows from the counts, so that it spends nothing.
//!
//! - The cells of any column are all rows. How many rows there are is told best by all columns together; what a column is off is
//!   taken from its cells evenly, as all have the same noise.
//! - Neighbouring cells are joined until none has less than nothing in it, then rounded so that their sums stay what they were.
//! - Of these the bins are made [as without noise](super::optimal), with two rules more: a bin's rows of either class are clear of
//!   the noise in them, and a bin must tell more than noise alone would seem to.

use super::classes::{by_rate, joined};
use super::noisy_counts::{NoisyCells, width};
use super::optimal::{Floors, Loudness, partition_in_noise};
use super::terms::{ScorecardTerms, Trend};
use crate::contract::{Column, ColumnKind, Contract};
use crate::program::ProgramError;
use crate::scorecard::coding::ColumnBins;
use crate::scorecard::{CELLS, ClassCounts, WoeCoding};

/// Cells that are joined.
#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    good: f64,
    bad: f64,
    /// How many counts with noise it is the sum of, of either class.
    cells: usize,
    /// How many of them are parts of a range; missing values are none.
    parts: usize,
}

/// Counts in whole rows, and of how many cells each is.
struct Whole {
    counts: Vec<ClassCounts>,
    cells: Vec<usize>,
}

/// The bins of a scorecard and the columns that it uses, from noisy counts of each column's cells, which have noise of this
/// deviation in rows.
///
/// # Errors
/// [`ProgramError::NoColumnTells`] where noise hides what there is to tell.
pub(super) fn coding(
    contract: &Contract,
    terms: &ScorecardTerms,
    columns: &[NoisyCells],
    noise: f64,
) -> Result<WoeCoding, ProgramError> {
    let nothing = || ProgramError::NoColumnTells { least: terms.min_iv };
    let all = total(columns, noise).ok_or_else(nothing)?;
    let maker = Maker { terms, all, floors: Floors::of(terms, all), noise };
    let mut coding = WoeCoding {
        bins: ColumnBins { cuts: Vec::new(), groups: Vec::new(), missing: Vec::new() },
        counts: Vec::new(),
        used: Vec::new(),
    };
    for (position, (column, cells)) in contract.columns.iter().zip(columns).enumerate() {
        let pieces = maker.pieces(cells);
        let found = match column.kind {
            ColumnKind::Numeric { .. } => maker.numbers(column, pieces, &mut coding.bins),
            ColumnKind::Categorical { .. } => maker.levels(column, pieces, &mut coding.bins),
        };
        let told = maker.told(&found);
        coding.counts.push(found.counts);
        if coding.counts[position].len() > 1 && told >= terms.min_iv {
            coding.used.push(position as u32);
        }
    }
    if coding.used.is_empty() {
        return Err(nothing());
    }
    coding.check(contract)?;
    Ok(coding)
}

/// All rows of either class: the mean of what the columns say, each weighted by how little noise it has. None where noise hides
/// whether there are any of a class.
fn total(columns: &[NoisyCells], noise: f64) -> Option<ClassCounts> {
    let weights: Vec<f64> = columns.iter().map(|cells| 1.0 / cells.good.len().max(1) as f64).collect();
    let all: f64 = weights.iter().sum();
    let mean = |class: fn(&NoisyCells) -> &Vec<f64>| {
        let sums = columns.iter().map(|cells| class(cells).iter().sum::<f64>());
        sums.zip(&weights).map(|(sum, weight)| sum * weight / all).sum::<f64>()
    };
    let (good, bad) = (mean(|cells| &cells.good), mean(|cells| &cells.bad));
    let least = (CLEAR * noise * libm::sqrt(1.0 / all)).max(1.0);
    let is_seen = good > least && bad > least && good < MOST_ROWS && bad < MOST_ROWS;
    is_seen.then(|| ClassCounts { good: libm::round(good) as u64, bad: libm::round(bad) as u64 })
}

struct Maker<'a> {
    terms: &'a ScorecardTerms,
    all: ClassCounts,
    floors: Floors,
    noise: f64,
}

impl Maker<'_> {
    /// The cells of a column, whose sums are all rows.
    fn pieces(&self, cells: &NoisyCells) -> Vec<Piece> {
        let even = |counts: &[f64], all: u64| -> Vec<f64> {
            let off = (all as f64 - counts.iter().sum::<f64>()) / counts.len().max(1) as f64;
            counts.iter().map(|count| count + off).collect()
        };
        let (good, bad) = (even(&cells.good, self.all.good), even(&cells.bad, self.all.bad));
        good.into_iter().zip(bad).map(|(good, bad)| Piece { good, bad, cells: 1, parts: 1 }).collect()
    }

    fn loudness<'w>(&self, cells: &'w [usize]) -> Loudness<'w> {
        Loudness { noise: self.noise, cells }
    }

    /// Whether both classes of a piece are clear of its noise, and it keeps the floors.
    fn is_clear(&self, piece: Piece) -> bool {
        let least = (CLEAR * self.noise * libm::sqrt(piece.cells as f64)).max(self.floors.class as f64);
        piece.good.min(piece.bad) >= least && piece.good + piece.bad >= self.floors.rows as f64
    }

    /// What is beside a piece.
    fn others(&self, piece: Piece, cells: usize) -> Piece {
        Piece {
            good: self.all.good as f64 - piece.good,
            bad: self.all.bad as f64 - piece.bad,
            cells: cells - piece.cells,
            parts: 0,
        }
    }

    /// The bins of a numeric column.
    fn numbers(&self, column: &Column, mut pieces: Vec<Piece>, bins: &mut ColumnBins) -> Whole {
        let cells = width(column, self.terms.cells());
        let missing =
            column.nullable.then(|| pieces.pop()).flatten().map(|piece| Piece { parts: 0, ..piece });
        let stands = |&piece: &Piece| self.is_clear(piece) && self.is_clear(self.others(piece, cells));
        let apart = missing.filter(stands);
        // Those that do not stand apart are with the cell of most rows.
        let host = largest(&pieces);
        if let Some(missing) = missing.filter(|_| apart.is_none()) {
            pieces[host] = pieces[host].and(missing);
        }
        let narrow = filled(&pieces);
        let mut whole = rounded(&[narrow.as_slice(), apart.as_slice()].concat());
        let missing_counts = whole.counts.split_off(narrow.len());
        let missing_cells = whole.cells.split_off(narrow.len());
        let (trend, loudness) = (self.terms.trend(&column.name), self.loudness(&whole.cells));
        let starts = partition_in_noise(&whole.counts, self.all, self.floors, trend, loudness);
        let bin_of = |narrow: usize| starts.partition_point(|&start| start <= narrow);
        let parts_before =
            |narrow_bins: usize| narrow[..narrow_bins].iter().map(|piece| piece.parts).sum::<usize>();
        let first_cell =
            |start: &usize| (parts_before(*start) * (CELLS / self.terms.cells() as usize)) as u16;
        bins.cuts.push(starts.iter().map(first_cell).collect());
        bins.missing.extend(missing.map(|_| match apart {
            Some(_) => starts.len() + 1,
            None => bin_of((1..narrow.len()).take_while(|&at| parts_before(at) <= host).count()),
        } as u16));
        let mut cells = vec![0; starts.len() + 1];
        whole.cells.iter().enumerate().for_each(|(at, of)| cells[bin_of(at)] += of);
        cells.extend(missing_cells);
        let counts = joined(&whole.counts, &starts).into_iter().chain(missing_counts).collect();
        Whole { counts, cells }
    }

    /// The bins of a categorical column: levels that noise hides are one group, or belong to the level of most rows.
    fn levels(&self, column: &Column, pieces: Vec<Piece>, bins: &mut ColumnBins) -> Whole {
        let levels = pieces.len();
        let seen: Vec<bool> = pieces.iter().map(|&piece| self.is_seen(piece)).collect();
        let hidden = (0..levels).filter(|&level| !seen[level]).map(|level| pieces[level]);
        let hidden = hidden.fold(Piece::default(), Piece::and);
        let most = largest(&pieces);
        let stands = self.is_seen(hidden);
        // Whose group a level shares: behind all levels that of those that noise hides.
        let home = |level: usize| match (seen[level], stands) {
            (true, _) => level,
            (false, true) => levels,
            (false, false) => most,
        };
        let mut heads: Vec<usize> = (0..levels).map(home).collect();
        heads.sort_unstable();
        heads.dedup();
        let group_of = |level: usize| heads.partition_point(|&head| head < home(level));
        let mut groups = vec![Piece::default(); heads.len()];
        (0..levels).for_each(|level| groups[group_of(level)] = groups[group_of(level)].and(pieces[level]));
        if groups.iter().any(|group| group.good < 0.0 || group.bad < 0.0) {
            // What noise hides takes more than there is from the level of most rows: nothing is told apart.
            bins.groups.push(vec![0; levels]);
            return Whole { counts: vec![self.all], cells: vec![levels] };
        }
        let whole = rounded(&groups);
        let missing = column.nullable.then(|| group_of(levels - 1));
        let is_alone = |group: usize| (0..levels).filter(|&level| group_of(level) == group).count() == 1;
        let apart = missing.filter(|&group| {
            is_alone(group)
                && self.is_clear(groups[group])
                && self.is_clear(self.others(groups[group], levels))
        });
        let mut order = by_rate(&whole.counts);
        order.retain(|&group| apart != Some(group));
        let ordered: Vec<ClassCounts> = order.iter().map(|&group| whole.counts[group]).collect();
        let cells: Vec<usize> = order.iter().map(|&group| whole.cells[group]).collect();
        let starts = partition_in_noise(&ordered, self.all, self.floors, Trend::Free, self.loudness(&cells));
        let mut bin_of = vec![starts.len() + 1; groups.len()];
        let mut of_bins = vec![0; starts.len() + 1];
        for (place, &group) in order.iter().enumerate() {
            bin_of[group] = starts.partition_point(|&start| start <= place);
            of_bins[bin_of[group]] += cells[place];
        }
        bins.groups.push((0..levels).map(|level| bin_of[group_of(level)] as u16).collect());
        let apart = apart.map(|group| whole.counts[group]);
        of_bins.extend(apart.map(|_| 1));
        Whole { counts: joined(&ordered, &starts).into_iter().chain(apart).collect(), cells: of_bins }
    }

    /// Whether noise lets a level be told from none.
    fn is_seen(&self, piece: Piece) -> bool {
        let least = (CLEAR * self.noise * libm::sqrt(piece.cells as f64)).max(1.0);
        piece.good.min(piece.bad) >= least && piece.good + piece.bad >= self.terms.min_count as f64
    }

    /// The information value of a column's bins, less what noise alone would seem to tell.
    fn told(&self, found: &Whole) -> f64 {
        let of_bin = |(bin, &cells): (&ClassCounts, &usize)| {
            bin.information(self.all) - seeming(*bin, self.all, self.noise, cells)
        };
        found.counts.iter().zip(&found.cells).map(of_bin).sum()
    }
}

impl Piece {
    fn and(self, other: Self) -> Self {
        Self {
            good: self.good + other.good,
            bad: self.bad + other.bad,
            cells: self.cells + other.cells,
            parts: self.parts + other.parts,
        }
    }

    fn is_filled(self) -> bool {
        self.good >= 0.0 && self.bad >= 0.0
    }
}

/// What noise of this deviation in each of so many cells adds to the information of a bin in the mean, to the second order:
/// half its variance times the second derivative, in the share of goods and in that of bads.
pub(super) fn seeming(bin: ClassCounts, all: ClassCounts, noise: f64, cells: usize) -> f64 {
    let (good, bad) = (bin.good as f64, bin.bad as f64);
    let (of_good, of_bad) = (good / all.good as f64, bad / all.bad as f64);
    let squared = noise * noise * cells as f64;
    let in_good = (1.0 + of_bad / of_good) / (good * all.good as f64);
    let in_bad = (1.0 + of_good / of_bad) / (bad * all.bad as f64);
    squared / 2.0 * (in_good + in_bad)
}

/// Neighbours joined until each has at least nothing in it of either class. What is left at the end belongs to the last, and where
/// that is too little to the one before.
fn filled(pieces: &[Piece]) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let mut open = Piece::default();
    for &piece in pieces {
        open = open.and(piece);
        if open.is_filled() {
            found.push(std::mem::take(&mut open));
        }
    }
    while open.cells > 0 {
        let Some(last) = found.pop() else { return vec![open] };
        open = open.and(last);
        if open.is_filled() {
            found.push(std::mem::take(&mut open));
        }
    }
    found
}

/// In whole rows, so that the sum from the first to any is rounded to the nearest.
fn rounded(pieces: &[Piece]) -> Whole {
    let (mut exact, mut whole) = (Piece::default(), ClassCounts::default());
    let mut counts = Vec::new();
    for &piece in pieces {
        exact = exact.and(piece);
        let reached = ClassCounts {
            good: libm::round(exact.good).max(whole.good as f64) as u64,
            bad: libm::round(exact.bad).max(whole.bad as f64) as u64,
        };
        counts.push(ClassCounts { good: reached.good - whole.good, bad: reached.bad - whole.bad });
        whole = reached;
    }
    Whole { counts, cells: pieces.iter().map(|piece| piece.cells).collect() }
}

/// The piece of most rows, the first of several.
fn largest(pieces: &[Piece]) -> usize {
    let rows = |at: usize| pieces[at].good + pieces[at].bad;
    (0..pieces.len()).reduce(|a, b| if rows(b) > rows(a) { b } else { a }).unwrap_or(0)
}

/// Deviations of the noise in it that a count is clear of.
pub(super) const CLEAR: f64 = 3.0;
/// Counts up to here, and sums of them, are exact floats.
const MOST_ROWS: f64 = (1_u64 << 40) as f64;
