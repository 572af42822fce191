//! Bringing a whole blob to the store: in one request, or in parts that become an object at once.
//!
//! Parts of an upload that is never completed are paid for and not shown. So a note, `<prefix>/partial/...`, says which
//! upload is under way, and a sweep ends those whose notes are old.

use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{Error, MultipartId, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use syndic_round::Digest;
use tokio_stream::StreamExt;
use uuid::Uuid;

use super::writer::Spool;
use super::{ObjectBlobs, age};
use crate::store::StoreError;
use crate::store::durable::blocking;

impl ObjectBlobs {
    /// Stores the blob `digest`, whose bytes are in `spool`, which is given back then.
    pub(super) async fn upload(&self, digest: Digest, mut spool: Spool) -> Result<Spool, StoreError> {
        spool = blocking(move || spool.rewind().map(|()| spool)).await?;
        let key = self.key_of(digest);
        if spool.length() > PART_BYTES {
            return self.upload_in_parts(&key, spool).await;
        }
        let (bytes, spool) = blocking(move || Ok((spool.next(PART_BYTES)?, spool))).await?;
        // If we crash here the store has the whole object or none. Unclaimed by any entry it does no harm.
        let stored = self.bucket.put(&key, PutPayload::from(bytes)).await;
        stored.map(|_| spool).map_err(|error| self.failures.of_the_bucket(error))
    }

    async fn upload_in_parts(&self, key: &Key, spool: Spool) -> Result<Spool, StoreError> {
        let failed = |error| self.failures.of_the_bucket(error);
        let id = self.bucket.create_multipart(key).await.map_err(failed)?;
        // If we crash here an upload is left that has no parts and that no note tells of; it holds no bytes.
        let note = self.key(&format!("partial/{}", Uuid::now_v7()));
        let text = format!("{key}\n{id}");
        self.bucket.put(&note, PutPayload::from(text)).await.map_err(failed)?;
        // If we crash here, or below, a sweep finds the note, and ends the upload with its parts.
        let stored = self.send_parts(key, &id, spool).await;
        if stored.is_err() {
            self.end_upload(key, &id).await?;
        }
        // If we crash here the note outlives its upload; the sweep finds nothing to end, and removes it.
        self.bucket.delete(&note).await.map_err(failed)?;
        stored
    }

    async fn send_parts(&self, key: &Key, id: &MultipartId, mut spool: Spool) -> Result<Spool, StoreError> {
        let failed = |error| self.failures.of_the_bucket(error);
        let mut parts = Vec::new();
        loop {
            let (bytes, rest) = blocking(move || Ok((spool.next(PART_BYTES)?, spool))).await?;
            spool = rest;
            if bytes.is_empty() {
                break;
            }
            let part = self.bucket.put_part(key, id, parts.len(), PutPayload::from(bytes)).await;
            parts.push(part.map_err(failed)?);
        }
        self.bucket.complete_multipart(key, id, parts).await.map(|_| spool).map_err(failed)
    }

    async fn end_upload(&self, key: &Key, id: &MultipartId) -> Result<(), StoreError> {
        match self.bucket.abort_multipart(key, id).await {
            // Ended or completed before.
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failures.of_the_bucket(error)),
        }
    }

    /// Ends the uploads that dead processes left; says how many.
    pub(super) async fn sweep_uploads(&self) -> Result<u64, StoreError> {
        let failed = |error| self.failures.of_the_bucket(error);
        let mut notes = self.bucket.list(Some(&self.key("partial")));
        let mut swept = 0;
        while let Some(note) = notes.next().await {
            let note = note.map_err(failed)?;
            // A younger one may be of a living process, on another host.
            if age(&note) >= self.abandoned_after {
                self.sweep_upload(&note).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    async fn sweep_upload(&self, note: &ObjectMeta) -> Result<(), StoreError> {
        let failed = |error| self.failures.of_the_bucket(error);
        let text = self.bucket.get(&note.location).await.map_err(failed)?.bytes().await.map_err(failed)?;
        if let Some((key, id)) = std::str::from_utf8(&text).ok().and_then(|text| text.split_once('\n')) {
            self.end_upload(&Key::from(key), &id.to_owned()).await?;
        }
        // If we crash here the note stays, and the next sweep finds nothing to end.
        self.bucket.delete(&note.location).await.map_err(failed)
    }
}

/// Stores take at most 10,000 parts: an object of 80 GB.
pub(super) const PART_BYTES: u64 = 8 << 20;
