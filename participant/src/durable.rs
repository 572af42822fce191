//! Folders and their entries, made such that they survive a power cut.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::Path;

/// Creates `folder` and those above it, for this user alone; durable when it returns. One that exists is left as it
/// is, since a person made it.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let made: Vec<_> = folder.ancestors().take_while(missing).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for folder in &made {
        sync_entry(folder)?;
    }
    match sync_entry(folder) {
        // If we crash above, this folder may be there the next time without being durable, so it is synced again; a
        // folder above that this user may not even open was made by somebody else.
        Err(error) if made.is_empty() && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Makes durable that `path` stands in its folder.
pub(crate) fn sync_entry(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => {
            // A bare file name lies in the current folder.
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_with_those_above_them_and_may_exist() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c");
        for _ in 0..2 {
            create_folder(&folder).unwrap();
            assert!(folder.is_dir());
        }
        for existing in ["/", ".", ""] {
            let made = create_folder(Path::new(existing));
            assert!(made.is_ok() || existing.is_empty(), "{existing}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_for_its_user_alone_and_an_old_one_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let old = root.path().join("old");
        std::fs::create_dir(&old).unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();

        create_folder(&old.join("new")).unwrap();
        create_folder(&old).unwrap();

        assert_eq!((mode(&old), mode(&old.join("new"))), (0o755, 0o700));
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(create_folder(&file).is_err());
        assert!(create_folder(&file.join("below")).is_err());
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        assert!(sync_entry(Path::new("journal.sqlite")).is_ok());
    }
}
