//! The same network with all rows in one place, for comparison only: what pooling would reach, and what an institution
//! reaches alone.

use super::local::{Descent, Towards};
use super::terms::{ClassWeights, NeuralNetworkTerms};
use crate::encode::Inputs;
use crate::metrics::Metrics;
use crate::model::Scoring as _;
use crate::network::start::{Seeded, start};
use crate::network::{Network, NetworkModel, parameters};
use crate::optimiser::{Stepper, Steps};
use crate::program::ProgramError;
use crate::program::logistic_regression::LocalTraining;
use crate::program::statistics::Count;
use crate::reference::standardise;
use crate::table::{Role, Table};

/// The network of all training rows of `tables`, from the same start, by Adam, whose moments stay from one epoch to the
/// next: as many epochs as the federation passes over its rows, at most. Where there are validation rows it is that of
/// the epoch with the least log-loss on them, and training ends once none of ten epochs was any better.
///
/// Batches and learning rate are those of the terms where their local steps are Adam's; otherwise 128 and 0.001.
///
/// # Errors
/// [`ProgramError::OneClass`] without training rows of both classes; [`ProgramError::BadQuestion`] without tables, with
/// tables of several contracts, or where the terms do not fit the contract.
pub fn fit_pooled(
    tables: &[&Table],
    terms: &NeuralNetworkTerms,
    rounds: u32,
) -> Result<NetworkModel, ProgramError> {
    let bad = |what: &str| ProgramError::BadQuestion(what.into());
    let contract = tables.first().ok_or_else(|| bad("pooling needs tables"))?.contract();
    if tables.iter().any(|table| table.contract() != contract) {
        return Err(bad("pooling needs tables that keep one contract"));
    }
    let count = parameters(&terms.entry(contract), &terms.hidden)
        .ok_or_else(|| bad("no network has these layers"))?;
    let training: Vec<_> = tables.iter().map(|table| (*table, table.rows_for(Role::Train))).collect();
    let labels: Vec<bool> =
        training.iter().flat_map(|(table, rows)| rows.iter().map(|&row| table.labels()[row])).collect();
    let (rows, positives) = (labels.len() as u64, labels.iter().filter(|&&label| label).count() as u64);
    if positives == 0 || positives == rows {
        return Err(ProgramError::OneClass { rows, positives });
    }
    let counted = Count { rows, positives };
    let standardisation = standardise(contract, &training);
    let inputs = Inputs::joined(&training, &standardisation)?;
    let local = local(terms);
    let network = start(&terms.entry(contract), &terms.hidden, terms.seed, terms.base_rate(counted));
    let class_weights = ClassWeights::of(terms.averaging.class_weights, counted);
    let mut descent = Descent::new((terms.entry(contract), &terms.hidden), (&inputs, &labels), class_weights);
    let mut stepper = Stepper::new(Steps::Adam, count);
    let mut order = Seeded::new(terms.seed);
    let mut parameters = network.parameters.clone();
    let towards = Towards { proximal: None, common: &[], correction: None };
    let mut best = Best { loss: f64::INFINITY, parameters: parameters.clone(), epochs_since: 0 };
    for _ in 0..rounds.saturating_mul(terms.averaging.local.local_epochs) {
        descent.epoch(&mut parameters, &local, &towards, &mut stepper, &mut order);
        let network = Network { parameters: parameters.clone(), ..network.clone() };
        let model =
            NetworkModel { contract: contract.clone(), standardisation: standardisation.clone(), network };
        best.hear(model.evaluate(tables, Role::Validation)?, &parameters);
        if best.epochs_since >= PATIENCE {
            break;
        }
    }
    let network = Network { parameters: best.parameters, ..network };
    Ok(NetworkModel { contract: contract.clone(), standardisation, network })
}

/// The model with the least loss so far, or the last where none is measured.
struct Best {
    loss: f64,
    parameters: Vec<f64>,
    epochs_since: u32,
}

impl Best {
    fn hear(&mut self, measured: Option<Metrics>, parameters: &[f64]) {
        if measured.is_none_or(|metrics| metrics.log_loss < self.loss) {
            self.loss = measured.map_or(f64::INFINITY, |metrics| metrics.log_loss);
            self.parameters.copy_from_slice(parameters);
            self.epochs_since = 0;
        } else {
            self.epochs_since += 1;
        }
    }
}

fn local(terms: &NeuralNetworkTerms) -> LocalTraining {
    let local = terms.averaging.local.in_round(1, terms.l2);
    match terms.averaging.steps {
        Steps::Adam => local,
        Steps::Sgd => LocalTraining { batch_size: 128, learning_rate: 1e-3, ..local },
    }
}

const PATIENCE: u32 = 10;
