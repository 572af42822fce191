//! A preparation made ahead: phases A to C by themselves, before there is a round to consume it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use super::course::Course;
use super::phase::{Abandoned, out_of_phase};
use super::preparing::Onward;
use super::{Duty, Input, Prepared, Preparing};
use crate::carrier::Carrier;
use crate::ids::{ParticipantId, Place, Timestamp};
use crate::message::Kind;
use crate::protection::PlanError;
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::terms::PreparationTerms;
use crate::verifier::Signatures;

/// A preparation that no round has consumed yet.
#[derive(Clone, Debug)]
pub struct Preparation {
    pub(super) course: Course,
    begun_at: Timestamp,
    standing: Standing,
}

/// Where it stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Under way.
    Preparing(Preparing),
    /// Ready to be consumed.
    Ready(Prepared),
    /// Ended without shared keys.
    Abandoned(Abandoned),
}

impl Preparation {
    /// Begins a preparation.
    ///
    /// # Errors
    /// [`PlanError`] when the terms break a rule, or are not for this roster.
    pub fn open(
        terms: PreparationTerms,
        roster: Arc<SealedRoster>,
        now: Timestamp,
    ) -> Result<Self, PlanError> {
        let course = Course::begin(terms, roster, Carrier::Ring)?;
        let standing = Standing::Preparing(Preparing::begin(&course, now));
        Ok(Self { course, begun_at: now, standing })
    }

    /// The same in which nobody waits for these, who are not there, until they speak.
    pub fn excusing(mut self, absent: &[ParticipantId]) -> Self {
        self.course = self.course.excusing(absent);
        self
    }

    /// The terms.
    pub fn terms(&self) -> &PreparationTerms {
        self.course.terms()
    }

    /// When it was begun.
    pub fn begun_at(&self) -> Timestamp {
        self.begun_at
    }

    /// Where it stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Who declined, with the reason given.
    pub fn declined(&self) -> &BTreeMap<ParticipantId, String> {
        self.course.declined()
    }

    /// When the current phase ends at the latest; none once it is over.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match &self.standing {
            Standing::Preparing(preparing) => Some(preparing.closes_at()),
            Standing::Ready(_) | Standing::Abandoned(_) => None,
        }
    }

    /// What `id` owes it now, if anything.
    pub fn duty_of(&self, id: ParticipantId) -> Option<Duty> {
        match &self.standing {
            Standing::Preparing(preparing) => preparing.awaits(&self.course, id).then(|| preparing.duty()),
            Standing::Ready(_) | Standing::Abandoned(_) => None,
        }
    }

    /// The preparation after `input`, and whether that changed anything. Changes nothing by itself.
    ///
    /// # Errors
    /// [`Rejection`] when the input is its sender's fault, or comes too late.
    pub fn step(&self, now: Timestamp, input: &Input) -> Result<(Self, bool), Rejection> {
        let message = input.message();
        let cohort = match &self.standing {
            Standing::Preparing(preparing) => preparing.cohort(),
            Standing::Ready(prepared) => Some(prepared.cohort()),
            Standing::Abandoned(_) => None,
        };
        if let Some((kind, signed)) = message
            && self.course.is_known(kind, signed, cohort)?
        {
            return Ok((self.clone(), false));
        }
        let (course, onward) = match (&self.standing, input) {
            (Standing::Ready(_) | Standing::Abandoned(_), Input::Wake | Input::Resume) => {
                return Ok((self.clone(), false));
            }
            (Standing::Preparing(_), Input::Wake) if self.wake_at().is_none_or(|at| now < at) => {
                return Ok((self.clone(), false));
            }
            (Standing::Preparing(preparing), Input::Wake) => {
                (self.course.clone(), preparing.close(&self.course, now).settled(&self.course, now))
            }
            (Standing::Preparing(preparing), Input::Resume) => {
                (self.course.clone(), Onward::Preparing(preparing.resumed(&self.course, now)))
            }
            (Standing::Preparing(preparing), Input::Decline(signed)) => {
                let course = self.course.with_decline(Place::AHEAD, signed)?;
                let onward = Onward::Preparing(preparing.clone()).settled(&course, now);
                (course, onward)
            }
            // Who lost its keys says so, lest a round counts on it.
            (Standing::Ready(prepared), Input::Decline(signed)) => {
                (self.course.with_decline(Place::AHEAD, signed)?, Onward::Prepared(prepared.clone()))
            }
            (Standing::Preparing(preparing), input) => {
                let course = match message {
                    Some((kind, signed)) => self.course.with(kind, signed),
                    None => self.course.clone(),
                };
                let onward = preparing.take(&course, now, input)?;
                (course, onward)
            }
            (Standing::Ready(_), _) => return Err(out_of_phase(OVER, message.map(|(kind, _)| kind))),
            (Standing::Abandoned(_), _) => return Err(Rejection::Over),
        };
        let standing = match onward {
            Onward::Preparing(preparing) => Standing::Preparing(preparing),
            Onward::Prepared(prepared) => Standing::Ready(prepared),
            Onward::Abandoned(reason) => Standing::Abandoned(reason),
        };
        Ok((Self { course, begun_at: self.begun_at, standing }, true))
    }

    /// The same in replay, as [`Round::replay`](super::Round::replay) says.
    ///
    /// # Errors
    /// As [`Self::step`], but for signatures that were verified.
    pub fn replay(
        &mut self,
        now: Timestamp,
        input: &Input,
        signatures: Signatures,
    ) -> Result<(Self, bool), Rejection> {
        self.course.judge(signatures);
        let mut stepped = self.step(now, input);
        self.course.judge(Signatures::default());
        if let Ok((next, _)) = &mut stepped {
            next.course.judge(Signatures::default());
        }
        stepped
    }

    /// The last kind of message that was accepted from `id`.
    pub fn last_heard(&self, id: ParticipantId) -> Option<Kind> {
        self.course.last_heard(id)
    }
}

/// The ordinal after the last phase of a preparation.
const OVER: u8 = 3;
