//! The identifiers of a federation, its members, jobs, rounds and attempts.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// A member of the roster: 1 to 65,535, never reused. Also the point at which that member's key shares
/// are evaluated, hence never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ParticipantId(core::num::NonZeroU16);

impl ParticipantId {
    /// The id with this number; none for zero.
    pub const fn new(number: u16) -> Option<Self> {
        match core::num::NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<u16> for ParticipantId {
    type Error = &'static str;

    fn try_from(number: u16) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("a participant id is not zero")
    }
}

impl From<ParticipantId> for u16 {
    fn from(id: ParticipantId) -> u16 {
        id.get()
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The position of a participant in a round's cohort, from zero, in the order of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// Milliseconds since the Unix epoch, given from outside: nothing in the core reads a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The instant `millis` milliseconds later.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// The name of a job, unique within its federation: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

impl JobId {
    /// The job id written as `text`; none where it breaks the rule above.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("a job id is 1 to 64 characters of a-z, 0-9, `-`, `_` and `.`")
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> String {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One try at one round of a job. A retry has the same `round`, a higher `attempt`, and fresh keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoundId {
    /// Counted from 1 within the job.
    pub round: u32,
    /// Counted from 1 within the round.
    pub attempt: u32,
}

impl fmt::Display for RoundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.attempt)
    }
}

/// Where a message of phases A to C belongs: an attempt at a round, or a preparation made ahead of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An attempt at a round.
    Round(RoundId),
    /// The preparation with this number, before a round consumes it.
    Ahead(u64),
}

impl Place {
    /// The round and attempt that a signed message names for this place; [`Self::AHEAD`] before there is one.
    pub const fn round(self) -> RoundId {
        match self {
            Self::Round(id) => id,
            Self::Ahead(_) => Self::AHEAD,
        }
    }

    /// Stands where a round and attempt would, in what is said of a preparation made ahead. Both are counted from 1
    /// otherwise.
    pub const AHEAD: RoundId = RoundId { round: 0, attempt: 0 };
}

impl From<RoundId> for Place {
    fn from(id: RoundId) -> Self {
        Self::Round(id)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(id) => id.fmt(f),
            Self::Ahead(number) => write!(f, "preparation {number}"),
        }
    }
}
