//! The offline check of a published log: everything from the signature to the last round.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use crate::history::{Accepted, Fault, Formed, History};
use crate::tiles::{self, CHECKPOINT, HashTiles, TileFile, VERIFIER_KEY, WIDTH};
use crate::{Checkpoint, CheckpointError, Hash, NoteError, SourceError, TileSource, Timestamp, VerifierKey};

/// What a log that verified holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The log's name.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The Merkle root.
    pub root: Hash,
    /// The number of entries of each type.
    pub types: BTreeMap<String, u64>,
    /// The time that the first entry bears.
    pub first_time: Option<Timestamp>,
    /// The time that the last entry bears.
    pub last_time: Option<Timestamp>,
    /// Rounds opened and not ended; each attempt counts as a round.
    pub rounds_open: u64,
    /// Rounds that ended with a result.
    pub rounds_closed: u64,
    /// Rounds that ended without one.
    pub rounds_abandoned: u64,
    /// Closed rounds whose vectors were shared themselves, with a reveal more than are needed: a single wrong one would
    /// have been noticed.
    pub shared_checked: u64,
    /// Closed rounds without: a single wrong reveal could have shifted the sum.
    pub shared_unchecked: u64,
    /// The fingerprint of the key that signed the checkpoint.
    pub fingerprint: String,
    /// Whether the caller named that key. If not, it came with the log, which is then self-consistent only:
    /// whoever can write the files could have made all of them anew.
    pub pinned: bool,
}

/// The first thing wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A file that the log must have cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: SourceError,
    },
    /// The key published with the log is none.
    #[error("`{VERIFIER_KEY}`: {0}")]
    Key(NoteError),
    /// The checkpoint is malformed or not signed by the key.
    #[error("`{CHECKPOINT}`: {0}")]
    Checkpoint(CheckpointError),
    /// A bundle does not consist of the entries that the checkpoint's size puts there.
    #[error("`{path}` does not hold {expected} entries")]
    Bundle {
        /// The file.
        path: String,
        /// How many belong there.
        expected: usize,
    },
    /// An entry's bytes do not have the hash that the tile of leaf hashes has for it.
    #[error("entry {index} and its hash in `{path}` disagree")]
    Altered {
        /// The entry's place in the log.
        index: u64,
        /// The tile.
        path: String,
    },
    /// An entry breaks a rule.
    #[error("entry {index}: {fault}")]
    Entry {
        /// Its place in the log.
        index: u64,
        /// The rule.
        fault: Fault,
    },
    /// A tile does not hold the hashes that follow from the entries.
    #[error("`{path}` does not hold the hashes of the entries below it")]
    Tile {
        /// The file.
        path: String,
    },
    /// The entries do not have the root that was signed.
    #[error("the entries have the root {computed} but the checkpoint says {signed}")]
    Root {
        /// The root of the entries.
        computed: Hash,
        /// The root in the checkpoint.
        signed: Hash,
    },
}

impl VerifyError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read { source: SourceError::Missing, .. } => "ledger.file-missing",
            Self::Read { .. } => "ledger.file-unreadable",
            Self::Key(error) => error.code(),
            Self::Checkpoint(error) => error.code(),
            Self::Bundle { .. } => "ledger.bundle-malformed",
            Self::Altered { .. } => "ledger.entry-altered",
            Self::Entry { fault, .. } => fault.code(),
            Self::Tile { .. } => "ledger.tile-mismatch",
            Self::Root { .. } => "ledger.root-mismatch",
        }
    }

    /// The index of the entry that is wrong, when it is one.
    #[must_use]
    pub const fn entry(&self) -> Option<u64> {
        match self {
            Self::Altered { index, .. } | Self::Entry { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// The file that is wrong, when it is one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Read { path, .. }
            | Self::Bundle { path, .. }
            | Self::Altered { path, .. }
            | Self::Tile { path } => Some(path),
            Self::Key(_) => Some(VERIFIER_KEY),
            Self::Checkpoint(_) | Self::Root { .. } => Some(CHECKPOINT),
            Self::Entry { .. } => None,
        }
    }

    /// What the reader can do next.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Read { .. } => {
                "check that the folder is a whole export of a ledger, and export it again if not"
            }
            Self::Key(_) => "obtain the log's key from its operator and name it",
            Self::Checkpoint(
                CheckpointError::Note(NoteError::Unsigned(_)) | CheckpointError::Origin { .. },
            ) => "check that the key is that of this log",
            Self::Checkpoint(_)
            | Self::Bundle { .. }
            | Self::Altered { .. }
            | Self::Tile { .. }
            | Self::Root { .. } => {
                "the files were damaged or altered: keep them as they are, and compare with another copy"
            }
            Self::Entry { .. } => "the log broke its own rules: keep the files, and ask its operator",
        }
    }
}

