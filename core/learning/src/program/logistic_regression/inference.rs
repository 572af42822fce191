//! What is known of a model's weights besides their values: standard errors, tests and collinearity.
//!
//! Wald tests from the observed information (McCullagh and Nelder, "Generalized linear models", 1989, 4.4). With a
//! penalty the covariance of the weights is that of the penalised estimate, A^-1 H A^-1 with A = H + N l2 (Gray,
//! JASA 87, 1992): weights are then drawn towards zero, and the tests are of what is left of them. Variance inflation factors: Marquardt,
//! Technometrics 12, 1970.

use serde::{Deserialize, Serialize};

use crate::coefficients::Coefficients;
use crate::contract::{ColumnKind, Contract};
use crate::encode::Standardisation;
use crate::linear::Cholesky;

/// What is known of a model at the end of its training, from the sums that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Whether training came to its minimum; otherwise the rounds were over first.
    pub converged: bool,
    /// Training rows of the last sum.
    pub rows: u64,
    /// Mean log-loss on them.
    pub log_loss: f64,
    /// Of each coefficient, the intercept last; none unless one level of each column is what the others are compared
    /// with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Vec<Inferred>>,
}

/// One coefficient, and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inferred {
    /// Name of the input, or `(intercept)`.
    pub input: String,
    /// Change of the log-odds with one standard deviation of the input, or with the level.
    pub coefficient: f64,
    /// The same with one unit of the input, after the transform of its column. Of the intercept: the log-odds where all such
    /// numbers are zero, not the means.
    pub per_unit: f64,
    /// Why it is zero, where nothing was learnt of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero: Option<Zero>,
    /// Standard error of `coefficient`; none where nothing was learnt of it.
    pub standard_error: Option<f64>,
    /// The coefficient in standard errors.
    pub z: Option<f64>,
    /// Two-sided probability of a |z| as large where the coefficient is zero.
    pub p: Option<f64>,
    /// Variance inflation factor: 1 where no other input says anything of this one; none for the intercept.
    pub vif: Option<f64>,
}

/// Why a weight is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zero {
    /// It is the level that the others of its column are compared with.
    FirstLevel,
    /// Inputs before it determine it, or it is the same in all rows.
    Redundant,
}

/// What inference is made of. Matrices are lower triangles in squares, row by row, the intercept last.
pub(super) struct Information {
    /// Of the log-loss, summed over all rows.
    pub(super) hessian: Vec<f64>,
    /// The same at a model that gives each row one probability.
    pub(super) moments: Vec<f64>,
    /// Penalty on the squared weights, times the rows.
    pub(super) penalty: f64,
    /// Whether a coefficient is fixed at zero.
    pub(super) fixed: Vec<bool>,
}

impl Information {
    pub(super) fn inference(
        &self,
        contract: &Contract,
        standardisation: &Standardisation,
        coefficients: &Coefficients,
    ) -> Vec<Inferred> {
        let errors = self.standard_errors();
        let factors = self.inflation();
        let names = contract.input_names().into_iter().chain(["(intercept)".into()]);
        let units = units(contract, standardisation);
        let origin = origin(contract, standardisation, coefficients);
        let of = |(position, ((input, coefficient), unit)): (usize, ((String, f64), f64))| {
            let standard_error = errors[position];
            let z = standard_error.map(|error| coefficient / error);
            let vif = factors.get(position).copied().flatten();
            let p = z.map(|z: f64| libm::erfc(z.abs() / std::f64::consts::SQRT_2));
            let zero = match (self.fixed[position], standard_error) {
                (true, _) => Some(Zero::FirstLevel),
                (false, None) => Some(Zero::Redundant),
                (false, Some(_)) => None,
            };
            let per_unit = if position == coefficients.weights.len() { origin } else { coefficient / unit };
            Inferred { input, coefficient, per_unit, zero, standard_error, z, p, vif }
        };
        names.zip(coefficients.to_vec()).zip(units).enumerate().map(of).collect()
    }

