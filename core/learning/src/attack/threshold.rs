//! Yeom, Giacomelli, Fredrikson, Jha, "Privacy risk in machine learning: analyzing the connection to overfitting", CSF 2018.
//!
//! Adversary 2: a row on which the model's loss is small is taken for a member, with one threshold for all rows.

use super::figures::Verdict;
use super::game::Played;
use crate::metrics::log_loss;

/// Verdicts on every row of every game.
pub fn verdicts(played: &Played) -> Vec<Vec<Verdict>> {
    let of_game = |(probabilities, members): (&Vec<f64>, &Vec<bool>)| {
        let rows = probabilities.iter().zip(&played.labels).zip(members);
        rows.map(|((&probability, &label), &member)| (-log_loss(probability, label), member)).collect()
    };
    played.probabilities.iter().zip(&played.members).map(of_game).collect()
}
