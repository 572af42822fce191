//! The trees of a model as `model.safetensors`.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::tree::{NONE, TreeFields};
use super::{Bins, Ensemble, MOST_TREES, Tree, TreeModel, TreesMismatch};
use crate::contract::Contract;
use crate::model::ModelError;

impl TreeModel {
    /// The bytes of `model.safetensors`. The same model always has the same bytes.
    ///
    /// F64 tensors `base`, `edges` (of one column after the other), `gain` (for each split) and `leaf`; I32 tensors
    /// `column` (for each part of each tree, level by level: the column that it splits by, -1 for a leaf), `bin` (for each
    /// split, -1 where it is by levels, -2 less the bin where missing values go right), `levels` (of one split after the other) and the lengths that divide them:
    /// `edges_of_column`, `levels_of_split`, `parts_of_tree`.
    ///
    /// # Errors
    /// When the format cannot hold them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let unwritable = |error: safetensors::SafeTensorError| ModelError::Weights(error.to_string());
        let fields: Vec<TreeFields> = self.ensemble.trees.iter().cloned().map(TreeFields::from).collect();
        let edges = &self.ensemble.bins.edges;
        let levels = || fields.iter().flat_map(|tree| &tree.levels);
        let tensors = [
            floats("base", [self.ensemble.base]),
            integers("bin", fields.iter().flat_map(|tree| tree.bin.iter().copied())),
            integers("column", fields.iter().flat_map(|tree| tree.column.iter().copied())),
            floats("edges", edges.iter().flatten().copied()),
            integers("edges_of_column", edges.iter().map(|edges| edges.len() as i32)),
            floats("gain", self.gains.iter().flatten().copied()),
            floats("leaf", fields.iter().flat_map(|tree| tree.leaf.iter().copied())),
            integers("levels", levels().flatten().map(|&level| i32::from(level))),
            integers("levels_of_split", levels().map(|levels| levels.len() as i32)),
            integers("parts_of_tree", fields.iter().map(|tree| tree.column.len() as i32)),
        ];
        let views = tensors.iter().map(|(name, dtype, bytes)| {
            Ok((*name, TensorView::new(*dtype, vec![bytes.len() / width(*dtype)], bytes)?))
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
        let [base] = floats_of(&file, "base")?[..] else {
            return Err(ModelError::Weights("`base` is not one number".into()));
        };
        let edges = floats_of(&file, "edges")?;
        let edges = divided(edges, &lengths_of(&file, "edges_of_column")?)?;
        let levels = integers_of(&file, "levels")?.into_iter().map(u16::try_from);
        let levels = levels.collect::<Result<Vec<_>, _>>().map_err(|_| broken())?;
        let mut levels = divided(levels, &lengths_of(&file, "levels_of_split")?)?.into_iter();
        let parts = lengths_of(&file, "parts_of_tree")?;
        if parts.len() > MOST_TREES {
            return Err(broken());
        }
        let (mut bins, mut leaves) =
            (integers_of(&file, "bin")?.into_iter(), floats_of(&file, "leaf")?.into_iter());
        let mut gain = floats_of(&file, "gain")?.into_iter();
        let (mut trees, mut gains) = (Vec::new(), Vec::new());
        for column in divided(integers_of(&file, "column")?, &parts)? {
            let leaf_count = column.iter().filter(|&&column| column == NONE).count();
            let splits = column.len() - leaf_count;
            let bin: Vec<_> = bins.by_ref().take(splits).collect();
            let by_levels = bin.iter().filter(|&&bin| bin == NONE).count();
            let levels = levels.by_ref().take(by_levels).collect();
            let leaf = leaves.by_ref().take(leaf_count).collect();
            trees.push(Tree::try_from(TreeFields { column, bin, levels, leaf })?);
            gains.push(gain.by_ref().take(splits).collect());
        }
        let ensemble = Ensemble { base, bins: Bins { edges }, trees };
        let model = Self { contract: contract.clone(), ensemble, gains };
        model.check()?;
        // Also refuses what is left over.
        if model.to_safetensors()? == bytes { Ok(model) } else { Err(broken()) }
    }
}

fn broken() -> ModelError {
    TreesMismatch("tensors that belong together").into()
}

/// `values` in pieces of these lengths.
fn divided<T>(values: Vec<T>, lengths: &[usize]) -> Result<Vec<Vec<T>>, ModelError> {
    let total = lengths.iter().try_fold(0_usize, |total, &length| total.checked_add(length));
    if total != Some(values.len()) {
        return Err(broken());
    }
    let mut values = values.into_iter();
    Ok(lengths.iter().map(|&length| values.by_ref().take(length).collect()).collect())
}

fn width(dtype: Dtype) -> usize {
    if dtype == Dtype::F64 { 8 } else { 4 }
}

fn floats(name: &'static str, values: impl IntoIterator<Item = f64>) -> (&'static str, Dtype, Vec<u8>) {
    (name, Dtype::F64, values.into_iter().flat_map(f64::to_le_bytes).collect())
}

fn integers(name: &'static str, values: impl IntoIterator<Item = i32>) -> (&'static str, Dtype, Vec<u8>) {
    (name, Dtype::I32, values.into_iter().flat_map(i32::to_le_bytes).collect())
}

fn floats_of(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, ModelError> {
    let words = words(file, name, Dtype::F64)?;
    Ok(words.as_chunks().0.iter().map(|word| f64::from_le_bytes(*word)).collect())
}

fn integers_of(file: &SafeTensors<'_>, name: &str) -> Result<Vec<i32>, ModelError> {
    let words = words(file, name, Dtype::I32)?;
    Ok(words.as_chunks().0.iter().map(|word| i32::from_le_bytes(*word)).collect())
}

fn lengths_of(file: &SafeTensors<'_>, name: &str) -> Result<Vec<usize>, ModelError> {
    let lengths = integers_of(file, name)?.into_iter().map(usize::try_from);
    lengths.collect::<Result<_, _>>().map_err(|_| broken())
}

fn words(file: &SafeTensors<'_>, name: &str, dtype: Dtype) -> Result<Vec<u8>, ModelError> {
    let tensor = file.tensor(name).map_err(|error| ModelError::Weights(error.to_string()))?;
    if tensor.dtype() != dtype {
        return Err(ModelError::Weights(format!("`{name}` does not hold {dtype:?} numbers")));
    }
    Ok(tensor.data().to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::tests::model;
    use super::*;
    use crate::Scoring as _;
    use crate::fixture;

    #[test]
    fn a_model_is_the_same_after_writing_and_reading() {
        let bytes = model().to_safetensors().unwrap();
        let read = TreeModel::from_safetensors(&fixture::contract(), &bytes).unwrap();
        assert_eq!(read, model());
        let table = fixture::table(50, 0.0, false, 1);
        assert_eq!(read.score(&table).unwrap(), model().score(&table).unwrap());
        let none = model().first(0);
        let bytes = none.to_safetensors().unwrap();
        assert_eq!(TreeModel::from_safetensors(&fixture::contract(), &bytes).unwrap(), none);
    }

    #[test]
    fn a_changed_byte_is_refused_or_makes_another_model() {
        let bytes = model().to_safetensors().unwrap();
        let mut refused = 0;
        for position in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut tampered = bytes.clone();
                tampered[position] ^= bit;
                match TreeModel::from_safetensors(&fixture::contract(), &tampered) {
                    Ok(other) => assert_ne!(other, model(), "byte {position}"),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > bytes.len(), "{refused} of {}", 2 * bytes.len());
        for length in 0..bytes.len() {
            assert!(TreeModel::from_safetensors(&fixture::contract(), &bytes[..length]).is_err());
        }
    }

    #[test]
    fn trees_of_another_contract_are_refused() {
        let bytes = model().to_safetensors().unwrap();
        let mut contract = fixture::contract();
        contract.columns.swap(0, 1);
        assert_eq!(TreeModel::from_safetensors(&contract, &bytes).unwrap_err().code(), "model.weights");
    }

    #[test]
    fn parts_that_do_not_fit_each_other_are_refused() {
        let refused = |bend: fn(&mut TreeModel)| {
            let mut model = model();
            bend(&mut model);
            let bytes = model.to_safetensors().unwrap();
            TreeModel::from_safetensors(&fixture::contract(), &bytes).is_err()
        };
        assert!(!refused(|_| ()));
        assert!(refused(|model| model.ensemble.base = f64::NAN));
        assert!(refused(|model| model.ensemble.bins.edges[1].reverse()));
        assert!(refused(|model| model.ensemble.bins.edges[0].clear()));
        assert!(refused(|model| drop(model.ensemble.bins.edges.pop())));
        assert!(refused(|model| model.ensemble.trees[0].set(1, f64::INFINITY)));
        assert!(refused(|model| model.gains[0][1] = f64::NAN));
        assert!(refused(|model| model.gains[1].clear()));
        assert!(refused(|model| model.gains[2].push(1.0)));
        assert!(refused(|model| drop(model.ensemble.trees.remove(0))));
    }
}
