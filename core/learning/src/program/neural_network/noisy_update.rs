//! Averaging with noise: what one whole institution changes is hidden in every sum.
//!
//! Each institution trains on its own rows as without noise, cuts its whole change to a public length, and adds discrete Gaussian
//! noise to every entry (McMahan, Ramage, Talwar, Zhang, "Learning differentially private recurrent language models", ICLR 2018;
//! noise shares under secure aggregation: Kairouz, Liu, Steinke, ICML 2021). Every institution counts alike: weights by rows would
//! be sums of rows, which nobody may see. The mean is the sum divided by how many answered, which everybody knows.
//!
//! **Nothing is taken from the data but the noisy sums.** Numbers are scaled to [-1, 1] by the contract's ranges, and the first
//! model gives every row an even chance.
//!
//! **Sensitivity.** A change is cut to whole steps, towards zero, so that its L2 norm stays at most `LONGEST` steps, which is
//! verified in whole numbers. An institution that contributes nothing in place of its change moves the sum by at most `LONGEST`.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use super::local;
use super::question::NetworkQuestion;
use super::terms::{AveragingTerms, ClassWeights, NeuralNetworkTerms};
use crate::contract::Contract;
use crate::encode::Inputs;
use crate::job::{InstitutionLevelTerms, Job};
use crate::network::{Network, parameters};
use crate::optimiser::fed_adam::Moments;
use crate::optimiser::{Optimiser, Steps};
use crate::privacy::calibration::Mechanism;
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::program::logistic_regression::LocalTraining;
use crate::program::logistic_regression::noisy::public_standardisation;
use crate::program::statistics::Count;
use crate::program::{Next, Program, ProgramError, noisy_block};
use crate::table::{Role, Table};

/// The coordinator half: the model, what its optimiser remembers, and how far training is.
#[derive(Clone, Debug)]
pub struct NoisyUpdate {
    question: NoisyUpdateQuestion,
    optimiser: Optimiser,
    moments: Option<Moments>,
    decay: f64,
    rounds: u32,
    finished: bool,
}

/// Asks for one round of local training, whose change is told with noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisyUpdateQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// Where to start.
    pub network: Network,
    /// How to train.
    pub local: LocalTraining,
    /// What a step does with a gradient.
    pub steps: Steps,
    /// Of fed-prox: how strongly the local model is drawn to where it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proximal: Option<f64>,
    /// How much rows of either class count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// The longest change of one institution.
    pub clip: f64,
    /// Variance parameter of the noise that each institution adds to every entry, in steps^2.
    pub variance: u64,
}

/// What a training of so many parameters and rounds is, before it has noise.
pub(crate) fn mechanism(parameters: usize, rounds: u32, contributors: u16) -> Mechanism {
    Mechanism {
        steps: rounds.into(),
        contributors: contributors.into(),
        l2: LONGEST as f64,
        dimension: parameters as u64,
    }
}

impl NoisyUpdate {
    /// Training by the terms of `job`, whose privacy is `privacy`, as `terms` say.
    ///
    /// # Errors
    /// [`ProgramError::BadQuestion`] where no network of so many inputs has these layers.
    pub(crate) fn new(
        job: &Job,
        privacy: &InstitutionLevelTerms,
        terms: &NeuralNetworkTerms,
    ) -> Result<Self, ProgramError> {
        let AveragingTerms { optimiser, local, steps, class_weights } = terms.averaging;
        let Some(parameters) = parameters(&terms.entry(&job.contract), &terms.hidden) else {
            return Err(ProgramError::BadQuestion("no network has these layers".into()));
        };
        let question = NoisyUpdateQuestion {
            training_round: 1,
            network: first(&job.contract, terms),
            local: local.in_round(1, terms.l2),
            steps,
            proximal: optimiser.proximal(),
            class_weights,
            clip: privacy.clip,
            // Terms that no noise keeps are in no job file; nobody would answer this.
            variance: job.calibration().ok().flatten().map_or(0, |found| found.variance),
        };
        let moments = optimiser.moments(parameters);
        let (decay, rounds) = (local.learning_rate_decay, job.rounds.count);
        Ok(Self { question, optimiser, moments, decay, rounds, finished: false })
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
    pub fn network(&self) -> &Network {
        &self.question.network
    }

    /// Takes the model further by the sum of a round.
    fn take(&mut self, sum: &Sum) -> Result<(), ProgramError> {
        let step = self.question.clip / LONGEST as f64 / f64::from(sum.survivors().max(1));
        let mean: Vec<f64> = sum.steps().iter().map(|steps| *steps as f64 * step).collect();
        let model = &mut self.question.network.parameters;
        self.optimiser.next(&mut self.moments, model, &mean);
        if !model.iter().all(|value| value.is_finite()) {
            return Err(ProgramError::Diverged);
        }
        self.finished = self.is_last();
        if !self.finished {
            self.question.training_round += 1;
            self.question.local.learning_rate *= self.decay;
        }
        Ok(())
    }
}

/// The first model: without data, every row has an even chance.
fn first(contract: &Contract, terms: &NeuralNetworkTerms) -> Network {
    terms.first(contract, 0.5)
}

impl NoisyUpdateQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(self.network.parameters.len(), self.variance)
    }

    /// Checks that it is one of `job`: all its terms, and noise that keeps the job's epsilon. Of later rounds the model is not
    /// checked: what is spent does not depend on it.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs.
    pub(crate) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let Some((privacy, terms)) = job.averaged_with_noise() else { return departs("privacy mode") };
        let Ok(Some(calibration)) = job.calibration() else { return departs("noise") };
        let (contract, averaging) = (&job.contract, &terms.averaging);
        if !(1..=job.rounds.count).contains(&self.training_round) {
            departs("round")
        } else if self.variance != calibration.variance {
            departs("noise")
        } else if self.clip != privacy.clip {
            departs("clip")
        } else if self.network.hidden != terms.hidden {
            departs("hidden layers")
        } else if self.network.embedding != first(contract, &terms).embedding {
            departs("embedding")
        } else if self.network.packed != terms.packed {
            departs("how parameters are spelled")
        } else if parameters(&terms.entry(contract), &terms.hidden) != Some(self.network.parameters.len()) {
            departs("number of weights")
        } else if self.local != averaging.local.in_round(self.training_round, terms.l2)
            || self.steps != averaging.steps
            || self.class_weights != averaging.class_weights
        {
            departs("local training")
        } else if self.proximal != averaging.optimiser.proximal() {
            departs("optimiser")
        } else if self.training_round == 1 && self.network != first(contract, &terms) {
            departs("first model")
        } else {
            Ok(())
        }
    }

    fn check(&self) -> Result<IntegerNoise, ProgramError> {
        let problem = if !(self.clip > 0.0 && self.clip.is_finite()) {
            "its clip is no length"
        } else if matches!(self.class_weights, Some(ClassWeights::Named(_))) {
            "its class weights would need counts of all institutions"
        } else if let Ok(variance) = Ratio::new(self.variance, 1) {
            return Ok(IntegerNoise::Gaussian { variance });
        } else {
            "its noise cannot be drawn"
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }

    /// The same training as if it were told without noise, in what is known without data.
    fn local(&self, contract: &Contract) -> NetworkQuestion {
        NetworkQuestion {
            training_round: self.training_round,
            network: self.network.clone(),
            standardisation: public_standardisation(contract),
            // Read where classes count alike only, which `check` refuses; any count of both classes says the same.
            training: Count { rows: 2, positives: 1 },
            local: self.local,
            steps: self.steps,
            proximal: self.proximal,
            class_weights: self.class_weights,
            control: None,
            max_rows: contract.max_rows,
        }
    }
}