/// Checks a whole log and says what it holds.
///
/// In this order: the checkpoint's signature; then bundle by bundle, that each entry has the hash of its tile,
/// is canonical, says what its type must, links the previous entry of its subject and keeps the order of its
/// round; that every tile follows from the entries; that the root is the one signed. Files beyond the
/// checkpoint's size are not looked at.
///
/// Without a `key` the one published in `log.vkey` is used, and [`Summary::pinned`] is false.
///
/// # Errors
/// The first thing wrong.
pub fn verify(source: &dyn TileSource, key: Option<&VerifierKey>) -> Result<Summary, VerifyError> {
    verify_each(source, key, &mut |_| {})
}

/// The same, handing each entry to `reader` once it was found to be one that may follow. That the log is the
/// one that was signed is known only in the end.
///
/// # Errors
/// As [`verify`].
pub fn verify_each(
    source: &dyn TileSource,
    key: Option<&VerifierKey>,
    reader: &mut dyn FnMut(&Accepted),
) -> Result<Summary, VerifyError> {
    let (key, pinned) = match key {
        Some(key) => (key.clone(), true),
        None => (published_key(source)?, false),
    };
    let checkpoint = read_text(source, CHECKPOINT)
        .and_then(|note| Checkpoint::verify(&note, &key).map_err(VerifyError::Checkpoint))?;

    let mut history = History::new();
    let mut hashes = HashTiles::default();
    while history.size() < checkpoint.size() {
        replay_bundle(source, checkpoint.size(), &mut history, &mut hashes, reader)?;
    }
    for tile in hashes.finish() {
        compare_tile(source, &tile)?;
    }
    let (computed, signed) = (history.tree().root(), *checkpoint.root());
    if computed != signed {
        return Err(VerifyError::Root { computed, signed });
    }
    Ok(summarise(&checkpoint, &history, &key, pinned))
}

/// Replays the bundle that begins at the present size of `history`.
fn replay_bundle(
    source: &dyn TileSource,
    size: u64,
    history: &mut History,
    hashes: &mut HashTiles,
    reader: &mut dyn FnMut(&Accepted),
) -> Result<(), VerifyError> {
    let start = history.size();
    let number = start / WIDTH as u64;
    let expected = usize::try_from(size - start).map_or(WIDTH, |rest| rest.min(WIDTH));
    let path = tiles::entries_path(number, expected);
    let bundle = read(source, &path)?;
    let entries = tiles::split_bundle(&bundle).filter(|entries| entries.len() == expected);
    let entries = entries.ok_or(VerifyError::Bundle { path, expected })?;

    let path = tiles::tile_path(0, number, expected);
    let tile = read(source, &path)?;
    let (leaves, torn) = tile.as_chunks::<{ Hash::LENGTH }>();
    if leaves.len() != expected || !torn.is_empty() {
        return Err(VerifyError::Tile { path });
    }
    for (bytes, leaf) in entries.into_iter().zip(leaves) {
        let index = history.size();
        // Before the entry is read, so that damage is called damage and not a broken rule.
        let computed = crate::leaf_hash(bytes);
        if computed.as_bytes() != leaf {
            return Err(VerifyError::Altered { index, path });
        }
        let formed = Formed::read_hashed(bytes, computed);
        let accepted = formed.and_then(|formed| history.take(formed));
        let accepted = accepted.map_err(|fault| VerifyError::Entry { index, fault })?;
        for tile in hashes.append(accepted.leaf) {
            compare_tile(source, &tile)?;
        }
        reader(&accepted);
    }
    Ok(())
}

fn compare_tile(source: &dyn TileSource, expected: &TileFile) -> Result<(), VerifyError> {
    if read(source, &expected.path)? == expected.bytes {
        Ok(())
    } else {
        Err(VerifyError::Tile { path: expected.path.clone() })
    }
}

fn published_key(source: &dyn TileSource) -> Result<VerifierKey, VerifyError> {
    let text = read_text(source, VERIFIER_KEY)?;
    text.strip_suffix('\n').unwrap_or(&text).parse().map_err(VerifyError::Key)
}

fn read_text(source: &dyn TileSource, path: &str) -> Result<String, VerifyError> {
    String::from_utf8(read(source, path)?).map_err(|_| VerifyError::Read {
        path: String::from(path),
        source: SourceError::Unreadable(String::from("it is not UTF-8 text")),
    })
}

fn read(source: &dyn TileSource, path: &str) -> Result<Vec<u8>, VerifyError> {
    source.read(path).map_err(|source| VerifyError::Read { path: String::from(path), source })
}

fn summarise(checkpoint: &Checkpoint, history: &History, key: &VerifierKey, pinned: bool) -> Summary {
    let rounds = history.rounds();
    Summary {
        origin: String::from(checkpoint.origin()),
        size: checkpoint.size(),
        root: *checkpoint.root(),
        types: history.types().clone(),
        first_time: history.span().map(|(first, _)| first),
        last_time: history.span().map(|(_, last)| last),
        rounds_open: rounds.open,
        rounds_closed: rounds.closed,
        rounds_abandoned: rounds.abandoned,
        shared_checked: rounds.shared_checked,
        shared_unchecked: rounds.shared_unchecked,
        fingerprint: key.fingerprint(),
        pinned,
    }
}
