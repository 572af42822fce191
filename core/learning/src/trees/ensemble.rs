//! Trees that are added up.

use serde::{Deserialize, Serialize};

use super::TreesMismatch;
use super::bins::{BinnedRows, Bins};
use super::tree::Tree;
use crate::contract::Contract;

/// A base and trees over shared bins. The log-odds of a row are the base and its leaf of each tree, added in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// Log-odds before the first tree.
    pub base: f64,
    /// Where numbers are cut.
    pub bins: Bins,
    /// In the order in which they were grown.
    pub trees: Vec<Tree>,
}

impl Ensemble {
    /// Checks it against the contract.
    ///
    /// # Errors
    /// When the base is not finite, or the bins or a tree do not fit the contract.
    pub fn check(&self, contract: &Contract) -> Result<(), TreesMismatch> {
        self.bins.check(contract)?;
        if !self.base.is_finite() {
            return Err(TreesMismatch("a base that is a finite number"));
        }
        if self.trees.len() > MOST_TREES {
            return Err(TreesMismatch("trees that are not too many"));
        }
        let widths = self.bins.widths(contract);
        self.trees.iter().try_for_each(|tree| tree.check(contract, &widths))
    }

    /// Checks one more tree over the same bins.
    pub(crate) fn check_tree(&self, tree: &Tree, contract: &Contract) -> Result<(), TreesMismatch> {
        tree.check(contract, &self.bins.widths(contract))
    }

    /// Log-odds of the rows, in their order. The ensemble must fit the contract of the rows.
    pub fn log_odds(&self, rows: &BinnedRows) -> Vec<f64> {
        let mut log_odds = vec![self.base; rows.rows().len()];
        self.add_trees_from(0, rows, &mut log_odds);
        log_odds
    }

    /// Adds the trees from the `first` on to log-odds that have those before it.
    pub(crate) fn add_trees_from(&self, first: usize, rows: &BinnedRows, log_odds: &mut [f64]) {
        for tree in &self.trees[first..] {
            for (row, log_odds) in rows.rows().zip(&mut *log_odds) {
                *log_odds += tree.value_at(tree.place_of(row));
            }
        }
    }
}

/// The most trees of an ensemble.
pub const MOST_TREES: usize = 2_000;