    fn standard_errors(&self) -> Vec<Option<f64>> {
        let width = self.fixed.len();
        let hessian = self.free(&self.hessian, width);
        let mut penalised = hessian.clone();
        (0..width - 1).filter(|&k| !self.fixed[k]).for_each(|k| penalised[k * width + k] += self.penalty);
        let factorised = Cholesky::of(penalised, width);
        let of = |coefficient: usize| {
            let row = unit_solution(&factorised, width, coefficient)?;
            let variance: f64 = (0..width).map(|a| row[a] * times_row(&hessian, width, a, &row)).sum();
            Some(libm::sqrt(variance)).filter(|error| error.is_finite() && *error > 0.0)
        };
        (0..width).map(of).collect()
    }

    /// Of the inputs, from their covariance: the intercept is taken out.
    fn inflation(&self) -> Vec<Option<f64>> {
        let width = self.fixed.len();
        let inputs = width - 1;
        let moments = self.free(&self.moments, width);
        let means = &moments[inputs * width..];
        let mut covariance = vec![0.0; inputs * inputs];
        for (a, b) in (0..inputs).flat_map(|a| (0..=a).map(move |b| (a, b))) {
            covariance[a * inputs + b] = moments[a * width + b] - means[a] * means[b] / means[inputs];
        }
        let variances: Vec<f64> = (0..inputs).map(|k| covariance[k * inputs + k]).collect();
        let factorised = Cholesky::of(covariance, inputs);
        let of = |input: usize| {
            let row = unit_solution(&factorised, inputs, input)?;
            Some(row[input] * variances[input]).filter(|factor| factor.is_finite())
        };
        (0..inputs).map(of).collect()
    }

    /// A matrix with nothing in the rows and columns of what is fixed.
    fn free(&self, matrix: &[f64], width: usize) -> Vec<f64> {
        let entry = |position: usize| {
            let (a, b) = (position / width, position % width);
            if self.fixed[a] || self.fixed[b] { 0.0 } else { matrix[position] }
        };
        (0..width * width).map(entry).collect()
    }
}

/// A row of the inverse; none where the unknown is not determined.
fn unit_solution(factorised: &Cholesky, width: usize, unknown: usize) -> Option<Vec<f64>> {
    if factorised.is_redundant(unknown) {
        return None;
    }
    let mut right = vec![0.0; width];
    right[unknown] = 1.0;
    Some(factorised.solve(&right))
}

/// A row of a symmetric matrix, given its lower triangle, times a vector.
fn times_row(matrix: &[f64], width: usize, row: usize, vector: &[f64]) -> f64 {
    let entry = |column: usize| matrix[row.max(column) * width + row.min(column)];
    (0..width).map(|column| entry(column) * vector[column]).sum()
}

/// The log-odds where all numbers are zero and all levels those that the others are compared with.
fn origin(contract: &Contract, standardisation: &Standardisation, coefficients: &Coefficients) -> f64 {
    let (mut numeric, mut weights) = (0, coefficients.weights.iter());
    let mut log_odds = coefficients.intercept;
    for column in &contract.columns {
        match &column.kind {
            ColumnKind::Numeric { .. } => {
                let known = standardisation.mean.get(numeric).zip(standardisation.sd.get(numeric));
                if let (Some(weight), Some((mean, sd))) = (weights.next(), known) {
                    log_odds -= weight * mean / sd;
                }
                numeric += 1;
            }
            ColumnKind::Categorical { levels } => weights.by_ref().take(levels.len()).for_each(drop),
        }
    }
    log_odds
}

/// For each coefficient, the intercept last, what one of its units is in deviations.
fn units(contract: &Contract, standardisation: &Standardisation) -> Vec<f64> {
    let mut deviations = standardisation.sd.iter().copied();
    let of_column = |column: &crate::contract::Column| {
        let mut of_inputs = vec![1.0; column.inputs()];
        if matches!(column.kind, ColumnKind::Numeric { .. }) {
            of_inputs[0] = deviations.next().unwrap_or(1.0);
        }
        of_inputs
    };
    contract.columns.iter().flat_map(of_column).chain([1.0]).collect()
}
