//! Opening the store that a configuration names.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::Servers;
use super::replica::{alone, sweep_beside};
use super::tenure::{holder, visitor};
use super::{
    Blobs, Cosignatures, FolderBlobs, FolderCosignatures, FolderLock, Log, Movable, ObjectBlobs, PostgresLog,
    Replica, SqliteLog, Standing, StoreError, Tenure, create_folder,
};

/// What a federation keeps, and the right to work on it.
pub struct Store {
    /// The ledger's entries.
    pub log: Box<dyn Log>,
    /// What they name.
    pub blobs: Box<dyn Blobs>,
    /// What its witnesses have signed.
    pub cosignatures: Box<dyn Cosignatures>,
    /// The right of this process to work on it, as long as it lives.
    pub hold: Hold,
}

/// The right of this process to work on a store.
pub struct Hold {
    by: By,
    /// Let go after the leases: whoever gets the folder next finds it free. None beside whoever has it.
    _folder: Option<FolderLock>,
}

/// How others are kept out, or in step.
enum By {
    /// The folder's lock alone.
    Lock,
    /// The lease of the only one on the servers.
    Alone(Tenure),
    /// The lease of one among several.
    Replica(Arc<Replica>),
    /// The lease of whoever sweeps, beside those several.
    Sweep(Tenure),
}

impl Store {
    /// The store of `federation`: on `servers`, as one of its replicas, or else in the folder `state`, alone. The folder is
    /// made, for this user alone, if need be. Waits where somebody works alone on the servers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] where a process of this host works with the folder; [`StoreError::Left`],
    /// [`StoreError::Filling`] or [`StoreError::NotMoved`] where the ledger is elsewhere; what opening can meet.
    pub async fn open(state: &Path, servers: Option<&Servers>, federation: &str) -> Result<Self, StoreError> {
        let folder = lock(state).await?;
        let Some(servers) = servers else {
            let (log, blobs) = embedded(state).await?;
            log.require_in_use().await?;
            // In the folder: one that is lost is a witness fewer, no more.
            let cosignatures = FolderCosignatures::open(&state.join("cosignatures")).await?;
            let hold = Hold { by: By::Lock, _folder: Some(folder) };
            return Ok(Self {
                log: Box::new(log),
                blobs: Box::new(blobs),
                cosignatures: Box::new(cosignatures),
                hold,
            });
        };
        require_moved(state).await?;
        let log = Arc::new(PostgresLog::open(&servers.log, federation).await?);
        let replica = Arc::new(Replica::join(log.clone(), holder(state).await?).await?);
        let blobs = on_servers(state, servers, federation).await?;
        Ok(Self {
            log: Box::new(replica.log()),
            blobs: Box::new(blobs),
            cosignatures: Box::new(log),
            hold: Hold { by: By::Replica(replica), _folder: Some(folder) },
        })
    }

    /// The store on `servers`, on which nobody else works.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] where somebody does; otherwise as [`Store::open`].
    pub async fn take(state: &Path, servers: &Servers, federation: &str) -> Result<Self, StoreError> {
        let folder = lock(state).await?;
        require_moved(state).await?;
        let log = Arc::new(PostgresLog::open(&servers.log, federation).await?);
        let tenure = alone(log.clone(), &holder(state).await?).await?;
        log.require_in_use().await?;
        let blobs = on_servers(state, servers, federation).await?;
        Ok(Self {
            log: Box::new(tenure.log(log.clone())),
            blobs: Box::new(blobs),
            cosignatures: Box::new(log),
            hold: Hold { by: By::Alone(tenure), _folder: Some(folder) },
        })
    }

    /// The store on `servers`, for sweeping it, also while coordinators work on it: those of this host too, whose folder
    /// `state` may be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] where another sweeps it, or works alone on it; otherwise as [`Store::open`].
    pub async fn sweep(state: &Path, servers: &Servers, federation: &str) -> Result<Self, StoreError> {
        require_moved(state).await?;
        let log = Arc::new(PostgresLog::open(&servers.log, federation).await?);
        let tenure = sweep_beside(log.clone(), &visitor()).await?;
        let blobs = on_servers(state, servers, federation).await?;
        Ok(Self {
            log: Box::new(tenure.log(log.clone())),
            blobs: Box::new(blobs),
            cosignatures: Box::new(log),
            hold: Hold { by: By::Sweep(tenure), _folder: None },
        })
    }
}

impl Hold {
    /// This process among the replicas; none where it works alone.
    pub fn replica(&self) -> Option<Arc<Replica>> {
        match &self.by {
            By::Replica(replica) => Some(replica.clone()),
            By::Lock | By::Alone(_) | By::Sweep(_) => None,
        }
    }

    /// Resolves when another process has taken this one's place; what is locked on this host alone is never lost.
    pub async fn lost(&self) -> StoreError {
        match &self.by {
            By::Lock => std::future::pending().await,
            By::Alone(tenure) | By::Sweep(tenure) => tenure.lost().await,
            By::Replica(replica) => replica.lost().await,
        }
    }

    /// Lets the store go, so that nobody need wait for this process.
    pub async fn release(self) {
        match &self.by {
            By::Lock => {}
            By::Alone(tenure) | By::Sweep(tenure) => tenure.release().await,
            By::Replica(replica) => replica.leave().await,
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
