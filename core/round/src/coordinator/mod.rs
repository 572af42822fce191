//! The coordinator's half of a round: a state machine that is the fold of its inputs.
//!
//! [`Round::step`] decides and changes nothing: it returns the round as it will be, or a [`Rejection`].
//! What is owed next ([`Round::duty_of`], [`Round::command`], [`Round::wake_at`]) follows from the state
//! alone, so a coordinator that restarts replays the inputs and goes on.

mod acknowledging;
mod advertising;
mod certifying;
mod collecting;
mod input;
mod opening;
mod phase;
mod revealing;
mod sharing;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use crate::digest::Digest;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Context, Decline, Header, Kind, Signed};
use crate::plan::RoundPlan;
use crate::protection::PlanError;
use crate::rejection::Rejection;
use crate::roster::SealedRoster;

pub use acknowledging::Acknowledging;
pub use advertising::Advertising;
pub use certifying::Certifying;
pub use collecting::{Collecting, Submission};
pub use input::{Duty, Input, Opened, Upload};
pub use opening::Opening;
pub use phase::{Abandoned, Closed, Phase};
pub use revealing::Revealing;
pub use sharing::{Bundle, Dealt, Sharing};

/// One attempt at one round.
#[derive(Clone, Debug)]
pub struct Round {
    terms: Arc<Terms>,
    /// Digest of the one message of each kind that each sender may have.
    heard: BTreeMap<(Kind, ParticipantId), Digest>,
    declined: BTreeMap<ParticipantId, String>,
    phase: Phase,
}

/// What does not change during a round.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) plan: RoundPlan,
    pub(crate) roster: Arc<SealedRoster>,
}

/// A step's outcome: the round as it will be once the input is stored.
#[derive(Clone, Debug)]
pub struct Step {
    /// The round after the input.
    pub next: Round,
    /// Whether the input changed anything; one that did not need not be stored.
    pub changed: bool,
}

impl Round {
    /// Opens a round.
    ///
    /// # Errors
    /// [`PlanError`] when the plan is not for this roster.
    pub fn open(plan: RoundPlan, roster: Arc<SealedRoster>, now: Timestamp) -> Result<Self, PlanError> {
        let plan = plan.checked()?;
        if plan.roster != roster.digest() || plan.federation != roster.roster().federation {
            return Err(PlanError::Roster);
        }
        if plan.admitted.iter().any(|id| roster.member(*id).is_none()) {
            return Err(PlanError::Admitted);
        }
        let phase = Phase::Advertising(Advertising::new(now.plus_millis(plan.deadlines.advertise)));
        let terms = Arc::new(Terms { plan, roster });
        Ok(Self { terms, heard: BTreeMap::new(), declined: BTreeMap::new(), phase })
    }

    /// The plan.
    pub fn plan(&self) -> &RoundPlan {
        &self.terms.plan
    }

    /// Where the round stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Who declined, with the reason given.
    pub fn declined(&self) -> &BTreeMap<ParticipantId, String> {
        &self.declined
    }

