//! Where a round stands, and how it ends.

use alloc::string::String;

use thiserror::Error;

use super::{Certifying, Collecting, Opened, Opening, Preparing, Revealing};
use crate::cohort::Cohort;
use crate::message::Kind;
use crate::rejection::Rejection;
use crate::survivors::SurvivorSet;
use crate::voids::Voided;

/// Where a round stands. Each phase holds what it may use.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Makes its preparation.
    Preparing(Preparing),
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

/// A round with a result.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Whose updates are in the sum.
    pub survivors: SurvivorSet,
    /// What was stored with the opened sum.
    pub opened: Opened,
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
    /// t members promised never to reveal, so the sum can never be opened, and the question may be asked again.
    #[error("{} members that had not revealed gave the attempt up", .0.signatures().len())]
    Voided(Voided),
    /// The sum could not be opened, or failed its checks. It counts as opened (rule 11).
    #[error("the sum was discarded: {0}")]
    SumRefused(String),
    /// Its job was stopped. Nothing is asked again.
    #[error("the job was stopped: {0}")]
    Stopped(String),
}

impl Phase {
    /// The cohort, once it is fixed and while the round lasts.
    pub fn cohort(&self) -> Option<&Cohort> {
        match self {
            Self::Preparing(phase) => phase.cohort(),
            Self::Collecting(phase) => Some(phase.cohort()),
            Self::Certifying(phase) => Some(&phase.cohort),
            Self::Revealing(phase) => Some(&phase.cohort),
            Self::Opening(phase) => Some(phase.cohort()),
            Self::Closed(_) | Self::Abandoned(_) => None,
        }
    }

    /// Phases are strictly ordered.
    pub(super) fn ordinal(&self) -> u8 {
        match self {
            Self::Preparing(phase) => phase.ordinal(),
            Self::Collecting(_) => 3,
            Self::Certifying(_) => 4,
            Self::Revealing(_) => 5,
            Self::Opening(_) | Self::Closed(_) | Self::Abandoned(_) => 6,
        }
    }
}

/// A message of another phase than that with the ordinal `awaited` is early or late; what is no message is early, since
/// it follows all of them.
pub(super) fn out_of_phase(awaited: u8, kind: Option<Kind>) -> Rejection {
    let arrived = match kind {
        Some(Kind::Advertise) => 0,
        Some(Kind::Dealing) => 1,
        Some(Kind::Ack) => 2,
        Some(Kind::Header) => 3,
        Some(Kind::Certify) => 4,
        Some(Kind::Reveal | Kind::Void) => 5,
        Some(Kind::Decline) | None => 6,
    };
    if arrived < awaited { Rejection::Late } else { Rejection::Early }
}

/// The end for want of enough participants.
pub(super) fn too_few(what: &'static str, found: usize, needed: u16) -> Abandoned {
    Abandoned::TooFew { what, found: u16::try_from(found).unwrap_or(u16::MAX), needed }
}