/// What an answer about so many parameters looks like: the change of each, in steps, with noise of this variance.
pub(in crate::program) fn layout(parameters: usize, variance: u64) -> Result<Layout, ProgramError> {
    let len = u32::try_from(parameters).map_err(|_| ProgramError::BadQuestion("it is too large".into()))?;
    // An institution adds what one row adds elsewhere, and is one.
    Ok(Layout::new(vec![noisy_block(UPDATE, len, LONGEST, 1, variance)])?)
}

impl Program for NoisyUpdate {
    type Question = NoisyUpdateQuestion;
    type Outcome = Network;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<NoisyUpdateQuestion, Network>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished || *sum.layout() != self.question.layout()? {
                return Err(ProgramError::WrongSum);
            }
            let mut next = self.clone();
            next.take(sum)?;
            *self = next;
        }
        Ok(match self.finished {
            true => Next::Done(self.question.network.clone()),
            false => Next::Ask(self.question.clone()),
        })
    }

    fn answer(
        question: &NoisyUpdateQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        let noise = question.check()?;
        let steps = exact(question, table, rng)?;
        let noised = steps.into_iter().map(|step| step.saturating_add(noise.draw(rng)) as f64).collect();
        Ok(Contribution::new(question.layout()?, noised)?)
    }
}

/// The change before noise, in steps. Not to leave the institution.
pub(crate) fn exact(
    question: &NoisyUpdateQuestion,
    table: &Table,
    rng: &mut impl CryptoRng,
) -> Result<Vec<i64>, ProgramError> {
    let local_question = question.local(table.contract());
    local_question.check(table)?;
    let rows = table.rows_for(Role::Train);
    let inputs = Inputs::of(table, &rows, &local_question.standardisation)?;
    let labels: Vec<bool> = rows.iter().map(|&row| table.labels()[row]).collect();
    let entry = question.network.entry(table.contract());
    Ok(cut(&local::answer(&local_question, entry, (&inputs, &labels), rng), question.clip))
}

/// A change in steps, `LONGEST` of which are one clip: no longer than `LONGEST`. One that left the finite numbers is none: to
/// decline for it would tell something exact of the rows.
fn cut(change: &[f64], clip: f64) -> Vec<i64> {
    if !change.iter().all(|value| value.is_finite()) {
        return vec![0; change.len()];
    }
    // In the largest entry, so that no square leaves the numbers.
    let largest = change.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return vec![0; change.len()];
    }
    let squares: f64 = change.iter().map(|value| (value / largest) * (value / largest)).sum();
    // How much of the longest change the largest entry is.
    let share = 1.0 / libm::sqrt(squares).max(clip / largest);
    // Cut towards zero, which makes nothing longer.
    let mut steps: Vec<i64> = change
        .iter()
        .map(|value| ((value / largest * share * LONGEST as f64) as i64).clamp(-LONGEST, LONGEST))
        .collect();
    // Floating numbers may have made it longer by a step or so: then its longest entries are shortened.
    let square = |step: &i64| i128::from(*step) * i128::from(*step);
    while steps.iter().map(square).sum::<i128>() > i128::from(LONGEST) * i128::from(LONGEST) {
        let Some(longest) = steps.iter_mut().max_by_key(|step| step.abs()) else { break };
        *longest -= longest.signum();
    }
    steps
}

/// The longest change of an institution in steps.
pub(super) const LONGEST: i64 = 1 << 16;

const UPDATE: &str = "update";

#[cfg(test)]
#[path = "noisy_update_tests.rs"]
mod tests;
