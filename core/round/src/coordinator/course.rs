//! What has been said so far: at most one message of each kind by each sender, and who declined.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;

use crate::carrier::Carrier;
use crate::cohort::Cohort;
use crate::digest::Digest;
use crate::ids::{ParticipantId, RoundId};
use crate::message::{Context, Decline, Kind, Signed};
use crate::protection::{PlanError, Protection};
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::terms::PreparationTerms;
use crate::verifier::{Signatures, Verifier};

/// The course of a preparation, and of the round that consumes it.
#[derive(Clone, Debug)]
pub(super) struct Course {
    fixed: Arc<Fixed>,
    /// Digest of the one message of each kind that each sender may have.
    heard: BTreeMap<(Kind, ParticipantId), Digest>,
    declined: BTreeMap<ParticipantId, String>,
    /// Whom nobody waits for until it speaks.
    excused: BTreeSet<ParticipantId>,
    /// Anything but the default only for as long as a step takes.
    signatures: Signatures,
}

/// What does not change.
#[derive(Debug)]
struct Fixed {
    terms: PreparationTerms,
    roster: Arc<SealedRoster>,
    /// What is shared: a key, or an update.
    carrier: Carrier,
}

impl Course {
    /// Nothing was said yet.
    pub(super) fn begin(
        terms: PreparationTerms,
        roster: Arc<SealedRoster>,
        carrier: Carrier,
    ) -> Result<Self, PlanError> {
        terms.check_against(&roster)?;
        let fixed = Arc::new(Fixed { terms, roster, carrier });
        Ok(Self {
            fixed,
            heard: BTreeMap::new(),
            declined: BTreeMap::new(),
            excused: BTreeSet::new(),
            signatures: Signatures::default(),
        })
    }

    pub(super) fn terms(&self) -> &PreparationTerms {
        &self.fixed.terms
    }

    pub(super) fn protection(&self) -> &Protection {
        &self.fixed.terms.protection
    }

    pub(super) fn verifier(&self) -> Verifier<'_> {
        Verifier::new(&self.fixed.roster, self.signatures)
    }

    /// Lets the next message be judged so.
    pub(super) fn judge(&mut self, signatures: Signatures) {
        self.signatures = signatures;
    }

    /// How long sharing may take: the local work comes before it where an update is shared.
    pub(super) fn sharing_millis(&self) -> u64 {
        match self.fixed.carrier {
            Carrier::Ring => self.terms().deadlines.share,
            Carrier::Shares => self.terms().deadlines.collect,
        }
    }

    /// How long collecting may take, which includes the local work unless that was done before.
    pub(super) fn collecting_millis(&self) -> u64 {
        match self.fixed.carrier {
            Carrier::Ring => self.terms().deadlines.collect,
            Carrier::Shares => self.terms().deadlines.share,
        }
    }

    pub(super) fn declined(&self) -> &BTreeMap<ParticipantId, String> {
        &self.declined
    }

    /// The same course in which nobody waits for these until they speak, and for nobody else any less.
    pub(super) fn excusing(mut self, excused: &[ParticipantId]) -> Self {
        self.excused = excused.iter().copied().collect();
        self
    }

    /// Whether nobody waits for `id`.
    pub(super) fn is_excused(&self, id: ParticipantId) -> bool {
        self.excused.contains(&id)
    }

    /// The context of signatures before there is a cohort.
    pub(super) fn context(&self) -> Context {
        Context { ctx0: self.terms().context(), h1: None }
    }

    pub(super) fn is_admitted(&self, id: ParticipantId) -> bool {
        self.terms().admitted.binary_search(&id).is_ok()
    }

    pub(super) fn require_admitted(&self, id: ParticipantId) -> Result<(), Rejection> {
        if self.is_admitted(id) { Ok(()) } else { Err(Rejection::NotInCohort(id)) }
    }

    /// Whether this very message was accepted before. Whoever can sign twice is heard once; the second is
    /// refused whatever it says.
    pub(super) fn is_known(
        &self,
        kind: Kind,
        signed: &Signed,
        cohort: Option<&Cohort>,
    ) -> Result<bool, Rejection> {
        match self.heard.get(&(kind, signed.from)) {
            Some(earlier) if *earlier == Digest::of(&signed.to_bytes()) => Ok(true),
            Some(_) => Err(self.equivocated(kind, signed, cohort)),
            None => Ok(false),
        }
    }

    /// Only a message with a valid signature is evidence; without one it is a stranger's noise.
    fn equivocated(&self, kind: Kind, signed: &Signed, cohort: Option<&Cohort>) -> Rejection {
        let from = signed.from;
        let context = match (kind, cohort) {
            (Kind::Advertise | Kind::Decline, _) => self.context(),
            (_, Some(cohort)) => cohort.context(),
            // Once all is over there is no cohort left to judge by.
            (_, None) => return Rejection::Over,
        };
        if signed.is_genuine(kind, context, &self.fixed.roster) {
            Rejection::Equivocated { from }
        } else {
            Rejection::BadSignature { from }
        }
    }

    /// The course once this message was accepted.
    pub(super) fn with(&self, kind: Kind, signed: &Signed) -> Self {
        let mut next = self.clone();
        next.heard.insert((kind, signed.from), Digest::of(&signed.to_bytes()));
        next.excused.remove(&signed.from);
        next
    }

    /// The course once this no to `place` was accepted.
    pub(super) fn with_decline(&self, place: RoundId, signed: &Signed) -> Result<Self, Rejection> {
        let decline: Decline = self.verifier().verify(signed, self.context())?;
        if decline.round != place {
            return Err(Rejection::Mismatch("round"));
        }
        self.require_admitted(decline.id)?;
        let mut next = self.with(Kind::Decline, signed);
        next.declined.insert(decline.id, decline.reason);
        Ok(next)
    }

    /// The last kind of message that was accepted from `id`.
    pub(super) fn last_heard(&self, id: ParticipantId) -> Option<Kind> {
        let kinds = [
            Kind::Void,
            Kind::Reveal,
            Kind::Certify,
            Kind::Header,
            Kind::Ack,
            Kind::Dealing,
            Kind::Advertise,
        ];
        kinds.into_iter().find(|kind| self.heard.contains_key(&(*kind, id)))
    }
}
