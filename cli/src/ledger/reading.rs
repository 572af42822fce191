//! Entries of a ledger that are told only once all of it has verified.
//!
//! Verifying a ledger keeps nothing of an entry but the hash of those that were chosen. Once the whole is known to be
//! good these are read again, and each must still have its hash: so nothing is told of an unverified entry, and memory
//! does not grow with what is told.

use syndic_ledger::tiles::{WIDTH, entries_path};
use syndic_ledger::{Accepted, Entry, Hash, VerifyError, leaf_hash};

use super::folder::Folder;
use super::trust::Trust;
use super::verify::{Verified, check_each};
use crate::Result;

/// Entries that were chosen from a ledger that verified.
#[derive(Debug)]
pub struct Chosen {
    folder: Folder,
    /// What was found of the whole.
    pub verified: Verified,
    /// Place and hash of each.
    entries: Vec<(u64, Hash)>,
}

/// One entry of a ledger that verified.
#[derive(Debug)]
pub struct Told {
    /// Its place in the log.
    pub index: u64,
    /// Its hash as a leaf of the tree.
    pub leaf: Hash,
    /// Its bytes, which are canonical JSON.
    pub bytes: String,
    /// The same, read.
    pub entry: Entry,
}

impl Chosen {
    /// Verifies the ledger in the folder, and keeps the places of the entries that `choose` wants.
    ///
    /// # Errors
    /// As [`super::verify::check`].
    pub fn from(folder: Folder, trust: &Trust, mut choose: impl FnMut(&Accepted) -> bool) -> Result<Self> {
        let mut entries = Vec::new();
        let verified = check_each(&folder, trust, &mut |accepted| {
            if choose(accepted) {
                entries.push((accepted.index, accepted.leaf));
            }
        })?;
        Ok(Self { folder, verified, entries })
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The places of the first and the last.
    pub fn span(&self) -> Option<[u64; 2]> {
        Some([self.entries.first()?.0, self.entries.last()?.0])
    }

    /// Each of them, in order; an error, with exit code 4, where the files are no longer those that verified.
    pub fn told(&self) -> impl Iterator<Item = Result<Told>> {
        let number = |index: u64| index / WIDTH as u64;
        let bundles = self.entries.chunk_by(move |(a, _), (b, _)| number(*a) == number(*b));
        bundles.flat_map(move |chosen| {
            match self.folder.bundle(self.verified.summary.size, number(chosen[0].0)) {
                Err(error) => vec![Err(error)],
                Ok(bundle) => {
                    let place = |index: u64| (index % WIDTH as u64) as usize;
                    chosen
                        .iter()
                        .map(|(index, leaf)| self.read(*index, *leaf, &bundle[place(*index)]))
                        .collect()
                }
            }
        })
    }

    fn read(&self, index: u64, leaf: Hash, bytes: &[u8]) -> Result<Told> {
        let entry = Entry::parse(bytes).ok().filter(|_| leaf_hash(bytes) == leaf);
        let entry = entry.ok_or_else(|| {
            let path = entries_path(index / WIDTH as u64, WIDTH);
            self.folder.wrong(&VerifyError::Altered { index, path })
        })?;
        let bytes = String::from_utf8(bytes.to_vec()).expect("an entry that can be read is JSON");
        Ok(Told { index, leaf, bytes, entry })
    }
}
