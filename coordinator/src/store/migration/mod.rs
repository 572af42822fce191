//! Moving a federation's ledger and blobs from one store to another.
//!
//! | step | if it stops there | the ledger is |
//! |---|---|---|
//! | mark the target as a copy that is being made | nobody goes on with it | in the source |
//! | copy blobs, then entries | the next run finds what is there, compares it, and goes on behind it | in the source |
//! | compare: every entry by the tree's root, every blob by its digest | the next run compares again | in the source |
//! | mark the source as left | no coordinator runs on either; the next run goes on | in both, the same |
//! | mark the target as in use | it was done | in the target |
//!
//! What is set aside in the source is a blob like others in the target: a sweep there decides anew. So at no moment could a coordinator go on with both, or with a part.

mod comparing;
mod copying;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use syndic_round::Digest;
use tracing::info;

use super::config::Servers;
use super::opening::{embedded, lock, on_servers};
use super::replica::alone;
use super::tenure::holder;
use super::{
    Blobs, Cosignatures, FolderCosignatures, Log, Movable, PostgresLog, Standing, StoreError, all_aside,
    all_stored,
};
use comparing::{require_same_blobs, require_same_entries};
use copying::{copy_blobs, copy_entries};

/// Where a store is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// From the state folder to the servers.
    Servers,
    /// From the servers to the state folder.
    Folder,
}

/// What there is in the target now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where the ledger is now.
    pub place: String,
    /// Its entries.
    pub entries: u64,
    /// The root of the tree over them.
    pub root: String,
    /// The blobs that were compared; none where the ledger had been moved before.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One of the two stores.
struct End {
    log: Arc<dyn Movable>,
    /// To which entries are appended: the same log, under the lease where it has one.
    appends: Arc<dyn Log>,
    blobs: Box<dyn Blobs>,
    cosignatures: Box<dyn Cosignatures>,
}

/// Moves the store of `federation` between the folder `state` and `servers`, or goes on with a move that was
/// interrupted.
///
/// # Errors
///
/// [`StoreError::Busy`] or [`StoreError::Held`] where a coordinator works on either; [`StoreError::Occupied`] where
/// another ledger is in the target; [`StoreError::Corrupt`] or [`StoreError::Differs`] for what is damaged or not the
/// same; what either store can meet. In each case the ledger is where it was.
pub async fn migrate(
    state: &Path,
    servers: &Servers,
    federation: &str,
    to: Target,
) -> Result<Moved, StoreError> {
    let _folder = lock(state).await?;
    let log = Arc::new(PostgresLog::open(&servers.log, federation).await?);
    let tenure = alone(log.clone(), &holder(state).await?).await?;
    let served = End {
        appends: Arc::new(tenure.log(log.clone())),
        cosignatures: Box::new(log.clone()),
        log,
        blobs: Box::new(on_servers(state, servers, federation).await?),
    };
    let (log, blobs) = embedded(state).await?;
    let log = Arc::new(log);
    let cosignatures = Box::new(FolderCosignatures::open(&state.join("cosignatures")).await?);
    let embedded = End { appends: log.clone(), log, blobs: Box::new(blobs), cosignatures };
    let moved = match to {
        Target::Servers => move_all(&embedded, &served).await,
        Target::Folder => move_all(&served, &embedded).await,
    };
    tenure.release().await;
    moved
}

async fn move_all(source: &End, target: &End) -> Result<Moved, StoreError> {
    let place = target.log.place();
    if !begin(source, target).await? {
        let (entries, root) = comparing::root_of(&*target.log, target.log.size().await?).await?;
        return Ok(Moved { place, entries, root: root.to_string(), blobs: 0, bytes: 0 });
    }
    info!(from = source.log.place(), to = place, "moving the ledger");
    // What a run that was killed had in its hands.
    target.blobs.sweep_partial().await?;
    let copied = copy_blobs(&*source.blobs, &*target.blobs).await?;
    info!(copied, "the blobs are copied");
    let copied = copy_entries(source, target).await?;
    info!(copied, "the entries are copied");
    for cosignature in source.cosignatures.kept().await? {
        // If we crash here the next run goes on; a witness's newest word is in the source, and may be in the target.
        target.cosignatures.keep(&cosignature).await?;
    }
    let (entries, root) = require_same_entries(&*source.log, &*target.log).await?;
    let (blobs, bytes) = require_same_blobs(&*source.blobs, &*target.blobs).await?;
    info!(entries, %root, blobs, bytes, "both are the same");
    source.log.set_standing(&Standing::Left(place.clone())).await?;
    // If we crash here neither is in use, and both are whole; the next run compares them again and ends here.
    info!("the source is left");
    target.log.set_standing(&Standing::InUse).await?;
    Ok(Moved { place, entries, root: root.to_string(), blobs, bytes })
}

/// Marks the target as a copy that is being made, if it may become one. False where everything was moved before.
async fn begin(source: &End, target: &End) -> Result<bool, StoreError> {
    let (from, to) = (source.log.standing().await?, target.log.standing().await?);
    let is_empty = target.log.size().await? == 0;
    match (from, to) {
        (Standing::Left(_), Standing::InUse) if !is_empty => return Ok(false),
        (Standing::Left(_), Standing::Filling) => return Ok(true),
        (Standing::Left(_) | Standing::Filling, _) => source.log.require_in_use().await?,
        (Standing::InUse, _) if source.log.size().await? == 0 => {
            return Err(StoreError::NoLedger { what: source.log.place() });
        }
        (Standing::InUse, Standing::InUse) if !is_empty => {
            return Err(StoreError::Occupied { what: target.log.place() });
        }
        (Standing::InUse, Standing::Filling) => return Ok(true),
        (Standing::InUse, Standing::InUse | Standing::Left(_)) => {}
    }
    // If we crash here the target says that it is a copy, and the source is as it was.
    target.log.set_standing(&Standing::Filling).await?;
    Ok(true)
}

/// Every blob of a store with its length, in order; also those that are set aside, which an entry may name.
async fn blobs_of(blobs: &dyn Blobs) -> Result<BTreeMap<Digest, u64>, StoreError> {
    let stored = all_stored(blobs).await?;
    let aside = all_aside(blobs).await?;
    Ok(stored.into_iter().chain(aside).map(|blob| (blob.digest, blob.length)).collect())
}

/// Few in tests, so that a short ledger is copied in several batches.
const ENTRIES_AT_A_TIME: u64 = if cfg!(test) { 8 } else { 1024 };
