//! Comparing what two stores hold, by reading all of it.

use syndic_ledger::{Hash, Tree, leaf_hash};

use super::copying::copy_blob;
use super::{ENTRIES_AT_A_TIME, blobs_of};
use crate::store::{Blobs, Movable, StoreError};

/// The size of two logs that hold the same, and the root of the tree over it.
pub(super) async fn require_same_entries(
    source: &dyn Movable,
    target: &dyn Movable,
) -> Result<(u64, Hash), StoreError> {
    let (ours, theirs) = (source.size().await?, target.size().await?);
    let (ours, theirs) = (root_of(source, ours).await?, root_of(target, theirs).await?);
    if ours == theirs {
        return Ok(ours);
    }
    Err(StoreError::Differs { what: target.place(), of: source.place() })
}

/// The number of entries, and the root of the tree over them.
pub(super) async fn root_of(log: &dyn Movable, size: u64) -> Result<(u64, Hash), StoreError> {
    let mut tree = Tree::new();
    while tree.size() < size {
        let entries = log.read(tree.size(), ENTRIES_AT_A_TIME).await?;
        if entries.is_empty() {
            let what = format!("entry {} of {}", tree.size(), log.place());
            return Err(StoreError::Corrupt { what });
        }
        for entry in entries {
            tree.append(leaf_hash(&entry));
        }
    }
    Ok((tree.size(), tree.root()))
}

/// How many blobs `source` has, and of how many bytes, once `target` yields every one of them whole. One that is damaged
/// there, or was cut short, is copied again.
pub(super) async fn require_same_blobs(
    source: &dyn Blobs,
    target: &dyn Blobs,
) -> Result<(u64, u64), StoreError> {
    let (mut number, mut bytes) = (0, 0);
    for (digest, length) in blobs_of(source).await? {
        match read_whole(target, digest).await {
            Err(StoreError::Corrupt { .. } | StoreError::Absent { .. }) => {
                copy_blob(source, target, digest).await?;
                read_whole(target, digest).await?;
            }
            read => read?,
        }
        number += 1;
        bytes += length;
    }
    Ok((number, bytes))
}

/// Reads a blob to its end, where its digest is checked.
async fn read_whole(blobs: &dyn Blobs, digest: syndic_round::Digest) -> Result<(), StoreError> {
    let mut reader = blobs.reader(digest).await?;
    while reader.next().await?.is_some() {}
    Ok(())
}
