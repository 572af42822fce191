//! Training with all rows in one place, for comparison only: what pooling would reach, and what an
//! institution reaches alone.
//!
//! The same model under the same terms as the federated program: a linear one with its penalty (mean log-loss +
//! l2/2 |w|^2, intercept free), minimised by Newton's method with step halving; trees on the same bins; networks by Adam.

use thiserror::Error;

use crate::coefficients::Coefficients;
use crate::contract::{ColumnKind, Contract};
use crate::encode::{Inputs, Standardisation};
use crate::job::{Encoding, Job, LogisticRegressionTerms, ProgramTerms, Rounds, Solver};
use crate::linear::{Cholesky, hold};
use crate::linear_model::LinearModel;
use crate::metrics::log_loss;
use crate::model::{Model, ModelError, Scoring as _};
use crate::program::boosted_trees::TreesTerms;
use crate::program::neural_network::ClassWeights;
use crate::program::statistics::Count;
use crate::program::{ProgramError, boosted_trees, neural_network, scorecard};
use crate::table::{Role, Table, Values, is_missing};
use crate::trees::TreeModel;

/// Why there is nothing to fit.
#[derive(Debug, Error)]
pub enum FitError {
    /// No tables, or tables under different contracts.
    #[error("pooling needs tables that keep one contract")]
    Contracts,
    /// No training rows, or all of one class.
    #[error("the training rows hold {positives} positives among {rows}; both classes are needed")]
    OneClass {
        /// Training rows.
        rows: usize,
        /// Positives among them.
        positives: usize,
    },
    /// Nobody but its trainer can train it.
    #[error("the job trains by an external trainer, which runs beside a participant only")]
    External,
    /// It trains nothing.
    #[error("the job compares released models or describes rows, and trains none")]
    Evaluation,
    /// The parts of the model do not fit; cannot happen for tables of one contract.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The program cannot be run on the tables.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl FitError {
    /// Stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Contracts => "fit.contracts",
            Self::OneClass { .. } => "fit.one-class",
            Self::External => "fit.external-trainer",
            Self::Evaluation => "fit.no-training",
            Self::Model(error) => error.code(),
            Self::Program(error) => error.code(),
        }
    }
}

/// The model that `job` would release if all rows of `tables` were in one place.
///
/// # Errors
/// [`FitError`] without training rows of both classes, or with tables of several contracts.
pub fn fit(job: &Job, tables: &[&Table]) -> Result<Model, FitError> {
    let LogisticRegressionTerms { solver, l2 } = match &job.program {
        ProgramTerms::LogisticRegression(terms) => *terms,
        ProgramTerms::BoostedTrees(terms) => {
            let terms = match &**terms {
                TreesTerms::Best(terms) => terms.growing(job.rounds.count),
                TreesTerms::Random(terms) => terms.without_noise(),
            };
            let trees = boosted_trees::fit_pooled(tables, &terms)?;
            return Ok(Model::Trees(best(trees, tables, &job.rounds)?));
        }
        ProgramTerms::NeuralNetwork(terms) => {
            let terms = terms.without_noise();
            return Ok(Model::Network(neural_network::fit_pooled(tables, &terms, job.rounds.count)?));
        }
        ProgramTerms::Scorecard(terms) => {
            return Ok(Model::Scorecard(scorecard::fit_pooled(tables, terms)?));
        }
        ProgramTerms::External(_) => return Err(FitError::External),
        ProgramTerms::Evaluation(_) | ProgramTerms::Statistics(_) | ProgramTerms::Drift(_) => {
            return Err(FitError::Evaluation);
        }
    };
    let (encoding, class_weights) = match solver {
        Solver::Newton { encoding, class_weights } => (encoding, class_weights),
        Solver::FedAvg(_) | Solver::NoisyGradient(_) => (Encoding::AllLevels, None),
        Solver::Averaging(averaging) => (Encoding::AllLevels, averaging.class_weights),
    };
    Ok(Model::Linear(fit_weighted(tables, l2, encoding, class_weights)?))
}

/// As many of the first trees as have the least log-loss on validation rows; all of them where there are no such rows.
fn best(model: TreeModel, tables: &[&Table], rounds: &Rounds) -> Result<TreeModel, ModelError> {
    let mut best = (f64::INFINITY, model.ensemble.trees.len());
    for trees in 1..=model.ensemble.trees.len() {
        let Some(metrics) = model.first(trees).evaluate(tables, Role::Validation)? else { return Ok(model) };
        if metrics.log_loss < best.0 {
            best = (metrics.log_loss, trees);
        }
        if rounds.give_up(trees as u32, best.1 as u32) {
            break;
        }
    }
    Ok(model.first(best.1))
}

