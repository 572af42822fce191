//! The questions about trees with random splits: layouts, the trees that they stand for, and what a participant checks.

use serde::{Deserialize, Serialize};
use syndic_round::Layout;

use super::super::cells::even_bins;
use super::super::question::MOST_SUMS;
use super::draw::tree;
use super::survey::{self, Plan, Survey};
use super::{LONGEST, share};
use crate::contract::Contract;
use crate::job::Job;
use crate::privacy::noise::Ratio;
use crate::program::{ProgramError, noisy_block};
use crate::trees::tree::LARGEST_LEAF;
use crate::trees::{Ensemble, MOST_BINS, MOST_DEPTH, MOST_TREES, Tree};

/// Asks for noisy sums: first for the rows of each class in each bin, then for gradients and Hessians in the leaves of the
/// next trees.
///
/// Its trees are not written: the seed and the first sum say how they split. So the approved terms decide what anybody is asked
/// for, but for numbers that noise has covered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisyTreesQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// How splits are drawn.
    pub draws: Draws,
    /// The first sum; none in the first round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<Survey>,
    /// The leaves of the trees so far, of one tree after the other.
    pub leaves: Vec<f64>,
    /// Columns of the contract.
    pub columns: u32,
    /// Bins of all columns together.
    pub bins: u32,
    /// Variance parameter of the noise that each institution adds to every entry, in steps^2.
    pub variance: u64,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

/// What decides the splits of trees, beside the first sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draws {
    /// Splits between a root and each leaf.
    pub depth: u32,
    /// Trees of a round.
    pub trees_per_round: u32,
    /// Bins of a numeric column.
    pub bins: u32,
    /// What the draws begin with.
    pub seed: u32,
}

impl Draws {
    /// Leaves of the trees of one round.
    pub(super) fn leaves(self) -> u64 {
        u64::from(self.trees_per_round) << self.depth.min(MOST_DEPTH)
    }

    /// Leaves of one tree.
    pub(super) fn leaves_of_a_tree(self) -> usize {
        1 << self.depth.min(MOST_DEPTH)
    }

    /// Whether there can be such trees.
    fn are_possible(self) -> bool {
        (1..=MOST_DEPTH).contains(&self.depth)
            && (1..=MOST_TREES as u32).contains(&self.trees_per_round)
            && (2..=MOST_BINS as u32).contains(&self.bins)
    }
}

