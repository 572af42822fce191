//! Phases A to C, coordinator's half: keys are advertised, shared and acknowledged, whatever they will carry.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::course::Course;
use super::phase::{Abandoned, out_of_phase};
use super::{Acknowledging, Advertising, Duty, Input, Sharing};
use crate::cohort::Cohort;
use crate::digest::Digest;
use crate::eligibility::Acks;
use crate::ids::{ParticipantId, Timestamp};
use crate::rejection::Rejection;

/// Where a preparation stands.
#[derive(Clone, Debug)]
pub enum Preparing {
    /// Awaits one-time keys.
    Advertising(Advertising),
    /// Awaits sealed key shares.
    Sharing(Sharing),
    /// Awaits verdicts over the shares.
    Acknowledging(Acknowledging),
}

/// Keys that are shared and acknowledged: whose, among whom, by whose word.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) cohort: Arc<Cohort>,
    /// Who may submit.
    pub(super) eligible: Vec<ParticipantId>,
    /// Digests of the public parts of the eligible, in the same order.
    pub(super) dealings: Vec<Digest>,
    pub(super) acks: Arc<Acks>,
}

/// What a step of a preparation leads to.
pub(super) enum Onward {
    Preparing(Preparing),
    Prepared(Prepared),
    Abandoned(Abandoned),
}

impl Preparing {
    pub(super) fn begin(course: &Course, now: Timestamp) -> Self {
        Self::Advertising(Advertising::new(now.plus_millis(course.terms().deadlines.advertise)))
    }

    /// The cohort, once it is fixed.
    pub fn cohort(&self) -> Option<&Cohort> {
        match self {
            Self::Advertising(_) => None,
            Self::Sharing(phase) => Some(&phase.cohort),
            Self::Acknowledging(phase) => Some(&phase.cohort),
        }
    }

    pub(super) fn closes_at(&self) -> Timestamp {
        match self {
            Self::Advertising(phase) => phase.closes_at,
            Self::Sharing(phase) => phase.closes_at,
            Self::Acknowledging(phase) => phase.closes_at,
        }
    }

    /// Whether `id` owes something now.
    pub(super) fn awaits(&self, course: &Course, id: ParticipantId) -> bool {
        let may_speak = course.is_admitted(id) && !course.declined().contains_key(&id);
        may_speak
            && match self {
                Self::Advertising(phase) => phase.awaits(id),
                Self::Sharing(phase) => phase.awaits(id),
                Self::Acknowledging(phase) => phase.awaits(id),
            }
    }

    /// What is owed by whoever owes something.
    pub(super) fn duty(&self) -> Duty {
        match self {
            Self::Advertising(_) => Duty::Advertise,
            Self::Sharing(phase) => phase.duty(),
            Self::Acknowledging(phase) => phase.duty(),
        }
    }

    /// What accepting a message of this phase leads to.
    pub(super) fn take(&self, course: &Course, now: Timestamp, input: &Input) -> Result<Onward, Rejection> {
        let next = match (self, input) {
            (Self::Advertising(phase), Input::Advertise(signed)) => {
                Self::Advertising(phase.advertise(course, now, signed)?)
            }
            (Self::Sharing(phase), Input::Deal(signed, bundle)) => {
                Self::Sharing(phase.deal(course, now, signed, bundle)?)
            }
            (Self::Acknowledging(phase), Input::Acknowledge(signed)) => {
                Self::Acknowledging(phase.acknowledge(course, now, signed)?)
            }
            _ => return Err(out_of_phase(self.ordinal(), input.message().map(|(kind, _)| kind))),
        };
        Ok(Onward::Preparing(next).settled(course, now))
    }

    /// Who owes something now.
    fn awaited(&self, course: &Course) -> impl Iterator<Item = ParticipantId> {
        course.terms().admitted.iter().copied().filter(|id| self.awaits(course, *id))
    }

    /// What the end of the phase leads to, by what has arrived.
    pub(super) fn close(&self, course: &Course, now: Timestamp) -> Onward {
        match self {
            Self::Advertising(phase) => phase.close(course, now),
            Self::Sharing(phase) => phase.close(course, now),
            Self::Acknowledging(phase) => phase.close(course),
        }
    }

    /// How long the phase may take from its start.
    pub(super) fn millis(&self, course: &Course) -> u64 {
        match self {
            Self::Advertising(_) => course.terms().deadlines.advertise,
            Self::Sharing(_) => course.sharing_millis(),
            Self::Acknowledging(_) => course.terms().deadlines.share,
        }
    }

    /// The same, with the whole time of its phase before it.
    pub(super) fn resumed(&self, course: &Course, now: Timestamp) -> Self {
        let at = now.plus_millis(self.millis(course));
        let mut resumed = self.clone();
        match &mut resumed {
            Self::Advertising(phase) => phase.closes_at = at,
            Self::Sharing(phase) => phase.closes_at = at,
            Self::Acknowledging(phase) => phase.closes_at = at,
        }
        resumed
    }

    pub(super) fn ordinal(&self) -> u8 {
        match self {
            Self::Advertising(_) => 0,
            Self::Sharing(_) => 1,
            Self::Acknowledging(_) => 2,
        }
    }
}

impl Onward {
    /// Ends phases early while nobody is left to wait for. Who is excused is waited for all the same where the others are too
    /// few.
    pub(super) fn settled(self, course: &Course, now: Timestamp) -> Self {
        match self {
            Self::Preparing(preparing) if preparing.awaited(course).all(|id| course.is_excused(id)) => {
                match preparing.close(course, now) {
                    Self::Abandoned(_) if preparing.awaited(course).next().is_some() => {
                        Self::Preparing(preparing)
                    }
                    closed => closed.settled(course, now),
                }
            }
            onward => onward,
        }
    }
}

impl Prepared {
    /// Who took part.
    pub fn cohort(&self) -> &Cohort {
        &self.cohort
    }

    /// Who may submit, in the order of ids: enough members hold good shares of their keys.
    pub fn eligible(&self) -> &[ParticipantId] {
        &self.eligible
    }
}
