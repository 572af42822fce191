//! Reads the section `[program]`.

use std::ops::Range;

use toml::Spanned;

use super::parse::narrow;
use super::parse_averaging::{
    LINEAR, NAMES, Name, OF_NOISE, averaging, class_weights, neural_network, refuse_optimisers, sample,
};
use super::parse_named::{numeric_columns, place_of};
use super::parse_others::refuse_other_programs;
use super::parse_scorecard::scorecard;
use super::program::{
    DEFAULT_L2, Encoding, INPUTS_OF_NEWTON, LogisticRegressionTerms, MOST_INPUTS_OF_NEWTON, NEWTON,
    ProgramTerms, Solver,
};
use super::reader::{Reader, Section, suggestion};
use super::{
    Privacy, Rounds, parse_comparison, parse_description, parse_drift, parse_external, parse_random_trees,
};
use crate::contract::Contract;
use crate::optimiser::FED_AVG;
use crate::program::boosted_trees::{self, BoostedTreesTerms, TreesTerms};
use crate::program::drift::released;
use crate::program::logistic_regression::noisy::{self, NoisyGradientTerms};
use crate::program::{comparison, description, external, logistic_regression, neural_network, scorecard};
use crate::trees::{MOST_BINS, MOST_DEPTH, MOST_TREES};

/// The programs that a job file can name.
const PROGRAMS: [(&str, Named); 8] = [
    (logistic_regression::NAME, Named::LogisticRegression),
    (boosted_trees::NAME, Named::BoostedTrees),
    (neural_network::NAME, Named::NeuralNetwork),
    (scorecard::NAME, Named::Scorecard),
    (external::NAME, Named::External),
    (comparison::NAME, Named::Evaluation),
    (description::NAME, Named::Statistics),
    (released::NAME, Named::Drift),
];

/// Which words name programs, where `word` does not; none where it does. In words that do not quote it.
pub fn unknown_program(word: &str) -> Option<String> {
    let words = PROGRAMS.map(|(name, _)| name);
    (!words.contains(&word))
        .then(|| format!("{}programs are: {}", suggestion(word, &words), words.join(", ")))
}

/// The program, and where the decay of its learning rate stands, if it is written.
pub(super) fn program(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    contract: Option<&Contract>,
) -> Option<(ProgramTerms, Option<Range<usize>>)> {
    let mut section = reader.section(root, "program", "[program]");
    reader.require(&mut section, "name", "choose the program: `name = \"logistic-regression\"`");
    // Another program has other keys: they are not checked against the wrong list.
    let known =
        section.is_present().then(|| reader.choice(&mut section, "name", "job.unknown-program", &PROGRAMS));
    match known??.into_inner() {
        Named::LogisticRegression => {}
        Named::BoostedTrees => return Some((trees(reader, section, contract), None)),
        Named::NeuralNetwork => return network(reader, section, contract),
        Named::Scorecard => return Some((scorecard(reader, section, contract), None)),
        Named::External => return Some((parse_external::external(reader, section)?, None)),
        Named::Evaluation => return Some((parse_comparison::comparison(reader, section), None)),
        Named::Statistics => {
            return Some((parse_description::description(reader, section, contract), None));
        }
        Named::Drift => return Some((parse_drift::drift(reader, section, contract), None)),
    }
    let written = solver(reader, &mut section, contract)?;
    let l2 = reader.number_in(&mut section, "l2", 0.0..=1000.0).map_or(DEFAULT_L2, Spanned::into_inner);
    let (solver, decay_at) = match written {
        Written::Newton => {
            refuse(reader, &mut section, &OF_FED_AVG, OTHER_SOLVER, FED_AVG);
            refuse(reader, &mut section, &OF_NOISE, OTHER_SOLVER, noisy::SOLVER);
            refuse_optimisers(reader, &mut section, None, OTHER_SOLVER);
            let class_weights = class_weights(reader, &mut section);
            (Solver::Newton { encoding: encoding(reader, &mut section, contract), class_weights }, None)
        }
        Written::Averaging(name) => {
            refuse(reader, &mut section, &OF_NEWTON, OTHER_SOLVER, NEWTON);
            refuse(reader, &mut section, &OF_NOISE, OTHER_SOLVER, noisy::SOLVER);
            let (averaging, decay_at) = averaging(reader, &mut section, name, &LINEAR, OTHER_SOLVER);
            (Solver::of(averaging), decay_at)
        }
        Written::NoisyGradient => {
            refuse(reader, &mut section, &OF_NEWTON, OTHER_SOLVER, NEWTON);
            refuse(reader, &mut section, &OF_FED_AVG_ALONE, OTHER_SOLVER, FED_AVG);
            refuse(reader, &mut section, &["class_weights"], OTHER_SOLVER, NEWTON);
            refuse_optimisers(reader, &mut section, None, OTHER_SOLVER);
            let written = reader.number_in(&mut section, "learning_rate", 1e-6..=100.0);
            let learning_rate =
                written.map_or(NoisyGradientTerms::default().learning_rate, Spanned::into_inner);
            let sample = sample(reader, &mut section);
            (Solver::NoisyGradient(NoisyGradientTerms { learning_rate, sample }), None)
        }
    };
    refuse_other_programs(reader, &mut section);
    reader.close(section);
    Some((ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver, l2 }), decay_at))
}

