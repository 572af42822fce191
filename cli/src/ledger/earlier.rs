//! An earlier head of a ledger, which the ledger must continue.

use std::path::Path;

use syndic_ledger::tiles::VERIFIER_KEY;
use syndic_ledger::{Checkpoint, CheckpointError, Growth, GrowthError, NoteError, VerifierKey};

use super::folder::Folder;
use super::trust::Trust;
use crate::{Error, Exit, Result};

/// Reads the checkpoint in the file `path`, which the log of the folder must have signed, and gives what tells whether the log
/// continues it.
///
/// # Errors
/// A file that is no checkpoint, with exit code 2; one that the log did not sign, with exit code 4.
pub fn read(path: &Path, folder: &Folder, trust: &Trust) -> Result<Growth> {
    let note = std::fs::read_to_string(path).map_err(|error| Error::unreadable(path, &error))?;
    let keys = match trust {
        Trust::Itself => vec![published(folder)?],
        Trust::Key(key) => vec![(**key).clone()],
        Trust::Policy(policy) => policy.logs().to_vec(),
    };
    let mut refused = None;
    for key in &keys {
        match Checkpoint::verify(&note, key) {
            Ok(checkpoint) => return Ok(Growth::since(checkpoint)),
            Err(error) => refused = Some(error),
        }
    }
    Err(match refused {
        Some(error) => no_checkpoint(path, &error),
        None => Error::input("ledger.policy-no-log", "the policy trusts no log").place("--policy"),
    })
}

/// The error for a log that does not continue the checkpoint in `path`.
pub fn rewritten(folder: &Folder, path: &Path, error: &GrowthError) -> Error {
    Error::new(Exit::Unverified, error.code(), error.to_string())
        .place(format!("{}, by {}", folder.path().display(), path.display()))
        .help("both heads are signed: together they convict the log; keep the folder and the file, and ask its operator")
}

fn no_checkpoint(path: &Path, error: &CheckpointError) -> Error {
    let exit = match error {
        CheckpointError::Malformed | CheckpointError::Note(NoteError::Malformed) => Exit::Input,
        _ => Exit::Unverified,
    };
    Error::new(exit, error.code(), error.to_string())
        .place(path.display().to_string())
        .help("name a `checkpoint` of this ledger that was kept from an earlier day")
}

/// The key that lies with the ledger.
fn published(folder: &Folder) -> Result<VerifierKey> {
    let file = folder.path().join(VERIFIER_KEY);
    let text = std::fs::read_to_string(&file).map_err(|error| Error::unreadable(&file, &error))?;
    text.trim().parse().map_err(|error: NoteError| {
        Error::new(Exit::Unverified, error.code(), error.to_string()).place(file.display().to_string())
    })
}
