//! The check that a question about trees is one that approved terms lead to.

use super::super::ProgramError;
use super::super::class_weights::are_agreed;
use super::cells::{CellsQuestion, are_between_cells};
use super::question::{BoostedTreesQuestion, GrowQuestion};
use super::terms::BoostedTreesTerms;
use crate::contract::Contract;
use crate::trees::{Ensemble, Tree};

impl BoostedTreesQuestion {
    /// Checks on the participant that the approved contract and terms can lead to the question: everything in it that
    /// does not depend on sums. Those that do are the bins and the trees, of which only the size is checked.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where the question could not be
    /// answered under the contract at all.
    pub fn approved_by(&self, contract: &Contract, terms: &BoostedTreesTerms) -> Result<(), ProgramError> {
        match self {
            Self::Cells(question) => question.approved_by(contract),
            Self::Grow(question) => question.approved_by(contract, terms),
        }
    }
}

impl CellsQuestion {
    pub(in crate::program) fn approved_by(&self, contract: &Contract) -> Result<(), ProgramError> {
        if *self == Self::of(contract) { Ok(()) } else { Err(ProgramError::NotApproved("cells")) }
    }
}

/// Checks that trees are within the terms, and cut where the cells allow it: nowhere closer to somebody's value.
pub(in crate::program) fn approved(
    ensemble: &Ensemble,
    contract: &Contract,
    terms: &BoostedTreesTerms,
) -> Result<(), ProgramError> {
    let depth = |tree: &Tree| tree.depths().into_iter().max().unwrap_or(0);
    ensemble.check(contract)?;
    let departs = if ensemble.trees.len() > terms.trees as usize {
        "trees"
    } else if ensemble.trees.iter().any(|tree| depth(tree) > terms.depth) {
        "depth"
    } else if ensemble.bins.edges.iter().any(|edges| edges.len() >= terms.bins as usize) {
        "bins"
    } else if !are_between_cells(&ensemble.bins, contract) {
        "edges of bins"
    } else {
        return Ok(());
    };
    Err(ProgramError::NotApproved(departs))
}

impl GrowQuestion {
    pub(in crate::program) fn approved_by(
        &self,
        contract: &Contract,
        terms: &BoostedTreesTerms,
    ) -> Result<(), ProgramError> {
        let trees = &self.ensemble.trees;
        let columns = terms.columns_of(trees.len(), contract.columns.len());
        let depths = self.tree.depths();
        let is_shallow = |&place: &u32| depths.get(place as usize).is_some_and(|&depth| depth < terms.depth);
        approved(&self.ensemble, contract, terms)?;
        let departs = if self.max_rows != contract.max_rows {
            "max_rows"
        } else if trees.len() >= terms.trees as usize {
            "trees"
        } else if !self.places.iter().all(is_shallow) {
            "depth"
        } else if !self.columns.iter().map(|&(column, _)| column).eq(columns) {
            "columns of the tree"
        } else if (self.row_fraction, self.seed) != (terms.row_fraction, terms.seed) {
            "rows of the tree"
        } else if !are_agreed(terms.class_weights, self.class_weights) {
            "class weights"
        } else {
            return self.check(contract);
        };
        Err(ProgramError::NotApproved(departs))
    }
}
