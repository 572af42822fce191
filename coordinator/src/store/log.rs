//! The promise of the log: append if the head is what I saw, read a range.

use async_trait::async_trait;

use super::StoreError;

/// An append-only sequence of entries, numbered from zero.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends `entries`, in order, if the log holds exactly `expected_size` entries. All of them or none;
    /// durable when this returns. Returns the new size.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] where the log has another size: nothing was appended. After
    /// [`StoreError::Io`] the batch may or may not be there, as a whole: ask for [`Log::size`].
    async fn append(&self, expected_size: u64, entries: &[Vec<u8>]) -> Result<u64, StoreError>;

    /// At most `limit` entries from index `from` on, in order; fewer only where the log ends, none from
    /// its end on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] names an entry that is missing.
    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError>;

    /// How many entries the log holds.
    async fn size(&self) -> Result<u64, StoreError>;
}
