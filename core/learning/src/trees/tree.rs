//! One decision tree over bins.

use serde::{Deserialize, Serialize};

use super::TreesMismatch;
use super::bins::MISSING_BIN;
use crate::contract::{ColumnKind, Contract};

/// A binary tree whose splits ask for the bin of one column, and whose leaves add to the log-odds.
///
/// Its parts stand level by level from the root, each level from left to right, so that the children of split k, of
/// the splits counted from zero, are at 1 + 2 k and 2 + 2 k: no reference is stored, and none can be wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TreeFields", into = "TreeFields")]
pub struct Tree {
    parts: Vec<TreePart>,
}

/// What stands at one place of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum TreePart {
    /// Rows go on to one of two children.
    Split(Split),
    /// Rows end here: what is added to their log-odds.
    Leaf(f64),
}

/// A question about one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Position of the column in the contract.
    pub column: u16,
    /// Which rows go to the left child; all others go right.
    pub rule: Rule,
    /// Where the left child stands; the right one is next to it.
    pub left: usize,
}

/// Which rows go left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Those in this bin of a numeric column or one below it; of a nullable one the missing values too, which are below all.
    UpTo(u16),
    /// The same without the missing values.
    PresentUpTo(u16),
    /// Those whose level is one of these, ascending.
    OneOf(Vec<u16>),
}

impl Tree {
    /// The tree of one leaf.
    pub fn leaf(value: f64) -> Self {
        Self { parts: vec![TreePart::Leaf(value)] }
    }

    /// What stands at each place, level by level.
    pub fn parts(&self) -> &[TreePart] {
        &self.parts
    }

    /// The splits in order.
    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        self.parts.iter().filter_map(|part| match part {
            TreePart::Split(split) => Some(split),
            TreePart::Leaf(_) => None,
        })
    }

    /// How many leaves it has.
    pub fn leaves(&self) -> usize {
        self.parts().iter().filter(|part| matches!(part, TreePart::Leaf(_))).count()
    }

    /// How far below the root each part stands.
    pub fn depths(&self) -> Vec<u32> {
        let mut depths = vec![0; self.parts.len()];
        for (place, part) in self.parts.iter().enumerate() {
            if let TreePart::Split(split) = part {
                let below = depths[place] + 1;
                depths[split.left] = below;
                depths[split.left + 1] = below;
            }
        }
        depths
    }

    /// Where the leaf stands that a row with these bins ends in. The tree must fit the contract of the row.
    pub fn place_of(&self, bins: &[u16]) -> usize {
        let mut place = 0;
        while let TreePart::Split(split) = &self.parts[place] {
            place = split.left + usize::from(!split.rule.goes_left(bins[usize::from(split.column)]));
        }
        place
    }

    /// The value at a place; zero for a split, where no row ends.
    pub fn value_at(&self, place: usize) -> f64 {
        match self.parts[place] {
            TreePart::Leaf(value) => value,
            TreePart::Split(_) => 0.0,
        }
    }

    /// Makes the leaf at `place` a split into two leaves of these values, and says where the left one stands. Splits are
    /// made level by level, from left to right.
    pub(crate) fn split(&mut self, place: usize, column: u16, rule: Rule, values: [f64; 2]) -> usize {
        let left = self.parts.len();
        self.parts[place] = TreePart::Split(Split { column, rule, left });
        self.parts.extend(values.map(TreePart::Leaf));
        left
    }

    /// Gives the leaf at `place` another value.
    pub(crate) fn set(&mut self, place: usize, value: f64) {
        self.parts[place] = TreePart::Leaf(value);
    }

    /// Checks it against the contract and the number of bins of each column.
    ///
    /// # Errors
    /// When a split asks for a column, a bin or a level that there is not, or does not divide what it splits.
    pub(super) fn check(&self, contract: &Contract, widths: &[usize]) -> Result<(), TreesMismatch> {
        let fits = |split: &Split| {
            let column = usize::from(split.column);
            let is_nullable = contract.columns.get(column).is_some_and(|column| column.nullable);
            match (&split.rule, contract.columns.get(column).map(|column| &column.kind)) {
                (Rule::UpTo(bin), Some(ColumnKind::Numeric { .. })) => usize::from(*bin) + 1 < widths[column],
                (Rule::PresentUpTo(bin), Some(ColumnKind::Numeric { .. })) => {
                    is_nullable && *bin > MISSING_BIN && usize::from(*bin) + 1 < widths[column]
                }
                (Rule::OneOf(levels), Some(ColumnKind::Categorical { .. })) => {
                    levels.last().is_some_and(|&last| usize::from(last) < widths[column])
                        && levels.len() < widths[column]
                }
                _ => false,
            }
        };
        match self.splits().all(fits) {
            true => Ok(()),
            false => Err(TreesMismatch("splits by columns, bins and levels of the contract")),
        }
    }
}

