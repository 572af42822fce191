//! The ledger as far as it is durable, and what can be shown of it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use syndic_ledger::{Accepted, Checkpoint, Entry, EntryError, Fault, Hash, History, Leaves, ShownEntry};
use syndic_round::coordinator::Input;
use syndic_round::{JobId, ParticipantId, Place, RoundId};
use tracing::warn;

use super::{Coordinator, CoordinatorError, Inner, State};
use crate::fact::Fact;

/// Everything that is on record.
#[derive(Default)]
pub(super) struct Record {
    history: History,
    leaves: Leaves,
    /// The entry that froze the last survivor set of each job that is not over.
    frozen: BTreeMap<JobId, Frozen>,
    /// Where in the ledger rounds with a result lie, the entry that opened each first.
    closed: BTreeMap<(JobId, RoundId), RangeInclusive<u64>>,
    /// Where the rounds in progress begin.
    opened: BTreeMap<JobId, u64>,
    /// The entries with which jobs ended.
    ended: BTreeMap<JobId, u64>,
    /// The entries with which jobs were agreed.
    agreed: BTreeMap<JobId, u64>,
    /// The entries with which models were approved last, by the jobs that released them.
    approved: BTreeMap<JobId, u64>,
    /// The entries with which models came to their stages, that by which another took their place included, by the jobs that released them.
    staged: BTreeMap<JobId, u64>,
    /// The entries with which the updates of jobs were erased.
    erased: BTreeMap<JobId, u64>,
    /// The newest entry with a message of each participant, of each job that is not over.
    said: BTreeMap<JobId, BTreeMap<ParticipantId, u64>>,
}

/// Where in the ledger a survivor set is.
struct Frozen {
    round: RoundId,
    index: u64,
    entry: Vec<u8>,
    /// The root of the ledger that ends with it.
    root: Hash,
}

/// Entries that are checked and not yet durable, in order.
#[derive(Default)]
pub(super) struct Batch {
    accepted: Vec<Accepted>,
    pub(super) bytes: Vec<Vec<u8>>,
}

impl Record {
    /// The history.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Links the next entry of a batch to what precedes it, and checks it.
    pub(super) fn add(&self, batch: &mut Batch, entry: Entry) -> Result<(), CoordinatorError> {
        let entry = self.history.link_after(&batch.accepted, entry);
        let bytes = entry.to_canonical().map_err(|error| match error {
            EntryError::TooLong { bytes } => CoordinatorError::EntryTooLong(bytes),
            error => CoordinatorError::Ledger(error.to_string()),
        })?;
        let accepted = self.history.check_after(&batch.accepted, &bytes).map_err(forbidden)?;
        batch.accepted.push(accepted);
        batch.bytes.push(bytes);
        Ok(())
    }

    /// Lets a batch count, once it is durable. `facts` are what its entries say.
    pub(super) fn count(&mut self, batch: Batch, facts: &[Fact]) -> Result<(), CoordinatorError> {
        for ((accepted, bytes), fact) in batch.accepted.iter().zip(batch.bytes).zip(facts) {
            self.take(accepted, bytes, fact).map_err(forbidden)?;
        }
        Ok(())
    }

