//! A network from noisy gradients: for privacy of each row.
//!
//! Its sums and its steps are those of [`noisy`](crate::program::logistic_regression::noisy): the gradient of each row's log-loss
//! in all parameters, clipped as a whole (Abadi and others, "Deep learning with differential privacy", CCS 2016). Noise is as wide
//! in each of many parameters as in each of few, so that small networks learn more.

use super::terms::{AveragingTerms, NeuralNetworkTerms};
use crate::contract::Contract;
use crate::job::FedAvgTerms;
use crate::network::Network;
use crate::network::entry::Entry;
use crate::network::start::start;
use crate::optimiser::{Optimiser, Steps};
use crate::program::logistic_regression::noisy::NoisyGradientTerms;

/// How a network is trained: by local work, or from noisy sums.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "crate::job::fields::Fields", into = "crate::job::fields::Fields")]
pub enum NetworkTerms {
    /// By local work and averaging.
    Averaged(NeuralNetworkTerms),
    /// From summed gradients with noise.
    Noisy(NoisyNetworkTerms),
}

/// The terms of a network's training from noisy gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct NoisyNetworkTerms {
    /// Units of each hidden layer, from the inputs on.
    pub hidden: Vec<u32>,
    /// Numbers of the vector of a level, of columns with more levels; none where all levels are 0/1 inputs.
    pub embedding: Option<u32>,
    /// What the first weights are drawn from.
    pub seed: u32,
    /// Penalty l2/2 on the squared weights; biases are free.
    pub l2: f64,
    /// Of the steps.
    pub gradient: NoisyGradientTerms,
}

impl NetworkTerms {
    /// Units of each hidden layer, from the inputs on.
    pub fn hidden(&self) -> &[u32] {
        match self {
            Self::Averaged(terms) => &terms.hidden,
            Self::Noisy(terms) => &terms.hidden,
        }
    }

    /// How the inputs of rows under `contract` come into the network.
    pub fn entry(&self, contract: &Contract) -> Entry {
        Entry::of(contract, self.embedding())
    }

    /// Numbers of the vector of a level, where there are any.
    pub fn embedding(&self) -> Option<u32> {
        match self {
            Self::Averaged(terms) => terms.embedding,
            Self::Noisy(terms) => terms.embedding,
        }
    }

    /// Whether questions spell parameters packed, and not as decimals.
    pub fn packed(&self) -> bool {
        self.averaged().is_some_and(|terms| terms.packed)
    }

    /// Those of local work, if it is trained so.
    pub fn averaged(&self) -> Option<&NeuralNetworkTerms> {
        match self {
            Self::Averaged(terms) => Some(terms),
            Self::Noisy(_) => None,
        }
    }

    /// Those of noisy gradients, if it is trained so.
    pub fn noisy(&self) -> Option<&NoisyNetworkTerms> {
        match self {
            Self::Averaged(_) => None,
            Self::Noisy(terms) => Some(terms),
        }
    }

    /// As it would be trained without noise.
    pub fn without_noise(&self) -> NeuralNetworkTerms {
        match self {
            Self::Averaged(terms) => terms.clone(),
            Self::Noisy(terms) => terms.without_noise(),
        }
    }
}

impl NoisyNetworkTerms {
    /// Units where the job file names none: fewer than without noise, which is as wide in each of more parameters.
    pub(crate) const HIDDEN: [u32; 1] = [8];

    /// Step length where the job file names none.
    pub(crate) const LEARNING_RATE: f64 = 0.5;

    /// The first network: that of the seed, and even odds, since the base rate is nobody's to know.
    pub(crate) fn start(&self, contract: &Contract) -> Network {
        start(&self.entry(contract), &self.hidden, self.seed, 0.5)
    }

    /// How the inputs of rows under `contract` come into the network.
    pub(crate) fn entry(&self, contract: &Contract) -> Entry {
        Entry::of(contract, self.embedding)
    }

    /// The same network by local work: what noise costs is seen beside it.
    pub fn without_noise(&self) -> NeuralNetworkTerms {
        let local =
            FedAvgTerms { local_epochs: 1, batch_size: 128, learning_rate: 0.001, learning_rate_decay: 1.0 };
        let averaging =
            AveragingTerms { optimiser: Optimiser::Scaffold, local, steps: Steps::Adam, class_weights: None };
        let Self { embedding, seed, l2, .. } = *self;
        NeuralNetworkTerms { hidden: self.hidden.clone(), embedding, packed: false, seed, l2, averaging }
    }
}

impl From<NeuralNetworkTerms> for NetworkTerms {
    fn from(terms: NeuralNetworkTerms) -> Self {
        Self::Averaged(terms)
    }
}

#[cfg(test)]
#[path = "noisy_tests.rs"]
mod tests;
