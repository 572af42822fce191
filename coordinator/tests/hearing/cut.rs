//! Blobs whose owner dies in the middle.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use syndic_coordinator::store::{
    Begun, BlobReader, BlobWriter, Blobs, FolderBlobs, Held, Resumed, StoreError, StoredBlob, UploadName,
};
use syndic_round::Digest;

/// Blobs whose owner dies at a durable step, just before it or just after.
pub(crate) struct Cut {
    pub(crate) blobs: FolderBlobs,
    /// At which step: two for each, before and after.
    pub(crate) fatal: u64,
    passed: AtomicU64,
}

impl Cut {
    pub(crate) fn at(blobs: FolderBlobs, fatal: u64) -> Self {
        Self { blobs, fatal, passed: AtomicU64::new(0) }
    }

    fn moment(&self) -> Result<(), StoreError> {
        if self.passed.fetch_add(1, Ordering::SeqCst) >= self.fatal {
            return Err(StoreError::Busy { what: "what is cut".into() });
        }
        Ok(())
    }

    async fn step<T>(&self, step: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.moment()?;
        let done = step.await;
        self.moment()?;
        done
    }
}

#[async_trait]
impl Blobs for Cut {
    async fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        self.blobs.writer().await
    }

    async fn reader(&self, digest: Digest) -> Result<Box<dyn BlobReader>, StoreError> {
        self.blobs.reader(digest).await
    }

    async fn contains(&self, digest: Digest) -> Result<bool, StoreError> {
        self.blobs.contains(digest).await
    }

    async fn remove(&self, digest: Digest) -> Result<bool, StoreError> {
        self.step(self.blobs.remove(digest)).await
    }

    async fn set_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        self.step(self.blobs.set_aside(digest)).await
    }

    async fn aside(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.blobs.aside(after, limit).await
    }

    async fn put_back(&self, digest: Digest) -> Result<(), StoreError> {
        self.step(self.blobs.put_back(digest)).await
    }

    async fn remove_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        self.step(self.blobs.remove_aside(digest)).await
    }

    async fn list(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.blobs.list(after, limit).await
    }

    async fn sweep_partial(&self) -> Result<u64, StoreError> {
        self.blobs.sweep_partial().await
    }

    async fn resume(
        &self,
        name: &UploadName,
        from: u64,
        seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Resumed, StoreError> {
        self.blobs.resume(name, from, seen).await
    }

    async fn begun(&self, name: &UploadName) -> Result<Option<Held>, StoreError> {
        self.blobs.begun(name).await
    }

    async fn all_begun(&self) -> Result<Vec<Begun>, StoreError> {
        self.blobs.all_begun().await
    }

    async fn forget(&self, name: &UploadName) -> Result<bool, StoreError> {
        self.step(self.blobs.forget(name)).await
    }
}
