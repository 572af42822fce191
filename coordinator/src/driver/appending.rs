//! Decide, append, let it count: the order that everything durable keeps.

use syndic_ledger::Entry;
use syndic_round::message::Kind;
use syndic_round::{JobId, Place, Signatures, Signed, Sum, Timestamp};
use tracing::warn;
use uuid::Uuid;

use super::record::Batch;
use super::together::ends;
use super::{CoordinatorError, Inner, State};
use crate::fact::Fact;
use crate::store::{Lease, StoreError};

impl Inner {
    /// Puts on record that somebody signed two messages where one may exist, once for each kind in a round; a no that
    /// is worded otherwise is no evidence.
    pub(super) async fn keep_evidence(
        &self,
        state: &mut State,
        job: &JobId,
        place: Place,
        kind: Kind,
        message: &Signed,
    ) -> Result<(), CoordinatorError> {
        let from = message.from;
        let keep = |state: &State, _| {
            let is_known = state.engine.job(job).is_none_or(|state| state.has_equivocated(place, from, kind));
            let is_there = match place {
                Place::Round(id) => state.engine.open_round(job, id).is_some(),
                Place::Ahead(number) => state.engine.ahead(job, number).is_some(),
            };
            let is_due = kind != Kind::Decline && !is_known && is_there;
            let fact = || Fact::Equivocated { job: job.clone(), place, kind, message: message.clone() };
            Ok(is_due.then(fact).into_iter().collect())
        };
        // If we crash here the message was refused and is not on record; whoever sends it again puts it there.
        if !self.decided(state, None, keep).await?.is_empty() {
            warn!(participant = %from, kind = kind.name(), %place, "a participant signed two messages where one may exist");
        }
        Ok(())
    }

    /// Makes facts durable, then lets them count.
    pub(super) async fn record(
        &self,
        state: &mut State,
        now: Timestamp,
        facts: &[Fact],
        sum: Option<&Sum>,
        under: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        self.append(state, now, facts, under).await?;
        for fact in facts {
            state.engine.apply(now, fact, sum, Signatures::Unverified)?;
            if let Some(job) = ends(fact) {
                state.tallies.remove(job);
                self.lock_present().forget(job);
            }
        }
        self.tick();
        Ok(())
    }

    pub(super) async fn append(
        &self,
        state: &mut State,
        now: Timestamp,
        facts: &[Fact],
        under: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        if state.stopped {
            return Err(CoordinatorError::Stopped);
        }
        let mut batch = Batch::default();
        for fact in facts {
            state.record.add(&mut batch, self.entry(now, fact)?)?;
        }
        // Whatever ends the append without an answer leaves unknown what is stored.
        state.stopped = true;
        let stored = self.log.append_under(under, state.record.history().size(), &batch.bytes).await;
        if self.replica.is_some()
            && let Err(StoreError::Conflict { .. } | StoreError::Fenced { .. }) = stored
        {
            // Another replica has appended, or taken over: nothing of this is stored.
            state.stopped = false;
        }
        if let Err(error) = &stored {
            self.condition.met(error);
            // Whoever drives the job learns of it now, not at the round's next deadline.
            self.tick();
        }
        stored?;
        state.record.count(batch, facts)?;
        self.note_verified(state);
        state.stopped = false;
        Ok(())
    }

    fn entry(&self, now: Timestamp, fact: &Fact) -> Result<Entry, CoordinatorError> {
        let (kind, subject, data) = fact.to_parts();
        let time = syndic_ledger::Timestamp::from_unix_ms(now.0);
        Ok(Entry {
            id: Uuid::now_v7().to_string(),
            source: self.incarnation.source(&self.federation),
            kind: kind.into(),
            time: time.map_err(|error| CoordinatorError::Ledger(error.to_string()))?,
            subject,
            schema: "1".into(),
            round_prev: None,
            data,
        })
    }

    /// Notes from time to time how much is on record, all of it verified.
    pub(super) fn note_verified(&self, state: &State) {
        self.verified.note_at_times(state.record.history().tree(), &self.ledger_key);
    }

    pub(super) fn tick(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
