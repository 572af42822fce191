//! How good and how well calibrated scores are, row by row, in memory that does not grow with the rows.
//!
//! Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950. KS is the two-sample
//! statistic of Kolmogorov and Smirnov between the scores of positives and of negatives.

use serde::{Deserialize, Serialize};

use crate::metrics::detail::Detail;
use crate::metrics::{Metrics, ScoreHistogram, log_loss};

/// Figures that grow row by row.
pub struct Measure {
    histogram: ScoreHistogram,
    loss: f64,
    squares: f64,
    bands: [Band; BANDS],
}

/// What scores came to against labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Rows, positives, areas under curves and log-loss. Scores whose log-odds differ by less than 0.0001 count as tied, and so do those
    /// beyond 12 on one side.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Mean squared difference of probability and outcome.
    pub brier: f64,
    /// The largest difference between the shares of positives and of negatives above a threshold; none unless both
    /// classes occur.
    pub ks: Option<f64>,
    /// How much more often the tenth of the rows with the highest scores is positive than all rows are; none without a positive.
    pub lift: Option<f64>,
    /// The mean difference of told and observed rates over bands, weighted by their rows: expected calibration error.
    pub calibration_error: f64,
    /// What was told and what was observed, by bands of probability that are equally wide; bands without rows left out.
    pub calibration: Vec<Calibration>,
}

/// What was told and what was observed in a band of probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Where the band begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Rows in it.
    pub rows: u64,
    /// The mean of their probabilities.
    pub told: f64,
    /// The share of positives among them.
    pub observed: f64,
}

#[derive(Clone, Copy, Default)]
struct Band {
    rows: u64,
    positives: u64,
    told: f64,
}

impl Measured {
    /// What an evaluation by histograms tells beside areas and losses, of the rows themselves.
    pub fn detail(&self) -> Detail {
        Detail {
            gini: self.metrics.roc_auc.map(|area| 2.0 * area - 1.0),
            ks: self.ks,
            lift: self.lift,
            brier: self.brier,
            calibration_error: self.calibration_error,
        }
    }
}

impl Measure {
    /// Of no row yet.
    pub fn new() -> Self {
        let histogram = ScoreHistogram { negative: vec![0; BINS], positive: vec![0; BINS] };
        Self { histogram, loss: 0.0, squares: 0.0, bands: [Band::default(); BANDS] }
    }

    /// Adds rows.
    pub fn add(&mut self, probabilities: &[f64], labels: &[bool]) {
        for (&probability, &label) in probabilities.iter().zip(labels) {
            self.histogram.count(probability, label);
            self.loss += log_loss(probability, label);
            let off = probability - f64::from(u8::from(label));
            self.squares += off * off;
            let band = &mut self.bands[((probability * BANDS as f64) as usize).min(BANDS - 1)];
            band.rows += 1;
            band.positives += u64::from(label);
            band.told += probability;
        }
    }

    /// The figures; none without rows.
    pub fn finish(&self) -> Option<Measured> {
        let metrics = Metrics::from_fine(&self.histogram, self.loss)?;
        let rows = metrics.rows as f64;
        let told = |(position, band): (usize, &Band)| {
            let of_all = band.rows as f64;
            (band.rows > 0).then(|| Calibration {
                from: position as f64 / BANDS as f64,
                to: (position + 1) as f64 / BANDS as f64,
                rows: band.rows,
                told: band.told / of_all,
                observed: band.positives as f64 / of_all,
            })
        };
        let calibration: Vec<_> = self.bands.iter().enumerate().filter_map(told).collect();
        let off = |band: &Calibration| band.rows as f64 * (band.told - band.observed).abs();
        Some(Measured {
            metrics,
            brier: self.squares / rows,
            ks: self.histogram.ks(),
            lift: self.histogram.lift(),
            calibration_error: calibration.iter().map(off).sum::<f64>() / rows,
            calibration,
        })
    }
}

impl Default for Measure {
    fn default() -> Self {
        Self::new()
    }
}

/// Narrower than 0.0001 in log-odds.
const BINS: usize = 1 << 18;
const BANDS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{rng, uniform};
    use crate::metrics::logistic;

    #[test]
    fn figures_are_those_of_all_rows_at_once() {
        let mut rng = rng(1);
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..30_000 {
            // Every third score is one of a few, as those of trees are.
            let odds = 4.0 * uniform(&mut rng) - 3.0;
            let odds = if scores.len() % 3 == 0 { libm::floor(odds) } else { odds };
            scores.push(logistic(odds));
            labels.push(uniform(&mut rng) < logistic(odds));
        }
        let mut measure = Measure::new();
        scores.chunks(1000).zip(labels.chunks(1000)).for_each(|(scores, labels)| measure.add(scores, labels));
        let (measured, exact) = (measure.finish().unwrap(), Metrics::exact(&scores, &labels).unwrap());
        assert!((measured.metrics.roc_auc.unwrap() - exact.roc_auc.unwrap()).abs() < 1e-5);
        assert!((measured.metrics.pr_auc.unwrap() - exact.pr_auc.unwrap()).abs() < 1e-4);
        assert!((measured.metrics.log_loss - exact.log_loss).abs() < 1e-9);
        assert!(measured.calibration_error < 0.02, "{measured:?}");
        assert_eq!(measured.calibration.iter().map(|band| band.rows).sum::<u64>(), 30_000);
    }

    #[test]
    fn figures_agree_with_a_calculation_by_hand() {
        let mut measure = Measure::new();
        measure.add(&[0.9, 0.6, 0.4, 0.2], &[true, false, true, false]);
        let measured = measure.finish().unwrap();
        assert!((measured.brier - (0.01 + 0.36 + 0.36 + 0.04) / 4.0).abs() < 1e-12);
        assert_eq!(measured.ks, Some(0.5));
        // The highest row is positive, and half of all are.
        assert_eq!(measured.lift, Some(2.0));
        assert!((measured.calibration_error - (0.1 + 0.6 + 0.6 + 0.2) / 4.0).abs() < 1e-12);
        assert_eq!(measured.calibration[3].from, 0.9);
    }

    #[test]
    fn no_rows_have_no_figures_and_one_class_has_no_separation() {
        let mut measure = Measure::new();
        assert_eq!(measure.finish(), None);
        measure.add(&[0.5], &[true]);
        assert_eq!(measure.finish().unwrap().ks, None);
    }
}
