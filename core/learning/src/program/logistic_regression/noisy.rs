//! Logistic regression from noisy gradients: what one row changes is hidden in every sum.
//!
//! In each round every institution contributes the sum of its rows' gradients at the common model, each no longer than a
//! public bound, and adds discrete Gaussian noise (Bassily, Smith, Thakurta, FOCS 2014; Abadi and others, "Deep learning
//! with differential privacy", CCS 2016; noise shares under secure aggregation: Kairouz, Liu, Steinke, ICML 2021). All rows
//! are in every round: as many noisy full gradients tell as much as a thousand noisy samples do, in a tenth of the rounds.
//! The coordinator takes steps with Nesterov's momentum from zero, and releases the mean of the models after the first
//! part of the rounds: noise averages out in it.
//!
//! **Nothing is taken from the data but the noisy sums.** Numbers are scaled to [-1, 1] by the contract's ranges, and how
//! many rows there are is one of the noisy entries.
//!
//! **Sensitivity.** A row's gradient is cut to whole steps, towards zero, so that its L2 norm stays at most `LONGEST`
//! steps, which is verified in whole numbers. With `ROW` steps for the count, adding or removing one row moves the vector
//! by at most sqrt(`LONGEST`^2 + `ROW`^2).

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use crate::coefficients::Coefficients;
use crate::contract::{ColumnKind, Contract};
use crate::encode::{Inputs, Standardisation};
use crate::job::{Job, RecordLevelTerms};
use crate::privacy::calibration::Mechanism;
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::program::{Next, Program, ProgramError, noisy_block};
use crate::table::{Role, Table};

/// The name in job files.
pub const SOLVER: &str = "noisy-gradient";

/// The terms of the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoisyGradientTerms {
    /// Step length.
    pub learning_rate: f64,
}

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct NoisyGradient {
    question: NoisyQuestion,
    learning_rate: f64,
    l2: f64,
    rounds: u32,
    /// Where the last step led, before its momentum.
    reached: Vec<f64>,
    /// The sum of the models that are averaged, and how many they are.
    averaged: (Vec<f64>, u32),
    finished: bool,
}

/// Asks for a noisy gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisyQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// The model.
    pub coefficients: Coefficients,
    /// The longest gradient of one row.
    pub clip: f64,
    /// Variance parameter of the noise that each institution adds to every entry, in steps^2.
    pub variance: u64,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

