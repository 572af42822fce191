//! A scorecard with noise for rows: one noisy sum of classes in cells, and a logistic regression on weights of evidence by noisy
//! gradients.
//!
//! Bins, weights of evidence and information values follow from the noisy counts, and so do the mean and the
//! deviation by which weights of evidence are standardised. What is left of the budget goes to gradients as
//! [`noisy-gradient`](crate::program::logistic_regression::noisy) has them, of one input for each column. Their length is bounded by
//! the clip alone, whatever the bins are.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use super::super::{Program as _, ProgramError};
use super::noisy_counts::NoisyCountsQuestion;
use super::{ScorecardTerms, noisy_bins, scorecard_scaled, woe};
use crate::coefficients::Coefficients;
use crate::contract::Contract;
use crate::job::{Job, RecordLevelTerms};
use crate::program::logistic_regression::noisy::{
    NoisyGradient, NoisyGradientTerms, NoisyQuestion, public_standardisation,
};
use crate::program::noisy_model::NoisyModel;
use crate::program::noisy_sum;
use crate::scorecard::coding::ColumnBins;
use crate::scorecard::{ClassCounts, Scorecard, ScorecardModel, WoeCoding};
use crate::table::Table;

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct NoisyScorecard {
    contract: Contract,
    privacy: RecordLevelTerms,
    terms: ScorecardTerms,
    rounds: u32,
    /// Of the gradients.
    variance: u64,
    counts: NoisyCountsQuestion,
    /// Bins and the training on them; none before the counts are known.
    fitting: Option<(WoeCoding, Box<NoisyGradient>)>,
}

/// What institutions are asked for a scorecard with noise.
#[derive(Clone, Debug, PartialEq)]
pub enum NoisyScorecardQuestion {
    /// Classes in cells.
    Counts(NoisyCountsQuestion),
    /// Gradients.
    Woe(Box<NoisyWoeQuestion>),
}

/// Asks for a noisy gradient of a model of weights of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoisyWoeQuestion {
    /// How rows become weights of evidence.
    pub coding: WoeCoding,
    /// What is asked about them: one input for each column, zero where it is not used.
    pub gradient: NoisyQuestion,
}

impl NoisyScorecard {
    /// The scorecard of `job`, which makes one with noise for rows.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] where it does not, or no noise keeps its terms; [`ProgramError::BadQuestion`] where the terms do
    /// not fit the contract.
    pub(in crate::program) fn new(job: &Job) -> Result<Self, ProgramError> {
        let (privacy, terms) = job.noisy_scorecard().ok_or(ProgramError::NotApproved("privacy mode"))?;
        terms.check(&job.contract).map_err(ProgramError::BadQuestion)?;
        let calibration = job.calibration().ok().flatten();
        let noise = calibration.and_then(|found| Some((found.variance, found.before?.variance)));
        let (variance, of_counts) = noise.ok_or(ProgramError::NotApproved("noise"))?;
        Ok(Self {
            contract: job.contract.clone(),
            privacy: *privacy,
            terms: terms.clone(),
            rounds: job.rounds.count,
            variance,
            counts: NoisyCountsQuestion::of(&job.contract, terms, of_counts),
            fitting: None,
        })
    }

    /// What is asked now, or with the sum of the answers to that, what is asked next; none once it is finished.
    ///
    /// # Errors
    /// When the sum is no answer to the pending question, or nothing can be learnt from it. Nothing is then changed.
    pub fn next(&mut self, sum: Option<&Sum>) -> Result<Option<NoisyScorecardQuestion>, ProgramError> {
        match (sum, &mut self.fitting) {
            (None, _) => {}
            (Some(sum), None) => {
                let (columns, noise) = self.counts.counted(&self.contract, sum)?;
                let coding = noisy_bins::coding(&self.contract, &self.terms, &columns, noise)?;
                self.fitting = Some((coding.clone(), Box::new(self.gradients(&coding))));
            }
            (Some(sum), Some((_, gradient))) => drop(gradient.next(Some(sum))?),
        }
        Ok(match &mut self.fitting {
            None => Some(NoisyScorecardQuestion::Counts(self.counts.clone())),
            Some((_, gradient)) if gradient.is_finished() => None,
            Some((coding, gradient)) => {
                let (coding, gradient) = (coding.clone(), gradient.question().clone());
                Some(NoisyScorecardQuestion::Woe(Box::new(NoisyWoeQuestion { coding, gradient })))
            }
        })
    }

    fn gradients(&self, coding: &WoeCoding) -> NoisyGradient {
        let contract = scaled_contract(&self.contract, coding);
        let model =
            NoisyModel::Linear(Coefficients { weights: vec![0.0; contract.inputs()], intercept: 0.0 });
        let noise = (clip_of(&self.privacy, coding), self.variance);
        let steps = (NoisyGradientTerms::default(), self.terms.l2, self.rounds);
        NoisyGradient::from(model, &contract, noise, steps)
    }

    /// Training rounds that have a sum: those of gradients.
    pub fn completed(&self) -> u32 {
        self.fitting
            .as_ref()
            .map_or(0, |(_, gradient)| gradient.training_round() - u32::from(!gradient.is_finished()))
    }

    /// Whether the sum that is awaited is the last of all.
    pub fn is_last(&self) -> bool {
        self.fitting.as_ref().is_some_and(|(_, gradient)| gradient.is_last())
    }

