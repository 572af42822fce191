//! How fast this participant begins anew when nothing comes of it.
//!
//! Each preparation, each no, and each message that is said again is a row or more of the journal for ever. A coordinator
//! that asks for one after the other and never has an update encrypted could fill the disk in an afternoon; so could one
//! that only errs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Counts what came to nothing since the last update, in whatever job.
#[derive(Debug, Default)]
pub(super) struct Pace {
    fruitless: AtomicU32,
}

impl Pace {
    /// An update was encrypted or shared: all that went before was worth it.
    pub(super) fn came_to_something(&self) {
        self.fruitless.store(0, Ordering::Relaxed);
    }

    /// Waits before a preparation is begun, a no is said, or something is said again, where much before it came to
    /// nothing.
    pub(super) async fn slow_down(&self) {
        let more = |fruitless: u32| Some(fruitless.saturating_add(1));
        // It always adds one.
        let _ = self.fruitless.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        let pause = self.pause();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }

    /// None for as many as a hard night with many restarts takes, then longer and longer.
    fn pause(&self) -> Duration {
        (STEP * self.fruitless.load(Ordering::Relaxed).saturating_sub(AT_ONCE)).min(LONGEST)
    }
}

const AT_ONCE: u32 = 64;
const STEP: Duration = Duration::from_millis(10);
/// Some hundred thousand rows in a day.
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_participant_takes_its_time_once_much_came_to_nothing_and_none_after_an_update() {
        let pace = Pace::default();
        let pause = |fruitless| {
            pace.fruitless.store(fruitless, Ordering::Relaxed);
            pace.pause().as_millis()
        };
        assert_eq!([0, 1, 64, 65, 74, 164, u32::MAX].map(pause), [0, 0, 0, 10, 100, 1_000, 1_000]);
        pace.came_to_something();
        assert_eq!(pace.pause(), Duration::ZERO);
    }
}
