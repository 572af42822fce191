//! What members may fetch.

use syndic_learning::Next;
use syndic_round::Digest;
use tracing::warn;

use super::{Coordinator, CoordinatorError};
use crate::engine::{Engine, JobState};
use crate::store::StoreError;

impl Coordinator {
    /// A blob that members may fetch: the files of jobs that are not over, weights and cards of models that are released, the questions of rounds in progress, and of closed
    /// rounds what their participants signed and the sum of the keys. None where it is not one of these. A question that is
    /// damaged or gone is made anew: it follows from the ledger.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be read to its end, or the blob cannot be read.
    pub async fn offered(&self, digest: Digest) -> Result<Option<Vec<u8>>, CoordinatorError> {
        if !self.is_public(digest).await? {
            return Ok(None);
        }
        let lost = match self.blobs().read(digest).await {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(lost) => lost,
        };
        let question = match &lost {
            StoreError::Corrupt { .. } | StoreError::Absent { .. } => {
                self.look(|engine| question(engine, digest)).await
            }
            _ => None,
        };
        let Some(question) = question else { return Err(lost.into()) };
        warn!(code = lost.code(), error = %lost, "a question is damaged; it is made anew");
        // If we crash here, or it cannot be stored, it is damaged still, and made anew for whoever asks next.
        if let Err(error) = self.blobs().put(&question).await {
            warn!(code = error.code(), %error, "a question that was made anew cannot be stored");
        }
        Ok(Some(question))
    }

    async fn is_public(&self, digest: Digest) -> Result<bool, CoordinatorError> {
        let is_public = |engine: &Engine| {
            engine.publishes(digest)
                || engine.registry().releases(digest)
                || engine.jobs().any(|job| job.terms.agreement == digest || asks(job, digest))
        };
        let mut state = self.inner.state.lock().await;
        if !is_public(&state.engine) {
            self.inner.catch_up(&mut state).await?;
        }
        Ok(is_public(&state.engine))
    }
}

/// Whether this is the question of the job's round in progress.
fn asks(job: &JobState, digest: Digest) -> bool {
    job.round().is_some_and(|open| open.round.plan().question == digest)
}

/// The question of a round in progress, as its program asks it.
fn question(engine: &Engine, digest: Digest) -> Option<Vec<u8>> {
    let Next::Ask(question) = engine.jobs().find(|job| asks(job, digest))?.pending() else { return None };
    question.to_bytes().ok().filter(|bytes| Digest::of(bytes) == digest)
}
