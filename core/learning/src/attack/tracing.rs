//! Who is in a sum, from the sum: what opened sums say of single rows.
//!
//! Homer and others, PLoS Genetics 4(8), 2008; Sankararaman and others, "Genomic privacy and limits of individual detection in a pool", Nature
//! Genetics 41, 2009; Dwork and others, "Robust traceability from trace amounts", FOCS 2015. The adversary knows all rows, and
//! so what each would add to a sum; it does not know which are in. A sum of half of them is about normal, with
//! a mean and a covariance that it can work out; the log-likelihood ratio of a row that adds g is g^T W (s - E s), with W the inverse of the
//! covariance, noise included (the Neyman-Pearson test). Verdicts of several rounds are added.
//!
//! Where institutions train by themselves an answer is not the sum of what its rows would answer alone, and the test is as good as
//! that comes near; the mean is then that of some tosses of the adversary's own. Of long sums [`ENTRIES`] entries are looked at. Both
//! make the figures smaller than they could be.

use std::ops::Range;

use rand_core::{CryptoRng, Rng};

use super::AttackError;
use super::figures::Verdict;
use super::game::Game;
use super::run::{Opened, resolutions};
use super::solve::whitened;
use crate::program::Program as _;
use crate::program::boosted_trees::noisy as noisy_trees;
use crate::program::logistic_regression::noisy;
use crate::program::neural_network::noisy_update;
use crate::program::question::Question;
use crate::program::run::JobRun;
use crate::table::Table;

/// Whose contributions are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The opened sums.
    Sums,
    /// One institution's updates, without encryption.
    UpdateOf(usize),
}

