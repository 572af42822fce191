//! Who is connected.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use syndic_round::ParticipantId;

use super::{Coordinator, Inner};
use crate::event::Event;

/// A connected participant; dropped when its connection ends.
pub struct Attached {
    inner: Arc<Inner>,
    id: ParticipantId,
    name: String,
}

impl Coordinator {
    /// Counts a connection of `id` until the guard is dropped.
    pub fn attach(&self, id: ParticipantId, name: String) -> Attached {
        *self.inner.lock_present().entry(id).or_default() += 1;
        self.inner.tell(Event::Connection { participant: name.clone(), connected: true });
        self.inner.tick();
        Attached { inner: self.inner.clone(), id, name }
    }

    /// Waits until no participant is connected, at most `longest`.
    pub async fn all_gone(&self, longest: Duration) {
        let mut changed = self.changes();
        let gone = async {
            while !self.inner.lock_present().is_empty() {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        // Whoever stays longer hears of the end from the ledger.
        let _ = tokio::time::timeout(longest, gone).await;
    }
}

impl Inner {
    pub(super) fn lock_present(&self) -> MutexGuard<'_, BTreeMap<ParticipantId, usize>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        {
            let mut present = self.inner.lock_present();
            if let Some(count) = present.get_mut(&self.id) {
                *count -= 1;
                if *count == 0 {
                    present.remove(&self.id);
                }
            }
        }
        self.inner.tell(Event::Connection { participant: self.name.clone(), connected: false });
        self.inner.tick();
    }
}
