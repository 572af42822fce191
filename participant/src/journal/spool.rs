//! Encrypted updates beside the journal, each until its round is over: a file is complete or absent.
//!
//! It is ciphertext whose key is gone, the very bytes that are sent, so it may lie on a disk. What makes a file count is
//! the header in the journal, which is written after it: a file without one is removed at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use syndic_proto::UPLOAD_PART_BYTES;
use syndic_round::Digest;
use syndic_secure_aggregation::merkle;
use tokio::sync::mpsc;
use tracing::warn;

use super::{Journal, JournalError, MessageKind, moments::Moments};
use crate::durable::{create_folder, sync_entry};

/// The folder of the updates.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
    moments: Moments,
}

/// An update that is being written. Dropped before [`SpoolWriter::finish`] it leaves nothing.
pub struct SpoolWriter {
    partial: PathBuf,
    path: PathBuf,
    file: File,
    moments: Moments,
}

/// A whole update.
pub struct SpooledUpdate {
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// What one reading of an update says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The Merkle root over its chunks.
    pub root: Digest,
    /// SHA-256 of what was said before it and all of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: u64,
}

impl Spool {
    /// The spool in `folder`, which is created if need be, for this user alone.
    ///
    /// # Errors
    /// [`JournalError::Io`] where it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Self::open_with(folder, Moments::default())
    }

    pub(super) fn open_with(folder: &Path, moments: Moments) -> Result<Self, JournalError> {
        create_folder(folder).map_err(|error| JournalError::io(folder, error))?;
        Ok(Self { folder: folder.to_owned(), moments })
    }

    /// Begins the update of a preparation of `job`.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn begin(&self, job: &str, preparation: u64) -> Result<SpoolWriter, JournalError> {
        let path = self.path(job, preparation);
        let mut partial = path.clone().into_os_string();
        partial.push(PARTIAL);
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(|error| JournalError::io(&partial, error))?;
        Ok(SpoolWriter { partial, path, file, moments: self.moments.clone() })
    }

    /// The whole update of a preparation; none where there is none.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn find(&self, job: &str, preparation: u64) -> Result<Option<SpooledUpdate>, JournalError> {
        let path = self.path(job, preparation);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(JournalError::io(&path, error)),
            Ok((bytes, file)) => Ok(Some(SpooledUpdate { path, file, bytes })),
        }
    }

    /// Removes all that lies here of `job`. What cannot be removed is in nobody's way, and removed the next time.
    ///
    /// # Errors
    /// [`JournalError::Io`] where the folder cannot be read.
    pub fn forget(&self, job: &str) -> Result<(), JournalError> {
        let is_of_job = |file: &&PathBuf| claim(file).is_some_and(|(of, _)| of == job);
        // If we crash here some are left; the next round, or the next start, removes them.
        self.files()?.iter().filter(is_of_job).for_each(|file| remove(file));
        Ok(())
    }

    fn path(&self, job: &str, preparation: u64) -> PathBuf {
        self.folder.join(format!("{job}.{preparation}"))
    }

    fn files(&self) -> Result<Vec<PathBuf>, JournalError> {
        fs::read_dir(&self.folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(|error| JournalError::io(&self.folder, error))
    }
}

impl SpoolWriter {
    /// Appends whole chunks.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Full`]; the update is then given up.
    pub fn write(&mut self, chunks: &[u8]) -> Result<(), JournalError> {
        // If we crash here a partial file is left; the next start removes it.
        self.file.write_all(chunks).map_err(|error| JournalError::io(&self.partial, error))
    }

    /// Makes the update durable under its name.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn finish(self) -> Result<(), JournalError> {
        let this = self.unless_it_dies()?;
        this.file.sync_all().map_err(|error| JournalError::io(&this.partial, error))?;
        // If we crash here the bytes are safe but have no name; the next start removes them.
        let this = this.unless_it_dies()?;
        let named = fs::rename(&this.partial, &this.path).and_then(|()| sync_entry(&this.path));
        // If we crash here the update is whole, but no header claims it: the next start removes it.
        named.map_err(|error| JournalError::io(&this.path, error))?;
        this.unless_it_dies().map(drop)
    }

    /// A process that dies leaves its file as it is, and what it would have answered is heard by nobody.
    fn unless_it_dies(self) -> Result<Self, JournalError> {
        if !self.moments.is_last() {
            return Ok(self);
        }
        let path = self.partial.clone();
        std::mem::forget(self);
        Err(JournalError::io(&path, io::Error::other("the process died")))
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        // After the rename there is nothing of this name; what cannot be removed now is at the next start.
        let _ = fs::remove_file(&self.partial);
    }
}

