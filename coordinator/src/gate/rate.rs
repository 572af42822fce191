//! How often is too often.

use std::time::{Duration, Instant};

use crate::limits::Rate;

/// A token bucket, kept as the moment at which it will be full again (the generic cell rate algorithm): nothing has to be
/// filled up as time goes by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes one, or says how long to wait for it.
    pub(super) fn take(&mut self, Rate { burst, per_second }: Rate, now: Instant) -> Result<(), Duration> {
        let one = Duration::from_secs(1) / per_second.max(1);
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + one;
        let owed = full_at - now;
        let most = one * burst.max(1);
        if owed > most {
            return Err(owed - most);
        }
        self.full_at = Some(full_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let (rate, start) = (Rate { burst: 3, per_second: 10 }, Instant::now());
        let mut bucket = Bucket::default();
        let mut take = |millis| bucket.take(rate, start + Duration::from_millis(millis));
        let (good, wait) = (Ok(()), |millis| Err(Duration::from_millis(millis)));
        assert_eq!([take(0), take(0), take(0), take(0)], [good, good, good, wait(100)]);
        assert_eq!([take(60), take(100), take(100)], [wait(40), good, wait(100)]);
        assert_eq!([take(10_000), take(10_000), take(10_000), take(10_000)], [good, good, good, wait(100)]);
    }
}
