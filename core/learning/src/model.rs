//! The model that a job releases, preprocessing included, so that it scores raw rows, and its two files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syndic_round::Digest;
use thiserror::Error;

use crate::contract::Contract;
use crate::encode::StandardisationMismatch;
use crate::job::parse_contract;
use crate::linear_model::LinearModel;
use crate::metrics::Metrics;
use crate::network::NetworkModel;
use crate::privacy::claim::Claim;
use crate::program::drift::figures::DriftFigures;
use crate::program::external::model::{ExternalCard, ExternalModel};
use crate::program::fairness::figures::FairnessFigures;
use crate::program::logistic_regression::inference::Fit;
use crate::program::{boosted_trees, external, logistic_regression, neural_network, scorecard};
use crate::scorecard::{ScorecardModel, ScorecardTable};
use crate::table::{Role, Table};
use crate::trees::{Tree, TreeModel};

/// What a job releases.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// A logistic regression.
    Linear(LinearModel),
    /// Boosted trees.
    Trees(TreeModel),
    /// A network with hidden layers.
    Network(NetworkModel),
    /// A scorecard.
    Scorecard(ScorecardModel),
    /// What an external trainer has learnt.
    External(ExternalModel),
}

/// What `model.json` says beside `model.safetensors`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Name of the program that trained it.
    pub program: String,
    /// The contract of the rows that it scores.
    pub contract: Contract,
    /// A name for each weight, or for each column that trees split by or a scorecard bins.
    pub inputs: Vec<String>,
    /// SHA-256 of `model.safetensors`.
    pub weights_digest: Digest,
    /// What else is known of the weights, where their solver knows more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// The points table, where the model is a scorecard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorecard: Option<ScorecardTable>,
    /// How the model treats groups, where the job compared them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<FairnessFigures>,
    /// Where the rows were that it was trained on, and how far test rows are from them, where the job compared them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftFigures>,
    /// Trainer, settings and tensors, where an external trainer learnt it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalCard>,
    /// What is claimed of the noise that it was trained with, and what was spent; none without noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Claim>,
    /// Where it comes from: job, rounds, ledger. Keys are the releaser's.
    pub provenance: BTreeMap<String, serde_json::Value>,
}

/// Why a model cannot be loaded or used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The card is not one of ours.
    #[error("the model card cannot be read: {0}")]
    Card(String),
    /// The weights belong to another card, or were changed.
    #[error("the weights file has digest {found}, the card says {expected}")]
    Digest {
        /// Digest in the card.
        expected: Digest,
        /// Digest of the file.
        found: Digest,
    },
    /// The card's points table is another than that of the weights.
    #[error("the card's points table is not that of the weights")]
    Table,
    /// The weights file is damaged or lacks something.
    #[error("the weights file cannot be read: {0}")]
    Weights(String),
    /// Another number of weights than the contract has inputs.
    #[error("the model has {found} weights where its contract has {expected} inputs")]
    Inputs {
        /// Inputs of the contract.
        expected: usize,
        /// Weights found.
        found: usize,
    },
    /// The standardisation does not fit the contract.
    #[error(transparent)]
    Standardisation(#[from] StandardisationMismatch),
    /// The table keeps another contract.
    #[error("the model scores rows of contract {expected}, the table keeps {found}")]
    Contract {
        /// The model's contract.
        expected: String,
        /// The table's contract.
        found: String,
    },
    /// Nobody but an external trainer knows what its numbers say of a row.
    #[error("the model is one of an external trainer, which alone can score rows by it")]
    NeedsTrainer,
    /// The question is about models that it does not carry.
    #[error("the question is about released models, which are not given beside it")]
    NotGiven,
}

impl ModelError {
    /// Stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Card(_) => "model.card",
            Self::Digest { .. } => "model.digest-mismatch",
            Self::Table => "model.table-mismatch",
            Self::Weights(_) => "model.weights",
            Self::Inputs { .. } => "model.inputs-mismatch",
            Self::Standardisation(_) => "model.standardisation-mismatch",
            Self::Contract { .. } => "model.contract-mismatch",
            Self::NeedsTrainer => "model.needs-trainer",
            Self::NotGiven => "model.not-given",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Contract { .. } => "read the table under the contract in the model's card",
            Self::NeedsTrainer => "give `model.safetensors` to the trainer that the card names",
            Self::NotGiven => "let a participant answer that holds the released models",
            _ => "take `model.safetensors` and `model.json` of one and the same release, unchanged",
        }
    }
}

