//! The end of jobs that train nothing.

use syndic_round::{JobId, Timestamp};

use super::places::Places;
use super::{Audit, AuditError, holds};
use crate::engine::Attendance;
use crate::fact::{JobCompared, JobDescribed};

impl Audit {
    pub(super) fn compared(
        &mut self,
        (index, now): (u64, Timestamp),
        compared: &JobCompared,
    ) -> Result<(), AuditError> {
        let places = self.without_model((index, now), &compared.job, &compared.attendance)?;
        holds(index, "what a job compares", places.compared(&compared.found))
    }

    pub(super) fn described(
        &mut self,
        (index, now): (u64, Timestamp),
        described: &JobDescribed,
    ) -> Result<(), AuditError> {
        let places = self.without_model((index, now), &described.job, &described.attendance)?;
        holds(index, "what a job describes", places.described(described.columns, described.noise))
    }

    /// A job is over and has released nothing. What a program made of its sum is not played again: it takes the sum itself.
    fn without_model(
        &mut self,
        (index, now): (u64, Timestamp),
        job: &JobId,
        attendance: &Attendance,
    ) -> Result<Places, AuditError> {
        self.kept.ended(job, now);
        self.registry.ended(job);
        let ended = self.jobs.remove(job).filter(|job| job.round.is_none());
        let ended = ended.ok_or(AuditError::Differs { index, what: "the end of a job" })?;
        holds(index, "who is in the sums of a job", *attendance == ended.attendance)?;
        Ok(ended.places)
    }
}
