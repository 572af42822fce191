//! One process at a time works on a store: on this host by a lock, beyond it by a lease.
//!
//! The lock is the system's, so that it is over the moment its holder dies. A lease outlives its holder; so that a
//! coordinator which is started again need not wait for its former self, a state folder holds leases under one name
//! in every life, which the lock makes one process's.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tracing::{info, warn};
use uuid::Uuid;

use super::durable::blocking;
use super::{Holding, Lease, Leases, Log, StoreError, write_file};

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

/// The lease on a log, renewed as long as this lives.
pub struct Tenure<S> {
    shared: Arc<Shared<S>>,
    lost: watch::Receiver<bool>,
    renewing: AbortHandle,
}

struct Shared<S> {
    store: Arc<S>,
    lease: Mutex<Lease>,
}

impl<S: Log + Leases + 'static> Tenure<S> {
    /// Takes the lease for `holder` at once, or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] says by whom.
    pub async fn take(store: Arc<S>, holder: &str) -> Result<Self, StoreError> {
        Self::take_at(store, holder, RENEW_EVERY).await
    }

    async fn take_at(store: Arc<S>, holder: &str, renew_every: Duration) -> Result<Self, StoreError> {
        let lease = store.acquire(LEASE, holder, TTL).await?;
        let shared = Arc::new(Shared { store, lease: Mutex::new(lease) });
        let (lose, lost) = watch::channel(false);
        let renewing = tokio::spawn(renew(shared.clone(), renew_every, lose)).abort_handle();
        Ok(Self { shared, lost, renewing })
    }

    /// The same, when whoever holds it has let it go, or has not renewed it.
    ///
    /// # Errors
    ///
    /// What the store can meet.
    pub async fn wait(store: Arc<S>, holder: &str) -> Result<Self, StoreError> {
        let mut told = None;
        loop {
            match Self::take(store.clone(), holder).await {
                Err(StoreError::Held { .. }) => {}
                taken => return taken,
            }
            let Some(Holding { holder: other, epoch, left }) = store.holding(LEASE).await? else { continue };
            if told != Some(epoch) {
                info!(
                    holder = other,
                    ?left,
                    "another coordinator runs this federation; waiting for its lease"
                );
                told = Some(epoch);
            }
            tokio::time::sleep(left.min(RENEW_EVERY)).await;
        }
    }

    /// The log, to which whatever is appended is appended under the lease.
    pub fn log(&self) -> HeldLog<S> {
        HeldLog { shared: self.shared.clone() }
    }

    /// Resolves when somebody else has the lease.
    pub async fn lost(&self) -> StoreError {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.shared.lease.lock().await.fenced()
    }

    /// Lets the lease go, so that the next need not wait.
    pub async fn release(self) {
        self.renewing.abort();
        let lease = self.shared.lease.lock().await.clone();
        if let Err(error) = self.shared.store.release(&lease).await {
            warn!(%error, "the lease could not be let go; it ends by itself in {TTL:?}");
        }
    }
}

impl<S> Drop for Tenure<S> {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl<S: Log + Leases> Shared<S> {
    /// The lease anew after `stale` was over, if nobody had it meanwhile.
    async fn regain(&self, stale: &Lease) -> Result<Lease, StoreError> {
        let mut lease = self.lease.lock().await;
        if lease.epoch != stale.epoch {
            return Ok(lease.clone());
        }
        if self.store.holding(&stale.name).await?.is_some() {
            return Err(stale.fenced());
        }
        *lease = self.store.acquire(&stale.name, &stale.holder, TTL).await?;
        warn!(
            epoch = lease.epoch,
            "the lease was over before it was renewed; nobody else had it, and it is taken anew"
        );
        Ok(lease.clone())
    }
}

async fn renew<S: Log + Leases>(shared: Arc<Shared<S>>, every: Duration, lose: watch::Sender<bool>) {
    loop {
        tokio::time::sleep(every).await;
        let lease = shared.lease.lock().await.clone();
        let renewed = match shared.store.renew(&lease, TTL).await {
            Err(StoreError::Fenced { .. }) => shared.regain(&lease).await,
            renewed => renewed,
        };
        match renewed {
            Ok(renewed) => {
                let mut lease = shared.lease.lock().await;
                if lease.epoch == renewed.epoch {
                    *lease = renewed;
                }
            }
            Err(StoreError::Fenced { .. } | StoreError::Held { .. }) => {
                lose.send_replace(true);
                return;
            }
            Err(error) => warn!(%error, "the lease could not be renewed; it is tried again"),
        }
    }
}

/// A log to which nobody else appends as long as the lease is held.
pub struct HeldLog<S> {
    shared: Arc<Shared<S>>,
}

#[async_trait::async_trait]
impl<S: Log + Leases> Log for HeldLog<S> {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        let store = &self.shared.store;
        if lease.is_some() {
            return store.append_under(lease, expected_size, entries).await;
        }
        let ours = self.shared.lease.lock().await.clone();
        match store.append_under(Some(&ours), expected_size, entries).await {
            // The host slept, or the server was away, for longer than a lease lasts. Taken anew it is as good: had
            // anybody appended meanwhile, the log would have another size than we saw.
            Err(StoreError::Fenced { .. }) => {
                let anew = self.shared.regain(&ours).await?;
                store.append_under(Some(&anew), expected_size, entries).await
            }
            appended => appended,
        }
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.shared.store.read(from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.shared.store.size().await
    }

    async fn holds(&self, at: u64, entries: &[Vec<u8>]) -> Result<bool, StoreError> {
        self.shared.store.holds(at, entries).await
    }

    async fn grown(&self, beyond: u64) -> Result<(), StoreError> {
        self.shared.store.grown(beyond).await
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
    let host = rustix::system::uname();
    Ok(format!("{}/{id}", host.nodename().to_string_lossy()))
}

/// What the only coordinator of a federation holds.
const LEASE: &str = "coordinator";
/// How long a federation has no coordinator at most, after its host has died.
const TTL: Duration = Duration::from_secs(20);
const RENEW_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