/// What a training of so many inputs and rounds is, before it has noise.
pub(crate) fn mechanism(inputs: usize, rounds: u32, contributors: u16) -> Mechanism {
    let squared = (LONGEST * LONGEST + ROW * ROW) as f64;
    Mechanism {
        steps: rounds.into(),
        contributors: contributors.into(),
        // Both squares are exact; the root is rounded up.
        l2: libm::sqrt(squared) * (1.0 + f64::EPSILON),
        // A slope for each input and the intercept, and the count.
        dimension: inputs as u64 + 2,
    }
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
fn clip_of(terms: &RecordLevelTerms, contract: &Contract) -> f64 {
    terms.clip.unwrap_or_else(|| {
        let square = |kind: &ColumnKind| match kind {
            ColumnKind::Numeric { .. } => 1.0 / 3.0,
            ColumnKind::Categorical { .. } => 1.0,
        };
        let squares: f64 = contract.columns.iter().map(|column| square(&column.kind)).sum();
        USUAL_CLIP * libm::sqrt(1.0 + squares)
    })
}

impl NoisyGradient {
    /// Training by the terms of `job`, whose privacy is `privacy`, from zero.
    pub(crate) fn new(job: &Job, privacy: &RecordLevelTerms, terms: NoisyGradientTerms, l2: f64) -> Self {
        let inputs = job.contract.inputs();
        let question = NoisyQuestion {
            training_round: 1,
            coefficients: Coefficients { weights: vec![0.0; inputs], intercept: 0.0 },
            clip: clip_of(privacy, &job.contract),
            // Terms that no noise keeps are in no job file; nobody would answer this.
            variance: job.calibration().ok().flatten().map_or(0, |found| found.variance),
            max_rows: job.contract.max_rows,
        };
        let zero = vec![0.0; inputs + 1];
        Self {
            question,
            learning_rate: terms.learning_rate,
            l2,
            rounds: job.rounds.count,
            reached: zero.clone(),
            averaged: (zero, 0),
            finished: false,
        }
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
    pub fn coefficients(&self) -> Coefficients {
        let (sum, count) = &self.averaged;
        let mut values = match count {
            0 => self.reached.clone(),
            count => sum.iter().map(|value| value / f64::from(*count)).collect(),
        };
        let intercept = values.pop().unwrap_or_default();
        Coefficients { weights: values, intercept }
    }

    /// Takes a step from the sum.
    fn hear(&mut self, sum: &Sum) -> Result<(), ProgramError> {
        let Some((count, slopes)) = sum.steps().split_last() else { return Err(ProgramError::WrongSum) };
        let question = &mut self.question;
        // One deviation of the noise in an entry, all survivors' together, in steps.
        let noise = libm::sqrt(f64::from(sum.survivors()) * question.variance as f64);
        // Fewer rows than the noise can tell from none would make steps of any length.
        let rows = (*count as f64).max(noise) / ROW as f64;
        let step = question.clip / LONGEST as f64 / rows;
        // What noise is left in the mean of all rounds' gradients: weights that it drowns are better small, and shorter
        // steps average more of it out.
        let left = noise * step / libm::sqrt(f64::from(self.rounds));
        let (penalty, learning_rate) = (self.l2.max(left), self.learning_rate / (1.0 + left / MUCH_NOISE));
        let last = self.reached.len() - 1;
        for (position, (value, slope)) in question.coefficients.values_mut().zip(slopes).enumerate() {
            let penalty = if position == last { 0.0 } else { penalty };
            let next = *value - learning_rate * (*slope as f64 * step + penalty * *value);
            let before = std::mem::replace(&mut self.reached[position], next);
            *value = next + MOMENTUM * (next - before);
        }
        if !question.coefficients.is_finite() {
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
        layout(self.coefficients.weights.len(), self.max_rows, self.variance)
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
        } else if self.clip != clip_of(terms, &job.contract) {
            departs("clip")
        } else if self.max_rows != job.contract.max_rows {
            departs("max_rows")
        } else if self.coefficients.weights.len() != job.contract.inputs() {
            departs("number of weights")
        } else {
            Ok(())
        }
    }

    fn check(&self, table: &Table) -> Result<IntegerNoise, ProgramError> {
        let problem = if self.coefficients.weights.len() != table.contract().inputs() {
            "it has another number of weights than the contract has inputs"
        } else if !self.coefficients.is_finite() {
            "its weights are not finite numbers"
        } else if !(self.clip > 0.0 && self.clip.is_finite()) {
            "its clip is no length"
        } else if let Ok(variance) = Ratio::new(self.variance, 1) {
            return Ok(IntegerNoise::Gaussian { variance });
        } else {
            "its noise cannot be drawn"
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }
}

/// What an answer about a model of so many inputs looks like: the summed slopes and the count of rows, in steps, both with
/// noise of this variance.
pub(crate) fn layout(inputs: usize, max_rows: u64, variance: u64) -> Result<Layout, ProgramError> {
    let block = |name, len, of_a_row| noisy_block(name, len, of_a_row, max_rows, variance);
    Ok(Layout::new(vec![block(SLOPES, inputs as u32 + 1, LONGEST), block(ROWS, 1, ROW)])?)
}

impl Program for NoisyGradient {
    type Question = NoisyQuestion;
    type Outcome = Coefficients;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<NoisyQuestion, Coefficients>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished || *sum.layout() != self.question.layout()? {
                return Err(ProgramError::WrongSum);
            }
            let mut next = self.clone();
            next.hear(sum)?;
            *self = next;
        }
        Ok(match self.finished {
            true => Next::Done(self.coefficients()),
            false => Next::Ask(self.question.clone()),
        })
    }

    fn answer(
        question: &NoisyQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        let noise = question.check(table)?;
        let steps = exact(question, table)?;
        let noised = steps.into_iter().map(|step| step.saturating_add(noise.draw(rng)) as f64).collect();
        Ok(Contribution::new(question.layout()?, noised)?)
    }
}

/// The summed slopes and the count before noise, in steps. Not to leave the institution.
pub(crate) fn exact(question: &NoisyQuestion, table: &Table) -> Result<Vec<i64>, ProgramError> {
    let rows = table.rows_for(Role::Train);
    let inputs = Inputs::of(table, &rows, &public_standardisation(table.contract()))?;
    let mut sums = vec![0; inputs.inputs() + 2];
    let mut gradient = Vec::new();
    for (position, &row) in rows.iter().enumerate() {
        of_row(question, &inputs, position, table.labels()[row], &mut gradient);
        for &(input, steps) in &gradient {
            sums[input] += steps;
        }
        sums[inputs.inputs() + 1] += ROW;
    }
    Ok(sums)
}

/// The gradient of one row in steps, where it is not zero: no longer than `LONGEST`.
fn of_row(
    question: &NoisyQuestion,
    inputs: &Inputs,
    row: usize,
    label: bool,
    gradient: &mut Vec<(usize, i64)>,
) {
    let slope = question.coefficients.probability(inputs, row) - f64::from(u8::from(label));
    // The intercept's input is one.
    let values = || inputs.row(row).chain([(inputs.inputs(), 1.0)]);
    let length = slope.abs() * libm::sqrt(values().map(|(_, value)| value * value).sum::<f64>());
    let factor = slope / length.max(question.clip) * LONGEST as f64;
    gradient.clear();
    // Cut towards zero, which makes nothing longer. A slope that is no number becomes zero.
    let steps = |value: f64| ((factor * value) as i64).clamp(-LONGEST, LONGEST);
    gradient.extend(values().map(|(input, value)| (input, steps(value))));
    // Floating numbers may have made it longer by a step or so: then its longest entries are shortened.
    while gradient.iter().map(|(_, steps)| steps * steps).sum::<i64>() > LONGEST * LONGEST {
        let Some((_, longest)) = gradient.iter_mut().max_by_key(|(_, steps)| steps.abs()) else { return };
        *longest -= longest.signum();
    }
}

/// The longest gradient of a row in steps.
pub(super) const LONGEST: i64 = 1 << 16;
/// What a row adds to the count, in steps: a quarter of the longest gradient, which makes noise 3 % wider.
const ROW: i64 = LONGEST / 4;

/// Of the usual length of a row, the longest gradient: hardly any row of a model that has learnt something is surprised
/// by all of it.
const USUAL_CLIP: f64 = 0.9;
const MOMENTUM: f64 = 0.9;
/// Noise in the mean gradient that halves the steps.
const MUCH_NOISE: f64 = 0.003;
/// The share of the rounds before models are averaged.
const SETTLING: f64 = 0.3;

const SLOPES: &str = "slopes";
const ROWS: &str = "rows";

impl Default for NoisyGradientTerms {
    fn default() -> Self {
        Self { learning_rate: 1.0 }
    }
}

#[cfg(test)]
#[path = "noisy_tests.rs"]
mod tests;
