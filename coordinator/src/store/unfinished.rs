//! The files of uploads that are gone on with, under the names that they are known by: `begun-...`, in a folder of this host.
//!
//! What lies there is believed only as far as it was read: none of it was synced, and a power cut may have taken any of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use syndic_round::Digest;
use tracing::warn;

use super::durable::{age_of, blocking};
use super::{Begun, CHUNK_BYTES, Held, StoreError, UploadName};

/// A folder that such files are in, among others.
#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    folder: PathBuf,
}

/// What became of a file that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forgotten {
    Removed,
    WasNotThere,
    InUse,
}

/// What becomes of an upload that is to be gone on with.
pub(super) enum Reopened {
    On(Growing),
    Fewer(u64),
    InUse,
}

/// A file that its one writer goes on with. It goes with its writer, unless it is to be gone on with.
pub(super) struct Growing {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) hash: Sha256,
    /// Whether it outlives its writer.
    pub(super) stays: bool,
}

impl Unfinished {
    pub(super) fn of(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path_of(&self, name: &UploadName) -> PathBuf {
        self.folder.join(name.to_string())
    }

    /// See [`Blobs::resume`](super::Blobs::resume).
    pub(super) async fn resume(
        &self,
        name: &UploadName,
        from: u64,
        seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Reopened, StoreError> {
        let (unfinished, name) = (self.clone(), name.clone());
        let mut growing = match blocking(move || unfinished.open(&name, from)).await? {
            Reopened::On(growing) => growing,
            not => return Ok(not),
        };
        let mut left = from;
        while left > 0 {
            let most = left.min(CHUNK_BYTES as u64) as usize;
            let (read, chunk) = blocking(move || Ok(growing.next(most))).await?;
            let Some(chunk) = chunk else { return Ok(Reopened::Fewer(0)) };
            seen(&chunk);
            left -= chunk.len() as u64;
            growing = read;
        }
        Ok(Reopened::On(growing))
    }

    /// See [`Blobs::begun`](super::Blobs::begun).
    pub(super) async fn begun(&self, name: &UploadName) -> Result<Option<Held>, StoreError> {
        let path = self.path_of(name);
        blocking(move || measure(&path)).await
    }

    /// See [`Blobs::all_begun`](super::Blobs::all_begun).
    pub(super) async fn all(&self) -> Result<Vec<Begun>, StoreError> {
        let folder = self.folder.clone();
        blocking(move || all(&folder)).await
    }

    /// See [`Blobs::forget`](super::Blobs::forget).
    pub(super) async fn forget(&self, name: &UploadName) -> Result<bool, StoreError> {
        let path = self.path_of(name);
        blocking(move || Ok(forget(&path)? == Forgotten::Removed)).await
    }

    /// Opens the upload's file for its one writer, cut off behind its first `from` bytes, which are still to be read.
    fn open(&self, name: &UploadName, from: u64) -> Result<Reopened, StoreError> {
        let path = self.path_of(name);
        let others = list(&self.folder)?;
        for other in
            others.iter().filter(|path| name_of(path).is_some_and(|other| name.is_instead_of(&other)))
        {
            // If we crash here nothing is lost: the sender has signed another header since.
            if forget(other)? == Forgotten::InUse {
                return Ok(Reopened::InUse);
            }
        }
        let Locked::Ours(mut file) = lock(&path, true)? else { return Ok(Reopened::InUse) };
        let failed = |what, error| StoreError::io(what, &path, error);
        let held = file.metadata().map_err(|error| failed("cannot read", error))?.len();
        if held < from {
            if held == 0 {
                remove(&path)?;
            }
            return Ok(Reopened::Fewer(held));
        }
        // If we crash here what lay behind is lost, and sent again.
        file.set_len(from).and_then(|()| file.rewind()).map_err(|error| failed("cannot cut off", error))?;
        Ok(Reopened::On(Growing { path, file, hash: Sha256::new(), stays: true }))
    }
}

impl Growing {
    pub(super) fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        // If we crash here a file is left. The sweep at the next start removes it; where it has a name, it is gone on with
        // behind what of it is found then.
        self.file.write_all(chunk).map_err(|error| {
            // On a full disk it would be in the way of those that can come to their end.
            self.stays = false;
            StoreError::io("cannot write", &self.path, error)
        })?;
        self.hash.update(chunk);
        Ok(())
    }

    /// SHA-256 of all that was written.
    pub(super) fn digest(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }

    /// The next `most` bytes of what is held. None where the disk does not yield them any more: they are given up then.
    fn next(mut self, most: usize) -> (Self, Option<Vec<u8>>) {
        let mut chunk = vec![0; most];
        if let Err(error) = self.file.read_exact(&mut chunk) {
            warn!(file = %self.path.display(), %error, "what was held of an upload cannot be read; it begins anew");
            self.stays = false;
            return (self, None);
        }
        self.hash.update(&chunk);
        (self, Some(chunk))
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next sweep.
        if !self.stays {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The upload in the file at `path`; none where it is something else.
pub(super) fn name_of(path: &Path) -> Option<UploadName> {
    path.file_name()?.to_str()?.parse().ok()
}

pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| StoreError::io("cannot list", folder, error))
}

/// A file of an upload, for whoever wants it for itself.
enum Locked {
    Ours(File),
    InUse,
    WasNotThere,
}

/// Takes the file at `path` for this writer alone; makes it first, if it is to be `made`.
fn lock(path: &Path, made: bool) -> Result<Locked, StoreError> {
    let failed = |what, error| StoreError::io(what, path, error);
    loop {
        let mut options = OpenOptions::new();
        let file = match options.read(true).write(true).create(made).truncate(false).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !made => return Ok(Locked::WasNotThere),
            opened => opened.map_err(|error| failed("cannot open", error))?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Locked::InUse),
            Err(TryLockError::Error(error)) => return Err(failed("cannot lock", error)),
        }
        // Whoever had it before may have taken its name away between both steps.
        let ours = file.metadata().map_err(|error| failed("cannot read", error))?;
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => {
                return Ok(Locked::Ours(file));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed("cannot read", error)),
        }
    }
}

