//! The promise of the blobs: complete or absent, under the name that their content gives them.

use std::time::Duration;

use async_trait::async_trait;
use syndic_round::Digest;

use super::{Begun, Held, Resumed, StoreError, UploadName};

/// Bytes in every chunk that [`BlobReader::next`] yields, except a blob's last: 1 MiB.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Content-addressed bytes: a blob's name is its SHA-256 digest, so that it can be stored twice but never
/// changed. A blob is complete or absent, and durable once the call that stored it returns.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores `bytes` and returns their name. Storing what is stored already is fine, and mends a
    /// damaged copy.
    async fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let mut writer = self.writer().await?;
        writer.write(bytes).await?;
        writer.finish(None).await
    }

    /// Begins a blob that is handed in piece by piece. Dropped before [`BlobWriter::finish`] it leaves
    /// nothing behind.
    async fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError>;

    /// The whole blob, also where it is set aside.
    ///
    /// # Errors
    ///
    /// [`StoreError::Absent`]; [`StoreError::Corrupt`] where the bytes no longer have the digest `digest`.
    async fn read(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        whole(self.reader(digest).await?).await
    }

    /// Each of these blobs that has at most `most` bytes, in their order; nothing for one that is longer, or that
    /// [`Blobs::read`] would not answer.
    async fn read_small(&self, digests: Vec<Digest>, most: u64) -> Vec<Option<Vec<u8>>> {
        let mut blobs = Vec::with_capacity(digests.len());
        for digest in digests {
            let reader = self.reader(digest).await.ok().filter(|reader| reader.length() <= most);
            blobs.push(match reader {
                Some(reader) => whole(reader).await.ok(),
                None => None,
            });
        }
        blobs
    }

    /// The blob in chunks, for what is too large to hold; also where it is set aside.
    ///
    /// # Errors
    ///
    /// [`StoreError::Absent`]; see [`BlobReader::up_to`] for damage.
    async fn reader(&self, digest: Digest) -> Result<Box<dyn BlobReader>, StoreError>;

    /// Whether the blob is stored, and not set aside. Its bytes are not read, so damage is not noticed.
    async fn contains(&self, digest: Digest) -> Result<bool, StoreError>;

    /// Removes the blob for good, set aside or not; says whether it was there.
    async fn remove(&self, digest: Digest) -> Result<bool, StoreError>;

    /// Sets the blob aside; says whether it was there. It is read as before, but listed apart, and [`Blobs::contains`] does not
    /// count it: whoever stores the same again, also at the same moment and elsewhere, has stored it whatever becomes of what
    /// was set aside. Setting it aside again is fine, and lets its time there begin anew.
    async fn set_aside(&self, digest: Digest) -> Result<bool, StoreError>;

    /// What is set aside, as [`Blobs::list`] shows what is not; ages count from when it was.
    async fn aside(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError>;

    /// Puts a blob that is set aside back in its place, unless it was stored there again meanwhile. Putting back what is back is
    /// fine.
    async fn put_back(&self, digest: Digest) -> Result<(), StoreError>;

    /// Removes what is set aside of this name, for good, and not what is stored; says whether it was there.
    async fn remove_aside(&self, digest: Digest) -> Result<bool, StoreError>;

    /// At most `limit` blobs whose names come after `after`, in the order of their names; fewer only at the end.
    /// For a sweep of what no entry names, and for checking: their bytes are not read.
    async fn list(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError>;

    /// Removes what interrupted writers left, but for uploads that were begun under a name, and makes sure that all which
    /// [`Blobs::contains`] shows is durable. To be called once, at start. Returns how many leftovers there were.
    async fn sweep_partial(&self) -> Result<u64, StoreError>;

    /// The same, at any time, for what writers of other processes left that have been dead for long: for stores that several
    /// share.
    async fn sweep_abandoned(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// Goes on with the upload `name` behind its first `from` bytes, which are read anew and shown to `seen`, in order; what
    /// lies behind them is given up, and so is whatever else the same participant had begun in the same attempt. From 0 it
    /// begins anew. Until it is finished its bytes are held, as long as the store can, also when its writer or its process
    /// ends.
    async fn resume(
        &self,
        name: &UploadName,
        from: u64,
        seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Resumed, StoreError>;

    /// How much is held of the upload `name`, read anew; none where nothing is.
    async fn begun(&self, name: &UploadName) -> Result<Option<Held>, StoreError>;

    /// Every upload that something is held of.
    async fn all_begun(&self) -> Result<Vec<Begun>, StoreError>;

    /// Removes what is held of the upload `name`, unless a writer is at it; says whether anything was removed.
    async fn forget(&self, name: &UploadName) -> Result<bool, StoreError>;
}

/// All that a reader yields, once its digest was right.
async fn whole(mut reader: Box<dyn BlobReader>) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(usize::try_from(reader.length()).unwrap_or(0));
    while let Some(chunk) = reader.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// All blobs that are stored and not set aside, in the order of their names.
pub(crate) async fn all_stored(blobs: &dyn Blobs) -> Result<Vec<StoredBlob>, StoreError> {
    let mut all: Vec<StoredBlob> = Vec::new();
    loop {
        let next = blobs.list(all.last().map(|blob| blob.digest), BLOBS_AT_A_TIME).await?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}

/// All blobs that are set aside.
pub(crate) async fn all_aside(blobs: &dyn Blobs) -> Result<Vec<StoredBlob>, StoreError> {
    let mut all: Vec<StoredBlob> = Vec::new();
    loop {
        let next = blobs.aside(all.last().map(|blob| blob.digest), BLOBS_AT_A_TIME).await?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}

/// A blob as a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// How long ago it was last stored. Whoever sweeps leaves alone what is young: it may be stored, and its entry not yet.
    pub age: Duration,
}

/// A blob being stored. Nothing is visible until [`BlobWriter::finish`] returns.
#[async_trait]
pub trait BlobWriter: Send {
    /// Takes the next piece, of any length. After an error the writer is spent.
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError>;

    /// Makes the blob visible and durable, and returns its name.
    ///
    /// # Errors
    ///
    /// [`StoreError::DigestMismatch`] where the bytes are not those that `expected` names: nothing is stored.
    async fn finish(self: Box<Self>, expected: Option<Digest>) -> Result<Digest, StoreError>;
}

/// A blob being read.
#[async_trait]
pub trait BlobReader: Send {
    /// The length of the blob in bytes.
    fn length(&self) -> u64;

    /// The next [`CHUNK_BYTES`], or what is left; otherwise as [`BlobReader::up_to`].
    async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        self.up_to(CHUNK_BYTES).await
    }

    /// The next `most` bytes (at least one), or what is left; `None` once every byte was yielded and the digest of all
    /// of them was right. Only then may a caller act on any of them. Between calls nothing of the blob is held, so that
    /// many can be read side by side. After an error the reader is spent.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`], named, at the end of a blob whose bytes have another digest.
    async fn up_to(&mut self, most: usize) -> Result<Option<Vec<u8>>, StoreError>;
}

/// In one page of a listing.
const BLOBS_AT_A_TIME: usize = 1000;
