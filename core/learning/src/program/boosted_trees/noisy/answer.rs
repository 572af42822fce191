//! The participant half: exact sums in whole steps, then noise.

use std::borrow::Borrow;

use rand_core::CryptoRng;
use syndic_round::Contribution;

use super::super::answer::PreparedTable;
use super::question::NoisyTreesQuestion;
use super::{HESSIAN_SCALE, share};
use crate::metrics::logistic;
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::program::ProgramError;
use crate::table::Table;

impl<T: Borrow<Table>> PreparedTable<T> {
    /// The values that this table adds to the sum, with noise that is drawn anew.
    ///
    /// # Errors
    /// When the question makes no sense for this table.
    pub(in crate::program) fn noisy_trees(
        &mut self,
        question: &NoisyTreesQuestion,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        let steps = self.exact(question)?;
        let undrawable = |_| ProgramError::BadQuestion("its noise cannot be drawn".into());
        let noise =
            IntegerNoise::Gaussian { variance: Ratio::new(question.variance, 1).map_err(undrawable)? };
        let noised = steps.into_iter().map(|step| step.saturating_add(noise.draw(rng)) as f64).collect();
        Ok(Contribution::new(question.layout()?, noised)?)
    }

    /// The sums before noise, in steps. Not to leave the institution.
    fn exact(&mut self, question: &NoisyTreesQuestion) -> Result<Vec<i64>, ProgramError> {
        let contract = self.table().contract().clone();
        question.check(&contract)?;
        let (ensemble, trees) = (question.ensemble(&contract), question.asked(&contract));
        let widths = ensemble.bins.widths(&contract);
        let mut sums = vec![0; question.layout()?.len()];
        let half = sums.len() / 2;
        let rows = self.under(&ensemble)?;
        if question.survey.is_none() {
            let row = share(question.columns);
            for (bins, _, label) in rows {
                let mut start = usize::from(label) * half;
                for (&bin, width) in bins.iter().zip(&widths) {
                    sums[start + usize::from(bin)] += row;
                    start += width;
                }
            }
            return Ok(sums);
        }
        let (unit, leaves) = (share(question.draws.trees_per_round), question.draws.leaves_of_a_tree());
        for (bins, log_odds, label) in rows {
            let [gradient, hessian] = steps_of_row(logistic(log_odds), label, unit);
            for (number, tree) in trees.iter().enumerate() {
                // The splits of a complete tree stand before its leaves.
                let leaf = number * leaves + tree.place_of(bins) + 1 - leaves;
                sums[leaf] += gradient;
                sums[half + leaf] += hessian;
            }
        }
        Ok(sums)
    }
}

/// The sums of a table before noise, in steps. Not to leave the institution.
pub(crate) fn exact(question: &NoisyTreesQuestion, table: &Table) -> Result<Vec<i64>, ProgramError> {
    PreparedTable::new(table).exact(question)
}

/// Gradient and Hessian of a row in steps, in L2 no longer than `unit`: what it adds to one leaf of each tree.
pub(super) fn steps_of_row(probability: f64, label: bool, unit: i64) -> [i64; 2] {
    let gradient = probability - f64::from(u8::from(label));
    let hessian = HESSIAN_SCALE * probability * (1.0 - probability);
    // Cut towards zero, which makes nothing longer.
    let steps = |value: f64| ((value * unit as f64) as i64).clamp(-unit, unit);
    let [mut gradient, mut hessian] = [steps(gradient), steps(hessian)];
    // Floating numbers may have made it longer by a step or so.
    while gradient * gradient + hessian * hessian > unit * unit {
        match hessian {
            1.. => hessian -= 1,
            _ => gradient -= gradient.signum(),
        }
    }
    [gradient, hessian]
}