/// Every upload that `folder` holds something of.
fn all(folder: &Path) -> Result<Vec<Begun>, StoreError> {
    let mut all = Vec::new();
    for path in list(folder)? {
        let Some(name) = name_of(&path) else { continue };
        match path.metadata() {
            // Finished or forgotten a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("cannot look at", &path, error)),
            Ok(file) => all.push(Begun { name, length: file.len(), age: age_of(&file) }),
        }
    }
    Ok(all)
}

/// How much the file at `path` holds of its upload.
fn measure(path: &Path) -> Result<Option<Held>, StoreError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| StoreError::io("cannot open", path, error))?,
    };
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&chunk[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // What lies before it is as good as it was.
            Err(error) => {
                warn!(file = %path.display(), %error, bytes, "of what is held of an upload only the beginning can be read");
                break;
            }
        }
    }
    Ok((bytes > 0).then(|| Held { bytes, digest: Digest(hash.finalize().into()) }))
}

/// Removes the file at `path`, unless a writer holds it.
fn forget(path: &Path) -> Result<Forgotten, StoreError> {
    match lock(path, false)? {
        Locked::Ours(_file) => remove(path).map(|()| Forgotten::Removed),
        Locked::InUse => Ok(Forgotten::InUse),
        Locked::WasNotThere => Ok(Forgotten::WasNotThere),
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    // Not synced: what a power cut brings back is forgotten again when its attempt is over.
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| StoreError::io("cannot remove", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use syndic_round::{JobId, ParticipantId, RoundId};

    use super::*;
    use crate::store::{Blobs, FolderBlobs, Resumed};

    #[tokio::test]
    async fn what_a_power_cut_or_a_disk_made_of_it_is_measured_as_it_lies_there() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(dir.path()).await.unwrap();
        let name = UploadName {
            job: JobId::new("churn").unwrap(),
            round: RoundId { round: 1, attempt: 1 },
            from: ParticipantId::new(1).unwrap(),
            header: Digest::of(b"header"),
        };
        let Resumed::On(mut writer) = blobs.resume(&name, 0, &mut |_| {}).await.unwrap() else { panic!() };
        writer.write(b"what came in time").await.unwrap();
        drop(writer);
        let path = dir.path().join("blobs/partial").join(name.to_string());
        for lies_there in [&b"what c"[..], b"what came in\0\0\0\0\0", b"what came in time, and more"] {
            fs::write(&path, lies_there).unwrap();
            let held = Held { bytes: lies_there.len() as u64, digest: Digest::of(lies_there) };
            assert_eq!(blobs.begun(&name).await.unwrap(), Some(held));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(blobs.begun(&name).await.unwrap(), None);
    }
}
