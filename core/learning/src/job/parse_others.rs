//! Terms of other programs than the job's, which would change nothing.

use super::parse_averaging::OF_OPTIMISERS;
use super::parse_program::refuse;
use super::reader::{Reader, Section};
use crate::program::drift::released;
use crate::program::{
    boosted_trees, comparison, description, external, logistic_regression, neural_network, scorecard,
};

/// Refuses each key that the section has, its own program does not know, and another one does; called when all that the program
/// knows was asked for.
pub(super) fn refuse_other_programs(reader: &mut Reader<'_>, section: &mut Section<'_>) {
    let optimisers = OF_OPTIMISERS.map(|key| (key, logistic_regression::NAME));
    for (key, owner) in OWNERS.into_iter().chain(optimisers) {
        if !section.knows(key) {
            refuse(reader, section, &[key], ("job.other-program", "name"), owner);
        }
    }
}

/// The keys of `[program]`, and a program that each is of.
const OWNERS: [(&str, &str); 49] = [
    ("solver", logistic_regression::NAME),
    ("encoding", logistic_regression::NAME),
    ("local_epochs", logistic_regression::NAME),
    ("batch_size", logistic_regression::NAME),
    ("learning_rate", logistic_regression::NAME),
    ("learning_rate_decay", logistic_regression::NAME),
    ("l2", logistic_regression::NAME),
    ("sample", logistic_regression::NAME),
    ("hidden", neural_network::NAME),
    ("embedding", neural_network::NAME),
    ("packed", neural_network::NAME),
    ("optimiser", neural_network::NAME),
    ("splits", boosted_trees::NAME),
    ("trees_per_round", boosted_trees::NAME),
    ("depth", boosted_trees::NAME),
    ("bins", boosted_trees::NAME),
    ("min_rows", boosted_trees::NAME),
    ("min_level_rows", boosted_trees::NAME),
    ("min_hessian", boosted_trees::NAME),
    ("min_gain", boosted_trees::NAME),
    ("column_fraction", boosted_trees::NAME),
    ("row_fraction", boosted_trees::NAME),
    ("level_smoothing", boosted_trees::NAME),
    ("level_l2", boosted_trees::NAME),
    ("seed", boosted_trees::NAME),
    ("increasing", boosted_trees::NAME),
    ("decreasing", boosted_trees::NAME),
    ("max_bins", scorecard::NAME),
    ("coarse_bins", scorecard::NAME),
    ("min_share", scorecard::NAME),
    ("min_count", scorecard::NAME),
    ("min_class", scorecard::NAME),
    ("min_iv", scorecard::NAME),
    ("free", scorecard::NAME),
    ("points", scorecard::NAME),
    ("trainer", external::NAME),
    ("clip", external::NAME),
    ("settings", external::NAME),
    ("tensors", external::NAME),
    ("models", comparison::NAME),
    ("rows", comparison::NAME),
    ("cells", description::NAME),
    ("correlations", description::NAME),
    ("columns", description::NAME),
    ("model", released::NAME),
    ("watch_psi", released::NAME),
    ("max_psi", released::NAME),
    ("max_ks", released::NAME),
    ("reference", released::NAME),
];