    /// Whether the sum that is awaited makes coefficients.
    pub fn is_fitting(&self) -> bool {
        self.fitting.is_some()
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        self.fitting.as_ref().is_some_and(|(_, gradient)| gradient.is_finished())
    }

    /// What an answer looks like to what is asked after the awaited sum.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn next_layout(&self) -> Result<Layout, ProgramError> {
        noisy_sum::layout(self.contract.columns.len() + 1, self.contract.max_rows, self.variance)
    }

    /// The model so far: before there are bins, one that says the same of every row.
    pub fn model(&self) -> ScorecardModel {
        let scorecard = match &self.fitting {
            Some((coding, gradient)) => {
                let scale = public_standardisation(&scaled_contract(&self.contract, coding));
                let mut found = match gradient.model() {
                    NoisyModel::Linear(coefficients) => coefficients,
                    NoisyModel::Network(_) => Coefficients::constant(coding.counts.len(), HALF),
                };
                // What has no input has noise for a weight.
                for (column, weight) in found.weights.iter_mut().enumerate() {
                    if !coding.used.contains(&(column as u32)) {
                        *weight = 0.0;
                    }
                }
                scorecard_scaled(coding, &found, &scale)
            }
            None => self.unknown(),
        };
        ScorecardModel { contract: self.contract.clone(), scorecard, scale: self.terms.points }
    }

    /// One bin of each column, and a row of each class.
    fn unknown(&self) -> Scorecard {
        let columns = &self.contract.columns;
        let groups = columns.iter().filter_map(|column| column.positions()).map(|levels| vec![0; levels]);
        let missing = self.contract.nullable_numbers().filter(|&nullable| nullable).map(|_| 0);
        let cuts = vec![Vec::new(); self.contract.numeric().count()];
        Scorecard {
            coding: WoeCoding {
                bins: ColumnBins { cuts, groups: groups.collect(), missing: missing.collect() },
                counts: vec![vec![ClassCounts { good: 1, bad: 1 }]; columns.len()],
                used: Vec::new(),
            },
            coefficients: Coefficients::constant(columns.len(), HALF),
        }
    }
}

impl NoisyWoeQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        self.gradient.layout()
    }

    /// Checks that it is one of `job`: all its terms, bins that keep the job's floors, and noise that keeps its epsilon. What is
    /// spent depends neither on the bins nor on the coefficients, which are the coordinator's.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where it fits no table under the contract.
    pub(in crate::program) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let Some((privacy, terms)) = job.noisy_scorecard() else { return departs("privacy mode") };
        let Ok(Some(calibration)) = job.calibration() else { return departs("noise") };
        woe::coding_approved(&self.coding, &job.contract, terms)?;
        let NoisyQuestion { training_round, model, clip, variance, max_rows, sample, .. } = &self.gradient;
        let columns = job.contract.columns.len();
        if !(1..=job.rounds.count).contains(training_round) {
            departs("round")
        } else if *variance != calibration.variance {
            departs("noise")
        } else if *clip != clip_of(privacy, &self.coding) {
            departs("clip")
        } else if sample.is_some() {
            departs("sample")
        } else if *max_rows != job.contract.max_rows {
            departs("max_rows")
        } else if !matches!(model, NoisyModel::Linear(coefficients) if coefficients.weights.len() == columns)
        {
            departs("number of weights")
        } else {
            Ok(())
        }
    }

    /// What this table adds to the sum, with noise.
    ///
    /// # Errors
    /// When the question does not fit the table's contract.
    pub(in crate::program) fn answer(
        &self,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        NoisyGradient::answer(&self.gradient, &self.scaled(table)?, rng)
    }

    /// The table that gradients are asked of.
    pub(crate) fn scaled(&self, table: &Table) -> Result<Table, ProgramError> {
        self.coding.check(table.contract())?;
        let coded = woe::coded(table, &self.coding);
        Ok(Table { contract: scaled_contract(table.contract(), &self.coding), ..coded })
    }
}

/// The larger of the vectors that a job leads to: classes in cells, or gradients.
pub(in crate::program) fn longest_layout(job: &Job) -> Result<Layout, ProgramError> {
    let training = NoisyScorecard::new(job)?;
    let (first, last) = (training.counts.layout()?, training.next_layout()?);
    Ok(if first.len() >= last.len() { first } else { last })
}

/// The contract of weights of evidence, whose range is a deviation to either side of their mean: so that numbers which are scaled by
/// their range are standardised.
fn scaled_contract(contract: &Contract, coding: &WoeCoding) -> Contract {
    let scale = woe::standardisation(coding);
    let mut scaled = woe::coded_contract(contract, coding);
    for (column, (mean, sd)) in scaled.columns.iter_mut().zip(scale.mean.iter().zip(&scale.sd)) {
        if let crate::contract::ColumnKind::Numeric { min, max, .. } = &mut column.kind {
            (*min, *max) = (mean - sd, mean + sd);
        }
    }
    scaled
}

/// The longest gradient of one row: as the terms say, or of a length that suits standardised columns.
fn clip_of(privacy: &RecordLevelTerms, coding: &WoeCoding) -> f64 {
    privacy.clip.unwrap_or_else(|| USUAL_CLIP * libm::sqrt(1.0 + coding.used.len() as f64))
}

/// Of the length of a row whose columns are all a deviation from their mean, the longest gradient. Clipping gradients of rare positives
/// more than others shifts all probabilities.
const USUAL_CLIP: f64 = 1.3;
const HALF: f64 = 0.5;

#[cfg(test)]
#[path = "noisy_tests.rs"]
mod tests;
