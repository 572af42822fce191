//! The coordinator's half of a round: a state machine that is the fold of its inputs.
//!
//! [`Round::step`] decides and changes nothing: it returns the round as it will be, or a [`Rejection`].
//! What is owed next ([`Round::duty_of`], [`Round::command`], [`Round::wake_at`]) follows from the state
//! alone, so a coordinator that restarts replays the inputs and goes on.

mod acknowledging;
mod advertising;
mod ahead;
mod certifying;
mod collecting;
mod course;
mod input;
mod opening;
mod phase;
mod preparation;
mod preparing;
mod revealing;
mod sharing;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use crate::carrier::Carrier;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Header, Kind, Signed};
use crate::plan::RoundPlan;
use crate::protection::{PlanError, Protection};
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::verifier::{Signatures, Verifier};

pub use acknowledging::Acknowledging;
pub use advertising::Advertising;
pub use ahead::Ahead;
pub use certifying::Certifying;
pub use collecting::{Collecting, Submission};
use course::Course;
pub use input::{Duty, Input, Opened, RingOpened, Upload};
pub use opening::Opening;
use phase::out_of_phase;
pub use phase::{Abandoned, Closed, Phase};
pub use preparation::{Preparation, Standing};
use preparing::Onward;
pub use preparing::{Prepared, Preparing};
pub use revealing::Revealing;
pub use sharing::{Bundle, Dealt, Sharing};

/// One attempt at one round.
#[derive(Clone, Debug)]
pub struct Round {
    plan: Arc<RoundPlan>,
    course: Course,
    phase: Phase,
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
    /// Opens a round that makes its own preparation.
    ///
    /// # Errors
    /// [`PlanError`] when the plan breaks a rule, or is not for this roster.
    pub fn open(plan: RoundPlan, roster: Arc<SealedRoster>, now: Timestamp) -> Result<Self, PlanError> {
        plan.check()?;
        let course = Course::begin(plan.terms.clone(), roster, plan.carrier)?;
        let phase = Phase::Preparing(Preparing::begin(&course, now));
        Ok(Self { plan: Arc::new(plan), course, phase })
    }

    /// Opens a round with a preparation that was made ahead: it begins by collecting updates.
    ///
    /// # Errors
    /// [`PlanError`] when the plan breaks a rule; [`PlanError::Preparation`] where it is not for this preparation, or
    /// that is not ready.
    pub fn open_prepared(
        plan: RoundPlan,
        preparation: &Preparation,
        now: Timestamp,
    ) -> Result<Self, PlanError> {
        plan.check()?;
        match preparation.standing() {
            // What is shared ahead is keys, never an update.
            Standing::Ready(prepared)
                if plan.terms == *preparation.terms() && plan.carrier == Carrier::Ring =>
            {
                let closes_at = now.plus_millis(plan.terms.deadlines.collect);
                let phase = Phase::Collecting(Collecting::new(prepared.clone(), closes_at));
                Ok(Self { plan: Arc::new(plan), course: preparation.course.clone(), phase })
            }
            _ => Err(PlanError::Preparation),
        }
    }

    /// The same in which nobody waits for these, who are not there, until they speak.
    pub fn excusing(mut self, absent: &[ParticipantId]) -> Self {
        self.course = self.course.excusing(absent);
        self
    }

    /// The plan.
    pub fn plan(&self) -> &RoundPlan {
        &self.plan
    }

    /// Where the round stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Who declined, with the reason given.
    pub fn declined(&self) -> &BTreeMap<ParticipantId, String> {
        self.course.declined()
    }

