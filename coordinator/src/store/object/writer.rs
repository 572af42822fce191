//! A blob on its way, in a local file until its name is known.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use syndic_round::Digest;
use tempfile::SpooledTempFile;

use super::ObjectBlobs;
use crate::store::durable::blocking;
use crate::store::unfinished::Growing;
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

    /// Goes on with an upload of which the first `length` bytes are held.
    pub(super) fn go_on(blobs: ObjectBlobs, growing: Growing, length: u64) -> Self {
        let spool = Spool { folder: blobs.spool.clone(), file: SpoolFile::Named(growing), length };
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
        let mut spool = self.spool.take().ok_or_else(spent)?;
        let actual = spool.digest();
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            // It has all of its bytes: whatever is wrong with them now is not mended by more.
            spool.give_up();
            return Err(StoreError::DigestMismatch { expected, actual });
        }
        let mut spool = self.blobs.upload(actual, spool).await?;
        // If we crash here, or the store did not take it, the file stays where it has a name: whoever goes on with it sends nothing
        // more, and it is stored then.
        spool.give_up();
        Ok(actual)
    }
}

/// What is handed in, until it is stored.
pub(super) struct Spool {
    folder: PathBuf,
    file: SpoolFile,
    length: u64,
}

enum SpoolFile {
    /// Small blobs are held in memory, larger ones in a file without a name: a crash leaves nothing of it.
    Nameless(SpooledTempFile, Sha256),
    /// An upload that is gone on with.
    Named(Growing),
}

impl Spool {
    fn new(folder: PathBuf) -> Self {
        let file = tempfile::spooled_tempfile_in(CHUNK_BYTES, &folder);
        Self { folder, file: SpoolFile::Nameless(file, Sha256::new()), length: 0 }
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        match &mut self.file {
            SpoolFile::Named(growing) => growing.write(chunk)?,
            SpoolFile::Nameless(file, hash) => {
                file.write_all(chunk).map_err(|error| failed(&self.folder, error))?;
                hash.update(chunk);
            }
        }
        self.length += chunk.len() as u64;
        Ok(())
    }

    fn digest(&self) -> Digest {
        match &self.file {
            SpoolFile::Named(growing) => growing.digest(),
            SpoolFile::Nameless(_, hash) => Digest(hash.clone().finalize().into()),
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// To the start, from where it is read.
    pub(super) fn rewind(&mut self) -> Result<(), StoreError> {
        let rewound = match &mut self.file {
            SpoolFile::Named(growing) => growing.file.rewind(),
            SpoolFile::Nameless(file, _) => file.rewind(),
        };
        rewound.map_err(|error| failed(&self.folder, error))
    }

    /// The next `most` bytes, or what is left.
    pub(super) fn next(&mut self, most: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let read = match &mut self.file {
            SpoolFile::Named(growing) => (&mut growing.file).take(most).read_to_end(&mut bytes),
            SpoolFile::Nameless(file, _) => file.take(most).read_to_end(&mut bytes),
        };
        read.map(|_| bytes).map_err(|error| failed(&self.folder, error))
    }

    /// Lets nobody go on with it.
    fn give_up(&mut self) {
        if let SpoolFile::Named(growing) = &mut self.file {
            growing.stays = false;
        }
    }
}

fn failed(folder: &Path, error: io::Error) -> StoreError {
    StoreError::io("cannot keep a blob on its way in", folder, error)
}

pub(super) fn spent() -> StoreError {
    let source = io::Error::other("an earlier call failed or was given up");
    StoreError::Io { what: "the blob cannot be continued".into(), source }
}
