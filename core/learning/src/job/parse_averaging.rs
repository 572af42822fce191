//! Reads the keys of local training and its optimisers, and those of networks.

use std::ops::Range;

use toml::Spanned;

use super::parse::narrow;
use super::parse_program::{LARGEST_QUESTION, refuse};
use super::program::{DEFAULT_L2, FedAvgTerms};
use super::reader::{Reader, Section};
use crate::contract::Contract;
use crate::network::entry::{Entry, MOST_DIMENSION};
use crate::network::{MOST_DECIMALS, MOST_LAYERS, MOST_PARAMETERS, MOST_UNITS, parameters};
use crate::optimiser::fed_adam::Adaptive;
use crate::optimiser::{FED_ADAM, FED_AVG, FED_PROX, FED_YOGI, Optimiser, SCAFFOLD, Steps};
use crate::program::logistic_regression::noisy::{self, NoisyGradientTerms};
use crate::program::neural_network::{
    AveragingTerms, ClassWeights, NetworkTerms, NeuralNetworkTerms, NoisyNetworkTerms,
};

/// An optimiser, before its terms are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    FedAvg,
    FedProx,
    FedAdam,
    FedYogi,
    Scaffold,
}

pub(super) const NAMES: [(&str, Name); 5] = [
    (FED_AVG, Name::FedAvg),
    (FED_PROX, Name::FedProx),
    (FED_ADAM, Name::FedAdam),
    (FED_YOGI, Name::FedYogi),
    (SCAFFOLD, Name::Scaffold),
];

/// What terms are where they are not written.
pub(super) struct Defaults {
    /// What a local step does.
    steps: Steps,
    /// Local training by plain steps.
    sgd: FedAvgTerms,
    /// The same by Adam's.
    adam: FedAvgTerms,
}

/// Of a logistic regression. Plain averaging has defaults of its own.
pub(super) const LINEAR: Defaults = Defaults {
    steps: Steps::Sgd,
    sgd: FedAvgTerms { local_epochs: 1, batch_size: 32, learning_rate: 0.1, learning_rate_decay: 0.97 },
    adam: FedAvgTerms { local_epochs: 1, batch_size: 32, learning_rate: 0.003, learning_rate_decay: 0.97 },
};

/// Of a network.
const NETWORK: Defaults = Defaults {
    steps: Steps::Adam,
    sgd: FedAvgTerms { local_epochs: 1, batch_size: 128, learning_rate: 0.2, learning_rate_decay: 0.97 },
    adam: FedAvgTerms { local_epochs: 1, batch_size: 128, learning_rate: 0.001, learning_rate_decay: 1.0 },
};

