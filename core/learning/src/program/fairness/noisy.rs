//! The figures of a comparison between groups, from score histograms that have noise in every count.
//!
//! Rates are shares of noisy counts, whatever these are; how far noise spreads each is told beside it (the delta method on the
//! variance of the noise, at the threshold that was found). Groups that noise can hardly tell from none have no figures. Nothing
//! follows from what is left out, since all of it is computed from what has noise already.

use super::figures::{ColumnFigures, FairnessFigures, Gaps, GapsNoise, GroupFigures, Rates, RatesNoise};
use crate::contract::Contract;
use crate::job::FairnessTerms;
use crate::metrics::ScoreHistogram;
use crate::program::noisy_evaluation::{CERTAIN, figures};

/// Test rows of each class by score, from the lowest up, each count off by noise.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::program) struct NoisyHistogram {
    pub(in crate::program) negative: Vec<f64>,
    pub(in crate::program) positive: Vec<f64>,
}

impl NoisyHistogram {
    /// All rows, from the groups of each column, and how much noise each of its counts has beside one of a group: the groups of any
    /// column are all rows, and the fewer they are the less noise their sum has.
    pub(in crate::program) fn total(columns: &[Vec<Self>]) -> (Self, f64) {
        let weights: Vec<f64> = columns.iter().map(|groups| 1.0 / groups.len().max(1) as f64).collect();
        let all: f64 = weights.iter().sum();
        let bins = columns.iter().flatten().next().map_or(0, |group| group.negative.len());
        let mut total = Self { negative: vec![0.0; bins], positive: vec![0.0; bins] };
        for (groups, weight) in columns.iter().zip(&weights) {
            for group in groups {
                for (sum, counts) in
                    [(&mut total.negative, &group.negative), (&mut total.positive, &group.positive)]
                {
                    sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += weight / all * count);
                }
            }
        }
        (total, libm::sqrt(1.0 / all))
    }

    /// The first of the highest bins that hold at least this share of the rows, and the share that they hold.
    fn highest(&self, share: f64) -> (usize, f64) {
        let rows: f64 = self.negative.iter().chain(&self.positive).sum();
        let mut above = 0.0;
        for bin in (0..self.negative.len()).rev() {
            above += self.negative[bin] + self.positive[bin];
            if above > 0.0 && above >= share * rows {
                return (bin, (above / rows).min(1.0));
            }
        }
        (0, 1.0)
    }
}

impl FairnessFigures {
    /// From the histograms of each group of each column, in the order of `terms`, and of all rows; noise has this standard deviation
    /// in each count of a group, in rows.
    pub(in crate::program) fn noisy(
        terms: &FairnessTerms,
        contract: &Contract,
        columns: &[Vec<NoisyHistogram>],
        all: &NoisyHistogram,
        noise: f64,
    ) -> Self {
        let (first_bin, flagged) = all.highest(terms.flagged);
        let columns = terms.groups.iter().zip(columns).map(|(grouping, histograms)| {
            let named = grouping.names(contract).into_iter().zip(histograms);
            let groups: Vec<GroupFigures> = named
                .map(|(group, histogram)| {
                    let figures = Rates::noisy(histogram, first_bin, noise);
                    let is_shown = |rates: &Rates| rates.rows >= u64::from(terms.min_rows);
                    GroupFigures { group, figures: figures.filter(is_shown) }
                })
                .collect();
            let gaps = Gaps::noisy(groups.iter().filter_map(|group| group.figures.as_ref()));
            ColumnFigures { column: grouping.column.clone(), groups, gaps }
        });
        let bins = all.negative.len();
        // What lies below the lowest bin is counted in it.
        let threshold = match first_bin {
            0 => 0.0,
            bin => ScoreHistogram::lowest_of(bins / 2 + bin, 2 * bins),
        };
        Self { threshold, flagged, columns: columns.collect() }
    }
}

impl Rates {
    /// None where noise hides whether there are rows.
    fn noisy(histogram: &NoisyHistogram, first_bin: usize, noise: f64) -> Option<Self> {
        let NoisyHistogram { negative, positive } = histogram;
        let bins = negative.len() as f64;
        // The share of some counts that is above the threshold, and its deviation: none where noise hides whether they are any.
        let share = |classes: &[&Vec<f64>]| {
            let counts = classes.len() as f64;
            let total: f64 = classes.iter().copied().flatten().sum();
            let above: f64 = classes.iter().flat_map(|class| &class[first_bin..]).sum();
            let share = (above / total).clamp(0.0, 1.0);
            let beyond = counts * (bins - first_bin as f64) * (1.0 - share) * (1.0 - share);
            let below = counts * first_bin as f64 * share * share;
            let is_seen = total > CERTAIN * noise * libm::sqrt(counts * bins);
            is_seen.then(|| (share, noise * libm::sqrt(beyond + below) / total, total))
        };
        let (flagged, flagged_noise, rows) = share(&[negative, positive])?;
        let (recall, false_positives) = (share(&[positive]), share(&[negative]));
        let measured = figures(negative, positive, noise);
        Some(Self {
            rows: libm::round(rows) as u64,
            positives: libm::round(positive.iter().sum::<f64>().clamp(0.0, rows)) as u64,
            flagged,
            recall: recall.map(|(share, ..)| share),
            false_positives: false_positives.map(|(share, ..)| share),
            roc_auc: measured.and_then(|measured| measured.metrics.roc_auc),
            noise: Some(RatesNoise {
                rows: noise * libm::sqrt(2.0 * bins),
                positives: noise * libm::sqrt(bins),
                flagged: flagged_noise,
                recall: recall.map(|(_, noise, _)| noise),
                false_positives: false_positives.map(|(_, noise, _)| noise),
                roc_auc: measured.map(|measured| measured.roc_auc_deviation),
            }),
        })
    }
}

impl Gaps {
    fn noisy<'r>(groups: impl Iterator<Item = &'r Rates> + Clone) -> Self {
        let gap = |figure: fn(&Rates, &RatesNoise) -> Option<(f64, f64)>| {
            let figures = groups.clone().filter_map(|rates| figure(rates, rates.noise.as_ref()?));
            let mut figures: Vec<(f64, f64)> = figures.collect();
            figures.sort_by(|a, b| a.0.total_cmp(&b.0));
            let [(least, of_least), .., (most, of_most)] = figures.as_slice() else { return (None, None) };
            // Each has noise of its own.
            (Some(most - least), Some(libm::hypot(*of_least, *of_most)))
        };
        let (flagged, of_flagged) = gap(|rates, noise| Some((rates.flagged, noise.flagged)));
        let (recall, of_recall) = gap(|rates, noise| Some((rates.recall?, noise.recall?)));
        let (false_positives, of_false_positives) =
            gap(|rates, noise| Some((rates.false_positives?, noise.false_positives?)));
        let (roc_auc, of_roc_auc) = gap(|rates, noise| Some((rates.roc_auc?, noise.roc_auc?)));
        let noise = GapsNoise {
            flagged: of_flagged,
            recall: of_recall,
            false_positives: of_false_positives,
            roc_auc: of_roc_auc,
        };
        Self { flagged, recall, false_positives, roc_auc, noise: Some(noise) }
    }
}

#[cfg(test)]
#[path = "noisy_tests.rs"]
mod tests;
