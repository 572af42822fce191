//! How good a model is on test rows, from score histograms with noise.
//!
//! Each institution counts its test rows by class and score, and adds discrete Gaussian noise to every count before it
//! encrypts. **It spends nothing beside training**: a row is for training or for testing, whatever the other rows are, so that
//! it moves the sums of one of both, and the whole is as private as the less private of them (parallel composition:
//! McSherry, "Privacy integrated queries", SIGMOD 2009, theorem 4). Each of both keeps the epsilon and the delta of the job.
//!
//! Bins divide the log-odds from -6 to 6: what lies beyond is in the first bin or the last. Bins without rows have noise all the
//! same, and that of the outermost weighs most in the log-loss.
//!
//! Figures are computed from the noisy counts as they are, negative ones too: then noise spreads them and shifts none. How
//! far it spreads them is told (the delta method on the variance of the noise).

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use super::scorer::Scorer;
use super::{Next, Program, ProgramError, noisy_block, values};
use crate::job::Job;
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
        let Some(bins) = terms.test_bins else { return Ok(None) };
        mechanism(bins, terms.contributors()).calibrated(terms.epsilon, terms.delta).map(Some)
    }
}

/// One row is in one count.
fn mechanism(bins: u16, contributors: u16) -> Mechanism {
    Mechanism { steps: 1, contributors: contributors.into(), l2: ROW as f64, dimension: 2 * u64::from(bins) }
}

impl NoisyEvaluation {
    /// The evaluation of `scorer`, which the training round has made; none where the job does not ask for it.
    pub(crate) fn of(job: &Job, training_round: u32, scorer: Scorer) -> Option<Self> {
        let bins = u32::from(job.privacy.record_level()?.test_bins?);
        let variance = job.evaluation_calibration().ok()??.variance;
        let max_rows = job.contract.max_rows;
        Some(Self { question: NoisyEvaluateQuestion { training_round, scorer, bins, variance, max_rows } })
    }
}

impl NoisyEvaluateQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(self.bins, self.max_rows, self.variance)
    }

    /// Checks that it is one of `job`, with noise that keeps the job's epsilon.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs.
    pub(crate) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let bins = job.privacy.record_level().and_then(|terms| terms.test_bins);
        let Ok(Some(calibration)) = job.evaluation_calibration() else { return departs("privacy mode") };
        if bins.map(u32::from) != Some(self.bins) {
            departs("bins")
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

    /// What the noisy counts say; none where they do not show that there is a row of either class.
    fn metrics(&self, sum: &Sum) -> Result<Option<NoisyMetrics>, ProgramError> {
        let layout = self.layout()?;
        let counts = |class| -> Result<Vec<f64>, ProgramError> {
            Ok(values(sum, &layout, class)?.into_iter().map(|steps| steps / ROW as f64).collect())
        };
        let (negative, positive) = (counts(NEGATIVE)?, counts(POSITIVE)?);
        let noise = libm::sqrt(f64::from(sum.survivors()) * self.variance as f64) / ROW as f64;
        Ok(figures(&negative, &positive, noise))
    }
}

/// Figures of counts whose every entry is off by noise of this standard deviation, in rows.
fn figures(negative: &[f64], positive: &[f64], noise: f64) -> Option<NoisyMetrics> {
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

/// What an answer looks like: two histograms in steps, with noise of this variance.
pub(super) fn layout(bins: u32, max_rows: u64, variance: u64) -> Result<Layout, ProgramError> {
    let block = |name| noisy_block(name, bins, ROW, max_rows, variance);
    Ok(Layout::new(vec![block(NEGATIVE), block(POSITIVE)])?)
}

impl Program for NoisyEvaluation {
    type Question = NoisyEvaluateQuestion;
    type Outcome = Option<NoisyMetrics>;

    fn next(
        &mut self,
        sum: Option<&Sum>,
    ) -> Result<Next<NoisyEvaluateQuestion, Option<NoisyMetrics>>, ProgramError> {
        Ok(match sum {
            None => Next::Ask(self.question.clone()),
            Some(sum) => Next::Done(self.question.metrics(sum)?),
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
        let labels: Vec<bool> = rows.iter().map(|&row| table.labels()[row]).collect();
        let scores = question.scorer.model(table.contract())?.score_rows(table, &rows)?;
        let bins = question.bins as usize;
        let histogram = ScoreHistogram::of(&scores, &labels, 2 * bins);
        let counts = [histogram.negative, histogram.positive].map(|counts| inner(&counts, bins));
        let noised = counts.into_iter().flatten().map(|count| {
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
const CERTAIN: f64 = 4.0;

const NEGATIVE: &str = "negative";
const POSITIVE: &str = "positive";

#[cfg(test)]
#[path = "noisy_evaluation_tests.rs"]
mod tests;
