//! How released models do on the same rows, side by side in one sum: a job that trains nothing.
//!
//! The question names models by their digests and does not carry them. An institution scores its rows by the models that it holds,
//! each proved to be the released one, or declines; what it adds to the sum are histograms and sums over its rows, as after
//! training. All models score the same rows of the same institutions, so that their figures can be subtracted.

pub mod figures;
mod terms;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Block, Contribution, Digest, Layout, Sum};

use super::fairness::MOST_VALUES;
use super::{
    Next, Program, ProgramError, SMALLEST_STEP, TOO_MANY_ROWS, count_block, counts, fairness, finest_step,
    loss_block, power_of_two_above, values,
};
use crate::contract::Contract;
use crate::job::{FairnessTerms, Grouping, Job};
use crate::metrics::{LARGEST_LOSS, ScoreHistogram, log_loss};
use crate::model::{Model, ModelError, Scoring};
use crate::table::Table;
use figures::{ComparisonFigures, Counted};
pub use terms::{ComparisonTerms, MOST_MODELS, NAME, RowsCompared};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct Comparison {
    question: CompareQuestion,
    fairness: Option<FairnessTerms>,
    contract: Contract,
}

/// Asks how models do that whoever is asked has itself.
///
/// Keys that it does not know are refused where its spelling is checked: [`Question::from_bytes`](super::question::Question::from_bytes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompareQuestion {
    /// SHA-256 of the weights of each.
    pub models: Vec<Digest>,
    /// On which rows.
    pub rows: RowsCompared,
    /// Bins of each histogram.
    pub bins: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// Columns by whose groups the scores are counted too; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Grouping>,
    /// How many groups each of them makes; left out likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<u32>,
}

impl Comparison {
    /// The comparison of a job with these terms.
    pub fn new(job: &Job, terms: &ComparisonTerms) -> Self {
        let question = CompareQuestion::of(job, terms);
        Self { question, fairness: job.fairness.clone(), contract: job.contract.clone() }
    }
}

impl CompareQuestion {
    /// The only question of a job with these terms.
    pub fn of(job: &Job, terms: &ComparisonTerms) -> Self {
        let ComparisonTerms { models, rows } = terms.clone();
        let groups = job.fairness.as_ref().map_or_else(Vec::new, |terms| terms.groups.clone());
        let sizes = fairness::sizes(&groups, &job.contract);
        Self { models, rows, bins: job.evaluation.bins, max_rows: job.contract.max_rows, groups, sizes }
    }

