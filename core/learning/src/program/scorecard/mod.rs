//! Scorecards: optimal bins, weights of evidence, and a logistic regression on them.
//!
//! Siddiqi, "Credit risk scorecards", Wiley 2006, for weights of evidence, information value and points; Navas-Palencia,
//! "Optimal binning: mathematical programming formulation", 2020 (arXiv:2001.08025), for the problem that the bins solve.
//!
//! Three questions. First rows, without labels, in narrow cells and by level; then the rows of each class in narrower bins
//! that hold enough of them; then Newton's method. All counts are exact and the rest is computed from them, so **bins, weights
//! of evidence and information values are those of pooling to the last bit**, and the coefficients those of pooling up to what
//! the sums are rounded to.
//!
//! What keeps rows apart from sums are floors, not noise: classes are counted in bins of at least `min_count` rows of those
//! who answered the first question, and published in bins of at least so many, a least share of all, and `min_class` of each
//! class.

mod classes;
pub mod noisy;
mod noisy_bins;
mod noisy_counts;
mod optimal;
mod pooled;
mod rows;
mod terms;
mod woe;

use syndic_round::{Layout, Sum};

pub use self::classes::ClassesQuestion;
pub use self::noisy_counts::NoisyCountsQuestion;
pub(crate) use self::noisy_counts::calibrated;
pub use self::pooled::fit_pooled;
pub use self::rows::RowsQuestion;
pub(in crate::program) use self::rows::cuts;
pub use self::terms::ScorecardTerms;
pub use self::woe::WoeQuestion;
pub(in crate::program) use self::woe::approved;
use super::logistic_regression::inference::Fit;
use super::logistic_regression::newton::{Newton, NewtonTerms};
use super::statistics::{Count, Summary};
use super::{Next, Program as _, ProgramError, values};
use crate::coefficients::Coefficients;
use crate::contract::{ColumnKind, Contract};
use crate::encode::Standardisation;
use crate::job::Encoding;
use crate::scorecard::coding::ColumnBins;
use crate::scorecard::{Scorecard, ScorecardMismatch, ScorecardModel, WoeCoding};

/// The name in job files and model cards.
pub const NAME: &str = "scorecard";

/// The coordinator half: what is known of the scorecard, and what is asked next.
#[derive(Clone, Debug)]
pub struct ScorecardTraining {
    contract: Contract,
    terms: ScorecardTerms,
    rounds: u32,
    summary: Summary,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// How many rows where.
    Rows,
    /// Of which class.
    Classes(ClassesQuestion),
    /// The coefficients.
    Fitting { coding: WoeCoding, newton: Box<Newton> },
}

/// What institutions are asked for a scorecard.
#[derive(Clone, Debug, PartialEq)]
pub enum ScorecardQuestion {
    /// Rows in cells and by level.
    Rows(RowsQuestion),
    /// Classes in bins.
    Classes(ClassesQuestion),
    /// Loss, gradient and Hessian.
    Woe(WoeQuestion),
}

impl ScorecardTraining {
    /// A scorecard under these terms, in at most `rounds` rounds of Newton's method.
    ///
    /// # Errors
    /// [`ProgramError::BadQuestion`] where the terms do not fit the contract.
    pub fn new(
        contract: &Contract,
        summary: &Summary,
        terms: &ScorecardTerms,
        rounds: u32,
    ) -> Result<Self, ProgramError> {
        terms.check(contract).map_err(ProgramError::BadQuestion)?;
        let (contract, terms, summary) = (contract.clone(), terms.clone(), summary.clone());
        Ok(Self { contract, terms, rounds, summary, state: State::Rows })
    }

    /// What is asked now, or with the sum of the answers to that, what is asked next; none once it is finished.
    ///
    /// # Errors
    /// When the sum is no answer to the pending question, or nothing can be learnt from it. Nothing is then changed.
    pub fn next(&mut self, sum: Option<&Sum>) -> Result<Option<ScorecardQuestion>, ProgramError> {
        if let Some(sum) = sum {
            self.take(sum)?;
        }
        Ok(match &mut self.state {
            State::Rows => Some(ScorecardQuestion::Rows(RowsQuestion::of(&self.contract))),
            State::Classes(question) => Some(ScorecardQuestion::Classes(question.clone())),
            State::Fitting { coding, newton } => match newton.next(None)? {
                Next::Ask(newton) => {
                    Some(ScorecardQuestion::Woe(WoeQuestion { coding: coding.clone(), newton }))
                }
                Next::Done(_) => None,
            },
        })
    }

    fn take(&mut self, sum: &Sum) -> Result<(), ProgramError> {
        let institutions = sum.survivors();
        match &mut self.state {
            State::Rows => {
                let question = RowsQuestion::of(&self.contract);
                let summed = all_values(sum, &question.layout()?)?;
                let bins = question.bins(&self.contract, &self.terms, &summed, institutions)?;
                self.state = State::Classes(self.classes(bins));
            }
            State::Classes(question) => {
                let summed = all_values(sum, &question.layout()?)?;
                let coding = question.coding(&self.contract, &self.terms, &summed, institutions)?;
                let all = coding.all();
                let summary = Summary {
                    training: Count { rows: all.rows(), positives: all.bad },
                    standardisation: woe::standardisation(&coding),
                    ..self.summary.clone()
                };
                let terms = NewtonTerms {
                    encoding: Encoding::DropFirst,
                    l2: self.terms.l2,
                    class_weights: None,
                    rounds: self.rounds,
                };
                let newton = Newton::new(&woe::coded_contract(&self.contract, &coding), &summary, terms);
                self.state = State::Fitting { coding, newton: Box::new(newton) };
            }
            State::Fitting { newton, .. } => drop(newton.next(Some(sum))?),
        }
        Ok(())
    }

