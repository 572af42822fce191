//! What the first sum says: how many rows there are of each class, where they are, and which columns tell the classes apart.
//!
//! All of it is worked out from noisy counts, and decides nothing but how splits are drawn and the log-odds before the first tree.
//! Whoever has the question works out the same.

use serde::{Deserialize, Serialize};

use super::super::cells::even_bins;
use super::share;
use crate::contract::{ColumnKind, Contract};

/// The first sum, as it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// Rows in each bin of each column, to the whole row: the negative ones of all columns, then the positive ones.
    pub rows: Vec<i32>,
    /// Institutions in the sum, each with its noise.
    pub institutions: u16,
}

/// How splits are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    base: f64,
    /// For each column, how probable it and those before it are.
    pub(super) columns: Vec<f64>,
    /// Of each column.
    pub(super) cuts: Vec<Cuts>,
}

/// Where a column is cut.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cuts {
    /// Bins in the order in which they are cut: as numbers stand, or levels by the share of positives.
    pub(super) order: Vec<u16>,
    /// For each of them, the share of the rows that is in it or in one before it.
    pub(super) reached: Vec<f64>,
    /// Whether the order is that of numbers.
    pub(super) is_numeric: bool,
    /// Whether missing values are in the first bin.
    pub(super) has_missing: bool,
}

/// Noisy counts of one column, in rows.
struct Counts {
    negative: Vec<f64>,
    positive: Vec<f64>,
}

/// The shares of a whole.
#[derive(Clone, Copy)]
struct Rate {
    /// Of positives.
    positive: f64,
    /// One deviation of the noise in a count, in rows.
    noise: f64,
}

impl Plan {
    /// What a first sum of rows under `contract` says, which fits it, with noise of this variance from each institution.
    pub(super) fn of(contract: &Contract, bins: u32, survey: &Survey, variance: u64) -> Self {
        let columns = counts(contract, bins, survey);
        let noise = libm::sqrt(f64::from(survey.institutions) * variance as f64)
            / share(contract.columns.len() as u32) as f64;
        let positive = share_of_positives(&columns, noise);
        let rate = Rate { positive, noise };
        let worth: Vec<f64> = columns.iter().map(|counts| counts.worth(rate)).collect();
        let cuts = contract.columns.iter().zip(&columns).map(|(column, counts)| {
            let is_numeric = matches!(column.kind, ColumnKind::Numeric { .. });
            let order = counts.order(is_numeric, rate);
            let reached = reached(order.iter().map(|&bin| counts.mass(bin.into(), noise)).collect());
            Cuts { order, reached, is_numeric, has_missing: is_numeric && column.nullable }
        });
        Self {
            base: libm::log(positive / (1.0 - positive)),
            cuts: cuts.collect(),
            columns: reached(probabilities(&columns, &worth)),
        }
    }

    /// Log-odds before the first tree.
    pub(super) fn base(&self) -> f64 {
        self.base
    }
}

impl Counts {
    /// Rows of a bin.
    fn rows(&self, bin: usize) -> f64 {
        self.negative[bin] + self.positive[bin]
    }

    /// Rows of a bin beyond what noise makes of none.
    fn mass(&self, bin: usize, noise: f64) -> f64 {
        (self.rows(bin) - noise * std::f64::consts::SQRT_2).max(0.0)
    }

    /// Gradient and Hessian of a bin, where every row is given the share of all.
    fn slope(&self, bin: usize, rate: Rate) -> (f64, f64) {
        let slope = self.positive[bin] - rate.positive * self.rows(bin);
        (slope, rate.hessian() * self.rows(bin).max(0.0))
    }

    /// How much the column's bins explain, beyond what noise seems to.
    fn worth(&self, rate: Rate) -> f64 {
        let noise = rate.of_a_slope();
        let bins = (0..self.negative.len()).filter(|&bin| self.rows(bin) > 2.0 * rate.noise);
        let explained = bins.map(|bin| {
            let (slope, hessian) = self.slope(bin, rate);
            (slope * slope - noise * noise) / (hessian + noise / 2.0 + 1.0)
        });
        explained.sum::<f64>().max(0.0)
    }

