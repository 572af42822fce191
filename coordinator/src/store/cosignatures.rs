//! The promise of the cosignatures: the newest of each witness, as long as the folder lasts.
//!
//! They are no second truth. Nothing is decided by them; each is verified with a key from the roster, against the log,
//! whenever it is read; and one that is lost or altered is a witness fewer below what is published, no more. Entries of
//! the log they cannot be: the checkpoint that they stand below would never be its last.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use syndic_round::ParticipantId;

use super::durable::{blocking, replace_file};
use super::{StoreError, create_folder};

/// A witness's word about the head of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The member that signed.
    pub witness: ParticipantId,
    /// Entries of the head that it signed.
    pub size: u64,
    /// The line as it stands below the checkpoint, its end included.
    pub line: String,
}

/// The newest cosignature of each witness.
#[async_trait]
pub trait Cosignatures: Send + Sync {
    /// Keeps a cosignature in the place of the witness's last. Durable when this returns.
    async fn keep(&self, cosignature: &Cosignature) -> Result<(), StoreError>;

    /// Those that are kept, in the order of witnesses. What is none is passed over.
    async fn kept(&self) -> Result<Vec<Cosignature>, StoreError>;
}

#[async_trait]
impl<C: Cosignatures> Cosignatures for std::sync::Arc<C> {
    async fn keep(&self, cosignature: &Cosignature) -> Result<(), StoreError> {
        (**self).keep(cosignature).await
    }

    async fn kept(&self) -> Result<Vec<Cosignature>, StoreError> {
        (**self).kept().await
    }
}

/// Cosignatures in a folder, a file for each witness: the size on a line, then the line.
#[derive(Clone, Debug)]
pub struct FolderCosignatures(PathBuf);

impl FolderCosignatures {
    /// Those in `folder`, which is created if need be.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        create_folder(folder).await?;
        Ok(Self(folder.to_owned()))
    }
}

#[async_trait]
impl Cosignatures for FolderCosignatures {
    async fn keep(&self, cosignature: &Cosignature) -> Result<(), StoreError> {
        let Cosignature { witness, size, line } = cosignature;
        // If we crash here the witness's last cosignature is kept, below an older head; it signs the next one all the same.
        replace_file(&self.0.join(witness.to_string()), format!("{size}\n{line}").as_bytes()).await
    }

    async fn kept(&self) -> Result<Vec<Cosignature>, StoreError> {
        let folder = self.0.clone();
        blocking(move || {
            let failed = |error| StoreError::io("cannot read", &folder, error);
            let mut kept = Vec::new();
            for file in std::fs::read_dir(&folder).map_err(failed)? {
                let path = file.map_err(failed)?.path();
                kept.extend(std::fs::read_to_string(&path).ok().and_then(|text| parse(&path, &text)));
            }
            kept.sort_by_key(|cosignature| cosignature.witness);
            Ok(kept)
        })
        .await
    }
}

fn parse(path: &Path, text: &str) -> Option<Cosignature> {
    let witness = path.file_name()?.to_str()?.parse().ok().and_then(ParticipantId::new)?;
    let (size, line) = text.split_once('\n')?;
    Some(Cosignature { witness, size: size.parse().ok()?, line: line.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(witness: u16, size: u64) -> Cosignature {
        let witness = ParticipantId::new(witness).unwrap();
        Cosignature { witness, size, line: format!("\u{2014} bank-{witness} c2ln\n") }
    }

    #[tokio::test]
    async fn a_file_that_is_damaged_or_half_written_is_a_witness_fewer() {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderCosignatures::open(dir.path()).await.unwrap();
        store.keep(&of(1, 3)).await.unwrap();
        for (name, text) in
            [("2", "no size\n"), ("3", "7"), ("4.partial", "7\n\u{2014} a c2ln\n"), ("0", "7\nx\n")]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::write(dir.path().join("5"), [0xff]).unwrap();
        assert_eq!(store.kept().await.unwrap(), [of(1, 3)]);
    }
}
