//! The program of a job and its terms.

use serde::{Deserialize, Serialize};

use super::fields::Fields;
use crate::contract::{Column, ColumnKind, Contract};
use crate::job::Job;
use crate::optimiser::{FED_AVG, Optimiser, Steps};
use crate::program::boosted_trees::{self, BoostedTreesTerms, RandomTreesTerms, TreesTerms};
use crate::program::comparison::{self, ComparisonTerms};
use crate::program::description::{self, DescriptionTerms};
use crate::program::drift::released::{self, ReleasedDriftTerms};
use crate::program::external::{self, terms::ExternalTerms};
use crate::program::logistic_regression::noisy::{self, NoisyGradientTerms};
use crate::program::logistic_regression::{self, LocalTraining};
use crate::program::neural_network::{self, AveragingTerms, ClassWeights, NetworkTerms, NeuralNetworkTerms};
use crate::program::scorecard::{self, ScorecardTerms};

/// The program and its terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum ProgramTerms {
    /// [`crate::program::logistic_regression`].
    LogisticRegression(LogisticRegressionTerms),
    /// [`crate::program::boosted_trees`].
    BoostedTrees(Box<TreesTerms>),
    /// [`crate::program::neural_network`].
    NeuralNetwork(Box<NetworkTerms>),
    /// [`crate::program::scorecard`].
    Scorecard(Box<ScorecardTerms>),
    /// [`crate::program::external`].
    External(Box<ExternalTerms>),
    /// [`crate::program::comparison`]: it trains nothing.
    Evaluation(Box<ComparisonTerms>),
    /// [`crate::program::description`]: it trains nothing either.
    Statistics(Box<DescriptionTerms>),
    /// [`crate::program::drift::released`]: it trains nothing either.
    Drift(Box<ReleasedDriftTerms>),
}

/// How a logistic regression is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct LogisticRegressionTerms {
    /// How the institutions' work becomes a model.
    pub solver: Solver,
    /// Penalty l2/2 on the squared weights; the intercept is free.
    pub l2: f64,
}

/// How the institutions' work becomes a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Solver {
    /// Newton's method on summed gradients and Hessians: the model of pooled training itself.
    Newton {
        /// Which inputs have a weight.
        encoding: Encoding,
        /// How much rows of either class count; all alike where there are none.
        class_weights: Option<ClassWeights>,
    },
    /// Local training, then the average.
    FedAvg(FedAvgTerms),
    /// The same by another optimiser, with other local steps, or with class weights: a network without a hidden layer.
    Averaging(AveragingTerms),
    /// Summed gradients with noise: for privacy of each row.
    NoisyGradient(NoisyGradientTerms),
}

/// Which 0/1 inputs of a categorical column have a weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Those of all its levels: for prediction. The penalty decides between models that say the same.
    #[default]
    AllLevels,
    /// Those of all levels but the first, with which the others are compared: so that each weight has a standard
    /// error.
    DropFirst,
}

/// The terms of local training over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FedAvgTerms {
    /// Passes over an institution's rows in one round.
    pub local_epochs: u32,
    /// Rows of one step.
    pub batch_size: u32,
    /// Step length in round 1.
    pub learning_rate: f64,
    /// Factor on the step length after each round.
    pub learning_rate_decay: f64,
}

impl Encoding {
    /// For each coefficient, the intercept last, whether it stays zero.
    pub(crate) fn fixed(self, contract: &Contract) -> Vec<bool> {
        let of_column = |column: &Column| {
            let mut of_inputs = vec![false; column.inputs()];
            if matches!(column.kind, ColumnKind::Categorical { .. }) {
                of_inputs[0] = self == Self::DropFirst;
            }
            of_inputs
        };
        contract.columns.iter().flat_map(of_column).chain([false]).collect()
    }
}

