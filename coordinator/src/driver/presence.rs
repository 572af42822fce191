//! Who is connected, and who has heard that the job is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use syndic_round::{ParticipantId, Timestamp};

use super::{Coordinator, Inner};
use crate::clock;
use crate::event::Event;

/// Who is there, and who need not come back.
#[derive(Default)]
pub(super) struct Presence {
    /// Connections of each participant; none of nobody.
    connections: BTreeMap<ParticipantId, Connected>,
    /// Who was told that the job is over.
    dismissed: BTreeSet<ParticipantId>,
}

/// How long a participant has been there, and what it says it holds. Hints for what to do next, no more: nothing that
/// counts depends on them.
#[derive(Clone, Copy)]
struct Connected {
    connections: usize,
    since: Timestamp,
    /// The newest preparation whose keys it holds: by its own word when it came, or by its acknowledgement.
    holding: u64,
}

impl Presence {
    pub(super) fn is_connected(&self, id: ParticipantId) -> bool {
        self.connections.contains_key(&id)
    }

    /// It has acknowledged the shares of the preparation with this number.
    pub(super) fn holds(&mut self, id: ParticipantId, number: u64) {
        self.connections.entry(id).and_modify(|it| it.holding = number);
    }

    /// Whether it is there, and could not take part in the preparation with this number, which was begun at `begun`, or
    /// has lost its keys since.
    pub(super) fn has_missed(&self, id: ParticipantId, number: u64, begun: Timestamp) -> bool {
        self.connections.get(&id).is_some_and(|it| it.since > begun && it.holding != number)
    }
}

/// A connected participant; dropped when its connection ends.
pub struct Attached {
    inner: Arc<Inner>,
    id: ParticipantId,
    name: String,
}

impl Coordinator {
    /// Counts a connection of `id`, which says that it holds the keys of preparation `holding`, until the guard is
    /// dropped.
    pub fn attach(&self, id: ParticipantId, name: String, holding: u64) -> Attached {
        let came = Connected { connections: 0, since: clock::now(), holding };
        self.inner.lock_present().connections.entry(id).or_insert(came).connections += 1;
        self.inner.tell(Event::Connection { participant: name.clone(), connected: true });
        self.inner.tick();
        Attached { inner: self.inner.clone(), id, name }
    }

    /// Notes that `id` was told of the job's end.
    pub(crate) fn dismiss(&self, id: ParticipantId) {
        self.inner.lock_present().dismissed.insert(id);
        self.inner.tick();
    }

    /// Waits until every member was told of the job's end and is gone, at most `longest`. After a restart they
    /// must first come back.
    pub async fn all_gone(&self, longest: Duration) {
        let mut changed = self.changes();
        let roster = self.roster().await;
        let gone = async {
            loop {
                changed.borrow_and_update();
                let all_gone = {
                    let present = self.inner.lock_present();
                    let told = roster.roster().members.iter().all(|m| present.dismissed.contains(&m.id));
                    told && present.connections.is_empty()
                };
                if all_gone || changed.changed().await.is_err() {
                    return;
                }
            }
        };
        // Whoever stays longer hears of the end from the ledger.
        let _ = tokio::time::timeout(longest, gone).await;
    }
}

impl Inner {
    pub(super) fn lock_present(&self) -> MutexGuard<'_, Presence> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        {
            let mut present = self.inner.lock_present();
            if let Some(connected) = present.connections.get_mut(&self.id) {
                connected.connections -= 1;
                if connected.connections == 0 {
                    present.connections.remove(&self.id);
                }
            }
        }
        self.inner.tell(Event::Connection { participant: self.name.clone(), connected: false });
        self.inner.tick();
    }
}
