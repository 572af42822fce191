//! The end of a job that trained nothing.

use syndic_learning::Findings;
use syndic_ledger::Entry;
use syndic_round::JobId;
use tokio::sync::MutexGuard;

use super::{Coordinator, CoordinatorError, State};
use crate::clock;
use crate::event::Event;
use crate::fact::{Fact, JobCompared, JobDrift};
use crate::store::Lease;

impl Coordinator {
    /// Puts on record what a job found about released models.
    pub(super) async fn conclude(
        &self,
        job: &JobId,
        found: &Findings,
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        let state = self.inner.state.lock().await;
        let Some(attendance) = state.engine.job(job).map(|job| job.attendance().clone()) else {
            // Stopped since it was looked at.
            return Ok(());
        };
        let drift = found.rows().map(|record| Fact::JobDrift(Box::new(JobDrift::of_released(job, record))));
        let end = Fact::JobCompared(Box::new(JobCompared::of(job, found, attendance)));
        let facts: Vec<Fact> = drift.into_iter().chain([end]).collect();
        // If we crash here nothing was concluded; the same figures follow from the sum again.
        self.end(state, job, &facts, lease).await
    }

    /// Puts on record how a job ended that trained nothing; where the ledger takes no entry of that length, that it came to nothing.
    pub(super) async fn end(
        &self,
        mut state: MutexGuard<'_, State>,
        job: &JobId,
        facts: &[Fact],
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        match self.inner.record(&mut state, clock::now(), facts, None, lease).await {
            Err(CoordinatorError::EntryTooLong(bytes)) => {
                drop(state);
                // It would be as long at every further attempt.
                self.abandon(job, too_long(bytes), lease).await
            }
            ended => {
                ended?;
                let (rounds, warnings) = (0, state.engine.warnings(job));
                self.inner.tell(job, Event::JobCompleted { job: job.to_string(), rounds, warnings });
                Ok(())
            }
        }
    }
}

/// Why a job is abandoned whose figures the ledger does not take.
fn too_long(bytes: usize) -> String {
    let most = Entry::MAX_BYTES;
    format!(
        "what it found takes {bytes} bytes on record, more than the {most} of an entry: take fewer columns, or several jobs"
    )
}
