//! The end of a job that described rows, and the document that it is about.

use syndic_learning::StatisticsFigures;
use syndic_round::{Digest, JobId};
use tracing::warn;

use super::{Coordinator, CoordinatorError};
use crate::engine::Over;
use crate::fact::{Fact, JobDescribed};
use crate::store::{Lease, StoreError};

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
        let state = self.inner.state.lock().await;
        let Some((attendance, agreement)) =
            state.engine.job(job).map(|job| (job.attendance().clone(), job.terms.agreement))
        else {
            // Stopped since it was looked at.
            return Ok(());
        };
        let document = figures.document(job, agreement);
        let document = document.map_err(|error| CoordinatorError::Ledger(error.to_string()))?;
        // If we crash here the document is stored but on no record; the same bytes are stored again.
        self.inner.blobs.put(&document).await?;
        let fact = Fact::JobDescribed(Box::new(JobDescribed::of(job, &document, figures, attendance)));
        // If we crash here nothing was concluded; the same document follows from the sum again.
        self.end(state, job, &[fact], lease).await
    }

    /// The document of a job that described rows, as it is on record: what is stored, and nothing else. Where that is lost it follows
    /// from the sum anew, unless this program would write other words; none then, nor where the job described nothing.
    ///
    /// # Errors
    /// [`CoordinatorError::Store`].
    pub async fn statistics(&self, job: &JobId) -> Result<Option<Vec<u8>>, CoordinatorError> {
        let (digest, agreement, figures) = {
            let state = self.inner.state.lock().await;
            let Some(ended) = state.engine.ended(job) else { return Ok(None) };
            let Over::Described(digest) = ended.over else { return Ok(None) };
            (digest, ended.agreement, ended.described.clone())
        };
        match self.inner.blobs.read(digest).await {
            Err(StoreError::Absent { .. } | StoreError::Corrupt { .. }) => {}
            read => return Ok(Some(read?)),
        }
        let again = figures.and_then(|figures| figures.document(job, agreement).ok());
        let Some(document) = again.filter(|document| Digest::of(document) == digest) else {
            warn!(%job, document = %digest, "the statistics on record are not stored, and this program finds no such document");
            return Ok(None);
        };
        // If we crash here nothing is stored; it is found again.
        self.inner.blobs.put(&document).await?;
        Ok(Some(document))
    }
}
