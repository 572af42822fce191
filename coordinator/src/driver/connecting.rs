//! How participants connect, on record whenever it changes.

use tracing::warn;

use super::{Coordinator, CoordinatorError};
use crate::clock;
use crate::fact::{Connected, Fact};

impl Coordinator {
    /// Puts on record how a participant is connected, unless it is there already. It is told nothing before that. While the
    /// store takes nothing it is let in all the same: it reads, and what it says waits for the store anyhow.
    pub async fn note_connected(&self, connected: Connected) {
        let inner = self.inner.clone();
        // A task of its own: a caller that hangs up must not leave an append without its answer.
        let noted = tokio::spawn(async move {
            let mut state = inner.state.lock().await;
            let now = clock::now();
            if state.stopped || !state.engine.is_news(now, &connected) {
                return Ok(());
            }
            let fact = Fact::Connected(Box::new(connected));
            // If we crash here it is not on record, and the participant connects again.
            inner.record(&mut state, now, std::slice::from_ref(&fact), None).await
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
