//! Opening the store that a configuration names, for this process alone.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::Servers;
use super::tenure::holder;
use super::{
    Blobs, FolderBlobs, FolderLock, Log, Movable, ObjectBlobs, PostgresLog, SqliteLog, Standing, StoreError,
    Tenure, create_folder,
};

/// Log and blobs of a federation, on which nobody else works.
pub struct Store {
    /// The ledger's entries.
    pub log: Box<dyn Log>,
    /// What they name.
    pub blobs: Box<dyn Blobs>,
    /// Keeps others out as long as it lives.
    pub hold: Hold,
}

/// The right of this process to work on a store.
pub struct Hold {
    tenure: Option<Tenure<PostgresLog>>,
    /// Let go after the lease: whoever gets the folder next finds it free.
    _folder: FolderLock,
}

impl Store {
    /// The store of `federation`: on `servers`, or else in the folder `state`, which is made, for this user alone,
    /// if need be. Waits where another coordinator holds the servers' lease.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] where a process of this host works with the folder; [`StoreError::Left`],
    /// [`StoreError::Filling`] or [`StoreError::NotMoved`] where the ledger is elsewhere; what opening can meet.
    pub async fn open(state: &Path, servers: Option<&Servers>, federation: &str) -> Result<Self, StoreError> {
        let Some(servers) = servers else {
            let folder = lock(state).await?;
            let (log, blobs) = embedded(state).await?;
            log.require_in_use().await?;
            let hold = Hold { tenure: None, _folder: folder };
            return Ok(Self { log: Box::new(log), blobs: Box::new(blobs), hold });
        };
        Self::open_on(servers, state, federation, async |log, holder| Tenure::wait(log, &holder).await).await
    }

    /// The store on `servers`, without waiting for a coordinator that works on it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`]; otherwise as [`Store::open`].
    pub async fn take(state: &Path, servers: &Servers, federation: &str) -> Result<Self, StoreError> {
        Self::open_on(servers, state, federation, async |log, holder| Tenure::take(log, &holder).await).await
    }

    async fn open_on(
        servers: &Servers,
        state: &Path,
        federation: &str,
        take: impl AsyncFnOnce(Arc<PostgresLog>, String) -> Result<Tenure<PostgresLog>, StoreError>,
    ) -> Result<Self, StoreError> {
        let folder = lock(state).await?;
        require_moved(state).await?;
        let log = Arc::new(PostgresLog::open(&servers.log, federation).await?);
        let tenure = take(log.clone(), holder(state).await?).await?;
        // Under the lease: a migration holds it too.
        log.require_in_use().await?;
        let blobs = on_servers(state, servers, federation).await?;
        let held = tenure.log();
        let hold = Hold { tenure: Some(tenure), _folder: folder };
        Ok(Self { log: Box::new(held), blobs: Box::new(blobs), hold })
    }
}

impl Hold {
    /// Resolves when another coordinator has taken over; what is locked on this host alone is never lost.
    pub async fn lost(&self) -> StoreError {
        match &self.tenure {
            Some(tenure) => tenure.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Lets the store go, so that the next coordinator need not wait.
    pub async fn release(self) {
        if let Some(tenure) = self.tenure {
            tenure.release().await;
        }
    }
}

/// Makes the folder, lets nobody but this user in, and keeps other processes out.
pub(super) async fn lock(state: &Path) -> Result<FolderLock, StoreError> {
    create_folder(state).await?;
    std::fs::set_permissions(state, Permissions::from_mode(0o700))
        .map_err(|error| StoreError::io("cannot protect", state, error))?;
    FolderLock::take(state).await
}

/// The store in the folder `state`.
pub(super) async fn embedded(state: &Path) -> Result<(SqliteLog, FolderBlobs), StoreError> {
    Ok((SqliteLog::open(&embedded_log(state)).await?, FolderBlobs::open(state).await?))
}

pub(super) async fn on_servers(
    state: &Path,
    servers: &Servers,
    federation: &str,
) -> Result<ObjectBlobs, StoreError> {
    ObjectBlobs::open(&servers.blobs, federation, &state.join("spool")).await
}

/// Refuses to begin a ledger on servers where one is in the folder still.
async fn require_moved(state: &Path) -> Result<(), StoreError> {
    let path = embedded_log(state);
    if !path.try_exists().map_err(|error| StoreError::io("cannot look for", &path, error))? {
        return Ok(());
    }
    let log = SqliteLog::open(&path).await?;
    let is_in_use = log.standing().await? == Standing::InUse && log.size().await? > 0;
    if is_in_use { Err(StoreError::NotMoved { what: log.place() }) } else { Ok(()) }
}

fn embedded_log(state: &Path) -> PathBuf {
    state.join("ledger.sqlite")
}
