//! What happens to a round, and what it asks of participants.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Bundle, Dealt};
use crate::cohort::Cohort;
use crate::digest::Digest;
use crate::ids::ParticipantId;
use crate::message::{Kind, Signed};
use crate::survivors::{Certificate, SurvivorSet};

/// Something that happened to a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Phase A.
    Advertise(Signed),
    /// Phase B: the public part, and the sealed shares in one stored blob.
    Deal(Signed, Bundle),
    /// Phase C.
    Acknowledge(Signed),
    /// Phase D: the header of an upload that is complete and stored.
    Submit(Signed, Upload),
    /// Phase E.
    Certify(Signed),
    /// Phase F.
    Reveal(Signed),
    /// Phase F: a promise never to reveal in this attempt.
    Void(Signed),
    /// A participant's no.
    Decline(Signed),
    /// The instant of [`super::Round::wake_at`] has come.
    Wake,
    /// The coordinator is back after a stop: nobody could reach it, so the phase begins anew.
    Resume,
    /// The sum was opened and stored.
    Opened(Opened),
    /// The reveals so far open nothing, and one more may tell which of them is wrong: why.
    MoreReveals(String),
    /// The sum could not be opened, or failed its checks.
    SumRefused(String),
    /// The job was stopped in the midst of the round: why, as whoever stopped it says.
    Stop(String),
}

/// An upload as it was received: complete, stored, and measured while it streamed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Merkle root over the chunks received.
    pub root: Digest,
    /// Chunks received.
    pub chunks: u32,
    /// The stored blob.
    pub blob: Digest,
    /// Its length.
    pub bytes: u64,
}

/// An opened sum, stored before it counts, with all that the spot check needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The blob of the sum.
    pub sum: Digest,
    /// What else there is of a sum that was opened in the ring.
    pub ring: Option<RingOpened>,
    /// The blob of the [`crate::Transcript`].
    pub transcript: Digest,
    /// Whose reveals were wrong, and were corrected.
    pub wrong_reveals: Vec<ParticipantId>,
    /// Whether a single wrong reveal would have been noticed. Always so in the ring, where it turns everything into noise;
    /// of shared vectors it takes one reveal more than the threshold (attack A38).
    pub checked: bool,
}

/// What is published of a sum that was opened in the ring, and lets anybody compute it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingOpened {
    /// The blob of S, the sum of the survivors' keys.
    pub key_sum: Digest,
    /// The blob of the aggregate.
    pub aggregate: Digest,
    /// Merkle root over the aggregate's chunks.
    pub aggregate_root: Digest,
}

/// What a participant owes the round now.
#[derive(Clone, Debug)]
pub enum Duty {
    /// Advertise a one-time key.
    Advertise,
    /// Share its key with this cohort.
    Deal(Arc<Cohort>),
    /// Check the shares of these dealers (public part, blob of sealed shares) and acknowledge.
    Acknowledge(Arc<Cohort>, Vec<Dealt>),
    /// Submit its update, by these acknowledgements.
    Submit(Vec<Signed>),
    /// Sign this survivor set.
    Certify(Arc<SurvivorSet>),
    /// Reveal its sum of shares for this certificate.
    Reveal(Arc<Certificate>),
    /// Promise never to reveal in this attempt.
    Void(Arc<Cohort>),
}

impl Upload {
    /// Of an update that was shared itself, so that nothing travels behind its header: `root` is the digest of its dealer's
    /// public part.
    pub fn of_shares(root: Digest) -> Self {
        Self { root, chunks: 0, blob: Digest::of(&[]), bytes: 0 }
    }
}

impl Input {
    /// The signed message in it, if it is a participant's.
    pub fn message(&self) -> Option<(Kind, &Signed)> {
        match self {
            Self::Advertise(signed) => Some((Kind::Advertise, signed)),
            Self::Deal(signed, _) => Some((Kind::Dealing, signed)),
            Self::Acknowledge(signed) => Some((Kind::Ack, signed)),
            Self::Submit(signed, _) => Some((Kind::Header, signed)),
            Self::Certify(signed) => Some((Kind::Certify, signed)),
            Self::Reveal(signed) => Some((Kind::Reveal, signed)),
            Self::Void(signed) => Some((Kind::Void, signed)),
            Self::Decline(signed) => Some((Kind::Decline, signed)),
            Self::Wake | Self::Resume | Self::Opened(_) | Self::MoreReveals(_) => None,
            Self::SumRefused(_) | Self::Stop(_) => None,
        }
    }
}
