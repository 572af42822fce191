//! Who has the folder of a run: the run itself, until it is finished or a signal takes the folder away.

use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::RunFolder;
use crate::{Error, Result};

/// The folder of one run, shared by the run and by whoever may end it early.
///
/// Each step happens wholly before or wholly after the folder is taken away; no run is half finished by a signal.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Unclaimed,
    Held(RunFolder),
    Finished,
    Revoked,
}

/// What was there to be taken away.
#[derive(Debug)]
pub(super) enum Revoked {
    /// Nothing: the run is complete, and so is its folder.
    Finished,
    /// The folder, where the run already had one. Dropping it removes everything that the run has made.
    Unfinished(Option<RunFolder>),
}

impl Claim {
    /// Takes the folder `out` for the run.
    ///
    /// # Errors
    /// As [`RunFolder::take`], and when the run was interrupted.
    pub(super) fn take(&self, out: &Path) -> Result<()> {
        let mut state = self.state();
        if matches!(*state, State::Revoked) {
            return Err(interrupted());
        }
        *state = State::Held(RunFolder::take(out)?);
        Ok(())
    }

    /// Does something with the folder.
    ///
    /// # Errors
    /// What `work` says, and when the run was interrupted.
    pub(super) fn with<T>(&self, work: impl FnOnce(&RunFolder) -> Result<T>) -> Result<T> {
        match &*self.state() {
            State::Held(folder) => work(folder),
            _ => Err(interrupted()),
        }
    }

    /// Puts everything in place, as [`RunFolder::finish`].
    ///
    /// # Errors
    /// When a file cannot be moved, or the run was interrupted.
    pub(super) fn finish(&self, last: &str) -> Result<()> {
        let mut state = self.state();
        let State::Held(folder) = mem::replace(&mut *state, State::Revoked) else {
            return Err(interrupted());
        };
        folder.finish(last)?;
        *state = State::Finished;
        Ok(())
    }

    /// Takes the folder away from the run, for good.
    pub(super) fn revoke(&self) -> Revoked {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Revoked) {
            State::Finished => Revoked::Finished,
            State::Held(folder) => Revoked::Unfinished(Some(folder)),
            State::Unclaimed | State::Revoked => Revoked::Unfinished(None),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic changes nothing here: every state is one that can be gone on from.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person is told who interrupts a run.
pub(super) fn interrupted() -> Error {
    Error::abandoned("run.interrupted", "the run was interrupted")
        .help("run it again; nothing of it was kept")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::folder::REPORT;

    #[test]
    fn a_run_that_lost_its_folder_can_neither_write_nor_finish_nor_begin_again() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        let claim = Claim::default();
        claim.take(&out).unwrap();
        assert!(matches!(claim.revoke(), Revoked::Unfinished(Some(_))));
        let refused = [
            claim.take(&out).unwrap_err(),
            claim.with(|folder| folder.write(REPORT, b"late")).unwrap_err(),
            claim.finish(REPORT).unwrap_err(),
        ];
        assert!(refused.iter().all(|error| (error.code(), error.exit()) == ("run.interrupted", 1)));
        assert!(!out.exists());
    }

    #[test]
    fn a_finished_run_cannot_be_taken_away() {
        let parent = tempfile::tempdir().unwrap();
        let claim = Claim::default();
        claim.take(parent.path()).unwrap();
        claim.with(|folder| folder.write(REPORT, b"done")).unwrap();
        claim.finish(REPORT).unwrap();
        assert!(matches!(claim.revoke(), Revoked::Finished));
        assert!(parent.path().join(REPORT).exists());
    }
}
