//! What is published of the ledger: up to the end of a job, so that those who were there have signed its head.

use std::path::Path;

use syndic_ledger::tiles::{CHECKPOINT, TileFile, VERIFIER_KEY};
use syndic_ledger::{Checkpoint, VerifierKey};

use super::{Coordinator, CoordinatorError, Inner, State, roster_file};
use crate::audit::ROSTER;
use crate::store::export::export_ledger;
use crate::witnesses::{self, POLICY};

impl Coordinator {
    /// Writes the ledger, up to the entry with which a job ended last, to `folder` in the tlog-tiles layout under its head,
    /// which bears the cosignatures that there are, with the key that it verifies with, the roster and the policy beside it.
    /// Returns its size and root.
    ///
    /// # Errors
    /// What the store can meet.
    pub async fn export_ledger(&self, folder: &Path) -> Result<(u64, String), CoordinatorError> {
        let (head, roster, policy) = {
            let state = self.inner.state.lock().await;
            let roster = state.engine.roster();
            let policy = witnesses::policy(roster.roster());
            (self.inner.head_to_publish(&state, folder)?, roster_file(&roster.endorsed())?, policy)
        };
        let policy = policy.map_err(|error| CoordinatorError::Ledger(error.to_string()))?.to_text();
        let key = self.verifier_key()?;
        let beside = vec![
            TileFile { path: VERIFIER_KEY.into(), bytes: format!("{key}\n").into() },
            TileFile { path: ROSTER.into(), bytes: roster },
            TileFile { path: POLICY.into(), bytes: policy.into() },
        ];
        let (size, root) = (head.size(), head.root().to_string());
        let checkpoint = self.cosigned(&head).await?;
        export_ledger(&*self.inner.log, size, beside, checkpoint.as_bytes(), folder).await?;
        Ok((size, root))
    }

    /// The key that checkpoints verify with.
    ///
    /// # Errors
    /// When the federation's name cannot name a key.
    pub fn verifier_key(&self) -> Result<VerifierKey, CoordinatorError> {
        VerifierKey::new(&self.inner.origin, self.inner.ledger_key.verifying_key())
            .map_err(|error| CoordinatorError::Ledger(error.to_string()))
    }
}

impl Inner {
    /// The head that is published: the one that the end of a job made last, which those who were there have cosigned; the
    /// newest where no job has ended, or where `folder` has a longer ledger already, so that what is published never shrinks.
    fn head_to_publish(&self, state: &State, folder: &Path) -> Result<Checkpoint, CoordinatorError> {
        match state.record.last_end() {
            Some(last) if published_size(folder) <= last + 1 => self.head_of(state, last + 1),
            _ => self.head(state),
        }
    }
}

/// Entries of the ledger that `folder` has; 0 where it has none that can be read.
fn published_size(folder: &Path) -> u64 {
    let note = std::fs::read_to_string(folder.join(CHECKPOINT)).unwrap_or_default();
    note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
}
