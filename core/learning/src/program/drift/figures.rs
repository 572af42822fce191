//! The figures of a comparison of rows with those that a model was trained on.
//!
//! The population stability index of bins with shares p and q is the sum of (q - p) ln(q / p): the divergence of Jeffreys
//! (Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22, 1951); the levels 0.1 and 0.25
//! are those of Siddiqi, "Credit risk scorecards", Wiley 2006. Where both are drawn from the same distribution it is on average
//! (B - 1)(1/n + 1/m) with B bins of n and m rows (Yurdakul and Naranjo, "Statistical properties of the population stability
//! index", Journal of Risk Model Validation 14, 2020).

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Cut, apart, column_of, total};
use crate::contract::{ColumnKind, Contract};
use crate::job::DriftTerms;
use crate::metrics::ScoreHistogram;
use crate::scorecard::coding::CellRange;

/// How far rows are from those that the model was trained on, over all institutions that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftFigures {
    /// A stability index above this is marked.
    pub watch_psi: f64,
    /// One above this is drift.
    pub max_psi: f64,
    /// A Kolmogorov-Smirnov statistic above this is drift too; none where it is only told.
    pub max_ks: Option<f64>,
    /// The fewest rows of which anything is shown.
    pub min_rows: u32,
    /// Rows that the model was trained on.
    pub reference_rows: u64,
    /// Rows that are compared with them.
    pub current_rows: u64,
    /// The model's scores.
    pub score: Shift,
    /// The columns, in contract order.
    pub columns: Vec<Shift>,
}

/// How far one column, or the score, is from where it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Name of the column; `score` of the scores.
    pub name: String,
    /// What the thresholds make of it; none where too few rows are compared, or nothing tells them apart.
    pub standing: Option<Standing>,
    /// Population stability index over the bins; none where all rows are in one.
    pub psi: Option<f64>,
    /// What it would be on average if nothing had changed, by chance alone.
    pub psi_by_chance: Option<f64>,
    /// The largest difference between the shares of rows below a value, of rows that have one; none of a column of levels, and
    /// where too few rows have a value.
    pub ks: Option<f64>,
    /// Where the rows are, from the lowest number up, and last those without a value; none where the model was trained on too few rows.
    pub bins: Vec<Bin>,
}

/// A part of a column's range, some of its levels, or what is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Of a number, or a probability: the least beyond the bin; none in the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// Its levels, of a column that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// Whether it is of the rows without a value, and of no others: of a nullable column the last is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// Rows that the model was trained on; of missing values they may be fewer than the job's `min_rows`.
    pub reference: u64,
    /// Rows that are compared; none where they are too few to be shown.
    pub current: Option<u64>,
}

/// What the thresholds make of a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Below all thresholds.
    Stable,
    /// Worth a look.
    Watch,
    /// More than the job allows.
    Drifted,
}

impl DriftFigures {
    /// The largest stability index, of the scores or of a column; none where none has any.
    pub fn largest_psi(&self) -> Option<f64> {
        self.shifts().filter_map(|shift| shift.psi).reduce(f64::max)
    }

