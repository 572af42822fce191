//! The files of a log: C2SP tlog-tiles, which any web server or folder can hold.
//!
//! | file | content |
//! |---|---|
//! | `checkpoint` | the signed head |
//! | `log.vkey` | the log's public key, for a reader who has no other source of it (ours, not of C2SP) |
//! | `tile/entries/<N>` | 256 entries, each behind its length in 16 bits, big-endian |
//! | `tile/<L>/<N>` | 256 hashes: of leaves at level 0, of full tiles of the level below elsewhere |
//!
//! `<N>` is written in groups of three digits (`x001/x234/067`); a last, incomplete file of `W` items has the
//! suffix `.p/<W>`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Entry, Hash, Tree, leaf_hash};

/// The path of the signed head.
pub const CHECKPOINT: &str = "checkpoint";
/// The path of the log's public key in vkey form.
pub const VERIFIER_KEY: &str = "log.vkey";
/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: usize = 256;

/// One file of a log: a path with `/` between its parts, and the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    /// Relative to the log's folder.
    pub path: String,
    /// All of the file.
    pub bytes: Vec<u8>,
}

/// Where the files of a log can be read: a folder, a web server, memory.
pub trait TileSource {
    /// The whole content of the file at `path`, relative to the log's folder.
    ///
    /// # Errors
    /// [`SourceError::Missing`] when there is no such file.
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError>;
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("it does not exist")]
    Missing,
    /// It is there but cannot be read; the text says why.
    #[error("{0}")]
    Unreadable(String),
}

/// An entry too long for a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} has {bytes} bytes, more than {max}", max = Entry::MAX_BYTES)]
pub struct TooLong {
    /// Its place in the log.
    pub index: u64,
    /// Its length.
    pub bytes: usize,
}

impl TooLong {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "ledger.entry-too-long"
    }
}

/// All bundles and tiles of the log with these entries; the checkpoint and key are added by whoever signs.
///
/// Holds the whole export in memory; [`TileWriter`] gives the same files one by one.
///
/// # Errors
/// [`TooLong`] for an entry over [`Entry::MAX_BYTES`].
pub fn files<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<TileFile>, TooLong> {
    let mut writer = TileWriter::new();
    let mut files = Vec::new();
    for entry in entries {
        files.extend(writer.append(entry)?);
    }
    files.extend(writer.finish());
    Ok(files)
}

/// Turns entries into files, holding no more than one bundle and one tile a level.
#[derive(Debug, Clone, Default)]
pub struct TileWriter {
    bundle: Vec<u8>,
    hashes: HashTiles,
}

impl TileWriter {
    /// The writer of an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next entry and returns the files that it completes, if any.
    ///
    /// # Errors
    /// [`TooLong`]; nothing is added then.
    pub fn append(&mut self, entry: &[u8]) -> Result<Vec<TileFile>, TooLong> {
        let index = self.hashes.size;
        let length = u16::try_from(entry.len()).map_err(|_| TooLong { index, bytes: entry.len() })?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
        let mut complete = self.hashes.append(leaf_hash(entry));
        if !complete.is_empty() {
            let path = entries_path(index / WIDTH as u64, WIDTH);
            complete.insert(0, TileFile { path, bytes: core::mem::take(&mut self.bundle) });
        }
        Ok(complete)
    }

    /// The incomplete files at the end of the log.
    #[must_use]
    pub fn finish(self) -> Vec<TileFile> {
        let (number, width) = self.hashes.end();
        let mut files = Vec::new();
        if width > 0 {
            files.push(TileFile { path: entries_path(number, width), bytes: self.bundle });
        }
        files.extend(self.hashes.finish());
        files
    }
}

/// Turns leaf hashes into tiles of hashes.
#[derive(Debug, Clone, Default)]
pub(crate) struct HashTiles {
    size: u64,
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Default)]
struct Level {
    full: u64,
    hashes: Vec<Hash>,
}

impl HashTiles {
    /// Adds a leaf hash and returns the tiles that it completes, lowest level first.
    pub(crate) fn append(&mut self, leaf: Hash) -> Vec<TileFile> {
        self.size += 1;
        let mut complete = Vec::new();
        let mut carried = leaf;
        for number in 0.. {
            if number == self.levels.len() {
                self.levels.push(Level::default());
            }
            let level = &mut self.levels[number];
            level.hashes.push(carried);
            if level.hashes.len() < WIDTH {
                break;
            }
            carried = level.hashes.iter().copied().collect::<Tree>().root();
            complete.push(level.take(number));
        }
        complete
    }

    /// The incomplete tiles, lowest level first.
    pub(crate) fn finish(self) -> impl Iterator<Item = TileFile> {
        let levels = self.levels.into_iter().enumerate();
        levels.filter(|(_, level)| !level.hashes.is_empty()).map(|(number, mut level)| level.take(number))
    }

    /// The number and width of the incomplete bundle, whose width may be 0.
    fn end(&self) -> (u64, usize) {
        self.levels.first().map_or((0, 0), |level| (level.full, level.hashes.len()))
    }
}

impl Level {
    fn take(&mut self, number: usize) -> TileFile {
        let hashes = core::mem::take(&mut self.hashes);
        let path = tile_path(number, self.full, hashes.len());
        self.full += 1;
        TileFile { path, bytes: hashes.iter().flat_map(Hash::as_bytes).copied().collect() }
    }
}

/// Splits a bundle into its entries; `None` when a length does not fit.
#[must_use]
pub fn split_bundle(mut bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bundle = rest;
    }
    bundle.is_empty().then_some(entries)
}

/// The path of the bundle `number`, of `width` entries between 1 and [`WIDTH`].
#[must_use]
pub fn entries_path(number: u64, width: usize) -> String {
    format!("tile/entries/{}", numbered(number, width))
}

/// The path of the tile `number` of a level, of `width` hashes between 1 and [`WIDTH`].
#[must_use]
pub fn tile_path(level: usize, number: u64, width: usize) -> String {
    format!("tile/{level}/{}", numbered(number, width))
}

fn numbered(number: u64, width: usize) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH { format!("{path}.p/{width}") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(tile_path(0, 1_234_067, WIDTH), "tile/0/x001/x234/067");
        assert_eq!(tile_path(5, 0, 8), "tile/5/000.p/8");
        assert_eq!(entries_path(1000, 255), "tile/entries/x001/000.p/255");
        assert_eq!(entries_path(999, WIDTH), "tile/entries/999");
    }

    #[test]
    fn a_bundle_with_a_torn_end_has_no_entries() {
        assert_eq!(split_bundle(&[0, 2, 7, 8, 0, 0]), Some(alloc::vec![&[7, 8][..], &[]]));
        assert_eq!(split_bundle(&[]), Some(Vec::new()));
        assert_eq!(split_bundle(&[0, 2, 7]), None);
        assert_eq!(split_bundle(&[0, 1, 7, 0]), None);
    }
}
