//! Logistic regression by Newton's method: the model of pooled training, from sums.
//!
//! Each institution contributes the log-loss of the common model on its rows, its gradient and its Hessian; summed,
//! they are those of all rows together, so the steps are those of pooled training (McCullagh and Nelder,
//! "Generalized linear models", 1989, 2.5; Nocedal and Wright, "Numerical optimization", 2006, 3.5, for the step
//! halving). Minimised is the mean log-loss, weighted by class where the job says so, + l2/2 |w|^2, intercept free, from the base
//! rate.
//!
//! **Exactness.** An input is divided by the furthest that the contract lets it lie from its mean, so that a row
//! adds at most one to a gradient and a quarter to a Hessian, and is multiplied back in the sum. Rounding moves a
//! sum by at most one step for each institution; a step is 2^-52 times `max_rows`, rounded up to a power of two.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Block, Contribution, Layout, Sum};

use super::inference::{Fit, Information};
use crate::coefficients::Coefficients;
use crate::column::BLOCK;
use crate::contract::{ColumnKind, Contract, RANGE_ROUNDING};
use crate::encode::{Inputs, Standardisation};
use crate::job::Encoding;
use crate::linear::{Cholesky, hold};
use crate::metrics::{LARGEST_LOSS, log_loss};
use crate::program::neural_network::ClassWeights;
use crate::program::statistics::Summary;
use crate::program::{
    Next, Program, ProgramError, class_weights, count_block, finest_step, loss_block, values,
};
use crate::table::{Role, Table};

/// The coordinator half: where it stands, and which way it goes.
#[derive(Clone, Debug)]
pub struct Newton {
    question: NewtonQuestion,
    terms: NewtonTerms,
    /// What the sums of loss and derivatives are multiplied by: the larger of the class weights.
    scale: f64,
    /// For each coefficient, the intercept last: what the sums of an input were divided by, in deviations.
    reach: Vec<f64>,
    /// For each coefficient, whether it stays zero.
    fixed: Vec<bool>,
    /// The best point so far; none before the first sum.
    best: Option<Best>,
    finished: bool,
}

/// The terms of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewtonTerms {
    /// Which inputs have a weight.
    pub encoding: Encoding,
    /// Penalty l2/2 on the squared weights.
    pub l2: f64,
    /// How much rows of either class count; all alike where there are none.
    pub class_weights: Option<ClassWeights>,
    /// The most training rounds.
    pub rounds: u32,
}

/// Asks for loss, gradient and Hessian of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewtonQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// The model.
    pub coefficients: Coefficients,
    /// How to scale the inputs.
    pub standardisation: Standardisation,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// How much a negative and a positive count, the larger of them one; all alike where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<[f64; 2]>,
}

/// The best point so far, and the step that was last tried from it.
#[derive(Clone, Debug)]
struct Best {
    coefficients: Coefficients,
    rows: f64,
    /// Mean log-loss, with the penalty.
    objective: f64,
    /// Mean log-loss.
    loss: f64,
    direction: Vec<f64>,
    step: f64,
    /// Of all rows, by coefficient.
    hessian: Vec<f64>,
    /// At the base rate, where every row weighs the same: the inputs' own moments.
    moments: Vec<f64>,
    converged: bool,
}

impl Newton {
    /// Training under `contract` from the base rate.
    pub fn new(contract: &Contract, summary: &Summary, terms: NewtonTerms) -> Self {
        let (class_weights, scale) = class_weights::relative(terms.class_weights, summary.training);
        let rate = class_weights::base_rate(terms.class_weights, summary.training);
        let question = NewtonQuestion {
            training_round: 1,
            coefficients: Coefficients::constant(contract.inputs(), rate),
            standardisation: summary.standardisation.clone(),
            max_rows: contract.max_rows,
            class_weights,
        };
        let reach = reach(contract, &summary.standardisation);
        Self {
            question,
            terms,
            scale,
            reach,
            fixed: terms.encoding.fixed(contract),
            best: None,
            finished: false,
        }
    }

    /// The training round that is asked for, or was the last to be, counted from 1.
    pub fn training_round(&self) -> u32 {
        self.question.training_round
    }

