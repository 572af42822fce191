//! Phase C, coordinator's half: verdicts over the shares come in, dealers become eligible to submit.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::course::Course;
use super::phase::too_few;
use super::preparing::Onward;
use super::{Dealt, Duty, Prepared};
use crate::cohort::Cohort;
use crate::eligibility::{Acks, verify_ack};
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Ack, Signed, Verified};
use crate::rejection::Rejection;

/// Awaits the acknowledgements of the cohort.
#[derive(Clone, Debug)]
pub struct Acknowledging {
    pub(super) closes_at: Timestamp,
    pub(super) cohort: Arc<Cohort>,
    dealt: Arc<Vec<Dealt>>,
    acks: BTreeMap<ParticipantId, Verified<Ack>>,
}

impl Acknowledging {
    pub(super) fn new(cohort: Arc<Cohort>, dealt: Vec<Dealt>, closes_at: Timestamp) -> Self {
        Self { closes_at, cohort, dealt: Arc::new(dealt), acks: BTreeMap::new() }
    }

    pub(super) fn awaits(&self, id: ParticipantId) -> bool {
        self.cohort.slot_of(id).is_ok() && !self.acks.contains_key(&id)
    }

    pub(super) fn duty(&self) -> Duty {
        Duty::Acknowledge(self.cohort.clone(), self.dealt.to_vec())
    }

    pub(super) fn acknowledge(
        &self,
        course: &Course,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Self, Rejection> {
        if now >= self.closes_at {
            return Err(Rejection::Late);
        }
        let verified = verify_ack(signed, &self.cohort, course.verifier())?;
        let ack = verified.payload();
        let dealers = self.dealt.iter().map(|dealt| dealt.public.from);
        if !dealers.eq(ack.verdicts.iter().map(|verdict| verdict.dealer)) {
            return Err(Rejection::List("verdicts"));
        }
        let seen = ack.verdicts.iter().map(|verdict| verdict.dealing);
        if !seen.eq(self.dealt.iter().map(|dealt| dealt.public.digest())) {
            return Err(Rejection::Mismatch("public part of a dealer"));
        }
        let mut next = self.clone();
        next.acks.insert(ack.id, verified);
        Ok(next)
    }

    pub(super) fn close(&self, course: &Course) -> Onward {
        let protection = course.protection();
        let acks = self.acks.values().cloned().collect();
        // Every acknowledgement was verified when it came in, and the map keeps them in order.
        let acks = Acks::of(&self.cohort, acks).unwrap_or_default();
        let may_submit =
            |dealt: &&Dealt| acks.check(dealt.public.from, dealt.public.digest(), protection).is_ok();
        let (eligible, dealings): (Vec<_>, Vec<_>) = self
            .dealt
            .iter()
            .filter(may_submit)
            .map(|dealt| (dealt.public.from, dealt.public.digest()))
            .unzip();
        if eligible.len() < usize::from(protection.min_survivors()) {
            let needed = protection.min_survivors();
            return Onward::Abandoned(too_few("dealers acknowledged by enough", eligible.len(), needed));
        }
        Onward::Prepared(Prepared { cohort: self.cohort.clone(), eligible, dealings, acks: Arc::new(acks) })
    }
}
