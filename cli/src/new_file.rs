//! Files that a command writes: whole or not at all, and in the place of another only where that is meant.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Writes `text` to `path`, which must not exist.
///
/// # Errors
/// When it exists or cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    write_with(path, |file| Ok(file.write_all(text.as_bytes())?))
}

/// Writes to `path`, which must not exist, what `content` writes; nothing where that fails.
///
/// # Errors
/// Those of `content`; when the file exists or cannot be written.
pub fn write_with(path: &Path, content: impl FnOnce(&mut dyn Write) -> Written) -> Result<()> {
    let draft = draft_of(path);
    let placed = write_whole(&draft, content).and_then(|()| Ok(place(&draft, path)?));
    // If we crash here, or this fails, the hidden draft stays beside the file, whole or half.
    let _ = fs::remove_file(&draft);
    placed.map_err(|unwritten| match unwritten {
        Unwritten::Content(error) => error,
        Unwritten::File(cause) if cause.kind() == ErrorKind::AlreadyExists => {
            Error::input("file.exists", "there is already a file of this name")
                .place(format!("--out {}", path.display()))
                .help("name another file, or remove this one first: nothing of yours is replaced")
        }
        Unwritten::File(cause) => Error::unwritable(path, &cause),
    })
}

/// Puts `text` into the file `path`, whole or not at all, whatever lay there. Durable when it returns.
///
/// # Errors
/// When it cannot be written; then what lay there is still there.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let draft = draft_of(path);
    let written = write_whole(&draft, |file| Ok(file.write_all(text.as_bytes())?));
    let written = written.and_then(|()| Ok(fs::rename(&draft, path)?));
    // If we crash here the file is the new one or, after a power cut, may be the old one; nobody was told of either yet.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = written.and_then(|()| Ok(File::open(folder).and_then(|folder| folder.sync_all())?));
    synced.map_err(|unwritten| {
        let _ = fs::remove_file(&draft);
        match unwritten {
            Unwritten::Content(error) => error,
            Unwritten::File(cause) => Error::unwritable(path, &cause),
        }
    })
}

/// What became of a file's content.
pub type Written = std::result::Result<(), Unwritten>;

/// Why a file was not written.
#[derive(Debug)]
pub enum Unwritten {
    /// Its content could not be had.
    Content(Error),
    /// It could not be written.
    File(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(cause: io::Error) -> Self {
        Self::File(cause)
    }
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Self {
        Self::Content(error)
    }
}

fn write_whole(path: &Path, content: impl FnOnce(&mut dyn Write) -> Written) -> Written {
    let mut file = BufWriter::new(File::create(path)?);
    content(&mut file)?;
    Ok(file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?)
}

/// Where the file is made.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.draft", std::process::id()));
    path.with_file_name(name)
}

/// Gives the finished file its name, where nothing has that name.
fn place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
            // Not every file system has links. Between this look and the move somebody could still make the file.
            if fs::symlink_metadata(path).is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            fs::rename(draft, path)
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_file_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        write(&path, "first").unwrap();
        assert_eq!(write(&path, "second").unwrap_err().code(), "file.exists");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // Nothing can be written to this device.
        let full = folder.path().join(format!(".page.html.{}.draft", std::process::id()));
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        let path = folder.path().join("page.html");
        let error = write(&path, "half").unwrap_err();
        assert_eq!((error.code(), error.exit()), ("file.unwritable", 3));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
