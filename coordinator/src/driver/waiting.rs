//! What a job that has no round in progress waits for, and until when it does so at most.

use super::{Coordinator, State};
use crate::clock;
use crate::engine::{Engine, JobState};

impl Coordinator {
    /// The institutions that are admitted and not connected, by name.
    pub(super) fn not_connected(&self, engine: &Engine, job: &JobState) -> Vec<String> {
        let absent = self.absent(&job.admitted()).into_iter();
        absent.filter_map(|id| engine.roster().member(id).map(|member| member.name.clone())).collect()
    }

    /// Why a job is over that was to start by now and has not, for people; none where it goes on.
    pub(super) fn missed_its_start(
        &self,
        state: &State,
        job: &JobState,
        is_under_way: bool,
    ) -> Option<String> {
        let (seconds, by) = (job.start_seconds()?, job.starts_by()?);
        if clock::now() < by {
            return None;
        }
        let why = match job.paused() {
            Some(reason) => format!("it was paused: {reason}"),
            None if !self.enough_are_connected(job) => {
                let (absent, needed) =
                    (self.not_connected(&state.engine, job), job.terms.protection.threshold());
                let admitted = job.admitted().len();
                format!(
                    "{needed} of {admitted} institutions are needed, and not connected: {}",
                    absent.join(", ")
                )
            }
            None if !is_under_way => format!("{} other jobs were under way", self.most_jobs_at_once()),
            None => "it was about to".into(),
        };
        Some(format!("it was to start within {seconds} s of being handed in, and had not: {why}"))
    }
}
