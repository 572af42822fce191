//! A scorecard as `model.safetensors`.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::coding::ColumnBins;
use super::{ClassCounts, PointsScale, Scorecard, ScorecardMismatch, ScorecardModel, WoeCoding};
use crate::coefficients::Coefficients;
use crate::contract::Contract;
use crate::model::ModelError;

impl ScorecardModel {
    /// The bytes of `model.safetensors`. The same model always has the same bytes.
    ///
    /// I32 tensors `cuts` (of one numeric column after the other) and `cuts_of_column`, `group` (the bin of each level, of one
    /// categorical column after the other) and `levels_of_column`, `bins_of_column` and `used` (positions of columns); I64
    /// tensors `good` and `bad` (for each bin of each column); F64 tensors `weights`, `intercept` and `scale` (`base`, `odds`,
    /// `to_double`). Where numeric columns are nullable, an I32 tensor `missing` has the bin of the missing values of each.
    ///
    /// # Errors
    /// When the format cannot hold them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let unwritable = |error: safetensors::SafeTensorError| ModelError::Weights(error.to_string());
        let Scorecard { coding, coefficients } = &self.scorecard;
        let ColumnBins { cuts, groups, missing } = &coding.bins;
        let PointsScale { base, odds, to_double } = self.scale;
        let words = |lists: &[Vec<u16>]| integers(lists.iter().flatten().map(|&word| i32::from(word)));
        let lengths = |lists: &[Vec<u16>]| integers(lists.iter().map(|list| list.len() as i32));
        let counts = |of: fn(&ClassCounts) -> u64| {
            let counts = coding.counts.iter().flatten().flat_map(|bin| (of(bin) as i64).to_le_bytes());
            (Dtype::I64, counts.collect())
        };
        let mut tensors = vec![
            ("bad", counts(|bin| bin.bad)),
            ("bins_of_column", integers(coding.counts.iter().map(|bins| bins.len() as i32))),
            ("cuts", words(cuts)),
            ("cuts_of_column", lengths(cuts)),
            ("good", counts(|bin| bin.good)),
            ("group", words(groups)),
            ("intercept", floats(&[coefficients.intercept])),
            ("levels_of_column", lengths(groups)),
            ("scale", floats(&[base, odds, to_double])),
            ("used", integers(coding.used.iter().map(|&column| column as i32))),
            ("weights", floats(&coefficients.weights)),
        ];
        if !missing.is_empty() {
            tensors.push(("missing", integers(missing.iter().map(|&bin| i32::from(bin)))));
        }
        let views = tensors.iter().map(|(name, (dtype, bytes))| {
            let width = if *dtype == Dtype::I32 { 4 } else { 8 };
            Ok((*name, TensorView::new(*dtype, vec![bytes.len() / width], bytes)?))
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
        let words = |name: &str| -> Result<Vec<u16>, ModelError> {
            let words = i32s(&file, name)?.into_iter().map(u16::try_from);
            words.collect::<Result<_, _>>().map_err(|_| broken())
        };
        let cuts = divided(words("cuts")?, i32s(&file, "cuts_of_column")?)?;
        let groups = divided(words("group")?, i32s(&file, "levels_of_column")?)?;
        let has_missing = file.names().into_iter().any(|name| name == "missing");
        let missing = if has_missing { words("missing")? } else { Vec::new() };
        let (good, bad) = (i64s(&file, "good")?, i64s(&file, "bad")?);
        if good.len() != bad.len() {
            return Err(broken());
        }
        let counts = good.into_iter().zip(bad).map(|(good, bad)| {
            let count = |count: i64| u64::try_from(count).map_err(|_| broken());
            Ok(ClassCounts { good: count(good)?, bad: count(bad)? })
        });
        let counts = counts.collect::<Result<Vec<_>, ModelError>>()?;
        let counts = divided(counts, i32s(&file, "bins_of_column")?)?;
        let used = i32s(&file, "used")?.into_iter().map(u32::try_from);
        let used = used.collect::<Result<_, _>>().map_err(|_| broken())?;
        let [intercept] = f64s(&file, "intercept")?[..] else { return Err(broken()) };
        let [base, odds, to_double] = f64s(&file, "scale")?[..] else { return Err(broken()) };
        let coefficients = Coefficients { weights: f64s(&file, "weights")?, intercept };
        let coding = WoeCoding { bins: ColumnBins { cuts, groups, missing }, counts, used };
        let model = Self {
            contract: contract.clone(),
            scorecard: Scorecard { coding, coefficients },
            scale: PointsScale { base, odds, to_double },
        };
        model.check()?;
        // Also refuses what is left over.
        if model.to_safetensors()? == bytes { Ok(model) } else { Err(broken()) }
    }
}

fn broken() -> ModelError {
    ScorecardMismatch("tensors that belong together").into()
}

/// `values` in pieces of these lengths.
fn divided<T>(values: Vec<T>, lengths: Vec<i32>) -> Result<Vec<Vec<T>>, ModelError> {
    let lengths = lengths.into_iter().map(usize::try_from);
    let lengths: Vec<usize> = lengths.collect::<Result<_, _>>().map_err(|_| broken())?;
    let total = lengths.iter().try_fold(0_usize, |total, &length| total.checked_add(length));
    if total != Some(values.len()) {
        return Err(broken());
    }
    let mut values = values.into_iter();
    Ok(lengths.iter().map(|&length| values.by_ref().take(length).collect()).collect())
}

fn integers(values: impl Iterator<Item = i32>) -> (Dtype, Vec<u8>) {
    (Dtype::I32, values.flat_map(i32::to_le_bytes).collect())
}

fn floats(values: &[f64]) -> (Dtype, Vec<u8>) {
    (Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn i32s(file: &SafeTensors<'_>, name: &str) -> Result<Vec<i32>, ModelError> {
    let bytes = tensor(file, name, Dtype::I32)?;
    Ok(bytes.as_chunks().0.iter().map(|word| i32::from_le_bytes(*word)).collect())
}

fn i64s(file: &SafeTensors<'_>, name: &str) -> Result<Vec<i64>, ModelError> {
    let bytes = tensor(file, name, Dtype::I64)?;
    Ok(bytes.as_chunks().0.iter().map(|word| i64::from_le_bytes(*word)).collect())
}

fn f64s(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, ModelError> {
    let bytes = tensor(file, name, Dtype::F64)?;
    Ok(bytes.as_chunks().0.iter().map(|word| f64::from_le_bytes(*word)).collect())
}

fn tensor(file: &SafeTensors<'_>, name: &str, dtype: Dtype) -> Result<Vec<u8>, ModelError> {
    let tensor = file.tensor(name).map_err(|error| ModelError::Weights(error.to_string()))?;
    match tensor.dtype() == dtype {
        true => Ok(tensor.data().to_vec()),
        false => Err(ModelError::Weights(format!("`{name}` does not hold {dtype:?} numbers"))),
    }
}
