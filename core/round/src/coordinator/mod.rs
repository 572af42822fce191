//! The coordinator's half of a round: a state machine that is the fold of its inputs.
//!
//! [`Round::step`] decides and changes nothing: it returns the round as it will be, or a [`Rejection`].
//! What is owed next ([`Round::duty_of`], [`Round::command`], [`Round::wake_at`]) follows from the state
//! alone, so a coordinator that restarts replays the inputs and goes on.

mod acknowledging;
mod advertising;
mod certifying;
mod collecting;
mod revealing;
mod sharing;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use thiserror::Error;

use crate::cohort::Cohort;
use crate::digest::Digest;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Context, Decline, Kind, Signed};
use crate::plan::{Deadlines, PlanError, RoundPlan};
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::survivors::{Certificate, SurvivorSet};

pub use acknowledging::Acknowledging;
pub use advertising::Advertising;
pub use certifying::Certifying;
pub use collecting::{Collecting, Submission};
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

/// Where a round stands. Each phase holds what it may use.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Awaits one-time keys.
    Advertising(Advertising),
    /// Awaits sealed key shares.
    Sharing(Sharing),
    /// Awaits verdicts over the shares.
    Acknowledging(Acknowledging),
    /// Awaits updates.
    Collecting(Collecting),
    /// Awaits signatures over the survivor set.
    Certifying(Certifying),
    /// Awaits sums of key shares.
    Revealing(Revealing),
    /// Enough is revealed: the sum is to be opened.
    Opening(Opening),
    /// The sum was opened.
    Closed(Closed),
    /// Ended without a result.
    Abandoned(Abandoned),
}

/// What opens the sum.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The cohort.
    pub cohort: Arc<Cohort>,
    /// The certified survivors.
    pub certificate: Arc<Certificate>,
    /// Their uploads, in the order of ids.
    pub submissions: Vec<Submission>,
    /// (sender, sum of shares), t of them or more.
    pub reveals: Vec<(ParticipantId, Vec<u8>)>,
}

/// A round with a result.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Whose updates are in the sum.
    pub survivors: SurvivorSet,
    /// Digest of the opened sum.
    pub sum: Digest,
}

/// Why a round ended without a result. The round's fault, not one sender's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Abandoned {
    /// Too few did what a phase needs before its deadline.
    #[error("{found} of at least {needed} {what} by the deadline")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many there were.
        found: u16,
        /// How many were needed.
        needed: u16,
    },
    /// The sum could not be opened, or failed its checks. It counts as opened (rule 11).
    #[error("the sum was discarded: {0}")]
    SumRefused(String),
}

/// Something that happened to a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Phase A.
    Advertise(Signed),
    /// Phase B: the public part, and the sealed shares in one stored blob.
    Deal(Signed, Bundle),
    /// Phase C.
    Acknowledge(Signed),
    /// Phase D: the header of an upload that is complete and stored.
    Submit(Signed, Upload),
    /// Phase E.
    Certify(Signed),
    /// Phase F.
    Reveal(Signed),
    /// A participant's no.
    Decline(Signed),
    /// The instant of [`Round::wake_at`] has come.
    Wake,
    /// The coordinator is back after a stop: nobody could reach it, so the phase begins anew.
    Resume,
    /// The sum was opened and stored under this digest.
    Opened(Digest),
    /// The sum could not be opened, or failed its checks.
    SumRefused(String),
}

/// An upload as it was received: complete, stored, and measured while it streamed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Merkle root over the chunks received.
    pub root: Digest,
    /// Chunks received.
    pub chunks: u32,
    /// The stored blob.
    pub blob: Digest,
    /// Its length.
    pub bytes: u64,
}

