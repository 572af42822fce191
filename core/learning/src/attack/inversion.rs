//! Rows out of an update: what an institution with few rows gives away that sends its update in the clear, and what of it is in a sum.
//!
//! The slope of a loss at the weight of an input is the slope at the bias of the same unit times the input: one row's inputs are the ratio
//! (Phong and others, "Privacy-preserving deep learning via additively homomorphic encryption", IEEE TIFS 13(5), 2018, section III;
//! Geiping and others, "Inverting gradients", NeurIPS 2020, Proposition 3.1). Of several rows the ratio is a mean, weighted by how far the model is off. Of
//! several units it is taken by least squares. Moments give the mean of the rows outright.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Serialize;
use syndic_round::Contribution;

use super::AttackError;
use super::game::Game;
use super::run::Opened;
use crate::contract::{ColumnKind, Contract};
use crate::encode::{Inputs, Standardisation};
use crate::network::entry::{Entry, Place};
use crate::network::layers;
use crate::program::Program as _;
use crate::program::logistic_regression::newton;
use crate::program::logistic_regression::noisy::public_standardisation;
use crate::program::question::Question;
use crate::program::run::JobRun;
use crate::reference::standardise;
use crate::table::Table;

/// What was read of rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Read {
    /// Share of the numbers that were read to a tenth of a standard deviation, of those that are not missing.
    pub numbers: Option<f64>,
    /// Share of the levels that were read right, that one is missing too; none where levels are not in what was asked, or the contract has no levels.
    pub levels: Option<f64>,
}

/// What was read out of what an institution answers that has so many rows, in the mean over some victims.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Inverted {
    /// Training rows of the institution, one of which is to be read.
    pub rows: u32,
    /// What is read of its update, without encryption.
    pub update: Read,
    /// What is read of what it sends.
    pub sent: Read,
    /// What is read of the sum of all institutions.
    pub sum: Read,
}

/// What is guessed without having seen anything but the moments of all rows: the mean, and the most common level.
///
/// # Errors
/// When the tables cannot be encoded.
pub fn guessed(game: &Game, victims: &[usize]) -> Result<Read, AttackError> {
    let scale = scale(game);
    let inputs = game.everything(&scale)?;
    let mut guess = vec![0.0; inputs.inputs()];
    (0..inputs.rows()).for_each(|row| inputs.add_to(row, 1.0 / inputs.rows() as f64, &mut guess));
    let mut tally = Tally::default();
    for &victim in victims {
        tally.judge(&guess, true, &one(game, victim, &scale)?, game.contract());
    }
    Ok(tally.read())
}

/// The first question of each kind out of which rows can be read.
pub fn readable(opened: &[Opened]) -> Vec<&Opened> {
    let mut found: Vec<&Opened> = Vec::new();
    for round in opened {
        let is_new = found.iter().all(|earlier| {
            std::mem::discriminant(&earlier.question) != std::mem::discriminant(&round.question)
        });
        if is_new && is_readable(&round.question) {
            found.push(round);
        }
    }
    found
}

/// Reads each of `victims`, rows of the institution `watched`, out of what that institution would answer if it and
/// `rows - 1` others were all that it had, out of what it would send, and out of the sum with what the others answered. `send` encrypts
/// an answer, and gives entry by entry what somebody without a key can make of it.
///
/// # Errors
/// When the question cannot be asked of so few rows.
pub fn inverted(
    game: &Game,
    round: &Opened,
    (watched, victims): (usize, &[usize]),
    rows: u32,
    send: &mut dyn FnMut(Contribution) -> Vec<f64>,
    rng: &mut impl CryptoRng,
) -> Result<Inverted, AttackError> {
    let scale = scale(game);
    let own: Vec<usize> = game.of(watched).collect();
    let others: Vec<f64> = round.sum.iter().zip(&round.update).map(|(sum, update)| sum - update).collect();
    let mut tallies = [Tally::default(), Tally::default(), Tally::default()];
    for &victim in victims {
        let beside = own.iter().copied().cycle().skip_while(|&row| row != victim);
        let table: Table = game.table_of(watched, &beside.take(rows as usize).collect::<Vec<_>>());
        let answer = JobRun::answer(&round.question, &table, rng)?;
        let update = answer.values().to_vec();
        let sum: Vec<f64> = update.iter().zip(&others).map(|(update, others)| update + others).collect();
        let truth = one(game, victim, &scale)?;
        for (seen, tally) in [update, send(answer), sum].into_iter().zip(&mut tallies) {
            let (inputs, with_levels) = reading(&round.question, &seen, game.contract(), &scale);
            tally.judge(&inputs, with_levels, &truth, game.contract());
        }
    }
    let [update, sent, sum] = tallies.map(|tally| tally.read());
    Ok(Inverted { rows, update, sent, sum })
}

