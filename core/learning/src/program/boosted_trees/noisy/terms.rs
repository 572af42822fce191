//! The terms of trees with random splits, whose leaves have noise.

use serde::{Deserialize, Serialize};

use super::super::cells::even_bins;
use super::super::question::MOST_SUMS;
use super::super::terms::{BoostedTreesTerms, check_trends};
use super::question::Draws;
use super::survey;
use crate::contract::{ColumnKind, Contract};
use crate::trees::{MOST_BINS, MOST_DEPTH, MOST_TREES};

/// The terms of boosted trees, by how their splits are chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TreesTerms {
    /// The best by gain, from exact sums.
    Best(BoostedTreesTerms),
    /// Drawn, so that only leaves are summed, with noise.
    Random(RandomTreesTerms),
}

/// The terms of trees with random splits. Training rounds are written elsewhere in the job's file: the first counts rows, each
/// other one grows `trees_per_round` trees in one encrypted round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomTreesTerms {
    /// `random`: what sets these terms apart from others.
    pub splits: Random,
    /// Splits between a root and each leaf.
    pub depth: u32,
    /// Trees whose leaves are summed in one round, and whose mean is the step.
    pub trees_per_round: u32,
    /// How many times the step is taken.
    pub learning_rate: f64,
    /// Bins of a numeric column, which divide its public range evenly.
    pub bins: u32,
    /// Penalty on the squared leaves.
    pub l2: f64,
    /// What the splits are drawn from.
    pub seed: u32,
    /// Numeric columns in which the probability may not fall.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub increasing: Vec<String>,
    /// Numeric columns in which the probability may not rise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decreasing: Vec<String>,
}

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Random {
    /// Splits are drawn.
    Random,
}

impl TreesTerms {
    /// Those of exact sums, if their splits are the best.
    pub fn best(&self) -> Option<&BoostedTreesTerms> {
        match self {
            Self::Best(terms) => Some(terms),
            Self::Random(_) => None,
        }
    }

    /// Those of noisy sums, if their splits are drawn.
    pub fn random(&self) -> Option<&RandomTreesTerms> {
        match self {
            Self::Best(_) => None,
            Self::Random(terms) => Some(terms),
        }
    }

    /// The most splits between a root and a leaf.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Best(terms) => terms.depth,
            Self::Random(terms) => terms.depth,
        }
    }
}

impl From<BoostedTreesTerms> for TreesTerms {
    fn from(terms: BoostedTreesTerms) -> Self {
        Self::Best(terms)
    }
}

/// Chosen by the log-loss on fold 1 of three public tables, at epsilon 3 and 1, as one setting for all.
impl Default for RandomTreesTerms {
    fn default() -> Self {
        Self {
            splits: Random::Random,
            depth: 4,
            trees_per_round: 10,
            learning_rate: 1.0,
            bins: MOST_BINS as u32,
            l2: 1.0,
            seed: 0,
            increasing: Vec::new(),
            decreasing: Vec::new(),
        }
    }
}

impl RandomTreesTerms {
    /// Checks them against the contract and the training rounds.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, contract: &Contract, rounds: u32) -> Result<(), String> {
        let trees = self.trees_after(rounds);
        let is_rate = self.learning_rate > 0.0 && self.learning_rate <= LARGEST_RATE;
        let widths = even_bins(contract, self.bins).widths(contract);
        let rules = [
            ((1..=MOST_DEPTH).contains(&self.depth), format!("`depth` is from 1 to {MOST_DEPTH}")),
            ((2..=MOST_BINS as u32).contains(&self.bins), format!("`bins` is from 2 to {MOST_BINS}")),
            (is_rate, format!("`learning_rate` is above 0 and at most {LARGEST_RATE}")),
            (self.l2 >= 0.0 && self.l2.is_finite(), "`l2` is not negative".into()),
            (self.trees_per_round > 0, "`trees_per_round` is at least 1".into()),
            (rounds > 1, "the first round counts rows, so that trees take two rounds at least".into()),
            (trees <= MOST_TREES as u64, format!("{rounds} rounds of `trees_per_round` grow {trees} trees")),
            (widths.iter().any(|&width| width > 1), "no column has two bins to split".into()),
            (self.entries(contract) <= MOST_SUMS, "the sums of all leaves are too many".into()),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, problem)) => Err(problem),
            None => check_trends(&self.increasing, &self.decreasing, contract),
        }
    }

    /// What decides the splits, beside the first sum.
    pub(in crate::program) fn draws(&self) -> Draws {
        let Self { depth, trees_per_round, bins, seed, .. } = *self;
        Draws { depth, trees_per_round, bins, seed }
    }

    /// Trees that so many training rounds grow.
    pub(crate) fn trees_after(&self, rounds: u32) -> u64 {
        u64::from(rounds.saturating_sub(1)) * u64::from(self.trees_per_round)
    }

    /// Entries of the longest sum.
    pub(crate) fn entries(&self, contract: &Contract) -> u64 {
        survey::entries(contract, self.bins).max(2 * self.draws().leaves())
    }

    /// Bytes that a question with all trees takes at most: one that measures the model names its splits.
    pub(crate) fn largest_question(&self, contract: &Contract, rounds: u32) -> u64 {
        let most = contract.columns.iter().map(|column| match &column.kind {
            ColumnKind::Numeric { .. } => 0,
            ColumnKind::Categorical { levels } => levels.len() as u64,
        });
        let of_split = 16 + 16 + most.max().unwrap_or(0) * 5;
        self.trees_after(rounds).saturating_mul(of_split << self.depth.min(MOST_DEPTH))
    }

    /// How many slopes the noise in one sum weighs like: that of one tree, for that of all trees of a round is as long as that of one,
    /// since each has its share of what a row may move, and rows divide among the leaves, whose noise weighs more the fewer they have.
    pub(crate) fn slopes_of_a_sum(&self) -> f64 {
        let leaves = self.draws().leaves_of_a_tree() as f64;
        leaves * leaves
    }

    /// Trees of about the same use without noise: those that exact sums grow by default, and how many, with the same trends.
    pub fn without_noise(&self) -> BoostedTreesTerms {
        let (increasing, decreasing) = (self.increasing.clone(), self.decreasing.clone());
        BoostedTreesTerms { seed: self.seed, increasing, decreasing, ..BoostedTreesTerms::default() }
    }
}

/// Further than twice the mean of trees that each explain as much as they can, steps lead past what they aim at.
pub(crate) const LARGEST_RATE: f64 = 2.0;
