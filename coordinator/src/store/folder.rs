//! Blobs as files: `<dir>/blobs/ab/cdef...`, the name being the digest in hexadecimal.
//!
//! A blob is written under `<dir>/blobs/partial/`, synced, renamed to its name, and its folder synced: a
//! reader sees all of it or nothing. A writer holds a lock on its partial file while it lives, so that a
//! sweep takes only what dead writers left. An upload that may be gone on with has a name there, and stays.
//! What was set aside is in `<dir>/blobs/set-aside/`.

mod aside;

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use syndic_round::Digest;
use tokio::task::spawn_blocking;

use super::{
    Begun, BlobReader, BlobWriter, Blobs, Held, Resumed, StoreError, StoredBlob, UploadName, create_folder,
    durable::{FOLDER_MODE, age_of, blocking},
    unfinished::{Growing, Reopened, Unfinished, list, name_of},
};
use crate::durable::{create_folder_in, sync_folder};

/// Blobs in a folder of the local file system.
#[derive(Clone, Debug)]
pub struct FolderBlobs {
    /// `<dir>/blobs`.
    folder: PathBuf,
    /// By the first byte of a digest: whether its folder was made, durably, or found to be.
    has_folder: Arc<[AtomicBool; 256]>,
}

impl FolderBlobs {
    /// The blobs of the folder `dir`, which is created if need be. Call [`Blobs::sweep_partial`] next.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where the folder cannot be made or written to.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        let folder = dir.join("blobs");
        for part in [PARTIALS, aside::FOLDER] {
            create_folder(&folder.join(part)).await?;
        }
        Ok(Self { folder, has_folder: Arc::new([const { AtomicBool::new(false) }; 256]) })
    }

    fn path_of(&self, digest: Digest) -> PathBuf {
        let hex = digest.to_string();
        self.folder.join(&hex[..2]).join(&hex[2..])
    }

    fn unfinished(&self) -> Unfinished {
        Unfinished::of(self.folder.join(PARTIALS))
    }
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let (store, bytes) = (self.clone(), bytes.to_vec());
        // All of it in one way to another thread and back.
        blocking(move || {
            let mut partial = Partial::create(store)?;
            partial.growing.write(&bytes)?;
            partial.finish(None)
        })
        .await
    }

    async fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        let store = self.clone();
        let partial = blocking(move || Partial::create(store)).await?;
        Ok(Box::new(FolderWriter { partial: Some(partial) }))
    }

    async fn read(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let store = self.clone();
        blocking(move || aside::open_anywhere(&store, digest)?.whole()).await
    }

    async fn reader(&self, digest: Digest) -> Result<Box<dyn BlobReader>, StoreError> {
        let store = self.clone();
        let open = blocking(move || aside::open_anywhere(&store, digest)).await?;
        Ok(Box::new(FolderReader { length: open.left, open: Some(open) }))
    }

    async fn read_small(&self, digests: Vec<Digest>, most: u64) -> Vec<Option<Vec<u8>>> {
        // A disk that is asked for several at once answers sooner.
        let at_once = digests.len().div_ceil(READERS).max(1);
        let readers: Vec<_> = digests
            .chunks(at_once)
            .map(|part| {
                let (store, part) = (self.clone(), part.to_vec());
                let read = move |digest: &Digest| {
                    let open = aside::open_anywhere(&store, *digest).ok()?;
                    if open.left <= most { open.whole().ok() } else { None }
                };
                spawn_blocking(move || part.iter().map(read).collect::<Vec<_>>())
            })
            .collect();
        let mut blobs = Vec::with_capacity(digests.len());
        for (reader, part) in readers.into_iter().zip(digests.chunks(at_once)) {
            blobs.extend(reader.await.unwrap_or_else(|_| vec![None; part.len()]));
        }
        blobs
    }

    async fn contains(&self, digest: Digest) -> Result<bool, StoreError> {
        let path = self.path_of(digest);
        blocking(move || path.try_exists().map_err(|error| StoreError::io("cannot look for", &path, error)))
            .await
    }

    async fn remove(&self, digest: Digest) -> Result<bool, StoreError> {
        let (path, aside) = (self.path_of(digest), self.aside_of(digest));
        blocking(move || Ok(removed(&path)? | removed(&aside)?)).await
    }

    async fn set_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        let store = self.clone();
        blocking(move || aside::set(&store, digest)).await
    }

    async fn aside(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        let store = self.clone();
        blocking(move || aside::listed(&store, after, limit)).await
    }

    async fn put_back(&self, digest: Digest) -> Result<(), StoreError> {
        let store = self.clone();
        blocking(move || aside::put_back(&store, digest)).await
    }

    async fn remove_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        let aside = self.aside_of(digest);
        blocking(move || removed(&aside)).await
    }

    async fn list(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        let folder = self.folder.clone();
        blocking(move || listed(&folder, after, limit)).await
    }

    async fn sweep_partial(&self) -> Result<u64, StoreError> {
        let store = self.clone();
        blocking(move || {
            let swept = sweep(&store.folder.join(PARTIALS))?;
            // A writer that died between rename and sync left a blob that shows but might not survive a
            // power cut; from here on, showing means durable.
            for entry in list(&store.folder)? {
                sync_folder(&entry)?;
            }
            sync_folder(&store.folder)?;
            Ok(swept)
        })
        .await
    }

    async fn resume(
        &self,
        name: &UploadName,
        from: u64,
        seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Resumed, StoreError> {
        Ok(match self.unfinished().resume(name, from, seen).await? {
            Reopened::On(growing) => {
                let partial = Some(Partial { store: self.clone(), growing });
                Resumed::On(Box::new(FolderWriter { partial }))
            }
            Reopened::Fewer(held) => Resumed::Fewer(held),
            Reopened::InUse => Resumed::InUse,
        })
    }

    async fn begun(&self, name: &UploadName) -> Result<Option<Held>, StoreError> {
        self.unfinished().begun(name).await
    }

    async fn all_begun(&self) -> Result<Vec<Begun>, StoreError> {
        self.unfinished().all().await
    }

    async fn forget(&self, name: &UploadName) -> Result<bool, StoreError> {
        self.unfinished().forget(name).await
    }
}

