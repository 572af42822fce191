//! The moments at which it makes a difference that a process dies: before and after each durable step.

#[cfg(feature = "tap")]
use std::sync::Arc;

/// Says at each moment, in the order in which they come, whether the process dies there: tests only, never in a shipped
/// binary.
#[cfg(feature = "tap")]
pub type Dies = Arc<dyn Fn() -> bool + Send + Sync>;

/// The moments of one journal; nothing happens at them but in a test.
#[derive(Clone, Default)]
pub(super) struct Moments {
    #[cfg(feature = "tap")]
    dies: Option<Dies>,
}

impl Moments {
    #[cfg(feature = "tap")]
    pub(super) fn of(dies: Dies) -> Self {
        Self { dies: Some(dies) }
    }

    /// What came before is durable as far as it is said to be, and what comes after it has not begun. Whoever dies here goes
    /// no further.
    pub(super) async fn pass(&self) {
        if self.is_last() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the process dies here, for whoever cannot wait for ever.
    #[cfg(feature = "tap")]
    pub(super) fn is_last(&self) -> bool {
        self.dies.as_ref().is_some_and(|dies| dies())
    }

    #[cfg(not(feature = "tap"))]
    pub(super) fn is_last(&self) -> bool {
        false
    }
}

impl std::fmt::Debug for Moments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Moments")
    }
}
