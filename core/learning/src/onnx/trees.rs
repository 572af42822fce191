//! Trees as a `TreeEnsembleRegressor`, whose thresholds are 64-bit floats over raw numbers.

use std::collections::BTreeMap;

use super::graph::{Graph, doubles, integers, tensor_of, text, texts};
use super::proto::element;
use super::rows::{Rows, looked_up};
use super::thresholds::largest;
use crate::contract::{ColumnKind, Transform};
use crate::trees::{Rule, Split, Tree, TreeModel, TreePart};

/// The log-odds of the rows, N x 1.
pub(super) fn log_odds(graph: &mut Graph, rows: &Rows<'_>, model: &TreeModel) -> String {
    let sets = Sets::of(model);
    let flaws = rows.flaws(graph);
    let mut features: Vec<String> = rows.numbers.iter().cloned().collect();
    for (levels, (known, of_column)) in rows.levels.iter().zip(sets.by_column()) {
        if !of_column.is_empty() {
            let goes_left = |level: usize, set: &&[u16]| !set.contains(&(level as u16));
            let table: Vec<f64> = (0..=known)
                .flat_map(|level| of_column.iter().map(move |set| f64::from(u8::from(goes_left(level, set)))))
                .collect();
            features.push(looked_up(graph, levels, of_column.len(), &table));
        }
    }
    if features.is_empty() {
        // An operator has an input, even where no tree asks anything.
        features.push(flaws.clone());
    }
    let features = graph.beside(&features);
    let nodes = Nodes::of(model, &sets);
    let summed = graph.ml_step("TreeEnsembleRegressor", &features, nodes.attributes(model.ensemble.base));
    let summed = graph.cast(&summed, element::DOUBLE);
    graph.step("Add", &[&summed, &flaws])
}

/// The sets of levels that splits ask for. Each becomes a feature: 0 where the level is in the set, otherwise 1.
struct Sets<'a> {
    /// For each categorical column its position in the contract, and how many positions its values have.
    columns: Vec<(u16, usize)>,
    /// The sets of each column, and the feature that tells each.
    features: BTreeMap<(u16, &'a [u16]), usize>,
}

impl<'a> Sets<'a> {
    fn of(model: &'a TreeModel) -> Self {
        let columns = model
            .contract
            .columns
            .iter()
            .zip(0..)
            .filter_map(|(column, position)| Some((position, column.positions()?)));
        let mut features = BTreeMap::new();
        for split in model.ensemble.trees.iter().flat_map(Tree::splits) {
            if let Rule::OneOf(levels) = &split.rule {
                features.insert((split.column, levels.as_slice()), 0);
            }
        }
        // The order of the map is that of the columns.
        let first = model.contract.numeric().count();
        features.values_mut().zip(first..).for_each(|(feature, number)| *feature = number);
        Self { columns: columns.collect(), features }
    }

