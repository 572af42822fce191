//! The steps of which durable files are made.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use super::StoreError;

/// Runs file work where it may block.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => {
            Err(StoreError::Io { what: "file work stopped".into(), source: std::io::Error::other(stopped) })
        }
    }
}

/// Creates `folder` and the folders above it, such that they survive a power cut.
pub(super) fn create_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if parent != Path::new(".") {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made.map_err(|error| StoreError::io("cannot create", folder, error))?,
    }
    // If we crash here the folder may be gone after a power cut, and so may what was put into it; nobody
    // was told of either yet.
    sync_folder(parent)
}

/// Makes the names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| StoreError::io("cannot sync", folder, error))
}

/// Writes a file that is not part of the store, whole and durably, and the folders above it.
///
/// # Errors
/// [`StoreError::Io`] names the file; what stood there before still does.
pub async fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let (path, bytes) = (path.to_owned(), bytes.to_owned());
    blocking(move || {
        let folder = path.parent().unwrap_or(Path::new("."));
        create_folder(folder)?;
        write_whole(&path.with_extension("partial"), &path, &bytes)?;
        // If we crash here the file is whole under its name, or still the one before it.
        sync_folder(folder)
    })
    .await
}

/// Writes the file `path` whole, through the temporary file `partial` on the same volume. Durable once its
/// folder is synced, which is the caller's to do.
pub(super) fn write_whole(partial: &Path, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create(partial).map_err(|error| StoreError::io("cannot create", partial, error))?;
    // If we crash here there is a partial file that the next export writes over.
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| StoreError::io("cannot write", partial, error))?;
    // If we crash here the partial file is whole but has no name that anyone reads.
    fs::rename(partial, path).map_err(|error| StoreError::io("cannot name", path, error))
}
