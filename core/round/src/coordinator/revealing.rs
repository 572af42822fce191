//! Phase F, coordinator's half: t sums of key shares open the one certified sum, or t promises never to reveal give
//! the attempt up.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::phase::too_few;
use super::{Abandoned, Duty, Opening, Phase, Round, Submission};
use crate::carrier::Carrier;
use crate::cohort::Cohort;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Reveal, Signed, Verified, Void};
use crate::rejection::Rejection;
use crate::survivors::{Certificate, verify_certify};
use crate::voids::{Voided, verify_void};

/// Awaits t reveals for the certified survivor set. The certificate is complete with the t-th signature; a
/// member that was slower signs the set here, so that it can step in for one that vanishes.
///
/// Where so many can no longer reveal that t will not come together, those who have not revealed are asked to promise
/// that they never will.
#[derive(Clone, Debug)]
pub struct Revealing {
    pub(super) closes_at: Timestamp,
    pub(super) cohort: Arc<Cohort>,
    pub(super) certificate: Arc<Certificate>,
    pub(super) submissions: Vec<Submission>,
    pub(super) reveals: BTreeMap<ParticipantId, Vec<u8>>,
    signers: BTreeSet<ParticipantId>,
    voids: BTreeMap<ParticipantId, Verified<Void>>,
    /// Reveals with which the sum is opened: t, or one more for shared vectors, and more once those were not enough.
    wanted: usize,
    /// Why the reveals so far open nothing.
    refused: Option<String>,
    /// Deadlines that have passed.
    waited: u32,
}

impl Revealing {
    pub(super) fn new(
        round: &Round,
        cohort: Arc<Cohort>,
        certificate: Arc<Certificate>,
        submissions: Vec<Submission>,
        closes_at: Timestamp,
    ) -> Self {
        let signers = certificate.signatures().iter().map(|signed| signed.from).collect();
        let threshold = usize::from(round.protection().threshold());
        // Of shared vectors one reveal more than the threshold tells whether one of them lies (attack A38).
        let wanted = match round.plan().carrier {
            Carrier::Shares => cohort.len().min(threshold + 1),
            Carrier::Ring => threshold,
        };
        Self {
            closes_at,
            cohort,
            certificate,
            submissions,
            reveals: BTreeMap::new(),
            signers,
            voids: BTreeMap::new(),
            wanted,
            refused: None,
            waited: 0,
        }
    }

    /// How many reveals are wanted now that fewer opened nothing; none as long as no sum was refused.
    pub fn wanted_again(&self) -> Option<usize> {
        self.refused.is_some().then_some(self.wanted)
    }

    pub(super) fn awaits(&self, round: &Round, id: ParticipantId) -> bool {
        let has_spoken = self.reveals.contains_key(&id) || self.voids.contains_key(&id);
        if has_spoken || self.cohort.slot_of(id).is_err() {
            return false;
        }
        match self.can_be_opened(round) {
            true => !round.declined().contains_key(&id),
            // Who can no longer reveal can still promise not to.
            false => self.can_be_voided(round),
        }
    }

    pub(super) fn duty_of(&self, round: &Round, id: ParticipantId) -> Duty {
        match (self.can_be_opened(round), self.signers.contains(&id)) {
            (false, _) => Duty::Void(self.cohort.clone()),
            (true, true) => Duty::Reveal(self.certificate.clone()),
            (true, false) => Duty::Certify(Arc::new(self.certificate.survivors().clone())),
        }
    }

    pub(super) fn certify(&self, round: &Round, signed: &Signed) -> Result<Phase, Rejection> {
        verify_certify(signed, &self.cohort, round.verifier(), self.certificate.survivors())?;
        let mut next = self.clone();
        next.signers.insert(signed.from);
        Ok(Phase::Revealing(next))
    }

