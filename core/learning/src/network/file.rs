//! A network as `model.safetensors`.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::entry::embedded;
use super::{MOST_LAYERS, Network, NetworkModel, layers};
use crate::contract::Contract;
use crate::encode::Standardisation;
use crate::linear_model::{bytes_of, numbers};
use crate::model::ModelError;

impl NetworkModel {
    /// The bytes of `model.safetensors`: F64 tensors `mean` and `sd`, of each column whose levels have vectors `vectors.k`, levels
    /// by numbers, k counting all columns of the contract from 1, and of each layer k from 1 on `weights.k`, inputs by units, and
    /// `biases.k`; the last layer, of one unit, is the output. The same model always has the same bytes.
    ///
    /// # Errors
    /// When the format cannot hold them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let unwritable = |error: safetensors::SafeTensorError| ModelError::Weights(error.to_string());
        let (mean, sd) = (&self.standardisation.mean, &self.standardisation.sd);
        let mut tensors = vec![
            ("mean".to_owned(), vec![mean.len()], bytes_of(mean)),
            ("sd".to_owned(), vec![sd.len()], bytes_of(sd)),
        ];
        self.check()?;
        let parameters = &self.network.parameters;
        let entry = self.network.entry(&self.contract);
        let mut from = 0;
        for (column, positions) in embedded(&self.contract, self.network.embedding).into_iter().enumerate() {
            let Some(positions) = positions else { continue };
            let to = from + positions * entry.dimension();
            let shape = vec![positions, entry.dimension()];
            tensors.push((vectors(column), shape, bytes_of(&parameters[from..to])));
            from = to;
        }
        for (position, layer) in layers(&entry, &self.network.hidden).iter().enumerate() {
            let (weights, biases) = names(position);
            let shape = vec![layer.inputs, layer.units];
            tensors.push((weights, shape, bytes_of(&parameters[layer.weights()])));
            tensors.push((biases, vec![layer.units], bytes_of(&parameters[layer.biases()])));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(Dtype::F64, shape.clone(), bytes)?))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
        safetensors::serialize(views, None).map_err(unwritable)
    }

    /// The model of rows under `contract` whose [`Self::to_safetensors`] these bytes are. Other bytes are refused, even
    /// such as say the same.
    ///
    /// # Errors
    /// When the bytes cannot be read, or do not fit each other or the contract.
    pub fn from_safetensors(contract: &Contract, bytes: &[u8]) -> Result<Self, ModelError> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| ModelError::Weights(error.to_string()))?;
        let (mut parameters, mut units, mut embedding) = (Vec::new(), Vec::new(), None);
        for name in (0..contract.columns.len()).map(vectors) {
            let Ok(tensor) = file.tensor(&name) else { continue };
            // All are as wide; what does not fit is refused below.
            let width = tensor.shape().last().ok_or_else(broken)?;
            embedding = Some(u32::try_from(*width).map_err(|_| broken())?);
            parameters.extend(numbers(&file, &name)?);
        }
        for position in 0..=MOST_LAYERS {
            let (weights, biases) = names(position);
            if position > 0 && file.tensor(&weights).is_err() {
                break;
            }
            parameters.extend(numbers(&file, &weights)?);
            let biases = numbers(&file, &biases)?;
            units.push(u32::try_from(biases.len()).map_err(|_| broken())?);
            parameters.extend(biases);
        }
        if units.pop() != Some(1) {
            return Err(broken());
        }
        let model = Self {
            contract: contract.clone(),
            standardisation: Standardisation { mean: numbers(&file, "mean")?, sd: numbers(&file, "sd")? },
            network: Network { hidden: units, embedding, packed: false, parameters },
        };
        model.check()?;
        // Also refuses what is left over, and other shapes.
        if model.to_safetensors()? == bytes { Ok(model) } else { Err(broken()) }
    }
}

/// Of the tensor of a column's vectors.
fn vectors(column: usize) -> String {
    format!("vectors.{}", column + 1)
}

/// Of the tensors of a layer.
fn names(position: usize) -> (String, String) {
    (format!("weights.{}", position + 1), format!("biases.{}", position + 1))
}

fn broken() -> ModelError {
    ModelError::Weights("its tensors are not those of a network".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::network::entry::Entry;
    use crate::network::start::start;

    fn model(hidden: &[u32]) -> NetworkModel {
        model_with(hidden, None)
    }

    fn model_with(hidden: &[u32], embedding: Option<u32>) -> NetworkModel {
        let standardisation = Standardisation { mean: vec![50.0, 8.0], sd: vec![10.0, 2.0] };
        let entry = Entry::of(&fixture::contract(), embedding);
        let mut network = start(&entry, hidden, 1, 0.3);
        // Zeros have a sign that no comparison tells.
        network.parameters.iter_mut().filter(|value| **value == 0.0).for_each(|bias| *bias = 0.25);
        NetworkModel { contract: fixture::contract(), standardisation, network }
    }

    #[test]
    fn a_model_is_the_same_after_writing_and_reading() {
        for hidden in [&[3][..], &[4, 2], &[2, 2, 2, 2]] {
            let bytes = model(hidden).to_safetensors().unwrap();
            assert_eq!(NetworkModel::from_safetensors(&fixture::contract(), &bytes).unwrap(), model(hidden));
        }
    }

    #[test]
    fn vectors_of_levels_are_tensors_of_their_own() {
        let mut model = model_with(&[3], Some(2));
        (0..6).for_each(|place| model.network.parameters[place] = 1.0 + place as f64);
        let bytes = model.to_safetensors().unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("vectors.2").unwrap().shape(), [3, 2]);
        assert_eq!(numbers(&file, "vectors.2").unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(file.tensor("weights.1").unwrap().shape(), [4, 3]);
        assert_eq!(NetworkModel::from_safetensors(&fixture::contract(), &bytes).unwrap(), model);
        // Of a contract in which that column has other levels, or none, they are no model.
        let mut other = fixture::contract();
        let crate::ColumnKind::Categorical { levels } = &mut other.columns[1].kind else { unreachable!() };
        levels.push("abroad".into());
        assert!(NetworkModel::from_safetensors(&other, &bytes).is_err());
        other.columns.swap(0, 1);
        assert!(NetworkModel::from_safetensors(&other, &bytes).is_err());
    }

    #[test]
    fn a_changed_byte_is_refused_or_makes_another_model() {
        let bytes = model(&[3]).to_safetensors().unwrap();
        for position in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut tampered = bytes.clone();
                tampered[position] ^= bit;
                if let Ok(other) = NetworkModel::from_safetensors(&fixture::contract(), &tampered) {
                    assert_ne!(other, model(&[3]), "byte {position}");
                }
            }
        }
        for length in 0..bytes.len() {
            assert!(NetworkModel::from_safetensors(&fixture::contract(), &bytes[..length]).is_err());
        }
    }

    #[test]
    fn parts_that_do_not_fit_each_other_are_not_written() {
        let refused = |bend: fn(&mut NetworkModel)| {
            let mut model = model(&[3]);
            bend(&mut model);
            model.to_safetensors().is_err()
        };
        assert!(!refused(|_| ()));
        assert!(refused(|model| model.network.parameters.truncate(1)));
        assert!(refused(|model| model.network.parameters[0] = f64::NAN));
        assert!(refused(|model| model.network.hidden.push(2)));
        assert!(refused(|model| model.standardisation.sd[0] = 0.0));
    }
}
