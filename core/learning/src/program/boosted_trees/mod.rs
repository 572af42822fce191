//! Boosted trees: gradient boosting of histogram trees for the log-loss, from sums that are exact.
//!
//! Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016: second-order boosting, split gain, the best
//! split from sums over bins; Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NIPS 2017:
//! histograms, levels as they are, one child's histogram by subtraction; Friedman, Annals of Statistics 29(5), 2001.
//!
//! First the bins, from counts of rows in narrow cells. Then tree after tree, depth after depth: the sums of gradient,
//! Hessian and rows for each bin of each place of a tree that may be split, all places of a depth in one round. Each row's
//! gradient and Hessian are rounded to the resolution of the sum before they are added up, so no order of adding and no
//! division into institutions makes a difference: **a federation grows the trees that pooling grows, to the last bit**,
//! as long as everybody answers every round.
//!
//! Of the two children of a split only the one of fewer rows is asked about; the other's sums are what is missing to their
//! parent's. That holds while the same institutions answer. Sums are exact, so it shows when they do not: the total of a
//! child is then not what the parent's bins said, and the tree ends at the depth that it has.
//!
//! A bin of one place may hold a single row of all institutions, and then its sums are that row's gradient, which tells its
//! label. `min_rows` is about leaves and not about bins: what keeps rows apart from sums is noise, which is not added here
//! but to [trees with random splits](noisy).

mod answer;
pub(super) mod approval;
mod cells;
mod finder;
mod growth;
pub mod noisy;
mod pooled;
mod question;
mod sums;
mod terms;

use rand_core::CryptoRng;
use syndic_round::{Contribution, Layout, Sum};

pub use self::answer::PreparedTable;
pub use self::cells::CellsQuestion;
use self::growth::{Growth, Progress};
pub use self::noisy::{NoisyTrees, NoisyTreesQuestion, RandomTreesTerms, TreesTerms};
pub use self::pooled::fit_pooled;
pub use self::question::{BoostedTreesQuestion, GrowQuestion};
pub use self::terms::BoostedTreesTerms;
use super::statistics::Count;
use super::{Next, Program, ProgramError, class_weights, values};
use crate::contract::Contract;
use crate::table::Table;
use crate::trees::{Bins, Ensemble, TreeModel, TreesMismatch};

/// The name in job files and model cards.
pub const NAME: &str = "boosted-trees";

/// The coordinator half: the trees so far, and how far the next one is.
#[derive(Clone, Debug)]
pub struct BoostedTrees {
    /// For sums of relative class weights.
    terms: BoostedTreesTerms,
    /// How much a negative and a positive count, the larger of them one; all alike where there are none.
    class_weights: Option<[f64; 2]>,
    model: TreeModel,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Where to cut.
    Cells,
    /// The tree after those of the model.
    Growing(Growth),
    Finished,
}

impl BoostedTrees {
    /// Training under these terms. The first log-odds are those of the base rate of `training`, which the statistics found.
    ///
    /// # Errors
    /// [`ProgramError::OneClass`] where there is nothing to tell apart; [`ProgramError::BadQuestion`] where the terms do
    /// not fit the contract.
    pub fn new(contract: Contract, training: Count, terms: BoostedTreesTerms) -> Result<Self, ProgramError> {
        let Count { rows, positives } = training;
        terms.check(&contract).map_err(ProgramError::BadQuestion)?;
        if positives == 0 || positives >= rows {
            return Err(ProgramError::OneClass { rows, positives });
        }
        let numeric = contract.numeric().count();
        let rate = class_weights::base_rate(terms.class_weights, training);
        let base = match terms.class_weights {
            None => libm::log(positives as f64 / (rows - positives) as f64),
            Some(_) => libm::log(rate / (1.0 - rate)),
        };
        let (class_weights, scale) = class_weights::relative(terms.class_weights, training);
        let terms = terms.scaled(scale);
        let ensemble = Ensemble { base, bins: Bins { edges: vec![Vec::new(); numeric] }, trees: Vec::new() };
        let model = TreeModel { contract, ensemble, gains: Vec::new() };
        let mut program = Self { terms, class_weights, model, state: State::Cells };
        if numeric == 0 {
            program.plant();
        }
        Ok(program)
    }

    /// The model of the trees that are finished: after each of them it may be evaluated, and released if more do not help.
    pub fn model(&self) -> &TreeModel {
        &self.model
    }

