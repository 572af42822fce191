//! How a released model treats groups of customers: score histograms of the test rows, by group.
//!
//! Every group's rows are counted by score and label, so that one sum gives the rates at any threshold and the AUC of
//! each group. Rates and gaps are those of Hardt, Price and Srebro, "Equality of opportunity in supervised learning",
//! NIPS 2016, and of Dwork and others, "Fairness through awareness", ITCS 2012 (demographic parity).

pub mod figures;
pub(in crate::program) mod noisy;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Block, Contribution, Layout, Sum};

use self::figures::FairnessFigures;
use super::scorer::Scorer;
use super::{Next, Program, ProgramError, TOO_MANY_ROWS, count_block, counts};
use crate::contract::{ColumnKind, Contract};
use crate::job::{FairnessTerms, Grouping};
use crate::metrics::ScoreHistogram;
use crate::model::{Model, ModelError, Scoring};
use crate::table::{Role, Table, Values, is_missing};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct Fairness {
    question: FairnessQuestion,
    terms: FairnessTerms,
    contract: Contract,
}

/// Asks how a model's scores are distributed in each group.
///
/// Keys that it does not know are refused where its spelling is checked: [`Question::from_bytes`](super::question::Question::from_bytes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FairnessQuestion {
    /// The model.
    #[serde(flatten)]
    pub scorer: Scorer,
    /// By which columns.
    pub groups: Vec<Grouping>,
    /// How many groups each of them makes.
    pub sizes: Vec<u32>,
    /// Bins of each histogram.
    pub bins: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

impl Fairness {
    /// A comparison of what `model` does, in histograms of `bins` bins.
    pub fn new(model: &Model, terms: &FairnessTerms, bins: u32) -> Self {
        let question = FairnessQuestion {
            scorer: model.into(),
            groups: terms.groups.clone(),
            sizes: sizes(&terms.groups, model.contract()),
            bins,
            max_rows: model.contract().max_rows,
        };
        Self { question, terms: terms.clone(), contract: model.contract().clone() }
    }
}

impl FairnessQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(&self.groups, &self.sizes, self.bins, self.max_rows)
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
        for histograms in counted(model, table, &test_rows(table), &self.groups, self.bins)? {
            let counts = |class: fn(&ScoreHistogram) -> &Vec<u64>| {
                histograms.iter().flat_map(class).map(|&count| count as f64).collect::<Vec<_>>()
            };
            contribution.extend(counts(|histogram| &histogram.negative));
            contribution.extend(counts(|histogram| &histogram.positive));
        }
        Ok(Contribution::new(layout, contribution)?)
    }
}

/// The figures of `model` on the test rows of all `tables`, for comparison only: a federation has their sums.
///
/// # Errors
/// When the model does not fit the tables.
pub fn measured(
    model: &Model,
    tables: &[&Table],
    terms: &FairnessTerms,
    bins: u32,
) -> Result<FairnessFigures, ModelError> {
    measured_by(model, model.contract(), tables, (terms, bins))
}

/// The same by whatever scores the rows, which keep `contract`.
///
/// # Errors
/// As [`measured`].
pub fn measured_by(
    scoring: &impl Scoring,
    contract: &Contract,
    tables: &[&Table],
    (terms, bins): (&FairnessTerms, u32),
) -> Result<FairnessFigures, ModelError> {
    let mut total: Vec<Vec<ScoreHistogram>> = Vec::new();
    for table in tables {
        let counted = counted(scoring, table, &test_rows(table), &terms.groups, bins)?;
        if total.is_empty() {
            total = counted;
            continue;
        }
        for (sum, one) in total.iter_mut().flatten().zip(counted.into_iter().flatten()) {
            sum.add(&one);
        }
    }
    Ok(FairnessFigures::of(terms, contract, &total))
}

/// What an answer looks like: for each column, group and label a histogram.
pub(super) fn layout(
    groups: &[Grouping],
    sizes: &[u32],
    bins: u32,
    max_rows: u64,
) -> Result<Layout, ProgramError> {
    let values = sizes.iter().try_fold(0_u32, |sum, size| sum.checked_add(size.checked_mul(bins)?));
    if groups.len() != sizes.len() || values.is_none_or(|values| values > MOST_VALUES) {
        return Err(ProgramError::BadQuestion("it has too many groups, or no number for each column".into()));
    }
    let of_grouping = |(grouping, &size): (&Grouping, &u32)| -> Vec<Block> {
        let class = |class| count_block(block(grouping, class), size as usize * bins as usize, max_rows);
        vec![class(NEGATIVE), class(POSITIVE)]
    };
    Ok(Layout::new(groups.iter().zip(sizes).flat_map(of_grouping).collect())?)
}

