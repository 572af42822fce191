//! What training by an external trainer releases: its tensors. The trainer alone knows how they score a row.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::ExternalState;
use super::terms::{ExternalTerms, RESERVED};
use crate::contract::Contract;
use crate::encode::Standardisation;
use crate::model::{ModelError, Scoring};
use crate::program::statistics::Count;
use crate::table::Table;

/// The tensors that an external trainer has learnt in a federation.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalModel {
    /// The contract of the rows that it scores.
    pub contract: Contract,
    /// Which trainer, with which settings, and the tensors' names and shapes.
    pub terms: ExternalTerms,
    /// The numbers.
    pub state: ExternalState,
}

/// What the card of such a model says beside what all cards say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalCard {
    /// Trainer, settings and tensors, as in the job file.
    pub terms: ExternalTerms,
    /// Training rows of all institutions, and positives among them, which the trainer is told.
    pub training: Count,
}

/// The probabilities that a trainer gave some rows of a table.
pub struct RowScores(Vec<Option<f64>>);

impl RowScores {
    /// These probabilities of the rows at these positions of a table of `all` rows; none unless there is one within
    /// [0, 1] for each of them.
    pub fn new(all: usize, rows: &[usize], probabilities: &[f64]) -> Option<Self> {
        let are_good = probabilities.iter().all(|probability| (0.0..=1.0).contains(probability));
        if rows.len() != probabilities.len() || !are_good {
            return None;
        }
        let mut scores = vec![None; all];
        for (&row, &probability) in rows.iter().zip(probabilities) {
            *scores.get_mut(row)? = Some(probability);
        }
        Some(Self(scores))
    }
}

impl Scoring for RowScores {
    fn score_rows(&self, _table: &Table, rows: &[usize]) -> Result<Vec<f64>, ModelError> {
        rows.iter().map(|&row| self.0.get(row).copied().flatten().ok_or(ModelError::NeedsTrainer)).collect()
    }
}

impl ExternalModel {
    /// What its card says of it alone.
    pub fn card(&self) -> ExternalCard {
        ExternalCard { terms: self.terms.clone(), training: self.state.training }
    }

    /// The bytes of `model.safetensors`: each tensor under its name as F64, and `syndic.mean` and `syndic.sd`. The same model
    /// always has the same bytes.
    ///
    /// # Errors
    /// When the format cannot hold them.
    pub(crate) fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let unwritable = |error: safetensors::SafeTensorError| ModelError::Weights(error.to_string());
        let Standardisation { mean, sd } = &self.state.standardisation;
        let mut all = vec![
            (named("mean"), vec![mean.len()], bytes_of(mean)),
            (named("sd"), vec![sd.len()], bytes_of(sd)),
        ];
        let mut rest = self.state.parameters.as_slice();
        for tensor in &self.terms.tensors {
            let Some((values, after)) = rest.split_at_checked(tensor.elements()) else {
                return Err(self.misfit());
            };
            let shape = tensor.shape.iter().map(|&extent| extent as usize).collect();
            all.push((tensor.name.clone(), shape, bytes_of(values)));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(self.misfit());
        }
        all.sort();
        let views = all
            .iter()
            .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F64, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(unwritable)?;
        safetensors::serialize(views, None).map_err(unwritable)
    }

    /// The model in the bytes that [`Self::to_safetensors`] returned.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit the card or the contract.
    pub(crate) fn from_safetensors(
        contract: &Contract,
        card: &ExternalCard,
        weights: &[u8],
    ) -> Result<Self, ModelError> {
        card.terms.check().map_err(ModelError::Card)?;
        let file =
            SafeTensors::deserialize(weights).map_err(|error| ModelError::Weights(error.to_string()))?;
        let flat = |name: &str| numbers(&file, name, None);
        let standardisation = Standardisation { mean: flat(&named("mean"))?, sd: flat(&named("sd"))? };
        standardisation.check(contract)?;
        let mut parameters = Vec::new();
        for tensor in &card.terms.tensors {
            parameters.extend(numbers(&file, &tensor.name, Some(&tensor.shape))?);
        }
        let state = ExternalState { parameters, standardisation, training: card.training };
        Ok(Self { contract: contract.clone(), terms: card.terms.clone(), state })
    }

    fn misfit(&self) -> ModelError {
        ModelError::Inputs { expected: self.terms.elements(), found: self.state.parameters.len() }
    }
}

fn named(name: &str) -> String {
    format!("{RESERVED}{name}")
}

fn bytes_of(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn numbers(file: &SafeTensors<'_>, name: &str, shape: Option<&[u32]>) -> Result<Vec<f64>, ModelError> {
    let tensor = file.tensor(name).map_err(|error| ModelError::Weights(error.to_string()))?;
    let (words, _) = tensor.data().as_chunks::<8>();
    let values: Vec<f64> = words.iter().copied().map(f64::from_le_bytes).collect();
    let is_shaped = shape.is_none_or(|shape| {
        let extents = shape.iter().map(|&extent| extent as usize);
        tensor.shape().iter().copied().eq(extents)
    });
    if tensor.dtype() != Dtype::F64 || !is_shaped || !values.iter().all(|value| value.is_finite()) {
        return Err(ModelError::Weights(format!(
            "`{name}` does not hold finite F64 numbers of the card's shape"
        )));
    }
    Ok(values)
}