impl ProgramTerms {
    /// The name in job files and site policies.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LogisticRegression(_) => logistic_regression::NAME,
            Self::BoostedTrees(_) => boosted_trees::NAME,
            Self::NeuralNetwork(_) => neural_network::NAME,
            Self::Scorecard(_) => scorecard::NAME,
            Self::External(_) => external::NAME,
            Self::Evaluation(_) => comparison::NAME,
            Self::Statistics(_) => description::NAME,
            Self::Drift(_) => released::NAME,
        }
    }

    /// How often an institution passes over its rows in one encrypted round of training.
    pub fn local_epochs(&self) -> u32 {
        self.averaging().map_or(1, |local| local.local_epochs)
    }

    /// Whether the model of every training round is measured, or that of the last one only, in a job without noise.
    pub fn measures_every_round(&self) -> bool {
        self.trains() && !self.is_newton() && !self.is_noisy() && self.scorecard().is_none()
    }

    /// Whether it trains a model. What does not asks for one sum.
    pub fn trains(&self) -> bool {
        !matches!(self, Self::Evaluation(_) | Self::Statistics(_) | Self::Drift(_))
    }

    /// Whether it adds noise for rows to all that it asks for, in every job.
    pub fn is_noisy(&self) -> bool {
        match self {
            Self::LogisticRegression(terms) => matches!(terms.solver, Solver::NoisyGradient(_)),
            Self::NeuralNetwork(terms) => terms.noisy().is_some(),
            Self::BoostedTrees(terms) => terms.random().is_some(),
            Self::Scorecard(_) | Self::External(_) => false,
            Self::Evaluation(_) | Self::Statistics(_) | Self::Drift(_) => false,
        }
    }

    /// The probability with which a row is in a sum, where each institution draws samples of its rows; none where all are.
    pub fn sample(&self) -> Option<f64> {
        let terms = match self {
            Self::LogisticRegression(LogisticRegressionTerms {
                solver: Solver::NoisyGradient(terms),
                ..
            }) => terms,
            Self::NeuralNetwork(terms) => &terms.noisy()?.gradient,
            _ => return None,
        };
        // A probability of 1 is spelled in two ways.
        terms.sample.filter(|sample| *sample != 1.0)
    }

    /// Whether its noise is as wide as several rows of one customer need: whatever is summed is summed over all rows, and a bound for
    /// one row is one for each of several.
    pub fn is_noisy_for_several_rows(&self) -> bool {
        let sums_gradients = matches!(self, Self::LogisticRegression(_) | Self::NeuralNetwork(_));
        sums_gradients && self.is_noisy() && self.sample().is_none()
    }

    /// The last of at most `rounds` training rounds that institutions can be asked for; all of them as a rule.
    pub fn last_round(&self, rounds: u32) -> u32 {
        self.averaging().map_or(rounds, |local| local.last_round_with_a_step(rounds))
    }

    /// Local training in one training round, counted from 1, where there is any.
    pub fn local_training(&self, training_round: u32) -> Option<LocalTraining> {
        match self {
            Self::LogisticRegression(LogisticRegressionTerms { solver: Solver::FedAvg(local), l2 }) => {
                Some(local.in_round(training_round, *l2))
            }
            Self::LogisticRegression(_)
            | Self::BoostedTrees(_)
            | Self::NeuralNetwork(_)
            | Self::Scorecard(_)
            | Self::External(_)
            | Self::Evaluation(_)
            | Self::Statistics(_)
            | Self::Drift(_) => None,
        }
    }

    /// Whether it is solved by Newton's method.
    pub fn is_newton(&self) -> bool {
        matches!(
            self,
            Self::LogisticRegression(LogisticRegressionTerms { solver: Solver::Newton { .. }, .. })
        )
    }

    /// How much rows of either class count in Newton's method; none where all count alike.
    pub(crate) fn newton_weights(&self) -> Option<ClassWeights> {
        match self {
            Self::LogisticRegression(LogisticRegressionTerms {
                solver: Solver::Newton { class_weights, .. },
                ..
            }) => *class_weights,
            _ => None,
        }
    }

    /// Whether institutions train by themselves, and what they come to is averaged.
    pub fn averages(&self) -> bool {
        self.averaging().is_some() || matches!(self, Self::External(_))
    }

    /// Whether its model is linear in the inputs of the contract.
    pub fn is_linear(&self) -> bool {
        matches!(self, Self::LogisticRegression(_))
    }

    /// The terms of its scorecard, if it makes one.
    pub fn scorecard(&self) -> Option<&ScorecardTerms> {
        match self {
            Self::Scorecard(terms) => Some(terms),
            _ => None,
        }
    }

    fn averaging(&self) -> Option<FedAvgTerms> {
        match self {
            Self::LogisticRegression(LogisticRegressionTerms { solver: Solver::FedAvg(local), .. }) => {
                Some(*local)
            }
            Self::LogisticRegression(LogisticRegressionTerms {
                solver: Solver::Averaging(terms), ..
            }) => Some(terms.local),
            Self::NeuralNetwork(terms) => terms.averaged().map(|terms| terms.averaging.local),
            _ => None,
        }
    }
}

