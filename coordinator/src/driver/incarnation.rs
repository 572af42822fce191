//! Which of the processes that were started on the ledger this one is, and when it began and ended, on record.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{info, warn};

use super::{Coordinator, CoordinatorError, Inner, State};
use crate::fact::{Fact, Started, Stopped};
use crate::instance::Instance;

/// This process.
pub(super) struct Incarnation {
    instance: Instance,
    /// Its number among those that were started on the ledger, from 1; 0 until it is on record.
    number: AtomicU64,
}

impl Incarnation {
    pub(super) fn of(instance: Instance) -> Self {
        Self { instance, number: AtomicU64::new(0) }
    }

    /// What its entries name as their source.
    pub(super) fn source(&self, federation: &str) -> String {
        match self.number.load(Ordering::Relaxed) {
            0 => format!("coordinator/{federation}"),
            number => format!("coordinator/{federation}/{number}"),
        }
    }
}

impl Inner {
    /// Puts on record that this process works on the ledger from now on, before it does anything else there.
    pub(super) async fn record_start(&self, state: &mut State) -> Result<(), CoordinatorError> {
        let Incarnation { instance, number } = &self.incarnation;
        let start = |state: &State, _| {
            let incarnation = state.engine.incarnations() + 1;
            number.store(incarnation, Ordering::Relaxed);
            let started = Started { incarnation, instance: instance.clone() };
            Ok(vec![Fact::CoordinatorStarted(Box::new(started))])
        };
        // If we crash here nothing says that this process was there, and it has done nothing.
        self.decided(state, None, start).await?;
        let incarnation = number.load(Ordering::Relaxed);
        info!(
            incarnation,
            instance = instance.id,
            version = instance.software.version,
            "on record as started"
        );
        Ok(())
    }
}

impl Coordinator {
    /// Puts on record that this process ends in order, and why. Where the store takes nothing there is no such entry, as after a
    /// crash.
    pub async fn record_stop(&self, reason: &str) {
        let mut state = self.inner.state.lock().await;
        let incarnation = self.inner.incarnation.number.load(Ordering::Relaxed);
        let fact = Fact::CoordinatorStopped(Stopped { incarnation, reason: reason.into() });
        // Whoever drove the jobs may have been dropped in the middle of an append.
        let recorded = match self.inner.settle(&mut state).await {
            // If we crash here the ledger does not say that it ended in order, and nothing else is missing.
            Ok(()) => self.inner.decided(&mut state, None, |_, _| Ok(vec![fact.clone()])).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = recorded {
            warn!(code = error.code(), %error, "that it stops is not on record");
            return;
        }
        self.inner.verified.note(state.record.history().tree(), &self.inner.ledger_key).await;
    }
}