/// How many groups each column makes under `contract`.
pub(super) fn sizes(groups: &[Grouping], contract: &Contract) -> Vec<u32> {
    groups.iter().map(|grouping| grouping.names(contract).len() as u32).collect()
}

impl Program for Fairness {
    type Question = FairnessQuestion;
    type Outcome = FairnessFigures;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<FairnessQuestion, FairnessFigures>, ProgramError> {
        let Some(sum) = sum else { return Ok(Next::Ask(self.question.clone())) };
        let layout = self.question.layout()?;
        let most = u128::from(sum.survivors()) * u128::from(self.question.max_rows);
        let mut histograms = Vec::new();
        for grouping in &self.question.groups {
            let class = |class| counts(sum, &layout, &block(grouping, class));
            let (negative, positive) = (class(NEGATIVE)?, class(POSITIVE)?);
            if negative.iter().chain(&positive).copied().map(u128::from).sum::<u128>() > most {
                return Err(ProgramError::ImpossibleSum(TOO_MANY_ROWS));
            }
            let bins = self.question.bins as usize;
            let of_groups = negative.chunks(bins).zip(positive.chunks(bins));
            let of_group = |(negative, positive): (&[u64], &[u64])| ScoreHistogram {
                negative: negative.to_vec(),
                positive: positive.to_vec(),
            };
            histograms.push(of_groups.map(of_group).collect());
        }
        Ok(Next::Done(FairnessFigures::of(&self.terms, &self.contract, &histograms)))
    }

    fn answer(
        question: &FairnessQuestion,
        table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        question.answered_by(table, &question.scorer.model(table.contract())?)
    }
}

fn test_rows(table: &Table) -> Vec<usize> {
    table.rows_for(Role::Test)
}

/// For each column and group, the scores of these rows.
pub(super) fn counted(
    model: &impl Scoring,
    table: &Table,
    rows: &[usize],
    groups: &[Grouping],
    bins: u32,
) -> Result<Vec<Vec<ScoreHistogram>>, ModelError> {
    let scores = model.score_rows(table, rows)?;
    let of_grouping = |grouping: &Grouping| {
        let of_row = group_of_rows(grouping, table, rows);
        let of_group = |group: usize| {
            let (scores, labels): (Vec<f64>, Vec<bool>) = (0..rows.len())
                .filter(|&position| of_row[position] == group)
                .map(|position| (scores[position], table.labels()[rows[position]]))
                .unzip();
            ScoreHistogram::of(&scores, &labels, bins as usize)
        };
        (0..grouping.names(table.contract()).len()).map(of_group).collect()
    };
    Ok(groups.iter().map(of_grouping).collect())
}

/// The group of each of these rows.
fn group_of_rows(grouping: &Grouping, table: &Table, rows: &[usize]) -> Vec<usize> {
    let columns = table.contract().columns.iter().zip(table.columns());
    let Some((column, values)) = columns.into_iter().find(|(column, _)| column.name == grouping.column)
    else {
        return Vec::new();
    };
    match (&column.kind, values) {
        (ColumnKind::Numeric { transform, .. }, Values::Numeric(values)) => {
            // The table's values are transformed, which keeps their order.
            let bands: Vec<f64> = grouping.bands.iter().map(|&band| transform.apply(band)).collect();
            let group = |value| match is_missing(value) {
                true => bands.len() + 1,
                false => bands.partition_point(|&band| band <= value),
            };
            rows.iter().map(|&row| group(values[row])).collect()
        }
        (_, Values::Categorical(values)) => rows.iter().map(|&row| usize::from(values[row])).collect(),
        (ColumnKind::Categorical { .. }, Values::Numeric(_)) => Vec::new(),
    }
}

fn block(grouping: &Grouping, class: &str) -> String {
    format!("{}.{class}", grouping.column)
}

/// The most values of one label: 16 columns of 64 groups in 65,536 bins.
pub(super) const MOST_VALUES: u32 = 1 << 26;

const NEGATIVE: &str = "negative";
const POSITIVE: &str = "positive";

#[cfg(test)]
#[path = "fairness/tests.rs"]
mod tests;
