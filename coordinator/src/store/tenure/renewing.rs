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
        let theirs = renewed.expires.0.saturating_sub(TTL.as_millis() as u64);
        let off = off_by(theirs, clock::now().0, took);
        match (off.is_zero(), std::mem::replace(&mut self.is_off, !off.is_zero())) {
            (false, false) => warn!(
                seconds = off.as_secs(),
                "this host's clock is not the database's: deadlines of rounds pass too early or too late here; set it right"
            ),
            (true, true) => info!("this host's clock is the database's again"),
            _ => {}
        }
    }

    fn tell_cut(&self, lease: &str) {
        if !self.cut.send_replace(true) {
            warn!(lease, "the lease was not renewed in time: others take this coordinator for dead");
        }
    }
}

/// How far a clock that shows `ours` is off one that showed `theirs` at some moment in the time that it `took` to ask it, all in
/// milliseconds; nothing where that is less than clocks that are kept right differ by.
fn off_by(theirs: u64, ours: u64, took: Duration) -> Duration {
    let earliest = ours.saturating_sub(took.as_millis() as u64);
    let off = Duration::from_millis(earliest.saturating_sub(theirs).max(theirs.saturating_sub(ours)));
    if off < TOLERATED { Duration::ZERO } else { off }
}

const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Between two clocks.
const TOLERATED: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_differ_where_the_time_that_an_answer_took_does_not_explain_it() {
        let (second, minute) = (1_000, 60_000);
        let at_once = Duration::ZERO;
        assert_eq!(off_by(10 * minute, 10 * minute, at_once), Duration::ZERO);
        assert_eq!(off_by(10 * minute, 10 * minute + 4 * second, at_once), Duration::ZERO, "as clocks do");
        assert_eq!(off_by(10 * minute, 12 * minute, at_once), Duration::from_secs(120), "ahead");
        assert_eq!(off_by(12 * minute, 10 * minute, at_once), Duration::from_secs(120), "behind");
        let slow = Duration::from_secs(30);
        assert_eq!(off_by(10 * minute, 10 * minute + 30 * second, slow), Duration::ZERO, "it was on its way");
        assert_eq!(off_by(10 * minute, 11 * minute, slow), Duration::from_secs(30), "at least");
    }
}
