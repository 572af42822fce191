//! Copying: what is there already is not copied again.

use syndic_round::Digest;

use super::{ENTRIES_AT_A_TIME, End, blobs_of};
use crate::store::{Blobs, StoreError};

/// Copies every blob that `target` does not show; says how many.
pub(super) async fn copy_blobs(source: &dyn Blobs, target: &dyn Blobs) -> Result<u64, StoreError> {
    let mut copied = 0;
    for digest in blobs_of(source).await?.into_keys() {
        // Damage in what is there is found when both are compared.
        if !target.contains(digest).await? {
            copy_blob(source, target, digest).await?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// Copies one blob: damaged on its way or before, it is not stored.
pub(super) async fn copy_blob(
    source: &dyn Blobs,
    target: &dyn Blobs,
    digest: Digest,
) -> Result<(), StoreError> {
    let mut reader = source.reader(digest).await?;
    let mut writer = target.writer().await?;
    while let Some(chunk) = reader.next().await? {
        writer.write(&chunk).await?;
    }
    // If we crash here the blob is in the target, or not.
    writer.finish(Some(digest)).await.map(drop)
}

/// Appends the entries that the target does not hold, once those that it holds are the same; says how many.
pub(super) async fn copy_entries(source: &End, target: &End) -> Result<u64, StoreError> {
    let (size, there) = (source.log.size().await?, target.log.size().await?);
    let differs = || StoreError::Differs { what: target.log.place(), of: source.log.place() };
    if there > size {
        return Err(differs());
    }
    let mut position = 0;
    while position < size {
        let until = if position < there { there } else { size };
        let entries = source.log.read(position, ENTRIES_AT_A_TIME.min(until - position)).await?;
        if entries.is_empty() {
            let what = format!("entry {position} of {}", source.log.place());
            return Err(StoreError::Corrupt { what });
        }
        let copied = entries.len() as u64;
        if position < there {
            if target.log.read(position, copied).await? != entries {
                return Err(differs());
            }
        } else {
            // If we crash here the target holds the batch as a whole, or nothing of it.
            target.appends.append(position, &entries).await?;
        }
        position += copied;
    }
    Ok(size - there)
}
