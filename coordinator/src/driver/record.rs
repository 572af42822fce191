//! The ledger as far as it is durable, and what can be shown of it.

use syndic_ledger::{Accepted, Checkpoint, Entry, Fault, History, Leaves, ShownEntry};
use syndic_round::{JobId, RoundId};

use super::{Coordinator, CoordinatorError};
use crate::fact::Fact;

/// Everything that is on record.
#[derive(Default)]
pub(super) struct Record {
    history: History,
    leaves: Leaves,
    /// The entry that froze the last survivor set.
    frozen: Option<Frozen>,
}

/// Where in the ledger a survivor set is.
struct Frozen {
    job: JobId,
    round: RoundId,
    index: u64,
    entry: Vec<u8>,
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
        let bytes = entry.to_canonical().map_err(|error| CoordinatorError::Ledger(error.to_string()))?;
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
        if let Fact::RoundFrozen { job, round, .. } = fact {
            let (job, round, index) = (job.clone(), *round, accepted.index);
            self.frozen = Some(Frozen { job, round, index, entry });
        }
        Ok(())
    }
}

impl Coordinator {
    /// The entry that froze the survivor set of a round, with its place in the ledger, for somebody who knows the ledger
    /// as it was with `older` entries; and how many it has. None where that round's is not frozen.
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
        let Record { history, leaves, frozen } = &state.record;
        let Some(frozen) = frozen.as_ref().filter(|frozen| frozen.job == *job && frozen.round == id) else {
            return Ok(None);
        };
        let ledger = |error: &dyn std::fmt::Display| CoordinatorError::Ledger(error.to_string());
        let checkpoint = Checkpoint::of(&self.inner.origin, history.tree())
            .and_then(|checkpoint| checkpoint.sign(&self.inner.ledger_key))
            .map_err(|error| ledger(&error))?;
        let size = history.size();
        // Who has seen a longer ledger than this one is shown so by the checkpoint; there is nothing to prove.
        let older = older.min(size);
        let shown = ShownEntry {
            checkpoint,
            older,
            consistency: leaves.consistency_proof(older, size).map_err(|error| ledger(&error))?,
            index: frozen.index,
            entry: frozen.entry.clone(),
            inclusion: leaves.inclusion_proof(frozen.index, size).map_err(|error| ledger(&error))?,
        };
        Ok(Some((size, shown)))
    }
}

fn forbidden(fault: Fault) -> CoordinatorError {
    CoordinatorError::Ledger(fault.to_string())
}