    /// Whether the training round that is asked for is the last there may be.
    pub fn is_last(&self) -> bool {
        self.question.training_round == self.terms.rounds
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The model so far.
    pub fn coefficients(&self) -> &Coefficients {
        &self.question.coefficients
    }

    /// What is known of the model at the end; none before.
    pub fn fit(&self, contract: &Contract) -> Option<Fit> {
        let best = self.best.as_ref().filter(|_| self.finished)?;
        let converged = best.converged && !self.is_separated();
        // Rows that count more or less than once are no sample that the formulas of standard errors know.
        let is_sample = self.terms.class_weights.is_none();
        let is_known = converged && is_sample && self.terms.encoding == Encoding::DropFirst;
        let information = is_known.then(|| Information {
            hessian: best.hessian.clone(),
            moments: best.moments.clone(),
            penalty: best.rows * self.terms.l2,
            fixed: self.fixed.clone(),
        });
        Some(Fit {
            converged,
            rows: best.rows as u64,
            log_loss: best.loss,
            inference: information.map(|information| {
                information.inference(contract, &self.question.standardisation, &self.question.coefficients)
            }),
        })
    }

    /// Whether an input tells labels apart so well that its weight has no end: without a penalty the steps never end either,
    /// and are cut off where the loss can hardly fall.
    fn is_separated(&self) -> bool {
        let weights = &self.question.coefficients.weights;
        self.terms.l2 == 0.0 && weights.iter().any(|weight| weight.abs() > LARGEST_WEIGHT)
    }

    /// Moves on from sums at the question's model: to the next point from there, or to one closer to the best.
    ///
    /// # Errors
    /// When the sums are of no rows that could be, or lead out of the finite numbers.
    fn hear(&mut self, point: Point) -> Result<(), ProgramError> {
        let (training_round, at) = (self.question.training_round, &self.question.coefficients);
        let norm: f64 = at.weights.iter().map(|weight| weight * weight).sum();
        let objective = point.loss / point.rows + self.terms.l2 / 2.0 * norm;
        if !objective.is_finite() {
            return Err(ProgramError::Diverged);
        }
        // Of other rows the loss is another one, and says nothing of the step.
        let is_worse =
            |best: &Best| best.rows == point.rows && objective > best.objective + LEAST_GAIN * best.objective;
        if let Some(best) = self.best.as_mut().filter(|best| is_worse(best)) {
            best.step /= 2.0;
        } else {
            let (gradient, curvature) = self.derivatives(at, &point);
            let factorised = Cholesky::of(curvature, at.count());
            if (0..at.count()).all(|coefficient| factorised.is_redundant(coefficient)) {
                return Err(ProgramError::ImpossibleSum("a Hessian that shows nothing of any input"));
            }
            let direction = factorised.solve(&gradient);
            let decrement: f64 = direction.iter().zip(&gradient).map(|(step, slope)| step * slope).sum();
            let earlier = self.best.take();
            self.best = Some(Best {
                coefficients: at.clone(),
                rows: point.rows,
                objective,
                loss: point.loss / point.rows,
                direction,
                step: 1.0,
                moments: earlier.map_or_else(|| point.hessian.clone(), |earlier| earlier.moments),
                hessian: point.hessian,
                converged: decrement / 2.0 < CONVERGED,
            });
        }
        let Some(best) = &self.best else { return Ok(()) };
        self.finished = best.converged || training_round == self.terms.rounds || best.step < SHORTEST_STEP;
        let mut next = best.coefficients.clone();
        // The step to the minimum that all rounds led to is taken without asking again; one that was never
        // measured is not.
        if best.converged || !self.finished {
            let step = best.step;
            next.values_mut().zip(&best.direction).for_each(|(value, change)| *value -= step * change);
        }
        self.question.coefficients = next;
        if !self.finished {
            self.question.training_round += 1;
        }
        Ok(())
    }

    /// Gradient and Hessian of the mean with the penalty, those of fixed coefficients zero.
    fn derivatives(&self, at: &Coefficients, point: &Point) -> (Vec<f64>, Vec<f64>) {
        let width = at.count();
        let mut gradient: Vec<f64> = point.gradient.iter().map(|slope| slope / point.rows).collect();
        let mut curvature: Vec<f64> = point.hessian.iter().map(|entry| entry / point.rows).collect();
        for (input, weight) in at.weights.iter().enumerate() {
            gradient[input] += self.terms.l2 * weight;
            curvature[input * width + input] += self.terms.l2;
        }
        hold(&self.fixed, &mut gradient, &mut curvature);
        (gradient, curvature)
    }
}

/// What the sums of one round say, of all rows and by coefficient.
struct Point {
    rows: f64,
    loss: f64,
    gradient: Vec<f64>,
    /// The lower triangle in a square, row by row.
    hessian: Vec<f64>,
}

impl Point {
    fn of(sum: &Sum, question: &NewtonQuestion, reach: &[f64]) -> Result<Self, ProgramError> {
        let layout = question.layout()?;
        let block = |name| values(sum, &layout, name);
        let (rows, loss) = (block(ROWS)?[0], block(LOSS)?[0]);
        let (mut gradient, packed) = (block(GRADIENT)?, block(HESSIAN)?);
        let impossible = |what| Err(ProgramError::ImpossibleSum(what));
        if rows < 1.0 || rows > f64::from(sum.survivors()) * question.max_rows as f64 {
            return impossible("no row was trained on, or more than the institutions may bring");
        }
        if !(0.0..=LARGEST_LOSS * rows).contains(&loss) {
            return impossible("a summed loss that so many rows cannot have");
        }
        let rounding = f64::from(sum.survivors()) * finest_step(question.max_rows);
        let most = rows * (1.0 + RANGE_ROUNDING) + rounding;
        if gradient.iter().any(|slope| slope.abs() > most) {
            return impossible("a gradient that so many rows cannot have");
        }
        if packed.iter().any(|entry| entry.abs() > most / 4.0 + rounding) {
            return impossible("a Hessian that so many rows cannot have");
        }
        gradient.iter_mut().zip(reach).for_each(|(slope, reach)| *slope *= reach);
        let width = reach.len();
        let mut hessian = vec![0.0; width * width];
        let mut entries = packed.into_iter();
        for (a, b) in (0..width).flat_map(|a| (0..=a).map(move |b| (a, b))) {
            hessian[a * width + b] = entries.next().unwrap_or_default() * reach[a] * reach[b];
        }
        Ok(Self { rows, loss, gradient, hessian })
    }