/// The async face of a [`Partial`], which travels to the blocking threads and back.
struct FolderWriter {
    partial: Option<Partial>,
}

#[async_trait]
impl BlobWriter for FolderWriter {
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let mut partial = self.partial.take().ok_or_else(spent)?;
        let chunk = chunk.to_vec();
        self.partial = Some(
            blocking(move || {
                partial.growing.write(&chunk)?;
                Ok(partial)
            })
            .await?,
        );
        Ok(())
    }

    async fn finish(mut self: Box<Self>, expected: Option<Digest>) -> Result<Digest, StoreError> {
        let partial = self.partial.take().ok_or_else(spent)?;
        blocking(move || partial.finish(expected)).await
    }
}

/// A blob on its way to its name.
struct Partial {
    store: FolderBlobs,
    growing: Growing,
}

impl Partial {
    fn create(store: FolderBlobs) -> Result<Self, StoreError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let (path, file) = loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = store.folder.join(PARTIALS).join(format!("{}-{number}", process::id()));
            match File::create_new(&path) {
                // A dead writer had our process id, or a living one in another container has it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    break (
                        path.clone(),
                        made.map_err(|error| StoreError::io("cannot create", &path, error))?,
                    );
                }
            }
        };
        file.lock().map_err(|error| StoreError::io("cannot lock", &path, error))?;
        Ok(Self { store, growing: Growing { path, file, hash: Sha256::new(), stays: false } })
    }

    fn finish(mut self, expected: Option<Digest>) -> Result<Digest, StoreError> {
        // It has all of its bytes: whatever is wrong with them now is not mended by more.
        self.growing.stays = false;
        let actual = self.growing.digest();
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(StoreError::DigestMismatch { expected, actual });
        }
        let path = self.store.path_of(actual);
        let folder = path.parent().expect("a blob's path has a folder, see path_of");
        let has_folder = &self.store.has_folder[usize::from(actual.0[0])];
        if !has_folder.load(Ordering::Acquire) {
            // Another writer may have made the folder a moment ago and not be done syncing it.
            create_folder_in(&self.store.folder, folder, FOLDER_MODE)?;
            has_folder.store(true, Ordering::Release);
        }
        let Growing { path: from, file, .. } = &self.growing;
        // Its bytes may have lain here for long; its age as a blob begins now.
        date(file, from)?;
        file.sync_all().map_err(|error| StoreError::io("cannot sync", from, error))?;
        // If we crash here the bytes are safe but are no blob; the sweep removes them, or the sender, who retries, finds them
        // held.
        // A copy that is there already is replaced by the same bytes: if it was damaged, it is mended.
        fs::rename(&self.growing.path, &path).map_err(|error| {
            // Should somebody have taken the folder away, the next blob makes it anew.
            has_folder.store(false, Ordering::Release);
            StoreError::io("cannot name", &path, error)
        })?;
        // What has the former name from now on is somebody else's.
        self.growing.stays = true;
        // If we crash here the blob shows but a power cut may take it; nobody was told, and the sweep at
        // the next start syncs its folder. Unclaimed by any entry, it does no harm.
        sync_folder(folder)?;
        Ok(actual)
    }
}