#[derive(Clone, Copy)]
enum Named {
    LogisticRegression,
    BoostedTrees,
    NeuralNetwork,
    Scorecard,
    External,
    Evaluation,
    Statistics,
    Drift,
}

#[derive(Clone, Copy)]
enum Written {
    Newton,
    Averaging(Name),
    NoisyGradient,
}

/// The solver that is written, or the one that suits the number of inputs; none where another is written.
fn solver(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    contract: Option<&Contract>,
) -> Option<Written> {
    let inputs = contract.map_or(0, Contract::inputs);
    let averaging = NAMES.map(|(word, name)| (word, Written::Averaging(name)));
    let others = [(NEWTON, Written::Newton), (noisy::SOLVER, Written::NoisyGradient)];
    let all: Vec<_> = others.into_iter().chain(averaging).collect();
    let is_written = section.entry("solver").is_some();
    let written = reader.choice(section, "solver", "job.unknown-solver", &all);
    if let Some(written) = &written
        && matches!(written.get_ref(), Written::Newton)
        && inputs > MOST_INPUTS_OF_NEWTON
    {
        reader.add(
            "job.too-many-inputs",
            Some(written.span()),
            format!("{inputs} inputs are too many for `{NEWTON}`, whose vectors grow with their square"),
            format!("at most {MOST_INPUTS_OF_NEWTON}: write `solver = \"{FED_AVG}\"`, or group levels"),
        );
    }
    match written {
        // Its keys are those of a solver that is not known.
        None if is_written => None,
        None if inputs > INPUTS_OF_NEWTON => Some(Written::Averaging(Name::FedAvg)),
        None => Some(Written::Newton),
        Some(written) => Some(written.into_inner()),
    }
}

