//! How good a model is on test rows, from score histograms with noise.
//!
//! Each institution counts its test rows by class and score, and adds discrete Gaussian noise to every count before it
//! encrypts. **It spends nothing beside training**: a row is for training or for testing, whatever the other rows are, so that
//! it moves the sums of one of both, and the whole is as private as the less private of them (parallel composition:
//! McSherry, "Privacy integrated queries", SIGMOD 2009, theorem 4). Each of both keeps the epsilon and the delta of the job.
//!
//! Where the unit is a customer all rows of one are for the same, and counts move by as many rows as one may have: noise is so many
//! times as wide.
//!
//! Bins divide the log-odds from -6 to 6: what lies beyond is in the first bin or the last. Bins without rows have noise all the
//! same, and that of the outermost weighs most in the log-loss.
//!
//! Figures are computed from the noisy counts as they are, negative ones too: then noise spreads them and shifts none. How
//! far it spreads them is told (the delta method on the variance of the noise).
//!
//! **Groups cost nothing beside.** Where the job compares groups, rows are counted by group in the place of all together, and all
//! are the sum of their groups. A row is in one group of each column: it moves one count of each, so that with k columns noise is
//! wider by the root of k.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use super::fairness::figures::FairnessFigures;
use super::fairness::noisy::NoisyHistogram;
use super::fairness::{MOST_VALUES, counted, sizes};
use super::scorer::Scorer;
use super::{Next, Program, ProgramError, noisy_block, values};
use crate::contract::Contract;
use crate::job::{FairnessTerms, Grouping, Job, RecordLevelTerms};
use crate::metrics::{Metrics, ScoreHistogram, log_loss};
use crate::model::Scoring;
use crate::privacy::PrivacyError;
use crate::privacy::calibration::{Calibration, Mechanism};
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::table::{Role, Table};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct NoisyEvaluation {
    question: NoisyEvaluateQuestion,
    /// How groups are compared, where they are.
    fairness: Option<FairnessTerms>,
    contract: Contract,
}

/// Asks how one model does on test rows, with noise.
///
/// Keys that it does not know are refused where its spelling is checked: [`Question::from_bytes`](super::question::Question::from_bytes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoisyEvaluateQuestion {
    /// The training round that made the model.
    pub training_round: u32,
    /// The model.
    #[serde(flatten)]
    pub scorer: Scorer,
    /// Bins of each histogram.
    pub bins: u32,
    /// Variance parameter of the noise that each institution adds to every count, in steps^2.
    pub variance: u64,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// By which columns rows are counted apart; all together where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Grouping>,
    /// How many groups each of them makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<u32>,
}

/// What a sum with noise says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoisyMeasures {
    /// Of all test rows; none where noise hides whether there are any of either class.
    pub metrics: Option<NoisyMetrics>,
    /// Of groups, where the job compares some and there are figures of all rows.
    pub fairness: Option<FairnessFigures>,
}

/// What noisy counts say of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoisyMetrics {
    /// The figures, as near as noise lets them be seen.
    pub metrics: Metrics,
    /// One standard deviation that noise gives the area under the ROC curve.
    pub roc_auc_deviation: f64,
    /// One standard deviation that noise gives the log-loss.
    pub log_loss_deviation: f64,
}

impl Job {
    /// How much noise counts of test rows have; none where nobody asks for any.
    ///
    /// # Errors
    /// [`PrivacyError`] where no noise keeps the terms, which no job file passes with.
    pub fn evaluation_calibration(&self) -> Result<Option<Calibration>, PrivacyError> {
        let Some(terms) = self.privacy.record_level() else { return Ok(None) };
        calibrated(terms, self.fairness.as_ref(), &self.contract)
    }

    /// Counts of test rows that are opened with noise; none where nobody asks for any.
    pub(crate) fn counts_of_test_rows(&self) -> u64 {
        let bins = self.privacy.record_level().and_then(|terms| terms.test_bins).unwrap_or_default();
        entries(bins, &group_sizes(self.fairness.as_ref(), &self.contract))
    }
}