/// The async face of an [`OpenBlob`].
struct FolderReader {
    length: u64,
    open: Option<OpenBlob>,
}

#[async_trait]
impl BlobReader for FolderReader {
    fn length(&self) -> u64 {
        self.length
    }

    async fn up_to(&mut self, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let mut open = self.open.take().ok_or_else(spent)?;
        if open.left == 0 {
            // Nothing is read any more.
            open.require_whole()?;
            self.open = Some(open);
            return Ok(None);
        }
        let (open, chunk) = blocking(move || {
            let chunk = open.up_to(most.max(1))?;
            Ok((open, chunk))
        })
        .await?;
        self.open = Some(open);
        Ok(chunk)
    }
}

/// A blob being read and hashed.
struct OpenBlob {
    digest: Digest,
    path: PathBuf,
    file: File,
    hash: Sha256,
    left: u64,
}

impl OpenBlob {
    fn open(digest: Digest, path: PathBuf) -> Result<Self, StoreError> {
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(StoreError::Absent { digest }),
            opened => opened.map_err(|error| StoreError::io("cannot open", &path, error))?,
        };
        let left = file.metadata().map_err(|error| StoreError::io("cannot read", &path, error))?.len();
        Ok(Self { digest, path, file, hash: Sha256::new(), left })
    }

    fn up_to(&mut self, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        if self.left == 0 {
            return self.require_whole().map(|()| None);
        }
        let length = usize::try_from(self.left).map_or(most, |left| left.min(most));
        let mut chunk = vec![0; length];
        match self.file.read_exact(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(self.corrupt()),
            read => read.map_err(|error| StoreError::io("cannot read", &self.path, error))?,
        }
        self.hash.update(&chunk);
        self.left -= length as u64;
        Ok(Some(chunk))
    }

    fn whole(mut self) -> Result<Vec<u8>, StoreError> {
        let bytes = self.up_to(usize::MAX)?.unwrap_or_default();
        self.require_whole().map(|()| bytes)
    }

    /// All of it was read: only this says that all of it was right.
    fn require_whole(&self) -> Result<(), StoreError> {
        let actual = Digest(self.hash.clone().finalize().into());
        if actual == self.digest { Ok(()) } else { Err(self.corrupt()) }
    }

    fn corrupt(&self) -> StoreError {
        StoreError::Corrupt { what: format!("blob {} ({})", self.digest, self.path.display()) }
    }
}

/// Removes the blob at `path`; says whether it was there.
fn removed(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        removed => removed.map_err(|error| StoreError::io("cannot remove", path, error))?,
    }
    // If we crash here the blob may be back after a power cut: complete, and still unclaimed.
    path.parent().map_or(Ok(()), sync_folder)?;
    Ok(true)
}

