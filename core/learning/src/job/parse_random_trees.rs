//! Trees with random splits, as `[program]` writes them.

use std::ops::Range;

use toml::Spanned;

use super::Rounds;
use super::parse::narrow;
use super::parse_named::numeric_columns;
use super::parse_program::{LARGEST_QUESTION, refuse};
use super::reader::{Reader, Section};
use crate::contract::Contract;
use crate::program::boosted_trees::RandomTreesTerms;
use crate::program::boosted_trees::noisy::{LARGEST_RATE, Random, SPLITS};
use crate::trees::{MOST_BINS, MOST_DEPTH, MOST_TREES};

/// Whether the splits are drawn. Terms of the other way to choose them are refused.
pub(super) fn are_random(reader: &mut Reader<'_>, section: &mut Section<'_>) -> bool {
    let all = [(BEST, false), (SPLITS, true)];
    let written = reader.choice(section, "splits", "job.unknown-splits", &all);
    let is_random = written.is_some_and(Spanned::into_inner);
    let (keys, owner) = if is_random { (&OF_BEST[..], BEST) } else { (&OF_RANDOM[..], SPLITS) };
    refuse(reader, section, keys, ("job.other-splits", "splits"), owner);
    is_random
}

/// The terms, each in its range.
pub(super) fn random_trees(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    contract: Option<&Contract>,
) -> RandomTreesTerms {
    let [increasing, decreasing] =
        numeric_columns(reader, section, ["increasing", "decreasing"], (contract, "job.trees"));
    let default = RandomTreesTerms::default();
    let mut whole = |key, range, default| reader.integer(section, key, range).map_or(default, narrow);
    let depth = whole("depth", 1..=u64::from(MOST_DEPTH), default.depth);
    let trees_per_round = whole("trees_per_round", 1..=MOST_TREES as u64, default.trees_per_round);
    let bins = whole("bins", 2..=MOST_BINS as u64, default.bins);
    let seed = whole("seed", 0..=u64::from(u32::MAX), default.seed);
    let mut number =
        |key, range, default: f64| reader.number_in(section, key, range).map_or(default, Spanned::into_inner);
    RandomTreesTerms {
        splits: Random::Random,
        depth,
        trees_per_round,
        learning_rate: number("learning_rate", 1e-3..=LARGEST_RATE, default.learning_rate),
        bins,
        l2: number("l2", 0.0..=1e6, default.l2),
        seed,
        increasing,
        decreasing,
    }
}

/// Refuses rounds in which no tree grows, and more trees than a model or a question holds.
pub(super) fn check(
    reader: &mut Reader<'_>,
    terms: &RandomTreesTerms,
    rounds: &Rounds,
    contract: Option<&Contract>,
    at: Range<usize>,
) {
    // Without a contract its errors come first.
    let Some(contract) = contract else { return };
    let bytes = terms.largest_question(contract, rounds.count);
    // The columns' names were checked where they stand.
    let unnamed = RandomTreesTerms { increasing: Vec::new(), decreasing: Vec::new(), ..terms.clone() };
    let (problem, help) = match unnamed.check(contract, rounds.count) {
        Err(problem) => (problem, "correct the terms of [program], `count` of [rounds], or the contract"),
        Ok(()) if bytes > LARGEST_QUESTION => (
            format!("all trees together may take {} MB, and a question holds them", bytes >> 20),
            "lower `depth`, `trees_per_round` or `count`, or group levels",
        ),
        Ok(()) => return,
    };
    reader.add("job.trees", Some(at), problem, help);
}

/// The word for splits by gain, from exact sums.
const BEST: &str = "best";
const OF_RANDOM: [&str; 1] = ["trees_per_round"];
const OF_BEST: [&str; 9] = [
    "class_weights",
    "min_rows",
    "min_hessian",
    "min_gain",
    "min_level_rows",
    "level_smoothing",
    "level_l2",
    "column_fraction",
    "row_fraction",
];
