//! Copies of folders, as somebody makes them who restores a backup.

use std::io::ErrorKind;
use std::path::Path;

/// Copies `from` with all that is in it to `to`, which must not exist. Databases in it may still be being closed.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    // A write-ahead log before its database: once it is removed, all of it is there.
    paths.sort_unstable_by(|one, other| other.cmp(one));
    for path in paths {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &to);
        } else if let Err(error) = std::fs::copy(&path, &to) {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{}: {error}", path.display());
        }
    }
}
