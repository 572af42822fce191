//! What was set aside: `<dir>/blobs/set-aside/abcdef...`, by digest in hexadecimal, as old as it has been there.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use syndic_round::Digest;

use super::{FolderBlobs, OpenBlob, date, list, removed, shown};
use crate::durable::{create_folder_in, sync_folder};
use crate::store::durable::FOLDER_MODE;
use crate::store::{StoreError, StoredBlob};

impl FolderBlobs {
    pub(super) fn aside_of(&self, digest: Digest) -> PathBuf {
        self.folder.join(FOLDER).join(digest.to_string())
    }
}

/// Opens a blob, set aside or not.
pub(super) fn open_anywhere(store: &FolderBlobs, digest: Digest) -> Result<OpenBlob, StoreError> {
    // The second look in its place is for one that is put back between both others.
    for path in [store.path_of(digest), store.aside_of(digest), store.path_of(digest)] {
        match OpenBlob::open(digest, path) {
            Err(StoreError::Absent { .. }) => {}
            opened => return opened,
        }
    }
    Err(StoreError::Absent { digest })
}

/// Sets a blob aside; see [`Blobs::set_aside`](crate::store::Blobs::set_aside).
pub(super) fn set(store: &FolderBlobs, digest: Digest) -> Result<bool, StoreError> {
    let (from, to) = (store.path_of(digest), store.aside_of(digest));
    match File::open(&from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => date(&opened.map_err(|error| StoreError::io("cannot open", &from, error))?, &from)?,
    }
    // If we crash here the blob is where it was, and young: the sweep takes it up again once it is old.
    renamed(&from, &to)
}

/// What is set aside, by name, from after `after` on.
pub(super) fn listed(
    store: &FolderBlobs,
    after: Option<Digest>,
    limit: usize,
) -> Result<Vec<StoredBlob>, StoreError> {
    let files = list(&store.folder.join(FOLDER))?.into_iter().filter_map(|path| {
        let mut digest = Digest([0; 32]);
        hex::decode_to_slice(path.file_name()?.to_str()?, &mut digest.0).ok()?;
        Some((digest, path))
    });
    let mut found = shown(files.collect(), after)?;
    found.truncate(limit);
    Ok(found)
}

/// Puts a blob back; see [`Blobs::put_back`](crate::store::Blobs::put_back).
pub(super) fn put_back(store: &FolderBlobs, digest: Digest) -> Result<(), StoreError> {
    let (from, to) = (store.aside_of(digest), store.path_of(digest));
    if to.try_exists().map_err(|error| StoreError::io("cannot look for", &to, error))? {
        return removed(&from).map(drop);
    }
    if let Some(folder) = to.parent() {
        create_folder_in(&store.folder, folder, FOLDER_MODE)?;
    }
    renamed(&from, &to).map(drop)
}

/// Moves a blob; says whether it was there.
fn renamed(from: &Path, to: &Path) -> Result<bool, StoreError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        renamed => renamed.map_err(|error| StoreError::io("cannot move", from, error))?,
    }
    // If we crash here, or between both, the blob is whole in one place or, after a power cut, in both: the same bytes.
    for folder in [to.parent(), from.parent()].into_iter().flatten() {
        sync_folder(folder)?;
    }
    Ok(true)
}

/// Below the folder of the blobs.
pub(super) const FOLDER: &str = "set-aside";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Blobs;

    #[tokio::test]
    async fn a_blob_is_not_lost_where_everything_ends_while_it_is_set_aside_or_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(dir.path()).await.unwrap();
        let digest = blobs.put(b"a question").await.unwrap();
        let (path, aside) = (blobs.path_of(digest), blobs.aside_of(digest));
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(1_000_000);
        let (hour, old) = (Duration::from_secs(3600), Duration::from_secs(999_000));

        // Whoever sets it aside dies after the first of two steps.
        File::open(&path).unwrap().set_modified(long_ago).unwrap();
        assert!(blobs.list(None, 9).await.unwrap()[0].age > old);
        date(&File::open(&path).unwrap(), &path).unwrap();
        assert!(blobs.list(None, 9).await.unwrap()[0].age < hour, "it is young, where it was");
        File::open(&path).unwrap().set_modified(long_ago).unwrap();
        blobs.set_aside(digest).await.unwrap();
        assert!(blobs.aside(None, 9).await.unwrap()[0].age < hour, "its time there begins");

        // A power cut undoes one half of a rename.
        for again in ["set aside", "put back"] {
            let (from, to) = if again == "set aside" { (&aside, &path) } else { (&path, &aside) };
            fs::copy(from, to).unwrap();
            if again == "set aside" {
                assert!(blobs.set_aside(digest).await.unwrap());
                assert!(!path.exists() && blobs.read(digest).await.unwrap() == b"a question");
                blobs.put_back(digest).await.unwrap();
            } else {
                blobs.put_back(digest).await.unwrap();
            }
            assert!(!aside.exists() && blobs.read(digest).await.unwrap() == b"a question", "{again}");
        }
    }
}
