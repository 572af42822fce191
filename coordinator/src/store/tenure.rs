//! Who works on a store: on this host by a lock, beyond it by leases.
//!
//! The lock is the system's, so that it is over the moment its holder dies. A lease outlives its holder; so that a
//! coordinator which is started again need not wait for its former self, a state folder holds leases under one name
//! in every life, which the lock makes one process's.

mod renewing;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use self::renewing::{Pace, Renewing};
use super::durable::blocking;
use super::{Holding, Lease, Leases, Log, Movable, StoreError, write_file};

/// Keeps other processes of this host out of a state folder for as long as it lives.
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Locks the folder `state`, which is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] where another process has it.
    pub async fn take(state: &Path) -> Result<Self, StoreError> {
        let path = state.join("lock");
        blocking(move || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(|error| StoreError::io("cannot open", &path, error))?;
            match file.try_lock() {
                Ok(()) => Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    let folder = path.parent().unwrap_or(&path);
                    Err(StoreError::Busy { what: format!("the state folder {}", folder.display()) })
                }
                Err(TryLockError::Error(error)) => Err(StoreError::io("cannot lock", &path, error)),
            }
        })
        .await
    }
}

/// A lease, renewed as long as this lives.
pub struct Tenure {
    held: Arc<Held>,
    told: Told,
    renewing: AbortHandle,
}

/// What becomes of a lease.
#[derive(Clone)]
struct Told {
    /// Somebody else has it.
    lost: watch::Receiver<bool>,
    /// It was not renewed for as long as it lasts.
    cut_off: watch::Receiver<bool>,
}

/// A lease, and what it is worth.
struct Held {
    leases: Arc<dyn Leases>,
    /// Without it the lease is worth nothing: a ledger that is in use, on which nobody works alone.
    ledger: Option<Arc<dyn Movable>>,
    lease: Mutex<Lease>,
}

impl Tenure {
    /// Takes the lease `name` for `holder` at once, or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] says by whom.
    pub async fn take(leases: Arc<dyn Leases>, name: &str, holder: &str) -> Result<Self, StoreError> {
        Self::begin(leases, None, (name, holder), Pace::USUAL).await
    }

    /// The same for a lease that is good only while `ledger` is in use and nobody works alone on it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] says by whom; [`StoreError::Left`] and [`StoreError::Filling`] where it is not in use.
    pub(super) async fn take_in(
        leases: Arc<dyn Leases>,
        ledger: Arc<dyn Movable>,
        name: &str,
        holder: &str,
    ) -> Result<Self, StoreError> {
        Self::begin(leases, Some(ledger), (name, holder), Pace::USUAL).await
    }

    async fn begin(
        leases: Arc<dyn Leases>,
        ledger: Option<Arc<dyn Movable>>,
        (name, holder): (&str, &str),
        pace: Pace,
    ) -> Result<Self, StoreError> {
        let lasts_until = Instant::now() + pace.lasts;
        let lease = acquire(&*leases, ledger.as_deref(), name, holder).await?;
        let held = Arc::new(Held { leases, ledger, lease: Mutex::new(lease) });
        let ((lose, lost), (cut, cut_off)) = (watch::channel(false), watch::channel(false));
        let renewing = Renewing { held: held.clone(), pace, lasts_until, lose, cut, is_off: false };
        let renewing = tokio::spawn(renewing.run()).abort_handle();
        Ok(Self { held, told: Told { lost, cut_off }, renewing })
    }

    /// What is shown with what is done under the lease.
    pub async fn lease(&self) -> Lease {
        self.held.lease.lock().await.clone()
    }

    /// Lets the others know something as long as the lease is held.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; what the store can meet.
    pub async fn note(&self, note: &str) -> Result<(), StoreError> {
        let lease = self.held.lease.lock().await;
        self.held.leases.note(&lease, note).await
    }

    /// `log`, to which whatever is appended without another lease is appended under this one.
    pub fn log(&self, log: Arc<dyn Log>) -> HeldLog {
        HeldLog { held: self.held.clone(), log }
    }

    /// Resolves when somebody else has the lease.
    pub async fn lost(&self) -> StoreError {
        let mut lost = self.told.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.held.lease.lock().await.fenced()
    }

    /// Whether the lease was not renewed for as long as it lasts, so that others take its holder for dead; until it is renewed, or
    /// taken anew.
    pub fn cut_off(&self) -> watch::Receiver<bool> {
        self.told.cut_off.clone()
    }

