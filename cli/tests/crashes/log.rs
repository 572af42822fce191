//! A log at which its coordinator dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use syndic_coordinator::store::{Lease, Log, SqliteLog, StoreError};
use tokio::sync::Notify;

/// When and how the coordinator dies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Only entries of this type count; empty for any type.
    pub(crate) of: &'static str,
    /// The entry at whose append it dies first, counted from 0 over all its lives. What comes at one moment is one append, so that
    /// runs differ in their appends, and hardly in their entries.
    pub(crate) first: u64,
    /// After how many more it dies again.
    pub(crate) every: Option<u64>,
    pub(crate) fate: Fate,
    pub(crate) death: Death,
}

/// What becomes of the entries of a fatal append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    NotStored,
    Stored,
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// At the append, as by `kill -9`: nobody gets an answer.
    Silent,
    /// The append is reported as failed, and the coordinator ends by itself: whoever waits may be told.
    Told,
}

/// Counts entries that are appended over all lives of a coordinator.
#[derive(Default)]
pub(crate) struct Count {
    entries: AtomicU64,
    /// Of them, those that count for the plan.
    counted: AtomicU64,
    deaths: AtomicU64,
    /// Told when the coordinator is to be killed.
    pub(crate) killed: Notify,
}

/// The log of one life.
pub(crate) struct Deadly {
    pub(crate) log: SqliteLog,
    pub(crate) plan: Plan,
    pub(crate) count: Arc<Count>,
}

impl Plan {
    /// The coordinator lives.
    pub(crate) const NEVER: Self =
        Self { of: "", first: u64::MAX, every: None, fate: Fate::Stored, death: Death::Silent };

    fn is_fatal(&self, entry: u64) -> bool {
        let Some(later) = entry.checked_sub(self.first) else { return false };
        self.every.map_or(later == 0, |every| later % every == 0)
    }
}

impl Count {
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::SeqCst)
    }

    pub(crate) fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Log for Deadly {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        self.count.entries.fetch_add(entries.len() as u64, Ordering::SeqCst);
        let of = self.plan.of.as_bytes();
        let counts = |entry: &Vec<u8>| of.is_empty() || entry.windows(of.len()).any(|part| part == of);
        let counted = entries.iter().filter(|entry| counts(entry)).count() as u64;
        let before = self.count.counted.fetch_add(counted, Ordering::SeqCst);
        let is_fatal = (before..before + counted).any(|entry| self.plan.is_fatal(entry));
        if !is_fatal {
            return self.log.append_under(lease, expected_size, entries).await;
        }
        if self.plan.fate == Fate::Stored {
            self.log.append_under(lease, expected_size, entries).await?;
        }
        self.count.deaths.fetch_add(1, Ordering::SeqCst);
        if self.plan.death == Death::Silent {
            self.count.killed.notify_one();
            return std::future::pending().await;
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
