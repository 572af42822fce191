//! Networks by local training and averaging: the neural network, and the averaging solvers of logistic regression.
//!
//! Each institution starts from the common model, descends on its own rows in mini-batches (mean log-loss of its rows,
//! weighted by class where the job says so, + l2/2 |w|^2, biases free), and contributes its change weighted by its share of
//! the rows. What becomes of the mean change is the optimiser's: [`crate::optimiser`], one paper a file.

mod approval;
mod local;
pub mod loudness;
mod noisy;
pub mod noisy_update;
mod pooled;
mod question;
mod terms;

use rand_core::CryptoRng;
use syndic_round::{Contribution, Sum};

pub use noisy::{NetworkTerms, NoisyNetworkTerms};
pub use pooled::fit_pooled;
pub use question::{Control, NetworkQuestion};
pub use terms::{AveragingTerms, Balanced, ClassWeights, NeuralNetworkTerms};

pub(super) use question::layout_of;

use super::{Next, Program, ProgramError, TOO_MANY_ROWS, values};
use crate::contract::Contract;
use crate::encode::Inputs;
use crate::network::Network;
use crate::optimiser::Optimiser;
use crate::optimiser::fed_adam::Moments;
use crate::program::statistics::Summary;
use crate::table::{Role, Table};
use question::{CONTROL, ROWS, UPDATE};

/// The name in job files and model cards.
pub const NAME: &str = "neural-network";

/// The coordinator half: the model, what its optimiser remembers, and how far training is.
#[derive(Clone, Debug)]
pub struct NeuralNetwork {
    question: NetworkQuestion,
    optimiser: Optimiser,
    moments: Option<Moments>,
    decay: f64,
    rounds: u32,
    finished: bool,
}

impl NeuralNetwork {
    /// Training for `rounds` rounds by these terms.
    ///
    /// # Errors
    /// [`ProgramError::BadQuestion`] where no network of so many inputs has these layers.
    pub fn new(
        contract: &Contract,
        summary: &Summary,
        terms: &NeuralNetworkTerms,
        rounds: u32,
    ) -> Result<Self, ProgramError> {
        let AveragingTerms { optimiser, local, steps, class_weights } = terms.averaging;
        let entry = terms.entry(contract);
        let Some(parameters) = crate::network::parameters(&entry, &terms.hidden) else {
            return Err(ProgramError::BadQuestion("no network has these layers".into()));
        };
        let question = NetworkQuestion {
            training_round: 1,
            network: terms.first(contract, terms.base_rate(summary.training)),
            standardisation: summary.standardisation.clone(),
            training: summary.training,
            local: local.in_round(1, terms.l2),
            steps,
            proximal: optimiser.proximal(),
            class_weights,
            control: (optimiser == Optimiser::Scaffold)
                .then(|| Control { packed: terms.packed, ..Control::default() }),
            max_rows: contract.max_rows,
        };
        let moments = optimiser.moments(parameters);
        let decay = local.learning_rate_decay;
        Ok(Self { question, optimiser, moments, decay, rounds, finished: false })
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
    pub fn network(&self) -> &Network {
        &self.question.network
    }

    /// Takes the model further by the sum of a round.
    fn take(&mut self, sum: &Sum) -> Result<(), ProgramError> {
        let layout = self.question.layout()?;
        let rows = values(sum, &layout, ROWS)?[0];
        if rows > f64::from(sum.survivors()) * self.question.max_rows as f64 {
            return Err(ProgramError::ImpossibleSum(TOO_MANY_ROWS));
        }
        let share = rows / self.question.training.rows as f64;
        if share <= 0.0 {
            return Err(ProgramError::ImpossibleSum("no row was trained on"));
        }
        let mean = |block| -> Result<Vec<f64>, ProgramError> {
            Ok(values(sum, &layout, block)?.into_iter().map(|value| value / share).collect())
        };
        let mut network = self.question.network.clone();
        self.optimiser.next(&mut self.moments, &mut network.parameters, &mean(UPDATE)?);
        if !network.parameters.iter().all(|value| value.is_finite()) {
            return Err(ProgramError::Diverged);
        }
        let control = self.question.control.is_some().then(|| mean(CONTROL)).transpose()?;
        let former = std::mem::replace(&mut self.question.network, network);
        self.question.control =
            control.map(|common| Control { at: former.parameters, common, packed: former.packed });
        Ok(())
    }
}

impl Program for NeuralNetwork {
    type Question = NetworkQuestion;
    type Outcome = Network;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<NetworkQuestion, Network>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished {
                return Err(ProgramError::WrongSum);
            }
            let mut next = self.clone();
            next.take(sum)?;
            *self = next;
            if self.question.training_round == self.rounds {
                self.finished = true;
            } else {
                self.question.training_round += 1;
                self.question.local.learning_rate *= self.decay;
            }
        }
        Ok(match self.finished {
            true => Next::Done(self.question.network.clone()),
            false => Next::Ask(self.question.clone()),
        })
    }

    fn answer(
        question: &NetworkQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        question.check(table)?;
        let rows = table.rows_for(Role::Train);
        let inputs = Inputs::of(table, &rows, &question.standardisation)?;
        let labels: Vec<bool> = rows.iter().map(|&row| table.labels()[row]).collect();
        let answer =
            local::answer(question, question.network.entry(table.contract()), (&inputs, &labels), rng);
        let share = rows.len() as f64 / question.training.rows as f64;
        let weighted = answer.into_iter().map(|value| share * value);
        let contribution = [rows.len() as f64].into_iter().chain(weighted).collect();
        Ok(Contribution::new(question.layout()?, contribution)?)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod embedding_tests;

#[cfg(test)]
mod packed_tests;
