//! Federated programs: what the coordinator asks next, and what an institution answers.
//!
//! A program is one module with its two halves side by side. The coordinator half sees sums and nothing else;
//! the participant half sees its own table and the question.

pub mod boosted_trees;
mod class_weights;
pub mod comparison;
pub mod description;
pub mod drift;
pub mod evaluation;
pub mod external;
pub mod fairness;
pub mod findings;
pub mod job_table;
pub mod logistic_regression;
pub mod neural_network;
pub mod noisy_evaluation;
pub mod noisy_model;
pub(crate) mod noisy_sum;
pub mod question;
pub mod run;
mod sample;
pub mod scorecard;
pub mod scorer;
pub mod statistics;
mod training;

use rand_core::CryptoRng;
use syndic_round::layout::LayoutError;
use syndic_round::vector::ContributionError;
use syndic_round::{Block, Contribution, Layout, Sum};
use thiserror::Error;

use crate::encode::StandardisationMismatch;
use crate::metrics::LARGEST_LOSS;
use crate::model::ModelError;
use crate::table::Table;

/// A computation that needs nothing from institutions but sums.
pub trait Program {
    /// What every institution is asked in one round.
    type Question;
    /// What is known at the end.
    type Outcome;

    /// The coordinator half. Without a sum, the first question, or again the one that has no sum yet; with
    /// the sum of the answers to the last question, the next one or the outcome. The same sums always lead to
    /// the same state.
    ///
    /// # Errors
    /// When the sum is no answer to the last question, or nothing can be learnt from it. The program is then
    /// as before.
    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<Self::Question, Self::Outcome>, ProgramError>;

    /// The participant half: the values that this table adds to the sum.
    ///
    /// # Errors
    /// When the question makes no sense for this table.
    fn answer(
        question: &Self::Question,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError>;
}

/// What a program wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<Question, Outcome> {
    /// An encrypted round of this question.
    Ask(Question),
    /// Nothing more.
    Done(Outcome),
}

/// Why a program cannot go on.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The sum has another layout than the question, or there is no open question.
    #[error("the sum is not an answer to the question that was asked")]
    WrongSum,
    /// The sum has the right layout, but no tables under the contract add up to it.
    #[error("the sum is not one of tables under the contract: {0}")]
    ImpossibleSum(&'static str),
    /// All training labels of all institutions are of one class.
    #[error(
        "the institutions hold {positives} positives among {rows} training rows; both classes are needed"
    )]
    OneClass {
        /// Training rows of all institutions.
        rows: u64,
        /// Positives among them.
        positives: u64,
    },
    /// The question cannot be read, or asks for something impossible.
    #[error("the question cannot be answered: {0}")]
    BadQuestion(String),
    /// The question is not one that the approved job leads to.
    #[error("the question departs from the approved job: {0}")]
    NotApproved(&'static str),
    /// No column of a scorecard has bins that tell the classes apart.
    #[error("no column has an information value of {least} or more")]
    NoColumnTells {
        /// The least that the job uses.
        least: f64,
    },
    /// Training left the finite numbers.
    #[error("training diverged: the update is not a finite number")]
    Diverged,
}

impl ProgramError {
    /// Stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongSum => "program.wrong-sum",
            Self::ImpossibleSum(_) => "program.impossible-sum",
            Self::OneClass { .. } => "program.one-class",
            Self::BadQuestion(_) => "program.bad-question",
            Self::NotApproved(_) => "program.not-approved",
            Self::NoColumnTells { .. } => "program.no-column-tells",
            Self::Diverged => "program.diverged",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        help_with(self.code()).unwrap_or_default()
    }

    /// What it is, with its code behind it: what a record of it says, from which [`Self::named_in`] has the code again.
    pub fn recorded(&self) -> String {
        format!("{self} ({})", self.code())
    }

    /// The code that a reason ends with which [`Self::recorded`] is the end of, and what to do about it; none of other reasons.
    pub fn named_in(reason: &str) -> Option<(&str, &'static str)> {
        let (_, code) = reason.strip_suffix(')')?.rsplit_once(" (")?;
        Some((code, help_with(code)?))
    }
}

/// What to do about an error with this code.
fn help_with(code: &str) -> Option<&'static str> {
    Some(match code {
        "program.wrong-sum" => {
            "abandon the round and ask again; if it recurs, the coordinator's state is damaged"
        }
        "program.impossible-sum" => {
            "one of the institutions answers something else than the program does; the sum does not say which, \
             so ask each to check its release before the job is proposed anew"
        }
        "program.one-class" => {
            "check how the label is coded at each institution, and the job's `positive` value"
        }
        "program.bad-question" => "run the same release on both sides",
        "program.not-approved" => {
            "decline, and ask the operator why the question differs from what was approved"
        }
        "program.no-column-tells" => {
            "lower `min_iv`, `min_share`, `min_count` or `min_class` in a new job, or bring columns that tell more"
        }
        "program.diverged" => "lower `learning_rate`, or raise `l2`, in a new job",
        _ => return None,
    })
}

