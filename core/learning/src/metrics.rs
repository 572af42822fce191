//! How good scores are: ROC-AUC, PR-AUC and log-loss, from the scores themselves or from summed histograms.
//!
//! ROC-AUC counts ties half (mid-ranks; Hanley and McNeil, Radiology 143, 1982). PR-AUC is average
//! precision: the sum over distinct scores, from the highest down, of precision times the gain in recall.

pub mod detail;

use serde::{Deserialize, Serialize};

/// Figures of one model on one set of rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Area under the ROC curve; none unless both classes occur.
    pub roc_auc: Option<f64>,
    /// Average precision; none without a positive.
    pub pr_auc: Option<f64>,
    /// Mean of -ln(probability given to what happened), natural logarithm.
    pub log_loss: f64,
    /// Rows.
    pub rows: u64,
    /// Positives among them.
    pub positives: u64,
}

/// How many rows of each class scored in each of many narrow ranges, from the lowest score up. Histograms of
/// several institutions add up.
///
/// Bins are equally wide in log-odds, between -12 and 12, so that rare positives (probabilities that are all
/// small) are told apart as finely as common ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScoreHistogram {
    /// Rows whose label is negative.
    pub negative: Vec<u64>,
    /// Rows whose label is positive.
    pub positive: Vec<u64>,
}

impl Metrics {
    /// Exact figures of probabilities against labels; none without rows.
    pub fn exact(probabilities: &[f64], labels: &[bool]) -> Option<Self> {
        let mut ranked: Vec<(f64, bool)> =
            probabilities.iter().copied().zip(labels.iter().copied()).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let ties = ranked.chunk_by(|a, b| a.0 == b.0).map(|tie| {
            let positive = tie.iter().filter(|(_, label)| *label).count() as u64;
            (tie.len() as u64 - positive, positive)
        });
        let loss = ranked.iter().map(|&(probability, label)| log_loss(probability, label)).sum();
        Self::of_groups(ties, loss, tied)
    }

    /// Figures from summed histograms and the summed loss; none without rows.
    ///
    /// Within a bin the order of rows is unknown: pairs count half, as ties do, and precision is taken as if
    /// positives lay evenly among negatives, which is right on average for scores that hardly ever tie.
    pub fn from_histogram(histogram: &ScoreHistogram, loss_sum: f64) -> Option<Self> {
        let bins = histogram.negative.iter().copied().zip(histogram.positive.iter().copied());
        Self::of_groups(bins.rev(), loss_sum, precision_within)
    }

    /// Figures from a histogram so fine that rows of one bin count as tied, and the summed loss; none without rows.
    pub(crate) fn from_fine(histogram: &ScoreHistogram, loss_sum: f64) -> Option<Self> {
        let bins = histogram.negative.iter().copied().zip(histogram.positive.iter().copied());
        Self::of_groups(bins.rev(), loss_sum, tied)
    }

    /// Figures from the negatives and positives of groups of rows that are not told apart, from the highest
    /// score down. `precision` sums the precision at each positive of a group, given what ranks before it.
    fn of_groups(
        groups: impl Iterator<Item = (u64, u64)>,
        loss_sum: f64,
        precision: impl Fn(Classes, Classes) -> f64,
    ) -> Option<Self> {
        let mut before = Classes { negative: 0.0, positive: 0.0 };
        let (mut pairs_lost, mut precisions) = (0.0, 0.0);
        for (negative, positive) in groups.filter(|group| *group != (0, 0)) {
            let group = Classes { negative: negative as f64, positive: positive as f64 };
            pairs_lost += group.positive * (before.negative + group.negative / 2.0);
            precisions += precision(before, group);
            before.negative += group.negative;
            before.positive += group.positive;
        }
        let Classes { negative, positive } = before;
        let (rows, pairs) = (negative + positive, negative * positive);
        (rows > 0.0).then(|| Self {
            roc_auc: (pairs > 0.0).then(|| 1.0 - pairs_lost / pairs),
            pr_auc: (positive > 0.0).then(|| precisions / positive),
            log_loss: loss_sum / rows,
            rows: rows as u64,
            positives: positive as u64,
        })
    }
}

