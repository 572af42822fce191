//! How a coordinator stops: the first SIGTERM or SIGINT drains it, the second ends it at once.
//!
//! Nothing is lost either way, since the ledger is the state: draining is for those who are connected, whose calls end as they
//! would have, and who are told to connect again rather than left to find out.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// The signals that end a daemon.
pub struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

/// Whether the coordinator has begun to stop.
#[derive(Clone, Debug)]
pub struct Draining(watch::Receiver<bool>);

impl Termination {
    /// From now on these signals do not end the process by themselves.
    ///
    /// # Errors
    /// The system's reason.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the first signal, and lets everybody know through what is returned; the task ends at the second. Must be called
    /// on a tokio runtime.
    pub fn watch(mut self, longest: Duration) -> (Draining, JoinHandle<()>) {
        let (begin, begun) = watch::channel(false);
        let second = tokio::spawn(async move {
            self.next().await;
            info!(
                ?longest,
                "stopping: nobody new is let in, and calls under way may end; a second signal ends at once"
            );
            begin.send_replace(true);
            self.next().await;
            warn!("ended at once");
        });
        (Draining(begun), second)
    }

    async fn next(&mut self) {
        let came = tokio::select! {
            came = self.terminate.recv() => came,
            came = self.interrupt.recv() => came,
        };
        if came.is_none() {
            std::future::pending().await
        }
    }
}

impl Draining {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it begins.
    pub async fn begun(mut self) {
        if self.0.wait_for(|begun| *begun).await.is_err() {
            std::future::pending().await
        }
    }
}
