//! Uploads that are gone on with: `<dir>/blobs/partial/begun-...`, under the name that they are known by.
//!
//! What lies there is believed only as far as it was read: none of it was synced, and a power cut may have taken any of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use syndic_round::Digest;
use tracing::warn;

use super::{FolderBlobs, FolderWriter, PARTIALS, Partial, blocking, list};
use crate::store::{CHUNK_BYTES, Held, Resumed, StoreError, UploadName};

/// What became of a file that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgotten {
    Removed,
    WasNotThere,
    InUse,
}

pub(super) fn path_of(store: &FolderBlobs, name: &UploadName) -> PathBuf {
    store.folder.join(PARTIALS).join(name.to_string())
}

/// The upload in the file at `path`; none where it is something else.
pub(super) fn name_of(path: &Path) -> Option<UploadName> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Goes on with an upload; see [`Blobs::resume`](crate::store::Blobs::resume).
pub(super) async fn resume(
    store: &FolderBlobs,
    name: &UploadName,
    from: u64,
    seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
) -> Result<Resumed, StoreError> {
    let (store, name) = (store.clone(), name.clone());
    let mut reading = match blocking(move || open(store, &name, from)).await? {
        Opened::At(partial) => Reading { partial, left: from },
        Opened::Fewer(held) => return Ok(Resumed::Fewer(held)),
        Opened::InUse => return Ok(Resumed::InUse),
    };
    while reading.left > 0 {
        let (read, chunk) = blocking(move || reading.next()).await?;
        let Some(chunk) = chunk else { return Ok(Resumed::Fewer(0)) };
        seen(&chunk);
        reading = read;
    }
    Ok(Resumed::On(Box::new(FolderWriter { partial: Some(reading.partial) })))
}

enum Opened {
    At(Partial),
    Fewer(u64),
    InUse,
}

/// Opens the upload's file for its one writer, cut off behind its first `from` bytes, which are still to be read.
fn open(store: FolderBlobs, name: &UploadName, from: u64) -> Result<Opened, StoreError> {
    let path = path_of(&store, name);
    let others = list(&store.folder.join(PARTIALS))?;
    for other in others.iter().filter(|path| name_of(path).is_some_and(|other| name.is_instead_of(&other))) {
        // If we crash here nothing is lost: the sender has signed another header since.
        if forget(other)? == Forgotten::InUse {
            return Ok(Opened::InUse);
        }
    }
    let Locked::Ours(mut file) = lock(&path, true)? else { return Ok(Opened::InUse) };
    let failed = |what, error| StoreError::io(what, &path, error);
    let held = file.metadata().map_err(|error| failed("cannot read", error))?.len();
    if held < from {
        if held == 0 {
            remove(&path)?;
        }
        return Ok(Opened::Fewer(held));
    }
    // If we crash here what lay behind is lost, and sent again.
    file.set_len(from).and_then(|()| file.rewind()).map_err(|error| failed("cannot cut off", error))?;
    Ok(Opened::At(Partial { store, path, file, hash: Sha256::new(), stays: true }))
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

/// An upload whose held bytes are being read.
struct Reading {
    partial: Partial,
    left: u64,
}

impl Reading {
    /// The next of them. None where the disk does not yield them any more: they are given up then.
    fn next(mut self) -> Result<(Self, Option<Vec<u8>>), StoreError> {
        let mut chunk = vec![0; self.left.min(CHUNK_BYTES as u64) as usize];
        if let Err(error) = self.partial.file.read_exact(&mut chunk) {
            warn!(file = %self.partial.path.display(), %error, "what was held of an upload cannot be read; it begins anew");
            self.partial.stays = false;
            return Ok((self, None));
        }
        self.partial.hash.update(&chunk);
        self.left -= chunk.len() as u64;
        Ok((self, Some(chunk)))
    }
}

/// How much the file at `path` holds of its upload.
pub(super) fn measure(path: &Path) -> Result<Option<Held>, StoreError> {
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
pub(super) fn forget(path: &Path) -> Result<Forgotten, StoreError> {
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
    use crate::store::Blobs;

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
        let path = path_of(&blobs, &name);
        for lies_there in [&b"what c"[..], b"what came in\0\0\0\0\0", b"what came in time, and more"] {
            fs::write(&path, lies_there).unwrap();
            let held = Held { bytes: lies_there.len() as u64, digest: Digest::of(lies_there) };
            assert_eq!(blobs.begun(&name).await.unwrap(), Some(held));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(blobs.begun(&name).await.unwrap(), None);
    }
}
