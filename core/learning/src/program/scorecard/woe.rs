//! The questions of training: Newton's method on weights of evidence in place of the columns.

use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout};

use super::super::logistic_regression::newton::{self, Newton, NewtonQuestion};
use super::super::{Program, ProgramError};
use super::optimal::Floors;
use super::terms::ScorecardTerms;
use crate::contract::{Column, ColumnKind, Contract, Transform};
use crate::encode::Standardisation;
use crate::scorecard::{Scorecard, WoeCoding};
use crate::table::{Table, Values};

/// Asks for loss, gradient and Hessian of a model of weights of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WoeQuestion {
    /// How rows become weights of evidence.
    pub coding: WoeCoding,
    /// What is asked about them: one input for each column, zero where it is not used.
    pub newton: NewtonQuestion,
}

impl WoeQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        self.newton.layout()
    }

    /// Checks on the participant that the approved contract and terms can lead to it. The coefficients and the counts of
    /// the bins depend on sums; that the counts keep the job's floors is checked.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where it fits no table under the
    /// contract.
    pub(in crate::program) fn approved_by(
        &self,
        contract: &Contract,
        terms: &ScorecardTerms,
        rounds: u32,
    ) -> Result<(), ProgramError> {
        coding_approved(&self.coding, contract, terms)?;
        let newton = &self.newton;
        let departs = if !(1..=rounds).contains(&newton.training_round) {
            "round"
        } else if newton.max_rows != contract.max_rows {
            "max_rows"
        } else if newton.coefficients.weights.len() != contract.columns.len() {
            "number of weights"
        } else if newton.class_weights.is_some() {
            "class weights"
        } else if newton.standardisation != standardisation(&self.coding) {
            "standardisation"
        } else {
            return Ok(());
        };
        Err(ProgramError::NotApproved(departs))
    }

    /// What this table adds to the sum.
    ///
    /// # Errors
    /// When the question does not fit the table's contract.
    pub(in crate::program) fn answer(
        &self,
        table: &Table,
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        self.coding.check(table.contract())?;
        Newton::answer(&self.newton, &coded(table, &self.coding), rng)
    }
}

/// What an answer looks like under `contract`.
pub(super) fn layout(contract: &Contract) -> Result<Layout, ProgramError> {
    newton::layout(contract.columns.len(), contract.max_rows)
}

/// Checks that a scorecard is one that approved terms lead to.
///
/// # Errors
/// As [`WoeQuestion::approved_by`].
pub(in crate::program) fn approved(
    scorecard: &Scorecard,
    contract: &Contract,
    terms: &ScorecardTerms,
) -> Result<(), ProgramError> {
    scorecard.check(contract)?;
    coding_approved(&scorecard.coding, contract, terms)
}

pub(super) fn coding_approved(
    coding: &WoeCoding,
    contract: &Contract,
    terms: &ScorecardTerms,
) -> Result<(), ProgramError> {
    coding.check(contract)?;
    let floors = Floors::of(terms, coding.all());
    // A column in one piece says nothing but how many rows there are.
    let mut bins = coding.counts.iter().filter(|bins| bins.len() > 1);
    // The bin of missing values comes on top.
    let most = |column: &Column| floors.max_bins + usize::from(column.nullable);
    let departs = if coding.counts.iter().zip(&contract.columns).any(|(bins, of)| bins.len() > most(of)) {
        "number of bins"
    } else if bins.any(|bins| bins.iter().any(|bin| !floors.keep(*bin))) {
        "rows in a bin"
    } else if coding.used.iter().any(|&column| coding.information(column as usize) < terms.min_iv) {
        "information value"
    } else {
        return Ok(());
    };
    Err(ProgramError::NotApproved(departs))
}

/// Mean and deviation of each column's weight of evidence, from the counts: 0 and 1 where it is not used.
pub(super) fn standardisation(coding: &WoeCoding) -> Standardisation {
    let rows = coding.all().rows() as f64;
    let of_column = |column: usize| {
        if !coding.used.contains(&(column as u32)) {
            return (0.0, 1.0);
        }
        let woe = coding.woe(column);
        let mean_of = |value: &dyn Fn(f64) -> f64| {
            let bins = coding.counts[column].iter().zip(&woe);
            bins.map(|(bin, &woe)| bin.rows() as f64 * value(woe)).sum::<f64>() / rows
        };
        let mean = mean_of(&|woe| woe);
        (mean, libm::sqrt(mean_of(&|woe| (woe - mean) * (woe - mean))))
    };
    let (mean, sd) = (0..coding.counts.len()).map(of_column).unzip();
    Standardisation { mean, sd }
}

/// The contract of weights of evidence: a number for each column.
pub(super) fn coded_contract(contract: &Contract, coding: &WoeCoding) -> Contract {
    let of_column = |(position, column): (usize, &Column)| {
        let woe = match coding.used.contains(&(position as u32)) {
            true => coding.woe(position),
            false => vec![-1.0, 1.0],
        };
        let min = woe.iter().copied().fold(f64::INFINITY, f64::min);
        let max = woe.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let kind = ColumnKind::Numeric { transform: Transform::Identity, min, max };
        // What is missing has a weight of evidence too.
        Column { kind, nullable: false, other: false, ..column.clone() }
    };
    Contract { columns: contract.columns.iter().enumerate().map(of_column).collect(), ..contract.clone() }
}

/// The table with a weight of evidence for each value, zero where a column is not used.
pub(super) fn coded(table: &Table, coding: &WoeCoding) -> Table {
    let rows: Vec<usize> = (0..table.rows()).collect();
    let of_column = |column: usize| {
        if !coding.used.contains(&(column as u32)) {
            return Values::Numeric(rows.iter().map(|_| 0.0).collect());
        }
        let woe = coding.woe(column);
        let bins = coding.bins.of(table, &rows, column);
        Values::Numeric(bins.into_iter().map(|bin| woe[usize::from(bin)]).collect())
    };
    Table {
        contract: coded_contract(table.contract(), coding),
        columns: (0..table.columns().len()).map(of_column).collect(),
        labels: table.labels().to_vec(),
        roles: table.roles.clone(),
    }
}
