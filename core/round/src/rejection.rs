//! Inputs refused: the sender's fault, and never a change of state.

use thiserror::Error;

use crate::codec::Malformed;
use crate::ids::ParticipantId;
use crate::protection::PlanError;

/// Why one input was refused. A rejection changes nothing and loses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Nobody of that id in the roster.
    #[error("the sender is not in the roster")]
    UnknownSender,
    /// The sender is in the roster but not admitted, or not in this cohort.
    #[error("participant {0} is not in this round's cohort")]
    NotInCohort(ParticipantId),
    /// A signature that does not verify under the roster's key and this round's context.
    #[error("the signature of participant {from} does not verify in this round")]
    BadSignature {
        /// Claimed sender.
        from: ParticipantId,
    },
    /// Bytes that are not what they claim to be.
    #[error("the message is malformed")]
    Malformed,
    /// A second, different message where only one may exist.
    #[error("participant {from} already sent another message of this kind in this preparation")]
    Equivocated {
        /// Sender.
        from: ParticipantId,
    },
    /// The message belongs to a phase that is over.
    #[error("the phase for this message is over")]
    Late,
    /// The message belongs to a phase that has not begun.
    #[error("the phase for this message has not begun")]
    Early,
    /// The message names another plan, question, cohort, round or survivor set than this round's.
    #[error("the message belongs to another {0}")]
    Mismatch(&'static str),
    /// A dealer that too few acknowledged, or too many complained about.
    #[error("participant {0} is not eligible to submit")]
    NotEligible(ParticipantId),
    /// A set smaller than the plan allows.
    #[error("{found} of at least {needed} {what}")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: u16,
        /// How many are needed.
        needed: u16,
    },
    /// Ids that are repeated, unsorted or foreign.
    #[error("the list of {0} is not strictly increasing within the cohort")]
    List(&'static str),
    /// This participant's own message is absent or altered.
    #[error("this participant's own {0} is absent or altered")]
    OwnMessage(&'static str),
    /// Terms that break a rule, or are not those of the accepted job.
    #[error("the plan is refused: {0}")]
    Plan(#[from] PlanError),
    /// Terms that differ from what this participant accepted.
    #[error("the plan's {0} is not what the accepted job says")]
    NotAgreed(&'static str),
    /// The round is over.
    #[error("the round is over")]
    Over,
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownSender => "round.unknown-sender",
            Self::NotInCohort(_) => "round.not-in-cohort",
            Self::BadSignature { .. } => "round.bad-signature",
            Self::Malformed => "round.malformed",
            Self::Equivocated { .. } => "round.equivocated",
            Self::Late => "round.late",
            Self::Early => "round.early",
            Self::Mismatch(_) => "round.mismatch",
            Self::NotEligible(_) => "round.not-eligible",
            Self::TooFew { .. } => "round.too-few",
            Self::List(_) => "round.list",
            Self::OwnMessage(_) => "round.own-message",
            Self::Plan(error) => error.code(),
            Self::NotAgreed(_) => "round.not-agreed",
            Self::Over => "round.over",
        }
    }
}

impl From<Malformed> for Rejection {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