    /// When the current phase ends at the latest; none once the round is over or the sum being opened.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Advertising(phase) => Some(phase.closes_at),
            Phase::Sharing(phase) => Some(phase.closes_at),
            Phase::Acknowledging(phase) => Some(phase.closes_at),
            Phase::Collecting(phase) => Some(phase.closes_at),
            Phase::Certifying(phase) => Some(phase.closes_at),
            Phase::Revealing(phase) => Some(phase.closes_at),
            Phase::Opening(_) | Phase::Closed(_) | Phase::Abandoned(_) => None,
        }
    }

    /// The work that the coordinator itself owes: opening the sum.
    pub fn command(&self) -> Option<&Opening> {
        match &self.phase {
            Phase::Opening(opening) => Some(opening),
            _ => None,
        }
    }

    /// What `id` owes the round now, if anything.
    pub fn duty_of(&self, id: ParticipantId) -> Option<Duty> {
        if self.plan().admitted.binary_search(&id).is_err() {
            return None;
        }
        match &self.phase {
            // Who can no longer reveal can still promise not to.
            Phase::Revealing(phase) => phase.duty_of(self, id),
            _ if self.declined.contains_key(&id) => None,
            Phase::Advertising(phase) => phase.duty_of(id),
            Phase::Sharing(phase) => phase.duty_of(id),
            Phase::Acknowledging(phase) => phase.duty_of(id),
            Phase::Collecting(phase) => phase.duty_of(id),
            Phase::Certifying(phase) => phase.duty_of(id),
            Phase::Opening(_) | Phase::Closed(_) | Phase::Abandoned(_) => None,
        }
    }

    /// Judges an upload's header before the upload is there. None where the very same was accepted before.
    ///
    /// # Errors
    /// [`Rejection`] as [`Self::step`] would give it.
    pub fn judge_header(&self, now: Timestamp, signed: &Signed) -> Result<Option<Header>, Rejection> {
        if self.is_known(Kind::Header, signed)? {
            return Ok(None);
        }
        match &self.phase {
            Phase::Collecting(phase) => phase.header(self, now, signed).map(Some),
            Phase::Closed(_) | Phase::Abandoned(_) => Err(Rejection::Over),
            phase => Err(phase.out_of_phase(Some(Kind::Header))),
        }
    }

    /// The round after `input`. Changes nothing by itself.
    ///
    /// # Errors
    /// [`Rejection`] when the input is its sender's fault, or comes too late.
    pub fn step(&self, now: Timestamp, input: &Input) -> Result<Step, Rejection> {
        if let Some((kind, signed)) = input.message()
            && self.is_known(kind, signed)?
        {
            return Ok(self.unchanged());
        }
        let phase = match (&self.phase, input) {
            (Phase::Closed(_) | Phase::Abandoned(_), Input::Wake | Input::Resume) => {
                return Ok(self.unchanged());
            }
            (Phase::Closed(_) | Phase::Abandoned(_), _) => return Err(Rejection::Over),
            (_, Input::Decline(signed)) => return self.decline(now, signed),
            (_, Input::Wake) if self.wake_at().is_none_or(|at| now < at) => return Ok(self.unchanged()),
            (_, Input::Wake) => self.deadline(now),
            (phase, Input::Resume) => phase.resumed(now, &self.plan().deadlines),
            (Phase::Advertising(phase), Input::Advertise(signed)) => phase.advertise(self, now, signed)?,
            (Phase::Sharing(phase), Input::Deal(signed, bundle)) => phase.deal(self, now, signed, bundle)?,
            (Phase::Acknowledging(phase), Input::Acknowledge(signed)) => {
                phase.acknowledge(self, now, signed)?
            }
            (Phase::Collecting(phase), Input::Submit(signed, upload)) => {
                phase.submit(self, now, signed, upload)?
            }
            (Phase::Certifying(phase), Input::Certify(signed)) => phase.certify(self, now, signed)?,
            (Phase::Revealing(phase), Input::Certify(signed)) => phase.certify(self, signed)?,
            (Phase::Revealing(phase), Input::Reveal(signed)) => phase.reveal(self, signed)?,
            (Phase::Revealing(phase), Input::Void(signed)) => phase.void(self, signed)?,
            (Phase::Opening(phase), Input::Opened(opened)) => {
                let survivors = phase.certificate().survivors().clone();
                Phase::Closed(Closed { survivors, opened: opened.clone() })
            }
            (Phase::Opening(phase), Input::MoreReveals(reason)) => phase.more(self, now, reason),
            (Phase::Opening(_), Input::SumRefused(reason)) => {
                Phase::Abandoned(Abandoned::SumRefused(reason.clone()))
            }
            (phase, input) => return Err(phase.out_of_phase(input.message().map(|(kind, _)| kind))),
        };
        let mut next = self.in_phase(phase);
        if let Some((kind, signed)) = input.message() {
            next.heard.insert((kind, signed.from), Digest::of(&signed.to_bytes()));
        }
        Ok(Step { next, changed: true })
    }

    /// The last kind of message that was accepted from `id`.
    pub fn last_heard(&self, id: ParticipantId) -> Option<Kind> {
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

    /// Whether this very message was accepted before. Whoever can sign twice is heard once; the second is
    /// refused whatever it says.
    fn is_known(&self, kind: Kind, signed: &Signed) -> Result<bool, Rejection> {
        match self.heard.get(&(kind, signed.from)) {
            Some(earlier) if *earlier == Digest::of(&signed.to_bytes()) => Ok(true),
            Some(_) => Err(self.equivocated(kind, signed)),
            None => Ok(false),
        }
    }

    fn in_phase(&self, phase: Phase) -> Self {
        Self { terms: self.terms.clone(), heard: self.heard.clone(), declined: self.declined.clone(), phase }
    }

    fn unchanged(&self) -> Step {
        Step { next: self.clone(), changed: false }
    }

    /// Only a message with a valid signature is evidence; without one it is a stranger's noise.
    fn equivocated(&self, kind: Kind, signed: &Signed) -> Rejection {
        let from = signed.from;
        let context = match (kind, self.phase.cohort()) {
            (Kind::Advertise | Kind::Decline, _) => self.context(),
            (_, Some(cohort)) => cohort.context(),
            // Once the round is over there is no cohort left to judge by.
            (_, None) => return Rejection::Over,
        };
        if signed.is_genuine(kind, context, &self.terms.roster) {
            Rejection::Equivocated { from }
        } else {
            Rejection::BadSignature { from }
        }
    }

    fn decline(&self, now: Timestamp, signed: &Signed) -> Result<Step, Rejection> {
        let decline: Decline = signed.verify(self.context(), &self.terms.roster)?;
        if decline.round != self.plan().id {
            return Err(Rejection::Mismatch("round"));
        }
        self.require_admitted(decline.id)?;
        let mut next = self.clone();
        next.heard.insert((Kind::Decline, decline.id), Digest::of(&signed.to_bytes()));
        next.declined.insert(decline.id, decline.reason);
        if next.all_heard() {
            next.phase = next.deadline(now);
        }
        Ok(Step { next, changed: true })
    }

    /// Whether nobody is left to wait for in this phase.
    fn all_heard(&self) -> bool {
        self.plan().admitted.iter().all(|id| self.duty_of(*id).is_none()) && self.wake_at().is_some()
    }

    /// What the end of the current phase leads to, by what has arrived.
    fn deadline(&self, now: Timestamp) -> Phase {
        match &self.phase {
            Phase::Advertising(phase) => phase.close(self, now),
            Phase::Sharing(phase) => phase.close(self, now),
            Phase::Acknowledging(phase) => phase.close(self, now),
            Phase::Collecting(phase) => phase.close(self, now),
            Phase::Certifying(phase) => phase.close(self),
            Phase::Revealing(phase) => phase.close(self, now),
            over => over.clone(),
        }
    }

    /// Ends the phase early when nobody is left to wait for.
    fn or_close(&self, now: Timestamp, phase: Phase) -> Phase {
        let then = self.in_phase(phase);
        if then.all_heard() { then.deadline(now) } else { then.phase }
    }

    fn require_admitted(&self, id: ParticipantId) -> Result<(), Rejection> {
        match self.plan().admitted.binary_search(&id) {
            Ok(_) => Ok(()),
            Err(_) => Err(Rejection::NotInCohort(id)),
        }
    }

    /// The context of signatures before there is a cohort.
    fn context(&self) -> Context {
        Context { ctx0: self.plan().context(), h1: None }
    }
}
