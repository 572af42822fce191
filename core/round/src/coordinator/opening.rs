//! Enough is revealed: the coordinator's own work.

use super::{Phase, Revealing, Round, Submission};
use crate::cohort::Cohort;
use crate::ids::{ParticipantId, Timestamp};
use crate::plan::RoundPlan;
use crate::survivors::Certificate;
use crate::transcript::Transcript;

/// What opens the sum.
#[derive(Clone, Debug)]
pub struct Opening(pub(super) Revealing);

impl Opening {
    /// The cohort.
    pub fn cohort(&self) -> &Cohort {
        &self.0.cohort
    }

    /// The certified survivors.
    pub fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// Their uploads, in the order of ids.
    pub fn submissions(&self) -> &[Submission] {
        &self.0.submissions
    }

    /// (sender, sum of shares), t of them or more.
    pub fn reveals(&self) -> impl ExactSizeIterator<Item = (ParticipantId, &[u8])> {
        self.0.reveals.iter().map(|(id, share_sum)| (*id, share_sum.as_slice()))
    }

    /// What the participants of the round with `plan` signed.
    pub fn transcript(&self, plan: &RoundPlan) -> Transcript {
        let (cohort, certificate) = (self.0.cohort.clone(), self.0.certificate.clone());
        Transcript { plan: plan.clone(), cohort, certificate }
    }

    /// The reveals so far open nothing: one more is awaited.
    pub(super) fn more(&self, round: &Round, now: Timestamp, reason: &str) -> Phase {
        self.0.again(round, now, reason)
    }
}