impl Rule {
    fn goes_left(&self, bin: u16) -> bool {
        match self {
            Self::UpTo(last) => bin <= *last,
            Self::PresentUpTo(last) => bin > MISSING_BIN && bin <= *last,
            Self::OneOf(levels) => levels.binary_search(&bin).is_ok(),
        }
    }
}

/// The most splits between the root of a tree and a leaf.
pub const MOST_DEPTH: u32 = 8;

/// The most that a leaf adds to the log-odds, either way: beyond it a probability is certain.
pub(crate) const LARGEST_LEAF: f64 = 100.0;

/// A tree as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TreeFields {
    /// For each part the column that it splits by, or [`NONE`] for a leaf.
    pub(super) column: Vec<i32>,
    /// For each split its bin, or [`NONE`] where it is by levels; [`FIRST_PRESENT`] less its bin where missing values go
    /// right.
    pub(super) bin: Vec<i32>,
    /// For each split by levels the levels that go left.
    pub(super) levels: Vec<Vec<u16>>,
    /// For each leaf its value.
    pub(super) leaf: Vec<f64>,
}

/// Stands where there is no column or no bin.
pub(super) const NONE: i32 = -1;

/// From here down stand bins of splits whose missing values go right.
const FIRST_PRESENT: i32 = -2;

impl From<Tree> for TreeFields {
    fn from(tree: Tree) -> Self {
        let mut fields = Self { column: vec![], bin: vec![], levels: vec![], leaf: vec![] };
        for part in tree.parts {
            match part {
                TreePart::Leaf(value) => {
                    fields.column.push(NONE);
                    fields.leaf.push(value);
                }
                TreePart::Split(split) => {
                    fields.column.push(i32::from(split.column));
                    match split.rule {
                        Rule::UpTo(bin) => fields.bin.push(i32::from(bin)),
                        Rule::PresentUpTo(bin) => fields.bin.push(FIRST_PRESENT - i32::from(bin)),
                        Rule::OneOf(levels) => {
                            fields.bin.push(NONE);
                            fields.levels.push(levels);
                        }
                    }
                }
            }
        }
        fields
    }
}

impl TryFrom<TreeFields> for Tree {
    type Error = TreesMismatch;

