//! How long what the rounds of jobs were made of is kept, and whether it may be erased.

use std::collections::BTreeMap;

use syndic_learning::Job;
use syndic_round::{JobId, Timestamp};

use crate::fact::{ErasureRule, UpdatesErased, due};

/// What is known of the retention of jobs.
#[derive(Default)]
pub(super) struct Kept(BTreeMap<JobId, OfJob>);

#[derive(Default)]
struct OfJob {
    updates_days: Option<u32>,
    ended: Option<Timestamp>,
    is_erased: bool,
}

impl Kept {
    pub(super) fn agreed(&mut self, job: &JobId, file: &str) {
        let retention = Job::from_toml(file).ok().and_then(|job| job.retention);
        let updates_days = retention.map(|retention| retention.updates_days);
        self.0.entry(job.clone()).or_insert(OfJob { updates_days, ..OfJob::default() });
    }

    pub(super) fn ended(&mut self, job: &JobId, now: Timestamp) {
        if let Some(of_job) = self.0.get_mut(job) {
            of_job.ended = Some(now);
        }
    }

    /// Whether the job is over, its updates are there still, and the rule is what was agreed and is due.
    pub(super) fn may_erase(&mut self, erased: &UpdatesErased, now: Timestamp) -> bool {
        let Some(of_job) = self.0.get_mut(&erased.job) else { return false };
        let Some(ended) = of_job.ended else { return false };
        let is_due = match &erased.rule {
            ErasureRule::Operator(_) => true,
            ErasureRule::JobFile { updates_days, due: told } => {
                let is_agreed = of_job.updates_days == Some(*updates_days);
                is_agreed && *told == due(ended, *updates_days) && *told <= now
            }
        };
        is_due && !std::mem::replace(&mut of_job.is_erased, true)
    }
}
