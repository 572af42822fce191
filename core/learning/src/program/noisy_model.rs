//! The model that a noisy question is about: a linear one, or a network.

use serde::{Deserialize, Serialize};

use super::neural_network::NoisyNetworkTerms;
use super::noisy_sum::cut;
use crate::coefficients::Coefficients;
use crate::contract::Contract;
use crate::encode::Inputs;
use crate::job::ProgramTerms;
use crate::metrics::logistic;
use crate::network::entry::Entry;
use crate::network::pass::Pass;
use crate::network::{Network, layers, parameters};

/// What gradients are asked of. In a question it is a key of its own: `coefficients`, or `network`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoisyModel {
    /// Of a logistic regression.
    #[serde(rename = "coefficients")]
    Linear(Coefficients),
    /// A network.
    Network(Network),
}

/// Gradients of a model, one row after the other.
pub(crate) struct RowGradients<'a> {
    model: &'a NoisyModel,
    clip: f64,
    /// Of a network: its layers, and the slopes of the log-odds of a row.
    pass: Option<Pass>,
    slopes: Vec<(usize, f64)>,
}

impl NoisyModel {
    /// Where training of `program` begins; none where it adds no noise. Nothing of it is taken from rows.
    pub(crate) fn start(program: &ProgramTerms, contract: &Contract) -> Option<Self> {
        let inputs = contract.inputs();
        match program {
            ProgramTerms::NeuralNetwork(terms) => {
                terms.noisy().map(|terms| Self::Network(terms.start(contract)))
            }
            program => program
                .is_noisy()
                .then(|| Self::Linear(Coefficients { weights: vec![0.0; inputs], intercept: 0.0 })),
        }
    }

    /// How many parameters the model of `program` has; none where it adds no noise.
    pub(crate) fn parameters_of(program: &ProgramTerms, contract: &Contract) -> Option<usize> {
        match program {
            ProgramTerms::NeuralNetwork(terms) => {
                let terms = terms.noisy()?;
                parameters(&terms.entry(contract), &terms.hidden)
            }
            program => program.is_noisy().then(|| contract.inputs() + 1),
        }
    }

    /// Its parameters.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Linear(coefficients) => coefficients.count(),
            Self::Network(network) => network.parameters.len(),
        }
    }

    /// Its parameters in the order of their slopes.
    pub(crate) fn to_vec(&self) -> Vec<f64> {
        match self {
            Self::Linear(coefficients) => coefficients.to_vec(),
            Self::Network(network) => network.parameters.clone(),
        }
    }

    /// One of the same shape with these parameters.
    pub(crate) fn with(&self, mut values: Vec<f64>) -> Self {
        match self {
            Self::Linear(_) => {
                let intercept = values.pop().unwrap_or_default();
                Self::Linear(Coefficients { weights: values, intercept })
            }
            Self::Network(network) => {
                let Network { hidden, embedding, packed, .. } = network;
                let (hidden, embedding, packed) = (hidden.clone(), *embedding, *packed);
                Self::Network(Network { hidden, embedding, packed, parameters: values })
            }
        }
    }

    /// For each parameter whether it has no penalty: the intercept, and the biases of a network.
    pub(crate) fn free(&self, contract: &Contract) -> Vec<bool> {
        let (entry, hidden) = self.shape(contract);
        let mut free = vec![true; self.count()];
        free[..entry.vectors()].fill(false);
        layers(&entry, hidden).iter().for_each(|layer| free[layer.weights()].fill(false));
        free
    }

    /// Whether it is one of rows under `contract`, whatever its numbers are.
    pub(crate) fn is_shaped_for(&self, contract: &Contract) -> bool {
        match self {
            Self::Linear(coefficients) => coefficients.weights.len() == contract.inputs(),
            Self::Network(network) => network.is_shaped_for(contract),
        }
    }

    /// Whether it is one of `program`, whatever its numbers are.
    pub(crate) fn is_of(&self, program: &ProgramTerms, contract: &Contract) -> bool {
        let is_shaped = self.is_shaped_for(contract);
        is_shaped
            && match (self, program) {
                (Self::Network(network), ProgramTerms::NeuralNetwork(terms)) => {
                    let same = |terms: &NoisyNetworkTerms| {
                        terms.hidden == network.hidden
                            && terms.embedding == network.embedding
                            && !network.packed
                    };
                    terms.noisy().is_some_and(same)
                }
                (Self::Linear(_), program) => program.is_linear(),
                (Self::Network(_), _) => false,
            }
    }

    /// Whether all its parameters are finite.
    pub(crate) fn is_finite(&self) -> bool {
        match self {
            Self::Linear(coefficients) => coefficients.is_finite(),
            Self::Network(network) => network.parameters.iter().all(|value| value.is_finite()),
        }
    }

    /// The network that it is: of a linear model one without a hidden layer.
    pub(crate) fn shape(&self, contract: &Contract) -> (Entry, &[u32]) {
        match self {
            Self::Linear(_) => (Entry::plain(contract.inputs()), &[]),
            Self::Network(network) => (network.entry(contract), &network.hidden),
        }
    }
}

impl<'a> RowGradients<'a> {
    /// Of a model of rows under `contract`, each cut to the length `clip`.
    pub(crate) fn new(model: &'a NoisyModel, clip: f64, contract: &Contract) -> Self {
        let pass = match model {
            NoisyModel::Linear(_) => None,
            NoisyModel::Network(network) => Some(Pass::new(network.entry(contract), &network.hidden)),
        };
        Self { model, clip, pass, slopes: Vec::new() }
    }

    /// The gradient of one row's log-loss in steps, where it is not zero.
    pub(crate) fn of(&mut self, inputs: &Inputs, row: usize, label: bool, gradient: &mut Vec<(usize, i64)>) {
        let positive = f64::from(u8::from(label));
        match (self.model, &mut self.pass) {
            (NoisyModel::Network(network), Some(pass)) => {
                let log_odds = pass.forward(&network.parameters, inputs, row);
                pass.slopes_of_log_odds(&network.parameters, (inputs, row), &mut self.slopes);
                cut((logistic(log_odds) - positive, self.slopes.iter().copied()), self.clip, gradient);
            }
            (NoisyModel::Linear(coefficients), _) => {
                let slope = coefficients.probability(inputs, row) - positive;
                // The intercept's input is one.
                cut((slope, inputs.row(row).chain([(inputs.inputs(), 1.0)])), self.clip, gradient);
            }
            // A network has layers.
            (NoisyModel::Network(_), None) => gradient.clear(),
        }
    }
}
