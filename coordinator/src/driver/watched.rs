//! Blobs that tell the coordinator when they cannot be stored, whoever stores them, and when they cannot be read because their
//! server is away.

use async_trait::async_trait;
use syndic_round::Digest;

use super::recovery::Condition;
use crate::store::{Begun, BlobReader, BlobWriter, Blobs, Held, Resumed, StoreError, StoredBlob, UploadName};

/// The same blobs; an error that may pass is remembered before it is returned.
pub(super) struct WatchedBlobs {
    pub(super) blobs: Box<dyn Blobs>,
    pub(super) condition: Condition,
}

impl WatchedBlobs {
    fn told<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        outcome.inspect_err(|error| self.condition.met(error))
    }

    fn watched(&self, writer: Box<dyn BlobWriter>) -> Box<dyn BlobWriter> {
        Box::new(WatchedWriter { writer, condition: self.condition.clone() })
    }
}

#[async_trait]
impl Blobs for WatchedBlobs {
    async fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.told(self.blobs.put(bytes).await)
    }

    async fn read(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        away(&self.condition, self.blobs.read(digest).await)
    }

    async fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        let writer = self.told(self.blobs.writer().await)?;
        Ok(self.watched(writer))
    }

    async fn reader(&self, digest: Digest) -> Result<Box<dyn BlobReader>, StoreError> {
        let reader = away(&self.condition, self.blobs.reader(digest).await)?;
        Ok(Box::new(WatchedReader { reader, condition: self.condition.clone() }))
    }

    async fn read_small(&self, digests: Vec<Digest>, most: u64) -> Vec<Option<Vec<u8>>> {
        self.blobs.read_small(digests, most).await
    }

    async fn contains(&self, digest: Digest) -> Result<bool, StoreError> {
        self.blobs.contains(digest).await
    }

    async fn remove(&self, digest: Digest) -> Result<bool, StoreError> {
        self.blobs.remove(digest).await
    }

    async fn set_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        self.blobs.set_aside(digest).await
    }

    async fn aside(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.blobs.aside(after, limit).await
    }

    async fn put_back(&self, digest: Digest) -> Result<(), StoreError> {
        self.blobs.put_back(digest).await
    }

    async fn remove_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        self.blobs.remove_aside(digest).await
    }

    async fn list(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.blobs.list(after, limit).await
    }

    async fn sweep_partial(&self) -> Result<u64, StoreError> {
        self.blobs.sweep_partial().await
    }

    async fn sweep_abandoned(&self) -> Result<u64, StoreError> {
        self.blobs.sweep_abandoned().await
    }

    async fn resume(
        &self,
        name: &UploadName,
        from: u64,
        seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Resumed, StoreError> {
        Ok(match self.told(self.blobs.resume(name, from, seen).await)? {
            Resumed::On(writer) => Resumed::On(self.watched(writer)),
            other => other,
        })
    }

    async fn begun(&self, name: &UploadName) -> Result<Option<Held>, StoreError> {
        self.blobs.begun(name).await
    }

    async fn all_begun(&self) -> Result<Vec<Begun>, StoreError> {
        self.blobs.all_begun().await
    }

    async fn forget(&self, name: &UploadName) -> Result<bool, StoreError> {
        self.blobs.forget(name).await
    }
}

/// Remembers that what is read is on a server that is away. Whatever else a reader meets is of that blob alone.
fn away<T>(condition: &Condition, read: Result<T, StoreError>) -> Result<T, StoreError> {
    read.inspect_err(|error| {
        if matches!(error, StoreError::Unreachable { .. }) {
            condition.met(error);
        }
    })
}

struct WatchedReader {
    reader: Box<dyn BlobReader>,
    condition: Condition,
}

#[async_trait]
impl BlobReader for WatchedReader {
    fn length(&self) -> u64 {
        self.reader.length()
    }

    async fn up_to(&mut self, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        away(&self.condition, self.reader.up_to(most).await)
    }
}

struct WatchedWriter {
    writer: Box<dyn BlobWriter>,
    condition: Condition,
}

#[async_trait]
impl BlobWriter for WatchedWriter {
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let written = self.writer.write(chunk).await;
        written.inspect_err(|error| self.condition.met(error))
    }

    async fn finish(self: Box<Self>, expected: Option<Digest>) -> Result<Digest, StoreError> {
        let Self { writer, condition } = *self;
        writer.finish(expected).await.inspect_err(|error| condition.met(error))
    }
}