    /// The bins in the order of cuts. Levels of few rows are in the middle.
    fn order(&self, is_numeric: bool, rate: Rate) -> Vec<u16> {
        let mut order: Vec<u16> = (0..self.negative.len() as u16).collect();
        if !is_numeric {
            let noise = rate.of_a_slope();
            let effect = |bin: u16| {
                let (slope, hessian) = self.slope(bin.into(), rate);
                slope / (hessian + noise * noise / (hessian.max(1.0) * USUAL_EFFECT) + FEW)
            };
            order.sort_by(|&a, &b| effect(a).total_cmp(&effect(b)));
        }
        order
    }
}

impl Rate {
    /// Hessian of a row.
    fn hessian(self) -> f64 {
        self.positive * (1.0 - self.positive)
    }

    /// One deviation of the noise in the gradient of a bin.
    fn of_a_slope(self) -> f64 {
        let negative = 1.0 - self.positive;
        self.noise * libm::sqrt(negative * negative + self.positive * self.positive)
    }
}

/// Bins of all columns together.
pub(super) fn bins(contract: &Contract, of_numbers: u32) -> usize {
    even_bins(contract, of_numbers).widths(contract).iter().sum()
}

/// Entries of the first sum.
pub(super) fn entries(contract: &Contract, of_numbers: u32) -> u64 {
    2 * bins(contract, of_numbers) as u64
}

/// The counts of each column.
fn counts(contract: &Contract, bins: u32, survey: &Survey) -> Vec<Counts> {
    let (mut negative, mut positive) = survey.rows.split_at(survey.rows.len() / 2);
    let mut of_column = |width: usize| {
        let [negative, positive] = [&mut negative, &mut positive].map(|rest| {
            let (bins, others) = rest.split_at(width.min(rest.len()));
            *rest = others;
            bins.iter().map(|&rows| f64::from(rows)).collect()
        });
        Counts { negative, positive }
    };
    even_bins(contract, bins).widths(contract).into_iter().map(&mut of_column).collect()
}

/// The share of positives: the mean of what all columns say, drawn to one half as far as noise could be all of it.
fn share_of_positives(columns: &[Counts], noise: f64) -> f64 {
    let number = columns.len().max(1) as f64;
    let total = |of: fn(&Counts) -> &Vec<f64>| columns.iter().flat_map(of).sum::<f64>() / number;
    let (negatives, positives) = (total(|counts| &counts.negative), total(|counts| &counts.positive));
    let bins: usize = columns.iter().map(|counts| counts.negative.len()).sum();
    let unsure = 1.0 + noise * libm::sqrt(bins as f64) / number;
    (positives.max(0.0) + unsure / 2.0) / (positives.max(0.0) + negatives.max(0.0) + unsure)
}

/// How probable each column is: half of all draws are by what columns explain, the others take any.
fn probabilities(columns: &[Counts], worth: &[f64]) -> Vec<f64> {
    let (all, total) = (columns.len() as f64, worth.iter().sum::<f64>());
    let of_column = |(counts, worth): (&Counts, &f64)| match counts.negative.len() {
        // Nothing to cut.
        0 | 1 => 0.0,
        _ if total > 0.0 => 0.5 * worth / total + 0.5 / all,
        _ => 1.0 / all,
    };
    columns.iter().zip(worth).map(of_column).collect()
}

/// For each weight, the share of all that it and those before it have; all alike where there is none.
fn reached(mut weights: Vec<f64>) -> Vec<f64> {
    if weights.iter().sum::<f64>() <= 0.0 {
        weights.fill(1.0);
    }
    let total: f64 = weights.iter().sum();
    let mut before = 0.0;
    weights
        .iter()
        .map(|weight| {
            before += weight;
            before / total
        })
        .collect()
}

/// The square of how far levels of a column usually are apart, in log-odds.
const USUAL_EFFECT: f64 = 0.25;
/// Hessian of rows that say nothing yet of a level.
const FEW: f64 = 5.0;
