//! How fast this participant begins anew when nothing comes of it.
//!
//! Each preparation, each no, and each message that is said again is a row or more of the journal for ever. A coordinator
//! that asks for one after the other and never has an update encrypted could fill the disk in an afternoon; so could one
//! that only errs.

use std::time::Duration;

/// Counts what came to nothing since the last update.
#[derive(Debug, Default)]
pub(super) struct Pace {
    fruitless: u32,
}

impl Pace {
    /// An update was encrypted or shared: all that went before was worth it.
    pub(super) fn came_to_something(&mut self) {
        self.fruitless = 0;
    }

    /// Waits before a preparation is begun, a no is said, or something is said again, where much before it came to
    /// nothing.
    pub(super) async fn slow_down(&mut self) {
        self.fruitless = self.fruitless.saturating_add(1);
        let pause = self.pause();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }

    /// None for as many as a hard night with many restarts takes, then longer and longer.
    fn pause(&self) -> Duration {
        (STEP * self.fruitless.saturating_sub(AT_ONCE)).min(LONGEST)
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
        let mut pace = Pace::default();
        let mut pause = |fruitless| {
            pace.fruitless = fruitless;
            pace.pause().as_millis()
        };
        assert_eq!([0, 1, 64, 65, 74, 164, u32::MAX].map(&mut pause), [0, 0, 0, 10, 100, 1_000, 1_000]);
        pace.came_to_something();
        assert_eq!(pace.pause(), Duration::ZERO);
    }
}
