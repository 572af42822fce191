//! From rows to model inputs: one 0/1 input for each level, and numbers (transformed by the table) standardised.
//!
//! A missing number is taken to be the mean of those that are there, 0 once standardised, and a 0/1 input of its own says
//! that it was missing; a missing level is a 0/1 input like any level. Both are part of the model, which so scores raw
//! rows. (Single imputation with an indicator, as Pedregosa et al., scikit-learn, `SimpleImputer(add_indicator=True)`.)

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::contract::Contract;
use crate::table::{Table, Values, is_missing};

/// Mean and population standard deviation of each numeric column, in contract order, after its transform, of the values that
/// are not missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardisation {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations, all positive; one where the column is constant.
    pub sd: Vec<f64>,
}

/// The inputs of some rows, sparse: the numeric inputs of each, and which 0/1 inputs are one.
pub struct Inputs {
    rows: usize,
    inputs: usize,
    /// Which inputs are numeric, or say that a number is missing.
    numeric: Vec<u32>,
    /// `numeric.len()` values for each row.
    values: Vec<f64>,
    /// Categorical columns.
    choices: usize,
    /// `choices` inputs that are one, for each row.
    ones: Vec<u32>,
}

/// A standardisation that does not fit its contract.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the standardisation does not fit the contract: one finite mean and positive deviation for each numeric column"
)]
pub struct StandardisationMismatch;

impl Standardisation {
    /// Checks it against the contract.
    ///
    /// # Errors
    /// When there is not one finite mean and one positive deviation for each numeric column.
    pub fn check(&self, contract: &Contract) -> Result<(), StandardisationMismatch> {
        let columns = contract.numeric().count();
        let fits = self.mean.len() == columns
            && self.sd.len() == columns
            && self.mean.iter().all(|mean| mean.is_finite())
            && self.sd.iter().all(|&sd| sd.is_finite() && sd > 0.0);
        if fits { Ok(()) } else { Err(StandardisationMismatch) }
    }
}

impl Inputs {
    /// The inputs of the rows at these positions of a table.
    ///
    /// # Errors
    /// When the standardisation is not one of the table's contract.
    pub fn of(
        table: &Table,
        rows: &[usize],
        standardisation: &Standardisation,
    ) -> Result<Self, StandardisationMismatch> {
        let contract = table.contract();
        standardisation.check(contract)?;
        let numeric_columns = standardisation.mean.len();
        let nullable_numbers = contract.nullable_numbers().filter(|&nullable| nullable).count();
        let width = numeric_columns + nullable_numbers;
        let mut encoded = Self {
            rows: rows.len(),
            inputs: contract.inputs(),
            numeric: Vec::with_capacity(width),
            values: vec![0.0; rows.len() * width],
            choices: contract.columns.len() - numeric_columns,
            ones: vec![0; rows.len() * (contract.columns.len() - numeric_columns)],
        };
        let mut scales = standardisation.mean.iter().zip(&standardisation.sd);
        let (mut first_input, mut choice) = (0, 0);
        for (column, values) in contract.columns.iter().zip(table.columns()) {
            match values {
                Values::Numeric(values) => {
                    let (mean, sd) = scales.next().ok_or(StandardisationMismatch)?;
                    let position = encoded.numeric.len();
                    let targets = encoded.values.iter_mut().skip(position).step_by(width);
                    targets.zip(rows).for_each(|(target, &row)| *target = (values[row] - mean) / sd);
                    encoded.numeric.push(first_input);
                    if column.nullable {
                        encoded.numeric.push(first_input + 1);
                        let of_rows = encoded.values.chunks_exact_mut(width).zip(rows);
                        of_rows.filter(|(_, row)| is_missing(values[**row])).for_each(|(of_row, _)| {
                            (of_row[position], of_row[position + 1]) = (0.0, 1.0);
                        });
                    }
                }
                Values::Categorical(values) => {
                    let targets = encoded.ones.iter_mut().skip(choice).step_by(encoded.choices);
                    targets
                        .zip(rows)
                        .for_each(|(target, &row)| *target = first_input + u32::from(values[row]));
                    choice += 1;
                }
            }
            first_input += column.inputs() as u32;
        }
        Ok(encoded)
    }

