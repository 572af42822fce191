//! Phase A, coordinator's half: one-time keys come in, the cohort is fixed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::course::Course;
use super::phase::too_few;
use super::preparing::Onward;
use super::{Preparing, Sharing};
use crate::cohort::Cohort;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Advertise, Signed, Verified};
use crate::rejection::Rejection;

/// Awaits the advertisements of the admitted.
#[derive(Clone, Debug)]
pub struct Advertising {
    pub(super) closes_at: Timestamp,
    adverts: BTreeMap<ParticipantId, Verified<Advertise>>,
}

impl Advertising {
    pub(super) fn new(closes_at: Timestamp) -> Self {
        Self { closes_at, adverts: BTreeMap::new() }
    }

    pub(super) fn awaits(&self, id: ParticipantId) -> bool {
        !self.adverts.contains_key(&id)
    }

    pub(super) fn advertise(
        &self,
        course: &Course,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Self, Rejection> {
        if now >= self.closes_at {
            return Err(Rejection::Late);
        }
        course.require_admitted(signed.from)?;
        let advert = signed.verified(course.context(), course.verifier())?;
        let mut next = self.clone();
        next.adverts.insert(signed.from, advert);
        Ok(next)
    }

    pub(super) fn close(&self, course: &Course, now: Timestamp) -> Onward {
        let adverts = self.adverts.values().cloned().collect();
        let needed = course.protection().threshold();
        match Cohort::of(course.terms(), adverts) {
            Ok(cohort) => {
                let closes_at = now.plus_millis(course.sharing_millis());
                Onward::Preparing(Preparing::Sharing(Sharing::new(Arc::new(cohort), closes_at)))
            }
            // Every advertisement was verified when it came in, so the cohort can only be too small.
            Err(_) => Onward::Abandoned(too_few("participants advertised a key", self.adverts.len(), needed)),
        }
    }
}
