//! The best split of one place of a tree, from the sums of its bins.
//!
//! The gain is that of Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, equation 7, with leaves
//! within the bounds that monotone columns above have left, as in XGBoost. Levels are put in order by gradient over
//! Hessian (Fisher, JASA 53, 1958: in that order one of the cuts is best), smoothed and penalised as in Ke et al.,
//! "LightGBM", NIPS 2017.
//!
//! Missing values are in the first bin of a nullable numeric column. Each cut between numbers is tried with them on either
//! side, and they are tried against all numbers, where no trend applies. Where a place has none, they go the way of most
//! rows.

use super::sums::Sums;
use super::terms::{BoostedTreesTerms, Trend};
use crate::trees::Rule;

/// Finds splits by the columns of one tree.
pub(super) struct Finder<'a> {
    pub(super) terms: &'a BoostedTreesTerms,
    pub(super) columns: &'a [FinderColumn],
}

/// One of the columns, and where its bins stand in a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FinderColumn {
    /// Its position in the contract.
    pub(super) column: u16,
    pub(super) bins: usize,
    pub(super) is_numeric: bool,
    /// Whether the first bin of a numeric column is that of its missing values.
    pub(super) nullable: bool,
    pub(super) trend: Trend,
}

/// Between which values the leaves below a place must be, before the learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// A split that is worth making.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) column: u16,
    pub(super) rule: Rule,
    pub(super) gain: f64,
    pub(super) left: Sums,
    pub(super) right: Sums,
    /// Bounds of the left and of the right child.
    pub(super) bounds: [Bounds; 2],
}

/// A division that is better than any before it.
struct Best {
    column: FinderColumn,
    rule: Rule,
    gain: f64,
    left: Sums,
}

impl Bounds {
    pub(super) const NONE: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };
}

