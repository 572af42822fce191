//! What a linear model has learnt.

use serde::{Deserialize, Serialize};

use crate::encode::Inputs;
use crate::metrics::logistic;

/// Weights of the inputs, and the intercept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// One weight for each input, in the contract's order.
    pub weights: Vec<f64>,
    /// Log-odds where all inputs are zero.
    pub intercept: f64,
}

impl Coefficients {
    /// All zero but for the intercept, which gives every row `rate` as its probability.
    pub fn constant(inputs: usize, rate: f64) -> Self {
        Self { weights: vec![0.0; inputs], intercept: libm::log(rate / (1.0 - rate)) }
    }

    /// The probability of a positive for one encoded row.
    pub fn probability(&self, inputs: &Inputs, row: usize) -> f64 {
        logistic(self.intercept + inputs.dot(row, &self.weights))
    }

    /// Weights, then the intercept.
    pub fn to_vec(&self) -> Vec<f64> {
        self.weights.iter().copied().chain([self.intercept]).collect()
    }

    /// How many numbers they are: weights and intercept.
    pub fn count(&self) -> usize {
        self.weights.len() + 1
    }

    /// The numbers changed one by one, in the order of [`Self::to_vec`].
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        self.weights.iter_mut().chain([&mut self.intercept])
    }

    /// True if no number is NaN or infinite.
    pub fn is_finite(&self) -> bool {
        self.intercept.is_finite() && self.weights.iter().all(|weight| weight.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_model_gives_every_row_the_base_rate() {
        let table = crate::fixture::table(20, 0.0, false, 1);
        let standardisation = crate::Standardisation { mean: vec![0.0; 2], sd: vec![1.0; 2] };
        let inputs = Inputs::of(&table, &[0, 7], &standardisation).unwrap();
        let model = Coefficients::constant(inputs.inputs(), 0.117);
        assert!((0..2).all(|row| (model.probability(&inputs, row) - 0.117).abs() < 1e-15));
        assert_eq!(model.to_vec().len(), model.count());
    }
}
