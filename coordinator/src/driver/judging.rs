//! What would be refused, asked before anything is stored for it.

use syndic_round::coordinator::Input;
use syndic_round::message::{Header, Kind};
use syndic_round::{JobId, ParticipantId, Place, Rejection, RoundId, Signed};

use super::hearing::decide;
use super::{Coordinator, CoordinatorError, State};
use crate::clock;

impl Coordinator {
    /// Whether the round or preparation would take this input now, and change by it. Asked before anything is stored for it.
    ///
    /// # Errors
    /// [`CoordinatorError::Rejected`] where it would be refused.
    pub async fn would_hear(
        &self,
        job: &JobId,
        place: impl Into<Place>,
        input: Input,
    ) -> Result<bool, CoordinatorError> {
        let place = place.into();
        let decided = {
            let mut state = self.inner.state.lock().await;
            let decide =
                |state: &State| Ok(decide(&state.engine.draft(job, place), clock::now(), &input)?.is_some());
            self.inner.current(&mut state, decide).await
        };
        match decided {
            Err(CoordinatorError::Rejected(rejection)) => {
                Err(self.refused(job, place, input.message(), rejection).await)
            }
            decided => decided,
        }
    }

    /// Counts an upload that `from` begins, or goes on with, in the round in progress.
    pub async fn upload_begins(&self, job: &JobId, from: ParticipantId) {
        self.inner.state.lock().await.upload_begins(job, from);
    }

    /// Judges an upload's header before its body is read. None where the very same was accepted before.
    ///
    /// # Errors
    /// [`CoordinatorError::Rejected`] where it is refused.
    pub async fn judge_header(
        &self,
        job: &JobId,
        id: RoundId,
        signed: &Signed,
    ) -> Result<Option<Header>, CoordinatorError> {
        let judged = {
            let mut state = self.inner.state.lock().await;
            let judge = |state: &State| {
                let open = state.engine.open_round(job, id).ok_or(Rejection::Over)?;
                Ok(open.round.judge_header(clock::now(), signed)?)
            };
            self.inner.current(&mut state, judge).await
        };
        match judged {
            Err(CoordinatorError::Rejected(rejection)) => {
                Err(self.refused(job, id.into(), Some((Kind::Header, signed)), rejection).await)
            }
            judged => judged,
        }
    }

    /// The error of a refused message, once what it gives evidence of is on record.
    async fn refused(
        &self,
        job: &JobId,
        place: Place,
        message: Option<(Kind, &Signed)>,
        rejection: Rejection,
    ) -> CoordinatorError {
        let Some((kind, signed)) = message.filter(|_| matches!(rejection, Rejection::Equivocated { .. }))
        else {
            return rejection.into();
        };
        let (inner, job, signed) = (self.inner.clone(), job.clone(), signed.clone());
        // A task of its own, as in `hear`.
        let kept = tokio::spawn(async move {
            let mut state = inner.state.lock().await;
            inner.keep_evidence(&mut state, &job, place, kind, &signed).await
        });
        match kept.await {
            Ok(Ok(())) => rejection.into(),
            Ok(Err(error)) => error,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The process is ending.
            Err(_) => CoordinatorError::Stopped,
        }
    }
}
