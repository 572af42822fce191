//! What the trainer is given: the task, the parameters, and the rows as typed columns, in messages of about 1 MiB.

use std::sync::Arc;
use std::time::Duration;

use syndic_learning::contract::ColumnKind;
use syndic_learning::program::external::{ExternalQuestion, ExternalState};
use syndic_learning::table::Values;
use syndic_learning::{Contract, ExternalTerms, Job, Role, Standardisation, Table};
use syndic_proto::trainer::v1::score_part::Part as ForScores;
use syndic_proto::trainer::v1::train_part::Part as ForTraining;
use syndic_proto::trainer::v1::{
    Categorical, Column, Model, Numeric, RowsPart, ScorePart, ScoreTask, Tensor, TensorPart, TrainPart,
    TrainTask, column,
};

/// All that one round of training takes, in the order in which it is sent. Beside the question: a seed, and how long is waited.
pub(super) fn training(
    job: &Job,
    terms: &ExternalTerms,
    table: &Arc<Table>,
    question: &ExternalQuestion,
    (seed, limit): (u64, Duration),
) -> impl Iterator<Item = TrainPart> + Send + use<> {
    let rows = table.rows_for(Role::Train);
    let task = TrainTask {
        model: Some(model(job, terms, &question.state)),
        rows: rows.len() as u64,
        round: question.training_round,
        clip: question.clip,
        seed,
        seconds: limit.as_secs_f64(),
    };
    let parameters = parameters(terms, &question.state).map(ForTraining::Parameters);
    let rows = rows_of(table, rows, true).map(ForTraining::Rows);
    let parts = std::iter::once(ForTraining::Task(task)).chain(parameters).chain(rows);
    parts.map(|part| TrainPart { part: Some(part) })
}

/// All that scoring these rows takes, in the order in which it is sent, and how long is waited. The rows are sent without labels.
pub(super) fn scoring(
    job: &Job,
    terms: &ExternalTerms,
    table: &Arc<Table>,
    state: &ExternalState,
    (rows, limit): (Vec<usize>, Duration),
) -> impl Iterator<Item = ScorePart> + Send + use<> {
    let task = ScoreTask {
        model: Some(model(job, terms, state)),
        rows: rows.len() as u64,
        seconds: limit.as_secs_f64(),
    };
    let parameters = parameters(terms, state).map(ForScores::Parameters);
    let rows = rows_of(table, rows, false).map(ForScores::Rows);
    let parts = std::iter::once(ForScores::Task(task)).chain(parameters).chain(rows);
    parts.map(|part| ScorePart { part: Some(part) })
}

fn model(job: &Job, terms: &ExternalTerms, state: &ExternalState) -> Model {
    let tensor = |tensor: &syndic_learning::program::external::terms::Tensor| Tensor {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
    };
    Model {
        job: job.identity.id.to_string(),
        contract: job.contract.id(),
        settings: terms.settings_json(),
        tensors: terms.tensors.iter().map(tensor).collect(),
        columns: columns(&job.contract, &state.standardisation),
        federation_rows: state.training.rows,
        federation_positives: state.training.positives,
    }
}

fn columns(contract: &Contract, standardisation: &Standardisation) -> Vec<Column> {
    // A question is checked against the contract before anybody is asked: there is one of each for every numeric column.
    let mut scales = standardisation.mean.iter().zip(&standardisation.sd);
    let of_column = |of: &syndic_learning::Column| {
        let kind = match &of.kind {
            ColumnKind::Numeric { .. } => {
                scales.next().map(|(&mean, &deviation)| column::Kind::Numeric(Numeric { mean, deviation }))
            }
            ColumnKind::Categorical { levels } => {
                Some(column::Kind::Categorical(Categorical { levels: levels.clone() }))
            }
        };
        Column { name: of.name.clone(), sensitive: of.sensitive, nullable: of.nullable, kind }
    };
    contract.columns.iter().map(of_column).collect()
}

/// The numbers before this round, tensor by tensor.
fn parameters(
    terms: &ExternalTerms,
    state: &ExternalState,
) -> impl Iterator<Item = TensorPart> + Send + use<> {
    let mut rest = state.parameters.as_slice();
    let mut parts = Vec::new();
    for (tensor, of) in terms.tensors.iter().enumerate() {
        let (values, after) = rest.split_at(of.elements().min(rest.len()));
        parts.extend(values.chunks(PART_BYTES / F64).map(|values| TensorPart {
            tensor: tensor as u32,
            values: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }));
        rest = after;
    }
    parts.into_iter()
}

/// These rows, each part made when it is sent. Missing values go as they stand in the table, which is what the protocol says of
/// them.
fn rows_of(
    table: &Arc<Table>,
    rows: Vec<usize>,
    with_labels: bool,
) -> impl Iterator<Item = RowsPart> + Send + use<> {
    let width = |values: &Values| match values {
        Values::Numeric(_) => F64,
        Values::Categorical(_) => U16,
    };
    let row_bytes: usize = table.columns().iter().map(width).sum();
    let (table, in_part) = (table.clone(), (PART_BYTES / row_bytes.max(1)).max(1));
    (0..rows.len()).step_by(in_part).map(move |start| {
        let rows = &rows[start..rows.len().min(start + in_part)];
        let column = |values: &Values| -> Vec<u8> {
            match values {
                Values::Numeric(values) => rows.iter().flat_map(|&row| values[row].to_le_bytes()).collect(),
                Values::Categorical(values) => {
                    rows.iter().flat_map(|&row| values[row].to_le_bytes()).collect()
                }
            }
        };
        let labels: Vec<u8> = match with_labels {
            true => rows.iter().map(|&row| u8::from(table.labels()[row])).collect(),
            false => Vec::new(),
        };
        let columns = table.columns().iter().map(|values| column(values).into()).collect();
        RowsPart { rows: rows.len() as u32, columns, labels: labels.into() }
    })
}

/// Bytes of values in one message.
const PART_BYTES: usize = 1 << 20;
const F64: usize = 8;
const U16: usize = 2;