    fn try_from(fields: TreeFields) -> Result<Self, TreesMismatch> {
        let TreeFields { column, bin, levels, leaf } = fields;
        let broken = TreesMismatch("a tree whose parts belong together");
        let mut tree = Self { parts: Vec::with_capacity(column.len()) };
        let (mut bins, mut levels, mut leaves) = (bin.into_iter(), levels.into_iter(), leaf.into_iter());
        let mut splits = 0;
        for (place, column) in column.into_iter().enumerate() {
            // Each part but the root is the child of a split before it.
            if place > 2 * splits {
                return Err(broken);
            }
            if column == NONE {
                let value = leaves.next().ok_or(broken)?;
                // NaN is not in the range.
                if !(-LARGEST_LEAF..=LARGEST_LEAF).contains(&value) {
                    return Err(TreesMismatch("leaves that are no more than certain"));
                }
                tree.parts.push(TreePart::Leaf(value));
                continue;
            }
            let rule = match bins.next().ok_or(broken)? {
                NONE => Rule::OneOf(levels.next().ok_or(broken)?),
                bin @ ..=FIRST_PRESENT => {
                    let bin = u16::try_from(i64::from(FIRST_PRESENT) - i64::from(bin)).map_err(|_| broken)?;
                    // Nothing that is present is in the bin of what is missing.
                    if bin == MISSING_BIN {
                        return Err(broken);
                    }
                    Rule::PresentUpTo(bin)
                }
                bin => Rule::UpTo(u16::try_from(bin).map_err(|_| broken)?),
            };
            if matches!(&rule, Rule::OneOf(levels) if !levels.windows(2).all(|pair| pair[0] < pair[1])) {
                return Err(broken);
            }
            let column = u16::try_from(column).map_err(|_| broken)?;
            tree.parts.push(TreePart::Split(Split { column, rule, left: 1 + 2 * splits }));
            splits += 1;
        }
        let is_whole = tree.parts.len() == 1 + 2 * splits;
        if !is_whole || bins.next().is_some() || levels.next().is_some() || leaves.next().is_some() {
            return Err(broken);
        }
        match tree.depths().into_iter().all(|depth| depth <= MOST_DEPTH) {
            true => Ok(tree),
            false => Err(TreesMismatch("trees that are not too deep")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    /// Young rows to the left, the others by job.
    fn tree() -> Tree {
        let mut tree = Tree::leaf(0.0);
        let left = tree.split(0, 0, Rule::UpTo(1), [0.5, 0.0]);
        tree.split(left + 1, 1, Rule::OneOf(vec![0, 2]), [-0.25, 1e-9]);
        tree
    }

    #[test]
    fn a_row_ends_in_the_leaf_that_its_bins_lead_to() {
        let value = |bins: [u16; 3]| tree().value_at(tree().place_of(&bins));
        assert_eq!([[1, 1, 0], [2, 0, 0], [2, 2, 9], [2, 1, 0]].map(value), [0.5, -0.25, -0.25, 1e-9]);
        assert_eq!(tree().depths(), [0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_tree_is_written_briefly_and_read_as_it_was() {
        let json = serde_json_canonicalizer::to_vec(&tree()).unwrap();
        let expected = r#"{"bin":[1,-1],"column":[0,-1,1,-1,-1],"leaf":[0.5,-0.25,1e-9],"levels":[[0,2]]}"#;
        assert_eq!(String::from_utf8_lossy(&json), expected);
        assert_eq!(serde_json::from_slice::<Tree>(&json).unwrap(), tree());
    }

    #[test]
    fn parts_that_are_no_tree_are_refused() {
        for fields in [
            r#"{"bin":[],"column":[],"leaf":[],"levels":[]}"#,
            r#"{"bin":[],"column":[-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[],"column":[-1],"leaf":[],"levels":[]}"#,
            r#"{"bin":[],"column":[-1],"leaf":[1,2],"levels":[]}"#,
            r#"{"bin":[],"column":[-1],"leaf":[101],"levels":[]}"#,
            r#"{"bin":[],"column":[-2],"leaf":[1],"levels":[]}"#,
            r#"{"bin":[1],"column":[0,-1],"leaf":[1],"levels":[]}"#,
            r#"{"bin":[1],"column":[0],"leaf":[],"levels":[]}"#,
            r#"{"bin":[1],"column":[-1,0,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[],"column":[0,-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[1,1],"column":[0,-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[-2],"column":[0,-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[70000],"column":[0,-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[-70000],"column":[0,-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[-2147483648],"column":[0,-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[-1],"column":[0,-1,-1],"leaf":[1,1],"levels":[]}"#,
            r#"{"bin":[-1],"column":[0,-1,-1],"leaf":[1,1],"levels":[[2,0]]}"#,
            r#"{"bin":[1],"column":[0,-1,-1],"leaf":[1,1],"levels":[[0]]}"#,
            r#"{"bin":[1],"column":[0,-1,-1],"leaf":[1,1],"levels":[],"x":0}"#,
        ] {
            assert!(serde_json::from_str::<Tree>(fields).is_err(), "{fields}");
        }
        // A chain of splits, each the left child of the one before it.
        let deep = |splits: usize| {
            let column = [0].into_iter().chain((1..splits).flat_map(|_| [0, NONE])).chain([NONE, NONE]);
            let (column, leaf) = (column.collect(), vec![0.0; splits + 1]);
            Tree::try_from(TreeFields { column, bin: vec![0; splits], levels: vec![], leaf })
        };
        assert!(deep(8).is_ok());
        assert!(deep(9).is_err());
    }

    #[test]
    fn a_tree_about_another_contract_is_refused() {
        let (contract, widths) = (fixture::contract(), [3, 3, 1]);
        assert_eq!(tree().check(&contract, &widths), Ok(()));
        for (column, rule) in [
            (0, Rule::UpTo(2)),
            (2, Rule::UpTo(0)),
            (3, Rule::UpTo(0)),
            (1, Rule::UpTo(0)),
            (0, Rule::PresentUpTo(1)),
            (0, Rule::OneOf(vec![0])),
            (1, Rule::OneOf(vec![])),
            (1, Rule::OneOf(vec![3])),
            (1, Rule::OneOf(vec![0, 1, 2])),
        ] {
            let mut tree = Tree::leaf(0.0);
            tree.split(0, column, rule.clone(), [0.0; 2]);
            assert!(tree.check(&contract, &widths).is_err(), "{column} {rule:?}");
        }
    }

    #[test]
    fn missing_values_go_the_way_that_a_split_says() {
        let mut contract = fixture::contract();
        contract.columns[0].nullable = true;
        for (rule, way, written) in [
            (Rule::UpTo(0), [0.5, -0.5, -0.5], "[0]"),
            (Rule::UpTo(1), [0.5, 0.5, -0.5], "[1]"),
            (Rule::PresentUpTo(1), [-0.5, 0.5, -0.5], "[-3]"),
        ] {
            let mut tree = Tree::leaf(0.0);
            tree.split(0, 0, rule, [0.5, -0.5]);
            assert_eq!(tree.check(&contract, &[3, 3, 1]), Ok(()));
            assert_eq!(
                [[0, 0, 0], [1, 0, 0], [2, 0, 0]].map(|bins| tree.value_at(tree.place_of(&bins))),
                way
            );
            let json = serde_json::to_string(&tree).unwrap();
            assert!(json.contains(&format!(r#""bin":{written}"#)), "{json}");
            assert_eq!(serde_json::from_str::<Tree>(&json).unwrap(), tree);
        }
        for rule in [Rule::PresentUpTo(0), Rule::PresentUpTo(2), Rule::UpTo(2)] {
            let mut tree = Tree::leaf(0.0);
            tree.split(0, 0, rule, [0.0; 2]);
            assert!(tree.check(&contract, &[3, 3, 1]).is_err());
        }
    }
}