impl Job {
    /// Whether the model of every training round is measured, or that of the last one only. With noise, what is measured spends.
    pub fn measures_every_round(&self) -> bool {
        self.program.measures_every_round() && !self.adds_noise()
    }

    /// The terms of its trees, where their splits are the best: each training round grows one.
    pub fn trees(&self) -> Option<BoostedTreesTerms> {
        match &self.program {
            ProgramTerms::BoostedTrees(terms) => Some(terms.best()?.growing(self.rounds.count)),
            _ => None,
        }
    }

    /// The terms of its trees, where their splits are drawn and their leaves have noise.
    pub fn random_trees(&self) -> Option<&RandomTreesTerms> {
        match &self.program {
            ProgramTerms::BoostedTrees(terms) => terms.random(),
            _ => None,
        }
    }

    /// The terms of its network, where it is trained by local work: that of a logistic regression by an optimiser has no hidden
    /// layer.
    pub fn network(&self) -> Option<NeuralNetworkTerms> {
        match &self.program {
            ProgramTerms::NeuralNetwork(terms) => terms.averaged().cloned(),
            ProgramTerms::LogisticRegression(LogisticRegressionTerms {
                solver: Solver::Averaging(averaging),
                l2,
            }) => Some(NeuralNetworkTerms::linear(*l2, *averaging)),
            _ => None,
        }
    }

    /// The terms of its external trainer.
    pub fn external(&self) -> Option<&ExternalTerms> {
        match &self.program {
            ProgramTerms::External(terms) => Some(terms),
            _ => None,
        }
    }
}

impl Solver {
    /// Averaging by these terms: plain ones are those of `fed-avg` alone, whose questions are older.
    pub(super) fn of(terms: AveragingTerms) -> Self {
        match terms {
            AveragingTerms {
                optimiser: Optimiser::FedAvg,
                local,
                steps: Steps::Sgd,
                class_weights: None,
            } => Self::FedAvg(local),
            terms => Self::Averaging(terms),
        }
    }

    /// The name in job files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Newton { .. } => NEWTON,
            Self::FedAvg(_) => FED_AVG,
            Self::Averaging(terms) => terms.optimiser.name(),
            Self::NoisyGradient(_) => noisy::SOLVER,
        }
    }
}

impl FedAvgTerms {
    /// The terms of one training round, counted from 1.
    pub(crate) fn in_round(&self, training_round: u32, l2: f64) -> LocalTraining {
        let Self { local_epochs: epochs, batch_size, mut learning_rate, learning_rate_decay } = *self;
        // Multiplied step by step, as the coordinator does, so that both get the same bits.
        (1..training_round).for_each(|_| learning_rate *= learning_rate_decay);
        LocalTraining { epochs, batch_size, learning_rate, l2 }
    }

    /// The last of `rounds` training rounds in which the learning rate is still a normal float. Rounds after it
    /// could not be asked for.
    fn last_round_with_a_step(&self, rounds: u32) -> u32 {
        let mut rate = self.learning_rate;
        for round in 1..rounds {
            rate *= self.learning_rate_decay;
            if !rate.is_normal() {
                return round;
            }
        }
        rounds
    }
}

impl Default for FedAvgTerms {
    /// Good on tables of hundreds to tens of thousands of rows at each institution, within 20 rounds. Short
    /// batches learn fast; the quick decay takes back what unlike institutions drift apart.
    fn default() -> Self {
        Self { local_epochs: 2, batch_size: 32, learning_rate: 0.3, learning_rate_decay: 0.85 }
    }
}

pub(super) const NEWTON: &str = "newton";

/// Penalty on squared weights where the job file names none.
pub(super) const DEFAULT_L2: f64 = 1e-4;

/// The most inputs that `newton` takes where no solver is named: its vectors grow with their square.
pub(super) const INPUTS_OF_NEWTON: usize = 500;

/// The most inputs that `newton` takes at all: two million sums.
pub(super) const MOST_INPUTS_OF_NEWTON: usize = 2000;
