//! The lock of a run's folder.

use std::fs::{self, File, Metadata, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The lock of a run: an empty file of our own.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock of the folder `out`.
    ///
    /// # Errors
    /// When another run holds it, or it cannot be written.
    pub(super) fn take(out: &Path) -> Result<Self> {
        let path = out.join(LOCK);
        let unwritable = |cause: &std::io::Error| Error::unwritable(&path, cause);
        loop {
            let opened = File::options().write(true).create(true).truncate(false).open(&path);
            let file = opened.map_err(|cause| unwritable(&cause))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy(out)),
                Err(TryLockError::Error(cause)) => {
                    // Nobody can lock anything here: it is nobody else's either.
                    let _ = fs::remove_file(&path);
                    return Err(unwritable(&cause));
                }
            }
            let lock = Self { path: path.clone(), file };
            // A run that ended in between has unlinked what was locked here: the next one would lock another file.
            if lock.is_in_place() {
                return Ok(lock);
            }
        }
    }

    fn is_in_place(&self) -> bool {
        let same = |there: &Metadata, ours: &Metadata| (there.dev(), there.ino()) == (ours.dev(), ours.ino());
        match (fs::symlink_metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(ours)) => same(&there, &ours),
            _ => false,
        }
    }

    /// Removes the file while it is still locked.
    pub(super) fn unlink(&self) {
        // Where this fails an empty file stays, which the next run takes over.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a lock of ours may lie there: nothing does, or an empty file.
pub(super) fn may_lock(path: &Path) -> bool {
    fs::symlink_metadata(path).map_or(true, |there| there.is_file() && there.len() == 0)
}

fn busy(out: &Path) -> Error {
    Error::world("out.busy", "another run is writing to this folder")
        .place(format!("--out {}", out.display()))
        .help("wait until it is done, or name another folder")
}

/// Its name in the folder.
pub(super) const LOCK: &str = ".syndic.lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_whose_file_was_unlinked_is_no_lock() {
        let parent = tempfile::tempdir().unwrap();
        let lock = Lock::take(parent.path()).unwrap();
        assert!(lock.is_in_place());
        lock.unlink();
        assert!(!lock.is_in_place());
        let next = Lock::take(parent.path()).unwrap();
        assert!(next.is_in_place() && !lock.is_in_place());
    }
}
