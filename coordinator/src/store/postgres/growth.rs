//! Hearing that the log has grown, from whichever process appended.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// One connection that listens, for all who wait in this process.
pub(super) struct Growth {
    told: watch::Receiver<()>,
    listening: AbortHandle,
}

impl Growth {
    /// Listens from now on, until this is dropped.
    pub(super) fn listen(pool: &PgPool, channel: &str) -> Self {
        let (tell, told) = watch::channel(());
        let listening = tokio::spawn(listen(pool.clone(), channel.to_owned(), tell)).abort_handle();
        Self { told, listening }
    }

    /// Changes whenever the log may have grown.
    pub(super) fn told(&self) -> watch::Receiver<()> {
        self.told.clone()
    }

    /// Returns when the log is worth a look. A notice can be lost with its connection, so that a look now and then
    /// is the safety net.
    pub(super) async fn wait(told: &mut watch::Receiver<()>) {
        tokio::select! {
            // The sender lives as long as the log whose method waits here.
            _ = told.changed() => {}
            () = tokio::time::sleep(LOOK_NOW_AND_THEN) => {}
        }
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(pool: PgPool, channel: String, tell: watch::Sender<()>) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(&channel).await.is_ok()
        {
            // Now and after each reconnection too: what was appended while nobody listened was not heard.
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