impl From<ContributionError> for ProgramError {
    fn from(error: ContributionError) -> Self {
        match error {
            ContributionError::NotFinite { .. } => Self::Diverged,
            ContributionError::Length { .. } => Self::BadQuestion(error.to_string()),
        }
    }
}

impl From<LayoutError> for ProgramError {
    fn from(error: LayoutError) -> Self {
        Self::BadQuestion(error.to_string())
    }
}

impl From<StandardisationMismatch> for ProgramError {
    fn from(error: StandardisationMismatch) -> Self {
        Self::BadQuestion(error.to_string())
    }
}

impl From<ModelError> for ProgramError {
    fn from(error: ModelError) -> Self {
        Self::BadQuestion(error.to_string())
    }
}

/// A block of exact counts of rows.
fn count_block(name: impl Into<String>, len: usize, max_rows: u64) -> Block {
    Block { name: name.into(), len: len as u32, bound: max_rows as f64, resolution: 1.0 }
}

/// A block of counts or of vectors in whole steps, with discrete Gaussian noise of this variance from every institution. A row adds at
/// most `of_a_row` steps to an entry.
fn noisy_block(name: &str, len: u32, of_a_row: i64, max_rows: u64, variance: u64) -> Block {
    // What is beyond is clipped, noise and all. Where the noise of one institution suffices, that spends nothing: it is done to
    // what was noisy already. Where several share it, it could: a sum of clipped values is no function of the sum of all their
    // noise. But there is room for every row and for `NOISE_REACH` deviations of the institution's own noise, and more is drawn
    // with a probability of 2 e^-128 = 5e-56 an entry at most (a discrete Gaussian's tail is no heavier than a Gaussian's bound,
    // Canonne, Kamath, Steinke 2020), far below any delta. `LARGEST_BOUND` cuts into that beyond 2^35 rows of 2^16 steps, which no
    // institution holds in memory.
    let reach = NOISE_REACH * libm::sqrt(variance as f64);
    let bound = libm::ceil(max_rows as f64 * of_a_row as f64 + reach).min(LARGEST_BOUND);
    Block { name: name.into(), len, bound, resolution: 1.0 }
}

/// A block of one summed log-loss.
fn loss_block(name: impl Into<String>, max_rows: u64) -> Block {
    let bound = LARGEST_LOSS * max_rows as f64;
    Block { name: name.into(), len: 1, bound, resolution: power_of_two_above(bound) * LOSS_STEP }
}

/// What sums to which a row adds at most one are rounded to: as fine as a layout admits.
fn finest_step(max_rows: u64) -> f64 {
    power_of_two_above(max_rows as f64) * SMALLEST_STEP
}

/// The sums of a block, of a sum that has the layout it should have.
fn values(sum: &Sum, layout: &Layout, block: &str) -> Result<Vec<f64>, ProgramError> {
    if sum.layout() != layout {
        return Err(ProgramError::WrongSum);
    }
    sum.values(block).ok_or(ProgramError::WrongSum)
}

/// The counts of a block, none of which is below zero.
fn counts(sum: &Sum, layout: &Layout, block: &str) -> Result<Vec<u64>, ProgramError> {
    let count = |count: f64| if count >= 0.0 { Ok(count as u64) } else { Err(NEGATIVE_COUNT) };
    let counts = values(sum, layout, block)?.into_iter().map(count);
    counts.collect::<Result<_, _>>().map_err(ProgramError::ImpossibleSum)
}

/// The smallest power of two that is at least `x`, for resolutions: exact in binary.
fn power_of_two_above(x: f64) -> f64 {
    libm::exp2(libm::ceil(libm::log2(x)))
}

/// Deviations of its noise that an entry has room for: more are hardly ever drawn.
const NOISE_REACH: f64 = 16.0;
/// As far as a layout reaches.
const LARGEST_BOUND: f64 = (1_u64 << 51) as f64;

/// A step, relative to the largest sum.
const SMALLEST_STEP: f64 = 1.0 / (1_u64 << 52) as f64;
/// A step of the loss, relative to the largest sum.
const LOSS_STEP: f64 = 1.0 / (1_u64 << 48) as f64;

/// What is wrong with a sum that holds a count below zero.
const NEGATIVE_COUNT: &str = "a count below zero";
/// What is wrong with a sum over more rows than `max_rows` from each who answered.
const TOO_MANY_ROWS: &str = "more rows than the institutions may bring";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_an_error_ends_with_its_code_and_each_code_has_a_remedy() {
        let all = [
            ProgramError::WrongSum,
            ProgramError::ImpossibleSum("a count below zero"),
            ProgramError::OneClass { rows: 3, positives: 0 },
            ProgramError::BadQuestion("of (another) version".into()),
            ProgramError::NotApproved("clip"),
            ProgramError::NoColumnTells { least: 0.02 },
            ProgramError::Diverged,
        ];
        for error in all {
            let reason = format!("`train/3` cannot be asked again: {}", error.recorded());
            assert!(!error.help().is_empty(), "{error}");
            assert_eq!(ProgramError::named_in(&reason), Some((error.code(), error.help())));
        }
        for other in ["only 3 of the 4 needed updates arrived in time", "gone (program.unheard-of)", ")"] {
            assert_eq!(ProgramError::named_in(other), None);
        }
    }
}
