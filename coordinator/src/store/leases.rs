//! The promise of a lease: one holder at a time, for a while, and every new holder with a later epoch.

use std::time::Duration;

use async_trait::async_trait;
use syndic_round::Timestamp;

use super::StoreError;

/// Who may act for a name, for how long. The store's own clock decides when a lease is over, and no other.
///
/// A lease is not a lock: its holder may be asleep when it ends, and wake up later in good faith. So what is
/// done under a lease carries the [`Lease`], and the log refuses it once that epoch is over:
/// [`super::Log::append_under`].
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes the lease `name` for `holder`, from now on for `ttl`, if nobody else holds it, with a later epoch
    /// than any before, and without a note. Who holds it already takes it anew; its former token is then worth nothing,
    /// so that an answer that got lost does no harm. So `holder` must name one process, not a host.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] says by whom.
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, StoreError>;

    /// Prolongs a lease that is held: it ends `ttl` from now. The epoch stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is over, released or taken: acquire it anew, and read the log first.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError>;

    /// Puts a note for the others beside a lease that is held, in the place of the last. It is gone with the lease.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] as for [`Leases::renew`].
    async fn note(&self, lease: &Lease, note: &str) -> Result<(), StoreError>;

    /// Ends a lease before its time. Says whether it was still held.
    async fn release(&self, lease: &Lease) -> Result<bool, StoreError>;

    /// All leases that are held now whose names begin with `prefix`, in the order of names.
    async fn all(&self, prefix: &str) -> Result<Vec<Holding>, StoreError>;

    /// Who holds the lease `name` now; nobody where it is free, released or over.
    async fn holding(&self, name: &str) -> Result<Option<Holding>, StoreError> {
        Ok(self.all(name).await?.into_iter().find(|holding| holding.name == name))
    }

    /// Tells of changes to the store from now on, whoever makes them.
    fn stirs(&self) -> Box<dyn Stirs> {
        Box::new(Polling)
    }
}

/// Hears of changes to a store: of its log, its leases and their notes, and what is cosigned.
#[async_trait]
pub trait Stirs: Send {
    /// Returns when something may have changed since it returned last. What changed while somebody was busy is heard of
    /// afterwards, once.
    async fn next(&mut self);
}

/// Of a store that cannot say by itself that it has changed.
struct Polling;

#[async_trait]
impl Stirs for Polling {
    async fn next(&mut self) {
        tokio::time::sleep(POLL).await;
    }
}

/// The token of a lease that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// To whom.
    pub holder: String,
    /// Fences off all former holders.
    pub epoch: u64,
    /// When it ends, by the store's clock. Nothing is decided by comparing it with another: count the time granted from before
    /// you asked. That clocks differ may be said.
    pub expires: Timestamp,
}

/// A lease that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What it is for.
    pub name: String,
    /// Who.
    pub holder: String,
    /// With which epoch.
    pub epoch: u64,
    /// How long it lasts yet, if it is not renewed.
    pub left: Duration,
    /// What its holder lets the others know.
    pub note: Option<String>,
}

impl Lease {
    pub(super) fn fenced(&self) -> StoreError {
        StoreError::Fenced { name: self.name.clone(), epoch: self.epoch }
    }
}

/// A held lease as databases keep it: name, holder, epoch, milliseconds left, note.
pub(super) type Row = (String, String, i64, i64, Option<String>);

impl From<Row> for Holding {
    fn from((name, holder, epoch, left, note): Row) -> Self {
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        Self { name, holder, epoch: epoch.unsigned_abs(), left, note }
    }
}

/// Milliseconds as a database counts them.
pub(super) fn milliseconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// How often such a store is looked at.
const POLL: Duration = Duration::from_millis(100);
