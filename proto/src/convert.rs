//! Between wire messages and the core's types.

use std::collections::BTreeMap;

use prost::bytes::Bytes;
use syndic_ledger::{Hash, ShownEntry};
use syndic_round::message::Kind;
use syndic_round::participant::Received;
use syndic_round::{Digest, JobId, Place, Rejection, RoundId, Signed};

pub use crate::recorded::{RecordedEntry, RecordedModel};
use crate::v1;

/// A round of a job, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRef {
    /// Job.
    pub job: JobId,
    /// Round and attempt.
    pub id: RoundId,
}

/// Where a message belongs: a round of a job, or a preparation made ahead of any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceRef {
    /// Job.
    pub job: JobId,
    /// Where in it.
    pub place: Place,
}

/// What a participant asks for when it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Entries of the last checkpoint that it kept of the ledger; 0 for none.
    pub ledger_size: u64,
    /// Jobs that it has something of, with the number of the preparation made ahead whose keys it holds; 0 for none.
    pub held: BTreeMap<JobId, u64>,
    /// Whether it takes released models.
    pub models: bool,
}

/// A duty, as it arrives.
pub struct Duty {
    /// Earlier attempts at the same question that are void: (attempt, promises). With [`Owed::Reveal`] only.
    pub voided: Vec<(RoundId, Vec<Signed>)>,
    /// Where in the ledger the survivor set is, the job's end, or the change of a model's stage. With [`Owed::Certify`],
    /// [`Owed::JobOver`] and [`Owed::ModelStaged`] only.
    pub ledger: Option<ShownEntry>,
    /// The round, or the preparation made ahead, that it belongs to.
    pub at: PlaceRef,
    /// The round's plan, or the terms of the preparation, in their canonical encoding; empty where the round or the job
    /// is over.
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
    /// Promise never to reveal in this attempt, whose cohort these advertisements are.
    Void(Vec<Signed>),
    /// The round is over; the reason where there is no sum.
    Over(Option<String>),
    /// The job is over; the reason where it has no outcome.
    JobOver(Option<String>),
    /// The model of the job has another stage: look at what there is.
    ModelStaged,
}

impl TryFrom<Option<v1::RoundRef>> for PlaceRef {
    type Error = Rejection;

    fn try_from(wire: Option<v1::RoundRef>) -> Result<Self, Rejection> {
        let v1::RoundRef { job, round, attempt, preparation } = wire.ok_or(Rejection::Malformed)?;
        let job = JobId::new(&job).ok_or(Rejection::Malformed)?;
        let id = RoundId { round, attempt };
        match preparation {
            0 => Ok(Self { job, place: Place::Round(id) }),
            number if id == Place::AHEAD => Ok(Self { job, place: Place::Ahead(number) }),
            _ => Err(Rejection::Malformed),
        }
    }
}

impl TryFrom<Option<v1::RoundRef>> for RoundRef {
    type Error = Rejection;

    fn try_from(wire: Option<v1::RoundRef>) -> Result<Self, Rejection> {
        match PlaceRef::try_from(wire)? {
            PlaceRef { job, place: Place::Round(id) } => Ok(Self { job, id }),
            PlaceRef { place: Place::Ahead(_), .. } => Err(Rejection::Malformed),
        }
    }
}

impl TryFrom<v1::DutiesRequest> for Asked {
    type Error = Rejection;

    fn try_from(
        v1::DutiesRequest { ledger_size, held: wire, models }: v1::DutiesRequest,
    ) -> Result<Self, Rejection> {
        let mut held = BTreeMap::new();
        if wire.len() > MOST_HELD {
            return Err(Rejection::Malformed);
        }
        for v1::Held { job, preparation } in wire {
            let job = JobId::new(&job).ok_or(Rejection::Malformed)?;
            if held.insert(job, preparation).is_some() {
                return Err(Rejection::Malformed);
            }
        }
        Ok(Self { ledger_size, held, models })
    }
}