    /// The same of rows that count so many times as much.
    fn times(mut self, scale: f64) -> Self {
        self.loss *= scale;
        self.gradient.iter_mut().chain(&mut self.hessian).for_each(|sum| *sum *= scale);
        self
    }
}

impl NewtonQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(self.coefficients.weights.len(), self.max_rows)
    }

    fn check(&self, table: &Table) -> Result<(), ProgramError> {
        let problem = if self.coefficients.weights.len() != table.contract().inputs() {
            "it has another number of weights than the contract has inputs"
        } else if !self.coefficients.is_finite() {
            "its weights are not finite numbers"
        } else if self.class_weights.is_some_and(|weights| !class_weights::are_relative(weights)) {
            "a class weight is out of range"
        } else {
            return Ok(self.standardisation.check(table.contract())?);
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }
}

/// What an answer about a model of so many inputs looks like: rows, loss, gradient, and the lower triangle of the
/// Hessian row by row, the intercept last.
pub(in crate::program) fn layout(inputs: usize, max_rows: u64) -> Result<Layout, ProgramError> {
    let coefficients = inputs + 1;
    let (most, resolution) = (max_rows as f64, finest_step(max_rows));
    let too_many = |_| ProgramError::BadQuestion("it has too many inputs for a Hessian".into());
    let triangle = u32::try_from(coefficients * (coefficients + 1) / 2).map_err(too_many)?;
    let block = |name: &str, len: u32, bound: f64| Block { name: name.into(), len, bound, resolution };
    Ok(Layout::new(vec![
        count_block(ROWS, 1, max_rows),
        loss_block(LOSS, max_rows),
        block(GRADIENT, coefficients as u32, most),
        block(HESSIAN, triangle, most / 4.0),
    ])?)
}