/// The penalised maximum-likelihood model of all training rows of `tables`, standardised by those rows, with a weight
/// for the inputs that `encoding` says.
///
/// # Errors
/// [`FitError`] without rows of both classes, or with tables of several contracts.
pub fn fit_linear(tables: &[&Table], l2: f64, encoding: Encoding) -> Result<LinearModel, FitError> {
    fit_weighted(tables, l2, encoding, None)
}

/// The same with rows that count by their class.
fn fit_weighted(
    tables: &[&Table],
    l2: f64,
    encoding: Encoding,
    class_weights: Option<ClassWeights>,
) -> Result<LinearModel, FitError> {
    let contract = tables.first().ok_or(FitError::Contracts)?.contract();
    if tables.iter().any(|table| table.contract() != contract) {
        return Err(FitError::Contracts);
    }
    let training: Vec<_> = tables.iter().map(|table| (*table, table.rows_for(Role::Train))).collect();
    fit_training(&training, standardise(contract, &training), l2, encoding, class_weights)
}

/// The same with a given standardisation, and a weight for every input.
///
/// # Errors
/// As [`fit_linear`], or where the standardisation does not fit.
pub(crate) fn fit_standardised(
    tables: &[&Table],
    standardisation: Standardisation,
    l2: f64,
) -> Result<LinearModel, FitError> {
    let training: Vec<_> = tables.iter().map(|table| (*table, table.rows_for(Role::Train))).collect();
    fit_training(&training, standardisation, l2, Encoding::AllLevels, None)
}

fn fit_training(
    training: &[(&Table, Vec<usize>)],
    standardisation: Standardisation,
    l2: f64,
    encoding: Encoding,
    class_weights: Option<ClassWeights>,
) -> Result<LinearModel, FitError> {
    let contract = training.first().ok_or(FitError::Contracts)?.0.contract();
    let labels: Vec<bool> =
        training.iter().flat_map(|(table, rows)| rows.iter().map(|&row| table.labels()[row])).collect();
    let (rows, positives) = (labels.len(), labels.iter().filter(|&&label| label).count());
    if positives == 0 || positives == rows {
        return Err(FitError::OneClass { rows, positives });
    }
    let inputs = training
        .iter()
        .map(|(table, rows)| Inputs::of(table, rows, &standardisation).map_err(ModelError::from))
        .collect::<Result<Vec<_>, _>>()?;
    let fixed = encoding.fixed(contract);
    let counted = Count { rows: rows as u64, positives: positives as u64 };
    let class_weights = ClassWeights::of(class_weights, counted);
    let problem = Problem { inputs, labels, class_weights, l2, fixed, width: contract.inputs() + 1 };
    let coefficients =
        problem.solve(Coefficients::constant(contract.inputs(), positives as f64 / rows as f64));
    Ok(LinearModel { contract: contract.clone(), standardisation, coefficients })
}

/// Mean and population standard deviation of the values that are not missing, in two passes.
pub(crate) fn standardise(contract: &Contract, training: &[(&Table, Vec<usize>)]) -> Standardisation {
    let mut standardisation = Standardisation { mean: Vec::new(), sd: Vec::new() };
    for column in 0..contract.columns.len() {
        let ColumnKind::Numeric { transform, min, max } = contract.columns[column].kind else { continue };
        let values = || {
            let of_table = move |(table, rows): &(&Table, Vec<usize>)| match &table.columns()[column] {
                Values::Numeric(values) => rows.iter().map(|&row| values[row]).collect(),
                Values::Categorical(_) => Vec::new(),
            };
            training.iter().flat_map(of_table).filter(|&value| !is_missing(value))
        };
        let count = values().count() as f64;
        if count == 0.0 {
            standardisation.mean.push(transform.centre_and_half_range(min, max).0);
            standardisation.sd.push(1.0);
            continue;
        }
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
        let sd = if variance > 1e-18 * (1.0 + mean * mean) { variance.sqrt() } else { 1.0 };
        standardisation.mean.push(mean);
        standardisation.sd.push(sd);
    }
    standardisation
}

/// Minimise mean log-loss + l2/2 |w|^2 over weights and intercept, the intercept last and unpenalised.
struct Problem {
    inputs: Vec<Inputs>,
    labels: Vec<bool>,
    /// How much a negative and a positive count.
    class_weights: [f64; 2],
    l2: f64,
    /// Whether a coefficient stays zero.
    fixed: Vec<bool>,
    width: usize,
}