    pub(super) fn reveal(&self, round: &Round, signed: &Signed) -> Result<Phase, Rejection> {
        let reveal: Reveal = round.verifier().verify(signed, self.cohort.context())?;
        self.cohort.slot_of(reveal.id)?;
        if reveal.survivors != self.certificate.survivors().digest() {
            return Err(Rejection::Mismatch("survivor set"));
        }
        if self.voids.contains_key(&reveal.id) {
            return Err(Rejection::Equivocated { from: reveal.id });
        }
        let mut next = self.clone();
        next.reveals.insert(reveal.id, reveal.share_sum);
        if next.reveals.len() < next.wanted {
            return Ok(Phase::Revealing(next));
        }
        Ok(Phase::Opening(Opening(next)))
    }

    pub(super) fn void(&self, round: &Round, signed: &Signed) -> Result<Phase, Rejection> {
        let plan = round.plan();
        let void = verify_void(signed, plan.id, self.cohort.context(), round.verifier())?;
        self.cohort.slot_of(signed.from)?;
        if self.reveals.contains_key(&signed.from) {
            return Err(Rejection::Equivocated { from: signed.from });
        }
        let mut next = self.clone();
        next.voids.insert(signed.from, void);
        let voids = next.voids.values().cloned().collect();
        let context = self.cohort.context();
        match Voided::of(plan.id, context, &plan.terms.protection, &plan.terms.admitted, voids) {
            Ok(voided) => Ok(Phase::Abandoned(Abandoned::Voided(voided))),
            // All promises are verified and in order, so there are too few as yet.
            Err(_) => Ok(Phase::Revealing(next)),
        }
    }

    /// Where one reveal more than t was hoped for and does not come, t open the sum; what is closed then is unchecked.
    ///
    /// Someone may have revealed, so this attempt can only be completed or voided (docs/protocol.md, rule 11): it waits
    /// while either is possible, ten times as long as the plan says.
    pub(super) fn close(&self, round: &Round, now: Timestamp) -> Phase {
        if self.refused.is_none() && self.reveals.len() >= round.protection().threshold().into() {
            return Phase::Opening(Opening(self.clone()));
        }
        let has_hope = self.can_be_opened(round) || self.can_be_voided(round);
        if has_hope && self.waited + 1 < PATIENCE {
            let closes_at = now.plus_millis(round.plan().terms.deadlines.reveal);
            return Phase::Revealing(Self { closes_at, waited: self.waited + 1, ..self.clone() });
        }
        match &self.refused {
            Some(reason) => Phase::Abandoned(Abandoned::SumRefused(reason.clone())),
            None => {
                let needed = round.protection().threshold();
                Phase::Abandoned(too_few("members revealed", self.reveals.len(), needed))
            }
        }
    }

    /// The same phase, until another member has revealed; over where nobody is left who could.
    pub(super) fn again(&self, round: &Round, now: Timestamp, reason: &str) -> Phase {
        let closes_at = now.plus_millis(round.plan().terms.deadlines.reveal);
        let wanted = self.reveals.len() + 1;
        let again = Self { closes_at, wanted, refused: Some(reason.into()), waited: 0, ..self.clone() };
        if again.can_be_opened(round) { Phase::Revealing(again) } else { again.close(round, now) }
    }

    /// Whether as many as it takes have revealed or still can: t at first, and one more after each refusal.
    fn can_be_opened(&self, round: &Round) -> bool {
        let gave_up = |id: &ParticipantId| round.declined().contains_key(id) || self.voids.contains_key(id);
        let possible = self.cohort.ids().iter().filter(|id| self.reveals.contains_key(id) || !gave_up(id));
        let least = if self.refused.is_none() { round.protection().threshold().into() } else { self.wanted };
        possible.count() >= least
    }

    /// Whether enough have not revealed to void the attempt.
    fn can_be_voided(&self, round: &Round) -> bool {
        self.cohort.len() - self.reveals.len() >= round.protection().threshold().into()
    }
}

/// Deadlines of the phase that pass before a round is given up whose sum may have been opened.
const PATIENCE: u32 = 10;
