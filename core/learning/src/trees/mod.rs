//! The tree model that a job releases: contract, bins and trees in one, so that it scores raw rows.
//!
//! Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29(5), 2001: log-odds are
//! a sum of trees. [`program::boosted_trees`](crate::program::boosted_trees) grows them.

pub mod bins;
pub mod ensemble;
mod file;
pub mod tree;

pub use bins::{BinnedRows, Bins, MOST_BINS};
pub use ensemble::{Ensemble, MOST_TREES};
use thiserror::Error;
pub use tree::{MOST_DEPTH, Rule, Split, Tree, TreePart};

use crate::column::BLOCK;
use crate::contract::Contract;
use crate::metrics::logistic;
use crate::model::{ModelError, Scoring};
use crate::table::Table;

/// Boosted trees with their preprocessing.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeModel {
    /// The contract of the rows that it scores.
    pub contract: Contract,
    /// Base, bins and trees.
    pub ensemble: Ensemble,
    /// For each tree, and each of its splits in order, how much the split lowered the loss over the rows that it was found
    /// on.
    pub gains: Vec<Vec<f64>>,
}

/// What one column did for a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// Name of the column.
    pub column: String,
    /// The gains of all splits by it, added up.
    pub gain: f64,
    /// Splits by it.
    pub splits: u64,
}

/// Bins or trees that do not fit each other or the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the trees do not fit the contract: they need {0}")]
pub struct TreesMismatch(pub(crate) &'static str);

impl Scoring for TreeModel {
    fn score_rows(&self, table: &Table, rows: &[usize]) -> Result<Vec<f64>, ModelError> {
        if *table.contract() != self.contract {
            return Err(ModelError::Contract { expected: self.contract.id(), found: table.contract().id() });
        }
        self.check()?;
        let mut scores = Vec::with_capacity(rows.len());
        for rows in rows.chunks(BLOCK) {
            let binned = BinnedRows::of(table, rows, &self.ensemble.bins)?;
            scores.extend(self.ensemble.log_odds(&binned).into_iter().map(logistic));
        }
        Ok(scores)
    }
}

impl TreeModel {
    /// The model of the first `trees` trees only, as it was when they were all there were.
    pub fn first(&self, trees: usize) -> Self {
        let mut model = self.clone();
        model.ensemble.trees.truncate(trees);
        model.gains.truncate(trees);
        model
    }

    /// What each column did, in contract order.
    pub fn importance(&self) -> Vec<Importance> {
        let of_column =
            |column: &crate::Column| Importance { column: column.name.clone(), gain: 0.0, splits: 0 };
        let mut importance: Vec<_> = self.contract.columns.iter().map(of_column).collect();
        for (tree, gains) in self.ensemble.trees.iter().zip(&self.gains) {
            for (split, gain) in tree.splits().zip(gains) {
                if let Some(of_column) = importance.get_mut(usize::from(split.column)) {
                    of_column.gain += gain;
                    of_column.splits += 1;
                }
            }
        }
        importance
    }

    pub(crate) fn check(&self) -> Result<(), TreesMismatch> {
        self.ensemble.check(&self.contract)?;
        let fit = |(tree, gains): (&Tree, &Vec<f64>)| tree.splits().count() == gains.len();
        let is_finite = |gains: &Vec<f64>| gains.iter().all(|gain| gain.is_finite());
        let trees = &self.ensemble.trees;
        if trees.len() == self.gains.len()
            && trees.iter().zip(&self.gains).all(fit)
            && self.gains.iter().all(is_finite)
        {
            Ok(())
        } else {
            Err(TreesMismatch("one finite gain for each split"))
        }
    }
}

impl From<TreesMismatch> for ModelError {
    fn from(error: TreesMismatch) -> Self {
        Self::Weights(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::table::Role;

    /// Two trees on the columns of the fixture.
    pub(super) fn model() -> TreeModel {
        let mut first = Tree::leaf(0.0);
        let left = first.split(0, 0, Rule::UpTo(0), [0.5, 0.0]);
        first.split(left + 1, 1, Rule::OneOf(vec![0, 2]), [-0.25, 1e-9]);
        let mut second = Tree::leaf(0.0);
        second.split(0, 2, Rule::UpTo(1), [0.125, 1.0 / 3.0]);
        TreeModel {
            contract: fixture::contract(),
            ensemble: Ensemble {
                base: -1.25,
                bins: Bins { edges: vec![vec![50.0], vec![2.0, 8.0]] },
                trees: vec![first, second, Tree::leaf(0.0625)],
            },
            gains: vec![vec![3.0, 2.5], vec![0.75], vec![]],
        }
    }

    #[test]
    fn a_score_is_the_probability_of_the_summed_leaves() {
        let mut builder =
            crate::TableBuilder::new(&fixture::contract(), &["age", "job", "balance", "label"]).unwrap();
        builder.push(1, &["50", "none", "0", "1"], Role::Train);
        builder.push(2, &["51", "office", "100000", "0"], Role::Train);
        builder.push(3, &["51", "office", "100000", "0"], Role::Test);
        let table = builder.finish().unwrap();
        let older = -1.25 - 0.25 + 1.0 / 3.0 + 0.0625;
        let odds = [-1.25 + 0.5 + 0.125 + 0.0625, older, older];
        assert_eq!(model().score(&table).unwrap(), odds.map(logistic));
        assert_eq!(model().first(1).score_rows(&table, &[1]).unwrap(), [logistic(-1.5)]);
        assert_eq!(model().evaluate(&[&table], Role::Test).unwrap().unwrap().rows, 1);
    }

    #[test]
    fn a_table_of_another_contract_is_not_scored() {
        let mut other = model();
        other.contract.version = 2;
        let table = fixture::table(50, 0.0, false, 1);
        assert_eq!(other.score(&table).unwrap_err().code(), "model.contract-mismatch");
    }

    #[test]
    fn importance_adds_up_the_gains_of_each_column() {
        let importance = model().importance();
        let told: Vec<_> = importance.iter().map(|of| (of.column.as_str(), of.gain, of.splits)).collect();
        assert_eq!(told, [("age", 3.0, 1), ("job", 2.5, 1), ("balance", 0.75, 1)]);
    }
}