impl From<Asked> for v1::DutiesRequest {
    fn from(Asked { ledger_size, held, models }: Asked) -> Self {
        let held = held.into_iter().take(MOST_HELD);
        let held = held.map(|(job, preparation)| v1::Held { job: job.to_string(), preparation }).collect();
        Self { ledger_size, held, models }
    }
}

impl TryFrom<v1::ShownEntry> for ShownEntry {
    type Error = Rejection;

    fn try_from(wire: v1::ShownEntry) -> Result<Self, Rejection> {
        let hash = |bytes: &Bytes| Ok(Hash::from_bytes(digest(bytes)?.0));
        Ok(Self {
            checkpoint: wire.checkpoint,
            older: wire.older,
            older_root: hash(&wire.older_root)?,
            consistency: wire.consistency.iter().map(hash).collect::<Result<_, Rejection>>()?,
            index: wire.index,
            entry: wire.entry.into(),
            inclusion: wire.inclusion.iter().map(hash).collect::<Result<_, Rejection>>()?,
        })
    }
}

impl From<ShownEntry> for v1::ShownEntry {
    fn from(entry: ShownEntry) -> Self {
        let bytes = |hash: &Hash| Bytes::copy_from_slice(hash.as_bytes());
        Self {
            checkpoint: entry.checkpoint,
            older: entry.older,
            older_root: bytes(&entry.older_root),
            consistency: entry.consistency.iter().map(bytes).collect(),
            index: entry.index,
            entry: entry.entry.into(),
            inclusion: entry.inclusion.iter().map(bytes).collect(),
        }
    }
}

impl From<RoundRef> for PlaceRef {
    fn from(RoundRef { job, id }: RoundRef) -> Self {
        Self { job, place: Place::Round(id) }
    }
}

impl From<&RoundRef> for v1::RoundRef {
    fn from(round: &RoundRef) -> Self {
        Self::from(&PlaceRef::from(round.clone()))
    }
}

impl From<&PlaceRef> for v1::RoundRef {
    fn from(PlaceRef { job, place }: &PlaceRef) -> Self {
        let RoundId { round, attempt } = place.round();
        let preparation = match place {
            Place::Round(_) => 0,
            Place::Ahead(number) => *number,
        };
        Self { job: job.to_string(), round, attempt, preparation }
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
            Kind::Void => Some(Self::Void),
            Kind::Decline => Some(Self::Decline),
            Kind::Header => None,
        }
    }
}

impl TryFrom<v1::Duty> for Duty {
    type Error = Rejection;

    fn try_from(wire: v1::Duty) -> Result<Self, Rejection> {
        use v1::duty::Duty as Wire;
        let at = PlaceRef::try_from(wire.round)?;
        let owed = match wire.duty.ok_or(Rejection::Malformed)? {
            Wire::Advertise(v1::Invitation {}) => Owed::Advertise,
            Wire::Deal(list) => Owed::Deal(signed_list(list)?),
            Wire::Acknowledge(shares) => Owed::Acknowledge(received(shares)?),
            Wire::Submit(list) => Owed::Submit(signed_list(list)?),
            Wire::Certify(list) => Owed::Certify(signed_list(list)?),
            Wire::Reveal(list) => Owed::Reveal(signed_list(list)?),
            Wire::Void(list) => Owed::Void(signed_list(list)?),
            Wire::Over(over) => Owed::Over((!over.closed).then_some(over.reason)),
            Wire::ModelStaged(v1::ModelStaged {}) => Owed::ModelStaged,
            Wire::JobOver(over) => Owed::JobOver((!over.completed).then_some(over.reason)),
        };
        let voided = wire.voided.into_iter().map(voided).collect::<Result<_, _>>()?;
        let ledger = wire.ledger.map(ShownEntry::try_from).transpose()?;
        Ok(Self { voided, ledger, at, plan: wire.plan, owed })
    }
}

