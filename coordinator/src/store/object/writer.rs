//! A blob on its way, in a local file until its name is known.

use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use syndic_round::Digest;
use tempfile::SpooledTempFile;

use super::ObjectBlobs;
use crate::store::durable::blocking;
use crate::store::{BlobWriter, CHUNK_BYTES, StoreError};

/// A blob being handed in.
pub(super) struct ObjectWriter {
    blobs: ObjectBlobs,
    spool: Option<Spool>,
}

impl ObjectWriter {
    pub(super) fn begin(blobs: ObjectBlobs) -> Self {
        let spool = Spool::new(blobs.spool.clone());
        Self { blobs, spool: Some(spool) }
    }
}

#[async_trait]
impl BlobWriter for ObjectWriter {
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let mut spool = self.spool.take().ok_or_else(spent)?;
        let chunk = chunk.to_vec();
        let written = blocking(move || spool.write(&chunk).map(|()| spool)).await?;
        self.spool = Some(written);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, expected: Option<Digest>) -> Result<Digest, StoreError> {
        let spool = self.spool.take().ok_or_else(spent)?;
        let actual = Digest(spool.hash.clone().finalize().into());
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(StoreError::DigestMismatch { expected, actual });
        }
        self.blobs.upload(actual, spool).await?;
        Ok(actual)
    }
}

/// Small blobs are held in memory, larger ones in a file without a name: a crash leaves nothing of it.
pub(super) struct Spool {
    folder: PathBuf,
    file: SpooledTempFile,
    hash: Sha256,
    length: u64,
}

impl Spool {
    fn new(folder: PathBuf) -> Self {
        let file = tempfile::spooled_tempfile_in(CHUNK_BYTES, &folder);
        Self { folder, file, hash: Sha256::new(), length: 0 }
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(chunk).map_err(|error| self.failed(error))?;
        self.hash.update(chunk);
        self.length += chunk.len() as u64;
        Ok(())
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// To the start, from where it is read.
    pub(super) fn rewind(&mut self) -> Result<(), StoreError> {
        self.file.rewind().map_err(|error| self.failed(error))
    }

    /// The next `most` bytes, or what is left.
    pub(super) fn next(&mut self, most: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        (&mut self.file).take(most).read_to_end(&mut bytes).map_err(|error| self.failed(error))?;
        Ok(bytes)
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::io("cannot keep a blob on its way in", &self.folder, error)
    }
}

pub(super) fn spent() -> StoreError {
    let source = io::Error::other("an earlier call failed or was given up");
    StoreError::Io { what: "the blob cannot be continued".into(), source }
}
