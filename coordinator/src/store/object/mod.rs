//! Blobs in an S3-compatible store: `<prefix>/blobs/ab/cdef...`, the name being the digest in hexadecimal, as in
//! [`FolderBlobs`](super::FolderBlobs).
//!
//! An object appears under its key as a whole or not at all, and is durable when the request that made it is answered;
//! that is the store's own promise. A key is the digest of its content, so a blob is put over an earlier copy without
//! harm: a damaged copy is mended by it, and the age that a sweep goes by begins anew, which a put that leaves alone
//! what is there would not do.
//!
//! What is handed in piece by piece waits in a local file, since its key is not known before its end. An upload that is cut is
//! gone on with from there: by whoever comes back to this host.
//! What was set aside is below `<prefix>/set-aside/`.

mod address;
mod aside;
mod failure;
mod reader;
#[cfg(test)]
pub(super) mod tests;
mod upload;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use syndic_round::Digest;
use tokio_stream::StreamExt;

pub use address::{BadBucket, S3Address, S3Credentials};

use self::failure::Failures;
use self::reader::ObjectReader;
use self::writer::ObjectWriter;
use super::unfinished::{Reopened, Unfinished};
use super::{
    Begun, BlobReader, BlobWriter, Blobs, Held, Resumed, StoreError, StoredBlob, UploadName, create_folder,
};
use crate::clock;

/// Blobs below a prefix of a bucket, which belongs to one federation.
#[derive(Clone)]
pub struct ObjectBlobs {
    bucket: Arc<AmazonS3>,
    prefix: Key,
    /// Where blobs wait whose name is not known yet.
    spool: PathBuf,
    /// Those among them that are gone on with after a cut.
    unfinished: Unfinished,
    /// From which age on an upload that is not completed is given up for dead.
    abandoned_after: Duration,
    failures: Failures,
}

impl ObjectBlobs {
    /// The blobs of `federation` in the bucket at `address`; `spool` is a local folder, which is created if need be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreachable`] or [`StoreError::Denied`]; [`StoreError::WrongFormat`],
    /// [`StoreError::NewerSchema`] or [`StoreError::OtherFederation`] where the prefix holds something else, and was
    /// left as it is.
    pub async fn open(
        address: &S3Address,
        federation: &str,
        spool: &std::path::Path,
    ) -> Result<Self, StoreError> {
        create_folder(spool).await?;
        let failures = Failures::of(address);
        let blobs = Self {
            bucket: Arc::new(address.connect().map_err(|error| failures.of_the_bucket(error))?),
            prefix: Key::from(address.prefix()),
            spool: spool.to_owned(),
            unfinished: Unfinished::of(spool.to_owned()),
            abandoned_after: ABANDONED_AFTER,
            failures,
        };
        blobs.claim(federation).await?;
        Ok(blobs)
    }

    /// Makes sure that the prefix is this federation's, or makes an empty one so.
    async fn claim(&self, federation: &str) -> Result<(), StoreError> {
        let failed = |error| self.failures.of_the_bucket(error);
        let key = self.key("format.toml");
        let what = || self.failures.what().to_owned();
        let mut found = self.bucket.get(&key).await;
        if let Err(object_store::Error::NotFound { .. }) = found
            && self.bucket.list(Some(&self.prefix)).next().await.transpose().map_err(failed)?.is_some()
        {
            // Another replica may have begun between the two questions.
            found = self.bucket.get(&key).await;
            if let Err(object_store::Error::NotFound { .. }) = found {
                return Err(StoreError::WrongFormat { path: what(), expected: "store of blobs" });
            }
        }
        let text = match found {
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => {
                let format =
                    Format { format: FORMAT.into(), version: VERSION, federation: federation.into() };
                let text = toml::to_string(&format).expect("three plain values are TOML");
                let created =
                    self.bucket.put_opts(&key, PutPayload::from(text), PutMode::Create.into()).await;
                match created {
                    Ok(_) => return Ok(()),
                    // Somebody else began at the same moment.
                    Err(object_store::Error::AlreadyExists { .. }) => {}
                    Err(error) => return Err(failed(error)),
                }
                self.bucket.get(&key).await.map_err(failed)?.bytes().await.map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        let format: Option<Format> =
            std::str::from_utf8(&text).ok().and_then(|text| toml::from_str(text).ok());
        match format {
            Some(found) if found.format != FORMAT => None,
            found => found,
        }
        .ok_or_else(|| StoreError::WrongFormat { path: what(), expected: "store of blobs" })
        .and_then(|found| match found {
            Format { version, .. } if version > VERSION => {
                Err(StoreError::NewerSchema { path: what(), found: version, known: VERSION })
            }
            Format { federation: found, .. } if found != federation => {
                Err(StoreError::OtherFederation { what: what(), found, expected: federation.into() })
            }
            _ => Ok(()),
        })
    }

    fn key(&self, below: &str) -> Key {
        self.prefix.parts().chain(Key::from(below).parts()).collect()
    }

    fn key_of(&self, digest: Digest) -> Key {
        self.key_below(BLOBS, digest)
    }

    fn key_below(&self, folder: &str, digest: Digest) -> Key {
        let hex = digest.to_string();
        self.key(&format!("{folder}/{}/{}", &hex[..2], &hex[2..]))
    }

    async fn has(&self, key: &Key) -> Result<bool, StoreError> {
        match self.bucket.head(key).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failures.of_the_bucket(error)),
        }
    }

