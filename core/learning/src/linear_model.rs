//! A logistic regression with its preprocessing, so that it scores raw rows.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::coefficients::Coefficients;
use crate::column::BLOCK;
use crate::contract::Contract;
use crate::encode::{Inputs, Standardisation};
use crate::model::{ModelError, Scoring};
use crate::table::Table;

/// A logistic regression with its preprocessing.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearModel {
    /// The contract of the rows that it scores.
    pub contract: Contract,
    /// How numeric inputs are scaled.
    pub standardisation: Standardisation,
    /// What it has learnt.
    pub coefficients: Coefficients,
}

impl Scoring for LinearModel {
    fn score_rows(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>, ModelError> {
        if *table.contract() != self.contract {
            return Err(ModelError::Contract { expected: self.contract.id(), found: table.contract().id() });
        }
        self.check()?;
        let mut scores = Vec::with_capacity(rows.len());
        for rows in rows.chunks(BLOCK) {
            let inputs = Inputs::of(table, rows, &self.standardisation)?;
            scores.extend((0..inputs.rows()).map(|row| self.coefficients.probability(&inputs, row)));
        }
        Ok(scores)
    }
}

impl LinearModel {
    /// The bytes of `model.safetensors`: F64 tensors `weights`, `intercept`, `mean` and `sd`. The same model
    /// always has the same bytes.
    ///
    /// # Errors
    /// When the format cannot hold them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let unwritable = |error: safetensors::SafeTensorError| ModelError::Weights(error.to_string());
        let tensors = [
            ("intercept", bytes_of(&[self.coefficients.intercept])),
            ("mean", bytes_of(&self.standardisation.mean)),
            ("sd", bytes_of(&self.standardisation.sd)),
            ("weights", bytes_of(&self.coefficients.weights)),
        ];
        let views = tensors
            .iter()
            .map(|(name, bytes)| Ok((*name, TensorView::new(Dtype::F64, vec![bytes.len() / 8], bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(unwritable)?;
        safetensors::serialize(views, None).map_err(unwritable)
    }

    /// The model in the bytes that [`Self::to_safetensors`] returned.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit the contract.
    pub(crate) fn from_safetensors(contract: &Contract, weights: &[u8]) -> Result<Self, ModelError> {
        let file =
            SafeTensors::deserialize(weights).map_err(|error| ModelError::Weights(error.to_string()))?;
        let tensor = |name: &str| numbers(&file, name);
        let intercept = match tensor("intercept")?.as_slice() {
            &[intercept] => intercept,
            _ => return Err(ModelError::Weights("`intercept` is not one number".into())),
        };
        let model = Self {
            contract: contract.clone(),
            standardisation: Standardisation { mean: tensor("mean")?, sd: tensor("sd")? },
            coefficients: Coefficients { weights: tensor("weights")?, intercept },
        };
        model.check()?;
        Ok(model)
    }

    pub(crate) fn check(&self) -> Result<(), ModelError> {
        self.standardisation.check(&self.contract)?;
        let (expected, found) = (self.contract.inputs(), self.coefficients.weights.len());
        if expected == found { Ok(()) } else { Err(ModelError::Inputs { expected, found }) }
    }
}

pub(crate) fn bytes_of(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn numbers(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, ModelError> {
    let tensor = file.tensor(name).map_err(|error| ModelError::Weights(error.to_string()))?;
    let words = tensor.data().chunks_exact(8).filter_map(|word| word.try_into().ok());
    let values: Vec<f64> = words.map(f64::from_le_bytes).collect();
    if tensor.dtype() != Dtype::F64 || !values.iter().all(|value| value.is_finite()) {
        return Err(ModelError::Weights(format!("`{name}` does not hold finite F64 numbers")));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn rows_of_several_blocks_have_the_scores_that_they_have_at_once() {
        let table = fixture::table(2 * BLOCK as u64 + 3, 0.5, false, 3);
        let contract = table.contract().clone();
        let standardisation = Standardisation { mean: vec![50.0, 4.0], sd: vec![20.0, 3.0] };
        let coefficients = Coefficients { weights: vec![0.4, -0.3, 0.2, 0.1, -0.7], intercept: 0.25 };
        let model = LinearModel { contract, standardisation, coefficients };
        let rows: Vec<usize> = (0..table.rows()).rev().collect();

        let scores = model.score_rows(&table, &rows).unwrap();

        let inputs = Inputs::of(&table, &rows, &model.standardisation).unwrap();
        let at_once = (0..inputs.rows()).map(|row| model.coefficients.probability(&inputs, row));
        assert!(scores.iter().map(|score| score.to_bits()).eq(at_once.map(f64::to_bits)));
        assert_eq!(scores.len(), table.rows());
    }
}
