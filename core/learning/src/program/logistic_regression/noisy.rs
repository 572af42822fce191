//! Models from noisy gradients: what one row changes is hidden in every sum. A logistic regression, or a network.
//!
//! In each round every institution contributes the sum of its rows' gradients at the common model, each no longer than a
//! public bound, and adds discrete Gaussian noise (Bassily, Smith, Thakurta, FOCS 2014; Abadi and others, "Deep learning
//! with differential privacy", CCS 2016; noise shares under secure aggregation: Kairouz, Liu, Steinke, ICML 2021). All rows
//! are in every round: as many noisy full gradients tell as much as a thousand noisy samples do, in a tenth of the rounds. Or
//! each row is in a round by chance, where the job says `sample`: only its institution knows whether (`program::sample`).
//! The coordinator takes steps with Nesterov's momentum from zero, or of a network from what its seed gives, and releases the
//! mean of the models after the first part of the rounds: noise averages out in it.
//!
//! **Nothing is taken from the data but the noisy sums.** Numbers are scaled to [-1, 1] by the contract's ranges, and how
//! many rows there are is one of the noisy entries.
//!
//! What one row can change, and how its gradient is cut, is said in `noisy_sum`.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use crate::contract::{ColumnKind, Contract};
use crate::encode::{Inputs, Standardisation};
use crate::job::{Job, RecordLevelTerms};
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::program::noisy_model::{NoisyModel, RowGradients};
use crate::program::noisy_sum::{self, LONGEST, ROW};
use crate::program::{Next, Program, ProgramError, sample};
use crate::table::{Role, Table};

/// The name in job files.
pub const SOLVER: &str = "noisy-gradient";

/// The terms of the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoisyGradientTerms {
    /// Step length.
    pub learning_rate: f64,
    /// The probability with which a row is in a round's sum; without it all rows are.
    pub sample: Option<f64>,
}

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct NoisyGradient {
    question: NoisyQuestion,
    learning_rate: f64,
    l2: f64,
    rounds: u32,
    /// For each parameter whether it has no penalty.
    free: Vec<bool>,
    /// Where the last step led, before its momentum.
    reached: Vec<f64>,
    /// The sum of the models that are averaged, and how many they are.
    averaged: (Vec<f64>, u32),
    /// What the sums counted, in steps, and how many sums there were.
    counted: (f64, u32),
    finished: bool,
}

/// Asks for a noisy gradient.
///
/// What it has beyond these keys is refused where questions are read: it would not be spelled canonically.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoisyQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// The model.
    #[serde(flatten)]
    pub model: NoisyModel,
    /// The longest gradient of one row.
    pub clip: f64,
    /// Variance parameter of the noise that each institution adds to every entry, in steps^2.
    pub variance: u64,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// The probability with which each row is in the sum, drawn by its institution; without it all rows are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<f64>,
}

/// Numbers scaled to [-1, 1] by the ranges of the contract.
pub(crate) fn public_standardisation(contract: &Contract) -> Standardisation {
    let (mean, sd) =
        contract.numeric().map(|(transform, min, max)| transform.centre_and_half_range(min, max)).unzip();
    Standardisation { mean, sd }
}

/// The longest gradient of one row: as the terms say, or of a length that suits rows of the contract. One input of every
/// categorical column is one; numbers are taken to have a third of the largest square, as if they lay evenly in their range.
/// A number that is missing is the middle of its range, which is known beforehand, and the input that says so is one: such
/// rows are taken to be few, and the gradient of each is cut to this length as that of any other.
fn clip_of(terms: &RecordLevelTerms, job: &Job) -> f64 {
    terms.clip.unwrap_or_else(|| {
        let square = |kind: &ColumnKind| match kind {
            ColumnKind::Numeric { .. } => 1.0 / 3.0,
            ColumnKind::Categorical { .. } => 1.0,
        };
        let squares: f64 = job.contract.columns.iter().map(|column| square(&column.kind)).sum();
        let share = if job.program.is_linear() { USUAL_CLIP } else { USUAL_CLIP_OF_A_NETWORK };
        share * libm::sqrt(1.0 + squares)
    })
}