impl ModelCard {
    fn check(&self) -> Result<(), ModelError> {
        if self.schema != SCHEMA {
            return Err(ModelError::Card(format!("its schema is `{}`, not `{SCHEMA}`", self.schema)));
        }
        parse_contract::check(&self.contract).map_err(ModelError::Card)?;
        if Some(&self.inputs) != Model::inputs_of(&self.program, &self.contract).as_ref() {
            return Err(ModelError::Card("its inputs are not those of its program and contract".into()));
        }
        if self.external.is_some() != (self.program == external::NAME) {
            return Err(ModelError::Card(
                "it names a trainer where there is none, or none where there is one".into(),
            ));
        }
        if let Some(misfit) = self.drift.as_ref().and_then(|drift| drift.misfit(&self.contract)) {
            return Err(ModelError::Card(misfit.into()));
        }
        Ok(())
    }
}

/// What scores rows.
pub trait Scoring {
    /// The probability of a positive, for each of the rows at these positions of the table.
    ///
    /// # Errors
    /// When the table keeps another contract, or the parts of the model do not fit each other.
    fn score_rows(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>, ModelError>;

    /// The same for all rows of the table.
    ///
    /// # Errors
    /// As [`Self::score_rows`].
    fn score(&self, table: &Table) -> Result<Vec<f64>, ModelError> {
        self.score_rows(table, &(0..table.rows()).collect::<Vec<_>>())
    }

    /// Exact figures on the rows with `role` of all tables together; none where there are no such rows.
    ///
    /// # Errors
    /// As [`Self::score_rows`].
    fn evaluate(&self, tables: &[&Table], role: Role) -> Result<Option<Metrics>, ModelError> {
        let (mut probabilities, mut labels) = (Vec::new(), Vec::new());
        for table in tables {
            let rows = table.rows_for(role);
            probabilities.extend(self.score_rows(table, &rows)?);
            labels.extend(rows.iter().map(|&row| table.labels()[row]));
        }
        Ok(Metrics::exact(&probabilities, &labels))
    }
}

impl Scoring for Model {
    fn score_rows(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>, ModelError> {
        match self {
            Self::Linear(model) => model.score_rows(table, rows),
            Self::Trees(model) => model.score_rows(table, rows),
            Self::Network(model) => model.score_rows(table, rows),
            Self::Scorecard(model) => model.score_rows(table, rows),
            Self::External(_) => Err(ModelError::NeedsTrainer),
        }
    }
}

impl Model {
    /// The contract of the rows that it scores.
    pub fn contract(&self) -> &Contract {
        match self {
            Self::Linear(model) => &model.contract,
            Self::Trees(model) => &model.contract,
            Self::Network(model) => &model.contract,
            Self::Scorecard(model) => &model.contract,
            Self::External(model) => &model.contract,
        }
    }

    /// Name of the program that makes such models.
    pub fn program(&self) -> &'static str {
        match self {
            Self::Linear(_) => logistic_regression::NAME,
            Self::Trees(_) => boosted_trees::NAME,
            Self::Network(_) => neural_network::NAME,
            Self::Scorecard(_) => scorecard::NAME,
            Self::External(_) => external::NAME,
        }
    }

