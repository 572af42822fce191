//! The coordinator half of a job's training, whatever its program and solver.

use syndic_round::{Layout, Sum};

use super::boosted_trees::{BoostedTrees, BoostedTreesQuestion, NoisyTrees, TreesTerms};
use super::external::External;
use super::logistic_regression::LogisticRegression;
use super::logistic_regression::inference::Fit;
use super::logistic_regression::newton::{Newton, NewtonTerms};
use super::logistic_regression::noisy::{NoisyGradient, NoisyGradientTerms};
use super::neural_network::noisy_update::NoisyUpdate;
use super::neural_network::{NetworkTerms, NeuralNetwork, NeuralNetworkTerms};
use super::noisy_model::NoisyModel;
use super::question::{Question, training_layout};
use super::scorecard::noisy::{NoisyScorecard, NoisyScorecardQuestion};
use super::scorecard::{ScorecardQuestion, ScorecardTraining};
use super::statistics::Summary;
use super::{Next, Program, ProgramError};
use crate::coefficients::Coefficients;
use crate::job::{Job, LogisticRegressionTerms, ProgramTerms, Solver};
use crate::linear_model::LinearModel;
use crate::model::Model;
use crate::network::{Network, NetworkModel};

/// Training, and how far it is.
#[derive(Clone, Debug)]
pub(super) enum Training {
    FedAvg(LogisticRegression),
    Newton(Box<Newton>),
    Noisy(Box<NoisyGradient>),
    Trees(Box<BoostedTrees>),
    NoisyTrees(Box<NoisyTrees>),
    Network(Box<NeuralNetwork>),
    NoisyUpdate(Box<NoisyUpdate>),
    Scorecard(Box<ScorecardTraining>),
    NoisyScorecard(Box<NoisyScorecard>),
    External(Box<External>),
}

impl Training {
    /// Training of `job` before its first round.
    ///
    /// # Errors
    /// When the terms do not fit the contract.
    pub(super) fn new(job: &Job, summary: &Summary) -> Result<Self, ProgramError> {
        let (contract, rounds) = (&job.contract, job.rounds.count);
        if let Some((privacy, terms)) = job.averaged_with_noise() {
            return Ok(Self::NoisyUpdate(Box::new(NoisyUpdate::new(job, privacy, &terms)?)));
        }
        if job.noisy_scorecard().is_some() {
            return Ok(Self::NoisyScorecard(Box::new(NoisyScorecard::new(job)?)));
        }
        let network = |terms: &NeuralNetworkTerms| {
            Ok(Self::Network(Box::new(NeuralNetwork::new(contract, summary, terms, rounds)?)))
        };
        let noisy = |terms: NoisyGradientTerms, l2| {
            let privacy = job.privacy.record_level().ok_or(ProgramError::NotApproved("privacy mode"))?;
            Ok(Self::Noisy(Box::new(NoisyGradient::new(job, privacy, terms, l2)?)))
        };
        let LogisticRegressionTerms { solver, l2 } = match &job.program {
            ProgramTerms::LogisticRegression(terms) => *terms,
            ProgramTerms::BoostedTrees(terms) => {
                return match &**terms {
                    TreesTerms::Best(terms) => {
                        let terms = terms.growing(rounds);
                        let training = BoostedTrees::new(contract.clone(), summary.training, terms)?;
                        Ok(Self::Trees(Box::new(training)))
                    }
                    TreesTerms::Random(terms) => Ok(Self::NoisyTrees(Box::new(NoisyTrees::new(job, terms)?))),
                };
            }
            ProgramTerms::NeuralNetwork(terms) => {
                return match &**terms {
                    NetworkTerms::Averaged(terms) => network(terms),
                    NetworkTerms::Noisy(terms) => noisy(terms.gradient, terms.l2),
                };
            }
            ProgramTerms::Scorecard(terms) => {
                let training = ScorecardTraining::new(contract, summary, terms, rounds)?;
                return Ok(Self::Scorecard(Box::new(training)));
            }
            ProgramTerms::Evaluation(_) | ProgramTerms::Statistics(_) | ProgramTerms::Drift(_) => {
                return Err(ProgramError::NotApproved("program"));
            }
            ProgramTerms::External(terms) => {
                let training = External::new(terms, contract.max_rows, summary, rounds);
                return Ok(Self::External(Box::new(training)));
            }
        };
        Ok(match solver {
            Solver::FedAvg(local) => {
                let (inputs, max_rows) = (contract.inputs(), contract.max_rows);
                Self::FedAvg(LogisticRegression::new(inputs, max_rows, summary, local, l2, rounds))
            }
            Solver::Averaging(averaging) => return network(&NeuralNetworkTerms::linear(l2, averaging)),
            Solver::Newton { encoding, class_weights } => {
                let terms = NewtonTerms { encoding, l2, class_weights, rounds };
                Self::Newton(Box::new(Newton::new(contract, summary, terms)))
            }
            Solver::NoisyGradient(terms) => return noisy(terms, l2),
        })
    }

