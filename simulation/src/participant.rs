//! A participant of a run: the shipped agent's decisions, on a journal that survives a crash and a seat that does not.

use rand_chacha::ChaCha20Rng;
use syndic_round::message::{Context, Kind};
use syndic_round::participant::Invited;
use syndic_round::{Digest, ParticipantId, Rejection, RoundId, RoundPlan, Signed, Voided};

use crate::engine::Engine;
use crate::federation::{Federation, slot_of};
use crate::journal::{Forbidden, Journal, Opening};
use crate::misbehaviour::Misbehaviour;
use crate::scenario::Moment;
use crate::seat::{Hands, Message, Seat};

/// What the coordinator answers to "what do I owe?".
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) plan: RoundPlan,
    /// The bytes of the question.
    pub(crate) question: Vec<u8>,
    pub(crate) owed: Owed,
    /// Attempts that are said to be void, with the promises.
    pub(crate) voided: Vec<(RoundId, Vec<Signed>)>,
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
    pub(crate) round: RoundId,
    pub(crate) kind: Kind,
    pub(crate) signed: Signed,
    /// Sealed shares or ciphertext.
    pub(crate) attached: Vec<u8>,
}

/// What a participant makes of an offer.
pub(crate) enum Answer {
    /// Says this; `true` when it was said before. An equivocator says something else beside it.
    Says(Said, bool, Option<Said>),
    /// Declines the round, with this code.
    Declines(Said, &'static str),
    /// Nothing: it is not there, or plays dead.
    Nothing,
    /// Crashed on the way.
    Crashed,
}

/// Why a duty was not done.
pub(crate) enum Undone {
    /// This participant's no, by its code.
    Declined(&'static str),
    Crashed,
}

/// An institution's agent.
pub(crate) struct Participant {
    pub(crate) journal: Journal,
    me: ParticipantId,
    engine: Engine,
    ways: Vec<Misbehaviour>,
    seat: Option<Seat>,
    up: bool,
}

impl Participant {
    pub(crate) fn new(me: ParticipantId, engine: Engine, ways: Vec<Misbehaviour>) -> Self {
        Self { journal: Journal::default(), me, engine, ways, seat: None, up: true }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// H1 of the cohort that it is in, if it is in one.
    pub(crate) fn h1(&self) -> Option<Digest> {
        self.seat.as_ref()?.context()?.h1
    }

    /// Stops, with the journal and nothing else.
    pub(crate) fn crash(&mut self) {
        (self.seat, self.up) = (None, false);
    }

    /// Starts again.
    pub(crate) fn come_back(&mut self) {
        self.up = true;
    }

    /// Does what is offered to be done, or says again what was said for it. `crash` says whether it survives the writing
    /// down of a message.
    pub(crate) fn answer(
        &mut self,
        federation: &Federation,
        offer: &Offer,
        crash: impl FnOnce(Kind) -> Option<Moment>,
        rng: &mut ChaCha20Rng,
    ) -> Answer {
        let kind = offer.owed.kind();
        if !self.up || Misbehaviour::is_silent(&self.ways, kind) {
            return Answer::Nothing;
        }
        match self.perform(federation, offer, crash, rng) {
            Ok((said, again)) => {
                let other = if again { None } else { self.other(federation, &offer.plan, &said) };
                Answer::Says(said, again, other)
            }
            Err(Undone::Crashed) => {
                self.crash();
                Answer::Crashed
            }
            Err(Undone::Declined(code)) => {
                self.seat = None;
                let signed = Invited::decline(
                    &offer.plan.terms,
                    offer.plan.id.into(),
                    self.me,
                    code,
                    federation.key(self.me),
                );
                let kind = Kind::Decline;
                Answer::Declines(Said { round: offer.plan.id, kind, signed, attached: Vec::new() }, code)
            }
        }
    }

    fn perform(
        &mut self,
        federation: &Federation,
        offer: &Offer,
        crash: impl FnOnce(Kind) -> Option<Moment>,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Said, bool), Undone> {
        let (plan, kind) = (&offer.plan, offer.owed.kind());
        if let Owed::Void(adverts) = &offer.owed {
            return self.void(federation, plan, adverts, crash);
        }
        let seated = self.seat.as_ref().is_some_and(|seat| seat.plan.id == plan.id);
        if !seated {
            return match &offer.owed {
                Owed::Advertise => self.advertise(federation, offer, crash, rng),
                _ => self.say_from_journal(plan, kind),
            };
        }
        let Self { seat: Some(seat), journal, .. } = self else { return Err(Rejection::Early.into()) };
        // One plan for a round: another one under its number is a lie.
        if seat.plan != *plan {
            return Err(Rejection::Mismatch("plan or question").into());
        }
        if let Some(said) = seat.said.get(&kind) {
            return Ok((said.clone(), true));
        }
        let hands = &mut Hands { journal, key: federation.key(self.me), ways: &self.ways, rng };
        let message = match &offer.owed {
            Owed::Deal(adverts) => seat.deal(adverts, hands)?,
            Owed::Acknowledge(shares) => seat.acknowledge(shares, hands)?,
            Owed::Submit(acks) => seat.submit(acks, hands)?,
            Owed::Certify(headers) => seat.certify(headers, hands)?,
            Owed::Reveal(signatures) => {
                let is_void = |earlier: &Opening| is_void(federation, plan, earlier, &offer.voided);
                seat.reveal(signatures, is_void, hands)?
            }
            Owed::Advertise | Owed::Void(_) => return Err(Rejection::Early.into()),
        };
        self.write_down(plan, kind, message, crash)
    }

    fn advertise(
        &mut self,
        federation: &Federation,
        offer: &Offer,
        crash: impl FnOnce(Kind) -> Option<Moment>,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Said, bool), Undone> {
        // Whatever round was in progress is over, its secrets with it.
        self.seat = None;
        let plan = offer.plan.clone();
        let invited =
            Invited::check(plan.terms.clone(), &federation.accepted(), federation.roster.clone(), self.me)?;
        if Digest::of(&offer.question) != offer.plan.question {
            return Err(Undone::Declined("blob.other-bytes"));
        }
        let slot = slot_of(&offer.question).ok_or(Undone::Declined("program.question"))?;
        self.journal.claim_preparation(offer.plan.terms.number)?;
        let fingerprint = offer.plan.question_fingerprint(slot);
        let hands =
            &mut Hands { journal: &mut self.journal, key: federation.key(self.me), ways: &self.ways, rng };
        let (seat, message) = Seat::advertise(self.engine, invited, plan, fingerprint, self.me, hands);
        self.seat = Some(seat);
        self.write_down(&offer.plan, Kind::Advertise, message, crash)
    }

    /// After a restart the secrets of the round are gone, but what was written down about the survivor set can still be
    /// said, in the same bytes; anything else is declined.
    fn say_from_journal(&self, plan: &RoundPlan, kind: Kind) -> Result<(Said, bool), Undone> {
        let written = match kind {
            Kind::Certify | Kind::Reveal => self.journal.message(plan.terms.number, kind),
            _ => None,
        };
        let signed = written.ok_or(RESTARTED)?.clone();
        Ok((Said { round: plan.id, kind, signed, attached: Vec::new() }, true))
    }

    /// Promises never to reveal in an attempt. Works after a restart too: what it takes is the journal.
    fn void(
        &mut self,
        federation: &Federation,
        plan: &RoundPlan,
        adverts: &[Signed],
        crash: impl FnOnce(Kind) -> Option<Moment>,
    ) -> Result<(Said, bool), Undone> {
        Invited::check(plan.terms.clone(), &federation.accepted(), federation.roster.clone(), self.me)?;
        let own = self.journal.message(plan.terms.number, Kind::Advertise).ok_or(RESTARTED)?;
        let (adverts, key) = (adverts.to_vec(), federation.key(self.me));
        let signed = Invited::void(plan, &federation.roster, adverts, own, key)?;
        let crash = crash(Kind::Void);
        if crash == Some(Moment::Before) {
            return Err(Undone::Crashed);
        }
        // If we crash here nothing was promised. After it no reveal of this preparation can be written any more.
        self.journal.record_message(plan.terms.number, Kind::Void, &signed)?;
        if crash == Some(Moment::After) {
            return Err(Undone::Crashed);
        }
        // The shares of the attempt go with its seat.
        self.seat.take_if(|seat| seat.plan.terms.number == plan.terms.number);
        Ok((Said { round: plan.id, kind: Kind::Void, signed, attached: Vec::new() }, false))
    }

    /// Makes a message durable before anybody hears of it (rule 4).
    fn write_down(
        &mut self,
        plan: &RoundPlan,
        kind: Kind,
        (signed, attached): Message,
        crash: impl FnOnce(Kind) -> Option<Moment>,
    ) -> Result<(Said, bool), Undone> {
        let crash = crash(kind);
        if crash == Some(Moment::Before) {
            return Err(Undone::Crashed);
        }
        // If we crash here nothing was said, and nothing will be: the seat is lost.
        self.journal.record_message(plan.terms.number, kind, &signed)?;
        // If we crash here the same bytes are said after the restart, or none.
        if crash == Some(Moment::After) {
            return Err(Undone::Crashed);
        }
        let said = Said { round: plan.id, kind, signed, attached };
        self.seat.iter_mut().for_each(|seat| {
            seat.said.insert(kind, said.clone());
        });
        Ok((said, false))
    }

    /// What an equivocator says beside `said`.
    fn other(&self, federation: &Federation, plan: &RoundPlan, said: &Said) -> Option<Said> {
        let context = match said.kind {
            Kind::Advertise => Context { ctx0: plan.context(), h1: None },
            _ => self.seat.as_ref()?.context().or_else(|| self.last_context(plan))?,
        };
        let key = federation.key(self.me);
        let signed = Misbehaviour::other(&self.ways, said.kind, &said.signed, context, key)?;
        Some(Said { signed, ..said.clone() })
    }

    /// The context of the attempt in which it was about to reveal.
    fn last_context(&self, plan: &RoundPlan) -> Option<Context> {
        self.journal.opening_in(plan.id).map(|opening| opening.context)
    }
}

/// Whether enough members promised never to open the earlier attempt.
fn is_void(
    federation: &Federation,
    plan: &RoundPlan,
    earlier: &Opening,
    voided: &[(RoundId, Vec<Signed>)],
) -> bool {
    let Opening { round, context } = *earlier;
    let (protection, admitted, roster) = (&plan.terms.protection, &plan.terms.admitted, &federation.roster);
    let promises = voided.iter().filter(|(id, _)| *id == round).map(|(_, promises)| promises.clone());
    promises
        .into_iter()
        .any(|these| Voided::verify(round, context, protection, admitted, roster, these).is_ok())
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

impl From<Rejection> for Undone {
    fn from(rejection: Rejection) -> Self {
        Self::Declined(rejection.code())
    }
}

impl From<Forbidden> for Undone {
    fn from(Forbidden(code): Forbidden) -> Self {
        Self::Declined(code)
    }
}

/// What the shipped agent says, too, once its keys and shares are gone.
const RESTARTED: Undone = Undone::Declined("participant.restarted");
