//! What the trainer returns, checked part by part, so that it is never more than what was asked for.

use syndic_learning::{ExternalTerms, RowScores};
use syndic_proto::trainer::v1::trained_part::Part;
use syndic_proto::trainer::v1::{Metric, ScoredPart, TensorPart, TrainedPart};
use tonic::Streaming;

use super::TrainerError;

/// What a round of training came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The change of each number, in the order of the job's tensors; finite.
    pub update: Vec<f64>,
    /// What the trainer has to say of it, for this institution's log: names and values.
    pub metrics: Vec<(String, f64)>,
}

/// The update and the metrics that come in `answer`.
pub(super) async fn update(
    mut answer: Streaming<TrainedPart>,
    terms: &ExternalTerms,
) -> Result<Trained, TrainerError> {
    let mut trained = Trained { update: Vec::new(), metrics: Vec::new() };
    while let Some(TrainedPart { part }) = answer.message().await.map_err(TrainerError::of_call)? {
        match part {
            Some(Part::Update(part)) => trained.take(&part, terms)?,
            Some(Part::Metric(metric)) => trained.hear(metric)?,
            None => return Err(bad("a part holds nothing")),
        }
    }
    let (expected, found) = (terms.elements(), trained.update.len());
    if found < expected {
        return Err(bad(format!("it ends after {found} of {expected} numbers")));
    }
    Ok(trained)
}

/// The probabilities of `rows`, of a table of `all` rows, that come in `answer`.
pub(super) async fn scores(
    mut answer: Streaming<ScoredPart>,
    all: usize,
    rows: &[usize],
) -> Result<RowScores, TrainerError> {
    let mut probabilities = Vec::with_capacity(rows.len());
    while let Some(ScoredPart { probabilities: part }) =
        answer.message().await.map_err(TrainerError::of_call)?
    {
        let numbers = numbers(&part).ok_or(TrainerError::BadScores("a part is not of whole F64 numbers"))?;
        if probabilities.len() + numbers.len() > rows.len() {
            return Err(TrainerError::BadScores("there are more than rows"));
        }
        probabilities.extend(numbers);
    }
    if probabilities.len() < rows.len() {
        return Err(TrainerError::BadScores("there are fewer than rows"));
    }
    RowScores::new(all, rows, &probabilities)
        .ok_or(TrainerError::BadScores("one of them is no probability within [0, 1]"))
}

impl Trained {
    /// Some numbers of the tensor that is not complete yet.
    fn take(&mut self, part: &TensorPart, terms: &ExternalTerms) -> Result<(), TrainerError> {
        let (mut end, mut open) = (0, None);
        for (position, tensor) in terms.tensors.iter().enumerate() {
            end += tensor.elements();
            if self.update.len() < end {
                open = Some((position, tensor));
                break;
            }
        }
        let Some((position, tensor)) = open else { return Err(bad("more comes after the last tensor")) };
        if part.tensor as usize != position {
            let name = &tensor.name;
            return Err(bad(format!("tensor {} comes while `{name}` ({position}) is awaited", part.tensor)));
        }
        let Some(numbers) = numbers(&part.values) else {
            return Err(bad(format!("a part of `{}` is not of whole F64 numbers", tensor.name)));
        };
        if self.update.len() + numbers.len() > end {
            return Err(bad(format!("`{}` has more numbers than its shape", tensor.name)));
        }
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(bad(format!("`{}` has a number that is not finite", tensor.name)));
        }
        self.update.extend(numbers);
        Ok(())
    }

    fn hear(&mut self, Metric { name, value }: Metric) -> Result<(), TrainerError> {
        if self.metrics.len() == MOST_METRICS || name.chars().count() > LONGEST_NAME {
            return Err(bad(format!(
                "it comes with more than {MOST_METRICS} metrics, or one whose name has more than {LONGEST_NAME} characters"
            )));
        }
        self.metrics.push((name, value));
        Ok(())
    }
}

/// The F64 numbers in some bytes; none where there is no number, or not a whole one.
fn numbers(bytes: &[u8]) -> Option<Vec<f64>> {
    let (words, rest) = bytes.as_chunks::<8>();
    let are_whole = rest.is_empty() && !words.is_empty();
    are_whole.then(|| words.iter().copied().map(f64::from_le_bytes).collect())
}

fn bad(problem: impl Into<String>) -> TrainerError {
    TrainerError::BadUpdate(problem.into())
}

const MOST_METRICS: usize = 64;
const LONGEST_NAME: usize = 64;
