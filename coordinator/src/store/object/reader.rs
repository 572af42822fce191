//! Reading a blob by ranges.

use async_trait::async_trait;
use object_store::ObjectStoreExt;
use sha2::{Digest as _, Sha256};
use syndic_round::Digest;

use super::ObjectBlobs;
use crate::store::{BlobReader, StoreError};

/// A blob being read and hashed: a request for each piece, and nothing held between them.
pub(super) struct ObjectReader {
    blobs: ObjectBlobs,
    digest: Digest,
    length: u64,
    position: u64,
    hash: Sha256,
    spent: bool,
}

impl ObjectReader {
    pub(super) async fn open(blobs: &ObjectBlobs, digest: Digest) -> Result<Self, StoreError> {
        let found = blobs.bucket.head(&blobs.key_of(digest)).await;
        let length = found.map_err(|error| blobs.failures.of_the_blob(digest, error))?.size;
        Ok(Self { blobs: blobs.clone(), digest, length, position: 0, hash: Sha256::new(), spent: false })
    }

    async fn piece(&mut self, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        if self.position == self.length {
            let is_right = self.hash.clone().finalize()[..] == self.digest.0;
            return if is_right { Ok(None) } else { Err(self.blobs.failures.corrupt(self.digest)) };
        }
        let until = self.length.min(self.position.saturating_add(most.max(1) as u64));
        let read = self.blobs.bucket.get_range(&self.blobs.key_of(self.digest), self.position..until).await;
        let piece = read.map_err(|error| self.blobs.failures.of_the_blob(self.digest, error))?;
        if piece.len() as u64 != until - self.position {
            return Err(self.blobs.failures.corrupt(self.digest));
        }
        self.hash.update(&piece);
        self.position = until;
        Ok(Some(piece.into()))
    }
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