    /// From the counts of all institutions.
    pub(super) fn of(terms: &DriftTerms, contract: &Contract, reference: &Counts, current: &Counts) -> Self {
        let figures = Self {
            watch_psi: terms.watch_psi,
            max_psi: terms.max_psi,
            max_ks: terms.max_ks,
            min_rows: terms.min_rows,
            reference_rows: rows(&reference.scores),
            current_rows: rows(&current.scores),
            score: Shift::unknown(SCORE.into(), Vec::new()),
            columns: Vec::new(),
        };
        let floor = u64::from(terms.min_rows);
        if figures.reference_rows < floor {
            return figures;
        }
        let shift = |name: String, cut: &Cut, (mut bins, missing): (Vec<Bin>, _), of: (&[u64], &[u64])| {
            let mut current = cut.binned(of.1);
            if let Some((before, now)) = missing {
                bins.push(Bin::of_missing(before));
                current.push(now);
            }
            let ks = matches!(cut, Cut::Between(_)).then(|| ks(of.0, of.1));
            let mut shift = Shift::unknown(name, bins).with(&figures, &current, ks);
            suppress(&mut shift.bins, floor);
            shift
        };
        let scores = (reference.scores.as_slice(), current.scores.as_slice());
        let cut = Cut::ordered(scores.0, terms.bins, floor);
        let at = |cut: u16| ScoreHistogram::lowest_of(usize::from(cut), scores.0.len());
        let score = shift(SCORE.into(), &cut, (bins_of(&cut, scores.0, at, &[]), None), scores);
        let of_columns = reference.columns.iter().zip(&current.columns);
        let columns = terms.columns_of(contract).into_iter().zip(of_columns).filter_map(|(name, counts)| {
            let column = column_of(contract, &name)?;
            let ((before, missing_before), (now, missing_now)) =
                (apart(column, counts.0), apart(column, counts.1));
            let of = (before, now);
            let (cut, bins) = match &column.kind {
                ColumnKind::Numeric { transform, min, max } => {
                    let (cut, range) =
                        (Cut::ordered(of.0, terms.bins, floor), CellRange::of(*transform, *min, *max));
                    let bins = bins_of(&cut, of.0, |cut| range.value_at(cut), &[]);
                    (cut, bins)
                }
                ColumnKind::Categorical { levels } => {
                    let cut = Cut::levels(of.0, terms.bins, floor);
                    let bins = bins_of(&cut, of.0, f64::from, levels);
                    (cut, bins)
                }
            };
            Some(shift(name, &cut, (bins, missing_before.zip(missing_now)), of))
        });
        let columns = columns.collect();
        Self { score, columns, ..figures }
    }

    /// The score and all columns.
    pub fn shifts(&self) -> impl Iterator<Item = &Shift> {
        [&self.score].into_iter().chain(&self.columns)
    }

    /// Those that have shifted more than the job allows, the most first.
    pub fn drifted(&self) -> Vec<&Shift> {
        let mut drifted: Vec<&Shift> =
            self.shifts().filter(|shift| shift.standing == Some(Standing::Drifted)).collect();
        drifted.sort_by(|a, b| b.distance().unwrap_or(0.0).total_cmp(&a.distance().unwrap_or(0.0)));
        drifted
    }

    /// What has shifted more than the job allows, in a sentence; none where nothing has. `current` names the rows that are
    /// compared, `test rows` for instance.
    pub fn warning(&self, current: &str) -> Option<String> {
        let drifted = self.drifted();
        let named = |shift: &&Shift| {
            let name = if std::ptr::eq(*shift, &self.score) {
                "the scores".into()
            } else {
                format!("`{}`", shift.name)
            };
            let is_told =
                |ks: &f64| shift.distance() == Some(*ks) || self.max_ks.is_some_and(|most| *ks > most);
            let ks = shift.ks.filter(is_told);
            let figures = [shift.psi.map(|psi| format!("PSI {psi:.3}")), ks.map(|ks| format!("KS {ks:.3}"))];
            format!("{name} ({})", figures.into_iter().flatten().collect::<Vec<_>>().join(", "))
        };
        let told: Vec<String> = drifted.iter().take(MOST_NAMED).map(named).collect();
        let more = match drifted.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let ks = self.max_ks.map_or_else(String::new, |ks| format!(" and a KS of {ks}"));
        (!drifted.is_empty()).then(|| {
            format!(
                "{current} have drifted from the rows that the model was trained on, in {}{more}: the job allows a PSI of \
                 {}{ks}",
                told.join(", "),
                self.max_psi
            )
        })
    }

