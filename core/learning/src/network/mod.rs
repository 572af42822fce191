//! A network of fully connected layers that tells one probability: what it is, and the model that scores raw rows.
//!
//! Between layers max(0, x) (Nair and Hinton, ICML 2010), at the end the logistic function. Without a hidden layer it is a
//! logistic regression.

pub mod entry;
mod file;
pub(crate) mod pass;
mod spelled;
pub(crate) mod start;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::coefficients::Coefficients;
use crate::contract::Contract;
use crate::encode::{Inputs, Standardisation};
use crate::metrics::logistic;
use crate::model::{ModelError, Scoring};
use crate::table::Table;
use entry::Entry;
use pass::Pass;
use spelled::Spelled;

/// The layers and what they have learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Spelled", into = "Spelled")]
pub struct Network {
    /// Units of each hidden layer, from the inputs on.
    pub hidden: Vec<u32>,
    /// Numbers of the vector of a level; none where levels are 0/1 inputs.
    pub embedding: Option<u32>,
    /// Whether questions spell its parameters packed, and not as decimals. The files of a model do not say.
    pub packed: bool,
    /// The vectors of levels, column by column, where there are any. Then layer by layer, the output last: for each of the layer's
    /// inputs its weight in each unit, then the bias of each unit.
    pub parameters: Vec<f64>,
}

/// A network with its preprocessing.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkModel {
    /// The contract of the rows that it scores.
    pub contract: Contract,
    /// How numeric inputs are scaled.
    pub standardisation: Standardisation,
    /// What it has learnt.
    pub network: Network,
}

/// Where the parameters of a layer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Inputs.
    pub(crate) inputs: usize,
    /// Units.
    pub(crate) units: usize,
    /// Where its weights begin, an input's next to each other.
    pub(crate) from: usize,
}

impl Layer {
    pub(crate) fn weights(&self) -> Range<usize> {
        self.from..self.from + self.inputs * self.units
    }

    /// The weights of one input.
    pub(crate) fn of_input(&self, input: usize) -> Range<usize> {
        let from = self.from + input * self.units;
        from..from + self.units
    }

    pub(crate) fn biases(&self) -> Range<usize> {
        let from = self.weights().end;
        from..from + self.units
    }
}

/// The layers of a network, the output last.
pub(crate) fn layers(entry: &Entry, hidden: &[u32]) -> Vec<Layer> {
    let (mut from, mut inputs) = (entry.vectors(), entry.width());
    let units = hidden.iter().map(|&units| units as usize).chain([1]);
    units
        .map(|units| {
            let layer = Layer { inputs, units, from };
            (from, inputs) = (layer.biases().end, units);
            layer
        })
        .collect()
}

/// How many parameters a network has; none where its layers are too many, too wide, or empty, or the parameters too many.
pub fn parameters(entry: &Entry, hidden: &[u32]) -> Option<usize> {
    if hidden.len() > MOST_LAYERS || hidden.iter().any(|units| !(1..=MOST_UNITS).contains(units)) {
        return None;
    }
    // No contract has so many inputs, or vectors so many numbers, that these products overflow.
    let count = layers(entry, hidden).last()?.biases().end;
    (count <= MOST_PARAMETERS).then_some(count)
}

impl Network {
    /// How the inputs of rows under `contract` come into it.
    pub fn entry(&self, contract: &Contract) -> Entry {
        Entry::of(contract, self.embedding)
    }

    /// Whether it is one of rows under `contract`, with finite parameters.
    pub fn fits(&self, contract: &Contract) -> bool {
        self.is_shaped_for(contract) && self.parameters.iter().all(|value| value.is_finite())
    }

    /// Whether it is one of rows under `contract`, whatever its numbers are.
    pub(crate) fn is_shaped_for(&self, contract: &Contract) -> bool {
        self.embedding.is_none_or(|dimension| (1..=entry::MOST_DIMENSION).contains(&dimension))
            && parameters(&self.entry(contract), &self.hidden) == Some(self.parameters.len())
    }