/// The log-likelihood ratio of each of `rows`, by what was opened in one game; `members` are those of the game.
///
/// # Errors
/// When a row alone cannot be asked what all were.
pub fn verdicts(
    game: &Game,
    opened: &[Opened],
    (rows, members): (&[usize], &[bool]),
    sight: Sight,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Verdict>, AttackError> {
    let tables: Vec<Table> =
        rows.iter().map(|&row| game.table_of(game.institution_of(row), &[row])).collect();
    let seen = match sight {
        Sight::Sums => 0..game.institutions(),
        Sight::UpdateOf(institution) => institution..institution + 1,
    };
    let candidates: usize = seen.clone().map(|institution| game.of(institution).len()).sum();
    let everybody = Everybody::new(game, seen.clone(), opened, rng);
    let mut scores = vec![0.0; rows.len()];
    for round in opened {
        let question = &round.question;
        let expected = everybody.mean(question, round.sum.len(), rng)?;
        let entries = looked_at(&expected);
        let told = match sight {
            Sight::Sums => &round.sum,
            Sight::UpdateOf(_) => &round.update,
        };
        let surprise: Vec<f64> = entries.iter().map(|&entry| told[entry] - expected[entry]).collect();
        let alone = tables
            .iter()
            .map(|table| {
                let answer = exact(question, table, rng)?;
                Ok(entries.iter().map(|&entry| answer[entry]).collect())
            })
            .collect::<Result<Vec<Vec<f64>>, AttackError>>()?;
        let noise = noise(question, seen.len(), &entries)?;
        // Each row is in with probability one half: a variance of one quarter. With samples it is in a sum less often, and what it
        // adds alone is its mean.
        let scale = HALF * (1.0 / share_of(question) - HALF) * candidates as f64;
        let weights = whitened(&alone, scale, &noise, &surprise);
        for (score, row) in scores.iter_mut().zip(&alone) {
            *score += row.iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f64>();
        }
    }
    Ok(scores.into_iter().zip(rows).map(|(score, &row)| (score, members[row])).collect())
}

/// The tables from which the mean of a sum is worked out.
struct Everybody {
    /// All rows of each institution.
    all: Vec<Table>,
    /// Those that are in by tosses of the adversary's own, where somebody trains by itself.
    tossed: Vec<Table>,
}

impl Everybody {
    fn new(game: &Game, seen: Range<usize>, opened: &[Opened], rng: &mut impl Rng) -> Self {
        let all = seen.clone().map(|institution| game.all_of(institution)).collect();
        let mut tossed = Vec::new();
        if opened.iter().any(|round| trains(&round.question)) {
            for _ in 0..TOSSES {
                let members = game.toss(rng);
                for institution in seen.clone() {
                    let rows: Vec<usize> = game.of(institution).filter(|&row| members[row]).collect();
                    tossed.push(game.table_of(institution, &rows));
                }
            }
        }
        Self { all, tossed }
    }

    /// The mean of a sum over the tosses of the coin.
    fn mean(
        &self,
        question: &Question,
        entries: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<f64>, AttackError> {
        let (tables, factor) = match trains(question) {
            true => (&self.tossed, 1.0 / f64::from(TOSSES)),
            false => (&self.all, HALF),
        };
        let mut mean = vec![0.0; entries];
        for table in tables {
            let answer = exact(question, table, rng)?;
            mean.iter_mut().zip(answer).for_each(|(sum, value)| *sum += factor * value);
        }
        Ok(mean)
    }
}

/// Whether institutions train by themselves, so that an answer is not the sum of its rows'.
fn trains(question: &Question) -> bool {
    matches!(question, Question::Train(_) | Question::Network(_) | Question::NoisyUpdate(_))
}

/// The probability with which a row that is there is in a sum.
fn share_of(question: &Question) -> f64 {
    match question {
        Question::Noisy(question) => question.sample.unwrap_or(1.0),
        _ => 1.0,
    }
}

/// What a table would contribute without noise, and of samples in the mean.
pub(super) fn exact(
    question: &Question,
    table: &Table,
    rng: &mut impl CryptoRng,
) -> Result<Vec<f64>, AttackError> {
    Ok(match question {
        Question::Noisy(question) => {
            let share = question.sample.unwrap_or(1.0);
            noisy::exact(question, table)?.into_iter().map(|step| share * step as f64).collect()
        }
        Question::NoisyUpdate(question) => {
            noisy_update::exact(question, table, rng)?.into_iter().map(|step| step as f64).collect()
        }
        Question::NoisyTrees(question) => {
            noisy_trees::exact(question, table)?.into_iter().map(|step| step as f64).collect()
        }
        Question::ScorecardNoisyCounts(question) => {
            question.exact(table)?.into_iter().map(|step| step as f64).collect()
        }
        Question::ScorecardNoisyWoe(question) => {
            let steps = noisy::exact(&question.gradient, &question.scaled(table)?)?;
            steps.into_iter().map(|step| step as f64).collect()
        }
        question => JobRun::answer(question, table, rng)?.values().to_vec(),
    })
}

/// Entries that anybody contributes to; of many, some that are equally far apart.
fn looked_at(expected: &[f64]) -> Vec<usize> {
    let present: Vec<usize> = (0..expected.len()).filter(|&entry| expected[entry] != 0.0).collect();
    if present.len() <= ENTRIES {
        return present;
    }
    (0..ENTRIES).map(|place| present[place * present.len() / ENTRIES]).collect()
}

/// The variance of what is added to these entries by so many institutions, beside what their rows say.
fn noise(question: &Question, institutions: usize, entries: &[usize]) -> Result<Vec<f64>, AttackError> {
    let drawn = match question {
        Question::Noisy(question) => question.variance as f64,
        Question::NoisyUpdate(question) => question.variance as f64,
        Question::NoisyTrees(question) => question.variance as f64,
        Question::ScorecardNoisyCounts(question) => question.variance as f64,
        Question::ScorecardNoisyWoe(question) => question.gradient.variance as f64,
        _ => 0.0,
    };
    let layout = question.layout()?;
    let resolutions: Vec<f64> = resolutions(&layout).collect();
    // Rounding up or down by chance adds a quarter of a squared step at most.
    let of_entry = |&entry: &usize| {
        institutions as f64 * resolutions[entry] * resolutions[entry] * (drawn + HALF * HALF)
    };
    Ok(entries.iter().map(of_entry).collect())
}

/// The chance of a row to be in.
const HALF: f64 = 0.5;
/// Tosses from which a mean is taken that no calculation gives.
const TOSSES: u32 = 4;
/// Entries of a sum that are looked at.
pub const ENTRIES: usize = 400;
