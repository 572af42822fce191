//! The questions about trees: what they hold, their layouts, and what a participant checks before it answers.

use serde::{Deserialize, Serialize};
use syndic_round::{Block, Layout};

use super::super::class_weights::are_relative;
use super::super::{ProgramError, count_block, power_of_two_above};
use super::cells::CellsQuestion;
use crate::contract::Contract;
use crate::trees::{Ensemble, MOST_DEPTH, MOST_TREES, Tree, TreePart};

/// What institutions are asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BoostedTreesQuestion {
    /// Rows in cells, for the bins.
    Cells(CellsQuestion),
    /// Sums for the splits of one depth.
    Grow(GrowQuestion),
}

/// Asks for the sums of gradient, Hessian and rows in each bin, at some leaves of a tree that is being grown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowQuestion {
    /// The trees before it: they give each row its gradient.
    pub ensemble: Ensemble,
    /// The tree as far as it is grown. Its leaves have the values that they keep if they are not split.
    pub tree: Tree,
    /// Where the leaves in question stand in it, ascending.
    pub places: Vec<u32>,
    /// The columns that it may split by, ascending: position in the contract, and number of bins.
    pub columns: Vec<(u32, u32)>,
    /// The share of the training rows that it is grown on.
    pub row_fraction: f64,
    /// Which rows those are.
    pub seed: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// How much a negative and a positive count, the larger of them one; all alike where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<[f64; 2]>,
}

impl BoostedTreesQuestion {
    /// What an answer looks like; both sides derive it from the question.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        match self {
            Self::Cells(question) => question.layout(),
            Self::Grow(question) => question.layout(),
        }
    }

    /// The tree that the question is about, from 1; none before the first.
    pub fn tree(&self) -> Option<u32> {
        match self {
            Self::Cells(_) => None,
            Self::Grow(question) => Some(question.ensemble.trees.len() as u32 + 1),
        }
    }
}

impl GrowQuestion {
    /// What an answer looks like: gradients of all places, then Hessians, then rows; of a place, the bins of one column
    /// after the other.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(&self.columns, self.places.len(), self.max_rows)
    }

    /// How far below the root its places are.
    pub fn depth(&self) -> u32 {
        let first = self.places.first().map_or(0, |&place| place as usize);
        self.tree.depths().get(first).copied().unwrap_or(0)
    }

    /// Whether its places are all at one depth, and no two of them the children of one split.
    fn has_one_child_of_each_split(&self, depths: &[u32]) -> bool {
        let depth = self.depth();
        let asked =
            |place: usize| u32::try_from(place).is_ok_and(|place| self.places.binary_search(&place).is_ok());
        self.places.iter().all(|&place| depths.get(place as usize) == Some(&depth))
            && !self.tree.splits().any(|split| asked(split.left) && asked(split.left + 1))
    }

    /// Checks everything in it against the contract: whatever passes can be answered.
    ///
    /// # Errors
    /// [`ProgramError::BadQuestion`].
    pub(super) fn check(&self, contract: &Contract) -> Result<(), ProgramError> {
        self.ensemble.check(contract)?;
        self.ensemble.check_tree(&self.tree, contract)?;
        let (parts, depths) = (self.tree.parts(), self.tree.depths());
        let may_be_split = |&place: &u32| {
            matches!(parts.get(place as usize), Some(TreePart::Leaf(_)))
                && depths[place as usize] < MOST_DEPTH
        };
        let widths = self.ensemble.bins.widths(contract);
        let has_bins = |&(column, bins): &(u32, u32)| widths.get(column as usize) == Some(&(bins as usize));
        let problem = if self.ensemble.trees.len() >= MOST_TREES {
            "it has too many trees"
        } else if self.max_rows != contract.max_rows {
            "it is about another contract"
        } else if self.places.is_empty() || !self.places.windows(2).all(|pair| pair[0] < pair[1]) {
            "its places do not ascend"
        } else if !self.places.iter().all(may_be_split) {
            "its places are not leaves that could be split"
        } else if !self.has_one_child_of_each_split(&depths) {
            "its places are not one child of each split of a depth"
        } else if self.columns.is_empty() || !self.columns.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            "its columns do not ascend"
        } else if !self.columns.iter().all(has_bins) {
            "its columns have other bins"
        } else if !(self.row_fraction > 0.0 && self.row_fraction <= 1.0) {
            "its fraction of the rows is out of range"
        } else if self.class_weights.is_some_and(|weights| !are_relative(weights)) {
            "a class weight is out of range"
        } else {
            return Ok(());
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }
}

/// What an answer about so many places looks like.
///
/// Rows are a fifth of the bytes (one limb beside two and two, below 2^20 rows of each of 16 institutions under KSA-S32).
/// They make "no leaf is about fewer than so many people" a fact and not an estimate, choose the smaller child, and bound
/// what gradients and Hessians can be.
pub(super) fn layout(columns: &[(u32, u32)], places: usize, max_rows: u64) -> Result<Layout, ProgramError> {
    let bins = columns.iter().map(|&(_, bins)| u64::from(bins)).sum::<u64>();
    let len = bins.checked_mul(places as u64).filter(|&len| len <= MOST_SUMS);
    let len = len.ok_or_else(|| ProgramError::BadQuestion("it asks for too many sums".into()))? as u32;
    let (rows, resolution) = (max_rows as f64, resolution(max_rows));
    Ok(Layout::new(vec![
        Block { name: GRADIENT.into(), len, bound: rows, resolution },
        Block { name: HESSIAN.into(), len, bound: rows / 4.0, resolution },
        count_block(ROWS, len as usize, max_rows),
    ])?)
}

/// What each row's gradient and Hessian is rounded to, and so the resolution of their sums: the finest that two limbs of
/// 20 bits hold for so many rows, but never coarser than 2^-20, and not beyond what a layout admits.
///
/// At 2^-20 (a million rows) a probability is told to half a millionth. Since rows are rounded before they are added up, a
/// coarser one would not make federated and pooled trees differ; it would only take both away from the exact gradient.
pub(super) fn resolution(max_rows: u64) -> f64 {
    // One more, so that the largest sum is below two limbs.
    let rows = power_of_two_above(max_rows as f64 + 1.0);
    (rows.min(ROWS_OF_COARSEST) * TWO_LIMBS).max(rows * FINEST)
}

/// A step of two limbs of 20 bits, relative to the largest sum.
const TWO_LIMBS: f64 = 1.0 / (1_u64 << 40) as f64;
/// More rows take a third limb.
const ROWS_OF_COARSEST: f64 = (1 << 20) as f64;
/// As fine as a layout admits.
const FINEST: f64 = 1.0 / (1_u64 << 52) as f64;

/// The most bins of all places together: a hundred megabytes of sums.
pub(super) const MOST_SUMS: u64 = 1 << 22;

const GRADIENT: &str = "gradient";
const HESSIAN: &str = "hessian";
const ROWS: &str = "rows";