    /// Those of a logistic regression, where it has no hidden layer.
    pub fn coefficients(&self) -> Option<Coefficients> {
        let (intercept, weights) = self.parameters.split_last()?;
        self.hidden.is_empty().then(|| Coefficients { weights: weights.to_vec(), intercept: *intercept })
    }
}

impl NetworkModel {
    /// Checks that its parts fit each other.
    ///
    /// # Errors
    /// [`ModelError`] says what does not.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        self.standardisation.check(&self.contract)?;
        let Some(expected) = parameters(&self.network.entry(&self.contract), &self.network.hidden) else {
            return Err(ModelError::Weights("it has layers that no network here has".into()));
        };
        let found = self.network.parameters.len();
        if found != expected {
            return Err(ModelError::Inputs { expected, found });
        }
        match self.network.fits(&self.contract) {
            true => Ok(()),
            false => Err(ModelError::Weights("its parameters are not finite numbers".into())),
        }
    }
}

impl Scoring for NetworkModel {
    fn score_rows(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>, ModelError> {
        if *table.contract() != self.contract {
            return Err(ModelError::Contract { expected: self.contract.id(), found: table.contract().id() });
        }
        self.check()?;
        let inputs = Inputs::of(table, rows, &self.standardisation)?;
        let mut pass = Pass::new(self.network.entry(&self.contract), &self.network.hidden);
        let score = |row| logistic(pass.forward(&self.network.parameters, &inputs, row));
        Ok((0..inputs.rows()).map(score).collect())
    }
}

/// The most hidden layers.
pub const MOST_LAYERS: usize = 4;
/// The most units of a hidden layer.
pub const MOST_UNITS: u32 = 1024;
/// The most parameters: in a question that packs them each takes 11 bytes.
pub const MOST_PARAMETERS: usize = 1_400_000;
/// The most where a question has them as decimals of up to 25 characters.
pub const MOST_DECIMALS: usize = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_lie_one_after_the_other() {
        let found = layers(&Entry::plain(5), &[3, 2]);
        assert_eq!(found.iter().map(Layer::weights).collect::<Vec<_>>(), [0..15, 18..24, 26..28]);
        assert_eq!(found.iter().map(Layer::biases).collect::<Vec<_>>(), [15..18, 24..26, 28..29]);
        assert_eq!(found[1].of_input(2), 22..24);
        assert_eq!(parameters(&Entry::plain(5), &[3, 2]), Some(29));
        assert_eq!(parameters(&Entry::plain(5), &[]), Some(6));
        // Three vectors of two numbers, then four inputs of three units and the output.
        let embedded = Entry::of(&crate::fixture::contract(), Some(2));
        assert_eq!(layers(&embedded, &[3])[0].weights(), 6..18);
        assert_eq!(parameters(&embedded, &[3]), Some(6 + 15 + 4));
    }

    #[test]
    fn layers_beyond_the_limits_are_none() {
        for hidden in [&[0][..], &[MOST_UNITS + 1], &[1; MOST_LAYERS + 1], &[1024; 3], &[u32::MAX]] {
            assert_eq!(parameters(&Entry::plain(5), hidden), None, "{hidden:?}");
        }
        assert_eq!(parameters(&Entry::plain(MOST_PARAMETERS), &[1]), None);
        assert!(parameters(&Entry::plain(500), &[1024]).is_some());
    }

    #[test]
    fn a_network_without_hidden_layers_is_a_logistic_regression() {
        let table = crate::fixture::table(60, 0.0, false, 1);
        let coefficients =
            crate::Coefficients { weights: vec![0.3, -1.0, 0.5, 0.25, -0.75], intercept: -0.5 };
        let standardisation = Standardisation { mean: vec![50.0, 7.0], sd: vec![12.0, 2.0] };
        let contract = table.contract().clone();
        let network =
            Network { hidden: Vec::new(), embedding: None, packed: false, parameters: coefficients.to_vec() };
        let network = NetworkModel { contract: contract.clone(), standardisation, network };
        let standardisation = network.standardisation.clone();
        assert_eq!(network.network.coefficients(), Some(coefficients.clone()));
        let linear = crate::LinearModel { contract, standardisation, coefficients };
        let (ours, theirs) = (network.score(&table).unwrap(), linear.score(&table).unwrap());
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}
