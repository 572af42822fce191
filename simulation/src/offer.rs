//! What the coordinator and a participant say to each other: what is owed, and what is said for it.

use syndic_round::message::Kind;
use syndic_round::{ParticipantId, Place, PreparationTerms, RoundId, RoundPlan, Signed};

/// What the coordinator answers to "what do I owe?", of one place.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) shown: Shown,
    pub(crate) owed: Owed,
}

/// Where something is owed, and what is shown of it.
#[derive(Clone)]
pub(crate) enum Shown {
    /// In an attempt at a round.
    Round(Box<Asked>),
    /// In a preparation that is made ahead of any.
    Ahead(PreparationTerms),
}

/// An attempt at a round, as it is shown to a participant.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) plan: RoundPlan,
    /// The bytes of the question.
    pub(crate) question: Vec<u8>,
    /// Attempts that are said to be void, with the promises.
    pub(crate) voided: Vec<(RoundId, Vec<Signed>)>,
    /// Whether the local work still goes on, so that an update cannot be submitted as yet.
    pub(crate) works: bool,
}

/// What is to be done, by the lists that are shown for it.
#[derive(Clone)]
pub enum Owed {
    /// Advertise a one-time key.
    Advertise,
    /// Share a key with the cohort of these advertisements.
    Deal(Vec<Signed>),
    /// Check these shares: (dealer's public part, share sealed for this participant).
    Acknowledge(Vec<(Signed, Vec<u8>)>),
    /// Submit an update, by these acknowledgements.
    Submit(Vec<Signed>),
    /// Sign the survivor set of these headers.
    Certify(Vec<Signed>),
    /// Reveal, by these signatures.
    Reveal(Vec<Signed>),
    /// Promise never to reveal in the attempt of these advertisements.
    Void(Vec<Signed>),
}

/// A message as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) place: Place,
    /// Number of the preparation that it belongs to.
    pub(crate) preparation: u64,
    pub(crate) kind: Kind,
    pub(crate) signed: Signed,
    /// Sealed shares or ciphertext.
    pub(crate) attached: Vec<u8>,
}

/// What a participant makes of an offer.
pub(crate) enum Answer {
    /// Says this; `true` when it was said before. An equivocator says something else beside it.
    Says(Said, bool, Option<Said>),
    /// Declines the place, with this code.
    Declines(Said, &'static str),
    /// Nothing: it is not there, or plays dead.
    Nothing,
    /// Crashed on the way.
    Crashed,
}

impl Offer {
    /// The terms of the preparation that it is about.
    pub(crate) fn terms(&self) -> &PreparationTerms {
        match &self.shown {
            Shown::Round(asked) => &asked.plan.terms,
            Shown::Ahead(terms) => terms,
        }
    }

    pub(crate) fn place(&self) -> Place {
        match &self.shown {
            Shown::Round(asked) => Place::Round(asked.plan.id),
            Shown::Ahead(terms) => Place::Ahead(terms.number),
        }
    }
}

impl Owed {
    /// The kind of message that does it.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Advertise => Kind::Advertise,
            Self::Deal(_) => Kind::Dealing,
            Self::Acknowledge(_) => Kind::Ack,
            Self::Submit(_) => Kind::Header,
            Self::Certify(_) => Kind::Certify,
            Self::Reveal(_) => Kind::Reveal,
            Self::Void(_) => Kind::Void,
        }
    }
}

impl Said {
    pub(crate) fn from(&self) -> ParticipantId {
        self.signed.from
    }
}
