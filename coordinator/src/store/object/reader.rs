//! Reading a blob by ranges.

use std::ops::Range;

use async_trait::async_trait;
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;
use sha2::{Digest as _, Sha256};
use syndic_round::Digest;

use super::ObjectBlobs;
use crate::store::{BlobReader, StoreError};

/// A blob being read and hashed: a request for each piece, and nothing held between them.
pub(super) struct ObjectReader {
    blobs: ObjectBlobs,
    digest: Digest,
    /// Where it was found last: stored, or set aside.
    key: Key,
    length: u64,
    position: u64,
    hash: Sha256,
    spent: bool,
}

impl ObjectReader {
    pub(super) async fn open(blobs: &ObjectBlobs, digest: Digest) -> Result<Self, StoreError> {
        for key in places(blobs, digest) {
            match blobs.bucket.head(&key).await {
                Err(object_store::Error::NotFound { .. }) => {}
                found => {
                    let length = found.map_err(|error| blobs.failures.of_the_bucket(error))?.size;
                    let (blobs, hash) = (blobs.clone(), Sha256::new());
                    return Ok(Self { blobs, digest, key, length, position: 0, hash, spent: false });
                }
            }
        }
        Err(StoreError::Absent { digest })
    }

    /// These bytes, also where the blob was set aside or put back since the last.
    async fn range(&mut self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let elsewhere = places(&self.blobs, self.digest);
        for key in std::iter::once(self.key.clone()).chain(elsewhere) {
            match self.blobs.bucket.get_range(&key, range.clone()).await {
                Err(object_store::Error::NotFound { .. }) => {}
                read => {
                    self.key = key;
                    let read = read.map_err(|error| self.blobs.failures.of_the_bucket(error));
                    return read.map(Vec::from);
                }
            }
        }
        Err(StoreError::Absent { digest: self.digest })
    }

    async fn piece(&mut self, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        if self.position == self.length {
            let is_right = self.hash.clone().finalize()[..] == self.digest.0;
            return if is_right { Ok(None) } else { Err(self.blobs.failures.corrupt(self.digest)) };
        }
        let until = self.length.min(self.position.saturating_add(most.max(1) as u64));
        let piece = self.range(self.position..until).await?;
        if piece.len() as u64 != until - self.position {
            return Err(self.blobs.failures.corrupt(self.digest));
        }
        self.hash.update(&piece);
        self.position = until;
        Ok(Some(piece))
    }
}

/// Where a blob may be. The second look in its place is for one that is put back between both others.
fn places(blobs: &ObjectBlobs, digest: Digest) -> [Key; 3] {
    [blobs.key_of(digest), blobs.aside_of(digest), blobs.key_of(digest)]
}

#[async_trait]
impl BlobReader for ObjectReader {
    fn length(&self) -> u64 {
        self.length
    }

    async fn up_to(&mut self, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        // Also when this is given up in the middle.
        if std::mem::replace(&mut self.spent, true) {
            return Err(super::writer::spent());
        }
        let piece = self.piece(most).await?;
        self.spent = false;
        Ok(piece)
    }
}
