//! The one place where the service reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use syndic_round::Timestamp;

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
