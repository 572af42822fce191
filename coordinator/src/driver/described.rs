//! The end of a job that described rows.

use syndic_learning::StatisticsFigures;
use syndic_round::JobId;

use super::{Coordinator, CoordinatorError};
use crate::clock;
use crate::event::Event;
use crate::fact::{Fact, JobDescribed};
use crate::store::Lease;

impl Coordinator {
    /// Puts on record which document describes the rows.
    ///
    /// # Errors
    /// [`CoordinatorError`].
    pub(super) async fn describe(
        &self,
        job: &JobId,
        figures: &StatisticsFigures,
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        let Some((attendance, agreement)) =
            state.engine.job(job).map(|job| (job.attendance().clone(), job.terms.agreement))
        else {
            // Stopped since it was looked at.
            return Ok(());
        };
        let document = figures.document(job, agreement);
        let document = document.map_err(|error| CoordinatorError::Ledger(error.to_string()))?;
        let fact = Fact::JobDescribed(Box::new(JobDescribed::of(job, &document, figures, attendance)));
        // If we crash here nothing was concluded; the same document follows from the sum again.
        self.inner.record(&mut state, clock::now(), std::slice::from_ref(&fact), None, lease).await?;
        let (rounds, warnings) = (0, state.engine.warnings(job));
        self.inner.tell(job, Event::JobCompleted { job: job.to_string(), rounds, warnings });
        Ok(())
    }
}