impl From<Duty> for v1::Duty {
    fn from(Duty { voided, ledger, at, plan, owed }: Duty) -> Self {
        use v1::duty::Duty as Wire;
        let duty = match owed {
            Owed::Advertise => Wire::Advertise(v1::Invitation {}),
            Owed::Deal(adverts) => Wire::Deal(to_list(&adverts)),
            Owed::Acknowledge(shares) => Wire::Acknowledge(to_shares(shares)),
            Owed::Submit(acks) => Wire::Submit(to_list(&acks)),
            Owed::Certify(headers) => Wire::Certify(to_list(&headers)),
            Owed::Reveal(signatures) => Wire::Reveal(to_list(&signatures)),
            Owed::Void(adverts) => Wire::Void(to_list(&adverts)),
            Owed::ModelStaged => Wire::ModelStaged(v1::ModelStaged {}),
            Owed::Over(reason) => {
                Wire::Over(v1::Over { closed: reason.is_none(), reason: reason.unwrap_or_default() })
            }
            Owed::JobOver(reason) => {
                Wire::JobOver(v1::JobOver { completed: reason.is_none(), reason: reason.unwrap_or_default() })
            }
        };
        let voided = voided.iter().map(to_voided).collect();
        let ledger = ledger.map(Into::into);
        Self { round: Some((&at).into()), plan, voided, ledger, duty: Some(duty) }
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

fn voided(wire: v1::VoidedAttempt) -> Result<(RoundId, Vec<Signed>), Rejection> {
    let id = RoundId { round: wire.round, attempt: wire.attempt };
    Ok((id, signed_list(v1::SignedList { signed: wire.signed })?))
}

fn to_voided((id, promises): &(RoundId, Vec<Signed>)) -> v1::VoidedAttempt {
    v1::VoidedAttempt { round: id.round, attempt: id.attempt, signed: to_list(promises).signed }
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

/// Jobs that a participant has something of at a time, at most.
const MOST_HELD: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> PlaceRef {
        PlaceRef { job: JobId::new("small").unwrap(), place: Place::Round(RoundId { round: 3, attempt: 2 }) }
    }

    fn signed(number: u16) -> Signed {
        let from = syndic_round::ParticipantId::new(number).unwrap();
        Signed { from, payload: vec![number as u8; 5], signature: [number as u8; 64] }
    }

    /// The duty as it arrives, through the bytes that travel.
    fn arrived(owed: Owed) -> Owed {
        use prost::Message;
        let void = || vec![(RoundId { round: 3, attempt: 1 }, vec![signed(2), signed(4)])];
        let hashes = |count: u8| (0..count).map(|number| Hash::from_bytes([number; 32])).collect();
        let shown = || ShownEntry {
            checkpoint: "signed".into(),
            older: 3,
            older_root: Hash::of(&[b"older"]),
            consistency: hashes(4),
            index: 7,
            entry: b"entry".to_vec(),
            inclusion: hashes(2),
        };
        let (voided, ledger, plan) = (void(), Some(shown()), Bytes::from_static(b"plan"));
        let duty = Duty { voided, ledger, at: at(), plan, owed };
        let wire = v1::Duty::decode(v1::Duty::from(duty).encode_to_vec().as_slice()).unwrap();
        let Duty { voided, ledger, at: same, plan, owed } = Duty::try_from(wire).unwrap();
        assert_eq!(ledger, Some(shown()));
        assert_eq!((voided, same, plan.as_ref()), (void(), at(), &b"plan"[..]));
        owed
    }

    #[test]
    fn every_duty_arrives_as_it_was_sent() {
        let list = || vec![signed(1), signed(2)];
        assert!(matches!(arrived(Owed::Advertise), Owed::Advertise));
        assert!(matches!(arrived(Owed::Deal(list())), Owed::Deal(same) if same == list()));
        assert!(matches!(arrived(Owed::Submit(list())), Owed::Submit(same) if same == list()));
        assert!(matches!(arrived(Owed::Certify(list())), Owed::Certify(same) if same == list()));
        assert!(matches!(arrived(Owed::Reveal(list())), Owed::Reveal(same) if same == list()));
        assert!(matches!(arrived(Owed::Void(list())), Owed::Void(same) if same == list()));
        let share = Received { public: signed(1), sealed: vec![9; 3] };
        let Owed::Acknowledge(shares) = arrived(Owed::Acknowledge(vec![share])) else { panic!("no shares") };
        let [Received { public, sealed }] = shares.as_slice() else { panic!("{} shares", shares.len()) };
        assert_eq!((public, sealed), (&signed(1), &vec![9; 3]));
        assert!(matches!(arrived(Owed::ModelStaged), Owed::ModelStaged));
        for reason in [None, Some("too few".to_owned())] {
            assert!(matches!(arrived(Owed::Over(reason.clone())), Owed::Over(same) if same == reason));
            assert!(matches!(arrived(Owed::JobOver(reason.clone())), Owed::JobOver(same) if same == reason));
        }
    }

    #[test]
    fn a_duty_that_is_not_whole_is_malformed() {
        let owed = Owed::Deal(vec![signed(1)]);
        let good =
            v1::Duty::from(Duty { voided: Vec::new(), ledger: None, at: at(), plan: Bytes::new(), owed });
        assert!(Duty::try_from(good.clone()).is_ok());
        let torn = v1::SignedList { signed: vec![Bytes::from_static(b"torn")] };
        let bad = [
            v1::Duty { round: None, ..good.clone() },
            v1::Duty { duty: None, ..good.clone() },
            v1::Duty {
                round: Some(v1::RoundRef { job: "No Job".into(), round: 1, attempt: 1, preparation: 0 }),
                ..good.clone()
            },
            v1::Duty {
                round: Some(v1::RoundRef { job: "small".into(), round: 1, attempt: 1, preparation: 7 }),
                ..good.clone()
            },
            v1::Duty {
                voided: vec![v1::VoidedAttempt { round: 1, attempt: 1, signed: torn.signed.clone() }],
                ..good.clone()
            },
            v1::Duty {
                ledger: Some(v1::ShownEntry {
                    older_root: Bytes::from_static(&[7; 32]),
                    inclusion: vec![Bytes::from_static(b"short")],
                    ..Default::default()
                }),
                ..good.clone()
            },
            v1::Duty { duty: Some(v1::duty::Duty::Deal(torn)), ..good },
        ];
        for duty in bad {
            assert_eq!(Duty::try_from(duty).err(), Some(Rejection::Malformed));
        }
    }

    #[test]
    fn a_preparation_made_ahead_is_no_round() {
        let ahead = PlaceRef { place: Place::Ahead(7), ..at() };
        let wire = v1::RoundRef::from(&ahead);
        assert_eq!(PlaceRef::try_from(Some(wire.clone())), Ok(ahead));
        assert_eq!(RoundRef::try_from(Some(wire)), Err(Rejection::Malformed));
    }

    #[test]
    fn what_a_participant_holds_arrives_as_it_was_said_and_each_job_once() {
        let job = |name: &str| JobId::new(name).unwrap();
        let held = BTreeMap::from([(job("a"), 3), (job("b"), 0)]);
        let asked = Asked { ledger_size: 9, held, models: true };
        let wire = v1::DutiesRequest::from(asked.clone());
        assert_eq!(Asked::try_from(wire.clone()), Ok(asked));
        let held = |name: &str| v1::Held { job: name.into(), preparation: 1 };
        let many = (0..=MOST_HELD).map(|number| held(&format!("job-{number}"))).collect();
        for held in [vec![held("a"), held("a")], vec![held("No Job")], many] {
            let wire = v1::DutiesRequest { held, ..wire.clone() };
            assert_eq!(Asked::try_from(wire), Err(Rejection::Malformed));
        }
    }

    #[test]
    fn a_digest_has_exactly_32_bytes() {
        assert_eq!(digest(&[7; 32]), Ok(Digest([7; 32])));
        for length in [0, 31, 33] {
            assert_eq!(digest(&vec![7; length]), Err(Rejection::Malformed));
        }
    }
}
