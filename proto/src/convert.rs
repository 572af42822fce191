//! Between wire messages and the core's types.

use prost::bytes::Bytes;
use syndic_round::message::Kind;
use syndic_round::participant::Received;
use syndic_round::{Digest, JobId, Rejection, RoundId, Signed};

use crate::v1;

/// A round of a job, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRef {
    /// Job.
    pub job: JobId,
    /// Round and attempt.
    pub id: RoundId,
}

/// A duty, as it arrives.
pub struct Duty {
    /// The round that it belongs to.
    pub round: RoundRef,
    /// The round's plan in its canonical encoding; empty where the round or the job is over.
    pub plan: Bytes,
    /// What is owed.
    pub owed: Owed,
}

/// What a participant owes.
pub enum Owed {
    /// Advertise a one-time key.
    Advertise,
    /// Share the key with the cohort of these advertisements.
    Deal(Vec<Signed>),
    /// Check and acknowledge these shares.
    Acknowledge(Vec<Received>),
    /// Submit, by these acknowledgements.
    Submit(Vec<Signed>),
    /// Sign the survivor set of these headers.
    Certify(Vec<Signed>),
    /// Reveal, by these signatures.
    Reveal(Vec<Signed>),
    /// The round is over; the reason where there is no sum.
    Over(Option<String>),
    /// The job is over; the reason where it has no outcome.
    JobOver(Option<String>),
}

impl TryFrom<Option<v1::RoundRef>> for RoundRef {
    type Error = Rejection;

    fn try_from(wire: Option<v1::RoundRef>) -> Result<Self, Rejection> {
        let wire = wire.ok_or(Rejection::Malformed)?;
        let job = JobId::new(&wire.job).ok_or(Rejection::Malformed)?;
        Ok(Self { job, id: RoundId { round: wire.round, attempt: wire.attempt } })
    }
}

impl From<&RoundRef> for v1::RoundRef {
    fn from(round: &RoundRef) -> Self {
        Self { job: round.job.to_string(), round: round.id.round, attempt: round.id.attempt }
    }
}

impl v1::Kind {
    /// The wire's name of a signed message; none for an upload header, which travels with its upload.
    pub fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Advertise => Some(Self::Advertise),
            Kind::Dealing => Some(Self::Dealing),
            Kind::Ack => Some(Self::Ack),
            Kind::Certify => Some(Self::Certify),
            Kind::Reveal => Some(Self::Reveal),
            Kind::Decline => Some(Self::Decline),
            Kind::Header => None,
        }
    }
}

impl TryFrom<v1::Duty> for Duty {
    type Error = Rejection;

    fn try_from(wire: v1::Duty) -> Result<Self, Rejection> {
        use v1::duty::Duty as Wire;
        let round = RoundRef::try_from(wire.round)?;
        let owed = match wire.duty.ok_or(Rejection::Malformed)? {
            Wire::Advertise(v1::Invitation {}) => Owed::Advertise,
            Wire::Deal(list) => Owed::Deal(signed_list(list)?),
            Wire::Acknowledge(shares) => Owed::Acknowledge(received(shares)?),
            Wire::Submit(list) => Owed::Submit(signed_list(list)?),
            Wire::Certify(list) => Owed::Certify(signed_list(list)?),
            Wire::Reveal(list) => Owed::Reveal(signed_list(list)?),
            Wire::Over(over) => Owed::Over((!over.closed).then_some(over.reason)),
            Wire::JobOver(over) => Owed::JobOver((!over.completed).then_some(over.reason)),
        };
        Ok(Self { round, plan: wire.plan, owed })
    }
}

impl From<Duty> for v1::Duty {
    fn from(Duty { round, plan, owed }: Duty) -> Self {
        use v1::duty::Duty as Wire;
        let duty = match owed {
            Owed::Advertise => Wire::Advertise(v1::Invitation {}),
            Owed::Deal(adverts) => Wire::Deal(to_list(&adverts)),
            Owed::Acknowledge(shares) => Wire::Acknowledge(to_shares(shares)),
            Owed::Submit(acks) => Wire::Submit(to_list(&acks)),
            Owed::Certify(headers) => Wire::Certify(to_list(&headers)),
            Owed::Reveal(signatures) => Wire::Reveal(to_list(&signatures)),
            Owed::Over(reason) => {
                Wire::Over(v1::Over { closed: reason.is_none(), reason: reason.unwrap_or_default() })
            }
            Owed::JobOver(reason) => {
                Wire::JobOver(v1::JobOver { completed: reason.is_none(), reason: reason.unwrap_or_default() })
            }
        };
        Self { round: Some((&round).into()), plan, duty: Some(duty) }
    }
}

/// A digest of exactly 32 bytes.
///
/// # Errors
/// [`Rejection::Malformed`].
pub fn digest(bytes: &[u8]) -> Result<Digest, Rejection> {
    bytes.try_into().map(Digest).map_err(|_| Rejection::Malformed)
}

fn signed_list(list: v1::SignedList) -> Result<Vec<Signed>, Rejection> {
    list.signed.iter().map(|bytes| Ok(Signed::from_bytes(bytes)?)).collect()
}

fn to_list(signed: &[Signed]) -> v1::SignedList {
    v1::SignedList { signed: signed.iter().map(|message| message.to_bytes().into()).collect() }
}

fn received(shares: v1::Shares) -> Result<Vec<Received>, Rejection> {
    let one = |share: v1::ReceivedShare| {
        Ok(Received { public: Signed::from_bytes(&share.public)?, sealed: share.sealed.into() })
    };
    shares.shares.into_iter().map(one).collect()
}

fn to_shares(shares: Vec<Received>) -> v1::Shares {
    let one = |share: Received| v1::ReceivedShare {
        public: share.public.to_bytes().into(),
        sealed: share.sealed.into(),
    };
    v1::Shares { shares: shares.into_iter().map(one).collect() }
}
