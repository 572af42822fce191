//! Logistic regression, by federated averaging here and by Newton's method in [`newton`].
//!
//! McMahan, Moore, Ramage, Hampson, Agüera y Arcas, "Communication-efficient learning of deep networks from
//! decentralized data", AISTATS 2017. Each institution starts from the common model, descends on its own rows
//! in mini-batches (mean log-loss + l2/2 |w|^2, intercept free), and contributes its change weighted by its
//! share of the rows; the common model moves by the weighted mean. The first model is the base rate.

mod drowned;
pub mod inference;
pub mod newton;
pub mod noisy;

use rand_core::{CryptoRng, Rng};
use serde::{Deserialize, Serialize};
use syndic_round::{Block, Contribution, Layout, Sum};

use super::{Next, Program, ProgramError, count_block, values};
use crate::coefficients::Coefficients;
use crate::encode::{Inputs, Standardisation};
use crate::job::FedAvgTerms;
use crate::program::statistics::Summary;
use crate::table::{Role, Table};

/// The name in job files and model cards.
pub const NAME: &str = "logistic-regression";

/// The coordinator half: the model, and how far training is.
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    question: TrainQuestion,
    rounds: u32,
    decay: f64,
    finished: bool,
}

/// How an institution trains locally.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalTraining {
    /// Passes over the institution's rows in one round.
    pub epochs: u32,
    /// Rows of one step.
    pub batch_size: u32,
    /// Step length.
    pub learning_rate: f64,
    /// Penalty on the squared weights.
    pub l2: f64,
}

/// Asks for one round of local training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// Where to start.
    pub coefficients: Coefficients,
    /// How to scale the inputs.
    pub standardisation: Standardisation,
    /// Training rows of all institutions, as the statistics found.
    pub training_rows: u64,
    /// How to train.
    pub local: LocalTraining,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

impl LogisticRegression {
    /// Training for `rounds` rounds by these terms, with a penalty l2/2 on the squared weights.
    pub fn new(
        inputs: usize,
        max_rows: u64,
        summary: &Summary,
        terms: FedAvgTerms,
        l2: f64,
        rounds: u32,
    ) -> Self {
        let rate = summary.training.positives as f64 / summary.training.rows as f64;
        let question = TrainQuestion {
            training_round: 1,
            coefficients: Coefficients::constant(inputs, rate),
            standardisation: summary.standardisation.clone(),
            training_rows: summary.training.rows,
            local: terms.in_round(1, l2),
            max_rows,
        };
        Self { question, rounds, decay: terms.learning_rate_decay, finished: false }
    }

    /// The training round that is asked for, counted from 1.
    pub fn training_round(&self) -> u32 {
        self.question.training_round
    }

    /// Whether the training round that is asked for, or was the last to be, is the last of all.
    pub fn is_last(&self) -> bool {
        self.question.training_round == self.rounds
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The model so far.
    pub fn coefficients(&self) -> &Coefficients {
        &self.question.coefficients
    }
}

impl TrainQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(self.coefficients.weights.len(), self.max_rows)
    }

    fn check(&self, table: &Table) -> Result<(), ProgramError> {
        let local = &self.local;
        let problem = if self.coefficients.weights.len() != table.contract().inputs() {
            "it has another number of weights than the contract has inputs"
        } else if !self.coefficients.is_finite() {
            "its weights are not finite numbers"
        } else if local.epochs == 0 || local.batch_size == 0 || self.training_rows == 0 {
            "epochs, batch size and training rows start at 1"
        } else if !(local.learning_rate > 0.0
            && local.learning_rate.is_finite()
            && local.l2 >= 0.0
            && local.l2.is_finite())
        {
            "learning rate or penalty is out of range"
        } else {
            return Ok(());
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }
}