    /// When the current phase ends at the latest; none once the round is over or the sum being opened.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Preparing(phase) => Some(phase.closes_at()),
            Phase::Collecting(phase) => Some(phase.closes_at),
            Phase::Certifying(phase) => Some(phase.closes_at),
            Phase::Revealing(phase) => Some(phase.closes_at),
            Phase::Opening(_) | Phase::Closed(_) | Phase::Abandoned(_) => None,
        }
    }

    /// How long the current phase may take from its start, in milliseconds; none once nobody is waited for.
    pub fn phase_millis(&self) -> Option<u64> {
        let deadlines = &self.plan().terms.deadlines;
        match &self.phase {
            Phase::Preparing(phase) => Some(phase.millis(&self.course)),
            Phase::Collecting(_) => Some(self.course.collecting_millis()),
            Phase::Certifying(_) => Some(deadlines.certify),
            Phase::Revealing(_) => Some(deadlines.reveal),
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
        if !self.awaits(id) {
            return None;
        }
        match &self.phase {
            Phase::Preparing(phase) => Some(phase.duty()),
            Phase::Collecting(phase) => Some(phase.duty()),
            Phase::Certifying(phase) => Some(phase.duty()),
            Phase::Revealing(phase) => Some(phase.duty_of(self, id)),
            Phase::Opening(_) | Phase::Closed(_) | Phase::Abandoned(_) => None,
        }
    }

    /// Whether `id` owes the round something now.
    fn awaits(&self, id: ParticipantId) -> bool {
        if !self.course.is_admitted(id) {
            return false;
        }
        match &self.phase {
            Phase::Revealing(phase) => phase.awaits(self, id),
            _ if self.declined().contains_key(&id) => false,
            Phase::Preparing(phase) => phase.awaits(&self.course, id),
            Phase::Collecting(phase) => phase.awaits(id),
            Phase::Certifying(phase) => phase.awaits(id),
            Phase::Opening(_) | Phase::Closed(_) | Phase::Abandoned(_) => false,
        }
    }

    /// Judges an upload's header before the upload is there. None where the very same was accepted before.
    ///
    /// # Errors
    /// [`Rejection`] as [`Self::step`] would give it.
    pub fn judge_header(&self, now: Timestamp, signed: &Signed) -> Result<Option<Header>, Rejection> {
        if self.course.is_known(Kind::Header, signed, self.phase.cohort())? {
            return Ok(None);
        }
        match &self.phase {
            Phase::Collecting(phase) => {
                phase.header(self, now, signed).map(|header| Some(header.payload().clone()))
            }
            Phase::Closed(_) | Phase::Abandoned(_) => Err(Rejection::Over),
            phase => Err(out_of_phase(phase.ordinal(), Some(Kind::Header))),
        }
    }

    /// The round after `input`. Changes nothing by itself.
    ///
    /// # Errors
    /// [`Rejection`] when the input is its sender's fault, or comes too late.
    pub fn step(&self, now: Timestamp, input: &Input) -> Result<Step, Rejection> {
        if let Some((kind, signed)) = input.message()
            && self.course.is_known(kind, signed, self.phase.cohort())?
        {
            return Ok(self.unchanged());
        }
        let course = match input.message() {
            Some((kind, signed)) => self.course.with(kind, signed),
            None => self.course.clone(),
        };
        let phase = match (&self.phase, input) {
            (Phase::Closed(_) | Phase::Abandoned(_), Input::Wake | Input::Resume) => {
                return Ok(self.unchanged());
            }
            (Phase::Closed(_) | Phase::Abandoned(_), _) => return Err(Rejection::Over),
            (_, Input::Decline(signed)) => return self.decline(now, signed),
            (_, Input::Wake) if self.wake_at().is_none_or(|at| now < at) => return Ok(self.unchanged()),
            (_, Input::Wake) => self.deadline(now),
            (_, Input::Resume) => self.resumed(now),
            (_, Input::Stop(reason)) => Phase::Abandoned(Abandoned::Stopped(reason.clone())),
            (Phase::Preparing(phase), input) => self.onward(now, phase.take(&course, now, input)?),
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
            (phase, input) => {
                return Err(out_of_phase(phase.ordinal(), input.message().map(|(kind, _)| kind)));
            }
        };
        Ok(Step { next: Self { plan: self.plan.clone(), course, phase }.settled(now), changed: true })
    }

    /// The same in replay. A signature that was verified before its message was stored is not verified again; whatever the
    /// next round hears is judged anew.
    ///
    /// # Errors
    /// As [`Self::step`], but for signatures that were verified.
    pub fn replay(
        &mut self,
        now: Timestamp,
        input: &Input,
        signatures: Signatures,
    ) -> Result<Step, Rejection> {
        self.course.judge(signatures);
        let mut step = self.step(now, input);
        self.course.judge(Signatures::default());
        if let Ok(step) = &mut step {
            step.next.course.judge(Signatures::default());
        }
        step
    }

    /// The last kind of message that was accepted from `id`.
    pub fn last_heard(&self, id: ParticipantId) -> Option<Kind> {
        self.course.last_heard(id)
    }

    fn protection(&self) -> &Protection {
        self.course.protection()
    }

    fn verifier(&self) -> Verifier<'_> {
        self.course.verifier()
    }

    fn unchanged(&self) -> Step {
        Step { next: self.clone(), changed: false }
    }

    fn decline(&self, now: Timestamp, signed: &Signed) -> Result<Step, Rejection> {
        let course = self.course.with_decline(self.plan().id, signed)?;
        let next = Self { plan: self.plan.clone(), course, phase: self.phase.clone() };
        Ok(Step { next: next.settled(now), changed: true })
    }

    /// The phase that a step of the round's own preparation leads to.
    fn onward(&self, now: Timestamp, onward: Onward) -> Phase {
        match onward {
            Onward::Preparing(preparing) => Phase::Preparing(preparing),
            Onward::Prepared(prepared) => {
                let closes_at = now.plus_millis(self.course.collecting_millis());
                Phase::Collecting(Collecting::new(prepared, closes_at))
            }
            Onward::Abandoned(reason) => Phase::Abandoned(reason),
        }
    }

    /// Who owes the round something now.
    fn awaited(&self) -> impl Iterator<Item = ParticipantId> {
        self.plan().terms.admitted.iter().copied().filter(|id| self.awaits(*id))
    }

    /// What the end of the current phase leads to, by what has arrived.
    fn deadline(&self, now: Timestamp) -> Phase {
        match &self.phase {
            Phase::Preparing(phase) => self.onward(now, phase.close(&self.course, now)),
            Phase::Collecting(phase) => phase.close(self, now),
            Phase::Certifying(phase) => phase.close(self),
            Phase::Revealing(phase) => phase.close(self, now),
            over => over.clone(),
        }
    }

    /// The current phase with its whole time before it.
    fn resumed(&self, now: Timestamp) -> Phase {
        let at = now.plus_millis(self.phase_millis().unwrap_or_default());
        let mut phase = self.phase.clone();
        match &mut phase {
            Phase::Preparing(phase) => *phase = phase.resumed(&self.course, now),
            Phase::Collecting(phase) => phase.closes_at = at,
            Phase::Certifying(phase) => phase.closes_at = at,
            Phase::Revealing(phase) => phase.closes_at = at,
            Phase::Opening(_) | Phase::Closed(_) | Phase::Abandoned(_) => {}
        }
        phase
    }

    /// Whether nobody waits for `id`: as long as the survivors are not frozen. Who holds shares of their keys is needed.
    fn is_excused(&self, id: ParticipantId) -> bool {
        matches!(self.phase, Phase::Preparing(_) | Phase::Collecting(_)) && self.course.is_excused(id)
    }

    /// Ends phases early while nobody is left to wait for. Who is excused is waited for all the same where the others are too
    /// few.
    fn settled(mut self, now: Timestamp) -> Self {
        while self.wake_at().is_some() && self.awaited().all(|id| self.is_excused(id)) {
            let next = self.deadline(now);
            if matches!(next, Phase::Abandoned(_)) && self.awaited().next().is_some() {
                break;
            }
            self.phase = next;
        }
        self
    }
}