/// The precision at each positive of a tie, summed: tied rows are all above the threshold or none is.
fn tied(before: Classes, tie: Classes) -> f64 {
    let above = before.positive + tie.positive;
    tie.positive * above / (above + before.negative + tie.negative)
}

/// The precision at each positive of a bin, summed, where its positives lie evenly among its negatives.
///
/// The k-th is (P + k) / (P + k + N + k s) with P positives and N negatives before the bin and s negatives to a
/// positive. That is 1/b + c / (a + k) with b = 1 + s, a = (P + N) / b and c = (P s - N) / b^2, so all but the
/// first few are summed as an integral (Euler-Maclaurin at midpoints, its first correction included; exact to
/// 1e-9 a positive). The time does not grow with the counts, which come from other people.
fn precision_within(before: Classes, group: Classes) -> f64 {
    let spacing = group.negative / (group.positive + 1.0);
    let at = |k: f64| (before.positive + k) / (before.positive + k + before.negative + k * spacing);
    let one_by_one = group.positive.min(ONE_BY_ONE) as u32;
    let first: f64 = (1..=one_by_one).map(|k| at(f64::from(k))).sum();
    let rest = group.positive - ONE_BY_ONE;
    if rest <= 0.0 {
        return first;
    }
    let b = 1.0 + spacing;
    let a = (before.positive + before.negative) / b;
    let c = (before.positive * spacing - before.negative) / (b * b);
    let from = a + ONE_BY_ONE + 0.5;
    let to = from + rest;
    let integral = rest / b + c * libm::log1p(rest / from);
    first + integral - c / 24.0 * (1.0 / (from * from) - 1.0 / (to * to))
}

/// Numbers of rows by class.
#[derive(Clone, Copy, Debug)]
struct Classes {
    negative: f64,
    positive: f64,
}

impl ScoreHistogram {
    /// The histogram of probabilities in `bins` bins.
    pub fn of(probabilities: &[f64], labels: &[bool], bins: usize) -> Self {
        let mut histogram = Self { negative: vec![0; bins], positive: vec![0; bins] };
        for (&probability, &label) in probabilities.iter().zip(labels) {
            histogram.count(probability, label);
        }
        histogram
    }

    /// Counts one more row. There must be a bin.
    pub(crate) fn count(&mut self, probability: f64, label: bool) {
        let class = if label { &mut self.positive } else { &mut self.negative };
        let bins = class.len();
        class[bin(probability, bins)] += 1;
    }