/// Lets the age of a file begin now.
fn date(file: &File, path: &Path) -> Result<(), StoreError> {
    file.set_modified(SystemTime::now()).map_err(|error| StoreError::io("cannot date", path, error))
}

/// Removes the files in `partials` that no living writer holds and nobody goes on with.
fn sweep(partials: &Path) -> Result<u64, StoreError> {
    let mut swept = 0;
    for path in list(partials)?.into_iter().filter(|path| name_of(path).is_none()) {
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.map_err(|error| StoreError::io("cannot open", &path, error))?,
        };
        if file.try_lock().is_ok() {
            fs::remove_file(&path).map_err(|error| StoreError::io("cannot remove", &path, error))?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// The blobs of the store at `folder`, by name, from after `after` on.
fn listed(folder: &Path, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
    let mut found = Vec::new();
    for first in after.map_or(0, |after| after.0[0])..=u8::MAX {
        let below = folder.join(hex::encode([first]));
        if found.len() >= limit || !below.exists() {
            continue;
        }
        let named = list(&below)?.into_iter().filter_map(|path| Some((digest_of(&path)?, path)));
        found.extend(shown(named.collect(), after)?);
    }
    found.truncate(limit);
    Ok(found)
}

/// These files as blobs, by name, from after `after` on.
fn shown(mut files: Vec<(Digest, PathBuf)>, after: Option<Digest>) -> Result<Vec<StoredBlob>, StoreError> {
    files.retain(|(digest, _)| after.is_none_or(|after| *digest > after));
    files.sort();
    let mut found = Vec::with_capacity(files.len());
    for (digest, path) in files {
        match path.metadata() {
            // Removed a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("cannot look at", &path, error)),
            Ok(file) => found.push(StoredBlob { digest, length: file.len(), age: age_of(&file) }),
        }
    }
    Ok(found)
}

/// The name of the blob at `path`; none where the file is something else.
fn digest_of(path: &Path) -> Option<Digest> {
    let (file, folder) = (path.file_name()?.to_str()?, path.parent()?.file_name()?.to_str()?);
    let mut digest = Digest([0; 32]);
    hex::decode_to_slice(format!("{folder}{file}"), &mut digest.0).ok()?;
    Some(digest)
}

fn spent() -> StoreError {
    let source = std::io::Error::other("an earlier call failed or was given up");
    StoreError::Io { what: "the blob cannot be continued".into(), source }
}

const PARTIALS: &str = "partial";
/// Threads that read small blobs side by side.
const READERS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sweep_takes_what_dead_writers_left_and_spares_the_living() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(dir.path()).await.unwrap();
        let torn = dir.path().join("blobs/partial/1-0");
        std::fs::write(&torn, b"half of a bl").unwrap();
        let mut living = blobs.writer().await.unwrap();
        living.write(b"half ").await.unwrap();

        assert_eq!(blobs.sweep_partial().await.unwrap(), 1);

        assert!(!torn.exists());
        living.write(b"and half").await.unwrap();
        let digest = living.finish(None).await.unwrap();
        assert_eq!(blobs.read(digest).await.unwrap(), b"half and half");
    }

    #[tokio::test]
    async fn a_leftover_of_our_own_process_id_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(dir.path()).await.unwrap();
        let partials = dir.path().join("blobs/partial");
        for number in 0..64 {
            std::fs::write(partials.join(format!("{}-{number}", process::id())), b"another's").unwrap();
        }
        let digest = blobs.put(b"ours").await.unwrap();
        assert_eq!(blobs.read(digest).await.unwrap(), b"ours");
        for leftover in list(&partials).unwrap() {
            assert_eq!(std::fs::read(leftover).unwrap(), b"another's");
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), b"").unwrap();
        let refused = FolderBlobs::open(&dir.path().join("file")).await.unwrap_err();
        assert_eq!(refused.code(), "store.io");
        assert!(refused.to_string().contains("/file"), "{refused}");
    }
}
