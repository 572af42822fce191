//! Trees with random splits from sums with noise: what one row changes is hidden in every one.
//!
//! Maddock, Cormode, Wang, Maple, Jha, "Federated boosted decision trees with differential privacy", CCS 2022: where splits are
//! drawn, and not found, only leaves are summed, and a row is in one leaf of each tree; Newton's leaves from noisy gradients and
//! Hessians; several trees in one sum. To find splits would take a noisy histogram of each column at every depth.
//!
//! The first sum counts the rows of each class in even bins of the public ranges and in levels. From it follow the log-odds before
//! the first tree, and how splits are drawn (`survey`). Each further sum is about all leaves of a round's trees, which are grown on
//! the same model; the mean of them is the step, shrunk where noise is the larger part of a leaf.
//!
//! **Sensitivity.** Every sum is in whole steps, and one row moves it in L2 by at most `LONGEST` = 2^16. In the first it is in one
//! bin of each of K columns, with as many steps as the root of `LONGEST`^2 / K has whole ones. Later it is in one leaf of each of B
//! trees, and in each it adds the same gradient g and Hessian h: both together are cut to the whole steps u of the root of `LONGEST`^2 / B,
//! verified in whole numbers. Hessians count threefold, at no cost: with p the probability that a row is given against its label,
//! g^2 + 9 h^2 = p^2 (1 + 9 (1 - p)^2) is at most 1.

mod answer;
mod draw;
mod question;
mod survey;
mod terms;
mod trend;

use rand_core::CryptoRng;
use syndic_round::{Contribution, Layout, Sum};

use self::trend::{Leaf, hold};
use super::PreparedTable;
use super::growth::leaf_value;
use super::terms::trends;
use crate::contract::Contract;
use crate::job::Job;
use crate::privacy::calibration::Mechanism;
use crate::program::{Next, Program, ProgramError};
use crate::table::Table;
use crate::trees::{Ensemble, Tree, TreeModel};

pub(crate) use self::answer::exact;
pub use self::question::{Draws, NoisyTreesQuestion};
pub use self::survey::Survey;
pub(crate) use self::terms::LARGEST_RATE;
pub use self::terms::{Random, RandomTreesTerms, TreesTerms};

/// The word in job files.
pub const SPLITS: &str = "random";

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct NoisyTrees {
    contract: Contract,
    question: NoisyTreesQuestion,
    terms: RandomTreesTerms,
    rounds: u32,
    /// Of the splits of each tree.
    gains: Vec<Vec<f64>>,
    finished: bool,
}

/// What the sums of a leaf, or of all leaves below a split, say.
#[derive(Clone, Copy)]
struct Told {
    gradient: f64,
    hessian: f64,
    /// Variance of the noise in the gradient, in rows^2.
    noise: f64,
}

/// What a training is, before it has noise.
pub(crate) fn mechanism(
    terms: &RandomTreesTerms,
    contract: &Contract,
    rounds: u32,
    contributors: u16,
) -> Mechanism {
    Mechanism {
        steps: rounds.into(),
        contributors: contributors.into(),
        l2: LONGEST as f64,
        dimension: terms.entries(contract),
    }
}

/// The longest answer of a training with noise of this variance.
pub(crate) fn longest_layout(
    terms: &RandomTreesTerms,
    contract: &Contract,
    variance: u64,
) -> Result<Layout, ProgramError> {
    let first = NoisyTreesQuestion::first(contract, terms.draws(), variance).layout()?;
    let later = question::leaves_layout(terms.draws(), contract.max_rows, variance)?;
    Ok(if later.len() > first.len() { later } else { first })
}

/// Checks that trees are of the job's terms: as many and as deep, and cut where its bins end.
pub(in crate::program) fn approved(
    ensemble: &Ensemble,
    job: &Job,
    terms: &RandomTreesTerms,
) -> Result<(), ProgramError> {
    ensemble.check(&job.contract)?;
    let depth = |tree: &Tree| tree.depths().into_iter().max().unwrap_or(0);
    let departs = if ensemble.trees.len() as u64 > terms.trees_after(job.rounds.count) {
        "trees"
    } else if ensemble.trees.iter().any(|tree| depth(tree) > terms.depth) {
        "depth"
    } else if ensemble.bins != super::cells::even_bins(&job.contract, terms.bins) {
        "edges of bins"
    } else {
        return Ok(());
    };
    Err(ProgramError::NotApproved(departs))
}

impl NoisyTrees {
    /// Training by the terms of `job`, before its first round.
    ///
    /// # Errors
    /// [`ProgramError::BadQuestion`] where the terms do not fit the contract.
    pub(crate) fn new(job: &Job, terms: &RandomTreesTerms) -> Result<Self, ProgramError> {
        let (contract, rounds) = (job.contract.clone(), job.rounds.count);
        terms.check(&contract, rounds).map_err(ProgramError::BadQuestion)?;
        // Terms that no noise keeps are in no job file; nobody would answer this.
        let variance = job.calibration().ok().flatten().map_or(0, |found| found.variance);
        let question = NoisyTreesQuestion::first(&contract, terms.draws(), variance);
        Ok(Self { contract, question, terms: terms.clone(), rounds, gains: Vec::new(), finished: false })
    }

    /// The training round that is asked for, or was the last to be, counted from 1.
    pub fn training_round(&self) -> u32 {
        self.question.training_round
    }