impl Program for Newton {
    type Question = NewtonQuestion;
    type Outcome = Coefficients;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<NewtonQuestion, Coefficients>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished {
                return Err(ProgramError::WrongSum);
            }
            let mut next = self.clone();
            next.hear(Point::of(sum, &self.question, &self.reach)?.times(self.scale))?;
            if !next.question.coefficients.is_finite() {
                return Err(ProgramError::Diverged);
            }
            *self = next;
        }
        Ok(match self.finished {
            true => Next::Done(self.question.coefficients.clone()),
            false => Next::Ask(self.question.clone()),
        })
    }

    fn answer(
        question: &NewtonQuestion,
        table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        question.check(table)?;
        let model = &question.coefficients;
        let class_weights = question.class_weights.unwrap_or([1.0, 1.0]);
        let rows = table.rows_for(Role::Train);
        let reach = reach(table.contract(), &question.standardisation);
        let width = model.count();
        let mut loss = 0.0;
        let mut gradient = vec![0.0; width];
        let mut hessian = vec![0.0; width * (width + 1) / 2];
        let mut scaled: Vec<(usize, f64)> = Vec::new();
        // The inputs of one block of rows at a time: those of all would take many times the memory of the table.
        for rows in rows.chunks(BLOCK) {
            let inputs = Inputs::of(table, rows, &question.standardisation)?;
            for (position, &row) in rows.iter().enumerate() {
                let (probability, label) = (model.probability(&inputs, position), table.labels()[row]);
                let weight = class_weights[usize::from(label)];
                loss += weight * log_loss(probability, label);
                let slope = weight * (probability - f64::from(u8::from(label)));
                let curvature = weight * probability * (1.0 - probability);
                scaled.clear();
                scaled.extend(inputs.row(position).map(|(input, value)| (input, value / reach[input])));
                scaled.push((width - 1, 1.0));
                // The second of a pair is then never beyond the first.
                scaled.sort_unstable_by_key(|&(input, _)| input);
                for (count, &(a, x)) in scaled.iter().enumerate() {
                    gradient[a] += slope * x;
                    let start = a * (a + 1) / 2;
                    scaled[..=count].iter().for_each(|&(b, y)| hessian[start + b] += curvature * x * y);
                }
            }
        }
        let contribution = [rows.len() as f64, loss].into_iter().chain(gradient).chain(hessian).collect();
        Ok(Contribution::new(question.layout()?, contribution)?)
    }
}

/// For each coefficient, the intercept last: the furthest that the contract lets the input lie from its mean, in
/// deviations; one for those that are 0 or 1.
pub(crate) fn reach(contract: &Contract, standardisation: &Standardisation) -> Vec<f64> {
    let mut numeric = standardisation.mean.iter().zip(&standardisation.sd);
    let of_column = |column: &crate::contract::Column| {
        let mut of_inputs = vec![1.0; column.inputs()];
        if let ColumnKind::Numeric { transform, min, max } = column.kind {
            let (centre, half_range) = transform.centre_and_half_range(min, max);
            let (mean, sd) = numeric.next().unwrap_or((&centre, &half_range));
            of_inputs[0] = ((centre - mean).abs() + half_range) / sd;
        }
        of_inputs
    };
    contract.columns.iter().flat_map(of_column).chain([1.0]).collect()
}

/// The mean log-loss that the next step would gain where training ends: the step then moves no log-odds by more
/// than some ten thousandths, and what is left after it is as small as the square of that.
const CONVERGED: f64 = 1e-9;
/// A weight beyond this multiplies odds by more than a million, which no number of rows shows: labels are told apart.
const LARGEST_WEIGHT: f64 = 14.0;
/// What a sum's rounding may make of an objective, relative to it: no reason to go back.
const LEAST_GAIN: f64 = 1e-9;
/// Shorter steps than this find nothing that f64 can tell.
const SHORTEST_STEP: f64 = 1.0 / (1_u64 << 20) as f64;

const ROWS: &str = "rows";
const LOSS: &str = "loss";
const GRADIENT: &str = "gradient";
const HESSIAN: &str = "hessian";

#[cfg(test)]
#[path = "newton_tests.rs"]
mod tests;