impl NoisyGradient {
    /// Training by the terms of `job`, whose privacy is `privacy`, from the first model.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] where its program adds no noise.
    pub(crate) fn new(
        job: &Job,
        privacy: &RecordLevelTerms,
        terms: NoisyGradientTerms,
        l2: f64,
    ) -> Result<Self, ProgramError> {
        let contract = &job.contract;
        let model = NoisyModel::start(&job.program, contract).ok_or(ProgramError::NotApproved("solver"))?;
        // Terms that no noise keeps are in no job file; nobody would answer this.
        let variance = job.calibration().ok().flatten().map_or(0, |found| found.variance);
        let noise = (clip_of(privacy, job), variance);
        let terms = NoisyGradientTerms { sample: job.program.sample(), ..terms };
        Ok(Self::from(model, contract, noise, (terms, l2, job.rounds.count)))
    }

    /// Training in so many rounds from `model`, of rows under `contract`, with gradients of this clip and variance.
    pub(crate) fn from(
        model: NoisyModel,
        contract: &Contract,
        (clip, variance): (f64, u64),
        (terms, l2, rounds): (NoisyGradientTerms, f64, u32),
    ) -> Self {
        let reached = model.to_vec();
        let averaged = (vec![0.0; reached.len()], 0);
        let free = model.free(contract);
        let max_rows = contract.max_rows;
        let question =
            NoisyQuestion { training_round: 1, model, clip, variance, max_rows, sample: terms.sample };
        let (learning_rate, counted) = (terms.learning_rate, (0.0, 0));
        Self { question, learning_rate, l2, rounds, free, reached, averaged, counted, finished: false }
    }

    /// What is asked, or was asked last.
    pub(crate) fn question(&self) -> &NoisyQuestion {
        &self.question
    }

    /// The training round that is asked for, or was the last to be, counted from 1.
    pub fn training_round(&self) -> u32 {
        self.question.training_round
    }

    /// Whether the training round that is asked for is the last of all.
    pub fn is_last(&self) -> bool {
        self.question.training_round == self.rounds
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The model so far.
    pub fn model(&self) -> NoisyModel {
        let (sum, count) = &self.averaged;
        self.question.model.with(match count {
            0 => self.reached.clone(),
            count => sum.iter().map(|value| value / f64::from(*count)).collect(),
        })
    }

    /// Takes a step from the sum.
    fn hear(&mut self, sum: &Sum) -> Result<(), ProgramError> {
        let Some((count, slopes)) = sum.steps().split_last() else { return Err(ProgramError::WrongSum) };
        let question = &mut self.question;
        // One deviation of the noise in an entry, all survivors' together, in steps.
        let noise = libm::sqrt(f64::from(sum.survivors()) * question.variance as f64);
        let (total, sums) = &mut self.counted;
        (*total, *sums) = (*total + *count as f64, *sums + 1);
        // How many rows a sample has by chance, and the noise in its count, are not to lengthen or shorten its step: the mean of
        // all counts so far tells better how many are expected.
        let (count, off) = match question.sample {
            None => (*count as f64, noise),
            Some(_) => (*total / f64::from(*sums), noise / libm::sqrt(f64::from(*sums))),
        };
        // Fewer rows than the noise can tell from none would make steps of any length.
        let rows = count.max(off) / ROW as f64;
        let step = question.clip / LONGEST as f64 / rows;
        // What noise is left in the mean of all rounds' gradients: weights that it drowns are better small, and shorter
        // steps average more of it out.
        let left = noise * step / libm::sqrt(f64::from(self.rounds));
        let (penalty, learning_rate) = (self.l2.max(left), self.learning_rate / (1.0 + left / MUCH_NOISE));
        // A sample has more noise in one sum for the same in all of them, and so do the models on the way: which are not to go
        // further astray the more rounds there are.
        let calmer =
            question.sample.map_or(1.0, |_| libm::sqrt(USUAL_ROUNDS / f64::from(self.rounds)).min(1.0));
        let learning_rate = calmer * learning_rate;
        let mut values = question.model.to_vec();
        for (position, (value, slope)) in values.iter_mut().zip(slopes).enumerate() {
            let penalty = if self.free[position] { 0.0 } else { penalty };
            let next = *value - learning_rate * (*slope as f64 * step + penalty * *value);
            let before = std::mem::replace(&mut self.reached[position], next);
            *value = next + MOMENTUM * (next - before);
        }
        question.model = question.model.with(values);
        if !question.model.is_finite() {
            return Err(ProgramError::Diverged);
        }
        if f64::from(question.training_round) > SETTLING * f64::from(self.rounds) {
            let (averaged, count) = &mut self.averaged;
            averaged.iter_mut().zip(&self.reached).for_each(|(sum, value)| *sum += value);
            *count += 1;
        }
        self.finished = question.training_round == self.rounds;
        question.training_round += u32::from(!self.finished);
        Ok(())
    }
}

impl NoisyQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        noisy_sum::layout(self.model.count(), self.max_rows, self.variance)
    }

    /// Checks that it is one of `job`: all its terms, and noise that keeps the job's epsilon. The model is not checked: what
    /// is spent does not depend on it.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs.
    pub(crate) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let Some(terms) = job.privacy.record_level() else { return departs("privacy mode") };
        let Ok(Some(calibration)) = job.calibration() else { return departs("noise") };
        if !job.program.is_noisy() {
            departs("solver")
        } else if !(1..=job.rounds.count).contains(&self.training_round) {
            departs("round")
        } else if self.variance != calibration.variance {
            departs("noise")
        } else if self.clip != clip_of(terms, job) {
            departs("clip")
        } else if self.sample != job.program.sample() {
            departs("sample")
        } else if self.max_rows != job.contract.max_rows {
            departs("max_rows")
        } else if !self.model.is_of(&job.program, &job.contract) {
            departs("number of weights")
        } else {
            Ok(())
        }
    }

    fn check(&self, table: &Table) -> Result<IntegerNoise, ProgramError> {
        let problem = if !self.model.is_shaped_for(table.contract()) {
            "it has another number of weights than the contract has inputs"
        } else if !self.model.is_finite() {
            "its weights are not finite numbers"
        } else if !(self.clip > 0.0 && self.clip.is_finite()) {
            "its clip is no length"
        } else if self.sample.is_some_and(|sample| !(sample > 0.0 && sample < 1.0)) {
            "its sample is no probability"
        } else if let Ok(variance) = Ratio::new(self.variance, 1) {
            return Ok(IntegerNoise::Gaussian { variance });
        } else {
            "its noise cannot be drawn"
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }
}