/// The terms, and where the decay stands, if it is written. `choice` is the code, and the key that chooses the optimiser.
pub(super) fn averaging(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    name: Name,
    defaults: &Defaults,
    choice: (&'static str, &str),
) -> (AveragingTerms, Option<Range<usize>>) {
    refuse_optimisers(reader, section, Some(name), choice);
    let class_weights = class_weights(reader, section);
    let all = [("sgd", Steps::Sgd), ("adam", Steps::Adam)];
    let steps = reader.choice(section, "local_steps", "job.unknown-local-steps", &all);
    let steps = steps.map_or(defaults.steps, Spanned::into_inner);
    let default = match steps {
        Steps::Adam => defaults.adam,
        Steps::Sgd if defaults.steps == Steps::Sgd && matches!(name, Name::FedAvg | Name::FedProx) => {
            FedAvgTerms::default()
        }
        Steps::Sgd => defaults.sgd,
    };
    let (local, decay_at) = local(reader, section, default);
    let optimiser = match name {
        Name::FedAvg => Optimiser::FedAvg,
        Name::FedProx => {
            let proximal = reader.number_in(section, "proximal", 0.0..=1000.0);
            Optimiser::FedProx { proximal: proximal.map_or(DEFAULT_PROXIMAL, Spanned::into_inner) }
        }
        Name::FedAdam => Optimiser::FedAdam(adaptive(reader, section)),
        Name::FedYogi => Optimiser::FedYogi(adaptive(reader, section)),
        Name::Scaffold => Optimiser::Scaffold,
    };
    (AveragingTerms { optimiser, local, steps, class_weights }, decay_at)
}

/// Refuses terms of other optimisers than `name`; of all where there is none.
pub(super) fn refuse_optimisers(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    name: Option<Name>,
    choice: (&'static str, &str),
) {
    if name.is_none() {
        refuse(reader, section, &["local_steps"], choice, FED_AVG);
    }
    if name != Some(Name::FedProx) {
        refuse(reader, section, &["proximal"], choice, FED_PROX);
    }
    if !matches!(name, Some(Name::FedAdam | Name::FedYogi)) {
        refuse(reader, section, &OF_ADAPTIVE, choice, FED_ADAM);
    }
}

/// A network's terms, and where the decay stands, if it is written.
pub(super) fn neural_network(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    contract: Option<&Contract>,
) -> Option<(NetworkTerms, Option<Range<usize>>)> {
    let is_written = section.entry("optimiser").is_some();
    let averaged = NAMES.map(|(word, name)| (word, Some(name)));
    let all: Vec<_> = averaged.into_iter().chain([(noisy::SOLVER, None)]).collect();
    let name = reader.choice(section, "optimiser", "job.unknown-optimiser", &all).map(Spanned::into_inner);
    if name.is_none() && is_written {
        // Its keys are those of an optimiser that is not known.
        return None;
    }
    let name = name.unwrap_or(Some(Name::Scaffold));
    let hidden_at = section.entry("hidden").map(|(span, _)| span).or(section.span.clone());
    let default = if name.is_some() { DEFAULT_HIDDEN } else { NoisyNetworkTerms::HIDDEN };
    let hidden = hidden(reader, section, default);
    let embedding_at = section.entry("embedding").map(|(span, _)| span);
    let embedding = reader.integer(section, "embedding", 1..=u64::from(MOST_DIMENSION)).map(narrow);
    let seed = reader.integer(section, "seed", 0..=u64::from(u32::MAX)).map_or(0, narrow);
    let l2 = reader.number_in(section, "l2", 0.0..=1000.0).map_or(DEFAULT_L2, Spanned::into_inner);
    let units = hidden.clone().unwrap_or_default();
    let mut packed = false;
    let (terms, decay_at) = match name {
        Some(name) => {
            refuse(reader, section, &OF_NOISE, OTHER_OPTIMISER, noisy::SOLVER);
            let (averaging, decay_at) = averaging(reader, section, name, &NETWORK, OTHER_OPTIMISER);
            packed = reader.flag(section, "packed").unwrap_or(false);
            let terms = NeuralNetworkTerms { hidden: units, embedding, packed, seed, l2, averaging };
            (NetworkTerms::Averaged(terms), decay_at)
        }
        None => {
            let gradient = noisy_gradient(reader, section);
            (NetworkTerms::Noisy(NoisyNetworkTerms { hidden: units, embedding, seed, l2, gradient }), None)
        }
    };
    let hidden = hidden?;
    if let Some(contract) = contract {
        // A question of scaffold has two vectors more.
        let vectors = if name == Some(Name::Scaffold) { 3 } else { 1 };
        let (bytes, most) = match packed {
            true => (BYTES_OF_A_PACKED_NUMBER, MOST_PARAMETERS),
            false => (BYTES_OF_A_NUMBER, MOST_DECIMALS),
        };
        let most = (LARGEST_QUESTION / (bytes * vectors)).min(most as u64);
        let entry = Entry::of(contract, embedding);
        let fits = parameters(&entry, &hidden).is_some_and(|count| count as u64 <= most);
        if !fits {
            let message = format!("a network of {} inputs and these layers is too large", contract.inputs());
            let more = if packed || name.is_none() { "" } else { "; `packed = true` allows more" };
            let help = format!("at most {most} parameters: fewer units, or group levels{more}");
            reader.add("job.network", hidden_at, message, help);
        }
        if let Some(dimension) = embedding.filter(|_| entry.vectors() == 0) {
            let message = format!(
                "no categorical column has more than {dimension} levels: `embedding` changes nothing"
            );
            let help = "remove it, or write fewer numbers: a column is embedded that has more levels than a vector has numbers";
            reader.add("job.embedding", embedding_at, message, help);
        }
    }
    Some((terms, decay_at))
}

/// The terms of noisy gradients; those of local work are refused.
fn noisy_gradient(reader: &mut Reader<'_>, section: &mut Section<'_>) -> NoisyGradientTerms {
    refuse(reader, section, &OF_LOCAL_WORK, OTHER_OPTIMISER, FED_AVG);
    refuse_optimisers(reader, section, None, OTHER_OPTIMISER);
    let learning_rate = reader.number_in(section, "learning_rate", 1e-6..=100.0);
    let learning_rate = learning_rate.map_or(NoisyNetworkTerms::LEARNING_RATE, Spanned::into_inner);
    NoisyGradientTerms { learning_rate, sample: sample(reader, section) }
}

/// The probability with which a row is in a sum; none where all rows are, also where that is said outright.
pub(super) fn sample(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<f64> {
    let written = reader.number_in(section, "sample", 0.001..=1.0).map(Spanned::into_inner);
    written.filter(|sample| *sample != 1.0)
}

/// Units of each hidden layer, `default` where they are not written; none where they are none.
fn hidden(reader: &mut Reader<'_>, section: &mut Section<'_>, default: [u32; 1]) -> Option<Vec<u32>> {
    if section.entry("hidden").is_none() {
        return Some(default.to_vec());
    }
    let written = reader.numbers(section, "hidden")?;
    let units = |&number: &f64| {
        let is_whole = (1.0..=f64::from(MOST_UNITS)).contains(&number) && libm::trunc(number) == number;
        is_whole.then_some(number as u32)
    };
    let layers: Option<Vec<u32>> = written.get_ref().iter().map(units).collect();
    let layers = layers.filter(|layers| (1..=MOST_LAYERS).contains(&layers.len()));
    if layers.is_none() {
        reader.add(
            "job.out-of-range",
            Some(written.span()),
            "`hidden` of [program] has no such layers",
            format!("write the units of 1 to {MOST_LAYERS} layers, 1 to {MOST_UNITS} each: `hidden = [64]`"),
        );
    }
    layers
}

fn local(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    default: FedAvgTerms,
) -> (FedAvgTerms, Option<Range<usize>>) {
    let epochs = reader.integer(section, "local_epochs", 1..=1000);
    let batch_size = reader.integer(section, "batch_size", 1..=1_000_000);
    let learning_rate = reader.number_in(section, "learning_rate", 1e-6..=100.0);
    let decay = reader.number_in(section, "learning_rate_decay", 0.01..=1.0);
    let decay_at = decay.as_ref().map(Spanned::span);
    let terms = FedAvgTerms {
        local_epochs: epochs.map_or(default.local_epochs, narrow),
        batch_size: batch_size.map_or(default.batch_size, narrow),
        learning_rate: learning_rate.map_or(default.learning_rate, Spanned::into_inner),
        learning_rate_decay: decay.map_or(default.learning_rate_decay, Spanned::into_inner),
    };
    (terms, decay_at)
}

fn adaptive(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Adaptive {
    let default = Adaptive::default();
    let mut number =
        |key, range, default: f64| reader.number_in(section, key, range).map_or(default, Spanned::into_inner);
    Adaptive {
        learning_rate: number("server_learning_rate", 1e-6..=100.0, default.learning_rate),
        beta1: number("server_beta1", 0.0..=0.9999, default.beta1),
        beta2: number("server_beta2", 0.0..=0.9999, default.beta2),
        tau: number("server_tau", 1e-9..=1.0, default.tau),
    }
}

/// The word, or the weight of a positive.
pub(super) fn class_weights(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<ClassWeights> {
    let (_, value) = section.entry("class_weights")?;
    if value.get_ref().as_str().is_some() {
        let all = [("balanced", ClassWeights::BALANCED)];
        return reader
            .choice(section, "class_weights", "job.unknown-class-weights", &all)
            .map(Spanned::into_inner);
    }
    let weight = reader.number_in(section, "class_weights", 1e-3..=1e3)?;
    Some(ClassWeights::Positive(weight.into_inner()))
}

/// The keys that optimisers have beyond those of plain averaging.
pub(super) const OF_OPTIMISERS: [&str; 7] = [
    "local_steps",
    "class_weights",
    "proximal",
    "server_learning_rate",
    "server_beta1",
    "server_beta2",
    "server_tau",
];
const OF_ADAPTIVE: [&str; 4] = ["server_learning_rate", "server_beta1", "server_beta2", "server_tau"];

/// Terms of local work that noisy gradients do not have.
const OF_LOCAL_WORK: [&str; 5] =
    ["local_epochs", "batch_size", "learning_rate_decay", "class_weights", "packed"];

/// Terms of noisy gradients alone.
pub(super) const OF_NOISE: [&str; 1] = ["sample"];

const OTHER_OPTIMISER: (&str, &str) = ("job.other-optimiser", "optimiser");

const DEFAULT_HIDDEN: [u32; 1] = [64];
/// mu of fed-prox.
const DEFAULT_PROXIMAL: f64 = 0.1;
/// A number of a question, with its comma.
const BYTES_OF_A_NUMBER: u64 = 25;
/// The same packed: four characters for three of its bytes.
const BYTES_OF_A_PACKED_NUMBER: u64 = 11;