    /// Numbers that it has learnt: weights and intercept or biases, or leaves.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Linear(model) => model.coefficients.count(),
            Self::Trees(model) => model.ensemble.trees.iter().map(Tree::leaves).sum(),
            Self::Network(model) => model.network.parameters.len(),
            Self::Scorecard(model) => model.scorecard.coding.used.len() + 1,
            Self::External(model) => model.state.parameters.len(),
        }
    }

    /// Whether its parts fit each other and the contract.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Linear(model) => model.check(),
            Self::Trees(model) => Ok(model.check()?),
            Self::Network(model) => model.check(),
            Self::Scorecard(model) => Ok(model.check()?),
            // What its numbers mean is its trainer's business.
            Self::External(_) => Ok(()),
        }
    }

    /// The scorecard, if it is one.
    pub fn scorecard(&self) -> Option<&ScorecardModel> {
        match self {
            Self::Scorecard(model) => Some(model),
            _ => None,
        }
    }

    /// The bytes of `model.safetensors`. The same model always has the same bytes.
    ///
    /// # Errors
    /// When the format cannot hold them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        match self {
            Self::Linear(model) => model.to_safetensors(),
            Self::Trees(model) => model.to_safetensors(),
            Self::Network(model) => model.to_safetensors(),
            Self::Scorecard(model) => model.to_safetensors(),
            Self::External(model) => model.to_safetensors(),
        }
    }

    /// The card for `weights`, which [`Self::to_safetensors`] returned.
    pub fn card(&self, weights: &[u8], provenance: BTreeMap<String, serde_json::Value>) -> ModelCard {
        ModelCard {
            schema: SCHEMA.into(),
            program: self.program().into(),
            contract: self.contract().clone(),
            inputs: Self::inputs_of(self.program(), self.contract()).unwrap_or_default(),
            weights_digest: Digest::of(weights),
            fit: None,
            scorecard: self.scorecard().map(ScorecardModel::table),
            fairness: None,
            drift: None,
            external: match self {
                Self::External(model) => Some(model.card()),
                _ => None,
            },
            privacy: None,
            provenance,
        }
    }

    /// The model in the two files of a release. What the card says of it is checked; provenance is not: that is
    /// for whoever holds the ledger.
    ///
    /// # Errors
    /// When either cannot be read, they do not belong together, the model is of another program, or its contract
    /// breaks a rule that job files keep.
    pub fn load(weights: &[u8], card_json: &str) -> Result<(Self, ModelCard), ModelError> {
        let card: ModelCard =
            serde_json::from_str(card_json).map_err(|error| ModelError::Card(error.to_string()))?;
        card.check()?;
        let found = Digest::of(weights);
        if found != card.weights_digest {
            return Err(ModelError::Digest { expected: card.weights_digest, found });
        }
        let model = match (card.program.as_str(), &card.external) {
            (external::NAME, Some(of_trainer)) => {
                Self::External(ExternalModel::from_safetensors(&card.contract, of_trainer, weights)?)
            }
            (boosted_trees::NAME, _) => Self::Trees(TreeModel::from_safetensors(&card.contract, weights)?),
            (neural_network::NAME, _) => {
                Self::Network(NetworkModel::from_safetensors(&card.contract, weights)?)
            }
            (scorecard::NAME, _) => {
                Self::Scorecard(ScorecardModel::from_safetensors(&card.contract, weights)?)
            }
            _ => Self::Linear(LinearModel::from_safetensors(&card.contract, weights)?),
        };
        if model.scorecard().map(ScorecardModel::table) != card.scorecard {
            return Err(ModelError::Table);
        }
        Ok((model, card))
    }

    /// A name for each input of a linear model or a network, or for each column that trees split by or a scorecard bins; none
    /// where there is no such program.
    fn inputs_of(program: &str, contract: &Contract) -> Option<Vec<String>> {
        match program {
            logistic_regression::NAME | neural_network::NAME => Some(contract.input_names()),
            boosted_trees::NAME | scorecard::NAME | external::NAME => {
                Some(contract.columns.iter().map(|column| column.name.clone()).collect())
            }
            _ => None,
        }
    }
}