    /// What is wrong with figures that were read, if they are to be compared with; none where nothing is.
    pub(crate) fn misfit(&self, contract: &Contract) -> Option<&'static str> {
        let are_ranges = |bins: &[Bin]| {
            let (Some((last, others)), true) =
                (bins.split_last(), bins.iter().all(|bin| bin.levels.is_empty() && !bin.missing))
            else {
                return bins.is_empty();
            };
            let edges: Option<Vec<f64>> = others.iter().map(|bin| bin.below).collect();
            last.below.is_none()
                && edges.is_some_and(|edges| {
                    edges.iter().all(|edge| edge.is_finite())
                        && edges.windows(2).all(|pair| pair[0] < pair[1])
                })
        };
        let are_levels = |bins: &[Bin], levels: &[String]| {
            let mut named: Vec<&String> = bins.iter().flat_map(|bin| &bin.levels).collect();
            let mut declared: Vec<&String> = levels.iter().collect();
            named.sort();
            declared.sort();
            let are_of_levels = bins.iter().all(|bin| bin.below.is_none() && !bin.missing);
            bins.is_empty() || (named == declared && are_of_levels)
        };
        let holds_all = |shift: &Shift| {
            let rows = shift.bins.iter().map(|bin| u128::from(bin.reference)).sum::<u128>();
            shift.bins.is_empty() || rows == u128::from(self.reference_rows)
        };
        let of_contract = |shift: &Shift| {
            let Some(column) = column_of(contract, &shift.name) else { return false };
            let bins = match shift.bins.split_last() {
                Some((last, present)) if column.nullable => {
                    if present.is_empty()
                        || *last != (Bin { current: last.current, ..Bin::of_missing(last.reference) })
                    {
                        return false;
                    }
                    present
                }
                _ => &shift.bins,
            };
            match &column.kind {
                ColumnKind::Numeric { .. } => are_ranges(bins),
                ColumnKind::Categorical { levels } => are_levels(bins, levels),
            }
        };
        if !are_ranges(&self.score.bins) || !self.columns.iter().all(of_contract) {
            return Some("its drift bins are not those of its contract");
        }
        (!self.shifts().all(holds_all))
            .then_some("its drift bins do not hold the rows that it was trained on")
    }
}

impl Bin {
    /// The bin of the rows without a value.
    pub(super) fn of_missing(reference: u64) -> Self {
        Self { below: None, levels: Vec::new(), missing: true, reference, current: None }
    }
}

impl Shift {
    /// What nothing is compared with yet.
    pub(super) fn unknown(name: String, bins: Vec<Bin>) -> Self {
        Self { name, standing: None, psi: None, psi_by_chance: None, ks: None, bins }
    }

    /// What the thresholds of the index are for: the index; where all values that are there are in one bin, the statistic if
    /// it is larger, as the index is about what is missing at most.
    pub fn distance(&self) -> Option<f64> {
        match (self.psi, self.ks) {
            (Some(psi), Some(ks)) if self.present() == 1 => Some(psi.max(ks)),
            (psi, ks) => psi.or(ks),
        }
    }

    /// How many bins are of values that are there: all, but for the last of a nullable column.
    pub(super) fn present(&self) -> usize {
        self.bins.iter().filter(|bin| !bin.missing).count()
    }

    /// Compared with the rows in its bins, none of them left out. `ks` is of the rows that have a value.
    pub(super) fn with(mut self, figures: &DriftFigures, current: &[u64], ks: Option<f64>) -> Self {
        let reference: Vec<u64> = self.bins.iter().map(|bin| bin.reference).collect();
        self.bins.iter_mut().zip(current).for_each(|(bin, &count)| bin.current = Some(count));
        let (all, compared) = (total(&reference), total(current));
        if all == 0 || compared == 0 || compared < u128::from(figures.min_rows) {
            return self;
        }
        // In one bin the index is zero whatever has changed.
        let occupied = reference.iter().zip(current).filter(|(before, now)| **before + **now > 0).count();
        self.psi = (occupied > 1).then(|| psi(&reference, current));
        let freedom = occupied.saturating_sub(1) as f64;
        self.psi_by_chance = self.psi.map(|_| freedom * (1.0 / all as f64 + 1.0 / compared as f64));
        let floor = u128::from(figures.min_rows).max(1);
        let with_value = self.present();
        let ks = ks.filter(|_| {
            [&reference[..with_value], &current[..with_value]].into_iter().all(|rows| total(rows) >= floor)
        });
        self.ks = ks;
        self.standing = self.judged(figures);
        self
    }

