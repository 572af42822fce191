//! Renewing a lease as long as it is held, and telling when that does not succeed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Held, TTL};
use crate::store::StoreError;

/// How long a lease lasts, and how often it is renewed.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) lasts: Duration,
    pub(super) renew_every: Duration,
}

impl Pace {
    pub(super) const USUAL: Self = Self { lasts: TTL, renew_every: RENEW_EVERY };
}

/// A lease that is renewed, as long as it can be.
pub(super) struct Renewing {
    pub(super) held: Arc<Held>,
    pub(super) pace: Pace,
    /// When it is over for the others, if it is not renewed; by this host's clock, from before it was asked for.
    pub(super) lasts_until: Instant,
    pub(super) lose: watch::Sender<bool>,
    pub(super) cut: watch::Sender<bool>,
}

impl Renewing {
    pub(super) async fn run(mut self) {
        let lease = &*self.held.lease.lock().await.name.clone();
        loop {
            tokio::time::sleep(self.pace.renew_every).await;
            let begun = Instant::now();
            // Who does not answer is asked again: it may be the connection.
            let patience = self.lasts_until.saturating_duration_since(begun).max(self.pace.renew_every);
            let renewed = {
                let mut renewing = pin!(self.held.renew(patience));
                tokio::select! {
                    biased;
                    renewed = &mut renewing => renewed,
                    () = tokio::time::sleep_until(self.lasts_until) => {
                        self.tell_cut(lease);
                        renewing.await
                    }
                }
            };
            match renewed {
                Ok(()) => {
                    self.lasts_until = begun + self.pace.lasts;
                    if self.cut.send_replace(false) {
                        info!(lease, "the lease is held again");
                    }
                }
                Err(StoreError::Fenced { .. }) => {
                    self.lose.send_replace(true);
                    return;
                }
                Err(error) => {
                    warn!(%error, lease, "the lease could not be renewed; it is tried again");
                    if Instant::now() >= self.lasts_until {
                        self.tell_cut(lease);
                    }
                }
            }
        }
    }

    fn tell_cut(&self, lease: &str) {
        if !self.cut.send_replace(true) {
            warn!(lease, "the lease was not renewed in time: others take this coordinator for dead");
        }
    }
}

const RENEW_EVERY: Duration = Duration::from_secs(5);
