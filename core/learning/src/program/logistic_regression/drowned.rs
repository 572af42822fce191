//! How many rows it takes for noise not to drown what is learnt from them.
//!
//! In one sum of T the noise of n institutions has a length of sqrt(d n v) steps, with v the variance of each in each of d slopes;
//! over all sums it averages to that by sqrt(T). R rows have gradients that add up to at most R times the longest that one may be,
//! and to a share of that as long as they tell anything: the mean gradient of a model that says the same of every row is about a
//! tenth of it, and later ones are shorter. Where the noise is the longer of the two, its direction is that of the steps.

use crate::job::Job;
use crate::program::noisy_model::NoisyModel;
use crate::program::noisy_sum::LONGEST;

impl Job {
    /// Training rows of so many institutions together, below which the job's noise is longer than what their rows say in all its
    /// rounds; none where no noise is added.
    pub fn rows_drowned(&self, institutions: u16) -> Option<u64> {
        let slopes = match (self.random_trees(), self.noisy_scorecard()) {
            (Some(terms), _) => terms.slopes_of_a_sum(),
            (None, Some(_)) => self.contract.columns.len() as f64 + 1.0,
            (None, None) => NoisyModel::parameters_of(&self.program, &self.contract)? as f64,
        };
        let calibration = self.calibration().ok().flatten()?;
        let each_sum = libm::sqrt(slopes * f64::from(institutions) * calibration.variance as f64);
        let averaged = each_sum / libm::sqrt(f64::from(self.rounds.count));
        // Of samples a sum has so large a share of what all rows say.
        let averaged = averaged / calibration.rate();
        Some(libm::ceil(averaged / (TELLING * LONGEST as f64)) as u64)
    }
}

/// The mean gradient, in the longest that one row may have, of a model that says the same of every row.
const TELLING: f64 = 0.1;