impl Program for NoisyGradient {
    type Question = NoisyQuestion;
    type Outcome = NoisyModel;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<NoisyQuestion, NoisyModel>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished || *sum.layout() != self.question.layout()? {
                return Err(ProgramError::WrongSum);
            }
            let mut next = self.clone();
            next.hear(sum)?;
            *self = next;
        }
        Ok(match self.finished {
            true => Next::Done(self.model()),
            false => Next::Ask(self.question.clone()),
        })
    }

    fn answer(
        question: &NoisyQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        let noise = question.check(table)?;
        let rows = sample::drawn(table.rows_for(Role::Train), question.sample, rng);
        let steps = summed(question, table, &rows)?;
        let noised = steps.into_iter().map(|step| step.saturating_add(noise.draw(rng)) as f64).collect();
        Ok(Contribution::new(question.layout()?, noised)?)
    }
}

/// The summed slopes and the count of all training rows before noise, in steps. Not to leave the institution.
pub(crate) fn exact(question: &NoisyQuestion, table: &Table) -> Result<Vec<i64>, ProgramError> {
    summed(question, table, &table.rows_for(Role::Train))
}

/// The same of these rows.
fn summed(question: &NoisyQuestion, table: &Table, rows: &[usize]) -> Result<Vec<i64>, ProgramError> {
    let inputs = Inputs::of(table, rows, &public_standardisation(table.contract()))?;
    let mut gradients = RowGradients::new(&question.model, question.clip, table.contract());
    let mut sums = vec![0; question.model.count() + 1];
    let count = sums.len() - 1;
    let mut gradient = Vec::new();
    for (position, &row) in rows.iter().enumerate() {
        gradients.of(&inputs, position, table.labels()[row], &mut gradient);
        gradient.iter().for_each(|&(place, steps)| sums[place] += steps);
        sums[count] += ROW;
    }
    Ok(sums)
}

/// Of the usual length of a row, the longest gradient: hardly any row of a model that has learnt something is surprised
/// by all of it.
const USUAL_CLIP: f64 = 0.9;
/// The same of a network, whose layers all have slopes. Clipping gradients of rare positives more than others shifts all
/// probabilities, and does so sooner than it lessens noise.
const USUAL_CLIP_OF_A_NETWORK: f64 = 1.2;
const MOMENTUM: f64 = 0.9;
/// Noise in the mean gradient that halves the steps.
const MUCH_NOISE: f64 = 0.003;
/// Rounds for which a step over a sample is as long as one over all rows; with more it is shorter by the root.
const USUAL_ROUNDS: f64 = 100.0;
/// The share of the rounds before models are averaged.
const SETTLING: f64 = 0.3;

impl Default for NoisyGradientTerms {
    fn default() -> Self {
        Self { learning_rate: 1.0, sample: None }
    }
}

#[cfg(test)]
#[path = "noisy_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "sample_tests.rs"]
mod sample_tests;
