//! Models in the Open Neural Network Exchange format, preprocessing included, so that other programs score raw rows.
//!
//! The graph has an input of N rows and one column for each column of the contract, under its name: `tensor(double)` for
//! numbers, `tensor(string)` for levels. It gives `probability`, `tensor(float)`, and `label`, `tensor(int64)`: 1 from
//! 0.5 up, 0 below; of a scorecard also `points`, `tensor(double)`. A row that breaks the contract gets NaN, and -1 for a label:
//! a graph cannot refuse a row. A missing value of a nullable column comes in as NaN or as the empty text.
//!
//! All is computed in 64-bit floats but the sum of the leaves, which the operator gives as a 32-bit one. Operators are those
//! of `ai.onnx` 16 and `ai.onnx.ml` 3: <https://onnx.ai/onnx/operators/>.

mod graph;
mod network;
mod proto;
mod rows;
mod scorecard;
mod thresholds;
mod trees;

use prost::Message as _;

use self::graph::{Graph, ML};
use self::proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto, element};
use self::rows::Rows;
use crate::contract::ColumnKind;
use crate::linear_model::LinearModel;
use crate::model::{Model, ModelCard, ModelError};

/// A model as an ONNX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The bytes of the file; of the same model and card always the same.
    pub bytes: Vec<u8>,
    /// The inputs in order: name, and `double` or `string`.
    pub inputs: Vec<(String, &'static str)>,
    /// The names of probability and label, and of a scorecard's points. They have a number behind them where a column has
    /// their name.
    pub outputs: Vec<String>,
}

/// The model with its card as an ONNX file of a program of this `version`.
///
/// # Errors
/// When the parts of the model do not fit each other.
pub fn export(model: &Model, card: &ModelCard, version: &str) -> Result<Exported, ModelError> {
    model.check()?;
    let contract = model.contract();
    let mut graph = Graph::new(&contract.id());
    let rows = Rows::enter(&mut graph, contract);
    let log_odds = match model {
        Model::Linear(model) => linear(&mut graph, &rows, model),
        Model::Trees(model) => trees::log_odds(&mut graph, &rows, model),
        Model::Network(model) => network::log_odds(&mut graph, &rows, model),
        Model::Scorecard(model) => scorecard::log_odds(&mut graph, &rows, model),
        Model::External(_) => return Err(ModelError::NeedsTrainer),
    };
    give(&mut graph, &log_odds);
    if let Model::Scorecard(model) = model {
        let points = scorecard::points(&mut graph, &rows, model);
        graph.output("points", &points, element::DOUBLE);
    }
    let graph = graph.finish();
    let kind = |kind: &ColumnKind| match kind {
        ColumnKind::Numeric { .. } => "double",
        ColumnKind::Categorical { .. } => "string",
    };
    let inputs = contract.columns.iter().map(|column| (column.name.clone(), kind(&column.kind))).collect();
    let outputs = graph.output.iter().filter_map(|output| output.name.clone()).collect();
    let file = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("syndic".into()),
        producer_version: Some(version.into()),
        doc_string: None,
        graph: Some(graph),
        opset_import: vec![operators("", OPERATORS), operators(ML, ML_OPERATORS)],
        metadata_props: about(card),
    };
    Ok(Exported { bytes: file.encode_to_vec(), inputs, outputs })
}

/// The log-odds of a linear model, N x 1.
fn linear(graph: &mut Graph, rows: &Rows<'_>, model: &LinearModel) -> String {
    let inputs = rows.encoded(graph, &model.standardisation);
    let weights = &model.coefficients.weights;
    let weights = graph.doubles(&[weights.len(), 1], weights);
    let summed = graph.step("MatMul", &[&inputs, &weights]);
    let intercept = graph.double(model.coefficients.intercept);
    graph.step("Add", &[&summed, &intercept])
}

/// Probability and label from log-odds.
fn give(graph: &mut Graph, log_odds: &str) {
    let probability = graph.step("Sigmoid", &[log_odds]);
    let half = graph.double(0.5);
    let positive = graph.step("GreaterOrEqual", &[&probability, &half]);
    let positive = graph.cast(&positive, element::INT64);
    let refused = graph.step("IsNaN", &[&probability]);
    let refused = graph.cast(&refused, element::INT64);
    let label = graph.step("Sub", &[&positive, &refused]);
    let probability = graph.cast(&probability, element::FLOAT);
    graph.output("probability", &probability, element::FLOAT);
    graph.output("label", &label, element::INT64);
}

/// What a reader of the file is told of the model.
fn about(card: &ModelCard) -> Vec<StringStringEntryProto> {
    let mut known = vec![
        ("syndic.program".to_owned(), card.program.clone()),
        ("syndic.contract".into(), card.contract.id()),
        ("syndic.weights_digest".into(), card.weights_digest.to_string()),
        ("syndic.positive".into(), card.contract.label.positive.clone()),
    ];
    for key in ["federation", "job", "agreement"] {
        if let Some(value) = card.provenance.get(key).and_then(|value| value.as_str()) {
            known.push((format!("syndic.{key}"), value.into()));
        }
    }
    let entry = |(key, value)| StringStringEntryProto { key: Some(key), value: Some(value) };
    known.into_iter().map(entry).collect()
}

fn operators(domain: &str, version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto { domain: Some(domain.into()), version: Some(version) }
}

/// Of ONNX 1.11, of March 2022: old enough for every runtime in use.
const IR_VERSION: i64 = 8;
const OPERATORS: i64 = 16;
/// The first whose trees have 64-bit thresholds.
const ML_OPERATORS: i64 = 3;

#[cfg(test)]
mod tests;