/// How much noise counts of test rows have, by group where some are compared.
///
/// # Errors
/// As [`Job::evaluation_calibration`].
pub(crate) fn calibrated(
    terms: &RecordLevelTerms,
    fairness: Option<&FairnessTerms>,
    contract: &Contract,
) -> Result<Option<Calibration>, PrivacyError> {
    let Some(bins) = terms.test_bins else { return Ok(None) };
    let mechanism = mechanism(bins, &group_sizes(fairness, contract), terms.contributors());
    let mechanism = mechanism.for_rows(terms.rows_of_unit(contract));
    mechanism.calibrated(terms.epsilon, terms.delta).map(Some)
}

fn group_sizes(fairness: Option<&FairnessTerms>, contract: &Contract) -> Vec<u32> {
    fairness.map_or_else(Vec::new, |terms| sizes(&terms.groups, contract))
}

/// Counts of either class: of all rows, or of each group of columns of so many groups.
fn entries(bins: u16, sizes: &[u32]) -> u64 {
    let groups = if sizes.is_empty() { 1 } else { sizes.iter().map(|size| u64::from(*size)).sum() };
    2 * u64::from(bins) * groups
}

/// One row is in one count, or in one of each column by which rows are counted apart.
fn mechanism(bins: u16, sizes: &[u32], contributors: u16) -> Mechanism {
    let l2 = match sizes.len() {
        0 | 1 => ROW as f64,
        // Rounded up.
        columns => ROW as f64 * libm::sqrt(columns as f64) * (1.0 + f64::EPSILON),
    };
    Mechanism { steps: 1, contributors: contributors.into(), l2, dimension: entries(bins, sizes) }
}

impl NoisyEvaluation {
    /// The evaluation of `scorer`, which the training round has made; none where the job does not ask for it.
    pub(crate) fn of(job: &Job, training_round: u32, scorer: Scorer) -> Option<Self> {
        let bins = u32::from(job.privacy.record_level()?.test_bins?);
        let variance = job.evaluation_calibration().ok()??.variance;
        let (contract, fairness) = (job.contract.clone(), job.fairness.clone());
        let question = NoisyEvaluateQuestion {
            training_round,
            scorer,
            bins,
            variance,
            max_rows: contract.max_rows,
            sizes: group_sizes(fairness.as_ref(), &contract),
            groups: fairness.as_ref().map_or_else(Vec::new, |terms| terms.groups.clone()),
        };
        Some(Self { question, fairness, contract })
    }
}

impl NoisyEvaluateQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(self.bins, (&self.groups, &self.sizes), self.max_rows, self.variance)
    }

    /// Checks that it is one of `job`, with noise that keeps the job's epsilon.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs.
    pub(crate) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let bins = job.privacy.record_level().and_then(|terms| terms.test_bins);
        let Ok(Some(calibration)) = job.evaluation_calibration() else { return departs("privacy mode") };
        let groups = job.fairness.as_ref().map_or(&[][..], |terms| &terms.groups);
        if bins.map(u32::from) != Some(self.bins) {
            departs("bins")
        } else if self.groups != groups {
            departs("groups to compare")
        } else if self.sizes != sizes(groups, &job.contract) {
            departs("number of groups")
        } else if self.variance != calibration.variance {
            departs("noise")
        } else if self.training_round != job.rounds.count {
            // Asked after any other round it would be asked twice, and only once is accounted for.
            departs("round")
        } else if self.max_rows != job.contract.max_rows {
            departs("max_rows")
        } else {
            self.scorer.approved_by(job)
        }
    }

    /// The noisy counts of a sum by column and group, in rows, and the deviation of the noise in each of them.
    fn counts(&self, sum: &Sum) -> Result<(Vec<Vec<NoisyHistogram>>, f64), ProgramError> {
        let (layout, bins) = (self.layout()?, self.bins as usize);
        let column = |(negative, positive): (String, String)| -> Result<Vec<NoisyHistogram>, ProgramError> {
            let counts = |class: &str| -> Result<Vec<f64>, ProgramError> {
                Ok(values(sum, &layout, class)?.into_iter().map(|steps| steps / ROW as f64).collect())
            };
            let (negative, positive) = (counts(&negative)?, counts(&positive)?);
            let groups = negative.chunks(bins).zip(positive.chunks(bins));
            let group = |(negative, positive): (&[f64], &[f64])| NoisyHistogram {
                negative: negative.to_vec(),
                positive: positive.to_vec(),
            };
            Ok(groups.map(group).collect())
        };
        let columns = block_names(&self.groups).into_iter().map(column).collect::<Result<_, _>>()?;
        let noise = libm::sqrt(f64::from(sum.survivors()) * self.variance as f64) / ROW as f64;
        Ok((columns, noise))
    }
}

