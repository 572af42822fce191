//! An instant, on the wall and in this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Spent;

#[derive(Clone, Copy)]
pub(crate) struct Moment {
    wall: Instant,
    processor: Duration,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let processor = clock_gettime(ClockId::ProcessCPUTime);
        let processor = Duration::new(processor.tv_sec as u64, processor.tv_nsec as u32);
        Self { wall: Instant::now(), processor }
    }

    /// What was spent from `earlier` until this.
    pub(crate) fn since(self, earlier: Self) -> Spent {
        Spent { wall: self.wall - earlier.wall, processor: self.processor - earlier.processor }
    }
}