    /// Lets one checked entry count.
    pub(super) fn take(&mut self, accepted: &Accepted, entry: Vec<u8>, fact: &Fact) -> Result<(), Fault> {
        self.history.record(accepted)?;
        self.leaves.append(accepted.leaf);
        let index = accepted.index;
        if let Fact::Heard { job, input, .. } = fact
            && let Some((_, signed)) = input.message()
        {
            self.said.entry(job.clone()).or_default().insert(signed.from, index);
        }
        match fact {
            Fact::RoundOpened { plan, .. } => drop(self.opened.insert(plan.terms.job.clone(), index)),
            Fact::RoundFrozen { job, round, .. } => {
                let root = self.history.tree().root();
                self.frozen.insert(job.clone(), Frozen { round: *round, index, entry, root });
            }
            Fact::Heard { job, place: Place::Round(id), input: Input::Opened(_), .. } => {
                if let Some(first) = self.opened.remove(job) {
                    self.closed.insert((job.clone(), *id), first..=index);
                }
            }
            Fact::JobCompleted { job, .. }
            | Fact::JobAbandoned { job, .. }
            | Fact::JobStopped { job, .. } => self.end(job, index),
            Fact::JobCompared(compared) => self.end(&compared.job, index),
            Fact::JobDescribed(described) => self.end(&described.job, index),
            Fact::JobAgreed { job, .. } => drop(self.agreed.insert(job.clone(), index)),
            Fact::ModelStaged(staged) => {
                let change = &staged.approval.change;
                let changed = [Some(&change.job), change.replaces.as_ref()].into_iter().flatten();
                self.staged.extend(changed.map(|job| (job.clone(), index)));
                self.approved.insert(change.job.clone(), index);
            }
            Fact::UpdatesErased(erased) => drop(self.erased.insert(erased.job.clone(), index)),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, job: &JobId, index: u64) {
        self.frozen.remove(job);
        self.opened.remove(job);
        self.said.remove(job);
        self.ended.insert(job.clone(), index);
    }

    /// The entry with which a job ended last, its updates were erased, or its model came to another stage.
    pub(super) fn last_end(&self) -> Option<u64> {
        self.ended.values().chain(self.erased.values()).chain(self.staged.values()).max().copied()
    }

    /// The entry with which the model of a job came to its stage; none of a candidate.
    pub(super) fn staged(&self, job: &JobId) -> Option<u64> {
        self.staged.get(job).copied()
    }

    /// The entries with which a job was agreed, released its model, and that was approved last and came to its stage; none of a
    /// candidate.
    pub(super) fn model(&self, job: &JobId) -> Option<[u64; 4]> {
        let (agreed, ended) = (*self.agreed.get(job)?, *self.ended.get(job)?);
        Some([agreed, ended, *self.approved.get(job)?, self.staged(job)?])
    }

    /// The hashes beside the way from an entry to the root of the ledger of `size` entries.
    pub(super) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, CoordinatorError> {
        self.leaves.inclusion_proof(index, size).map_err(unsigned)
    }

    /// The entry with which the updates of a job were erased.
    pub(super) fn erased(&self, job: &JobId) -> Option<u64> {
        self.erased.get(job).copied()
    }

    /// Where in the ledger a round with a result lies.
    pub(super) fn closed(&self, job: &JobId, id: RoundId) -> Option<RangeInclusive<u64>> {
        self.closed.get(&(job.clone(), id)).cloned()
    }

    /// The newest entry with a message of `participant` in a job that is not over.
    fn last_said(&self, participant: ParticipantId) -> Option<u64> {
        self.said.values().filter_map(|of_job| of_job.get(&participant)).copied().max()
    }
}

impl Inner {
    /// The head of everything that is on record.
    pub(super) fn head(&self, state: &State) -> Result<Checkpoint, CoordinatorError> {
        Checkpoint::of(&self.origin, state.record.history().tree()).map_err(unsigned)
    }

    /// The head that the ledger had with `size` entries.
    pub(super) fn head_of(&self, state: &State, size: u64) -> Result<Checkpoint, CoordinatorError> {
        let root = state.record.leaves.root(size).map_err(unsigned)?;
        Checkpoint::new(&self.origin, size, root).map_err(unsigned)
    }

    /// The signed head.
    pub(super) fn sign(&self, head: &Checkpoint) -> Result<String, CoordinatorError> {
        head.sign(&self.ledger_key).map_err(unsigned)
    }

    fn show(
        &self,
        state: &State,
        head: &Checkpoint,
        older: u64,
        (index, entry): (u64, Vec<u8>),
    ) -> Result<ShownEntry, CoordinatorError> {
        let leaves = &state.record.leaves;
        let size = head.size();
        // Who has seen a longer ledger than this one is shown so by the checkpoint; there is nothing to prove.
        let older = older.min(size);
        Ok(ShownEntry {
            checkpoint: self.sign(head)?,
            older,
            older_root: leaves.root(older).map_err(unsigned)?,
            consistency: leaves.consistency_proof(older, size).map_err(unsigned)?,
            index,
            entry,
            inclusion: leaves.inclusion_proof(index, size).map_err(unsigned)?,
        })
    }
}

impl Coordinator {
    /// The ledger as it is now, for a participant that comes and knows it as it was with `older` entries, with the newest
    /// entry that has a message of it in a job that is not over; where there is none, the first of all.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be read or signed.
    pub async fn shown_to(
        &self,
        participant: ParticipantId,
        older: u64,
    ) -> Result<ShownEntry, CoordinatorError> {
        let state = self.inner.state.lock().await;
        let index = state.record.last_said(participant).unwrap_or(0);
        let head = self.inner.head(&state)?;
        if older > head.size() {
            let size = head.size();
            warn!(%participant, size, seen = older, "a participant has seen a longer ledger: was an older copy put back?");
        }
        let entry = self.inner.log.read(index, 1).await?.pop();
        let entry = entry.ok_or_else(|| CoordinatorError::Ledger(format!("entry {index} is missing")))?;
        self.inner.show(&state, &head, older, (index, entry))
    }