    /// What is asked now, or with the sum of the answers to that, what is asked next; none once it is finished.
    pub(super) fn next(&mut self, sum: Option<&Sum>) -> Result<Option<Question>, ProgramError> {
        Ok(match self {
            Self::FedAvg(training) => asked(training.next(sum)?).map(Question::Train),
            Self::Newton(training) => asked(training.next(sum)?).map(Question::Newton),
            Self::Network(training) => asked(training.next(sum)?).map(Question::Network),
            Self::Noisy(training) => asked(training.next(sum)?).map(Question::Noisy),
            Self::NoisyUpdate(training) => asked(training.next(sum)?).map(Question::NoisyUpdate),
            Self::NoisyTrees(training) => asked(training.next(sum)?).map(Question::NoisyTrees),
            Self::Trees(training) => asked(training.next(sum)?).map(|question| match question {
                BoostedTreesQuestion::Cells(question) => Question::Cells(question),
                BoostedTreesQuestion::Grow(question) => Question::Grow(question),
            }),
            Self::Scorecard(training) => training.next(sum)?.map(|question| match question {
                ScorecardQuestion::Rows(question) => Question::ScorecardRows(question),
                ScorecardQuestion::Classes(question) => Question::ScorecardClasses(question),
                ScorecardQuestion::Woe(question) => Question::ScorecardWoe(question),
            }),
            Self::NoisyScorecard(training) => training.next(sum)?.map(|question| match question {
                NoisyScorecardQuestion::Counts(question) => Question::ScorecardNoisyCounts(question),
                NoisyScorecardQuestion::Woe(question) => Question::ScorecardNoisyWoe(question),
            }),
            Self::External(training) => asked(training.next(sum)?).map(Question::External),
        })
    }

    /// Training rounds that are over: those with a model.
    pub(super) fn completed(&self) -> u32 {
        match self {
            Self::FedAvg(training) => training.training_round() - u32::from(!training.is_finished()),
            Self::Newton(training) => training.training_round() - u32::from(!training.is_finished()),
            Self::Network(training) => training.training_round() - u32::from(!training.is_finished()),
            Self::Noisy(training) => training.training_round() - u32::from(!training.is_finished()),
            Self::NoisyUpdate(training) => training.training_round() - u32::from(!training.is_finished()),
            Self::NoisyTrees(training) => training.training_round() - u32::from(!training.is_finished()),
            Self::Trees(training) => training.trees(),
            Self::Scorecard(training) => training.completed(),
            Self::NoisyScorecard(training) => training.completed(),
            Self::External(training) => training.training_round() - u32::from(!training.is_finished()),
        }
    }

    /// Whether the sum that is awaited may be the last of all.
    pub(super) fn may_be_last(&self) -> bool {
        match self {
            Self::FedAvg(training) => training.is_last(),
            Self::Newton(training) => training.is_last(),
            Self::Network(training) => training.is_last(),
            Self::Noisy(training) => training.is_last(),
            Self::NoisyUpdate(training) => training.is_last(),
            Self::NoisyTrees(training) => training.is_last(),
            Self::Trees(training) => training.next_layout().is_none(),
            Self::Scorecard(training) => training.is_last(),
            Self::NoisyScorecard(training) => training.is_last(),
            Self::External(training) => training.is_last(),
        }
    }