impl Finder<'_> {
    /// The split of greatest gain; of several the first, in the order of columns and bins. None where no split is
    /// allowed and lowers the loss.
    pub(super) fn best(&self, histogram: &[Sums], at: Sums, bounds: Bounds) -> Option<Found> {
        let mut best = None;
        let mut rest = histogram;
        for column in self.columns {
            let (bins, others) = rest.split_at(column.bins);
            match column.is_numeric {
                true if column.nullable => self.by_number_or_none(bins, at, bounds, column, &mut best),
                true => self.by_number(bins, at, bounds, column, &mut best),
                false => self.by_levels(bins, at, bounds, column, &mut best),
            }
            rest = others;
        }
        let Best { column, rule, gain, left } = best?;
        let right = at - left;
        let bounds = self.bounds_below(column.trend, left, right, bounds);
        Some(Found { column: column.column, rule, gain, left, right, bounds })
    }

    /// The value of a leaf of these rows, before the learning rate.
    pub(super) fn leaf(&self, sums: Sums, bounds: Bounds) -> f64 {
        leaf(sums, self.terms.l2, bounds)
    }

    /// Whether a place of these sums may be split at all.
    pub(super) fn may_split(&self, sums: Sums) -> bool {
        sums.rows >= 2.0 * self.terms.min_rows as f64 && sums.hessian >= 2.0 * self.terms.min_hessian
    }

    fn by_number(
        &self,
        bins: &[Sums],
        at: Sums,
        bounds: Bounds,
        column: &FinderColumn,
        best: &mut Option<Best>,
    ) {
        let mut left = Sums::default();
        for (bin, &sums) in bins[..bins.len() - 1].iter().enumerate() {
            left += sums;
            // An empty bin divides the rows no further.
            if sums.rows > 0.0 {
                self.consider(left, at, bounds, self.terms.l2, column, best, || Rule::UpTo(bin as u16));
            }
        }
    }

    fn by_number_or_none(
        &self,
        bins: &[Sums],
        at: Sums,
        bounds: Bounds,
        column: &FinderColumn,
        best: &mut Option<Best>,
    ) {
        let (l2, missing) = (self.terms.l2, bins[0]);
        if missing.rows > 0.0 {
            let free = FinderColumn { trend: Trend::Free, ..*column };
            self.consider(missing, at, bounds, l2, &free, best, || Rule::UpTo(0));
        }
        let mut present = Sums::default();
        for (bin, &sums) in (0..).zip(&bins[..bins.len() - 1]).skip(1) {
            present += sums;
            if sums.rows == 0.0 {
                continue;
            }
            if missing.rows > 0.0 {
                self.consider(present + missing, at, bounds, l2, column, best, || Rule::UpTo(bin));
                self.consider(present, at, bounds, l2, column, best, || Rule::PresentUpTo(bin));
            } else {
                let are_most = 2.0 * present.rows >= at.rows;
                let rule = || if are_most { Rule::UpTo(bin) } else { Rule::PresentUpTo(bin) };
                self.consider(present, at, bounds, l2, column, best, rule);
            }
        }
    }

    /// Cuts the levels in their order, from either end: rare ones go right with those that are not in the question.
    fn by_levels(
        &self,
        bins: &[Sums],
        at: Sums,
        bounds: Bounds,
        column: &FinderColumn,
        best: &mut Option<Best>,
    ) {
        let ratio = |level: usize| bins[level].gradient / (bins[level].hessian + self.terms.level_smoothing);
        let is_common = |&level: &usize| bins[level].rows >= self.terms.min_level_rows as f64;
        let mut order: Vec<usize> = (0..bins.len()).filter(is_common).collect();
        // Without smoothing, levels whose rows are certain have no ratio; the order is then still a fixed one.
        order.sort_by(|&a, &b| ratio(a).total_cmp(&ratio(b)));
        for _ in 0..2 {
            let mut left = Sums::default();
            for end in 1..=order.len() {
                left += bins[order[end - 1]];
                // All rows on one side are no split.
                if left.rows == at.rows {
                    break;
                }
                self.consider(left, at, bounds, self.terms.l2 + self.terms.level_l2, column, best, || {
                    let mut levels: Vec<u16> = order[..end].iter().map(|&level| level as u16).collect();
                    levels.sort_unstable();
                    Rule::OneOf(levels)
                });
            }
            order.reverse();
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what a division is, and what it is compared with")]
    fn consider(
        &self,
        left: Sums,
        at: Sums,
        bounds: Bounds,
        l2: f64,
        column: &FinderColumn,
        best: &mut Option<Best>,
        rule: impl FnOnce() -> Rule,
    ) {
        let right = at - left;
        let is_small =
            |sums: Sums| sums.rows < self.terms.min_rows as f64 || sums.hessian < self.terms.min_hessian;
        if is_small(left) || is_small(right) {
            return;
        }
        let (left_leaf, right_leaf) = (leaf(left, l2, bounds), leaf(right, l2, bounds));
        let is_against = match column.trend {
            Trend::Free => false,
            Trend::Increasing => left_leaf > right_leaf,
            Trend::Decreasing => left_leaf < right_leaf,
        };
        if is_against {
            return;
        }
        let before = lowered(at, self.leaf(at, bounds), self.terms.l2);
        let after = lowered(left, left_leaf, l2) + lowered(right, right_leaf, l2);
        let gain = after - before - self.terms.min_gain;
        if gain > best.as_ref().map_or(SMALLEST_GAIN, |best| best.gain) {
            *best = Some(Best { column: *column, rule: rule(), gain, left });
        }
    }

    /// The children of a split by a monotone column must stay on their sides of the middle between their leaves.
    fn bounds_below(&self, trend: Trend, left: Sums, right: Sums, bounds: Bounds) -> [Bounds; 2] {
        let middle = (self.leaf(left, bounds) + self.leaf(right, bounds)) / 2.0;
        let (below, above) = (Bounds { high: middle, ..bounds }, Bounds { low: middle, ..bounds });
        match trend {
            Trend::Free => [bounds; 2],
            Trend::Increasing => [below, above],
            Trend::Decreasing => [above, below],
        }
    }
}

/// The value that lowers the penalised loss most, to second order, within the bounds.
fn leaf(sums: Sums, l2: f64, bounds: Bounds) -> f64 {
    let curvature = sums.hessian + l2;
    let value = if curvature > 0.0 { -sums.gradient / curvature } else { 0.0 };
    // Not `clamp`, which wants ordered bounds; and a zero has no sign.
    value.max(bounds.low).min(bounds.high) + 0.0
}

/// How much a leaf of this value lowers the penalised loss, to second order.
fn lowered(sums: Sums, value: f64, l2: f64) -> f64 {
    -(sums.gradient * value + (sums.hessian + l2) * value * value / 2.0)
}

/// Less is rounding.
const SMALLEST_GAIN: f64 = 1e-9;
