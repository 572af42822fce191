//! Carlini, Chien, Nasr, Song, Terzis, Tramèr, "Membership inference attacks from first principles", S&P 2022.
//!
//! A model's confidence in a row, as log-odds, is about normal over models that were trained with it, and over those that
//! were not. For each row both are fitted from the other games (section V). Offline looks how far the confidence lies above that of models
//! without the row; online at the ratio of both densities. "Lite": with few models a row's variance is drawn to that of all rows
//! (the paper takes the latter alone), as if `PRIOR` more models had shown it.

use super::figures::Verdict;
use super::game::Played;

/// Which densities are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// That of models without the row alone.
    Offline,
    /// Of models with it to those without it.
    Online,
}

/// Verdicts on every row of every game.
pub fn verdicts(played: &Played, variant: Variant) -> Vec<Vec<Verdict>> {
    let confidences: Vec<Vec<f64>> = (0..played.games())
        .map(|game| (0..played.rows()).map(|row| played.confidence(game, row)).collect())
        .collect();
    let overall = [false, true].map(|member| overall_variance(&confidences, &played.members, member));
    let verdict = |game: usize, row: usize| {
        let confidence = confidences[game][row];
        let fit = |member: bool| {
            let others = (0..confidences.len()).filter(|&other| other != game);
            let shown = others.filter(|&other| played.members[other][row] == member);
            Normal::fit(shown.map(|other| confidences[other][row]), overall[usize::from(member)])
        };
        // Where no other model shows the row, nothing is known of it.
        let score = match (variant, fit(false)) {
            (Variant::Offline, without) => without.map(|without| without.deviations(confidence)),
            (Variant::Online, without) => without
                .zip(fit(true))
                .map(|(without, with)| with.log_density(confidence) - without.log_density(confidence)),
        };
        (score.unwrap_or(0.0), played.members[game][row])
    };
    (0..played.games()).map(|game| (0..played.rows()).map(|row| verdict(game, row)).collect()).collect()
}

/// The mean variance of a row's confidence over models with it, or without it.
fn overall_variance(confidences: &[Vec<f64>], members: &[Vec<bool>], member: bool) -> f64 {
    let rows = confidences.first().map_or(0, Vec::len);
    let (mut squares, mut degrees) = (0.0, 0.0);
    for row in 0..rows {
        let shown = || {
            let games = confidences.iter().zip(members).filter(|(_, members)| members[row] == member);
            games.map(|(confidences, _)| confidences[row])
        };
        let count = shown().count() as f64;
        if count > 1.0 {
            let mean = shown().sum::<f64>() / count;
            squares += shown().map(|value| (value - mean) * (value - mean)).sum::<f64>();
            degrees += count - 1.0;
        }
    }
    (squares / f64::max(degrees, 1.0)).max(SMALLEST_VARIANCE)
}

/// A normal distribution.
#[derive(Clone, Copy, Debug)]
struct Normal {
    mean: f64,
    variance: f64,
}

impl Normal {
    fn fit(values: impl Iterator<Item = f64> + Clone, overall: f64) -> Option<Self> {
        let count = values.clone().count() as f64;
        if count == 0.0 {
            return None;
        }
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
        Some(Self { mean, variance: (PRIOR * overall + squares) / (PRIOR + count - 1.0) })
    }

    fn deviations(self, value: f64) -> f64 {
        (value - self.mean) / libm::sqrt(self.variance)
    }

    fn log_density(self, value: f64) -> f64 {
        let deviations = self.deviations(value);
        -0.5 * (deviations * deviations + libm::log(self.variance))
    }
}

/// How many models the variance of all rows counts for.
const PRIOR: f64 = 8.0;
/// So that models that all say the same divide nothing by zero.
const SMALLEST_VARIANCE: f64 = 1e-12;
