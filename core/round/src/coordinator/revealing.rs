//! Phase F, coordinator's half: t sums of key shares open the one certified sum.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::phase::too_few;
use super::{Duty, Opening, Phase, Round, Submission};
use crate::cohort::Cohort;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Reveal, Signed};
use crate::rejection::Rejection;
use crate::survivors::{Certificate, verify_certify};

/// Awaits t reveals for the certified survivor set. The certificate is complete with the t-th signature; a
/// member that was slower signs the set here, so that it can step in for one that vanishes.
#[derive(Clone, Debug)]
pub struct Revealing {
    pub(super) closes_at: Timestamp,
    pub(super) cohort: Arc<Cohort>,
    certificate: Arc<Certificate>,
    submissions: Vec<Submission>,
    signers: BTreeSet<ParticipantId>,
    reveals: BTreeMap<ParticipantId, Vec<u8>>,
    /// Deadlines that have passed.
    waited: u32,
}

impl Revealing {
    pub(super) fn new(
        cohort: Arc<Cohort>,
        certificate: Arc<Certificate>,
        submissions: Vec<Submission>,
        closes_at: Timestamp,
    ) -> Self {
        let signers = certificate.signatures().iter().map(|signed| signed.from).collect();
        Self { closes_at, cohort, certificate, submissions, signers, reveals: BTreeMap::new(), waited: 0 }
    }

    pub(super) fn duty_of(&self, id: ParticipantId) -> Option<Duty> {
        let owes = self.cohort.slot_of(id).is_ok() && !self.reveals.contains_key(&id);
        owes.then(|| match self.signers.contains(&id) {
            true => Duty::Reveal(self.certificate.clone()),
            false => Duty::Certify(Arc::new(self.certificate.survivors().clone())),
        })
    }

    pub(super) fn certify(&self, round: &Round, signed: &Signed) -> Result<Phase, Rejection> {
        verify_certify(signed, &self.cohort, &round.terms.roster, self.certificate.survivors())?;
        let mut next = self.clone();
        next.signers.insert(signed.from);
        Ok(Phase::Revealing(next))
    }

    pub(super) fn reveal(&self, round: &Round, signed: &Signed) -> Result<Phase, Rejection> {
        let reveal: Reveal = signed.verify(self.cohort.context(), &round.terms.roster)?;
        self.cohort.slot_of(reveal.id)?;
        if reveal.survivors != self.certificate.survivors().digest() {
            return Err(Rejection::Mismatch("survivor set"));
        }
        let mut next = self.clone();
        next.reveals.insert(reveal.id, reveal.share_sum);
        if next.reveals.len() < usize::from(round.plan().protection.threshold()) {
            return Ok(Phase::Revealing(next));
        }
        Ok(Phase::Opening(Opening {
            cohort: next.cohort,
            certificate: next.certificate,
            submissions: next.submissions,
            reveals: next.reveals.into_iter().collect(),
        }))
    }

    /// Someone may have revealed, so this attempt can only be completed (docs/protocol.md, rule 11): it waits
    /// for the same set while enough members can still reveal, ten times as long as the plan says.
    pub(super) fn close(&self, round: &Round, now: Timestamp) -> Phase {
        let may_reveal =
            |id: &&ParticipantId| !round.declined.contains_key(id) || self.reveals.contains_key(id);
        let possible = self.cohort.ids().iter().filter(may_reveal).count();
        let threshold = usize::from(round.plan().protection.threshold());
        if possible >= threshold && self.waited + 1 < PATIENCE {
            let closes_at = now.plus_millis(round.plan().deadlines.reveal);
            return Phase::Revealing(Self { closes_at, waited: self.waited + 1, ..self.clone() });
        }
        too_few("members revealed", self.reveals.len(), round.plan().protection.threshold())
    }
}

/// Deadlines of the phase that pass before a round is given up whose sum may have been opened.
const PATIENCE: u32 = 10;
