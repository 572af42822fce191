//! The terms of boosted trees: how many, how deep, how careful.

use serde::{Deserialize, Serialize};

use syndic_round::Layout;

use super::super::ProgramError;
use super::super::neural_network::ClassWeights;
use super::question::{MOST_SUMS, layout};
use crate::contract::{Column, ColumnKind, Contract};
use crate::trees::{MOST_BINS, MOST_DEPTH, MOST_TREES};

/// What a job fixes about its trees. Of each tree's choices nothing else is left to the coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoostedTreesTerms {
    /// Trees to grow: the training rounds of the job, which are written elsewhere in its file. Each takes as many encrypted
    /// rounds as it is deep.
    #[serde(skip)]
    pub trees: u32,
    /// The most splits between a root and a leaf.
    pub depth: u32,
    /// The share of each tree's step that is taken.
    pub learning_rate: f64,
    /// The most bins of a numeric column.
    pub bins: u32,
    /// Penalty on the squared leaves.
    pub l2: f64,
    /// The least summed Hessian of a leaf.
    pub min_hessian: f64,
    /// The fewest training rows of a leaf, of all institutions together.
    pub min_rows: u64,
    /// The least gain of a split.
    pub min_gain: f64,
    /// The share of the columns that each tree may split by.
    pub column_fraction: f64,
    /// The share of the training rows that each tree is grown on.
    pub row_fraction: f64,
    /// Which columns and rows those are.
    pub seed: u32,
    /// Added to the Hessian of a level before levels are put in order, so that rare ones stay in the middle.
    pub level_smoothing: f64,
    /// Added to `l2` for splits by levels, which have more ways to be wrong.
    pub level_l2: f64,
    /// The fewest rows of a level at a place where it may go left.
    pub min_level_rows: u64,
    /// How much rows of either class count; all alike where there are none. `min_rows` counts rows as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Numeric columns in which the probability may not fall.
    pub increasing: Vec<String>,
    /// Numeric columns in which the probability may not rise.
    pub decreasing: Vec<String>,
}

/// How the probability may change with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trend {
    /// Either way.
    Free,
    /// It does not fall.
    Increasing,
    /// It does not rise.
    Decreasing,
}

/// Chosen by the log-loss on a validation fold of three public tables, of 5,600 to 36,000 training rows, as one setting for
/// all.
impl Default for BoostedTreesTerms {
    fn default() -> Self {
        Self {
            trees: 80,
            depth: 5,
            learning_rate: 0.1,
            bins: MOST_BINS as u32,
            l2: 20.0,
            min_hessian: 1.0,
            min_rows: 50,
            min_gain: 0.0,
            column_fraction: 0.8,
            row_fraction: 1.0,
            seed: 0,
            level_smoothing: 10.0,
            level_l2: 10.0,
            min_level_rows: 10,
            class_weights: None,
            increasing: Vec::new(),
            decreasing: Vec::new(),
        }
    }
}

impl BoostedTreesTerms {
    /// The same for so many trees.
    pub(crate) fn growing(&self, trees: u32) -> Self {
        Self { trees, ..self.clone() }
    }

    /// The same for sums that are so many times smaller: whatever stands beside a gradient or a Hessian is too.
    pub(super) fn scaled(&self, scale: f64) -> Self {
        Self {
            l2: self.l2 / scale,
            min_hessian: self.min_hessian / scale,
            min_gain: self.min_gain / scale,
            level_smoothing: self.level_smoothing / scale,
            level_l2: self.level_l2 / scale,
            ..self.clone()
        }
    }

