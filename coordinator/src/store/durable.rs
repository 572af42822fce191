//! File work of the store, off the threads that answer participants.

use std::fs::Metadata;
use std::path::Path;
use std::time::Duration;

use super::StoreError;
use crate::durable::{self, Failed, folder_of, sync_folder, write_whole};

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

/// Makes `folder` and the folders above it, such that they survive a power cut.
///
/// # Errors
/// [`StoreError::Io`] names the folder.
pub async fn create_folder(folder: &Path) -> Result<(), StoreError> {
    let folder = folder.to_owned();
    blocking(move || Ok(durable::create_folder(&folder, FOLDER_MODE)?)).await
}

/// Writes a file that is not part of the store, whole and durably, and the folders above it.
///
/// # Errors
/// [`StoreError::Io`] names the file; what stood there before still does.
pub async fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    create_folder(folder_of(path).unwrap_or(path)).await?;
    replace_file(path, bytes).await
}

/// Writes a file whole and durably into a folder that is there, and durable.
pub(super) async fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let (path, bytes) = (path.to_owned(), bytes.to_owned());
    blocking(move || {
        write_whole(&path, &bytes)?;
        // If we crash here the file is whole under its name, or still the one before it.
        Ok(sync_folder(folder_of(&path).unwrap_or(&path))?)
    })
    .await
}

/// How long ago a file was written; not at all where a clock says that it will be.
pub(super) fn age_of(file: &Metadata) -> Duration {
    file.modified().ok().and_then(|stored| stored.elapsed().ok()).unwrap_or_default()
}

impl From<Failed> for StoreError {
    fn from(Failed { what, path, source }: Failed) -> Self {
        Self::io(what, &path, source)
    }
}

/// What the user's umask makes of it.
pub(super) const FOLDER_MODE: u32 = 0o777;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_written_with_its_folders_and_under_a_bare_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/model.json");
        for content in [&b"one"[..], b"another"] {
            write_file(&path, content).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing partial is left");

        // A bare name is a file of the current folder, which for tests is the crate's own.
        let bare = Path::new("bare-name-of-a-test");
        let written = write_file(bare, b"here").await;
        let found = std::fs::read(bare);
        std::fs::remove_file(bare).unwrap();
        written.unwrap();
        assert_eq!(found.unwrap(), b"here");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_leaves_the_one_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("card.json");
        write_file(&path, b"before").await.unwrap();
        std::fs::create_dir(dir.path().join("card.json.partial")).unwrap();

        let refused = write_file(&path, b"after").await.unwrap_err();

        assert!(refused.to_string().contains("card.json.partial"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
    }
}