/// How numbers are scaled to judge what was read: by the mean and deviation of all rows.
fn scale(game: &Game) -> Standardisation {
    let tables: Vec<Table> = (0..game.institutions()).map(|institution| game.all_of(institution)).collect();
    let all: Vec<_> = tables.iter().map(|table| (table, (0..table.rows()).collect())).collect();
    standardise(game.contract(), &all)
}

/// A row's inputs.
fn one(game: &Game, row: usize, scale: &Standardisation) -> Result<Vec<f64>, AttackError> {
    let inputs = Inputs::of(&game.table_of(game.institution_of(row), &[row]), &[0], scale)?;
    let mut dense = vec![0.0; inputs.inputs()];
    inputs.add_to(0, 1.0, &mut dense);
    Ok(dense)
}

fn is_readable(question: &Question) -> bool {
    matches!(
        question,
        Question::Statistics(_)
            | Question::Train(_)
            | Question::Newton(_)
            | Question::Network(_)
            | Question::Noisy(_)
            | Question::NoisyUpdate(_)
    )
}

/// The inputs of a row as `scale` has them, as far as `seen` tells; and whether it tells of levels.
fn reading(
    question: &Question,
    seen: &[f64],
    contract: &Contract,
    scale: &Standardisation,
) -> (Vec<f64>, bool) {
    let linear = || (Entry::plain(contract.inputs()), &[][..]);
    // What is divided by which, and how the question scales numbers.
    let (raw, from) = match question {
        Question::Statistics(_) => return (of_moments(seen, contract, scale), false),
        // The rows, then the change of each coefficient, the intercept last.
        Question::Train(question) => (ratios(&seen[1..], linear()), question.standardisation.clone()),
        Question::Noisy(question) => {
            (ratios(seen, question.model.shape(contract)), public_standardisation(contract))
        }
        // The rows and the loss, then slopes of inputs that are divided by their reach.
        Question::Newton(question) => {
            let reach = newton::reach(contract, &question.standardisation);
            let raw = ratios(&seen[2..], linear());
            (
                raw.iter().zip(reach).map(|(value, reach)| value * reach).collect(),
                question.standardisation.clone(),
            )
        }
        Question::NoisyUpdate(question) => {
            let shape = (question.network.entry(contract), &question.network.hidden[..]);
            (ratios(seen, shape), public_standardisation(contract))
        }
        Question::Network(question) => {
            let shape = (question.network.entry(contract), &question.network.hidden[..]);
            (ratios(&seen[1..], shape), question.standardisation.clone())
        }
        _ => return (vec![0.0; contract.inputs()], false),
    };
    (rescaled(raw, contract, &from, scale), true)
}

/// For each input the factor by which the slopes at its weights are those at the biases, by least squares. For a level that has a
/// vector it is the factor by which the slopes in that are those in the vectors of all levels of its column.
fn ratios(slopes: &[f64], (entry, hidden): (Entry, &[u32])) -> Vec<f64> {
    let (first, dimension) = (&layers(&entry, hidden)[0], entry.dimension());
    let biases = &slopes[first.biases()];
    let vector = |from: usize| &slopes[from..from + dimension];
    // Of each column, by the place of its vectors.
    let mut columns: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for input in 0..entry.inputs() {
        if let Place::Vector { from, to } = entry.place(input) {
            let sum = columns.entry(to).or_insert_with(|| vec![0.0; dimension]);
            sum.iter_mut().zip(vector(from)).for_each(|(sum, slope)| *sum += slope);
        }
    }
    let of_input = |input| match entry.place(input) {
        Place::Plain(to) => ratio(&slopes[first.of_input(to)], biases),
        Place::Vector { from, to } => ratio(vector(from), &columns[&to]),
    };
    (0..entry.inputs()).map(of_input).collect()
}

