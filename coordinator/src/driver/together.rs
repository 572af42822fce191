//! Several replicas on one ledger. Each reads what the others have appended before it refuses anything, and decides again
//! where another was faster; what one of them alone may do, it does under a lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use syndic_round::coordinator::{Input, Phase};
use syndic_round::{JobId, Place, RoundId, Timestamp};
use tokio::sync::watch;
use tracing::error;

use super::replay::Stored;
use super::{Coordinator, CoordinatorError, Inner, State};
use crate::clock;
use crate::engine::Engine;
use crate::fact::Fact;
use crate::store::{Lease, Replica, StoreError};

impl Coordinator {
    /// Reads the ledger to its end. Alone, there is nothing that is not known.
    ///
    /// # Errors
    /// [`CoordinatorError`] when it cannot be read.
    pub async fn catch_up(&self) -> Result<(), CoordinatorError> {
        if self.inner.replica.is_none() {
            return Ok(());
        }
        let mut state = self.inner.state.lock().await;
        self.inner.catch_up(&mut state).await
    }

    /// Resolves while others take this replica for dead, since it is cut off from what they share: participants are better off with
    /// them. Never where there are no others.
    pub async fn cut_off(&self) {
        if let Some(replica) = &self.inner.replica
            && replica.cut_off().wait_for(|cut_off| *cut_off).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Hears of what other replicas do, and lets them know who is connected here, until the coordinator is gone.
    pub(super) fn keep_together(&self, replica: Arc<Replica>) {
        tokio::spawn(notice_cuts(Arc::downgrade(&self.inner), replica.cut_off()));
        tokio::spawn(keep_together(Arc::downgrade(&self.inner), replica, self.changes()));
    }
}

impl Inner {
    /// Lets count what other replicas have appended.
    pub(super) async fn catch_up(&self, state: &mut State) -> Result<(), CoordinatorError> {
        match self.replica {
            None => Ok(()),
            Some(_) if state.stopped => Err(CoordinatorError::Stopped),
            Some(_) => self.read_on(state).await,
        }
    }

    /// Lets count whatever is stored.
    pub(super) async fn read_on(&self, state: &mut State) -> Result<(), CoordinatorError> {
        let State { engine, record, tallies, .. } = state;
        let (size, mut preparing) = (record.history().size(), BTreeMap::new());
        let stored = Stored { log: &self.log, blobs: &self.blobs };
        let read = stored
            .catch_up(engine, record, |engine, fact| {
                if let Some(job) = ends(fact) {
                    tallies.remove(job);
                }
                self.follow(engine, fact, &mut preparing);
            })
            .await;
        if let Err(CoordinatorError::Store(error)) = &read {
            self.condition.met(error);
        }
        if record.history().size() > size {
            self.verified.note_at_times(record.history().tree(), &self.ledger_key);
            self.tick();
        }
        read
    }

    /// Takes the hints for what to do next from a fact that another replica has decided.
    fn follow(&self, engine: &Engine, fact: &Fact, preparing: &mut BTreeMap<JobId, RoundId>) {
        if let Some(job) = ends(fact) {
            self.lock_present().forget(job);
        }
        let Fact::Heard { job, place, input, .. } = fact else { return };
        let open = engine.open_round(job, place.round());
        if let Input::Acknowledge(signed) = input {
            let number = match place {
                Place::Ahead(number) => Some(*number),
                Place::Round(_) => open.map(|open| open.round.plan().terms.number),
            };
            if let Some(number) = number {
                self.lock_present().holds(signed.from, job, number);
            }
        }
        let Some(open) = open else { return };
        match open.round.phase() {
            Phase::Preparing(_) => drop(preparing.insert(job.clone(), open.round.plan().id)),
            Phase::Collecting(_) if preparing.remove(job) == Some(open.round.plan().id) => {
                self.note_the_silent(&open.round);
            }
            _ => {}
        }
    }