impl NoisyEvaluation {
    /// What the noisy counts say.
    fn measures(&self, sum: &Sum) -> Result<NoisyMeasures, ProgramError> {
        let (columns, noise) = self.question.counts(sum)?;
        let (all, wider) = NoisyHistogram::total(&columns);
        let metrics = figures(&all.negative, &all.positive, wider * noise);
        // Without any figure of all rows none of a part of them would be one.
        let terms = self.fairness.as_ref().filter(|_| metrics.is_some());
        let fairness =
            terms.map(|terms| FairnessFigures::noisy(terms, &self.contract, &columns, &all, noise));
        Ok(NoisyMeasures { metrics, fairness })
    }
}

/// Figures of counts whose every entry is off by noise of this standard deviation, in rows.
pub(super) fn figures(negative: &[f64], positive: &[f64], noise: f64) -> Option<NoisyMetrics> {
    let bins = negative.len();
    let [negatives, positives] = [negative, positive].map(|counts| counts.iter().sum::<f64>());
    // Fewer rows of a class than the noise of all its counts together can tell from none.
    let least = CERTAIN * noise * libm::sqrt(bins as f64);
    if negatives <= least || positives <= least {
        return None;
    }
    let rows = negatives + positives;
    let loss = |bin: usize, label| log_loss(ScoreHistogram::middle_of(bins / 2 + bin, 2 * bins), label);
    let log_loss =
        (0..bins).map(|bin| positive[bin] * loss(bin, true) + negative[bin] * loss(bin, false)).sum::<f64>()
            / rows;
    // From the highest score down: what ranks before a bin.
    let (mut before, mut pairs_lost, mut precisions) = ([0.0, 0.0], 0.0, 0.0);
    let (mut negative_before, mut positive_before) = (vec![0.0; bins], vec![0.0; bins]);
    for bin in (0..bins).rev() {
        (negative_before[bin], positive_before[bin]) =
            (before[0] + negative[bin] / 2.0, before[1] + positive[bin] / 2.0);
        pairs_lost += positive[bin] * negative_before[bin];
        let above = negative_before[bin] + positive_before[bin];
        let precision = if above > 0.0 { (positive_before[bin] / above).clamp(0.0, 1.0) } else { 0.0 };
        precisions += positive[bin] * precision;
        before = [before[0] + negative[bin], before[1] + positive[bin]];
    }
    let lost = pairs_lost / (negatives * positives);
    let spread = |slope: &dyn Fn(usize) -> [f64; 2]| {
        let squares: f64 = (0..bins).flat_map(slope).map(|slope| slope * slope).sum();
        noise * libm::sqrt(squares)
    };
    let roc_auc_deviation = spread(&|bin| {
        let of_positive = (negative_before[bin] / negatives - lost) / positives;
        let of_negative = ((positives - positive_before[bin]) / positives - lost) / negatives;
        [of_positive, of_negative]
    });
    let log_loss_deviation = spread(&|bin| [true, false].map(|label| (loss(bin, label) - log_loss) / rows));
    let metrics = Metrics {
        roc_auc: Some((1.0 - lost).clamp(0.0, 1.0)),
        pr_auc: Some((precisions / positives).clamp(0.0, 1.0)),
        log_loss: log_loss.max(0.0),
        rows: libm::round(rows) as u64,
        positives: libm::round(positives) as u64,
    };
    Some(NoisyMetrics { metrics, roc_auc_deviation, log_loss_deviation })
}