/// By what `other` is to be multiplied to come nearest to `slopes`.
fn ratio(slopes: &[f64], other: &[f64]) -> f64 {
    let square: f64 = other.iter().map(|slope| slope * slope).sum();
    let product: f64 = slopes.iter().zip(other).map(|(slope, other)| slope * other).sum();
    if square > 0.0 { product / square } else { 0.0 }
}

/// The mean row by the rows, positives, sums, squares and missing values of the statistics.
fn of_moments(seen: &[f64], contract: &Contract, scale: &Standardisation) -> Vec<f64> {
    // Rows and positives of three roles come first.
    let (rows, sums) = (seen[0], &seen[6..]);
    let mut missing = sums[2 * contract.numeric().count()..].iter();
    let mut inputs = Vec::new();
    let mut numeric = sums.iter().zip(public(contract)).zip(scale.mean.iter().zip(&scale.sd));
    for column in &contract.columns {
        let mut of_column = vec![0.0; column.inputs()];
        let missing = if column.nullable { missing.next().copied().unwrap_or_default() } else { 0.0 };
        if let ColumnKind::Numeric { .. } = column.kind
            && let Some(((sum, (centre, half)), (mean, sd))) = numeric.next()
        {
            // The mean of the values that are there.
            of_column[0] = (centre + half * sum / (rows - missing).max(1.0) - mean) / sd;
        }
        inputs.extend(of_column);
    }
    inputs
}

/// Middle and half width of the ranges of the numeric columns.
fn public(contract: &Contract) -> impl Iterator<Item = (f64, f64)> + '_ {
    contract.numeric().map(|(transform, min, max)| transform.centre_and_half_range(min, max))
}

/// Numbers of one standardisation in another, moved into what the contract allows; levels as they are.
fn rescaled(
    mut inputs: Vec<f64>,
    contract: &Contract,
    from: &Standardisation,
    to: &Standardisation,
) -> Vec<f64> {
    let scales = from.mean.iter().zip(&from.sd).zip(to.mean.iter().zip(&to.sd));
    let mut scales = scales.zip(public(contract));
    let mut input = 0;
    for column in &contract.columns {
        if let ColumnKind::Numeric { .. } = column.kind
            && let Some((((mean, sd), (to_mean, to_sd)), (centre, half))) = scales.next()
        {
            let value = (mean + sd * inputs[input]).clamp(centre - half, centre + half);
            inputs[input] = (value - to_mean) / to_sd;
        }
        input += column.inputs();
    }
    inputs
}

/// What was read right, and of how much.
#[derive(Default)]
struct Tally {
    numbers: (u32, u32),
    levels: (u32, u32),
}

impl Tally {
    fn judge(&mut self, told: &[f64], with_levels: bool, truth: &[f64], contract: &Contract) {
        let mut from = 0;
        for column in &contract.columns {
            let range = from..from + column.inputs();
            match column.kind {
                // What stands for a missing number is known to everybody.
                ColumnKind::Numeric { .. } if column.nullable && truth[from + 1] != 0.0 => {}
                ColumnKind::Numeric { .. } => {
                    self.numbers.0 += u32::from((told[from] - truth[from]).abs() <= CLOSE);
                    self.numbers.1 += 1;
                }
                ColumnKind::Categorical { .. } if with_levels => {
                    self.levels.0 += u32::from(largest(&told[range.clone()]) == largest(&truth[range]));
                    self.levels.1 += 1;
                }
                ColumnKind::Categorical { .. } => {}
            }
            from += column.inputs();
        }
    }

    fn read(&self) -> Read {
        let share = |(right, all): (u32, u32)| (all > 0).then(|| f64::from(right) / f64::from(all));
        Read { numbers: share(self.numbers), levels: share(self.levels) }
    }
}

fn largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best
}

/// In standard deviations.
const CLOSE: f64 = 0.1;
