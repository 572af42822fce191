//! A ledger as a folder in the C2SP tlog-tiles layout, which an auditor verifies without this software.
//!
//! Files are written in place of nothing that an older checkpoint names: its full tiles have the same
//! bytes in the newer log, its incomplete ones keep their own names. So the folder verifies at every
//! instant, against the old checkpoint until the new one takes its name, as the last step.

use std::{
    collections::BTreeSet,
    io,
    path::{Component, Path, PathBuf},
};

use syndic_ledger::tiles::{CHECKPOINT, TileFile, TileWriter};

use super::{
    Log, StoreError, create_folder,
    durable::{FOLDER_MODE, blocking},
};
use crate::durable::{self, sync_folder, write_whole};

/// Writes the first `size` entries of `log`, the files `beside` them and, last, the signed `checkpoint` of that size to
/// `folder`, which is created if need be.
///
/// # Errors
///
/// [`StoreError::Corrupt`] where the log has fewer entries; [`StoreError::TooLong`]; what writing can meet.
pub async fn export_ledger(
    log: &dyn Log,
    size: u64,
    beside: Vec<TileFile>,
    checkpoint: &[u8],
    folder: &Path,
) -> Result<(), StoreError> {
    let mut export = LedgerExport::begin(folder).await?;
    let mut writer = TileWriter::new();
    let mut position = 0;
    while position < size {
        let entries = log.read(position, PAGE.min(size - position)).await?;
        if entries.is_empty() {
            return Err(StoreError::Corrupt {
                what: format!("the log ends at entry {position} of {size}, it"),
            });
        }
        position += entries.len() as u64;
        let mut files = Vec::new();
        for entry in &entries {
            files.extend(writer.append(entry)?);
        }
        export.write(files).await?;
    }
    export.write(writer.finish()).await?;
    export.write(beside).await?;
    export.publish(checkpoint.to_vec()).await
}

/// A folder that is becoming a ledger: any files first, its checkpoint last.
pub struct LedgerExport {
    folder: PathBuf,
    /// Folders whose names are not durable yet.
    unsynced: BTreeSet<PathBuf>,
}

impl LedgerExport {
    /// Begins in `folder`, which is created if need be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where it cannot be.
    pub async fn begin(folder: &Path) -> Result<Self, StoreError> {
        create_folder(folder).await?;
        Ok(Self { folder: folder.to_owned(), unsynced: BTreeSet::new() })
    }

    /// Writes each file at its path below the folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] also for a path that leaves the folder.
    pub async fn write(&mut self, files: Vec<TileFile>) -> Result<(), StoreError> {
        let mut placed = Vec::with_capacity(files.len());
        let mut folders = BTreeSet::new();
        for file in files {
            let path = below(&self.folder, &file.path)?;
            let parent = path.parent().unwrap_or(&self.folder).to_owned();
            if self.unsynced.insert(parent.clone()) {
                folders.insert(parent);
            }
            placed.push((path, file.bytes));
        }
        blocking(move || {
            folders.iter().try_for_each(|folder| durable::create_folder(folder, FOLDER_MODE))?;
            Ok(placed.iter().try_for_each(|(path, bytes)| write_whole(path, bytes))?)
        })
        .await
    }

    /// Makes everything written durable, then gives the folder its signed head.
    ///
    /// # Errors
    ///
    /// What writing can meet; the former checkpoint is then still the one that counts.
    pub async fn publish(self, checkpoint: Vec<u8>) -> Result<(), StoreError> {
        blocking(move || {
            self.unsynced.iter().try_for_each(|folder| sync_folder(folder))?;
            // If we crash here all tiles are there, and the former checkpoint, if any, still verifies.
            let path = self.folder.join(CHECKPOINT);
            write_whole(&path, &checkpoint)?;
            // If we crash here the folder has the one head or the other, and verifies by either.
            Ok(sync_folder(&self.folder)?)
        })
        .await
    }
}

/// The file at `path` below `folder`; no path climbs out.
fn below(folder: &Path, path: &str) -> Result<PathBuf, StoreError> {
    let relative = Path::new(path);
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || !inside {
        return Err(StoreError::io("cannot write", relative, io::ErrorKind::InvalidInput.into()));
    }
    Ok(folder.join(relative))
}

/// Entries read at a time.
const PAGE: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::SqliteLog;

    async fn log(dir: &Path, size: u32) -> SqliteLog {
        let log = SqliteLog::open(&dir.join("log.sqlite")).await.unwrap();
        let entries: Vec<_> = (0..size).map(|number| number.to_string().into_bytes()).collect();
        log.append(0, &entries).await.unwrap();
        log
    }

    /// Every file below `folder`, by its path there.
    fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else {
                    let path = entry.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                    found.push((path, fs::read(entry).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    #[tokio::test]
    async fn an_export_holds_exactly_the_tiles_of_the_signed_size() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path(), 3000).await;
        let folder = dir.path().join("out/ledger");

        let beside = vec![TileFile { path: "log.vkey".into(), bytes: b"key\n".to_vec() }];
        export_ledger(&log, 2500, beside, b"signed head", &folder).await.unwrap();

        let entries = log.read(0, 2500).await.unwrap();
        let tiles = syndic_ledger::tiles::files(entries.iter().map(Vec::as_slice)).unwrap();
        let mut expected: Vec<_> = tiles.into_iter().map(|file| (file.path, file.bytes)).collect();
        expected.push(("checkpoint".into(), b"signed head".to_vec()));
        expected.push(("log.vkey".into(), b"key\n".to_vec()));
        expected.sort();
        assert!(expected.len() > 20, "several levels of tiles");
        let found = files(&folder);
        let paths =
            |files: &[(String, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&found), paths(&expected));
        assert!(found == expected, "a file has other bytes");
    }

    #[tokio::test]
    async fn a_newer_export_leaves_every_file_of_the_older_head_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path(), 700).await;
        let folder = dir.path().join("ledger");
        export_ledger(&log, 300, Vec::new(), b"head of 300", &folder).await.unwrap();
        let older = files(&folder);

        export_ledger(&log, 700, Vec::new(), b"head of 700", &folder).await.unwrap();

        let newer = files(&folder);
        for (path, bytes) in older.iter().filter(|(path, _)| path != CHECKPOINT) {
            assert!(newer.contains(&(path.clone(), bytes.clone())), "{path}");
        }
        assert_eq!(fs::read(folder.join(CHECKPOINT)).unwrap(), b"head of 700");
    }

    #[tokio::test]
    async fn an_export_that_fails_leaves_the_former_head() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path(), 10).await;
        let folder = dir.path().join("ledger");
        export_ledger(&log, 5, Vec::new(), b"head of 5", &folder).await.unwrap();

        let refused = export_ledger(&log, 11, Vec::new(), b"head of 11", &folder).await.unwrap_err();

        assert_eq!(refused.code(), "store.corrupt");
        assert_eq!(fs::read(folder.join(CHECKPOINT)).unwrap(), b"head of 5");
    }

    #[tokio::test]
    async fn no_file_is_written_outside_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mut export = LedgerExport::begin(&dir.path().join("ledger")).await.unwrap();
        for path in ["../outside", "/outside", "tile/../../outside", ""] {
            let refused = export.write(vec![TileFile { path: path.into(), bytes: vec![1] }]).await;
            assert_eq!(refused.unwrap_err().code(), "store.io", "{path}");
        }
        assert!(files(dir.path()).is_empty());
    }
}
