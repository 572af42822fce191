//! Trends of drawn trees: leaves are moved as little as it takes, after their noise, which spends nothing.
//!
//! At a split by a column with a trend no leaf on the lower side is above the middle of the means of both sides, and none on the
//! upper side below it (the bounds of LightGBM's basic method). Splits are taken from the root down: what is moved below a split stays within
//! the bounds of those above it, since the mean of leaves does.

use super::super::terms::Trend;
use crate::contract::Contract;
use crate::trees::bins::MISSING_BIN;
use crate::trees::{Rule, Split, Tree};

/// A value of a leaf, and how much it weighs in means.
#[derive(Clone, Copy)]
pub(super) struct Leaf {
    pub(super) value: f64,
    /// Above zero.
    pub(super) weight: f64,
}

/// Moves the leaves of a complete tree, from left to right, so that it keeps to the trend of each column of the contract.
pub(super) fn hold(tree: &Tree, leaves: &mut [Leaf], trends: &[Trend], contract: &Contract) {
    for (place, split) in tree.splits().enumerate() {
        let level = (place + 1).ilog2();
        let width = leaves.len() >> level;
        let first = (place + 1 - (1 << level)) * width;
        let (left, right) = leaves[first..first + width].split_at_mut(width / 2);
        let middle = (mean(left) + mean(right)) / 2.0;
        let (low, high) = match trends[usize::from(split.column)] {
            Trend::Increasing if divides_values(split, contract) => (left, right),
            Trend::Decreasing if divides_values(split, contract) => (right, left),
            _ => continue,
        };
        low.iter_mut().for_each(|leaf| leaf.value = leaf.value.min(middle));
        high.iter_mut().for_each(|leaf| leaf.value = leaf.value.max(middle));
    }
}

/// Whether there are numbers on both sides of a split: where missing values alone are on one, no trend applies.
fn divides_values(split: &Split, contract: &Contract) -> bool {
    !(contract.columns[usize::from(split.column)].nullable && split.rule == Rule::UpTo(MISSING_BIN))
}

fn mean(leaves: &[Leaf]) -> f64 {
    let total = |of: fn(&Leaf) -> f64| leaves.iter().map(of).sum::<f64>();
    total(|leaf| leaf.value * leaf.weight) / total(|leaf| leaf.weight)
}