    /// What an answer looks like: of each model two histograms, the summed log-loss and the summed squared error of the
    /// probabilities; of each but the first the summed squares of what its loss and that of the first differ by, row by row; and two
    /// histograms for each group.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        if !(1..=MOST_MODELS).contains(&self.models.len()) {
            return Err(ProgramError::BadQuestion(format!(
                "it names none, or more than {MOST_MODELS} models"
            )));
        }
        let (bins, max_rows) = (self.bins as usize, self.max_rows);
        let of_groups: u64 = self.sizes.iter().map(|size| u64::from(*size) * u64::from(self.bins)).sum();
        let is_too_long = of_groups * self.models.len() as u64 > MOST_VALUES.into();
        if is_too_long || self.groups.len() != self.sizes.len() {
            return Err(ProgramError::BadQuestion(
                "it has too many groups, or no number for each column".into(),
            ));
        }
        let of_model = |position: usize| {
            let mut blocks = vec![
                count_block(block(position, NEGATIVE), bins, max_rows),
                count_block(block(position, POSITIVE), bins, max_rows),
                loss_block(block(position, LOSS), max_rows),
                Block {
                    name: block(position, SQUARES),
                    len: 1,
                    bound: max_rows as f64,
                    resolution: finest_step(max_rows),
                },
            ];
            if position > 0 {
                let bound = LARGEST_LOSS * LARGEST_LOSS * max_rows as f64;
                let resolution = power_of_two_above(bound) * SMALLEST_STEP;
                blocks.push(Block { name: block(position, DIFFERENCES), len: 1, bound, resolution });
            }
            for (grouping, size) in self.groups.iter().zip(&self.sizes) {
                let len = *size as usize * bins;
                let class = |class| count_block(group_block(position, grouping, class), len, max_rows);
                blocks.extend([class(NEGATIVE), class(POSITIVE)]);
            }
            blocks
        };
        Ok(Layout::new((0..self.models.len()).flat_map(of_model).collect())?)
    }

    /// What this table adds to the sum by these models, which are those that the question names, in its order: that is for
    /// whoever holds them to prove.
    ///
    /// # Errors
    /// When the question has no layout, there is another number of models, or one cannot score the rows.
    pub fn answered_by(&self, table: &Table, models: &[Model]) -> Result<Contribution, ProgramError> {
        let layout = self.layout()?;
        if models.len() != self.models.len() {
            return Err(ProgramError::BadQuestion("it is about other models than there are here".into()));
        }
        let rows = self.rows.of(table);
        let labels: Vec<bool> = rows.iter().map(|&row| table.labels()[row]).collect();
        let mut contribution = Vec::with_capacity(layout.len());
        let mut first: Option<Vec<f64>> = None;
        for model in models {
            let scores = model.score_rows(table, &rows)?;
            let histogram = ScoreHistogram::of(&scores, &labels, self.bins as usize);
            let counts = histogram.negative.into_iter().chain(histogram.positive);
            contribution.extend(counts.map(|count| count as f64));
            let losses: Vec<f64> =
                scores.iter().zip(&labels).map(|(&score, &label)| log_loss(score, label)).collect();
            contribution.push(losses.iter().sum());
            let square = |(&score, &label): (&f64, &bool)| {
                let off = score - f64::from(u8::from(label));
                off * off
            };
            contribution.push(scores.iter().zip(&labels).map(square).sum());
            match &first {
                None => first = Some(losses),
                Some(first) => contribution.push(
                    losses.iter().zip(first).map(|(loss, first)| (loss - first) * (loss - first)).sum(),
                ),
            }
            for histograms in fairness::counted(model, table, &rows, &self.groups, self.bins)? {
                let negative = histograms.iter().flat_map(|histogram| &histogram.negative);
                let positive = histograms.iter().flat_map(|histogram| &histogram.positive);
                contribution.extend(negative.chain(positive).map(|&count| count as f64));
            }
        }
        Ok(Contribution::new(layout, contribution)?)
    }

    /// Checks on the participant that it is the one question of the approved job.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`].
    pub(super) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        match job.comparison() {
            None => Err(ProgramError::NotApproved("program")),
            Some(terms) if self.models != terms.models => Err(ProgramError::NotApproved("models to compare")),
            Some(terms) if *self != Self::of(job, terms) => Err(ProgramError::NotApproved("comparison")),
            Some(_) => Ok(()),
        }
    }

    /// What is summed of one model.
    fn counted(&self, sum: &Sum, layout: &Layout, position: usize) -> Result<Counted, ProgramError> {
        let of_class = |class| counts(sum, layout, &block(position, class));
        let one = |what| values(sum, layout, &block(position, what)).map(|values| values[0]);
        let histogram = ScoreHistogram { negative: of_class(NEGATIVE)?, positive: of_class(POSITIVE)? };
        let rows: u128 = histogram.negative.iter().chain(&histogram.positive).copied().map(u128::from).sum();
        if rows > u128::from(sum.survivors()) * u128::from(self.max_rows) {
            return Err(ProgramError::ImpossibleSum(TOO_MANY_ROWS));
        }
        let rows = rows as f64;
        let (loss, squares) = (one(LOSS)?, one(SQUARES)?);
        // A row's loss is less than its bound by more than rounding can add; its squared error may be 1 as nearly as floats tell.
        if !(0.0..=LARGEST_LOSS * rows).contains(&loss) || !(0.0..=rows + 1.0).contains(&squares) {
            return Err(ProgramError::ImpossibleSum("a summed loss that so many rows cannot have"));
        }
        let differences = if position == 0 { None } else { Some(one(DIFFERENCES)?) };
        if differences.is_some_and(|squares| !(0.0..=LARGEST_LOSS * LARGEST_LOSS * rows).contains(&squares)) {
            return Err(ProgramError::ImpossibleSum("differences of losses that so many rows cannot have"));
        }
        let bins = self.bins as usize;
        let mut groups = Vec::new();
        for grouping in &self.groups {
            let of_class = |class| counts(sum, layout, &group_block(position, grouping, class));
            let (negative, positive) = (of_class(NEGATIVE)?, of_class(POSITIVE)?);
            let of_group = |(negative, positive): (&[u64], &[u64])| ScoreHistogram {
                negative: negative.to_vec(),
                positive: positive.to_vec(),
            };
            groups.push(negative.chunks(bins).zip(positive.chunks(bins)).map(of_group).collect());
        }
        let counted = Counted { histogram, loss, squares, differences, groups };
        // Every row is in one group of each column.
        if counted.groups.iter().any(|groups| !counted.are_all(groups)) {
            return Err(ProgramError::ImpossibleSum("groups that are not all rows"));
        }
        Ok(counted)
    }
}

impl Program for Comparison {
    type Question = CompareQuestion;
    type Outcome = ComparisonFigures;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<CompareQuestion, ComparisonFigures>, ProgramError> {
        let Some(sum) = sum else { return Ok(Next::Ask(self.question.clone())) };
        let layout = self.question.layout()?;
        let counted: Vec<Counted> = (0..self.question.models.len())
            .map(|position| self.question.counted(sum, &layout, position))
            .collect::<Result<_, _>>()?;
        if counted.windows(2).any(|pair| pair[0].classes() != pair[1].classes()) {
            return Err(ProgramError::ImpossibleSum("models that scored other rows than one another"));
        }
        let terms = self.fairness.as_ref().map(|terms| (terms, &self.contract));
        Ok(Next::Done(ComparisonFigures::of(&self.question, &counted, terms)))
    }

    /// Nobody can answer it by a table alone: [`CompareQuestion::answered_by`] takes the models too.
    fn answer(
        _question: &CompareQuestion,
        _table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        Err(ModelError::NotGiven.into())
    }
}

/// The name of a block of the model at this position.
fn block(position: usize, what: &str) -> String {
    format!("{}.{what}", position + 1)
}

/// The name of a block of one column's groups.
fn group_block(position: usize, grouping: &Grouping, class: &str) -> String {
    block(position, &format!("{}.{class}", grouping.column))
}

const NEGATIVE: &str = "negative";
const POSITIVE: &str = "positive";
const LOSS: &str = "loss";
/// Squared differences of probability and outcome.
const SQUARES: &str = "squares";
/// Squared differences of losses.
const DIFFERENCES: &str = "differences";

#[cfg(test)]
#[path = "comparison/tests.rs"]
mod tests;