    /// Adds the rows of another histogram of as many bins.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.negative.is_empty() {
            self.clone_from(other);
            return;
        }
        for (sum, one) in [(&mut self.negative, &other.negative), (&mut self.positive, &other.positive)] {
            sum.iter_mut().zip(one).for_each(|(sum, count)| *sum += count);
        }
    }

    /// The first of the highest bins that hold at least this share of the rows, and the share that they hold; behind
    /// the last bin where there are no rows.
    pub(crate) fn highest(&self, share: f64) -> (usize, f64) {
        let counts =
            || self.negative.iter().zip(&self.positive).map(|(negative, positive)| negative + positive);
        let rows = counts().sum::<u64>() as f64;
        let mut above = 0;
        for (bin, count) in counts().enumerate().rev() {
            above += count;
            if above > 0 && above as f64 >= share * rows {
                return (bin, above as f64 / rows);
            }
        }
        (self.negative.len(), 0.0)
    }

    /// The largest difference between the shares of positives and of negatives above a threshold, to a bin; none unless both
    /// classes occur.
    pub(crate) fn ks(&self) -> Option<f64> {
        let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        let (negatives, positives) = (total(&self.negative), total(&self.positive));
        if negatives == 0.0 || positives == 0.0 {
            return None;
        }
        let (mut below, mut largest) = ((0, 0), 0.0_f64);
        for (negative, positive) in self.negative.iter().zip(&self.positive) {
            below = (below.0 + negative, below.1 + positive);
            largest = largest.max((below.0 as f64 / negatives - below.1 as f64 / positives).abs());
        }
        Some(largest)
    }

    /// The mean difference of told and observed rates over ten bands of probability, weighted by their rows, where each row is
    /// told the middle of its bin; 0 without rows.
    pub(crate) fn calibration_error(&self) -> f64 {
        let (mut off, mut rows) = ([0.0_f64; 10], 0.0);
        for (bin, (&negative, &positive)) in self.negative.iter().zip(&self.positive).enumerate() {
            let told = Self::middle_of(bin, self.negative.len());
            let here = negative as f64 + positive as f64;
            off[((told * 10.0) as usize).min(9)] += told * here - positive as f64;
            rows += here;
        }
        if rows > 0.0 { off.iter().map(|off| off.abs()).sum::<f64>() / rows } else { 0.0 }
    }

    /// The smallest probability in a bin.
    pub(crate) fn lowest_of(bin: usize, bins: usize) -> f64 {
        at(bin as f64, bins)
    }

    /// The probability in the middle of a bin's log-odds.
    pub(crate) fn middle_of(bin: usize, bins: usize) -> f64 {
        at(bin as f64 + 0.5, bins)
    }
}

/// The loss of one row: -ln(probability given to what happened), at most [`LARGEST_LOSS`].
pub fn log_loss(probability: f64, label: bool) -> f64 {
    let given = if label { probability } else { 1.0 - probability };
    -libm::log(given.clamp(SMALLEST_PROBABILITY, 1.0))
}

/// The probability whose log-odds are `score`.
pub fn logistic(score: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-score))
}

/// The largest loss that one row can have: -ln 10^-15, rounded up.
pub const LARGEST_LOSS: f64 = 35.0;

const SMALLEST_PROBABILITY: f64 = 1e-15;

/// Positives of a bin whose precision is not yet smooth enough for an integral.
const ONE_BY_ONE: f64 = 64.0;

/// Bins span log-odds from minus to plus this.
const LOG_ODDS_SPAN: f64 = 12.0;

/// The probability so many bins from the left.
fn at(bin: f64, bins: usize) -> f64 {
    logistic(2.0 * LOG_ODDS_SPAN * bin / bins.max(1) as f64 - LOG_ODDS_SPAN)
}