    /// Trees that are finished.
    pub fn trees(&self) -> u32 {
        self.model.ensemble.trees.len() as u32
    }

    /// Whether nothing more is asked.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Whether the pending question is about the deepest leaves that may be split: its sums finish a tree.
    pub fn is_deepest(&self) -> bool {
        matches!(&self.state, State::Growing(growth) if growth.is_deepest(&self.terms))
    }

    /// The layout of the least that may be asked after the pending question, one place of a tree; none where that question
    /// may be the last. How many places are asked about together, the sum of the answers decides.
    pub fn next_layout(&self) -> Option<Layout> {
        let contract = &self.model.contract;
        let is_last_tree = self.trees() + 1 == self.terms.trees;
        match &self.state {
            State::Growing(growth) if is_last_tree && growth.is_deepest(&self.terms) => None,
            State::Growing(growth) => question::layout(&growth.columns(), 1, contract.max_rows).ok(),
            // Edges are not known yet: there may be as many as the terms allow.
            State::Cells => {
                let widths = self.terms.largest_widths(contract);
                let columns: Vec<_> = self
                    .terms
                    .columns_of(0, widths.len())
                    .into_iter()
                    .map(|k| (k, widths[k as usize]))
                    .collect();
                question::layout(&columns, 1, contract.max_rows).ok()
            }
            State::Finished => None,
        }
    }

    /// What to ask or to release now.
    fn pending(&self) -> Next<BoostedTreesQuestion, TreeModel> {
        match &self.state {
            State::Cells => Next::Ask(BoostedTreesQuestion::Cells(CellsQuestion::of(&self.model.contract))),
            State::Growing(growth) => Next::Ask(BoostedTreesQuestion::Grow(GrowQuestion {
                ensemble: self.model.ensemble.clone(),
                tree: growth.tree().clone(),
                places: growth.places(),
                columns: growth.columns(),
                row_fraction: self.terms.row_fraction,
                seed: self.terms.seed,
                max_rows: self.model.contract.max_rows,
                class_weights: self.class_weights,
            })),
            State::Finished => Next::Done(self.model.clone()),
        }
    }

    /// Takes what so many institutions answer to the pending question, summed, in the order of its layout. Nothing changes
    /// where it is refused.
    fn take(&mut self, summed: &[f64], institutions: u16) -> Result<(), ProgramError> {
        let contract = &self.model.contract;
        match &self.state {
            State::Cells => {
                let question = CellsQuestion::of(contract);
                self.model.ensemble.bins =
                    question.bins(contract, self.terms.bins as usize, summed, institutions)?;
                self.plant();
            }
            State::Growing(growth) => {
                let most = f64::from(institutions) * contract.max_rows as f64;
                match growth.clone().take(summed, most, &self.terms)? {
                    Progress::Growing(growth) => self.state = State::Growing(growth),
                    Progress::Grown { tree, gains } => {
                        self.model.ensemble.trees.push(tree);
                        self.model.gains.push(gains);
                        self.plant();
                    }
                }
            }
            State::Finished => return Err(ProgramError::WrongSum),
        }
        Ok(())
    }

    /// Begins the next tree, if there is one.
    fn plant(&mut self) {
        self.state = match self.trees() < self.terms.trees {
            true => State::Growing(Growth::of(&self.model, &self.terms)),
            false => State::Finished,
        };
    }
}

impl Program for BoostedTrees {
    type Question = BoostedTreesQuestion;
    type Outcome = TreeModel;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<BoostedTreesQuestion, TreeModel>, ProgramError> {
        if let Some(sum) = sum {
            let Next::Ask(question) = self.pending() else { return Err(ProgramError::WrongSum) };
            let layout = question.layout()?;
            let mut summed = Vec::with_capacity(layout.len());
            for block in layout.blocks() {
                summed.extend(values(sum, &layout, &block.name)?);
            }
            self.take(&summed, sum.survivors())?;
        }
        Ok(self.pending())
    }

    fn answer(
        question: &BoostedTreesQuestion,
        table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        PreparedTable::new(table).answer(question)
    }
}

impl From<TreesMismatch> for ProgramError {
    fn from(error: TreesMismatch) -> Self {
        Self::BadQuestion(error.to_string())
    }
}

#[cfg(test)]
mod federated_tests;
#[cfg(test)]
mod finder_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod model_tests;
