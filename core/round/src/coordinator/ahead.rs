//! What a job has prepared ahead of its next round: the fold of its ledger that service, simulation and auditor share.

use alloc::sync::Arc;

use super::{Preparation, Round, Standing};
use crate::ids::{ParticipantId, Timestamp};
use crate::plan::RoundPlan;
use crate::protection::PlanError;
use crate::roster::SealedRoster;
use crate::terms::PreparationTerms;

/// At most one preparation, under way or ready, and what became of the last.
#[derive(Clone, Debug, Default)]
pub struct Ahead {
    preparation: Option<Preparation>,
    failed: bool,
    last: u64,
}

impl Ahead {
    /// The preparation made ahead of the next round.
    pub fn preparation(&self) -> Option<&Preparation> {
        self.preparation.as_ref()
    }

    /// The same, to replay what it heard.
    pub fn preparation_mut(&mut self) -> Option<&mut Preparation> {
        self.preparation.as_mut()
    }

    /// Number of the last preparation that was begun, ahead or by a round for itself; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether another may be begun: there is none, and none came to nothing while the round in progress lasts.
    pub fn may_begin(&self) -> bool {
        self.preparation.is_none() && !self.failed
    }

    /// A preparation was begun ahead, in which nobody waits for these, who are not there, until they speak.
    ///
    /// # Errors
    /// [`PlanError`] when the terms break a rule, or are not for this roster.
    pub fn begin(
        &mut self,
        terms: PreparationTerms,
        absent: &[ParticipantId],
        roster: Arc<SealedRoster>,
        now: Timestamp,
    ) -> Result<(), PlanError> {
        let number = terms.number;
        self.preparation = Some(Preparation::open(terms, roster, now)?.excusing(absent));
        self.last = number;
        Ok(())
    }

    /// It accepted an input, and stands so now. One that came to nothing is gone.
    pub fn advance(&mut self, next: Preparation) {
        self.failed = matches!(next.standing(), Standing::Abandoned(_));
        self.preparation = (!self.failed).then_some(next);
    }

    /// A round was opened, with the preparation made ahead where that is its plan's. One that does not serve this round
    /// serves none: numbers only grow. Nobody waits for these, who are not there, until they speak.
    ///
    /// # Errors
    /// [`PlanError`] when the plan breaks a rule, or is not for this roster.
    pub fn open(
        &mut self,
        plan: RoundPlan,
        absent: &[ParticipantId],
        roster: Arc<SealedRoster>,
        now: Timestamp,
    ) -> Result<Round, PlanError> {
        let number = plan.terms.number;
        let round = match self.preparation.take().filter(|made| made.terms().number == number) {
            Some(made) => Round::open_prepared(plan, &made, now)?,
            None => Round::open(plan, roster, now)?,
        };
        (self.failed, self.last) = (false, number);
        Ok(round.excusing(absent))
    }

    /// No further round follows: what was prepared is of no use.
    pub fn give_up(&mut self) {
        self.preparation = None;
    }
}