    /// What the thresholds make of the index and the statistic.
    pub(super) fn judged(&self, figures: &DriftFigures) -> Option<Standing> {
        let is_far = figures.max_ks.zip(self.ks).is_some_and(|(most, ks)| ks > most);
        self.distance().map(|distance| match distance {
            distance if distance > figures.max_psi || is_far => Standing::Drifted,
            distance if distance > figures.watch_psi => Standing::Watch,
            _ => Standing::Stable,
        })
    }
}

/// The bins of a cut, with the rows that the model was trained on.
fn bins_of(cut: &Cut, reference: &[u64], value_at: impl Fn(u16) -> f64, levels: &[String]) -> Vec<Bin> {
    let of_bin = |(bin, reference): (usize, u64)| {
        let (below, levels) = match cut {
            Cut::Between(cuts) => (cuts.get(bin).map(|&cut| value_at(cut)), Vec::new()),
            Cut::Groups(groups) => {
                let of_level = levels.iter().zip(groups).filter(|(_, group)| **group == bin);
                (None, of_level.map(|(level, _)| level.clone()).collect())
            }
        };
        Bin { below, levels, missing: false, reference, current: None }
    };
    cut.binned(reference).into_iter().enumerate().map(of_bin).collect()
}

/// Takes away small counts of rows that are compared. Where that is one only, the next smallest too: what is missing to all
/// rows would show it.
pub(super) fn suppress(bins: &mut [Bin], min_rows: u64) {
    let is_small = |bin: &Bin| bin.current.is_some_and(|count| count < min_rows);
    let small = bins.iter().filter(|bin| is_small(bin)).count();
    bins.iter_mut().filter(|bin| is_small(bin)).for_each(|bin| bin.current = None);
    if small == 1 {
        let shown = bins.iter_mut().filter(|bin| bin.current.is_some());
        if let Some(next) = shown.min_by_key(|bin| bin.current) {
            next.current = None;
        }
    }
}

/// The population stability index of two histograms with rows, over the same bins. A bin without a row counts as half a row.
pub(super) fn psi(reference: &[u64], current: &[u64]) -> f64 {
    let (all, compared) = (total(reference) as f64, total(current) as f64);
    let share = |count: u64, of: f64| if count == 0 { 0.5 / of } else { count as f64 / of };
    let of_bin = |(&before, &now): (&u64, &u64)| {
        if before == 0 && now == 0 {
            return 0.0;
        }
        let (before, now) = (share(before, all), share(now, compared));
        (now - before) * libm::log(now / before)
    };
    reference.iter().zip(current).map(of_bin).sum()
}

/// The largest difference between the shares of rows up to the end of a cell; zero without rows.
pub(super) fn ks(reference: &[u64], current: &[u64]) -> f64 {
    let (all, compared) = (total(reference), total(current));
    if all == 0 || compared == 0 {
        return 0.0;
    }
    let (mut below, mut largest) = ((0_u128, 0_u128), 0.0_f64);
    for (before, now) in reference.iter().zip(current) {
        below = (below.0 + u128::from(*before), below.1 + u128::from(*now));
        largest = largest.max((below.0 as f64 / all as f64 - below.1 as f64 / compared as f64).abs());
    }
    largest
}

fn rows(counts: &[u64]) -> u64 {
    u64::try_from(total(counts)).unwrap_or(u64::MAX)
}

/// What the shift of scores is called.
pub const SCORE: &str = "score";
/// What is named in a warning.
const MOST_NAMED: usize = 8;
