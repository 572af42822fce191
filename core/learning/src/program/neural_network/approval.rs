//! Whether a question of local training is one that the approved job can lead to.

use super::question::{Control, NetworkQuestion};
use crate::job::Job;
use crate::optimiser::Optimiser;
use crate::program::ProgramError;

impl NetworkQuestion {
    /// Checks on the participant everything that does not depend on sums: layers, optimiser, rates, and of the first
    /// round the model itself, which follows from the job's seed and the count of training rows.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where the standardisation fits no
    /// table under the contract.
    pub fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let (contract, departs) = (&job.contract, |what| Err(ProgramError::NotApproved(what)));
        let Some(terms) = job.network() else { return departs("program") };
        let averaging = &terms.averaging;
        let is_first = self.training_round == 1;
        let count = self.network.parameters.len();
        if !(1..=job.rounds.count).contains(&self.training_round) {
            departs("round")
        } else if self.max_rows != contract.max_rows {
            departs("max_rows")
        } else if self.network.hidden != terms.hidden {
            departs("hidden layers")
        } else if self.network.embedding != terms.embedding {
            departs("vectors of levels")
        } else if self.network.packed != terms.packed
            || self.control.as_ref().is_some_and(|control| control.packed != terms.packed)
        {
            departs("how parameters are spelled")
        } else if !self.network.is_shaped_for(contract) {
            departs("number of weights")
        } else if self.local != averaging.local.in_round(self.training_round, terms.l2)
            || self.steps != averaging.steps
            || self.class_weights != averaging.class_weights
        {
            departs("local training")
        } else if self.proximal != averaging.optimiser.proximal()
            || self.control.is_some() != (averaging.optimiser == Optimiser::Scaffold)
        {
            departs("optimiser")
        } else if self.control.as_ref().is_some_and(|control| !control.is_of(is_first, count)) {
            departs("control variates")
        } else if self.training.positives == 0 || self.training.positives >= self.training.rows {
            departs("number of training rows")
        } else if is_first && self.network != terms.first(contract, terms.base_rate(self.training)) {
            departs("first model")
        } else {
            Ok(self.standardisation.check(contract)?)
        }
    }
}

impl Control {
    /// Whether it has the size that it has in the first round or after it.
    fn is_of(&self, is_first: bool, parameters: usize) -> bool {
        match is_first {
            true => self.is_empty(),
            false => self.at.len() == parameters && self.common.len() == parameters,
        }
    }
}
