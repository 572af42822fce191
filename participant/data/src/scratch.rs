//! A private folder for what a query cannot keep in memory, and what was left of the folders of others.
//!
//! Whoever uses such a folder holds a lock on it, which the system lets go of when the process ends, however it ends. So a
//! folder without a lock was left by one that was killed. Folders are made, and looked at, by whoever holds the lock on the
//! folder that they are in.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// Removes folders below `scratch` that a process has left that was killed: they hold rows. Those in use stay.
///
/// # Errors
/// When one cannot be removed; the others are.
pub fn sweep_scratch(scratch: &Path) -> io::Result<()> {
    match File::open(scratch) {
        Ok(guard) => {
            guard.lock()?;
            sweep(scratch)
        }
        Err(error) => none_if_gone(Err(error)),
    }
}

fn sweep(scratch: &Path) -> io::Result<()> {
    let mut swept = Ok(());
    for entry in fs::read_dir(scratch)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = NAMES.iter().any(|start| name.as_encoded_bytes().starts_with(start.as_bytes()));
        if !is_ours || !entry.file_type()?.is_dir() {
            continue;
        }
        // One that is another user's must not keep the others here.
        swept = swept.and(none_if_gone(remove_unless_used(&entry.path())));
    }
    swept
}

fn remove_unless_used(folder: &Path) -> io::Result<()> {
    let lock = File::open(folder)?;
    match lock.try_lock() {
        Ok(()) => fs::remove_dir_all(folder),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whoever is done with a folder removes it without asking.
fn none_if_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// How folders begin: ours, and those of an earlier version.
const NAMES: [&str; 2] = [PREFIX, ".tmp"];
const PREFIX: &str = "query-";

#[cfg(feature = "sql")]
pub(crate) use owned::Scratch;

#[cfg(feature = "sql")]
mod owned {
    use std::fs::DirBuilder;
    use std::os::unix::fs::DirBuilderExt as _;
    use std::path::PathBuf;

    use super::*;

    /// A folder that nobody else may enter. Dropped, it is removed with all that is in it.
    pub(crate) struct Scratch {
        path: PathBuf,
        /// Held as long as the folder is.
        _lock: File,
    }

    impl Scratch {
        /// A new one in `scratch`, which is made where it is not there, and in which nothing is left that can be removed of one that was killed.
        pub(crate) fn within(scratch: &Path) -> io::Result<Self> {
            DirBuilder::new().recursive(true).mode(0o700).create(scratch)?;
            let guard = File::open(scratch)?;
            guard.lock()?;
            // What cannot be removed, as another user's, is told when the agent starts, and is no reason to answer nothing.
            let _ = sweep(scratch);
            let path = Self::create(scratch)?;
            let lock = File::open(&path)?;
            // If we are killed here the folder is empty, and the next one removes it.
            lock.lock()?;
            Ok(Self { path, _lock: lock })
        }

        fn create(scratch: &Path) -> io::Result<PathBuf> {
            let mut number = 0_u64;
            loop {
                let path = scratch.join(format!("{PREFIX}{}-{number}", std::process::id()));
                match DirBuilder::new().mode(0o700).create(&path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                    created => return created.map(|()| path),
                }
            }
        }

        pub(crate) fn path(&self) -> &Path {
            &self.path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            // What stays is removed by the next one.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
#[cfg(feature = "sql")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn what_was_left_is_removed_and_what_is_used_stays() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("state/scratch");
        let used = Scratch::within(&scratch).unwrap();
        fs::write(used.path().join("rows"), "1").unwrap();
        for left in ["query-1-0", ".tmpAbCdEf"] {
            fs::create_dir(scratch.join(left)).unwrap();
            fs::write(scratch.join(left).join("rows"), "2").unwrap();
        }
        fs::write(scratch.join("query-notes"), "not ours").unwrap();
        fs::create_dir(scratch.join("models")).unwrap();

        let other = Scratch::within(&scratch).unwrap();
        assert_eq!(names(&scratch).len(), 4, "{:?}", names(&scratch));
        drop(other);
        sweep_scratch(&scratch).unwrap();
        assert_eq!(names(used.path()), ["rows"]);
        drop(used);
        assert_eq!(names(&scratch).len(), 2, "{:?}", names(&scratch));
    }

    #[test]
    fn nobody_else_may_enter_it() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("scratch");
        let used = Scratch::within(&scratch).unwrap();
        for path in [&scratch, used.path()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert!(sweep_scratch(&folder.path().join("nowhere")).is_ok());
    }
}