impl NoisyTreesQuestion {
    /// The first question about rows under `contract`.
    pub(super) fn first(contract: &Contract, draws: Draws, variance: u64) -> Self {
        Self {
            training_round: 1,
            draws,
            survey: None,
            leaves: Vec::new(),
            columns: contract.columns.len() as u32,
            bins: survey::bins(contract, draws.bins) as u32,
            variance,
            max_rows: contract.max_rows,
        }
    }

    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        match &self.survey {
            None => survey_layout(self.columns, self.bins, self.max_rows, self.variance),
            Some(_) => leaves_layout(self.draws, self.max_rows, self.variance),
        }
    }

    /// Checks that it is one of `job`: all its terms, and noise that keeps the job's epsilon. The numbers of the first sum and
    /// of leaves are not checked: what is spent does not depend on them.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where it could not be answered at all.
    pub(crate) fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let departs = |what| Err(ProgramError::NotApproved(what));
        let Some(terms) = job.random_trees() else { return departs("program") };
        if job.privacy.record_level().is_none() {
            return departs("privacy mode");
        }
        let Ok(Some(calibration)) = job.calibration() else { return departs("noise") };
        if !(1..=job.rounds.count).contains(&self.training_round) {
            departs("round")
        } else if self.variance != calibration.variance {
            departs("noise")
        } else if self.draws != terms.draws() {
            departs("splits of the trees")
        } else if self.max_rows != job.contract.max_rows {
            departs("max_rows")
        } else if self.survey.is_some() != (self.training_round > 1) {
            departs("what is summed")
        } else if !self.has_leaves_of_its_round() {
            departs("number of leaves")
        } else {
            self.check(&job.contract)
        }
    }

    /// Whether it has the leaves of all rounds before it, and of no other.
    fn has_leaves_of_its_round(&self) -> bool {
        let before = u64::from(self.training_round.saturating_sub(2));
        self.leaves.len() as u64 == before * self.draws.leaves()
    }

    /// Checks everything in it against the contract: whatever passes can be answered.
    ///
    /// # Errors
    /// [`ProgramError::BadQuestion`].
    pub(super) fn check(&self, contract: &Contract) -> Result<(), ProgramError> {
        let bins = survey::bins(contract, self.draws.bins.clamp(2, MOST_BINS as u32));
        let of_a_round = self.draws.leaves();
        let is_leaf = |leaf: &f64| leaf.abs() <= LARGEST_LEAF;
        let most = (MOST_TREES * self.draws.leaves_of_a_tree()) as u64;
        let problem = if !self.draws.are_possible() {
            "there are no such trees"
        } else if self.columns as usize != contract.columns.len() || self.bins as usize != bins {
            "it is about other columns than the contract has"
        } else if self.survey.as_ref().is_some_and(|survey| survey.rows.len() != 2 * bins) {
            "its first sum is about other bins"
        } else if self.survey.as_ref().is_some_and(|survey| survey.institutions == 0) {
            "its first sum is of nobody"
        } else if 2 * of_a_round > MOST_SUMS || self.leaves.len() as u64 + of_a_round > most {
            "it is about too many leaves"
        } else if !(self.leaves.len() as u64).is_multiple_of(of_a_round) {
            "it has leaves of no whole round"
        } else if self.survey.is_none() && !self.leaves.is_empty() {
            "it has trees before it has bins"
        } else if !self.leaves.iter().all(is_leaf) {
            "its leaves are too large"
        } else if Ratio::new(self.variance, 1).is_err() {
            "its noise cannot be drawn"
        } else {
            return Ok(());
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }

    /// What the first sum says; none before there is one.
    fn plan(&self, contract: &Contract) -> Option<Plan> {
        let survey = self.survey.as_ref()?;
        Some(Plan::of(contract, self.draws.bins, survey, self.variance))
    }

    /// The trees so far.
    pub(super) fn ensemble(&self, contract: &Contract) -> Ensemble {
        let bins = even_bins(contract, self.draws.bins);
        let Some(plan) = self.plan(contract) else { return Ensemble { base: 0.0, bins, trees: Vec::new() } };
        let leaves = self.leaves.chunks_exact(self.draws.leaves_of_a_tree());
        let trees = leaves.enumerate().map(|(number, leaves)| tree(&plan, self.draws, number, leaves));
        Ensemble { base: plan.base(), trees: trees.collect(), bins }
    }

    /// The trees whose leaves are asked for; none in the first round.
    pub(super) fn asked(&self, contract: &Contract) -> Vec<Tree> {
        let Some(plan) = self.plan(contract) else { return Vec::new() };
        let leaves = vec![0.0; self.draws.leaves_of_a_tree()];
        let first = self.leaves.len() / leaves.len();
        let numbers = first..first + self.draws.trees_per_round as usize;
        numbers.map(|number| tree(&plan, self.draws, number, &leaves)).collect()
    }
}

/// What an answer to the first question looks like: the rows of either class in each bin of each column.
pub(super) fn survey_layout(
    columns: u32,
    bins: u32,
    max_rows: u64,
    variance: u64,
) -> Result<Layout, ProgramError> {
    let row = share(columns);
    Ok(Layout::new(vec![
        noisy_block(NEGATIVE, bins, row, max_rows, variance),
        noisy_block(POSITIVE, bins, row, max_rows, variance),
    ])?)
}

/// What an answer about the leaves of a round's trees looks like.
pub(super) fn leaves_layout(draws: Draws, max_rows: u64, variance: u64) -> Result<Layout, ProgramError> {
    let leaves = draws.leaves();
    if 2 * leaves > MOST_SUMS {
        return Err(ProgramError::BadQuestion("it asks for too many sums".into()));
    }
    let row = share(draws.trees_per_round);
    let block = |name| noisy_block(name, leaves as u32, row.min(LONGEST), max_rows, variance);
    Ok(Layout::new(vec![block(GRADIENT), block(HESSIAN)])?)
}

const NEGATIVE: &str = "negative";
const POSITIVE: &str = "positive";
const GRADIENT: &str = "gradient";
const HESSIAN: &str = "hessian";
