//! The same trees with all rows in one place, for comparison only: what pooling would reach, and what an institution reaches
//! alone.

use super::{BoostedTrees, BoostedTreesTerms, PreparedTable};
use crate::program::statistics::Count;
use crate::program::{Next, ProgramError};
use crate::table::{Role, Table};
use crate::trees::TreeModel;

/// The trees of all training rows of `tables`: the federated program without encoding and without rounds.
///
/// # Errors
/// [`ProgramError::OneClass`] without training rows of both classes; [`ProgramError::BadQuestion`] without tables, with
/// tables of several contracts, or where the terms do not fit the contract.
pub fn fit_pooled(tables: &[&Table], terms: &BoostedTreesTerms) -> Result<TreeModel, ProgramError> {
    let one_contract = || ProgramError::BadQuestion("pooling needs tables that keep one contract".into());
    let contract = tables.first().ok_or_else(one_contract)?.contract();
    if tables.iter().any(|table| table.contract() != contract) {
        return Err(one_contract());
    }
    let institutions = u16::try_from(tables.len()).map_err(|_| one_contract())?;
    let count = tables.iter().map(|table| table.count(Role::Train));
    let (rows, positives) = count.fold((0, 0), |all, table| (all.0 + table.0, all.1 + table.1));
    let mut program = BoostedTrees::new(contract.clone(), Count { rows, positives }, terms.clone())?;
    let mut prepared: Vec<_> = tables.iter().map(|&table| PreparedTable::new(table)).collect();
    loop {
        let question = match program.pending() {
            Next::Ask(question) => question,
            Next::Done(model) => return Ok(model),
        };
        let mut summed = vec![0.0; question.layout()?.len()];
        for table in &mut prepared {
            let contribution = table.answer(&question)?;
            summed.iter_mut().zip(contribution.values()).for_each(|(sum, value)| *sum += value);
        }
        program.take(&summed, institutions)?;
    }
}
