//! Renewing a lease as long as it is held, and telling when that does not succeed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Held, TTL};
use crate::clock;
use crate::store::{Lease, StoreError};

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
    /// Whether it was said that the clocks differ.
    pub(super) is_off: bool,
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
                Ok(renewed) => {
                    self.compare_clocks(&renewed, begun.elapsed());
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

    /// Says when this host's clock is not the store's, by which the other hosts go as far as they keep time: phases end by it.
    /// `renewed` was asked for so long ago.
    fn compare_clocks(&mut self, renewed: &Lease, took: Duration) {
        // Once for the whole process, which has further leases for its jobs.
        if self.held.ledger.is_none() {
            return;
        }
        let theirs = renewed.expires.0.saturating_sub(TTL.as_millis() as u64);
        let off = Off::by(theirs, clock::now().0, took);
        if !self.is_off && off.at_least >= WRONG {
            warn!(
                seconds = off.at_least.as_secs(),
                "this host's clock is not the database's: deadlines of rounds pass too early or too late here; set it right"
            );
            self.is_off = true;
        } else if self.is_off && off.at_most <= RIGHT {
            info!("this host's clock is the database's again");
            self.is_off = false;
        }
    }

    fn tell_cut(&self, lease: &str) {
        if !self.cut.send_replace(true) {
            warn!(lease, "the lease was not renewed in time: others take this coordinator for dead");
        }
    }
}

/// How far two clocks are off one another, as far as one can tell that was asked over a network.
#[derive(Debug, PartialEq, Eq)]
struct Off {
    at_least: Duration,
    at_most: Duration,
}

impl Off {
    /// Of a clock that shows `ours` now, and one that showed `theirs` at some moment in the time that it `took` to ask it; both in
    /// milliseconds.
    fn by(theirs: u64, ours: u64, took: Duration) -> Self {
        let earliest = ours.saturating_sub(took.as_millis() as u64);
        let at_least = earliest.saturating_sub(theirs).max(theirs.saturating_sub(ours));
        let at_most = theirs.abs_diff(earliest).max(theirs.abs_diff(ours));
        Self { at_least: Duration::from_millis(at_least), at_most: Duration::from_millis(at_most) }
    }
}

const RENEW_EVERY: Duration = Duration::from_secs(5);
/// From this difference on clocks are said to differ,
const WRONG: Duration = Duration::from_secs(5);
/// and up to this one to agree again.
const RIGHT: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    fn off(theirs: u64, ours: u64, took: u64) -> (u64, u64) {
        let Off { at_least, at_most } = Off::by(theirs * 1_000, ours * 1_000, Duration::from_secs(took));
        (at_least.as_secs(), at_most.as_secs())
    }

    #[test]
    fn clocks_differ_where_the_time_that_an_answer_took_does_not_explain_it() {
        assert_eq!(off(600, 600, 0), (0, 0));
        assert_eq!(off(600, 720, 0), (120, 120), "ahead");
        assert_eq!(off(720, 600, 0), (120, 120), "behind");
        assert_eq!(off(600, 630, 30), (0, 30), "it may have been on its way all the time");
        assert_eq!(off(600, 660, 30), (30, 60));
        assert_eq!(off(660, 600, 30), (60, 90));
    }
}
