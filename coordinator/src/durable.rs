//! The steps of which durable files and folders are made: a name survives a power cut once the folder that
//! holds it is synced.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A step that the system refused.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The step, as in "cannot write".
    pub(crate) what: &'static str,
    /// The file or folder.
    pub(crate) path: PathBuf,
    /// The system's reason.
    pub(crate) source: io::Error,
}

/// Makes `folder` and the folders above it, such that they survive a power cut. Those that are made get `mode`;
/// those that are there already keep theirs, and are made durable all the same, since whoever made them a
/// moment ago may not have done so.
pub(crate) fn create_folder(folder: &Path, mode: u32) -> Result<(), Failed> {
    let Some(parent) = folder_of(folder) else { return Ok(()) };
    create_folder(parent, mode)?;
    create_folder_in(parent, folder, mode)
}

/// Makes `folder`, durably, in `parent`, which is there and durable.
pub(crate) fn create_folder_in(parent: &Path, folder: &Path, mode: u32) -> Result<(), Failed> {
    let made = !folder.is_dir() && make(folder, mode)?;
    // If we crash here the folder may be gone after a power cut, and so may what was put into it; nobody was
    // told of either yet.
    match sync_folder(parent) {
        // A folder that we neither made nor may sync is in the care of whoever set this host up.
        Err(Failed { source, .. }) if !made && is_closed_to_us(&source) => Ok(()),
        synced => synced,
    }
}

/// Makes the names in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Failed> {
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(|source| failed("cannot sync", folder, source))
}

/// Writes the file `path` whole, through a temporary file beside it. Durable once its folder is synced, which is
/// the caller's to do; until then what stood there before may come back.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = File::create(&partial).map_err(|source| failed("cannot create", &partial, source))?;
    // If we crash here there is a partial file that the next write replaces.
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|source| failed("cannot write", &partial, source))?;
    // If we crash here the partial file is whole but has no name that anyone reads.
    fs::rename(&partial, path).map_err(|source| failed("cannot name", path, source))
}

/// The folder that holds `path`; none for the root and for `.`, where a relative path begins.
pub(crate) fn folder_of(path: &Path) -> Option<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => (path != Path::new(".")).then_some(Path::new(".")),
        parent => parent,
    }
}

/// Says whether it was made now, and not by somebody else a moment ago.
fn make(folder: &Path, mode: u32) -> Result<bool, Failed> {
    match DirBuilder::new().mode(mode).create(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(false),
        Err(source) => Err(failed("cannot create", folder, source)),
    }
}

/// Folders of the system may be closed to this user, or lie where syncing a folder has no meaning.
fn is_closed_to_us(error: &io::Error) -> bool {
    use ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), PermissionDenied | InvalidInput | ReadOnlyFilesystem | Unsupported)
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> Failed {
    Failed { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn folders_are_made_with_the_mode_and_left_as_they_are_where_they_exist() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there");
        fs::create_dir(&there).unwrap();
        fs::set_permissions(&there, fs::Permissions::from_mode(0o750)).unwrap();
        let new = there.join("a/b");

        create_folder(&new, 0o700).unwrap();
        create_folder(&new, 0o755).unwrap();

        assert_eq!((mode(&there), mode(&there.join("a")), mode(&new)), (0o750, 0o700, 0o700));
    }

    #[test]
    fn a_folder_that_somebody_else_made_is_synced_as_well() {
        // Seen by what syncing a parent that is not there comes to.
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        fs::create_dir(&folder).unwrap();
        let refused = create_folder_in(&dir.path().join("gone"), &folder, 0o700).unwrap_err();
        assert_eq!((refused.what, refused.source.kind()), ("cannot sync", ErrorKind::NotFound));
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        for folder in [file.clone(), file.join("below")] {
            let refused = create_folder(&folder, 0o700).unwrap_err();
            assert_eq!((refused.what, refused.path), ("cannot create", file.clone()));
        }
    }

    #[test]
    fn every_path_but_where_paths_begin_has_a_folder() {
        let folder = |path: &'static str| folder_of(Path::new(path)).map(|folder| folder.to_str().unwrap());
        assert_eq!([folder("/a/b"), folder("/a"), folder("a/b")], [Some("/a"), Some("/"), Some("a")]);
        assert_eq!(
            [folder("a"), folder("./a"), folder(".."), folder("../a")],
            [Some("."), Some("."), Some("."), Some("..")]
        );
        assert_eq!([folder("/"), folder("."), folder("")], [None; 3]);
    }
}
