//! What a dishonest participant does, with an honest coordinator.

use ed25519_dalek::SigningKey;
use syndic_round::message::{Ack, Advertise, Certify, Context, Header, Kind, Payload, Reveal};
use syndic_round::{Carrier, Digest, ParticipantId, RoundPlan, Signed};

use crate::shift;

/// One way to be dishonest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Deals shares that are not those committed to, to the first so many others.
    BadShares {
        /// How many holders get one.
        holders: u16,
    },
    /// Complains of good shares of this dealer.
    FalseComplaint {
        /// The dealer.
        of: u16,
    },
    /// Reveals something else than the sum of its shares.
    WrongReveal,
    /// Reveals of shared vectors what shifts their last sum by one step, unnoticed by the canaries, if the whole cohort but
    /// this one reveals and those are exactly t (attack A38). Otherwise as [`Self::WrongReveal`].
    ShiftedReveal {
        /// Who will not reveal; nobody where it is 0.
        without: u16,
    },
    /// Encrypts with another key than it shared, or submits another sharing than it dealt.
    KeyMismatch,
    /// Signs two different messages of this kind, and sends both.
    Equivocates(Kind),
    /// Says nothing from this message on.
    Silent {
        /// The first message that is not said.
        from: Kind,
    },
}

impl Misbehaviour {
    pub(crate) fn spoiled_shares(ways: &[Self]) -> usize {
        let spoiled =
            |way: &Self| if let Self::BadShares { holders } = way { usize::from(*holders) } else { 0 };
        ways.iter().map(spoiled).max().unwrap_or(0)
    }

    pub(crate) fn complains_of(ways: &[Self], dealer: ParticipantId) -> bool {
        ways.contains(&Self::FalseComplaint { of: dealer.get() })
    }

    /// Whether what it reveals is never the sum of its shares.
    pub(crate) fn reveals_wrongly(ways: &[Self]) -> bool {
        ways.iter().any(|way| matches!(way, Self::WrongReveal | Self::ShiftedReveal { .. }))
    }

    /// Makes of the sum of its shares what `me` reveals among `cohort`.
    pub(crate) fn falsify(
        ways: &[Self],
        sum: &mut [u8],
        plan: &RoundPlan,
        cohort: &[ParticipantId],
        me: ParticipantId,
    ) {
        for way in ways {
            match way {
                Self::ShiftedReveal { without } if plan.carrier == Carrier::Shares => {
                    let revealers = cohort.iter().copied().filter(|id| id.get() != *without || *id == me);
                    shift::shift(sum, plan, &revealers.collect::<Vec<_>>(), me);
                }
                Self::WrongReveal | Self::ShiftedReveal { .. } => sum[0] ^= 1,
                _ => {}
            }
        }
    }

    pub(crate) fn is_silent(ways: &[Self], kind: Kind) -> bool {
        ways.iter().any(|way| matches!(way, Self::Silent { from } if *from <= kind))
    }

    /// The second message of an equivocator beside its first.
    pub(crate) fn other(
        ways: &[Self],
        kind: Kind,
        said: &Signed,
        to: Context,
        key: &SigningKey,
    ) -> Option<Signed> {
        if !ways.contains(&Self::Equivocates(kind)) {
            return None;
        }
        let other = Digest::of(&said.payload);
        Some(match kind {
            Kind::Advertise => {
                Advertise { nonce: other.0, ..Advertise::decode(&said.payload).ok()? }.sign(to, key)
            }
            Kind::Ack => {
                let mut ack = Ack::decode(&said.payload).ok()?;
                ack.verdicts.iter_mut().for_each(|verdict| verdict.ok = !verdict.ok);
                ack.sign(to, key)
            }
            Kind::Header => Header { root: other, ..Header::decode(&said.payload).ok()? }.sign(to, key),
            Kind::Certify => {
                Certify { survivors: other, ..Certify::decode(&said.payload).ok()? }.sign(to, key)
            }
            Kind::Reveal => {
                let mut reveal = Reveal::decode(&said.payload).ok()?;
                *reveal.share_sum.first_mut()? ^= 1;
                reveal.sign(to, key)
            }
            Kind::Dealing | Kind::Void | Kind::Decline => return None,
        })
    }
}