    /// Checks them against the contract.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, contract: &Contract) -> Result<(), String> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let fraction = |x: f64| x > 0.0 && x <= 1.0;
        let is_weight =
            |weights| !matches!(weights, Some(ClassWeights::Positive(weight)) if !positive(weight));
        let rules = [
            ((1..=MOST_TREES as u32).contains(&self.trees), format!("`trees` is from 1 to {MOST_TREES}")),
            ((1..=MOST_DEPTH).contains(&self.depth), format!("`depth` is from 1 to {MOST_DEPTH}")),
            ((2..=MOST_BINS as u32).contains(&self.bins), format!("`bins` is from 2 to {MOST_BINS}")),
            (fraction(self.learning_rate), "`learning_rate` is above 0 and at most 1".into()),
            // Without either, a leaf of certain rows would have no bound.
            (positive(self.l2 + self.min_hessian), "`l2` or `min_hessian` is above 0".into()),
            (not_negative(self.l2), "`l2` is not negative".into()),
            (not_negative(self.min_hessian), "`min_hessian` is not negative".into()),
            (not_negative(self.min_gain), "`min_gain` is not negative".into()),
            (self.min_rows > 0, "`min_rows` is at least 1".into()),
            (fraction(self.column_fraction), "`column_fraction` is above 0 and at most 1".into()),
            (fraction(self.row_fraction), "`row_fraction` is above 0 and at most 1".into()),
            (not_negative(self.level_smoothing), "`level_smoothing` is not negative".into()),
            (not_negative(self.level_l2), "`level_l2` is not negative".into()),
            (self.min_level_rows > 0, "`min_level_rows` is at least 1".into()),
            (is_weight(self.class_weights), "`class_weights` is above 0, or \"balanced\"".into()),
        ];
        if let Some((_, problem)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(problem);
        }
        let bins: u64 = self.largest_widths(contract).into_iter().map(u64::from).sum();
        if bins << (self.depth - 1) > MOST_SUMS {
            return Err(format!(
                "{bins} bins of all columns are too many for trees of `depth` {}",
                self.depth
            ));
        }
        check_trends(&self.increasing, &self.decreasing, contract)
    }

    /// What the longest answer looks like: all bins of all leaves of the deepest depth that is asked about.
    ///
    /// # Errors
    /// When there is no such layout.
    pub(crate) fn longest_layout(&self, contract: &Contract) -> Result<Layout, ProgramError> {
        let columns: Vec<_> = (0..).zip(self.largest_widths(contract)).collect();
        // One child of each split is asked about.
        let places = 1_usize << self.depth.saturating_sub(2);
        layout(&columns, places, contract.max_rows)
    }

    /// Bytes that a question with all trees takes at most, as far as they can be told before.
    pub(crate) fn largest_question(&self, contract: &Contract) -> u64 {
        let levels = |kind: &ColumnKind| match kind {
            ColumnKind::Numeric { .. } => 0,
            ColumnKind::Categorical { levels } => levels.len() as u64,
        };
        let most = contract.columns.iter().map(|column| levels(&column.kind)).max().unwrap_or(0);
        // Of a leaf its value; of a split its column and its bin, or half of the levels, by number.
        let of_split = 16 + 16 + most / 2 * 5;
        (u64::from(self.trees) << self.depth) * of_split
    }

    /// The most bins of each column of the contract.
    pub(super) fn largest_widths(&self, contract: &Contract) -> Vec<u32> {
        let width = |column: &Column| match &column.kind {
            ColumnKind::Numeric { .. } => self.bins + u32::from(column.nullable),
            ColumnKind::Categorical { .. } => column.inputs() as u32,
        };
        contract.columns.iter().map(width).collect()
    }

    /// The trend of each column of the contract.
    pub(super) fn trends(&self, contract: &Contract) -> Vec<Trend> {
        trends(&self.increasing, &self.decreasing, contract)
    }

    /// The columns, of `columns` in all, that the tree after `trees` others may split by, ascending.
    pub(super) fn columns_of(&self, trees: usize, columns: usize) -> Vec<u32> {
        let chosen = libm::ceil(self.column_fraction * columns as f64) as usize;
        let mut ranked: Vec<_> = (0..columns as u32).collect();
        if chosen < columns {
            ranked.sort_by_key(|&column| mixed(self.seed, trees, COLUMNS + u64::from(column)));
            ranked.truncate(chosen.max(1));
            ranked.sort_unstable();
        }
        ranked
    }
}

/// The trend of each column of the contract, of which these are to rise and those to fall.
pub(super) fn trends(increasing: &[String], decreasing: &[String], contract: &Contract) -> Vec<Trend> {
    let trend = |name: &String| match (increasing.contains(name), decreasing.contains(name)) {
        (true, _) => Trend::Increasing,
        (_, true) => Trend::Decreasing,
        _ => Trend::Free,
    };
    contract.columns.iter().map(|column| trend(&column.name)).collect()
}

