//! The model that a question is about, as far as it is not in the contract that both sides have.

use serde::{Deserialize, Serialize};

use super::ProgramError;
use super::boosted_trees::approval::approved;
use super::boosted_trees::noisy;
use super::external::ExternalState;
use super::scorecard::approved as scorecard_approved;
use crate::coefficients::Coefficients;
use crate::contract::Contract;
use crate::encode::Standardisation;
use crate::job::{Job, ProgramTerms};
use crate::linear_model::LinearModel;
use crate::model::{Model, ModelError};
use crate::network::{Network, NetworkModel};
use crate::scorecard::{PointsScale, Scorecard, ScorecardModel};
use crate::trees::{Ensemble, TreeModel};

/// What scores the rows of an institution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scorer {
    /// A linear model.
    Linear {
        /// What it has learnt.
        coefficients: Coefficients,
        /// How to scale the inputs.
        standardisation: Standardisation,
    },
    /// A network.
    Network {
        /// Layers and what they have learnt.
        network: Network,
        /// How to scale the inputs.
        standardisation: Standardisation,
    },
    /// Boosted trees.
    Trees {
        /// Base, bins and trees.
        ensemble: Ensemble,
    },
    /// A scorecard.
    Scorecard {
        /// Bins and coefficients.
        scorecard: Scorecard,
    },
    /// What an external trainer scores with.
    External {
        /// Its numbers, and what it is told.
        external: Box<ExternalState>,
    },
}

impl Scorer {
    /// The model under `contract`. What is known of how trees were found is left out, and points are on the usual scale.
    ///
    /// # Errors
    /// [`ModelError::NeedsTrainer`] where an external trainer alone can score.
    pub(super) fn model(&self, contract: &Contract) -> Result<Model, ModelError> {
        let contract = contract.clone();
        Ok(match self.clone() {
            Self::Linear { coefficients, standardisation } => {
                Model::Linear(LinearModel { contract, standardisation, coefficients })
            }
            Self::Network { network, standardisation } => {
                Model::Network(NetworkModel { contract, standardisation, network })
            }
            Self::Trees { ensemble } => {
                let gains = ensemble.trees.iter().map(|tree| vec![0.0; tree.splits().count()]).collect();
                Model::Trees(TreeModel { contract, ensemble, gains })
            }
            Self::Scorecard { scorecard } => {
                Model::Scorecard(ScorecardModel { contract, scorecard, scale: PointsScale::default() })
            }
            Self::External { .. } => return Err(ModelError::NeedsTrainer),
        })
    }

    /// What an external trainer scores with, where it is one's model.
    pub(super) fn external(&self) -> Option<&ExternalState> {
        match self {
            Self::External { external } => Some(external),
            _ => None,
        }
    }

    /// Checks on the participant that it is one of the job's program, within its terms, and fits its contract.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] where it is of another program or size; [`ProgramError::BadQuestion`] where it fits
    /// no table under the contract.
    pub(super) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let contract = &job.contract;
        match self {
            Self::Linear { .. } if !job.program.is_linear() => {
                Err(ProgramError::NotApproved("program of the model"))
            }
            Self::Linear { coefficients, .. } if coefficients.weights.len() != contract.inputs() => {
                Err(ProgramError::NotApproved("number of weights"))
            }
            Self::Linear { standardisation, .. } => Ok(standardisation.check(contract)?),
            Self::Network { network, standardisation } => match &job.program {
                ProgramTerms::NeuralNetwork(terms) if network.hidden != terms.hidden() => {
                    Err(ProgramError::NotApproved("hidden layers"))
                }
                ProgramTerms::NeuralNetwork(terms) if network.embedding != terms.embedding() => {
                    Err(ProgramError::NotApproved("vectors of levels"))
                }
                ProgramTerms::NeuralNetwork(terms) if network.packed != terms.packed() => {
                    Err(ProgramError::NotApproved("how parameters are spelled"))
                }
                ProgramTerms::NeuralNetwork(_) if !network.fits(contract) => {
                    Err(ProgramError::NotApproved("number of weights"))
                }
                ProgramTerms::NeuralNetwork(_) => Ok(standardisation.check(contract)?),
                _ => Err(ProgramError::NotApproved("program of the model")),
            },
            Self::Trees { ensemble } => match (job.trees(), job.random_trees()) {
                (Some(terms), _) => approved(ensemble, contract, &terms),
                (None, Some(terms)) => noisy::approved(ensemble, job, terms),
                (None, None) => Err(ProgramError::NotApproved("program of the model")),
            },
            Self::Scorecard { scorecard } => match job.program.scorecard() {
                Some(terms) => scorecard_approved(scorecard, contract, terms),
                None => Err(ProgramError::NotApproved("program of the model")),
            },
            Self::External { external } => external.approved_by(job),
        }
    }
}

impl From<&Model> for Scorer {
    fn from(model: &Model) -> Self {
        match model {
            Model::Linear(model) => Self::Linear {
                coefficients: model.coefficients.clone(),
                standardisation: model.standardisation.clone(),
            },
            Model::Network(model) => Self::Network {
                network: model.network.clone(),
                standardisation: model.standardisation.clone(),
            },
            Model::Trees(model) => Self::Trees { ensemble: model.ensemble.clone() },
            Model::Scorecard(model) => Self::Scorecard { scorecard: model.scorecard.clone() },
            Model::External(model) => Self::External { external: Box::new(model.state.clone()) },
        }
    }
}
