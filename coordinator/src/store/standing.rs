//! The promise that a federation's ledger is in one place, also while it moves to another.

use async_trait::async_trait;

use super::{Log, StoreError};

/// What a log is to its federation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The ledger. A coordinator may run on it.
    InUse,
    /// A copy that is being made.
    Filling,
    /// What the ledger was before it was moved to the place that is named.
    Left(String),
}

/// A log that says what it is, so that nobody goes on with a copy or with what was left.
#[async_trait]
pub trait Movable: Log {
    /// What the log is.
    async fn standing(&self) -> Result<Standing, StoreError>;

    /// Makes it something else; durable when this returns.
    async fn set_standing(&self, standing: &Standing) -> Result<(), StoreError>;

    /// The place, as people know it.
    fn place(&self) -> String;

    /// Refuses a log that no coordinator may run on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Filling`], [`StoreError::Left`].
    async fn require_in_use(&self) -> Result<(), StoreError> {
        match self.standing().await? {
            Standing::InUse => Ok(()),
            Standing::Filling => Err(StoreError::Filling { what: self.place() }),
            Standing::Left(to) => Err(StoreError::Left { what: self.place(), to }),
        }
    }
}

impl Standing {
    /// As stores keep it; nothing stored is [`Standing::InUse`].
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::InUse => IN_USE.into(),
            Self::Filling => FILLING.into(),
            Self::Left(to) => format!("{LEFT}{to}"),
        }
    }

    /// What was kept; none where another version wrote what this one does not know.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        match text {
            IN_USE => Some(Self::InUse),
            FILLING => Some(Self::Filling),
            text => text.strip_prefix(LEFT).map(|to| Self::Left(to.into())),
        }
    }
}

/// Under which name stores keep it.
pub(super) const STANDING: &str = "standing";
const IN_USE: &str = "in-use";
const FILLING: &str = "filling";
const LEFT: &str = "left for ";
