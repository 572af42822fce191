//! What happened in a run, one readable line each.

use std::fmt;

use syndic_round::message::Kind;
use syndic_round::{ParticipantId, Place, RoundId};

use crate::scenario::Moment;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The coordinator opened a round.
    Opened {
        /// Which.
        round: RoundId,
        /// Whether with a preparation that was made ahead.
        prepared: bool,
        /// Whether its vectors are shared themselves.
        shared: bool,
    },
    /// The coordinator began a preparation ahead of the next round.
    Prepares(u64),
    /// A participant sent a message, and what the network did to it.
    Sent {
        /// Sender.
        from: ParticipantId,
        /// What.
        kind: Kind,
        /// Of which round, or preparation made ahead.
        place: Place,
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
        /// Of which round, or preparation made ahead.
        place: Place,
        /// `accepted`, `known already`, or the code of the rejection; `not answered` and `accepted, not answered`
        /// where the coordinator crashed before or after it appended.
        outcome: &'static str,
    },
    /// A participant declined a round, or a preparation made ahead.
    Declined {
        /// Who.
        participant: ParticipantId,
        /// Which.
        place: Place,
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
    Woke(Place),
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
            Self::Opened { round, prepared, shared } => {
                let prepared = if *prepared { " with a preparation made ahead" } else { "" };
                let shared = if *shared { ", whose vectors are shared themselves" } else { "" };
                write!(f, "coordinator opens round {round}{prepared}{shared}")
            }
            Self::Prepares(number) => write!(f, "coordinator begins preparation {number} ahead"),
            Self::Sent { from, kind, place, again, fate } => {
                let (again, place) = (if *again { " again" } else { "" }, named(*place));
                write!(f, "participant {from} sends {} of {place}{again}: {fate}", kind.name())
            }
            Self::Heard { from, kind, place, outcome } => {
                let (kind, place) = (kind.name(), named(*place));
                write!(f, "coordinator hears {kind} of {place} from {from}: {outcome}")
            }
            Self::Declined { participant, place, code } => {
                write!(f, "participant {participant} declines {}: {code}", named(*place))
            }
            Self::CutOff { participants, lasts } => write!(f, "{participants:?} are cut off for {lasts} ms"),
            Self::ClockJumped { by } => write!(f, "the coordinator's clock jumps by {by} ms"),
            Self::BlobDamaged => write!(f, "coordinator reads a damaged blob, and stops"),
            Self::BlobMended => write!(f, "the damaged blob is mended"),
            Self::Woke(place) => write!(f, "coordinator meets a deadline of {}", named(*place)),
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

fn named(place: Place) -> String {
    match place {
        Place::Round(round) => format!("round {round}"),
        Place::Ahead(number) => format!("preparation {number}"),
    }
}

fn words(moment: Moment) -> &'static str {
    match moment {
        Moment::Before => "before",
        Moment::After => "after",
    }
}
