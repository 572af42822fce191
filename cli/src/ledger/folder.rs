//! The folder with the files of a ledger.

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};

use syndic_coordinator::audit::ROSTER;
use syndic_ledger::tiles::{self, CHECKPOINT, WIDTH};
use syndic_ledger::{SourceError, TileSource, VerifyError};
use syndic_round::EndorsedRoster;

use crate::{Error, Exit, Result};

/// A folder with the files of a ledger.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Read once, so that what was verified with it and what is told of it are the same.
    roster: OnceCell<Option<EndorsedRoster>>,
}

impl Folder {
    /// The folder at `path`.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join("ledger").join(CHECKPOINT).is_file() && !path.join(CHECKPOINT).exists() {
            return Err(Error::input(
                "ledger.not-a-folder",
                "this is the folder of a run, and its ledger lies in it",
            )
            .place(path.display().to_string())
            .help(format!("name {}", path.join("ledger").display())));
        }
        if path.is_dir() {
            return Ok(Self { path: path.into(), roster: OnceCell::new() });
        }
        Err(Error::input("ledger.not-a-folder", "there is no ledger folder here")
            .place(path.display().to_string())
            .help("name the `ledger` folder of a run, for instance syndic-demo/ledger"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The signed note at its head.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn checkpoint(&self) -> Result<String> {
        let file = self.path.join(CHECKPOINT);
        std::fs::read_to_string(&file).map_err(|error| Error::unreadable(&file, &error))
    }

    /// The roster beside the entries, if there is one. Nobody vouches for it yet.
    ///
    /// # Errors
    /// When it is none.
    pub fn roster(&self) -> Result<Option<&EndorsedRoster>> {
        if self.roster.get().is_none() {
            let file = self.path.join(ROSTER);
            let roster = match std::fs::read(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(Error::unreadable(&file, &error)),
                Ok(bytes) => {
                    let roster = serde_json::from_slice(&bytes);
                    Some(roster.map_err(|error| self.other_roster(&error.to_string()))?)
                }
            };
            // Nobody else has set it: the cell is not shared between threads.
            let _ = self.roster.set(roster);
        }
        Ok(self.roster.get().and_then(Option::as_ref))
    }

    /// The entries of bundle `number` of a ledger of `size`, in order.
    ///
    /// # Errors
    /// Where it does not hold as many as it must.
    pub fn bundle(&self, size: u64, number: u64) -> Result<Vec<Vec<u8>>> {
        let start = number * WIDTH as u64;
        let expected = usize::try_from(size - start).map_or(WIDTH, |rest| rest.min(WIDTH));
        let path = tiles::entries_path(number, expected);
        let bytes = self.read(&path);
        let bytes = bytes.map_err(|source| self.wrong(&VerifyError::Read { path: path.clone(), source }))?;
        let entries = tiles::split_bundle(&bytes).filter(|entries| entries.len() == expected);
        let entries = entries.ok_or_else(|| self.wrong(&VerifyError::Bundle { path, expected }))?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The error for a roster that is not this ledger's.
    pub fn other_roster(&self, why: &str) -> Error {
        let message = format!("the roster beside the ledger is not its own: {why}");
        Error::new(Exit::Unverified, "audit.roster", message)
            .place(self.path.join(ROSTER).display().to_string())
            .help("take the file from where the ledger came from; without it rounds are not played again")
    }

    /// The error for the first thing wrong with the files.
    pub fn wrong(&self, error: &VerifyError) -> Error {
        let place = match (error.entry(), error.file()) {
            (Some(entry), _) => self.entry(entry),
            (None, Some(file)) => self.path.join(file).display().to_string(),
            (None, None) => self.path.display().to_string(),
        };
        Error::new(Exit::Unverified, error.code(), error.to_string()).place(place).help(error.help())
    }

    /// The place of an entry, for people.
    pub fn entry(&self, index: u64) -> String {
        format!("{}, entry {index}", self.path.display())
    }
}

impl TileSource for Folder {
    fn read(&self, path: &str) -> std::result::Result<Vec<u8>, SourceError> {
        std::fs::read(self.path.join(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::Missing,
            _ => SourceError::Unreadable(error.to_string()),
        })
    }
}