    /// The inputs of rows of several tables of one contract, one table after the other.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn joined(
        parts: &[(&Table, Vec<usize>)],
        standardisation: &Standardisation,
    ) -> Result<Self, StandardisationMismatch> {
        let none = Self {
            rows: 0,
            inputs: 0,
            numeric: Vec::new(),
            values: Vec::new(),
            choices: 0,
            ones: Vec::new(),
        };
        parts.iter().try_fold(none, |mut joined, (table, rows)| {
            let part = Self::of(table, rows, standardisation)?;
            joined.values.extend(&part.values);
            joined.ones.extend(&part.ones);
            Ok(Self { rows: joined.rows + part.rows, values: joined.values, ones: joined.ones, ..part })
        })
    }

    /// Rows encoded.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs for each row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The inputs of a row that are not zero, with their values.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + Clone + '_ {
        let values = &self.values[row * self.numeric.len()..][..self.numeric.len()];
        let ones = &self.ones[row * self.choices..][..self.choices];
        let numeric = self.numeric.iter().zip(values).map(|(&input, &value)| (input as usize, value));
        numeric.chain(ones.iter().map(|&input| (input as usize, 1.0)))
    }

    /// The product of a row and `weights`, one weight for each input.
    pub fn dot(&self, row: usize, weights: &[f64]) -> f64 {
        self.row(row).map(|(input, value)| weights[input] * value).sum()
    }

    /// Adds `factor` times a row to `target`.
    pub fn add_to(&self, row: usize, factor: f64, target: &mut [f64]) {
        self.row(row).for_each(|(input, value)| target[input] += factor * value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn levels_become_zero_one_inputs_and_numbers_are_standardised() {
        let contract = fixture::contract();
        let mut builder = crate::TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        builder.push(1, &["30", "field", "0", "1"], crate::Role::Train);
        builder.push(2, &["50", "none", "-9", "0"], crate::Role::Train);
        let table = builder.finish().unwrap();
        let standardisation = Standardisation { mean: vec![40.0, 0.0], sd: vec![5.0, 2.0] };
        let inputs = Inputs::of(&table, &[1, 0], &standardisation).unwrap();
        let dense = |row| {
            let mut dense = vec![0.0; inputs.inputs()];
            inputs.add_to(row, 1.0, &mut dense);
            dense
        };
        assert_eq!(dense(0), [2.0, 0.0, 0.0, 1.0, -libm::log1p(9.0) / 2.0]);
        assert_eq!(dense(1), [-2.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(inputs.dot(1, &[1.0, 10.0, 100.0, 1000.0, 1.0]), 98.0);
    }

    #[test]
    fn a_missing_value_is_the_mean_and_an_input_that_says_so() {
        let mut contract = fixture::contract();
        contract.columns.iter_mut().for_each(|column| column.nullable = true);
        let mut builder = crate::TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        builder.push(1, &["30", "", "", "1"], crate::Role::Train);
        builder.push(2, &["", "none", "-9", "0"], crate::Role::Train);
        let table = builder.finish().unwrap();
        let standardisation = Standardisation { mean: vec![40.0, 0.0], sd: vec![5.0, 2.0] };
        let inputs = Inputs::of(&table, &[0, 1], &standardisation).unwrap();
        let dense = |row| {
            let mut dense = vec![0.0; inputs.inputs()];
            inputs.add_to(row, 1.0, &mut dense);
            dense
        };
        // Age, and whether it is missing; three jobs, and none; balance, and whether it is missing.
        assert_eq!(dense(0), [-2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(dense(1), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, -libm::log1p(9.0) / 2.0, 0.0]);
    }

    #[test]
    fn a_standardisation_of_another_contract_is_refused() {
        let contract = fixture::contract();
        for (mean, sd) in
            [(vec![0.0], vec![1.0]), (vec![0.0; 2], vec![1.0, 0.0]), (vec![f64::NAN; 2], vec![1.0; 2])]
        {
            assert!(Standardisation { mean, sd }.check(&contract).is_err());
        }
    }
}