    /// Whether the training round that is asked for is the last of all.
    pub fn is_last(&self) -> bool {
        self.question.training_round == self.rounds
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// What an answer looks like to the question after the pending one.
    ///
    /// # Errors
    /// When it has no layout.
    pub fn next_layout(&self) -> Result<Layout, ProgramError> {
        question::leaves_layout(self.question.draws, self.question.max_rows, self.question.variance)
    }

    /// The model so far.
    pub fn model(&self) -> TreeModel {
        let ensemble = self.question.ensemble(&self.contract);
        TreeModel { contract: self.contract.clone(), ensemble, gains: self.gains.clone() }
    }

    /// Takes the sum: where rows are, or the leaves of the next trees.
    fn hear(&mut self, sum: &Sum) {
        let question = &mut self.question;
        match question.survey {
            None => {
                let row = share(question.columns) as f64;
                let most = f64::from(i32::MAX);
                let rows = |&steps: &i64| libm::rint(steps as f64 / row).clamp(-most, most) as i32;
                let rows = sum.steps().iter().map(rows).collect();
                question.survey = Some(Survey { rows, institutions: sum.survivors() });
            }
            Some(_) => self.grow(sum),
        }
        self.finished = self.is_last();
        self.question.training_round += u32::from(!self.finished);
    }

    /// The trees of a round, from the sums of their leaves.
    fn grow(&mut self, sum: &Sum) {
        let &RandomTreesTerms { learning_rate, trees_per_round, l2, .. } = &self.terms;
        let unit = share(trees_per_round) as f64;
        let deviation = libm::sqrt(f64::from(sum.survivors()) * self.question.variance as f64) / unit;
        let (gradients, hessians) = sum.steps().split_at(sum.steps().len() / 2);
        let of_leaf = |(&gradient, &hessian): (&i64, &i64)| Told {
            gradient: gradient as f64 / unit,
            hessian: hessian as f64 / unit / HESSIAN_SCALE,
            noise: deviation * deviation,
        };
        let told: Vec<Told> = gradients.iter().zip(hessians).map(of_leaf).collect();
        let rate = learning_rate / f64::from(trees_per_round);
        let trends = trends(&self.terms.increasing, &self.terms.decreasing, &self.contract);
        let trees = self.question.asked(&self.contract);
        for (tree, told) in trees.iter().zip(told.chunks_exact(self.question.draws.leaves_of_a_tree())) {
            let leaf = |told: &Told| Leaf { value: rate * told.step(l2), weight: told.certain_hessian() };
            let mut leaves: Vec<Leaf> = told.iter().map(leaf).collect();
            hold(tree, &mut leaves, &trends, &self.contract);
            self.question.leaves.extend(leaves.into_iter().map(|leaf| leaf_value(leaf.value)));
            self.gains.push(gains(told, rate, l2));
        }
    }
}

impl Told {
    /// Newton's step, shrunk as far as noise explains it: the mean of what it may be, where steps are usually `USUAL_STEP` long.
    fn step(self, l2: f64) -> f64 {
        let hessian = self.certain_hessian();
        let doubt = self.noise / (USUAL_STEP * USUAL_STEP);
        -self.gradient * hessian / (hessian * hessian + doubt + l2 * hessian).max(f64::MIN_POSITIVE)
    }

    /// How much the step lowers the loss, less what it seems to by noise alone.
    fn gain(self, l2: f64) -> f64 {
        (self.gradient * self.gradient - self.noise) / (self.certain_hessian() + l2) / 2.0
    }

    /// The Hessian, at least as large as its noise.
    fn certain_hessian(self) -> f64 {
        self.hessian.max(libm::sqrt(self.noise) / HESSIAN_SCALE).max(LEAST_HESSIAN)
    }
}

/// The gains of the splits of a complete tree with these leaves, level by level, as far as `rate` takes its step. What noise
/// makes of a split that tells nothing is taken off; below zero nothing is left.
fn gains(leaves: &[Told], rate: f64, l2: f64) -> Vec<f64> {
    let splits = leaves.len().saturating_sub(1);
    let mut told = vec![Told { gradient: 0.0, hessian: 0.0, noise: 0.0 }; splits];
    told.extend_from_slice(leaves);
    for place in (0..splits).rev() {
        let [left, right] = [told[2 * place + 1], told[2 * place + 2]];
        told[place] = Told {
            gradient: left.gradient + right.gradient,
            hessian: left.hessian + right.hessian,
            noise: left.noise + right.noise,
        };
    }
    let gain = |place: usize| {
        let children = told[2 * place + 1].gain(l2) + told[2 * place + 2].gain(l2);
        (rate * (children - told[place].gain(l2))).max(0.0)
    };
    (0..splits).map(gain).collect()
}

impl Program for NoisyTrees {
    type Question = NoisyTreesQuestion;
    type Outcome = TreeModel;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<NoisyTreesQuestion, TreeModel>, ProgramError> {
        if let Some(sum) = sum {
            if self.finished || *sum.layout() != self.question.layout()? {
                return Err(ProgramError::WrongSum);
            }
            self.hear(sum);
        }
        Ok(match self.finished {
            true => Next::Done(self.model()),
            false => Next::Ask(self.question.clone()),
        })
    }

    fn answer(
        question: &NoisyTreesQuestion,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        PreparedTable::new(table).noisy_trees(question, rng)
    }
}

/// The most steps that a row may have in each of so many places, that all together are no longer than `LONGEST`.
pub(super) fn share(places: u32) -> i64 {
    (LONGEST * LONGEST / i64::from(places.max(1))).isqrt()
}

/// What one row moves a sum by, in steps, at most.
pub(crate) const LONGEST: i64 = 1 << 16;
/// How many times the Hessian counts beside the gradient.
const HESSIAN_SCALE: f64 = 3.0;
/// How long Newton's steps are usually, in log-odds.
const USUAL_STEP: f64 = 0.4;
/// A leaf without rows has no step.
const LEAST_HESSIAN: f64 = 1e-9;

#[cfg(test)]
mod tests;
