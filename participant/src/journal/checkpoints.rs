//! The last checkpoint seen of each federation's ledger: what the next one must be consistent with.

use std::path::Path;

use sqlx::ConnectOptions;

use super::{
    Journal, JournalError,
    file::{options, schema, stored},
};

/// A checkpoint that was verified and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// How many entries the ledger had.
    pub size: u64,
    /// The signed note, byte for byte.
    pub note: Vec<u8>,
}

impl Journal {
    /// The last checkpoint kept of the federation's ledger.
    pub async fn checkpoint(&self, federation: &str) -> Result<Option<KeptCheckpoint>, JournalError> {
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT size, note FROM checkpoints WHERE federation = ?")
                .bind(federation)
                .fetch_optional(&mut *self.connection().await)
                .await
                .map_err(|error| self.failed(error))?;
        row.map(|(size, note)| Ok(KeptCheckpoint { size: self.number(size)?, note })).transpose()
    }

    /// Keeps the signed `note` of a ledger with `size` entries, after the caller has verified its signature
    /// and its consistency with [`Journal::checkpoint`]. Notes of one size may differ in their signatures.
    ///
    /// # Errors
    ///
    /// [`JournalError::CheckpointOlder`] for a smaller ledger; [`JournalError::CheckpointForked`] for one of
    /// the same size with another head.
    pub async fn keep_checkpoint(
        &self,
        federation: &str,
        note: &[u8],
        size: u64,
    ) -> Result<(), JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let kept: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT size, note FROM checkpoints WHERE federation = ?")
                .bind(federation)
                .fetch_optional(&mut *step)
                .await
                .map_err(|error| self.failed(error))?;
        if let Some((kept_size, kept_note)) = kept {
            let kept: u64 = self.number(kept_size)?;
            if size < kept {
                return Err(JournalError::CheckpointOlder { kept, shown: size });
            }
            if size == kept && head(note) != head(&kept_note) {
                return Err(JournalError::CheckpointForked { size });
            }
        }
        sqlx::query("INSERT OR REPLACE INTO checkpoints (federation, size, note) VALUES (?, ?, ?)")
            .bind(federation)
            .bind(stored(size)?)
            .bind(note)
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(step).await
    }
}

/// The last checkpoint that the journal in the file `path` keeps of the federation's ledger, while an agent may be using it.
///
/// # Errors
///
/// [`JournalError`] where the file cannot be read, is no journal, or is damaged.
pub async fn read_checkpoint(path: &Path, federation: &str) -> Result<Option<KeptCheckpoint>, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(failed)?;
    if schema(path, &mut connection).await? == 0 {
        return Err(JournalError::WrongFormat { path: path.display().to_string() });
    }
    let row: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT size, note FROM checkpoints WHERE federation = ?")
            .bind(federation)
            .fetch_optional(&mut connection)
            .await
            .map_err(failed)?;
    let Some((size, note)) = row else { return Ok(None) };
    let size = size.try_into().map_err(|_| JournalError::Corrupt { path: path.display().to_string() })?;
    Ok(Some(KeptCheckpoint { size, note }))
}

/// Origin, size and root of a note: its first three lines (C2SP tlog-checkpoint).
fn head(note: &[u8]) -> Vec<&[u8]> {
    note.split(|byte| *byte == b'\n').take(3).collect()
}