impl Problem {
    fn solve(&self, start: Coefficients) -> Coefficients {
        let mut best = start;
        let mut objective = self.objective(&best);
        for _ in 0..MOST_STEPS {
            let (gradient, hessian) = self.derivatives(&best);
            if gradient.iter().all(|slope| slope.abs() < FLAT) {
                break;
            }
            let direction = Cholesky::of(hessian, self.width).solve(&gradient);
            let improved = (0..MOST_HALVINGS).find_map(|halvings| {
                let step = libm::exp2(-f64::from(halvings));
                let mut next = best.clone();
                next.values_mut().zip(&direction).for_each(|(value, change)| *value -= step * change);
                let reached = self.objective(&next);
                (reached < objective).then_some((next, reached))
            });
            // No step improves it: as good as f64 can tell.
            let Some((next, reached)) = improved else { break };
            (best, objective) = (next, reached);
        }
        best
    }

    fn rows(&self) -> impl Iterator<Item = (&Inputs, usize, bool)> {
        let rows = self.inputs.iter().flat_map(|inputs| (0..inputs.rows()).map(move |row| (inputs, row)));
        rows.zip(&self.labels).map(|((inputs, row), &label)| (inputs, row, label))
    }

    fn objective(&self, at: &Coefficients) -> f64 {
        let of_row = |(inputs, row, label): (&Inputs, usize, bool)| {
            self.class_weights[usize::from(label)] * log_loss(at.probability(inputs, row), label)
        };
        let loss: f64 = self.rows().map(of_row).sum();
        let norm: f64 = at.weights.iter().map(|weight| weight * weight).sum();
        loss / self.labels.len() as f64 + self.l2 / 2.0 * norm
    }

    /// Gradient, and the lower triangle of the Hessian in a square matrix, row by row.
    fn derivatives(&self, at: &Coefficients) -> (Vec<f64>, Vec<f64>) {
        let (width, count) = (self.width, self.labels.len() as f64);
        let (mut gradient, mut hessian) = (vec![0.0; width], vec![0.0; width * width]);
        let mut row_inputs = Vec::new();
        for (inputs, row, label) in self.rows() {
            let probability = at.probability(inputs, row);
            let weight = self.class_weights[usize::from(label)] / count;
            let slope = weight * (probability - f64::from(u8::from(label)));
            let curvature = weight * probability * (1.0 - probability);
            row_inputs.clear();
            row_inputs.extend(inputs.row(row));
            row_inputs.push((width - 1, 1.0));
            for &(a, x) in &row_inputs {
                gradient[a] += slope * x;
                for &(b, y) in &row_inputs {
                    if b <= a {
                        hessian[a * width + b] += curvature * x * y;
                    }
                }
            }
        }
        for (input, weight) in at.weights.iter().enumerate() {
            gradient[input] += self.l2 * weight;
            hessian[input * width + input] += self.l2;
        }
        hold(&self.fixed, &mut gradient, &mut hessian);
        (gradient, hessian)
    }
}

const MOST_STEPS: usize = 60;
const MOST_HALVINGS: i32 = 20;
/// A gradient this small in every entry ends the search.
const FLAT: f64 = 1e-10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_gradient_vanishes_at_the_fit() {
        let (a, b) = (fixture::table(800, 0.0, false, 1), fixture::table(600, 1.0, false, 2));
        let model = fit_linear(&[&a, &b], 1e-3, Encoding::AllLevels).unwrap();
        let rows = [a.rows_for(Role::Train), b.rows_for(Role::Train)];
        let (mut intercept, mut count, mut weights) = (0.0, 0.0, vec![0.0; 5]);
        for (table, rows) in [&a, &b].into_iter().zip(&rows) {
            let inputs = Inputs::of(table, rows, &model.standardisation).unwrap();
            for (position, &row) in rows.iter().enumerate() {
                let label = if table.labels()[row] { 1.0 } else { 0.0 };
                let slope = model.coefficients.probability(&inputs, position) - label;
                intercept += slope;
                inputs.add_to(position, slope, &mut weights);
                count += 1.0;
            }
        }
        assert!((intercept / count).abs() < 1e-9);
        for (slope, weight) in weights.iter().zip(&model.coefficients.weights) {
            assert!((slope / count + 1e-3 * weight).abs() < 1e-9);
        }
    }

    #[test]
    fn without_a_penalty_redundant_inputs_do_no_harm() {
        let table = fixture::table(500, 0.0, false, 3);
        let model = fit_linear(&[&table], 0.0, Encoding::AllLevels).unwrap();
        assert!(model.coefficients.is_finite());
        let penalised = fit_linear(&[&table], 1e-6, Encoding::AllLevels).unwrap();
        let (free, held) = (model.score(&table).unwrap(), penalised.score(&table).unwrap());
        assert!(free.iter().zip(&held).all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn nothing_is_fitted_without_tables() {
        assert_eq!(fit_linear(&[], 1e-3, Encoding::AllLevels).unwrap_err().code(), "fit.contracts");
    }
}
