//! The same scorecard with all rows in one place, for comparison only.

use super::classes::ClassesQuestion;
use super::rows::RowsQuestion;
use super::{ScorecardTerms, scorecard, woe};
use crate::program::ProgramError;
use crate::reference::{FitError, fit_standardised};
use crate::scorecard::ScorecardModel;
use crate::table::Table;

/// The scorecard of all training rows of `tables`: bins from the same counts, coefficients by Newton's method on the rows.
///
/// # Errors
/// As the federated program, and without tables or with tables of several contracts.
pub fn fit_pooled(tables: &[&Table], terms: &ScorecardTerms) -> Result<ScorecardModel, FitError> {
    let contract = tables.first().ok_or(FitError::Contracts)?.contract();
    if tables.iter().any(|table| table.contract() != contract) {
        return Err(FitError::Contracts);
    }
    terms.check(contract).map_err(ProgramError::BadQuestion)?;
    let institutions = u16::try_from(tables.len()).map_err(|_| FitError::Contracts)?;
    let question = RowsQuestion::of(contract);
    let rows = summed(tables, |table| question.counts(table))?;
    let bins = question.bins(contract, terms, &rows, institutions)?;
    let question = ClassesQuestion { bins, coarse_bins: terms.coarse_bins, max_rows: contract.max_rows };
    let classes = summed(tables, |table| question.counts(table))?;
    let coding = question.coding(contract, terms, &classes, institutions)?;
    let coded: Vec<Table> = tables.iter().map(|table| woe::coded(table, &coding)).collect();
    let coded: Vec<&Table> = coded.iter().collect();
    let standardised = fit_standardised(&coded, woe::standardisation(&coding), terms.l2)?;
    let scorecard = scorecard(&coding, &standardised.coefficients);
    Ok(ScorecardModel { contract: contract.clone(), scorecard, scale: terms.points })
}

fn summed(
    tables: &[&Table],
    counts: impl Fn(&Table) -> Result<Vec<f64>, ProgramError>,
) -> Result<Vec<f64>, ProgramError> {
    let mut total: Vec<f64> = Vec::new();
    for table in tables {
        let counts = counts(table)?;
        total.resize(counts.len(), 0.0);
        total.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    Ok(total)
}
