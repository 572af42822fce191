//! What is published of the ledger: up to the end of a job, so that those who were there have signed its head.

use std::path::Path;

use syndic_ledger::VerifierKey;
use syndic_ledger::tiles::{CHECKPOINT, TileFile, VERIFIER_KEY};

use super::{Coordinator, CoordinatorError, roster_file};
use crate::audit::ROSTER;
use crate::store::export::export_ledger;
use crate::witnesses::{self, POLICY};

impl Coordinator {
    /// Writes the ledger, up to the entry with which a job ended last or further, to `folder` in the tlog-tiles layout under its head,
    /// which bears the cosignatures that there are, with the key that it verifies with, the roster and the policy beside it.
    /// Returns its size and root.
    ///
    /// # Errors
    /// What the store can meet.
    pub async fn export_ledger(&self, folder: &Path) -> Result<(u64, String), CoordinatorError> {
        let size = self.size_to_publish(folder).await;
        let (head, roster, policy) = {
            let state = self.inner.state.lock().await;
            let roster = state.engine.roster();
            let policy = witnesses::policy(roster.roster());
            (self.inner.head_of(&state, size)?, roster_file(&roster.endorsed())?, policy)
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

    /// Entries of the ledger that is published: up to the end of the job that ended last, or as far as most of those who were
    /// there have signed it since; all where no job has ended. What
    /// `folder` has already never shrinks.
    async fn size_to_publish(&self, folder: &Path) -> u64 {
        let (last, all) = {
            let state = self.inner.state.lock().await;
            (state.record.last_end(), state.record.history().size())
        };
        let Some(last) = last else { return all };
        let least = published_size(folder).max(last + 1);
        if least > all { all } else { self.best_cosigned(least).await.0 }
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

/// Entries of the ledger that `folder` has; 0 where it has none that can be read.
fn published_size(folder: &Path) -> u64 {
    let note = std::fs::read_to_string(folder.join(CHECKPOINT)).unwrap_or_default();
    note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
}