    /// Whether the sum that is awaited makes a model that is measured, if each is.
    pub(super) fn ends_a_round(&self) -> bool {
        match self {
            Self::FedAvg(_) | Self::Newton(_) | Self::Noisy(_) | Self::Network(_) | Self::External(_) => true,
            Self::NoisyUpdate(_) | Self::NoisyTrees(_) => true,
            // A tree may be finished before it is as deep as it may be; nobody knows before.
            Self::Trees(training) => training.is_deepest(),
            Self::Scorecard(training) => training.is_fitting(),
            Self::NoisyScorecard(training) => training.is_fitting(),
        }
    }

    /// What an answer looks like to what is asked after the awaited sum, where training goes on.
    pub(super) fn next_layout(&self, job: &Job) -> Result<Layout, ProgramError> {
        match self {
            Self::Trees(training) => training.next_layout().map_or_else(|| training_layout(job), Ok),
            Self::FedAvg(_) | Self::Newton(_) | Self::Noisy(_) | Self::Network(_) | Self::External(_) => {
                training_layout(job)
            }
            Self::NoisyUpdate(_) => training_layout(job),
            Self::NoisyTrees(training) => training.next_layout(),
            Self::Scorecard(training) => training.next_layout(),
            Self::NoisyScorecard(training) => training.next_layout(),
        }
    }

    /// Whether nothing more is asked.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::FedAvg(training) => training.is_finished(),
            Self::Newton(training) => training.is_finished(),
            Self::Network(training) => training.is_finished(),
            Self::Noisy(training) => training.is_finished(),
            Self::NoisyUpdate(training) => training.is_finished(),
            Self::NoisyTrees(training) => training.is_finished(),
            Self::Trees(training) => training.is_finished(),
            Self::Scorecard(training) => training.is_finished(),
            Self::NoisyScorecard(training) => training.is_finished(),
            Self::External(training) => training.is_finished(),
        }
    }

    /// The model so far.
    pub(super) fn model(&self, job: &Job, summary: &Summary) -> Model {
        let linear = |coefficients: &Coefficients| {
            Model::Linear(LinearModel {
                contract: job.contract.clone(),
                standardisation: summary.standardisation.clone(),
                coefficients: coefficients.clone(),
            })
        };
        let network = |network: &Network| match network.coefficients() {
            Some(coefficients) => linear(&coefficients),
            None => Model::Network(NetworkModel {
                contract: job.contract.clone(),
                standardisation: summary.standardisation.clone(),
                network: network.clone(),
            }),
        };
        match self {
            Self::FedAvg(training) => linear(training.coefficients()),
            Self::Newton(training) => linear(training.coefficients()),
            Self::Network(training) => network(training.network()),
            Self::NoisyUpdate(training) => network(training.network()),
            Self::Noisy(training) => match training.model() {
                NoisyModel::Linear(coefficients) => linear(&coefficients),
                NoisyModel::Network(found) => network(&found),
            },
            Self::Trees(training) => Model::Trees(training.model().clone()),
            Self::NoisyTrees(training) => Model::Trees(training.model()),
            Self::Scorecard(training) => Model::Scorecard(training.model()),
            Self::NoisyScorecard(training) => Model::Scorecard(training.model()),
            Self::External(training) => Model::External(training.model(&job.contract)),
        }
    }

    /// What is known of the model at the end, where the solver knows more than its weights.
    pub(super) fn fit(&self, job: &Job) -> Option<Fit> {
        match self {
            Self::FedAvg(_) | Self::Noisy(_) | Self::Trees(_) | Self::Network(_) | Self::External(_) => None,
            Self::NoisyUpdate(_) | Self::NoisyTrees(_) | Self::NoisyScorecard(_) => None,
            Self::Newton(training) => training.fit(&job.contract),
            Self::Scorecard(training) => training.fit(),
        }
    }
}

fn asked<Question, Outcome>(next: Next<Question, Outcome>) -> Option<Question> {
    match next {
        Next::Ask(question) => Some(question),
        Next::Done(_) => None,
    }
}