fn bin(probability: f64, bins: usize) -> usize {
    let odds = libm::log(probability / (1.0 - probability)).clamp(-LOG_ODDS_SPAN, LOG_ODDS_SPAN);
    let position = (odds + LOG_ODDS_SPAN) / (2.0 * LOG_ODDS_SPAN) * bins as f64;
    (position as usize).min(bins - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{rng, uniform};

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn figures_agree_with_a_calculation_by_hand() {
        // Positives at 0.8, 0.6, 0.2; negatives at 0.6, 0.4: of six pairs 3.5 are in order.
        let metrics = Metrics::exact(&[0.8, 0.6, 0.6, 0.4, 0.2], &[true, true, false, false, true]).unwrap();
        assert!(close(metrics.roc_auc.unwrap(), 3.5 / 6.0));
        // Precision 1 at recall 1/3, 2/3 at 2/3, 3/5 at 1.
        assert!(close(metrics.pr_auc.unwrap(), (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0));
        let loss = -(0.8_f64.ln() + 0.6_f64.ln() + 0.4_f64.ln() + 0.6_f64.ln() + 0.2_f64.ln()) / 5.0;
        assert!(close(metrics.log_loss, loss));
        assert_eq!((metrics.rows, metrics.positives), (5, 3));
    }

    #[test]
    fn one_class_has_no_auc_and_no_rows_have_no_figures() {
        let metrics = Metrics::exact(&[0.3, 0.4], &[false, false]).unwrap();
        assert_eq!((metrics.roc_auc, metrics.pr_auc), (None, None));
        assert!(metrics.log_loss > 0.0);
        assert_eq!(Metrics::exact(&[], &[]), None);
    }

    #[test]
    fn a_certain_mistake_costs_a_bounded_loss() {
        assert!(log_loss(0.0, true) < LARGEST_LOSS && log_loss(1.0, false) < LARGEST_LOSS);
        assert_eq!(log_loss(1.0, true), 0.0);
    }

    #[test]
    fn histograms_agree_with_exact_figures_within_a_thousandth_even_for_rare_positives() {
        for (seed, offset) in [(1, 0.0), (2, -2.5), (3, -6.0), (4, 4.0)] {
            let mut rng = rng(seed);
            let (mut scores, mut labels) = (Vec::new(), Vec::new());
            for _ in 0..20_000 {
                let odds = offset + 3.0 * (uniform(&mut rng) + uniform(&mut rng) - 1.0);
                scores.push(logistic(odds));
                labels.push(uniform(&mut rng) < logistic(odds));
            }
            let exact = Metrics::exact(&scores, &labels).unwrap();
            let loss = scores.iter().zip(&labels).map(|(&score, &label)| log_loss(score, label)).sum();
            let binned = Metrics::from_histogram(&ScoreHistogram::of(&scores, &labels, 4096), loss).unwrap();
            assert!((exact.roc_auc.unwrap() - binned.roc_auc.unwrap()).abs() < 1e-3, "{offset}");
            assert!(
                (exact.pr_auc.unwrap() - binned.pr_auc.unwrap()).abs() < 1e-3,
                "{offset}: {exact:?} {binned:?}"
            );
            assert!(close(exact.log_loss, binned.log_loss));
        }
    }

    #[test]
    fn precision_within_a_bin_is_that_of_its_positives_one_by_one() {
        let one_by_one = |before: Classes, group: Classes| -> f64 {
            let spacing = group.negative / (group.positive + 1.0);
            let at = |k: f64| (before.positive + k) / (before.positive + k + before.negative + k * spacing);
            (1..=group.positive as u64).map(|k| at(k as f64)).sum()
        };
        let counts = [0.0, 1.0, 30.0, 1e4, 1e9];
        for (before_positive, before_negative) in counts.into_iter().flat_map(|a| counts.map(|b| (a, b))) {
            for (positive, negative) in
                [1.0, 64.0, 65.0, 200.0, 3e4].into_iter().flat_map(|a| counts.map(|b| (a, b)))
            {
                let before = Classes { negative: before_negative, positive: before_positive };
                let group = Classes { negative, positive };
                let (closed, summed) = (precision_within(before, group), one_by_one(before, group));
                let off = (closed - summed).abs() / positive;
                assert!(off < 1e-9, "{before:?} {group:?}: {closed} for {summed}");
            }
        }
    }

    /// One step for each positive would never end.
    #[test]
    fn figures_of_as_many_positives_as_a_sum_can_hold_are_there_at_once() {
        let histogram = ScoreHistogram { negative: vec![1 << 48; 64], positive: vec![1 << 48; 64] };
        let metrics = Metrics::from_histogram(&histogram, 1.0).unwrap();
        assert!(
            (metrics.roc_auc.unwrap() - 0.5).abs() < 1e-9 && (metrics.pr_auc.unwrap() - 0.5).abs() < 1e-9
        );
    }

    #[test]
    fn extreme_probabilities_fall_in_the_outer_bins() {
        assert_eq!((bin(0.0, 4096), bin(1.0, 4096), bin(0.5, 4096)), (0, 4095, 2048));
    }
}