    /// Removes an object; says whether it was there.
    async fn removed(&self, key: &Key) -> Result<bool, StoreError> {
        // The store does not say whether there was anything to remove.
        let was_there = self.has(key).await?;
        match self.bucket.delete(key).await {
            Ok(()) => Ok(was_there),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failures.of_the_bucket(error)),
        }
    }

    /// At most `limit` of the blobs below `folder`, from after `after` on.
    async fn listed_below(
        &self,
        folder: &str,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredBlob>, StoreError> {
        let below = self.key(folder);
        // S3 lists in the order of the keys, which is that of the digests.
        let mut objects = match after {
            Some(after) => self.bucket.list_with_offset(Some(&below), &self.key_below(folder, after)),
            None => self.bucket.list(Some(&below)),
        };
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(object) = objects.next().await else { break };
            found.extend(self.listed(&object.map_err(|error| self.failures.of_the_bucket(error))?));
        }
        Ok(found)
    }

    fn listed(&self, object: &ObjectMeta) -> Option<StoredBlob> {
        let mut parts: Vec<_> = object.location.parts().collect();
        let (rest, first) = (parts.pop()?, parts.pop()?);
        let mut digest = Digest([0; 32]);
        hex::decode_to_slice(format!("{}{}", first.as_ref(), rest.as_ref()), &mut digest.0).ok()?;
        Some(StoredBlob { digest, length: object.size, age: age(object) })
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Ok(Box::new(ObjectWriter::begin(self.clone())))
    }

    async fn reader(&self, digest: Digest) -> Result<Box<dyn BlobReader>, StoreError> {
        Ok(Box::new(ObjectReader::open(self, digest).await?))
    }

    async fn contains(&self, digest: Digest) -> Result<bool, StoreError> {
        self.has(&self.key_of(digest)).await
    }

    async fn remove(&self, digest: Digest) -> Result<bool, StoreError> {
        Ok(self.removed(&self.key_of(digest)).await? | self.remove_aside(digest).await?)
    }

    async fn set_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        aside::set(self, digest).await
    }

    async fn aside(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.listed_below(aside::FOLDER, after, limit).await
    }

    async fn put_back(&self, digest: Digest) -> Result<(), StoreError> {
        aside::put_back(self, digest).await
    }

    async fn remove_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        self.removed(&self.aside_of(digest)).await
    }

    async fn list(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.listed_below(BLOBS, after, limit).await
    }

    async fn sweep_partial(&self) -> Result<u64, StoreError> {
        self.sweep_uploads().await
    }

    async fn sweep_abandoned(&self) -> Result<u64, StoreError> {
        self.sweep_uploads().await
    }

    async fn resume(
        &self,
        name: &UploadName,
        from: u64,
        seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Resumed, StoreError> {
        Ok(match self.unfinished.resume(name, from, seen).await? {
            Reopened::On(growing) => Resumed::On(Box::new(ObjectWriter::go_on(self.clone(), growing, from))),
            Reopened::Fewer(held) => Resumed::Fewer(held),
            Reopened::InUse => Resumed::InUse,
        })
    }

    async fn begun(&self, name: &UploadName) -> Result<Option<Held>, StoreError> {
        self.unfinished.begun(name).await
    }

    async fn all_begun(&self) -> Result<Vec<Begun>, StoreError> {
        self.unfinished.all().await
    }

    async fn forget(&self, name: &UploadName) -> Result<bool, StoreError> {
        self.unfinished.forget(name).await
    }
}

/// How long ago the object was stored; the clocks of this host and of the store may differ by a little.
fn age(object: &ObjectMeta) -> Duration {
    let stored = u64::try_from(object.last_modified.timestamp_millis()).unwrap_or(0);
    Duration::from_millis(clock::now().0.saturating_sub(stored))
}

/// What the object `format.toml` says of its prefix.
#[derive(Serialize, Deserialize)]
struct Format {
    format: String,
    version: i64,
    federation: String,
}

const BLOBS: &str = "blobs";
const FORMAT: &str = "syndic-blobs";
const VERSION: i64 = 1;
/// No upload of ours takes so long: a phase's deadline is at most a day.
const ABANDONED_AFTER: Duration = Duration::from_secs(2 * 86_400);
