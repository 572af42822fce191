//! Who owes what, by the state as it stands.

use std::collections::BTreeSet;

use syndic_round::coordinator::{Duty, Phase, Preparation};
use syndic_round::{JobId, ParticipantId, RoundId, RoundPlan, Voided};

use super::{Engine, JobState, Over};

impl Engine {
    /// What a participant that has something of the jobs in `held` hears of: jobs that are not over, those of `held` that are,
    /// and, where none is under way, the one that ended last.
    pub fn concerning(&self, held: &BTreeSet<JobId>) -> BTreeSet<JobId> {
        let mut jobs: BTreeSet<JobId> = self.jobs().map(|job| job.id.clone()).collect();
        if jobs.is_empty() {
            jobs.extend(self.last_ended().cloned());
        }
        jobs.extend(held.iter().filter(|job| self.ended(job).is_some()).cloned());
        jobs
    }

    /// The round in progress of a job.
    pub fn current_round(&self, job: &JobId) -> Option<RoundId> {
        Some(self.job(job)?.round()?.round.plan().id)
    }

    /// What `caller` owes the round in progress of a job, under which plan, and which earlier attempts at the question are
    /// void.
    pub fn duty_of(&self, job: &JobId, caller: ParticipantId) -> Option<(&RoundPlan, Duty, &[Voided])> {
        let job = self.job(job)?;
        let round = &job.round()?.round;
        round.duty_of(caller).map(|duty| (round.plan(), duty, job.voided()))
    }

    /// What `caller` owes the preparation that is made ahead of a job's next round.
    pub fn duty_ahead(&self, job: &JobId, caller: ParticipantId) -> Option<(&Preparation, Duty)> {
        let ahead = self.job(job).and_then(JobState::ahead)?;
        ahead.duty_of(caller).map(|duty| (ahead, duty))
    }

    /// How many reveals the round in progress of a job wants now that fewer opened nothing.
    pub fn reveals_wanted_again(&self, job: &JobId) -> Option<usize> {
        match self.job(job)?.round()?.round.phase() {
            Phase::Revealing(phase) => phase.wanted_again(),
            _ => None,
        }
    }

    /// Why this round was abandoned, with who declined it and why; none where it was not. Of a job that is over only the last
    /// is known.
    pub fn why_abandoned(&self, job: &JobId, id: RoundId) -> Option<&str> {
        let live = self.job(job).and_then(|job| job.why_abandoned(id));
        let ended = self.ended(job).and_then(|ended| ended.abandoned.as_ref());
        live.or_else(|| ended.filter(|(last, _)| *last == id).map(|(_, reason)| &**reason))
    }

    /// How a job ended, once it has.
    pub fn over(&self, job: &JobId) -> Option<&Over> {
        self.ended(job).map(|ended| &ended.over)
    }
}
