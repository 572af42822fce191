//! What was set aside: `<prefix>/set-aside/ab/cdef...`, as old as it has been there.
//!
//! The store has no removal under a condition. So nothing is removed from where blobs are stored but what has a copy here, which
//! stays for as long as whoever stores the same at that moment may take to name it.

use object_store::ObjectStoreExt;
use object_store::path::Path as Key;
use syndic_round::Digest;

use super::ObjectBlobs;
use crate::store::StoreError;

impl ObjectBlobs {
    pub(super) fn aside_of(&self, digest: Digest) -> Key {
        self.key_below(FOLDER, digest)
    }

    /// Copies an object, which stays; says whether it was there.
    pub(super) async fn copied(&self, from: &Key, to: &Key) -> Result<bool, StoreError> {
        match self.bucket.copy(from, to).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failures.of_the_bucket(error)),
        }
    }
}

/// Sets a blob aside; see [`Blobs::set_aside`](crate::store::Blobs::set_aside).
pub(super) async fn set(blobs: &ObjectBlobs, digest: Digest) -> Result<bool, StoreError> {
    let key = blobs.key_of(digest);
    if !blobs.copied(&key, &blobs.aside_of(digest)).await? {
        return Ok(false);
    }
    // If we crash here the blob is in both places. As long as it is an orphan, a sweep copies it again, and goes on from here.
    blobs.removed(&key).await?;
    Ok(true)
}

/// Puts a blob back; see [`Blobs::put_back`](crate::store::Blobs::put_back).
pub(super) async fn put_back(blobs: &ObjectBlobs, digest: Digest) -> Result<(), StoreError> {
    let (from, to) = (blobs.aside_of(digest), blobs.key_of(digest));
    if !blobs.has(&to).await? && !blobs.copied(&from, &to).await? {
        return Ok(());
    }
    // If we crash here the blob is in both places; the next sweep finds it back, and goes on from here.
    blobs.removed(&from).await.map(drop)
}

/// Below the prefix.
pub(super) const FOLDER: &str = "set-aside";
