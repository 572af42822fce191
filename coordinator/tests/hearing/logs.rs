//! Logs that do what a disk does on its worst days.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use syndic_coordinator::store::{Lease, Log, SqliteLog, StoreError};
use tokio::sync::Semaphore;

/// What becomes of a batch whose append is reported as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    NotStored,
    Stored,
}

/// Reports the next append as failed, once it is armed.
pub(crate) struct Failing<L = SqliteLog> {
    pub(crate) log: L,
    pub(crate) fate: Fate,
    pub(crate) armed: Arc<AtomicBool>,
}

#[async_trait]
impl<L: Log> Log for Failing<L> {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        let fails = self.armed.swap(false, Ordering::SeqCst);
        if !fails || self.fate == Fate::Stored {
            let size = self.log.append_under(lease, expected_size, entries).await?;
            if !fails {
                return Ok(size);
            }
        }
        let source = std::io::Error::other("the disk went away");
        Err(StoreError::Io { what: "cannot append".into(), source })
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.log.read(from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.log.size().await
    }
}

/// A log on a disk that is full, as long as it is.
pub(crate) struct Filled {
    pub(crate) log: SqliteLog,
    pub(crate) full: Arc<AtomicBool>,
}

#[async_trait]
impl Log for Filled {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full { what: "the log".into() });
        }
        self.log.append_under(lease, expected_size, entries).await
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.log.read(from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.log.size().await
    }
}

/// Lets an append pass only where the gate has a permit for it.
pub(crate) struct Gated<L = SqliteLog> {
    pub(crate) log: L,
    pub(crate) gate: Arc<Gate>,
}

/// The gate of a [`Gated`] log.
pub(crate) struct Gate {
    passes: Semaphore,
    waiting: Semaphore,
}

impl Gate {
    /// A gate that is open, wide.
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self { passes: Semaphore::new(1_000), waiting: Semaphore::new(0) })
    }

    /// Closes it.
    pub(crate) fn close(&self) {
        self.passes.forget_permits(usize::MAX);
        self.waiting.forget_permits(usize::MAX);
    }

    /// Opens it again.
    pub(crate) fn reopen(&self) {
        self.passes.add_permits(1_000);
    }

    /// Lets one append pass.
    pub(crate) fn let_one_pass(&self) {
        self.passes.add_permits(1);
    }

    /// How many appends have come to the gate since it was closed, without those that somebody waited for.
    pub(crate) fn came(&self) -> usize {
        self.waiting.available_permits()
    }

    /// Returns when an append has come to the gate.
    pub(crate) async fn somebody_waits(&self) {
        self.waiting.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl<L: Log> Log for Gated<L> {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        self.gate.waiting.add_permits(1);
        self.gate.passes.acquire().await.unwrap().forget();
        self.log.append_under(lease, expected_size, entries).await
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.log.read(from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.log.size().await
    }
}
