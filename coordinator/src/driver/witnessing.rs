//! What members sign of the ledger as its witnesses: verified, kept, and published below the head.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use syndic_ledger::{Checkpoint, NoteError, with_cosignature};
use syndic_round::ParticipantId;
use tracing::{debug, warn};

use super::{Coordinator, CoordinatorError};
use crate::store::export::LedgerExport;
use crate::store::{Cosignature, Cosignatures, StoreError};
use crate::witnesses::witness_key;

/// The newest cosignature of each witness, as it is stored.
pub(super) struct Witnesses {
    store: Box<dyn Cosignatures>,
    newest: BTreeMap<ParticipantId, Cosignature>,
}

impl Witnesses {
    pub(super) async fn load(store: Box<dyn Cosignatures>) -> Result<Self, CoordinatorError> {
        let kept = store.kept().await?;
        Ok(Self { store, newest: kept.into_iter().map(|one| (one.witness, one)).collect() })
    }

    /// Reads what other replicas have kept; says whether there is anything new.
    pub(super) async fn hear_of_others(&mut self) -> Result<bool, StoreError> {
        let mut is_new = false;
        for one in self.store.kept().await? {
            if self.newest.get(&one.witness).is_none_or(|known| known.size < one.size) {
                self.newest.insert(one.witness, one);
                is_new = true;
            }
        }
        Ok(is_new)
    }
}

impl Coordinator {
    /// Keeps the cosignature `line` of `witness` below the head that the ledger had with `size` entries. An older one than
    /// its last changes nothing.
    ///
    /// # Errors
    /// [`CoordinatorError::Cosignature`] where it did not sign that head; what the store can meet.
    pub async fn take_cosignature(
        &self,
        witness: ParticipantId,
        size: u64,
        line: &str,
    ) -> Result<(), CoordinatorError> {
        let head = {
            let mut state = self.inner.state.lock().await;
            if size > state.record.history().size() {
                // The head may have been shown by another replica.
                self.inner.catch_up(&mut state).await?;
            }
            if size > state.record.history().size() {
                return Err(CoordinatorError::Cosignature(NoteError::Malformed));
            }
            self.inner.head_of(&state, size)?
        };
        self.with(&self.inner.sign(&head)?, witness, line).await.map_err(CoordinatorError::Cosignature)?;
        let mut witnesses = self.inner.witnesses.lock().await;
        if witnesses.newest.get(&witness).is_some_and(|newest| newest.size >= size) {
            return Ok(());
        }
        let cosignature = Cosignature { witness, size, line: line.into() };
        witnesses.store.keep(&cosignature).await?;
        // If we crash here it is kept, and read again at the next start.
        witnesses.newest.insert(witness, cosignature);
        self.inner.tick();
        debug!(participant = %witness, size, "the ledger is cosigned");
        Ok(())
    }

    /// The signed head with the cosignatures that are kept of it.
    pub(super) async fn cosigned(&self, head: &Checkpoint) -> Result<String, CoordinatorError> {
        let mut note = self.inner.sign(head)?;
        let witnesses = self.inner.witnesses.lock().await;
        for Cosignature { witness, line, .. } in
            witnesses.newest.values().filter(|one| one.size == head.size())
        {
            // What lay in a file is believed no more than what comes over the wire.
            match self.with(&note, *witness, line).await {
                Ok(longer) => note = longer,
                Err(error) => {
                    warn!(participant = %witness, %error, "a cosignature that was kept does not verify")
                }
            }
        }
        Ok(note)
    }

    /// The head with at least `size` entries that most witnesses have signed last of all, by its size, and how many they are; that
    /// of `size` entries where none has signed any. Who connects after a restart has seen a longer ledger, and signs no shorter one.
    pub async fn best_cosigned(&self, size: u64) -> (u64, usize) {
        let witnesses = self.inner.witnesses.lock().await;
        let mut counts = BTreeMap::from([(size, 0)]);
        for one in witnesses.newest.values().filter(|one| one.size >= size) {
            *counts.entry(one.size).or_default() += 1;
        }
        let best = counts.into_iter().max_by_key(|(size, count)| (*count, Reverse(*size)));
        best.unwrap_or((size, 0))
    }

    /// Gives the ledger of `size` entries that was exported to `folder` its head once more, with the cosignatures that have
    /// come since.
    ///
    /// # Errors
    /// What the store can meet; the former head is then still the one that counts.
    pub async fn publish_cosigned(&self, folder: &Path, size: u64) -> Result<(), CoordinatorError> {
        let head = self.inner.head_of(&*self.inner.state.lock().await, size)?;
        let note = self.cosigned(&head).await?;
        Ok(LedgerExport::begin(folder).await?.publish(note.into_bytes()).await?)
    }

    async fn with(&self, note: &str, witness: ParticipantId, line: &str) -> Result<String, NoteError> {
        let roster = self.roster();
        let member = roster.member(witness).ok_or(NoteError::Key)?;
        with_cosignature(note, line, &witness_key(roster.roster(), member)?)
    }
}
