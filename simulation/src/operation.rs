//! What happened in a run, one readable line each.

use std::fmt;

use syndic_round::message::Kind;
use syndic_round::{ParticipantId, RoundId};

use crate::scenario::Moment;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The coordinator opened a round.
    Opened(RoundId),
    /// A participant sent a message, and what the network did to it.
    Sent {
        /// Sender.
        from: ParticipantId,
        /// What.
        kind: Kind,
        /// Of which round.
        round: RoundId,
        /// Whether it was written down before and sent again.
        again: bool,
        /// What the network did: `lost`, `arrives`, `arrives twice`, `cut off`.
        fate: &'static str,
    },
    /// The coordinator heard a message.
    Heard {
        /// Sender.
        from: ParticipantId,
        /// What.
        kind: Kind,
        /// Of which round.
        round: RoundId,
        /// `accepted`, `known already`, or the code of the rejection; `not answered` and `accepted, not answered`
        /// where the coordinator crashed before or after it appended.
        outcome: &'static str,
    },
    /// A participant declined a round.
    Declined {
        /// Who.
        participant: ParticipantId,
        /// Which.
        round: RoundId,
        /// The code that it gave.
        code: &'static str,
    },
    /// Participants are cut off from the coordinator.
    CutOff {
        /// Who.
        participants: Vec<u16>,
        /// For how many milliseconds.
        lasts: u64,
    },
    /// The coordinator's clock jumps.
    ClockJumped {
        /// By how many milliseconds.
        by: i64,
    },
    /// The coordinator met a damaged blob, and stopped.
    BlobDamaged,
    /// The damaged blob was mended.
    BlobMended,
    /// A phase met its deadline.
    Woke(RoundId),
    /// A participant crashed as it was about to say something.
    ParticipantCrashed {
        /// Who.
        participant: ParticipantId,
        /// What it was about to say.
        kind: Kind,
        /// Before or after it wrote that down.
        moment: Moment,
    },
    /// A participant is back.
    ParticipantBack(ParticipantId),
    /// The coordinator crashed at the append of an entry.
    CoordinatorCrashed {
        /// Index of the entry.
        entry: u64,
        /// Before or after the entry was written.
        moment: Moment,
    },
    /// The coordinator is back with what its ledger holds.
    CoordinatorBack {
        /// Entries in the ledger.
        entries: u64,
    },
    /// A round ended.
    Ended {
        /// Which.
        round: RoundId,
        /// How.
        outcome: String,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(round) => write!(f, "coordinator opens round {round}"),
            Self::Sent { from, kind, round, again, fate } => {
                let again = if *again { " again" } else { "" };
                write!(f, "participant {from} sends {} of round {round}{again}: {fate}", kind.name())
            }
            Self::Heard { from, kind, round, outcome } => {
                write!(f, "coordinator hears {} of round {round} from {from}: {outcome}", kind.name())
            }
            Self::Declined { participant, round, code } => {
                write!(f, "participant {participant} declines round {round}: {code}")
            }
            Self::CutOff { participants, lasts } => write!(f, "{participants:?} are cut off for {lasts} ms"),
            Self::ClockJumped { by } => write!(f, "the coordinator's clock jumps by {by} ms"),
            Self::BlobDamaged => write!(f, "coordinator reads a damaged blob, and stops"),
            Self::BlobMended => write!(f, "the damaged blob is mended"),
            Self::Woke(round) => write!(f, "coordinator meets a deadline of round {round}"),
            Self::ParticipantCrashed { participant, kind, moment } => {
                write!(f, "participant {participant} crashes {} writing {}", words(*moment), kind.name())
            }
            Self::ParticipantBack(participant) => write!(f, "participant {participant} is back"),
            Self::CoordinatorCrashed { entry, moment } => {
                write!(f, "coordinator crashes {} appending entry {entry}", words(*moment))
            }
            Self::CoordinatorBack { entries } => write!(f, "coordinator replays {entries} entries"),
            Self::Ended { round, outcome } => write!(f, "round {round} ends: {outcome}"),
        }
    }
}

fn words(moment: Moment) -> &'static str {
    match moment {
        Moment::Before => "before",
        Moment::After => "after",
    }
}
