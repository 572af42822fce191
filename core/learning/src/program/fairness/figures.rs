//! The figures of a comparison between groups.

use serde::{Deserialize, Serialize};

use crate::contract::Contract;
use crate::job::FairnessTerms;
use crate::metrics::{Metrics, ScoreHistogram};

/// How a model treats groups, on the test rows of all institutions that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairnessFigures {
    /// Rows with at least this probability are acted upon.
    pub threshold: f64,
    /// The share of all rows that they are: the smallest, in whole bins, that is at least what the job says.
    pub flagged: f64,
    /// By column.
    pub columns: Vec<ColumnFigures>,
}

/// The groups of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnFigures {
    /// Name of the column.
    pub column: String,
    /// Its groups, in the order of levels or bands.
    pub groups: Vec<GroupFigures>,
    /// Between the groups that are shown.
    pub gaps: Gaps,
}

/// One group; without figures where it has no rows, or fewer than the job's `min_rows`, or is the next smallest beside the only
/// one that has fewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFigures {
    /// Level or band.
    pub group: String,
    /// Its figures.
    pub figures: Option<Rates>,
}

/// The figures of one group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Rows.
    pub rows: u64,
    /// Positives among them.
    pub positives: u64,
    /// The share of its rows that are acted upon.
    pub flagged: f64,
    /// The share of its positives that are; none without positives.
    pub recall: Option<f64>,
    /// The share of its negatives that are; none without negatives.
    pub false_positives: Option<f64>,
    /// Area under the ROC curve within the group; none unless both classes occur.
    pub roc_auc: Option<f64>,
    /// Of counts with noise: how far it spreads the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<RatesNoise>,
}

/// One standard deviation that noise gives each figure of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesNoise {
    /// Of [`Rates::rows`].
    pub rows: f64,
    /// Of [`Rates::positives`].
    pub positives: f64,
    /// Of [`Rates::flagged`].
    pub flagged: f64,
    /// Of [`Rates::recall`].
    pub recall: Option<f64>,
    /// Of [`Rates::false_positives`].
    pub false_positives: Option<f64>,
    /// Of [`Rates::roc_auc`].
    pub roc_auc: Option<f64>,
}

/// The largest difference between two groups; none where fewer than two have the figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaps {
    /// Of [`Rates::flagged`]: demographic parity.
    pub flagged: Option<f64>,
    /// Of [`Rates::recall`]: equal opportunity.
    pub recall: Option<f64>,
    /// Of [`Rates::false_positives`].
    pub false_positives: Option<f64>,
    /// Of [`Rates::roc_auc`].
    pub roc_auc: Option<f64>,
    /// Of counts with noise: how far it spreads the differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<GapsNoise>,
}

/// One standard deviation that noise gives each difference, were the two groups chosen beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapsNoise {
    /// Of [`Gaps::flagged`].
    pub flagged: Option<f64>,
    /// Of [`Gaps::recall`].
    pub recall: Option<f64>,
    /// Of [`Gaps::false_positives`].
    pub false_positives: Option<f64>,
    /// Of [`Gaps::roc_auc`].
    pub roc_auc: Option<f64>,
}

impl FairnessFigures {
    /// From the score histograms of each group of each column, in the order of `terms`.
    pub(in crate::program) fn of(
        terms: &FairnessTerms,
        contract: &Contract,
        histograms: &[Vec<ScoreHistogram>],
    ) -> Self {
        // The groups of any column are all rows.
        let all = histograms.first().into_iter().flatten().fold(ScoreHistogram::default(), |mut all, one| {
            all.add(one);
            all
        });
        let (first_bin, flagged) = all.highest(terms.flagged);
        let columns = terms.groups.iter().zip(histograms).map(|(grouping, histograms)| {
            let named = grouping.names(contract).into_iter().zip(histograms);
            let mut groups: Vec<GroupFigures> = named
                .map(|(group, histogram)| GroupFigures { group, figures: Rates::of(histogram, first_bin) })
                .collect();
            suppress(&mut groups, u64::from(terms.min_rows));
            let gaps = Gaps::of(groups.iter().filter_map(|group| group.figures.as_ref()));
            ColumnFigures { column: grouping.column.clone(), groups, gaps }
        });
        Self {
            threshold: ScoreHistogram::lowest_of(first_bin, all.negative.len()),
            flagged,
            columns: columns.collect(),
        }
    }
}

/// Takes away the figures of small groups. Where that is one only, those of the next smallest too: what is missing to all
/// rows would show them.
fn suppress(groups: &mut [GroupFigures], min_rows: u64) {
    let is_small = |group: &GroupFigures| group.figures.is_some_and(|rates| rates.rows < min_rows);
    let small = groups.iter().filter(|group| is_small(group)).count();
    groups.iter_mut().filter(|group| is_small(group)).for_each(|group| group.figures = None);
    if small == 1 {
        let shown = groups.iter_mut().filter_map(|group| Some((group.figures?.rows, group)));
        if let Some((_, next)) = shown.min_by_key(|(rows, _)| *rows) {
            next.figures = None;
        }
    }
}

impl Rates {
    /// None without rows.
    fn of(histogram: &ScoreHistogram, first_bin: usize) -> Option<Self> {
        let Metrics { roc_auc, rows, positives, .. } = Metrics::from_histogram(histogram, 0.0)?;
        let above = |class: &[u64]| class[first_bin..].iter().sum::<u64>();
        let (hits, false_alarms) = (above(&histogram.positive), above(&histogram.negative));
        let negatives = rows - positives;
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        Some(Self {
            rows,
            positives,
            flagged: (hits + false_alarms) as f64 / rows as f64,
            recall: share(hits, positives),
            false_positives: share(false_alarms, negatives),
            roc_auc,
            noise: None,
        })
    }
}

impl Gaps {
    fn of<'r>(groups: impl Iterator<Item = &'r Rates> + Clone) -> Self {
        let gap = |figure: fn(&Rates) -> Option<f64>| {
            let figures: Vec<f64> = groups.clone().filter_map(figure).collect();
            let (least, most) =
                (figures.iter().copied().reduce(f64::min)?, figures.iter().copied().reduce(f64::max)?);
            (figures.len() > 1).then_some(most - least)
        };
        Self {
            flagged: gap(|rates| Some(rates.flagged)),
            recall: gap(|rates| rates.recall),
            false_positives: gap(|rates| rates.false_positives),
            roc_auc: gap(|rates| rates.roc_auc),
            noise: None,
        }
    }

    /// The differences that gates are about, of rates; with noise as much as they can well be: with twice their deviations.
    pub(crate) fn judged(&self) -> impl Iterator<Item = f64> {
        let noise =
            self.noise.map_or([None; 3], |noise| [noise.flagged, noise.recall, noise.false_positives]);
        let gaps = [self.flagged, self.recall, self.false_positives].into_iter().zip(noise);
        gaps.filter_map(|(gap, noise)| Some(gap? + 2.0 * noise.unwrap_or_default()))
    }
}
