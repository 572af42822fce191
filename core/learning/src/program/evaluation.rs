//! How good a model is on the rows that institutions put aside: summed score histograms and losses.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use super::scorer::Scorer;
use super::{Next, Program, ProgramError, TOO_MANY_ROWS, count_block, counts, loss_block, values};
use crate::metrics::detail::Detail;
use crate::metrics::{LARGEST_LOSS, Metrics, ScoreHistogram, log_loss};
use crate::model::Scoring;
use crate::table::{Role, Table};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct Evaluation {
    question: EvaluateQuestion,
}

/// Asks how one model does.
///
/// Keys that it does not know are refused where its spelling is checked: [`Question::from_bytes`](super::question::Question::from_bytes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluateQuestion {
    /// The training round that made the model.
    pub training_round: u32,
    /// The model.
    #[serde(flatten)]
    pub scorer: Scorer,
    /// On which rows: test, validation or both.
    pub roles: Vec<Role>,
    /// Bins of each histogram.
    pub bins: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

/// How the model did over all institutions that answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// On test rows, if any of them has some.
    pub test: Option<Metrics>,
    /// On validation rows, if any of them has some.
    pub validation: Option<Metrics>,
    /// More of the test rows.
    pub detail: Option<Detail>,
}

/// What is seen of rows of one role; none where there are none.
type Measured = Option<(Metrics, Detail)>;

impl Evaluation {
    /// The evaluation that `question` asks for.
    pub fn new(question: EvaluateQuestion) -> Self {
        Self { question }
    }
}

impl EvaluateQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(&self.roles, self.bins, self.max_rows)
    }

    /// What this table adds to the sum when `model` scores it.
    ///
    /// # Errors
    /// When the question has no layout, or the model cannot score the rows.
    pub(super) fn answered_by(
        &self,
        table: &Table,
        model: &impl Scoring,
    ) -> Result<Contribution, ProgramError> {
        let layout = self.layout()?;
        let mut contribution = Vec::with_capacity(layout.len());
        for &role in &self.roles {
            let rows = table.rows_for(role);
            let labels: Vec<bool> = rows.iter().map(|&row| table.labels()[row]).collect();
            let scores = model.score_rows(table, &rows)?;
            let histogram = ScoreHistogram::of(&scores, &labels, self.bins as usize);
            let counts = histogram.negative.into_iter().chain(histogram.positive);
            contribution.extend(counts.map(|count| count as f64));
            contribution
                .push(scores.iter().zip(&labels).map(|(&score, &label)| log_loss(score, label)).sum());
        }
        Ok(Contribution::new(layout, contribution)?)
    }

    fn metrics(&self, sum: &Sum, layout: &Layout, role: Role) -> Result<Measured, ProgramError> {
        if !self.roles.contains(&role) {
            return Ok(None);
        }
        let of_class = |class| counts(sum, layout, &block(role, class));
        let histogram = ScoreHistogram { negative: of_class(NEGATIVE)?, positive: of_class(POSITIVE)? };
        let rows: u128 = histogram.negative.iter().chain(&histogram.positive).copied().map(u128::from).sum();
        if rows > u128::from(sum.survivors()) * u128::from(self.max_rows) {
            return Err(ProgramError::ImpossibleSum(TOO_MANY_ROWS));
        }
        let loss = values(sum, layout, &block(role, LOSS))?[0];
        // One row's loss is less by more than rounding can add.
        if !(0.0..=LARGEST_LOSS * rows as f64).contains(&loss) {
            return Err(ProgramError::ImpossibleSum("a summed loss that so many rows cannot have"));
        }
        Ok(Metrics::from_histogram(&histogram, loss)
            .map(|metrics| (metrics, Detail::of(&histogram, &metrics))))
    }
}

/// What an answer looks like: for each role two histograms and the summed loss.
pub(super) fn layout(roles: &[Role], bins: u32, max_rows: u64) -> Result<Layout, ProgramError> {
    let of_role = |&role: &Role| {
        [
            count_block(block(role, NEGATIVE), bins as usize, max_rows),
            count_block(block(role, POSITIVE), bins as usize, max_rows),
            loss_block(block(role, LOSS), max_rows),
        ]
    };
    Ok(Layout::new(roles.iter().flat_map(of_role).collect())?)
}

impl Program for Evaluation {
    type Question = EvaluateQuestion;
    type Outcome = Evaluated;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<EvaluateQuestion, Evaluated>, ProgramError> {
        let Some(sum) = sum else { return Ok(Next::Ask(self.question.clone())) };
        let layout = self.question.layout()?;
        let (test, detail) = self.question.metrics(sum, &layout, Role::Test)?.unzip();
        let (validation, _) = self.question.metrics(sum, &layout, Role::Validation)?.unzip();
        Ok(Next::Done(Evaluated { test, validation, detail }))
    }

    fn answer(
        question: &EvaluateQuestion,
        table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        question.answered_by(table, &question.scorer.model(table.contract())?)
    }
}

fn block(role: Role, what: &str) -> String {
    let role = match role {
        Role::Train => "train",
        Role::Validation => "validation",
        Role::Test => "test",
    };
    format!("{role}.{what}")
}

const NEGATIVE: &str = "negative";
const POSITIVE: &str = "positive";
const LOSS: &str = "loss";