    /// For each categorical column how many positions its values have, and its sets in the order of their features.
    fn by_column(&self) -> impl Iterator<Item = (usize, Vec<&'a [u16]>)> + '_ {
        self.columns.iter().map(|&(position, levels)| {
            let of_column = self.features.keys().filter(move |(column, _)| *column == position);
            (levels, of_column.map(|(_, set)| *set).collect())
        })
    }
}

/// The nodes of all trees, as the operator takes them.
#[derive(Default)]
struct Nodes {
    trees: Vec<i64>,
    ids: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<&'static str>,
    values: Vec<f64>,
    /// Whether a missing number goes left; none where no column of numbers is nullable.
    missing_left: Option<Vec<i64>>,
    left: Vec<i64>,
    right: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_ids: Vec<i64>,
    leaves: Vec<f64>,
}

impl Nodes {
    fn of(model: &TreeModel, sets: &Sets<'_>) -> Self {
        // Where a column's number stands among the numbers, and its raw thresholds.
        let mut edges = model.ensemble.bins.edges.iter();
        let mut numbers = 0..;
        let columns: Vec<Option<(i64, Vec<f64>)>> = model
            .contract
            .columns
            .iter()
            .map(|column| match column.kind {
                ColumnKind::Numeric { transform, .. } => {
                    let edges = edges.next().map_or(&[][..], Vec::as_slice);
                    let raw = edges.iter().map(|&edge| largest_up_to(transform, edge));
                    // Below all that is there are the missing values.
                    let raw = column.nullable.then_some(-f64::MAX).into_iter().chain(raw).collect();
                    Some((numbers.next()?, raw))
                }
                ColumnKind::Categorical { .. } => None,
            })
            .collect();
        let asked = |split: &Split| match &split.rule {
            Rule::UpTo(bin) | Rule::PresentUpTo(bin) => {
                let column = columns[usize::from(split.column)].as_ref();
                column.map_or((0, 0.0), |(feature, raw)| (*feature, raw[usize::from(*bin)]))
            }
            Rule::OneOf(levels) => (sets.features[&(split.column, levels.as_slice())] as i64, 0.5),
        };
        let has_missing = model.contract.nullable_numbers().any(|nullable| nullable);
        let mut nodes = Self { missing_left: has_missing.then(Vec::new), ..Self::default() };
        let nothing = [Tree::leaf(0.0)];
        let trees = match model.ensemble.trees.as_slice() {
            [] => &nothing,
            trees => trees,
        };
        for (number, tree) in (0..).zip(trees) {
            for (place, part) in (0..).zip(tree.parts()) {
                match part {
                    TreePart::Split(split) => {
                        let (feature, value) = asked(split);
                        let left = split.left as i64;
                        nodes.push(number, place, feature, "BRANCH_LEQ", value, [left, left + 1]);
                        let goes_left = i64::from(matches!(split.rule, Rule::UpTo(_)));
                        nodes.missing_left.iter_mut().for_each(|of_nodes| of_nodes.push(goes_left));
                    }
                    TreePart::Leaf(value) => {
                        nodes.push(number, place, 0, "LEAF", 0.0, [0, 0]);
                        nodes.missing_left.iter_mut().for_each(|of_nodes| of_nodes.push(0));
                        nodes.leaf_trees.push(number);
                        nodes.leaf_ids.push(place);
                        nodes.leaves.push(*value);
                    }
                }
            }
        }
        nodes
    }

    fn push(&mut self, tree: i64, id: i64, feature: i64, mode: &'static str, value: f64, next: [i64; 2]) {
        self.trees.push(tree);
        self.ids.push(id);
        self.features.push(feature);
        self.modes.push(mode);
        self.values.push(value);
        self.left.push(next[0]);
        self.right.push(next[1]);
    }

    fn attributes(self, base: f64) -> Vec<super::proto::AttributeProto> {
        let (nodes, leaves) = (self.values.len(), self.leaves.len());
        let mut attributes = vec![
            integers("nodes_treeids", self.trees),
            integers("nodes_nodeids", self.ids),
            integers("nodes_featureids", self.features),
            texts("nodes_modes", self.modes),
            tensor_of("nodes_values_as_tensor", doubles(&[nodes], &self.values)),
            integers("nodes_truenodeids", self.left),
            integers("nodes_falsenodeids", self.right),
            integers("target_treeids", self.leaf_trees),
            integers("target_nodeids", self.leaf_ids),
            integers("target_ids", vec![0; leaves]),
            tensor_of("target_weights_as_tensor", doubles(&[leaves], &self.leaves)),
            tensor_of("base_values_as_tensor", doubles(&[1], &[base])),
            super::graph::integer("n_targets", 1),
            text("aggregate_function", "SUM"),
            text("post_transform", "NONE"),
        ];
        attributes
            .extend(self.missing_left.map(|of_nodes| integers("nodes_missing_value_tracks_true", of_nodes)));
        attributes
    }
}

/// The largest number whose transform does not exceed `edge`: raw numbers up to it, and no others, are in the bins up to
/// that edge. So no logarithm is computed anew, whose last bit may be another.
fn largest_up_to(transform: Transform, edge: f64) -> f64 {
    if transform == Transform::Identity {
        return edge;
    }
    largest(|raw| transform.apply(raw) <= edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_threshold_parts_the_floats_exactly_where_the_edge_parts_their_logarithms() {
        let apply = |x| Transform::Slog1p.apply(x);
        for edge in [-9.5, -1.0, -1e-12, 0.0, 1e-300, 0.3, 1.0, 6.25, 13.0, 700.0] {
            let raw = largest_up_to(Transform::Slog1p, edge);
            assert!(apply(raw) <= edge && apply(raw.next_up()) > edge, "{edge}");
        }
        for value in [0.1, 29.0, 1234.5] {
            let raw = largest_up_to(Transform::Slog1p, apply(value));
            assert!(raw >= value && raw - value < 1e-9, "{value}: {raw}");
        }
        assert_eq!(largest_up_to(Transform::Slog1p, 1e9), f64::MAX);
        assert_eq!(largest_up_to(Transform::Identity, 0.1), 0.1);
    }
}