/// Refuses trends of columns that have none, or two.
pub(super) fn check_trends(
    increasing: &[String],
    decreasing: &[String],
    contract: &Contract,
) -> Result<(), String> {
    let names = || increasing.iter().chain(decreasing);
    for (position, name) in names().enumerate() {
        let is_numeric = contract
            .columns
            .iter()
            .any(|column| column.name == *name && matches!(column.kind, ColumnKind::Numeric { .. }));
        if !is_numeric {
            return Err(format!("`{name}` is no numeric column, so nothing rises or falls with it"));
        }
        if names().take(position).any(|earlier| earlier == name) {
            return Err(format!("`{name}` is named twice among the columns that must rise or fall"));
        }
    }
    Ok(())
}

/// Whether the tree after `trees` others is grown on the row at this position of its table, if it is grown on this
/// fraction of all. It depends on nothing else, so that all rounds of a tree are about the same rows.
pub(super) fn is_sampled(fraction: f64, seed: u32, trees: usize, row: usize) -> bool {
    fraction >= 1.0 || uniform(mixed(seed, trees, row as u64)) < fraction
}

/// A number in [0, 1) of 64 bits.
pub(super) fn uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 * UNIT
}

/// 64 bits that look random: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), once for each part.
pub(super) fn mixed(seed: u32, trees: usize, what: u64) -> u64 {
    [u64::from(seed), trees as u64, what].into_iter().fold(0, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Sets columns apart from rows: no table has as many.
const COLUMNS: u64 = 1 << 63;

const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn columns_and_rows_are_sampled_in_their_share_and_anew_for_each_tree() {
        let terms = |column_fraction| BoostedTreesTerms { column_fraction, ..Default::default() };
        let mut times = [0; 20];
        for trees in 0..1_000 {
            let columns = terms(0.3).columns_of(trees, 20);
            assert_eq!(columns.len(), 6);
            assert!(columns.windows(2).all(|pair| pair[0] < pair[1]));
            columns.iter().for_each(|&column| times[column as usize] += 1);
        }
        assert!(times.iter().all(|times| (220..380).contains(times)), "{times:?}");
        assert_eq!(terms(1.0).columns_of(3, 4), [0, 1, 2, 3]);
        assert_eq!(terms(0.01).columns_of(3, 4).len(), 1);
        let sampled = |trees| (0..10_000).filter(|&row| is_sampled(0.7, 5, trees, row)).collect::<Vec<_>>();
        assert!((6_800..7_200).contains(&sampled(0).len()));
        assert_ne!(sampled(0), sampled(1));
    }

    #[test]
    fn terms_out_of_range_are_refused() {
        let contract = fixture::contract();
        let told = |bend: fn(&mut BoostedTreesTerms)| {
            let mut terms = BoostedTreesTerms::default();
            bend(&mut terms);
            terms.check(&contract)
        };
        assert_eq!(told(|_| ()), Ok(()));
        assert_eq!(told(|terms| terms.increasing = vec!["age".into()]), Ok(()));
        let bent: [fn(&mut BoostedTreesTerms); 21] = [
            |terms| terms.class_weights = Some(ClassWeights::Positive(0.0)),
            |terms| terms.trees = 0,
            |terms| terms.trees = 2_001,
            |terms| terms.depth = 0,
            |terms| terms.depth = 9,
            |terms| terms.bins = 1,
            |terms| terms.bins = 65,
            |terms| terms.learning_rate = 0.0,
            |terms| terms.learning_rate = f64::NAN,
            |terms| (terms.l2, terms.min_hessian) = (0.0, 0.0),
            |terms| terms.l2 = -0.5,
            |terms| terms.min_gain = f64::INFINITY,
            |terms| terms.min_rows = 0,
            |terms| terms.column_fraction = 0.0,
            |terms| terms.row_fraction = 1.5,
            |terms| terms.level_smoothing = -1.0,
            |terms| terms.level_l2 = f64::NAN,
            |terms| terms.min_level_rows = 0,
            |terms| terms.increasing = vec!["job".into()],
            |terms| terms.decreasing = vec!["nothing".into()],
            |terms| (terms.increasing, terms.decreasing) = (vec!["age".into()], vec!["age".into()]),
        ];
        for (case, bend) in bent.into_iter().enumerate() {
            assert!(told(bend).is_err(), "case {case}");
        }
        let mut wide = contract.clone();
        wide.columns = vec![contract.columns[0].clone(); 1_000];
        assert_eq!(BoostedTreesTerms { depth: 7, ..Default::default() }.check(&wide), Ok(()));
        assert!(BoostedTreesTerms { depth: 8, ..Default::default() }.check(&wide).is_err());
    }
}