    fn classes(&self, bins: ColumnBins) -> ClassesQuestion {
        ClassesQuestion { bins, coarse_bins: self.terms.coarse_bins, max_rows: self.contract.max_rows }
    }

    /// Rounds of Newton's method that have a sum.
    pub fn completed(&self) -> u32 {
        match &self.state {
            State::Rows | State::Classes(_) => 0,
            State::Fitting { newton, .. } => newton.training_round() - u32::from(!newton.is_finished()),
        }
    }

    /// Whether the sum that is awaited may be the last of all.
    pub fn is_last(&self) -> bool {
        matches!(&self.state, State::Fitting { newton, .. } if newton.is_last())
    }

    /// Whether the sum that is awaited makes coefficients.
    pub fn is_fitting(&self) -> bool {
        matches!(self.state, State::Fitting { .. })
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        matches!(&self.state, State::Fitting { newton, .. } if newton.is_finished())
    }

    /// What an answer looks like to what is asked after the awaited sum.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn next_layout(&self) -> Result<Layout, ProgramError> {
        let RowsQuestion { numeric_columns, levels, max_rows } = RowsQuestion::of(&self.contract);
        match self.state {
            State::Rows => {
                classes::layout(numeric_columns as usize, levels as usize, self.terms.coarse_bins, max_rows)
            }
            State::Classes(_) | State::Fitting { .. } => woe::layout(&self.contract),
        }
    }

    /// The model so far: before there are bins, that of the base rate.
    pub fn model(&self) -> ScorecardModel {
        let scorecard = match &self.state {
            State::Fitting { coding, newton } => scorecard(coding, newton.coefficients()),
            State::Rows | State::Classes(_) => self.base_rate(),
        };
        ScorecardModel { contract: self.contract.clone(), scorecard, scale: self.terms.points }
    }

    /// One bin of each column.
    fn base_rate(&self) -> Scorecard {
        let Count { rows, positives } = self.summary.training;
        let counts = crate::scorecard::ClassCounts { good: rows - positives, bad: positives };
        let columns = &self.contract.columns;
        let groups = columns.iter().filter_map(|column| match &column.kind {
            ColumnKind::Categorical { .. } => Some(vec![0; column.inputs()]),
            ColumnKind::Numeric { .. } => None,
        });
        let missing = self.contract.nullable_numbers().filter(|&nullable| nullable).map(|_| 0);
        let cuts = vec![Vec::new(); self.contract.numeric().count()];
        Scorecard {
            coding: WoeCoding {
                bins: ColumnBins { cuts, groups: groups.collect(), missing: missing.collect() },
                counts: vec![vec![counts]; columns.len()],
                used: Vec::new(),
            },
            coefficients: Coefficients::constant(columns.len(), positives as f64 / rows as f64),
        }
    }

    /// What is known of the coefficients at the end, of the columns that are used; none before.
    pub fn fit(&self) -> Option<Fit> {
        let State::Fitting { coding, newton } = &self.state else { return None };
        let mut fit = newton.fit(&woe::coded_contract(&self.contract, coding))?;
        let is_used =
            |position: usize| coding.used.contains(&(position as u32)) || position == coding.counts.len();
        fit.inference = fit.inference.map(|inferred| {
            inferred.into_iter().enumerate().filter(|(at, _)| is_used(*at)).map(|(_, one)| one).collect()
        });
        Some(fit)
    }
}

/// The largest vector that the terms lead to: the first.
pub(super) fn longest_layout(contract: &Contract) -> Result<Layout, ProgramError> {
    let (first, last) = (RowsQuestion::of(contract).layout()?, woe::layout(contract)?);
    Ok(if first.len() >= last.len() { first } else { last })
}

/// The scorecard with the coefficients of standardised weights of evidence.
fn scorecard(coding: &WoeCoding, standardised: &Coefficients) -> Scorecard {
    scorecard_scaled(coding, standardised, &woe::standardisation(coding))
}

/// The same with coefficients of weights of evidence that are scaled so.
fn scorecard_scaled(coding: &WoeCoding, standardised: &Coefficients, scale: &Standardisation) -> Scorecard {
    let by_unit: Vec<f64> =
        standardised.weights.iter().zip(&scale.sd).map(|(weight, sd)| weight / sd).collect();
    let shift: f64 = by_unit.iter().zip(&scale.mean).map(|(weight, mean)| weight * mean).sum();
    // A zero has no sign.
    let weights = by_unit.into_iter().map(|weight| weight + 0.0).collect();
    let coefficients = Coefficients { weights, intercept: standardised.intercept - shift };
    Scorecard { coding: coding.clone(), coefficients }
}

fn all_values(sum: &Sum, layout: &Layout) -> Result<Vec<f64>, ProgramError> {
    let mut summed = Vec::with_capacity(layout.len());
    for block in layout.blocks() {
        summed.extend(values(sum, layout, &block.name)?);
    }
    Ok(summed)
}

impl From<ScorecardMismatch> for ProgramError {
    fn from(error: ScorecardMismatch) -> Self {
        Self::BadQuestion(error.to_string())
    }
}

#[cfg(test)]
mod tests;