/// What an answer about a model of so many inputs looks like: the rows trained on, then the weighted change of each
/// coefficient, which fits one limb of 20 bits, so up to 16 institutions under KSA-S32.
pub(super) fn layout(inputs: usize, max_rows: u64) -> Result<Layout, ProgramError> {
    let update = Block {
        name: UPDATE.into(),
        // And the intercept.
        len: inputs as u32 + 1,
        bound: UPDATE_STEPS * UPDATE_RESOLUTION,
        resolution: UPDATE_RESOLUTION,
    };
    Ok(Layout::new(vec![count_block(ROWS, 1, max_rows), update])?)
}

impl Program for LogisticRegression {
    type Question = TrainQuestion;
    type Outcome = Coefficients;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<TrainQuestion, Coefficients>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished {
                return Err(ProgramError::WrongSum);
            }
            let layout = self.question.layout()?;
            let (rows, update) = (values(sum, &layout, ROWS)?, values(sum, &layout, UPDATE)?);
            let share = rows[0] / self.question.training_rows as f64;
            if share <= 0.0 {
                return Err(ProgramError::ImpossibleSum("no row was trained on"));
            }
            let coefficients = self.question.coefficients.values_mut();
            coefficients.zip(update).for_each(|(value, change)| *value += change / share);
            if self.question.training_round == self.rounds {
                self.finished = true;
            } else {
                self.question.training_round += 1;
                self.question.local.learning_rate *= self.decay;
            }
        }
        Ok(match self.finished {
            true => Next::Done(self.question.coefficients.clone()),
            false => Next::Ask(self.question.clone()),
        })
    }

    fn answer(
        question: &TrainQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        question.check(table)?;
        let rows = table.rows_for(Role::Train);
        let inputs = Inputs::of(table, &rows, &question.standardisation)?;
        let labels: Vec<bool> = rows.iter().map(|&row| table.labels()[row]).collect();
        let trained = descend(&question.coefficients, &question.local, &inputs, &labels, rng);
        let share = rows.len() as f64 / question.training_rows as f64;
        let changes = trained.to_vec().into_iter().zip(question.coefficients.to_vec());
        let update = changes.map(|(after, before)| share * (after - before));
        let contribution = [rows.len() as f64].into_iter().chain(update).collect();
        Ok(Contribution::new(question.layout()?, contribution)?)
    }
}

/// Mini-batch gradient descent from `start`, rows in a new order in each epoch.
fn descend(
    start: &Coefficients,
    local: &LocalTraining,
    inputs: &Inputs,
    labels: &[bool],
    rng: &mut impl CryptoRng,
) -> Coefficients {
    let mut model = start.clone();
    let mut order: Vec<usize> = (0..inputs.rows()).collect();
    let mut gradient = vec![0.0; model.weights.len()];
    for _ in 0..local.epochs {
        shuffle(&mut order, rng);
        for batch in order.chunks(local.batch_size as usize) {
            gradient.fill(0.0);
            let mut intercept_slope = 0.0;
            for &row in batch {
                let slope = model.probability(inputs, row) - f64::from(u8::from(labels[row]));
                intercept_slope += slope;
                inputs.add_to(row, slope, &mut gradient);
            }
            let step = local.learning_rate / batch.len() as f64;
            for (weight, slope) in model.weights.iter_mut().zip(&gradient) {
                *weight -= step * slope + local.learning_rate * local.l2 * *weight;
            }
            model.intercept -= step * intercept_slope;
        }
    }
    model
}

/// Fisher-Yates.
pub(super) fn shuffle(order: &mut [usize], rng: &mut impl Rng) {
    for end in (1..order.len()).rev() {
        order.swap(end, below(end as u64 + 1, rng) as usize);
    }
}

/// A uniform number below `bound`: the high word of a product (Lemire, TOMACS 29, 2019); its bias of
/// bound / 2^64 does not matter for an order of rows.
fn below(bound: u64, rng: &mut impl Rng) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// One limb of 20 bits.
const UPDATE_STEPS: f64 = ((1 << 20) - 1) as f64;
/// About four millionths; a coefficient's weighted change of almost four in one round is not clipped.
const UPDATE_RESOLUTION: f64 = 1.0 / (1 << 18) as f64;

const ROWS: &str = "rows";
const UPDATE: &str = "update";
