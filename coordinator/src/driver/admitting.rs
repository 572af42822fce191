//! Who is let in and what members were refused, on record.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{Coordinator, CoordinatorError, State};
use crate::fact::{AdmissionChanged, Fact, MOST_REVOKED};
use crate::refusals::Refusals;
use crate::tls::Terms;

impl Coordinator {
    /// Puts on record whom the terms let in, now and whenever they are replaced. Ends with the terms.
    pub async fn record_admission(&self, mut terms: watch::Receiver<Arc<Terms>>) {
        loop {
            let now = terms.borrow_and_update().clone();
            if let Err(error) = self.note_admission(&now).await {
                warn!(code = error.code(), %error, "who is let in from now on is not on record");
            }
            if terms.changed().await.is_err() {
                return;
            }
        }
    }

    /// Puts on record whom these terms let in, unless it is there already.
    ///
    /// # Errors
    /// What the store can meet.
    pub async fn note_admission(&self, terms: &Terms) -> Result<(), CoordinatorError> {
        let now = terms.on_record();
        let note = |state: &State, _| {
            let (before, known) = state.engine.admission();
            if before.cloned().unwrap_or_default() == now {
                return Ok(Vec::new());
            }
            let revoked = terms.revoked().filter(|one| !known.contains(&one.serial));
            let mut newly_revoked: Vec<_> = revoked.collect();
            let further = newly_revoked.len().saturating_sub(MOST_REVOKED) as u64;
            newly_revoked.truncate(MOST_REVOKED);
            let (now, before) = (now.clone(), before.cloned());
            let changed = AdmissionChanged { now, before, newly_revoked, further };
            Ok(vec![Fact::AdmissionChanged(Box::new(changed))])
        };
        let mut state = self.inner.state.lock().await;
        // If we crash here the lists are in force and not on record; the next start puts them there.
        self.inner.decided(&mut state, None, note).await.map(drop)
    }

    /// Puts on record what members are refused, never more than one entry of each in a minute; never ends.
    pub async fn record_refusals(&self, refusals: &Refusals) {
        loop {
            refusals.until_due().await;
            self.store_refusals(refusals, |refusals| refusals.due(Instant::now())).await;
        }
    }

    /// Puts on record what is not yet; for when the coordinator ends.
    pub async fn record_last_refusals(&self, refusals: &Refusals) {
        // Whoever drove the jobs may have been dropped in the middle of an append.
        let settled = {
            let mut state = self.inner.state.lock().await;
            self.inner.settle(&mut state).await
        };
        if settled.is_ok() {
            self.store_refusals(refusals, Refusals::all).await;
        }
    }

    async fn store_refusals(
        &self,
        refusals: &Refusals,
        take: impl Fn(&Refusals) -> Vec<crate::fact::Refused>,
    ) {
        let mut state = self.inner.state.lock().await;
        let refused = take(refusals);
        let facts: Vec<Fact> = refused.iter().cloned().map(Fact::Refused).collect();
        if facts.is_empty() {
            return;
        }
        // If we crash here up to a minute of refusals is in the log output only.
        if let Err(error) = self.inner.decided(&mut state, None, |_, _| Ok(facts.clone())).await {
            debug!(code = error.code(), %error, "refusals are not on record yet");
            refusals.again(refused);
        }
    }
}
