//! Hearing that something has changed, whichever process changed it.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::store::Stirs;

/// One connection that listens, for all who wait in this process.
pub(super) struct Listening {
    told: watch::Receiver<()>,
    task: AbortHandle,
}

impl Listening {
    /// Listens from now on, until this is dropped.
    pub(super) fn begin(pool: &PgPool, channel: &str) -> Self {
        let (tell, told) = watch::channel(());
        let task = tokio::spawn(listen(pool.clone(), channel.to_owned(), tell)).abort_handle();
        Self { told, task }
    }

    /// One more who wants to hear.
    pub(super) fn stirs(&self) -> impl Stirs + use<> {
        Told(self.told.clone())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Changes whenever the store may have.
struct Told(watch::Receiver<()>);

#[async_trait]
impl Stirs for Told {
    /// A notice can be lost with its connection, so that a look now and then is the safety net.
    async fn next(&mut self) {
        let told = async {
            if self.0.changed().await.is_err() {
                // The store is gone, and nobody will look at it.
                std::future::pending().await
            }
        };
        let _ = tokio::time::timeout(LOOK_NOW_AND_THEN, told).await;
    }
}

async fn listen(pool: PgPool, channel: String, tell: watch::Sender<()>) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(&channel).await.is_ok()
        {
            // Now and after each reconnection too: what was changed while nobody listened was not heard.
            tell.send_replace(());
            while listener.try_recv().await.is_ok() {
                tell.send_replace(());
            }
        }
        tokio::time::sleep(BEFORE_LISTENING_AGAIN).await;
    }
}

const LOOK_NOW_AND_THEN: Duration = Duration::from_secs(5);
const BEFORE_LISTENING_AGAIN: Duration = Duration::from_secs(1);