impl SpooledUpdate {
    /// Reads the update once, as `chunks` chunks of one length. None where it is not that: cut short, or longer.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn measure(&mut self, said_before: &[u8], chunks: u32) -> Result<Option<Measured>, JournalError> {
        let Some(chunk_bytes) = self.bytes.checked_div(u64::from(chunks)).filter(|bytes| *bytes > 0) else {
            return Ok(None);
        };
        if chunk_bytes > LARGEST_CHUNK || chunk_bytes * u64::from(chunks) != self.bytes {
            return Ok(None);
        }
        let (mut hash, mut leaves) = (Sha256::new_with_prefix(said_before), Vec::new());
        let mut chunk = vec![0; chunk_bytes as usize];
        self.seek(0)?;
        let mut reader = io::BufReader::with_capacity(UPLOAD_PART_BYTES, &self.file);
        for _ in 0..chunks {
            reader.read_exact(&mut chunk).map_err(|error| JournalError::io(&self.path, error))?;
            hash.update(&chunk);
            leaves.push(merkle::leaf(&chunk));
        }
        let digest = Digest(hash.finalize().into());
        Ok(Some(Measured { root: merkle::root(&leaves), digest, bytes: self.bytes }))
    }

    /// SHA-256 of the first `bytes` of the update; none where it has not as many. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn digest_of_first(&mut self, bytes: u64) -> Result<Option<Digest>, JournalError> {
        if bytes > self.bytes {
            return Ok(None);
        }
        self.seek(0)?;
        let (mut hash, mut left) = (Sha256::new(), bytes);
        while left > 0 {
            let part = self.part(left)?;
            left -= part.len() as u64;
            hash.update(&part);
        }
        Ok(Some(Digest(hash.finalize().into())))
    }

    /// Hands the update, without its first `offset` bytes, to `receiver` in parts as they travel, until all are handed over
    /// or nobody receives any more. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Io`] where it cannot be read to its end; what was handed over is then no update.
    pub fn send_to(&mut self, offset: u64, receiver: &mpsc::Sender<Vec<u8>>) -> Result<(), JournalError> {
        self.seek(offset)?;
        let mut left = self.bytes.saturating_sub(offset);
        while left > 0 {
            let part = self.part(left)?;
            left -= part.len() as u64;
            if receiver.blocking_send(part).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn seek(&mut self, to: u64) -> Result<(), JournalError> {
        let sought = self.file.seek(io::SeekFrom::Start(to));
        sought.map(drop).map_err(|error| JournalError::io(&self.path, error))
    }

    /// The next part of `left` bytes.
    fn part(&mut self, left: u64) -> Result<Vec<u8>, JournalError> {
        let mut part = vec![0; left.min(UPLOAD_PART_BYTES as u64) as usize];
        self.file.read_exact(&mut part).map_err(|error| JournalError::io(&self.path, error))?;
        Ok(part)
    }
}

impl Journal {
    /// Where encrypted updates are kept until their round is over.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Removes what interrupted writers left, and updates that no header claims.
    pub(super) async fn sweep_updates(&self) -> Result<(), JournalError> {
        for file in self.spool.files()? {
            let claimed = match claim(&file) {
                Some((job, number)) => self.message(&job, number, MessageKind::Header).await?.is_some(),
                None => false,
            };
            if !claimed {
                remove(&file);
            }
        }
        Ok(())
    }
}

/// Job and preparation of the update that a file holds; none for a partial one.
fn claim(file: &Path) -> Option<(String, u64)> {
    let (job, number) = file.file_name()?.to_str()?.rsplit_once('.')?;
    Some((job.into(), number.parse().ok()?))
}

fn remove(file: &Path) {
    // Not synced: what a crash brings back is removed as if it had never been.
    if let Err(error) = fs::remove_file(file) {
        warn!(file = %file.display(), %error, "an encrypted update whose round is over cannot be removed");
    }
}

/// Behind the name of an update that is being written.
const PARTIAL: &str = ".partial";
/// Beyond the chunks of any parameter set.
const LARGEST_CHUNK: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "churn.2";

    fn write(spool: &Spool, preparation: u64, chunks: &[&[u8]]) {
        let mut writer = spool.begin(JOB, preparation).unwrap();
        chunks.iter().for_each(|chunk| writer.write(chunk).unwrap());
        writer.finish().unwrap();
    }

    fn names(spool: &Spool) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<_> = spool.files().unwrap().iter().map(name).collect();
        names.sort_unstable();
        names
    }

    #[tokio::test]
    async fn an_update_is_sent_as_it_was_written_and_measured_on_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("updates")).unwrap();
        let chunks: Vec<Vec<u8>> = (0..300_u32).map(|k| vec![k as u8; 8_192]).collect();
        write(&spool, 7, &chunks.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert!(spool.find(JOB, 8).unwrap().is_none());

        let mut update = spool.find(JOB, 7).unwrap().unwrap();
        let measured = update.measure(b"header", 300).unwrap().unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let sending = tokio::task::spawn_blocking(move || update.send_to(0, &sender));
        let mut sent = Vec::new();
        while let Some(part) = receiver.recv().await {
            assert!(part.len() <= UPLOAD_PART_BYTES);
            sent.extend_from_slice(&part);
        }
        sending.await.unwrap().unwrap();

        let leaves: Vec<_> = chunks.iter().map(|chunk| merkle::leaf(chunk)).collect();
        assert_eq!(sent, chunks.concat());
        assert_eq!(measured.root, merkle::root(&leaves));
        assert_eq!(measured.digest, Digest::of(&[b"header", sent.as_slice()].concat()));
        assert_eq!(measured.bytes, sent.len() as u64);
    }

    #[tokio::test]
    async fn nobody_who_receives_ends_the_sending() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        write(&spool, 1, &[&vec![1; 3 * UPLOAD_PART_BYTES]]);
        let mut update = spool.find(JOB, 1).unwrap().unwrap();
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        tokio::task::spawn_blocking(move || update.send_to(0, &sender)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_update_is_gone_on_with_behind_any_byte_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let bytes: Vec<u8> = (0..UPLOAD_PART_BYTES + 17).map(|k| (k % 251) as u8).collect();
        write(&spool, 1, &[&bytes]);
        let mut update = spool.find(JOB, 1).unwrap().unwrap();
        for offset in [0, 1, UPLOAD_PART_BYTES - 1, UPLOAD_PART_BYTES, bytes.len() - 1, bytes.len()] {
            let held = update.digest_of_first(offset as u64).unwrap();
            assert_eq!(held, Some(Digest::of(&bytes[..offset])));
            let (sender, mut receiver) = mpsc::channel(bytes.len());
            update = tokio::task::spawn_blocking(move || {
                update.send_to(offset as u64, &sender).unwrap();
                update
            })
            .await
            .unwrap();
            let mut rest = Vec::new();
            while let Some(part) = receiver.recv().await {
                rest.extend_from_slice(&part);
            }
            assert_eq!(rest, bytes[offset..]);
        }
        assert_eq!(update.digest_of_first(bytes.len() as u64 + 1).unwrap(), None);
        assert_eq!(update.digest_of_first(u64::MAX).unwrap(), None);
    }

    #[test]
    fn a_file_of_another_length_than_its_chunks_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        write(&spool, 1, &[&[1; 8_191], &[2; 8_192]]);
        let measure = |chunks| spool.find(JOB, 1).unwrap().unwrap().measure(b"", chunks).unwrap();
        assert_eq!(measure(2), None);
        assert_eq!(measure(0), None);
        assert_eq!(measure(u32::MAX), None);
        write(&spool, 2, &[]);
        assert_eq!(spool.find(JOB, 2).unwrap().unwrap().measure(b"", 1).unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_file_are_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("updates")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let writer = spool.begin(JOB, 1).unwrap();
        assert_eq!(mode(&writer.partial), 0o600);
        writer.finish().unwrap();
        assert_eq!((mode(&spool.folder), mode(&spool.path(JOB, 1))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn a_start_keeps_what_a_header_claims_and_nothing_else_wherever_the_last_one_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/journal.sqlite");
        let journal = Journal::open(&path).await.unwrap();
        let round = |attempt| syndic_round::RoundId { round: 1, attempt };
        for number in 1..=4 {
            journal.claim_preparation(JOB, number).await.unwrap();
            journal.bind(JOB, number, round(number as u32), Digest::of(b"question")).await.unwrap();
        }
        // While it was being written; before it had its name; before its header was written down; after that.
        let mut writing = journal.spool().begin(JOB, 1).unwrap();
        writing.write(b"half of a chu").unwrap();
        std::mem::forget(writing);
        let mut unnamed = journal.spool().begin(JOB, 2).unwrap();
        unnamed.write(b"a chunk").unwrap();
        unnamed.file.sync_all().unwrap();
        std::mem::forget(unnamed);
        write(journal.spool(), 3, &[b"a chunk"]);
        write(journal.spool(), 4, &[b"a chunk"]);
        journal.record_message(JOB, 4, MessageKind::Header, b"header").await.unwrap();
        assert_eq!(names(journal.spool()).len(), 4);
        drop(journal);

        let journal = Journal::open(&path).await.unwrap();

        assert_eq!(names(journal.spool()), ["churn.2.4"]);
        journal.spool().forget("churn").unwrap();
        assert_eq!(names(journal.spool()), ["churn.2.4"], "that of another job");
        journal.spool().forget(JOB).unwrap();
        assert!(names(journal.spool()).is_empty());
    }

    #[test]
    fn an_update_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let mut writer = spool.begin(JOB, 1).unwrap();
        writer.write(b"half").unwrap();
        drop(writer);
        assert!(names(&spool).is_empty());
    }
}