/// Version of the card's format.
pub const SCHEMA: &str = "syndic.model/1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coefficients::Coefficients;
    use crate::contract::ColumnKind;
    use crate::encode::Standardisation;
    use crate::fixture;

    fn linear() -> LinearModel {
        LinearModel {
            contract: fixture::contract(),
            standardisation: Standardisation { mean: vec![50.0, 8.0], sd: vec![10.0, 2.0] },
            coefficients: Coefficients { weights: vec![0.1, 1.0 / 3.0, -0.3, 1e-300, 0.5], intercept: -1.25 },
        }
    }

    fn model() -> Model {
        Model::Linear(linear())
    }

    fn files() -> (Vec<u8>, String) {
        let weights = model().to_safetensors().unwrap();
        let provenance = BTreeMap::from([("job".to_string(), "demo".into())]);
        let card = serde_json::to_string(&model().card(&weights, provenance)).unwrap();
        (weights, card)
    }

    #[test]
    fn a_model_is_the_same_after_writing_and_loading() {
        let (weights, card) = files();
        let (loaded, card) = Model::load(&weights, &card).unwrap();
        assert_eq!(loaded, model());
        assert_eq!(card.provenance["job"], "demo");
        assert_eq!(card.inputs.len(), 5);
        let table = fixture::table(50, 0.0, false, 1);
        assert_eq!(loaded.score(&table).unwrap(), model().score(&table).unwrap());
    }

    #[test]
    fn trees_are_the_same_after_writing_and_loading() {
        let tables = [fixture::table(300, 0.0, false, 1), fixture::table(300, 0.5, false, 2)];
        let terms = boosted_trees::BoostedTreesTerms { trees: 3, min_rows: 5, ..Default::default() };
        let trees = boosted_trees::fit_pooled(&tables.iter().collect::<Vec<_>>(), &terms).unwrap();
        let model = Model::Trees(trees);
        let weights = model.to_safetensors().unwrap();
        let card = model.card(&weights, BTreeMap::new());
        assert_eq!((card.program.as_str(), card.inputs.len()), ("boosted-trees", 3));
        let (loaded, _) = Model::load(&weights, &serde_json::to_string(&card).unwrap()).unwrap();
        assert_eq!(loaded, model);
        assert_eq!(loaded.score(&tables[0]).unwrap(), model.score(&tables[0]).unwrap());
        assert!(model.parameters() > 3);
    }

    #[test]
    fn files_of_two_releases_and_files_that_are_none_do_not_load() {
        let (_, card) = files();
        let mut other = linear();
        other.coefficients.intercept = 1.25;
        let weights = other.to_safetensors().unwrap();
        assert_eq!(Model::load(&weights, &card).unwrap_err().code(), "model.digest-mismatch");
        assert_eq!(Model::load(&weights, "{}").unwrap_err().code(), "model.card");
    }

    #[test]
    fn weights_that_do_not_fit_the_contract_do_not_load() {
        let mut short = linear();
        short.coefficients.weights.pop();
        let short = Model::Linear(short);
        let weights = short.to_safetensors().unwrap();
        let card = serde_json::to_string(&short.card(&weights, BTreeMap::new())).unwrap();
        assert_eq!(Model::load(&weights, &card).unwrap_err().code(), "model.inputs-mismatch");
    }

    /// The code that loading ends with after `bend` changed the card, the weights untouched.
    fn after(bend: impl FnOnce(&mut ModelCard)) -> Option<&'static str> {
        let weights = model().to_safetensors().unwrap();
        let mut card = model().card(&weights, BTreeMap::new());
        bend(&mut card);
        let card = serde_json::to_string(&card).unwrap();
        Model::load(&weights, &card).err().map(|error| error.code())
    }

    #[test]
    fn a_card_that_is_not_of_these_weights_does_not_load() {
        assert_eq!(after(|_| ()), None);
        let card = Some("model.card");
        assert_eq!(after(|card| card.schema = "syndic.model/2".into()), card);
        assert_eq!(after(|card| card.program = "boosted-trees".into()), card);
        assert_eq!(after(|card| card.program = "astrology".into()), card);
        assert_eq!(after(|card| card.inputs.swap(0, 4)), card);
        assert_eq!(after(|card| drop(card.inputs.pop())), card);
    }

    #[test]
    fn a_card_whose_contract_breaks_the_rules_of_contracts_does_not_load() {
        let card = Some("model.card");
        assert_eq!(after(|card| card.contract.label.negative = card.contract.label.positive.clone()), card);
        assert_eq!(after(|card| card.contract.label.positive = " 1".into()), card);
        assert_eq!(after(|card| card.contract.max_rows = 0), card);
        assert_eq!(
            after(|card| {
                let ColumnKind::Numeric { max, .. } = &mut card.contract.columns[0].kind else {
                    unreachable!()
                };
                *max = -1.0;
            }),
            card
        );
        assert_eq!(
            after(|card| {
                card.contract.columns[2].name = "age".into();
                card.inputs = card.contract.input_names();
            }),
            card
        );
    }

    #[test]
    fn a_table_of_another_contract_is_not_scored() {
        let mut other = linear();
        other.contract.version = 2;
        let table = fixture::table(50, 0.0, false, 1);
        assert_eq!(other.score(&table).unwrap_err().code(), "model.contract-mismatch");
    }
}