/// Refuses terms of another program or solver than the job's: they would change nothing. `choice` is the code, and the key that
/// would choose their `owner`.
pub(super) fn refuse(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    keys: &[&'static str],
    (code, choice): (&'static str, &str),
    owner: &str,
) {
    for (key, span) in section.foreign(keys) {
        let message = format!("`{key}` is a term of `{owner}`, which this job does not name");
        let help = format!("remove it, or write `{choice} = \"{owner}\"`");
        reader.add(code, Some(span), message, help);
    }
}

fn encoding(reader: &mut Reader<'_>, section: &mut Section<'_>, contract: Option<&Contract>) -> Encoding {
    let all = [("all-levels", Encoding::AllLevels), ("drop-first", Encoding::DropFirst)];
    let written = reader.choice(section, "encoding", "job.unknown-encoding", &all);
    let inputs = contract.map_or(0, Contract::inputs);
    if let Some(written) = &written
        && *written.get_ref() == Encoding::DropFirst
        && inputs > INPUTS_OF_NEWTON
    {
        reader.add(
            "job.too-many-inputs",
            Some(written.span()),
            format!("standard errors of {inputs} inputs take too long"),
            format!("at most {INPUTS_OF_NEWTON}: leave `encoding` out, or group levels"),
        );
    }
    written.map(Spanned::into_inner).unwrap_or_default()
}

/// The network's terms, and where the decay stands, if it is written.
fn network(
    reader: &mut Reader<'_>,
    mut section: Section<'_>,
    contract: Option<&Contract>,
) -> Option<(ProgramTerms, Option<Range<usize>>)> {
    let read = neural_network(reader, &mut section, contract);
    if read.is_some() {
        refuse_other_programs(reader, &mut section);
    }
    reader.close(section);
    read.map(|(terms, decay_at)| (ProgramTerms::NeuralNetwork(Box::new(terms)), decay_at))
}

fn trees(reader: &mut Reader<'_>, mut program: Section<'_>, contract: Option<&Contract>) -> ProgramTerms {
    let section = &mut program;
    if parse_random_trees::are_random(reader, section) {
        let terms = parse_random_trees::random_trees(reader, section, contract);
        refuse_other_programs(reader, section);
        reader.close(program);
        return ProgramTerms::BoostedTrees(Box::new(TreesTerms::Random(terms)));
    }
    let default = BoostedTreesTerms::default();
    for (_, span) in section.foreign(&["trees"]) {
        let help = "remove it: each training round grows one tree, `count` of `[rounds]` says how many";
        reader.add("job.unknown-key", Some(span), "`trees` is not a key of [program]", help);
    }
    let depth = reader.integer(section, "depth", 1..=u64::from(MOST_DEPTH));
    let bins = reader.integer(section, "bins", 2..=MOST_BINS as u64);
    let min_rows = reader.integer(section, "min_rows", 1..=1_000_000_000);
    let class_weights = class_weights(reader, section);
    let min_level_rows = reader.integer(section, "min_level_rows", 1..=1_000_000_000);
    let seed = reader.integer(section, "seed", 0..=u64::from(u32::MAX));
    let [increasing, decreasing] =
        numeric_columns(reader, section, ["increasing", "decreasing"], (contract, "job.trees"));
    let mut number =
        |key, range, default: f64| reader.number_in(section, key, range).map_or(default, Spanned::into_inner);
    let terms = BoostedTreesTerms {
        trees: default.trees,
        depth: depth.map_or(default.depth, narrow),
        learning_rate: number("learning_rate", 1e-4..=1.0, default.learning_rate),
        bins: bins.map_or(default.bins, narrow),
        l2: number("l2", 0.0..=1e6, default.l2),
        min_hessian: number("min_hessian", 0.0..=1e6, default.min_hessian),
        min_rows: min_rows.map_or(default.min_rows, Spanned::into_inner),
        min_gain: number("min_gain", 0.0..=1e6, default.min_gain),
        column_fraction: number("column_fraction", 0.01..=1.0, default.column_fraction),
        row_fraction: number("row_fraction", 0.01..=1.0, default.row_fraction),
        seed: seed.map_or(default.seed, narrow),
        level_smoothing: number("level_smoothing", 0.0..=1e6, default.level_smoothing),
        level_l2: number("level_l2", 0.0..=1e6, default.level_l2),
        min_level_rows: min_level_rows.map_or(default.min_level_rows, Spanned::into_inner),
        class_weights,
        increasing,
        decreasing,
    };
    // Without a contract its errors come first; the columns' names were checked where they stand.
    let unnamed = BoostedTreesTerms { increasing: Vec::new(), decreasing: Vec::new(), ..terms.clone() };
    if let Some(Err(problem)) = contract.map(|contract| unnamed.check(contract)) {
        let help = "correct the terms of [program], or the contract";
        let at = place_of(section, &problem, &["l2", "min_hessian", "depth", "bins"]);
        reader.add("job.trees", at, problem, help);
    }
    refuse_other_programs(reader, section);
    reader.close(program);
    ProgramTerms::BoostedTrees(Box::new(terms.into()))
}

/// Refuses more rounds than the program can be asked for.
pub(super) fn check_rounds(
    reader: &mut Reader<'_>,
    program: &ProgramTerms,
    rounds: &Rounds,
    contract: Option<&Contract>,
    at: Range<usize>,
) {
    match program {
        ProgramTerms::BoostedTrees(terms) => match &**terms {
            TreesTerms::Best(terms) => check_trees(reader, &terms.growing(rounds.count), contract, at),
            TreesTerms::Random(terms) => parse_random_trees::check(reader, terms, rounds, contract, at),
        },
        ProgramTerms::LogisticRegression(_) | ProgramTerms::NeuralNetwork(_) => {
            check_last_step(reader, program, rounds, at);
        }
        ProgramTerms::Scorecard(_) | ProgramTerms::External(_) => {}
        ProgramTerms::Evaluation(_) | ProgramTerms::Statistics(_) | ProgramTerms::Drift(_) => {}
    }
}

/// Refuses to wait for better rounds where the model of each is not measured.
pub(super) fn check_patience(
    reader: &mut Reader<'_>,
    program: &ProgramTerms,
    rounds: &Rounds,
    privacy: &Privacy,
    at: Range<usize>,
) {
    if rounds.patience.is_some() && !(program.measures_every_round() && privacy.noise().is_none()) {
        let message =
            "`patience` needs the model of each training round to be measured, and here they are not";
        let help = "remove `patience` from [rounds]";
        reader.add("job.patience", Some(at), message, help);
    }
}

/// Refuses more trees than a model or a question holds.
fn check_trees(
    reader: &mut Reader<'_>,
    terms: &BoostedTreesTerms,
    contract: Option<&Contract>,
    at: Range<usize>,
) {
    if terms.trees as usize > MOST_TREES {
        let message = format!("{} training rounds grow as many trees", terms.trees);
        reader.add("job.out-of-range", Some(at), message, format!("at most {MOST_TREES}: lower `count`"));
        return;
    }
    // Without a contract its errors come first.
    let bytes = contract.map_or(0, |contract| terms.largest_question(contract));
    if bytes > LARGEST_QUESTION {
        let message = format!(
            "the last questions may take {} MB: each holds all trees so far, and each split by levels names them",
            bytes >> 20
        );
        let help =
            format!("at most {} MB: fewer trees, less `depth`, or group levels", LARGEST_QUESTION >> 20);
        reader.add("job.trees", Some(at), message, help);
    }
}

/// Refuses a learning rate that decays to nothing before the last round: no institution could train with it, and
/// the job would stand still.
fn check_last_step(reader: &mut Reader<'_>, program: &ProgramTerms, rounds: &Rounds, at: Range<usize>) {
    let last = program.last_round(rounds.count);
    if last < rounds.count {
        let message = format!(
            "the learning rate decays to nothing before the last of {} training rounds",
            rounds.count
        );
        let help = format!("raise `learning_rate_decay`, or ask for at most {last} rounds");
        reader.add("job.learning-rate-vanishes", Some(at), message, help);
    }
}

/// A question is a blob, of which an institution takes 16 MiB at most.
pub(super) const LARGEST_QUESTION: u64 = 15 << 20;

const OTHER_SOLVER: (&str, &str) = ("job.other-solver", "solver");

const OF_NEWTON: [&str; 1] = ["encoding"];
/// Terms of `fed-avg` that `noisy-gradient` does not have.
const OF_FED_AVG_ALONE: [&str; 3] = ["local_epochs", "batch_size", "learning_rate_decay"];
const OF_FED_AVG: [&str; 4] = ["local_epochs", "batch_size", "learning_rate", "learning_rate_decay"];