    /// The entry that froze the survivor set of a round, with its place in the ledger, for somebody who knows the ledger
    /// as it was with `older` entries; and how many it is shown. None where that round's is not frozen.
    ///
    /// Everybody is shown the same head, the one that the entry made, so that what witnesses sign of it stands together.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be signed.
    pub async fn shown_frozen(
        &self,
        job: &JobId,
        id: RoundId,
        older: u64,
    ) -> Result<Option<(u64, ShownEntry)>, CoordinatorError> {
        let state = self.inner.state.lock().await;
        let Some(frozen) = state.record.frozen.get(job).filter(|frozen| frozen.round == id) else {
            return Ok(None);
        };
        let head = match frozen.index + 1 {
            size if older <= size => {
                Checkpoint::new(&self.inner.origin, size, frozen.root).map_err(unsigned)?
            }
            _ => self.inner.head(&state)?,
        };
        let entry = (frozen.index, frozen.entry.clone());
        Ok(Some((head.size(), self.inner.show(&state, &head, older, entry)?)))
    }

    /// The entry with which a job ended, with its place in the ledger, for somebody who knows the ledger as it was with
    /// `older` entries; and how many it is shown. None where the job is not over.
    ///
    /// Everybody is shown the same head, as in [`Self::shown_frozen`].
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be read or signed.
    pub async fn shown_end(
        &self,
        job: &JobId,
        older: u64,
    ) -> Result<Option<(u64, ShownEntry)>, CoordinatorError> {
        let state = self.inner.state.lock().await;
        let Some(index) = state.record.ended.get(job).copied() else { return Ok(None) };
        let Some(entry) = self.inner.log.read(index, 1).await?.pop() else { return Ok(None) };
        let head = match index + 1 {
            size if older <= size => self.inner.head_of(&state, size)?,
            _ => self.inner.head(&state)?,
        };
        Ok(Some((head.size(), self.inner.show(&state, &head, older, (index, entry))?)))
    }

    /// The entry with which a model came to another stage last, for somebody who knows the ledger as it was with `older` entries,
    /// under the head of this moment; and how many entries it is shown. None where none ever did.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be read or signed.
    pub async fn shown_staged(&self, older: u64) -> Result<Option<(u64, ShownEntry)>, CoordinatorError> {
        let state = self.inner.state.lock().await;
        let Some(index) = state.record.staged.values().max().copied() else { return Ok(None) };
        let Some(entry) = self.inner.log.read(index, 1).await?.pop() else { return Ok(None) };
        let head = self.inner.head(&state)?;
        Ok(Some((head.size(), self.inner.show(&state, &head, older, (index, entry))?)))
    }
}

fn unsigned(error: impl std::fmt::Display) -> CoordinatorError {
    CoordinatorError::Ledger(error.to_string())
}

fn forbidden(fault: Fault) -> CoordinatorError {
    CoordinatorError::Ledger(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_too_long_is_told_by_its_length_and_nothing_is_added() {
        let entry = |bytes: usize| Entry {
            id: "1".into(),
            source: "coordinator/test".into(),
            kind: "syndic.job.completed".into(),
            time: syndic_ledger::Timestamp::from_unix_ms(1).unwrap(),
            subject: None,
            schema: "1".into(),
            round_prev: None,
            data: serde_json::json!({ "told": "x".repeat(bytes) }),
        };
        let (record, mut batch) = (Record::default(), Batch::default());
        let refused = record.add(&mut batch, entry(Entry::MAX_BYTES)).unwrap_err();
        let CoordinatorError::EntryTooLong(bytes) = refused else { panic!("{refused}") };
        assert!(bytes > Entry::MAX_BYTES && batch.bytes.is_empty());
        let lacking = record.add(&mut batch, entry(Entry::MAX_BYTES / 2)).unwrap_err();
        assert!(
            matches!(lacking, CoordinatorError::Ledger(_)),
            "it lacks what such an entry says: {lacking}"
        );
    }
}
