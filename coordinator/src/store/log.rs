//! The promise of the log: append if the head is what I saw, read a range.

use async_trait::async_trait;

use super::{Lease, StoreError};

/// An append-only sequence of entries, numbered from zero.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends `entries`, ten thousand at most, in order, if the log holds exactly `expected_size` entries. All of them or
    /// none; durable when this returns. Returns the new size.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] where the log has another size: nothing was appended. Where
    /// [`StoreError::leaves_open_what_is_stored`] says so the batch may be there, as a whole: ask [`Log::holds`].
    async fn append(&self, expected_size: u64, entries: &[Vec<u8>]) -> Result<u64, StoreError> {
        self.append_under(None, expected_size, entries).await
    }

    /// The same by somebody who may append only as long as `lease` is held: looked at in the transaction that
    /// appends, so that whoever takes the lease over finds a log that its former holder does not change any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where the lease is over, released, or taken with a later epoch: nothing was
    /// appended; otherwise as [`Log::append`].
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError>;

    /// At most `limit` entries from index `from` on, in order; fewer only where the log ends, none from
    /// its end on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] names an entry that is missing or damaged.
    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError>;

    /// How many entries the log holds.
    async fn size(&self) -> Result<u64, StoreError>;

    /// Whether the log holds `entries` from index `at` on: what became of an append that was left without an
    /// answer. Waits for one that is still under way, so that the answer is final. No entry of a ledger is
    /// there twice, each having its own id, so that they are ours if they are there.
    async fn holds(&self, at: u64, entries: &[Vec<u8>]) -> Result<bool, StoreError> {
        Ok(self.read(at, entries.len() as u64).await? == entries)
    }
}
