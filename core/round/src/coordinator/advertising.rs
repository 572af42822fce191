//! Phase A, coordinator's half: one-time keys come in, the cohort is fixed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::phase::too_few;
use super::{Duty, Phase, Round, Sharing};
use crate::cohort::Cohort;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Advertise, Signed};
use crate::rejection::Rejection;

/// Awaits the advertisements of the admitted.
#[derive(Clone, Debug)]
pub struct Advertising {
    pub(super) closes_at: Timestamp,
    adverts: BTreeMap<ParticipantId, Signed>,
}

impl Advertising {
    pub(super) fn new(closes_at: Timestamp) -> Self {
        Self { closes_at, adverts: BTreeMap::new() }
    }

    pub(super) fn duty_of(&self, id: ParticipantId) -> Option<Duty> {
        (!self.adverts.contains_key(&id)).then_some(Duty::Advertise)
    }

    pub(super) fn advertise(
        &self,
        round: &Round,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Phase, Rejection> {
        if now >= self.closes_at {
            return Err(Rejection::Late);
        }
        round.require_admitted(signed.from)?;
        let advert: Advertise = signed.verify(round.context(), &round.terms.roster)?;
        let mut next = self.clone();
        next.adverts.insert(advert.id, signed.clone());
        Ok(round.or_close(now, Phase::Advertising(next)))
    }

    pub(super) fn close(&self, round: &Round, now: Timestamp) -> Phase {
        let adverts = self.adverts.values().cloned().collect();
        let needed = round.plan().protection.threshold();
        match Cohort::assemble(round.plan(), &round.terms.roster, adverts) {
            Ok(cohort) => {
                let closes_at = now.plus_millis(round.plan().deadlines.share);
                Phase::Sharing(Sharing::new(Arc::new(cohort), closes_at))
            }
            // Every advertisement was verified when it came in, so the cohort can only be too small.
            Err(_) => too_few("participants advertised a key", self.adverts.len(), needed),
        }
    }
}