/// What an answer looks like: two histograms in steps, with noise of this variance, of all rows or of each group of each column, of
/// which there are so many.
pub(super) fn layout(
    bins: u32,
    (groups, sizes): (&[Grouping], &[u32]),
    max_rows: u64,
    variance: u64,
) -> Result<Layout, ProgramError> {
    let sizes = if groups.is_empty() && sizes.is_empty() { &[1] } else { sizes };
    let names = block_names(groups);
    let values = sizes.iter().try_fold(0_u32, |sum, size| sum.checked_add(size.checked_mul(bins)?));
    if names.len() != sizes.len() || values.is_none_or(|values| values > MOST_VALUES) {
        return Err(ProgramError::BadQuestion("it has too many groups, or no number for each column".into()));
    }
    let blocks = names.iter().zip(sizes).flat_map(|((negative, positive), &size)| {
        [negative, positive].map(|name| noisy_block(name, size * bins, ROW, max_rows, variance))
    });
    Ok(Layout::new(blocks.collect())?)
}

/// The names of the two blocks of each column, or of all rows.
fn block_names(groups: &[Grouping]) -> Vec<(String, String)> {
    match groups {
        [] => vec![(NEGATIVE.into(), POSITIVE.into())],
        groups => {
            let names = |Grouping { column, .. }: &Grouping| {
                (format!("{column}.{NEGATIVE}"), format!("{column}.{POSITIVE}"))
            };
            groups.iter().map(names).collect()
        }
    }
}

impl Program for NoisyEvaluation {
    type Question = NoisyEvaluateQuestion;
    type Outcome = NoisyMeasures;

    fn next(
        &mut self,
        sum: Option<&Sum>,
    ) -> Result<Next<NoisyEvaluateQuestion, NoisyMeasures>, ProgramError> {
        Ok(match sum {
            None => Next::Ask(self.question.clone()),
            Some(sum) => Next::Done(self.measures(sum)?),
        })
    }

    fn answer(
        question: &NoisyEvaluateQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        let variance = Ratio::new(question.variance, 1)
            .map_err(|_| ProgramError::BadQuestion("its noise cannot be drawn".into()))?;
        let noise = IntegerNoise::Gaussian { variance };
        let layout = question.layout()?;
        let rows = table.rows_for(Role::Test);
        let model = question.scorer.model(table.contract())?;
        let bins = question.bins as usize;
        let columns = match question.groups.as_slice() {
            [] => {
                let labels: Vec<bool> = rows.iter().map(|&row| table.labels()[row]).collect();
                let scores = model.score_rows(table, &rows)?;
                vec![vec![ScoreHistogram::of(&scores, &labels, 2 * bins)]]
            }
            groups if question.sizes != sizes(groups, table.contract()) => {
                return Err(ProgramError::BadQuestion("its groups are not those of the contract".into()));
            }
            groups => counted(&model, table, &rows, groups, 2 * question.bins)?,
        };
        let counts = columns.iter().flat_map(|groups| {
            let class = |class: fn(&ScoreHistogram) -> &Vec<u64>| {
                groups.iter().map(move |group| inner(class(group), bins))
            };
            class(|group| &group.negative).chain(class(|group| &group.positive))
        });
        let noised = counts.flatten().map(|count| {
            let steps = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(ROW);
            steps.saturating_add(noise.draw(rng)) as f64
        });
        Ok(Contribution::new(layout, noised.collect())?)
    }
}

/// The inner half of twice as many bins; what lies further out is in the first and in the last.
fn inner(counts: &[u64], bins: usize) -> Vec<u64> {
    let mut inner = vec![0; bins];
    for (bin, count) in counts.iter().enumerate() {
        inner[bin.saturating_sub(bins / 2).min(bins - 1)] += count;
    }
    inner
}

/// What a row adds to its count, in steps: noise is drawn in whole ones.
const ROW: i64 = 256;
/// Deviations of the noise of a class's count above which there certainly are rows of it.
pub(super) const CERTAIN: f64 = 4.0;

const NEGATIVE: &str = "negative";
const POSITIVE: &str = "positive";

#[cfg(test)]
#[path = "noisy_evaluation_tests.rs"]
pub(in crate::program) mod tests;
