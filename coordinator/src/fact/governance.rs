//! What people who may run jobs do to them, as entries.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use syndic_round::JobId;

use super::job_subject;

/// Who did something to a job, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who, as far as the coordinator knows: `local-user/1000`. Never a person's name.
    pub by: String,
    /// Why, as they say.
    pub reason: String,
}

/// How urgent a job is, from 0 to 100; of two that wait the more urgent begins first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Priority(u8);

impl Priority {
    /// The priority with this number.
    pub fn new(number: u32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| *number <= MOST).map(Self)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.into()
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        Self::new(u32::try_from(data.get("priority")?.as_u64()?).ok()?)
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(USUAL)
    }
}

impl TryFrom<u32> for Priority {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("a priority is from 0 to 100")
    }
}

impl From<Priority> for u32 {
    fn from(priority: Priority) -> Self {
        priority.get()
    }
}

impl Cause {
    pub(super) fn read(data: &Value) -> Option<Self> {
        let text = |key: &str| data.get(key)?.as_str().map(String::from);
        Some(Self { by: text("by")?, reason: text("reason")? })
    }
}

/// The type, subject and data of an act.
pub(super) fn parts(
    kind: &'static str,
    job: &JobId,
    Cause { by, reason }: &Cause,
) -> (&'static str, Option<String>, Value) {
    (kind, Some(job_subject(job)), json!({ "job": job, "by": by, "reason": reason }))
}

const USUAL: u8 = 50;
const MOST: u8 = 100;