    /// What `look` finds: what it refuses by the state as it is known here it looks at again in the state as it is stored.
    pub(super) async fn current<T>(
        &self,
        state: &mut State,
        look: impl Fn(&State) -> Result<T, CoordinatorError>,
    ) -> Result<T, CoordinatorError> {
        match look(state) {
            Err(_) if self.replica.is_some() => {
                self.catch_up(state).await?;
                look(state)
            }
            looked => looked,
        }
    }

    /// Puts on record what `decide` makes of the state as it is stored and of the time that goes on record, and says what; nothing where
    /// there is nothing to do.
    pub(super) async fn decided(
        &self,
        state: &mut State,
        under: Option<&Lease>,
        decide: impl Fn(&State, Timestamp) -> Result<Vec<Fact>, CoordinatorError>,
    ) -> Result<Vec<Fact>, CoordinatorError> {
        loop {
            self.catch_up(state).await?;
            let now = clock::now();
            let facts = decide(state, now)?;
            if facts.is_empty() {
                return Ok(facts);
            }
            match self.record(state, now, &facts, None, under).await {
                Err(error) if self.was_overtaken(&error) => {}
                recorded => return recorded.map(|()| facts),
            }
        }
    }

    /// Whether nothing was stored only because another replica has appended something meanwhile.
    pub(super) fn was_overtaken(&self, error: &CoordinatorError) -> bool {
        self.replica.is_some() && matches!(error, CoordinatorError::Store(StoreError::Conflict { .. }))
    }

    /// Whom the others say they are connected to.
    async fn hear_of_others(&self, replica: &Replica) -> Result<(), StoreError> {
        let others = replica.others().await?;
        let elsewhere = others.into_iter().filter_map(|other| Some((other.holder, other.note?)));
        if self.lock_present().is_elsewhere(elsewhere) {
            self.tick();
        }
        if self.witnesses.lock().await.hear_of_others().await? {
            self.tick();
        }
        Ok(())
    }
}

/// The job that a fact ends.
pub(super) fn ends(fact: &Fact) -> Option<&JobId> {
    match fact {
        Fact::JobCompleted { job, .. } | Fact::JobAbandoned { job, .. } | Fact::JobStopped { job, .. } => {
            Some(job)
        }
        Fact::JobCompared(compared) => Some(&compared.job),
        Fact::JobDescribed(described) => Some(&described.job),
        _ => None,
    }
}

async fn keep_together(inner: Weak<Inner>, replica: Arc<Replica>, mut changed: watch::Receiver<u64>) {
    let (mut stirs, mut noted, mut is_told) = (replica.stirs(), None, false);
    loop {
        let has_stirred = tokio::select! {
            () = stirs.next() => true,
            changed = changed.changed() => if changed.is_ok() { false } else { return },
        };
        let Some(inner) = inner.upgrade() else { return };
        if has_stirred {
            // What fails is tried again at the next stir, and whoever needs it meanwhile meets the same.
            let read = inner.catch_up(&mut *inner.state.lock().await).await;
            if let Err(error) = &read
                && !is_told
            {
                error!(code = error.code(), %error, help = error.help(), "cannot follow what other replicas do");
            }
            is_told = read.is_err();
            if let Err(error) = inner.hear_of_others(&replica).await {
                inner.condition.met(&error);
            }
        }
        // A lease that was taken anew has no note any more.
        let note = inner.lock_present().note();
        let lease = replica.epoch().await;
        if noted.as_ref() != Some(&(note.clone(), lease)) {
            noted = match replica.note(&note).await {
                Ok(()) => Some((note, lease)),
                Err(error) => {
                    inner.condition.met(&error);
                    None
                }
            };
        }
    }
}

/// Says of a replica that is cut off that it takes nothing, also where whatever it asks is not answered at all.
async fn notice_cuts(inner: Weak<Inner>, mut cut_off: watch::Receiver<bool>) {
    while cut_off.wait_for(|cut_off| *cut_off).await.is_ok() {
        let Some(inner) = inner.upgrade() else { return };
        if !inner.condition.is_bad() {
            inner.condition.met(&StoreError::CutOff);
        }
        drop(inner);
        if cut_off.wait_for(|cut_off| !*cut_off).await.is_err() {
            return;
        }
    }
}