/// What a participant owes the round now.
#[derive(Clone, Debug)]
pub enum Duty {
    /// Advertise a one-time key.
    Advertise,
    /// Share its key with this cohort.
    Deal(Arc<Cohort>),
    /// Check the shares of these dealers (public part, blob of sealed shares) and acknowledge.
    Acknowledge(Arc<Cohort>, Vec<Dealt>),
    /// Submit its update, by these acknowledgements.
    Submit(Vec<Signed>),
    /// Sign this survivor set.
    Certify(Arc<SurvivorSet>),
    /// Reveal its sum of shares for this certificate.
    Reveal(Arc<Certificate>),
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
        if self.declined.contains_key(&id) || self.plan().admitted.binary_search(&id).is_err() {
            return None;
        }
        match &self.phase {
            Phase::Advertising(phase) => phase.duty_of(id),
            Phase::Sharing(phase) => phase.duty_of(id),
            Phase::Acknowledging(phase) => phase.duty_of(id),
            Phase::Collecting(phase) => phase.duty_of(id),
            Phase::Certifying(phase) => phase.duty_of(id),
            Phase::Revealing(phase) => phase.duty_of(id),
            Phase::Opening(_) | Phase::Closed(_) | Phase::Abandoned(_) => None,
        }
    }

    /// The round after `input`. Changes nothing by itself.
    ///
    /// # Errors
    /// [`Rejection`] when the input is its sender's fault, or comes too late.
    pub fn step(&self, now: Timestamp, input: &Input) -> Result<Step, Rejection> {
        if let Some((kind, signed)) = input.message() {
            match self.heard.get(&(kind, signed.from)) {
                Some(earlier) if *earlier == Digest::of(&signed.to_bytes()) => return Ok(self.unchanged()),
                // Whoever can sign twice is heard once; the second is refused whatever it says.
                Some(_) => return Err(self.equivocated(kind, signed)),
                None => {}
            }
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
            (Phase::Opening(phase), Input::Opened(sum)) => {
                Phase::Closed(Closed { survivors: phase.certificate.survivors().clone(), sum: *sum })
            }
            (Phase::Opening(_), Input::SumRefused(reason)) => {
                Phase::Abandoned(Abandoned::SumRefused(reason.clone()))
            }
            (phase, input) => return Err(phase.out_of_phase(input)),
        };
        let mut next = self.in_phase(phase);
        if let Some((kind, signed)) = input.message() {
            next.heard.insert((kind, signed.from), Digest::of(&signed.to_bytes()));
        }
        Ok(Step { next, changed: true })
    }

    /// The last kind of message that was accepted from `id`.
    pub fn last_heard(&self, id: ParticipantId) -> Option<Kind> {
        let kinds = [Kind::Reveal, Kind::Certify, Kind::Header, Kind::Ack, Kind::Dealing, Kind::Advertise];
        kinds.into_iter().find(|kind| self.heard.contains_key(&(*kind, id)))
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

impl Phase {
    fn resumed(&self, now: Timestamp, deadlines: &Deadlines) -> Self {
        let mut phase = self.clone();
        match &mut phase {
            Self::Advertising(phase) => phase.closes_at = now.plus_millis(deadlines.advertise),
            Self::Sharing(phase) => phase.closes_at = now.plus_millis(deadlines.share),
            Self::Acknowledging(phase) => phase.closes_at = now.plus_millis(deadlines.share),
            Self::Collecting(phase) => phase.closes_at = now.plus_millis(deadlines.collect),
            Self::Certifying(phase) => phase.closes_at = now.plus_millis(deadlines.certify),
            Self::Revealing(phase) => phase.closes_at = now.plus_millis(deadlines.reveal),
            Self::Opening(_) | Self::Closed(_) | Self::Abandoned(_) => {}
        }
        phase
    }

    /// The cohort, once it is fixed and while the round lasts.
    pub fn cohort(&self) -> Option<&Cohort> {
        match self {
            Self::Sharing(phase) => Some(&phase.cohort),
            Self::Acknowledging(phase) => Some(&phase.cohort),
            Self::Collecting(phase) => Some(&phase.cohort),
            Self::Certifying(phase) => Some(&phase.cohort),
            Self::Revealing(phase) => Some(&phase.cohort),
            Self::Opening(phase) => Some(&phase.cohort),
            Self::Advertising(_) | Self::Closed(_) | Self::Abandoned(_) => None,
        }
    }

    /// Phases are strictly ordered, so a message of another phase is early or late.
    fn out_of_phase(&self, input: &Input) -> Rejection {
        let awaited = match self {
            Self::Advertising(_) => 0,
            Self::Sharing(_) => 1,
            Self::Acknowledging(_) => 2,
            Self::Collecting(_) => 3,
            Self::Certifying(_) => 4,
            Self::Revealing(_) => 5,
            Self::Opening(_) | Self::Closed(_) | Self::Abandoned(_) => 6,
        };
        let arrived = match input {
            Input::Advertise(_) => 0,
            Input::Deal(..) => 1,
            Input::Acknowledge(_) => 2,
            Input::Submit(..) => 3,
            Input::Certify(_) => 4,
            Input::Reveal(_) => 5,
            _ => 6,
        };
        if arrived < awaited { Rejection::Late } else { Rejection::Early }
    }
}

impl Input {
    fn message(&self) -> Option<(Kind, &Signed)> {
        match self {
            Self::Advertise(signed) => Some((Kind::Advertise, signed)),
            Self::Deal(signed, _) => Some((Kind::Dealing, signed)),
            Self::Acknowledge(signed) => Some((Kind::Ack, signed)),
            Self::Submit(signed, _) => Some((Kind::Header, signed)),
            Self::Certify(signed) => Some((Kind::Certify, signed)),
            Self::Reveal(signed) => Some((Kind::Reveal, signed)),
            Self::Decline(signed) => Some((Kind::Decline, signed)),
            Self::Wake | Self::Resume | Self::Opened(_) | Self::SumRefused(_) => None,
        }
    }
}

/// The round's end for want of enough participants.
fn too_few(what: &'static str, found: usize, needed: u16) -> Phase {
    Phase::Abandoned(Abandoned::TooFew { what, found: u16::try_from(found).unwrap_or(u16::MAX), needed })
}
