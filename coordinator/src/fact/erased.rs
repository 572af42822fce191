//! That what the rounds of a job were made of is erased, as an entry.

use serde_json::{Value, json};
use syndic_ledger::Timestamp as EntryTime;
use syndic_round::{JobId, Timestamp};

use super::{Cause, job_subject, with};

/// From this entry on the coordinator keeps neither encrypted updates nor sealed shares nor questions of a job that is over.
/// What still lies somewhere, since the coordinator was ended in the middle, is removed by the next sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatesErased {
    /// The job.
    pub job: JobId,
    /// By what rule.
    pub rule: ErasureRule,
    /// How many blobs that nothing else names.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why updates are erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureRule {
    /// The job file says so.
    JobFile {
        /// For how many days after the end of the job they are kept.
        updates_days: u32,
        /// When these were over.
        due: Timestamp,
    },
    /// Somebody who may run jobs did.
    Operator(Cause),
}

impl UpdatesErased {
    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { job, rule, blobs, bytes } = self;
        let (rule, by, reason, due) = match rule {
            ErasureRule::JobFile { updates_days, due } => {
                let due = EntryTime::from_unix_ms(due.0).ok().map(|due| due.to_string());
                (json!(updates_days), JOB_FILE, "the time is over for which the job file keeps them", due)
            }
            ErasureRule::Operator(Cause { by, reason }) => (Value::Null, &**by, &**reason, None),
        };
        let data = json!({ "job": job, "by": by, "reason": reason, "due": due, "kinds": KINDS, "blobs": blobs, "bytes": bytes });
        (ERASED, Some(job_subject(job)), with(data, "updates_days", rule))
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let cause = Cause::read(data)?;
        let rule = match data.get("updates_days")? {
            Value::Null => ErasureRule::Operator(cause),
            days => ErasureRule::JobFile {
                updates_days: u32::try_from(days.as_u64()?).ok()?,
                due: Timestamp(data.get("due")?.as_str()?.parse::<EntryTime>().ok()?.unix_ms()),
            },
        };
        let job = JobId::new(data.get("job")?.as_str()?)?;
        let count = |key: &str| data.get(key)?.as_u64();
        // What else is erased some day is for a later version to say.
        let is_known = *data.get("kinds")? == json!(KINDS);
        is_known.then_some(Self { job, rule, blobs: count("blobs")?, bytes: count("bytes")? })
    }
}

/// When the updates of a job that ended at `ended` are due after so many days.
pub fn due(ended: Timestamp, updates_days: u32) -> Timestamp {
    Timestamp(ended.0.saturating_add(u64::from(updates_days) * DAY_MS))
}

pub(super) const ERASED: &str = "syndic.job.updates-erased";
/// Who erases what the job file no longer keeps.
const JOB_FILE: &str = "job-file";
/// What is erased.
const KINDS: [&str; 3] = ["encrypted-updates", "sealed-shares", "questions"];
const DAY_MS: u64 = 86_400_000;
