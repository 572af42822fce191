//! Splits that are drawn: from the seed, and from what the first sum says of columns and bins.
//!
//! Totally random splits with noisy leaves: Maddock, Cormode, Wang, Maple, Jha, "Federated boosted decision trees with
//! differential privacy", CCS 2022, sections 4.2 and 4.4. A cut is as probable as the rows at it are many, so that it divides
//! rows, and not the range that they could have.

use super::super::terms::{mixed, uniform};
use super::question::Draws;
use super::survey::{Cuts, Plan};
use crate::trees::{Rule, Tree};

/// The tree after `number` others, complete to its depth, with these leaves from left to right.
pub(super) fn tree(plan: &Plan, draws: Draws, number: usize, leaves: &[f64]) -> Tree {
    let mut tree = Tree::leaf(0.0);
    let splits = leaves.len().saturating_sub(1);
    for place in 0..splits {
        let drawn = |what: u64| uniform(mixed(draws.seed, number, DRAWS * place as u64 + what));
        let column = position(&plan.columns, drawn(0));
        // The children of the last level stand in the order of the leaves.
        let first = 2 * place + 1;
        let below = |place: usize| if place < splits { 0.0 } else { leaves[place - splits] };
        let rule = plan.cuts[column].rule(drawn(1), drawn(2) < 0.5);
        tree.split(place, column as u16, rule, [below(first), below(first + 1)]);
    }
    tree
}

impl Cuts {
    /// The cut at this share of the rows, with missing values on this side.
    fn rule(&self, share: f64, missing_left: bool) -> Rule {
        let last = self.order.len().saturating_sub(2);
        let cut = position(&self.reached, share).min(last);
        match self.is_numeric {
            true if self.has_missing && cut > 0 && !missing_left => Rule::PresentUpTo(cut as u16),
            true => Rule::UpTo(cut as u16),
            false => {
                let mut levels = self.order[..=cut].to_vec();
                levels.sort_unstable();
                Rule::OneOf(levels)
            }
        }
    }
}

/// The first that reaches beyond `share`, and has a share of its own.
fn position(reached: &[f64], share: f64) -> usize {
    let position = reached.partition_point(|&reached| reached <= share);
    position.min(reached.len().saturating_sub(1))
}

/// Numbers that a split is drawn by, and one to spare.
const DRAWS: u64 = 4;
