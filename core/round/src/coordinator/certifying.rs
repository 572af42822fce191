//! Phase E, coordinator's half: t members sign the one survivor set.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::phase::too_few;
use super::{Duty, Phase, Revealing, Round, Submission};
use crate::cohort::Cohort;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Certify, Signed, Verified};
use crate::rejection::Rejection;
use crate::survivors::{Certificate, SurvivorSet, verify_certify};

/// Awaits t signatures over the survivor set.
#[derive(Clone, Debug)]
pub struct Certifying {
    pub(super) closes_at: Timestamp,
    pub(super) cohort: Arc<Cohort>,
    survivors: Arc<SurvivorSet>,
    submissions: Vec<Submission>,
    signatures: BTreeMap<ParticipantId, Verified<Certify>>,
}

impl Certifying {
    pub(super) fn new(
        cohort: Arc<Cohort>,
        survivors: Arc<SurvivorSet>,
        submissions: Vec<Submission>,
        closes_at: Timestamp,
    ) -> Self {
        Self { closes_at, cohort, survivors, submissions, signatures: BTreeMap::new() }
    }

    /// The frozen survivor set.
    pub fn survivors(&self) -> &SurvivorSet {
        &self.survivors
    }

    pub(super) fn awaits(&self, id: ParticipantId) -> bool {
        self.cohort.slot_of(id).is_ok() && !self.signatures.contains_key(&id)
    }

    pub(super) fn duty(&self) -> Duty {
        Duty::Certify(self.survivors.clone())
    }

    pub(super) fn certify(&self, round: &Round, now: Timestamp, signed: &Signed) -> Result<Phase, Rejection> {
        let certify = verify_certify(signed, &self.cohort, round.verifier(), &self.survivors)?;
        let mut next = self.clone();
        next.signatures.insert(signed.from, certify);
        if next.signatures.len() < usize::from(round.protection().threshold()) {
            return Ok(Phase::Certifying(next));
        }
        let signatures = next.signatures.values().cloned().collect();
        let survivors = (*self.survivors).clone();
        match Certificate::of(round.plan(), &self.cohort, survivors, signatures) {
            Ok(certificate) => {
                let closes_at = now.plus_millis(round.plan().terms.deadlines.reveal);
                let (cohort, submissions) = (self.cohort.clone(), self.submissions.clone());
                let certificate = Arc::new(certificate);
                Ok(Phase::Revealing(Revealing::new(round, cohort, certificate, submissions, closes_at)))
            }
            // All signatures are verified and in order, so it can only be that there are too few.
            Err(_) => Ok(Phase::Certifying(next)),
        }
    }

    pub(super) fn close(&self, round: &Round) -> Phase {
        let needed = round.protection().threshold();
        Phase::Abandoned(too_few("members signed the survivor set", self.signatures.len(), needed))
    }
}