    /// Lets the lease go, so that the next need not wait.
    pub async fn release(&self) {
        self.renewing.abort();
        let lease = self.held.lease.lock().await;
        if let Err(error) = self.held.leases.release(&lease).await {
            warn!(%error, lease = lease.name, "a lease could not be let go; it ends by itself in {TTL:?}");
        }
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Held {
    /// Renews the lease, or takes it anew where it was over and nobody else had it.
    async fn renew(&self, patience: Duration) -> Result<Lease, StoreError> {
        let lease = self.lease.lock().await.clone();
        // Given up half way it is prolonged or not, and has the same epoch. What takes it anew is not given up: who does not learn
        // the new epoch takes itself for somebody else.
        let asked = tokio::time::timeout(patience, self.leases.renew(&lease, TTL)).await;
        let renewed = match asked.unwrap_or_else(|_| Err(unanswered())) {
            Err(StoreError::Fenced { .. }) => self.regain(&lease).await,
            renewed => renewed,
        }?;
        let mut lease = self.lease.lock().await;
        if lease.epoch == renewed.epoch {
            *lease = renewed.clone();
        }
        Ok(renewed)
    }

    /// The lease anew after `stale` was over, if nobody had it meanwhile.
    async fn regain(&self, stale: &Lease) -> Result<Lease, StoreError> {
        let mut lease = self.lease.lock().await;
        if lease.epoch != stale.epoch {
            return Ok(lease.clone());
        }
        if self.leases.holding(&stale.name).await?.is_some() {
            return Err(stale.fenced());
        }
        *lease = acquire(&*self.leases, self.ledger.as_deref(), &stale.name, &stale.holder).await?;
        warn!(
            lease = lease.name,
            epoch = lease.epoch,
            "the lease was over before it was renewed; nobody else had it, and it is taken anew"
        );
        Ok(lease.clone())
    }
}

/// Takes a lease, and gives it back where it is worth nothing. Who would work alone looks at all leases once it has its
/// own: so of two who come at once, one at least sees the other.
async fn acquire(
    leases: &dyn Leases,
    ledger: Option<&dyn Movable>,
    name: &str,
    holder: &str,
) -> Result<Lease, StoreError> {
    let lease = leases.acquire(name, holder, TTL).await?;
    let Some(ledger) = ledger else { return Ok(lease) };
    let worth = match leases.holding(ALONE).await {
        Ok(Some(Holding { name, holder: other, .. })) if other != holder => {
            Err(StoreError::Held { name, holder: other })
        }
        Ok(_) => ledger.require_in_use().await,
        Err(error) => Err(error),
    };
    if let Err(error) = worth {
        // If we crash here the lease ends by itself; whoever works alone waits for that, or comes again.
        leases.release(&lease).await?;
        return Err(error);
    }
    Ok(lease)
}

fn unanswered() -> StoreError {
    let source = io::Error::new(io::ErrorKind::TimedOut, "nobody answers whether the lease is renewed");
    StoreError::Unreachable { what: "the database".into(), source }
}

/// A log to which this process appends as long as its lease is held.
pub struct HeldLog {
    held: Arc<Held>,
    log: Arc<dyn Log>,
}

#[async_trait::async_trait]
impl Log for HeldLog {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        if lease.is_some() {
            return self.log.append_under(lease, expected_size, entries).await;
        }
        let ours = self.held.lease.lock().await.clone();
        match self.log.append_under(Some(&ours), expected_size, entries).await {
            // The host slept, or the server was away, for longer than a lease lasts. Taken anew it is as good: had
            // anybody appended meanwhile, the log would have another size than we saw.
            Err(StoreError::Fenced { .. }) => {
                let anew = self.held.regain(&ours).await?;
                self.log.append_under(Some(&anew), expected_size, entries).await
            }
            appended => appended,
        }
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.log.read(from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.log.size().await
    }

    async fn holds(&self, at: u64, entries: &[Vec<u8>]) -> Result<bool, StoreError> {
        self.log.holds(at, entries).await
    }
}

/// Under which name the coordinator of the folder `state`, which is locked, holds leases: the same in every life.
///
/// # Errors
///
/// What reading and writing the file `instance` there can meet.
pub(super) async fn holder(state: &Path) -> Result<String, StoreError> {
    let path = state.join("instance");
    let known = {
        let path = path.clone();
        blocking(move || Ok(std::fs::read_to_string(path).ok())).await?
    };
    let id = match known.and_then(|text| text.trim().parse::<Uuid>().ok()) {
        Some(id) => id,
        None => {
            let id = Uuid::now_v7();
            // If we crash here the next life has another name, and waits until the lease of this one is over.
            write_file(&path, format!("{id}\n").as_bytes()).await?;
            id
        }
    };
    Ok(on_this_host(id))
}

/// Under which name this process holds leases beside the coordinator of its folder: another in every life.
pub(super) fn visitor() -> String {
    on_this_host(Uuid::now_v7())
}

fn on_this_host(id: Uuid) -> String {
    let host = rustix::system::uname();
    format!("{}/{id}", host.nodename().to_string_lossy())
}

/// Who holds it works on the store, and nobody beside.
pub(super) const ALONE: &str = "alone";
/// For how long nobody does what a replica did, at most, after its host has died.
pub(super) const TTL: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests;
