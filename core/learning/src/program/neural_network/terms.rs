//! How a network is trained by local work and averaging.

use serde::{Deserialize, Serialize};

use crate::contract::Contract;
use crate::job::FedAvgTerms;
use crate::job::fields::Fields;
use crate::network::Network;
use crate::network::entry::Entry;
use crate::network::start::start;
use crate::optimiser::{Optimiser, Steps};
use crate::program::class_weights;
use crate::program::statistics::Count;

/// The terms of a network's training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct NeuralNetworkTerms {
    /// Units of each hidden layer, from the inputs on; none of a logistic regression.
    pub hidden: Vec<u32>,
    /// Numbers of the vector of a level, of columns with more levels; none where all levels are 0/1 inputs.
    pub embedding: Option<u32>,
    /// Whether questions spell parameters packed, and not as decimals.
    pub packed: bool,
    /// What the first weights are drawn from.
    pub seed: u32,
    /// Penalty l2/2 on the squared weights; biases are free.
    pub l2: f64,
    /// How the institutions' work becomes a model.
    pub averaging: AveragingTerms,
}

/// Local training, and what becomes of its average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AveragingTerms {
    /// What becomes of the average.
    pub optimiser: Optimiser,
    /// Local training over all rounds.
    pub local: FedAvgTerms,
    /// What a local step does with a gradient.
    pub steps: Steps,
    /// How much rows of either class count; all alike where there are none.
    pub class_weights: Option<ClassWeights>,
}

/// How much a row's loss counts, by its class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    /// So much for a positive, and one for a negative.
    Positive(f64),
    /// Rows over twice the rows of the class, of all institutions together: both classes count alike, and the mean is one.
    Named(Balanced),
}

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balanced {
    /// Both classes count alike.
    Balanced,
}

impl ClassWeights {
    /// Both classes count alike.
    pub const BALANCED: Self = Self::Named(Balanced::Balanced);

    /// The weight of a negative and of a positive among training rows of both classes.
    pub fn of(weights: Option<Self>, training: Count) -> [f64; 2] {
        let (rows, positives) = (training.rows as f64, training.positives as f64);
        match weights {
            None => [1.0, 1.0],
            Some(Self::Positive(weight)) => [1.0, weight],
            Some(Self::Named(Balanced::Balanced)) => {
                [rows / (2.0 * (rows - positives)), rows / (2.0 * positives)]
            }
        }
    }
}

impl NeuralNetworkTerms {
    /// Of a logistic regression: a network without a hidden layer, whose first weights are zero.
    pub(crate) fn linear(l2: f64, averaging: AveragingTerms) -> Self {
        Self { hidden: Vec::new(), embedding: None, packed: false, seed: 0, l2, averaging }
    }

    /// How the inputs of rows under `contract` come into the network.
    pub(crate) fn entry(&self, contract: &Contract) -> Entry {
        Entry::of(contract, self.embedding)
    }

    /// The first network of rows under `contract`, which gives every row this share of positives.
    pub(crate) fn first(&self, contract: &Contract, base_rate: f64) -> Network {
        let network = start(&self.entry(contract), &self.hidden, self.seed, base_rate);
        Network { packed: self.packed, ..network }
    }

    /// The share of positives that the first model gives every row: theirs in what is minimised.
    pub(crate) fn base_rate(&self, training: Count) -> f64 {
        class_weights::base_rate(self.averaging.class_weights, training)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        // compute_class_weight("balanced", classes=[0, 1], y=[0] * 30 + [1] * 10)
        let training = Count { rows: 40, positives: 10 };
        let [negative, positive] = ClassWeights::of(Some(ClassWeights::BALANCED), training);
        assert!((negative - 2.0 / 3.0).abs() < 1e-15 && positive == 2.0);
        assert_eq!(ClassWeights::of(Some(ClassWeights::Positive(3.0)), training), [1.0, 3.0]);
        assert_eq!(ClassWeights::of(None, training), [1.0, 1.0]);
        for (weights, json) in
            [(ClassWeights::BALANCED, "\"balanced\""), (ClassWeights::Positive(3.5), "3.5")]
        {
            assert_eq!(serde_json::to_string(&weights).unwrap(), json);
            assert_eq!(serde_json::from_str::<ClassWeights>(json).unwrap(), weights);
        }
    }
}
