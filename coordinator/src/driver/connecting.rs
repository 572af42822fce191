//! How participants connect, on record whenever it changes.

use tracing::warn;

use super::{Coordinator, CoordinatorError, State};
use crate::fact::{Connected, Fact};

impl Coordinator {
    /// Puts on record how a participant is connected, unless it is there already. It is told nothing before that. While the
    /// store takes nothing it is let in all the same: it reads, and what it says waits for the store anyhow.
    pub async fn note_connected(&self, connected: Connected) {
        let inner = self.inner.clone();
        // A task of its own: a caller that hangs up must not leave an append without its answer.
        let noted = tokio::spawn(async move {
            let mut state = inner.state.lock().await;
            if state.stopped {
                return Ok(());
            }
            let note = |state: &State, now| {
                let is_news = state.engine.is_news(now, &connected);
                Ok(is_news.then(|| Fact::Connected(Box::new(connected.clone()))).into_iter().collect())
            };
            // If we crash here it is not on record, and the participant connects again.
            inner.decided(&mut state, None, note).await.map(drop)
        });
        match noted.await {
            Ok(Ok(()) | Err(CoordinatorError::Stopped)) => {}
            Ok(Err(error)) => {
                warn!(code = error.code(), %error, "how a participant is connected is not on record")
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The process is ending.
            Err(_) => {}
        }
    }
}
