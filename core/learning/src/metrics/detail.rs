//! What the histograms of an evaluation say beside areas and losses: how well scores separate, rank and are calibrated.
//!
//! Nothing more is summed for it. Brier, *Monthly Weather Review* 78, 1950. KS is the two-sample statistic of Kolmogorov and Smirnov
//! between the scores of positives and of negatives.

use serde::{Deserialize, Serialize};

use super::{Metrics, ScoreHistogram};

/// More figures of one model on one set of rows, from histograms of its scores: each row is told the middle of its bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Twice the area under the ROC curve, less one; none unless both classes occur.
    pub gini: Option<f64>,
    /// The largest difference between the shares of positives and of negatives above a threshold; none unless both classes occur.
    pub ks: Option<f64>,
    /// How much more often the tenth of the rows with the highest scores is positive than all rows are; none without a positive.
    pub lift: Option<f64>,
    /// Mean squared difference of probability and outcome.
    pub brier: f64,
    /// The mean difference of told and observed rates over ten bands of probability, weighted by their rows.
    pub calibration_error: f64,
}

impl Detail {
    /// Of the histogram that `metrics` are of.
    pub(crate) fn of(histogram: &ScoreHistogram, metrics: &Metrics) -> Self {
        Self {
            gini: metrics.roc_auc.map(|area| 2.0 * area - 1.0),
            ks: histogram.ks(),
            lift: histogram.lift(),
            brier: histogram.brier(),
            calibration_error: histogram.calibration_error(),
        }
    }
}

impl ScoreHistogram {
    /// The rate of positives among the rows with the highest scores, a tenth of all or as many more as share the last bin, over that
    /// of all rows; none without a positive.
    pub(crate) fn lift(&self) -> Option<f64> {
        let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        let positives = total(&self.positive);
        let (first, share) = self.highest(TOP);
        (positives > 0.0).then(|| total(&self.positive[first..]) / positives / share)
    }

    /// The mean squared difference of told probabilities and outcomes, where each row is told the middle of its bin; 0 without rows.
    fn brier(&self) -> f64 {
        let bins = self.negative.len();
        let (mut squares, mut rows) = (0.0, 0.0);
        for (bin, (&negative, &positive)) in self.negative.iter().zip(&self.positive).enumerate() {
            let told = Self::middle_of(bin, bins);
            squares += negative as f64 * told * told + positive as f64 * (1.0 - told) * (1.0 - told);
            rows += negative as f64 + positive as f64;
        }
        if rows > 0.0 { squares / rows } else { 0.0 }
    }
}

/// The share of rows that lift is about.
const TOP: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{rng, uniform};
    use crate::measure::Measure;
    use crate::metrics::logistic;

    fn scored(seed: u64, offset: f64) -> (Vec<f64>, Vec<bool>) {
        let mut rng = rng(seed);
        let row = |_| {
            let odds = offset + 4.0 * uniform(&mut rng) - 2.0;
            (logistic(odds), uniform(&mut rng) < logistic(odds + 0.3))
        };
        (0..20_000).map(row).unzip()
    }

    #[test]
    fn figures_of_histograms_are_those_of_the_rows_within_a_bin() {
        for (seed, offset) in [(1, 0.0), (2, -2.5), (3, 2.0)] {
            let (scores, labels) = scored(seed, offset);
            let histogram = ScoreHistogram::of(&scores, &labels, 4096);
            let metrics = Metrics::from_histogram(&histogram, 0.0).unwrap();
            let detail = Detail::of(&histogram, &metrics);
            let mut measure = Measure::new();
            measure.add(&scores, &labels);
            let exact = measure.finish().unwrap();
            assert!((detail.brier - exact.brier).abs() < 1e-3, "{detail:?} {exact:?}");
            assert!((detail.ks.unwrap() - exact.ks.unwrap()).abs() < 5e-3, "{detail:?} {exact:?}");
            assert!(
                (detail.calibration_error - exact.calibration_error).abs() < 5e-3,
                "{detail:?} {exact:?}"
            );
            // By sorting: the rate among the highest tenth over that of all.
            let mut ranked: Vec<(f64, bool)> = scores.into_iter().zip(labels).collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
            let rate = |rows: &[(f64, bool)]| {
                rows.iter().filter(|(_, label)| *label).count() as f64 / rows.len() as f64
            };
            let lift = rate(&ranked[..2000]) / rate(&ranked);
            assert!((detail.lift.unwrap() - lift).abs() < 0.02, "{} for {lift}", detail.lift.unwrap());
            assert_eq!(detail.gini, metrics.roc_auc.map(|area| 2.0 * area - 1.0));
        }
    }

    #[test]
    fn rows_of_one_class_have_no_separation() {
        let of = |label| {
            let histogram = ScoreHistogram::of(&[0.25, 0.75], &[label, label], 64);
            Detail::of(&histogram, &Metrics::from_histogram(&histogram, 0.0).unwrap())
        };
        let (negatives, positives) = (of(false), of(true));
        assert_eq!((negatives.gini, negatives.ks, negatives.lift), (None, None, None));
        assert_eq!((positives.gini, positives.ks, positives.lift), (None, None, Some(1.0)));
    }

    #[test]
    fn a_score_that_all_rows_share_lifts_nothing() {
        let histogram = ScoreHistogram::of(&[0.5; 10], &[true, false].repeat(5), 64);
        assert_eq!(histogram.lift(), Some(1.0));
    }
}
