//! The ledger's history as it will be once a batch is durable, so that a refused batch leaves nothing behind.

use syndic_ledger::{Accepted, Fault, History};

use super::CoordinatorError;

/// A history with entries ahead of the log.
pub(super) enum Ahead<'a> {
    /// One entry, checked against the history as it is.
    One(&'a History, Option<Box<Accepted>>),
    /// Several, which follow each other: on a copy.
    Several(Box<History>),
}

/// What is to be done to the history once the batch is durable.
pub(super) enum Settled {
    /// Take in the checked entry.
    One(Option<Box<Accepted>>),
    /// Become the copy.
    Several(Box<History>),
}

impl<'a> Ahead<'a> {
    /// Nothing is ahead yet, and `entries` will be.
    pub(super) fn of(history: &'a History, entries: usize) -> Self {
        if entries == 1 { Self::One(history, None) } else { Self::Several(Box::new(history.clone())) }
    }

    /// The history that the next entry is linked to.
    pub(super) fn history(&self) -> &History {
        match self {
            Self::One(history, _) => history,
            Self::Several(history) => history,
        }
    }

    /// Checks the next entry.
    pub(super) fn accept(&mut self, bytes: &[u8]) -> Result<(), CoordinatorError> {
        match self {
            Self::One(history, accepted) => {
                *accepted = Some(Box::new(history.check(bytes).map_err(forbidden)?))
            }
            Self::Several(history) => {
                history.accept(bytes).map_err(forbidden)?;
            }
        }
        Ok(())
    }

    /// No further entry follows in this batch.
    pub(super) fn settle(self) -> Settled {
        match self {
            Self::One(_, accepted) => Settled::One(accepted),
            Self::Several(history) => Settled::Several(history),
        }
    }
}

impl Settled {
    /// Lets the batch count.
    pub(super) fn commit(self, history: &mut History) -> Result<(), CoordinatorError> {
        match self {
            Self::One(accepted) => accepted.map_or(Ok(()), |accepted| history.record(&accepted)),
            Self::Several(ahead) => {
                *history = *ahead;
                Ok(())
            }
        }
        .map_err(forbidden)
    }
}

fn forbidden(fault: Fault) -> CoordinatorError {
    CoordinatorError::Ledger(fault.to_string())
}
