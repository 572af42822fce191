//! The first entry that does not follow from those before it, and why it does not.

use syndic_round::{PlanError, Rejection};
use thiserror::Error;

use crate::fact::UnreadableFact;
use crate::registry::RegistryError;

/// The first entry that does not follow from those before it.
#[derive(Debug, Error)]
pub enum AuditError {
    /// It is none that this version writes.
    #[error(transparent)]
    Unreadable(#[from] UnreadableFact),
    /// A round or preparation took what it must refuse: a forged signature, for instance.
    #[error("entry {index} must have been refused: {rejection}")]
    Rejected {
        /// Its place in the log.
        index: u64,
        /// Why.
        rejection: Rejection,
    },
    /// A plan or terms that break a rule.
    #[error("entry {index} opens what breaks a rule: {error}")]
    Plan {
        /// Its place in the log.
        index: u64,
        /// The rule.
        error: PlanError,
    },
    /// It says something else than follows.
    #[error("entry {index} says something else of {what} than follows from the entries before it")]
    Differs {
        /// Its place in the log.
        index: u64,
        /// Of what.
        what: &'static str,
    },
    /// A change of a model's stage that no approver approved, or that may not be.
    #[error("entry {index} changes the stage of a model and must have been refused: {error}")]
    Stage {
        /// Its place in the log.
        index: u64,
        /// Why.
        error: RegistryError,
    },
    /// The sum cannot be opened from what was revealed.
    #[error("entry {index} closes a round whose reveals open nothing: {reason}")]
    Unopened {
        /// Its place in the log.
        index: u64,
        /// Why.
        reason: String,
    },
}

impl AuditError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "audit.unreadable",
            Self::Rejected { .. } => "audit.rejected",
            Self::Plan { .. } => "audit.plan",
            Self::Differs { .. } => "audit.differs",
            Self::Stage { .. } => "audit.model-stage",
            Self::Unopened { .. } => "audit.unopened",
        }
    }

    /// The place of the entry in the log.
    pub fn entry(&self) -> u64 {
        match self {
            Self::Unreadable(UnreadableFact { index, .. })
            | Self::Rejected { index, .. }
            | Self::Plan { index, .. }
            | Self::Differs { index, .. }
            | Self::Stage { index, .. }
            | Self::Unopened { index, .. } => *index,
        }
    }
}

pub(super) fn holds(index: u64, what: &'static str, is_so: bool) -> Result<(), AuditError> {
    if is_so { Ok(()) } else { Err(AuditError::Differs { index, what }) }
}
