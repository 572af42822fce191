//! A participant of a run: the shipped agent's decisions, on a journal that survives a crash and on two places, in a round
//! and in the preparation of the next, that do not.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use syndic_round::message::{Context, Header, Kind, Payload};
use syndic_round::participant::Invited;
use syndic_round::{
    Carrier, Digest, JobId, ParticipantId, Place, PreparationTerms, Rejection, RoundPlan, Signed,
};

use crate::engine::Engine;
use crate::federation::Federation;
use crate::journal::{Forbidden, Journal, Opening};
use crate::misbehaviour::Misbehaviour;
use crate::offer::{Answer, Asked, Offer, Owed, Said, Shown};
use crate::preparing::Preparing;
use crate::scenario::Moment;
use crate::seat::{Hands, Message, Seat};
use crate::shared::Exposed;

/// Why a duty was not done.
pub(crate) enum Undone {
    /// This participant's no, by its code.
    Declined(&'static str),
    /// The local work goes on.
    Waits,
    Crashed,
}

/// The part of the journal for each job.
pub(crate) type Journals = BTreeMap<JobId, Journal>;

/// An institution's agent.
pub(crate) struct Participant {
    pub(crate) journals: Journals,
    me: ParticipantId,
    engine: Engine,
    ways: Vec<Misbehaviour>,
    round: Option<Seat>,
    ahead: Option<Preparing>,
    up: bool,
}

impl Participant {
    pub(crate) fn new(me: ParticipantId, engine: Engine, ways: Vec<Misbehaviour>) -> Self {
        Self { journals: Journals::new(), me, engine, ways, round: None, ahead: None, up: true }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// H1 of the cohort of the round that it is in, if it is in one.
    pub(crate) fn h1(&self) -> Option<Digest> {
        self.round.as_ref()?.context()?.h1
    }

    /// Whether what it reveals is never the sum of its shares.
    pub(crate) fn reveals_wrongly(&self) -> bool {
        Misbehaviour::reveals_wrongly(&self.ways)
    }

    /// Where it has shared a vector itself, under which terms, for which plan if for any, and to which attempt and question
    /// the journal had bound that.
    pub(crate) fn exposed(&self) -> Option<Exposed<'_>> {
        let of_round = self.round.as_ref().map(|seat| (seat.preparing(), Some(seat)));
        let of_ahead = self.ahead.as_ref().map(|ahead| (ahead, None));
        let is_of_vector = |(preparing, _): &(&Preparing, _)| preparing.shared().is_some();
        let (preparing, seat) = of_round.into_iter().chain(of_ahead).find(is_of_vector)?;
        let terms = &*preparing.terms;
        Some(Exposed {
            terms,
            plan: seat.map(|seat| (&*seat.plan, seat.fingerprint())),
            bound: self.journals.get(&terms.job).and_then(|journal| journal.bound(terms.number)),
        })
    }

    /// Number of the preparation made ahead whose keys it holds; 0 for none.
    pub(crate) fn holding(&self) -> u64 {
        self.ahead.as_ref().map_or(0, |ahead| ahead.terms.number)
    }

    /// Stops, with the journal and nothing else.
    pub(crate) fn crash(&mut self) {
        (self.round, self.ahead, self.up) = (None, None, false);
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
        if !self.up || Misbehaviour::is_silent(&self.ways, offer.owed.kind()) {
            return Answer::Nothing;
        }
        let done = match &offer.shown {
            Shown::Round(asked) => self.perform(federation, asked, &offer.owed, crash, rng),
            Shown::Ahead(terms) => self.perform_ahead(federation, terms, &offer.owed, crash, rng),
        };
        match done {
            Ok((said, again)) => {
                let other = if again { None } else { self.other(federation, offer.terms(), &said) };
                Answer::Says(said, again, other)
            }
            Err(Undone::Waits) => Answer::Nothing,
            Err(Undone::Crashed) => {
                self.crash();
                Answer::Crashed
            }
            Err(Undone::Declined(code)) => {
                let (place, terms) = (offer.place(), offer.terms());
                match place {
                    Place::Round(_) => self.round = None,
                    Place::Ahead(_) => self.ahead = None,
                }
                let signed = Invited::decline(terms, place, self.me, code, federation.key(self.me));
                let (kind, attached) = (Kind::Decline, Vec::new());
                Answer::Declines(Said { place, preparation: terms.number, kind, signed, attached }, code)
            }
        }
    }

    /// Does a duty of a preparation that is made ahead of any round.
    fn perform_ahead(
        &mut self,
        federation: &Federation,
        terms: &PreparationTerms,
        owed: &Owed,
        crash: impl FnOnce(Kind) -> Option<Moment>,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Said, bool), Undone> {
        let (place, kind) = (Place::Ahead(terms.number), owed.kind());
        let Some(current) = self.ahead.as_mut().filter(|ahead| ahead.terms.number == terms.number) else {
            if !matches!(owed, Owed::Advertise) {
                return Err(RESTARTED);
            }
            // Whatever was prepared before is of no use any more, and its secrets go with it.
            self.ahead = None;
            let invited = self.invited(federation, terms)?;
            let (mut preparing, message) = self.begin_keys(federation, invited, rng)?;
            let said = self.write_down(terms, place, kind, message, crash)?;
            preparing.said.insert(kind, said.clone());
            self.ahead = Some(preparing);
            return Ok((said, false));
        };
        if *current.terms != *terms {
            return Err(Rejection::Mismatch("preparation").into());
        }
        if let Some(said) = current.said.get(&kind) {
            return Ok((said.clone(), true));
        }
        let key = federation.key(self.me);
        let journal = self.journals.entry(terms.job.clone()).or_default();
        let message = current.step(owed, None, &mut Hands { journal, key, ways: &self.ways, rng })?;
        let said = self.write_down(terms, place, kind, message, crash)?;
        self.ahead.iter_mut().for_each(|ahead| {
            ahead.said.insert(kind, said.clone());
        });
        Ok((said, false))
    }

    /// Does a duty of a round.
    fn perform(
        &mut self,
        federation: &Federation,
        asked: &Asked,
        owed: &Owed,
        crash: impl FnOnce(Kind) -> Option<Moment>,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Said, bool), Undone> {
        let (plan, kind) = (&asked.plan, owed.kind());
        if let Owed::Void(adverts) = owed {
            return self.void(federation, plan, adverts, crash);
        }
        // Who may not submit can still help to open the others' sum.
        if let Owed::Submit(_) | Owed::Certify(_) = owed {
            self.take_up(federation, asked)?;
        }
        if asked.works {
            return Err(Undone::Waits);
        }
        let Some(seat) = self.round.as_mut().filter(|seat| seat.is_of(plan)) else {
            return match owed {
                Owed::Advertise => self.advertise(federation, asked, crash, rng),
                _ => self.say_from_journal(plan, kind),
            };
        };
        // One plan for a round: another one under its number is a lie.
        if *seat.plan != *plan {
            return Err(Rejection::Mismatch("plan or question").into());
        }
        if let Some(said) = seat.said(kind) {
            return Ok((said.clone(), true));
        }
        let key = federation.key(self.me);
        let journal = self.journals.entry(plan.terms.job.clone()).or_default();
        let hands = &mut Hands { journal, key, ways: &self.ways, rng };
        let message = match owed {
            Owed::Deal(_) | Owed::Acknowledge(_) => seat.prepare(owed, hands)?,
            Owed::Submit(acks) => seat.submit(acks, hands)?,
            Owed::Certify(headers) => seat.certify(headers, hands)?,
            Owed::Reveal(signatures) => {
                let is_void = |earlier: &Opening| asked.is_void(federation, earlier);
                seat.reveal(signatures, is_void, hands)?
            }
            Owed::Advertise | Owed::Void(_) => return Err(Rejection::Early.into()),
        };
        self.write_down_in_round(plan, kind, message, crash)
    }

    /// Phase A of a round that makes its own preparation.
    fn advertise(
        &mut self,
        federation: &Federation,
        asked: &Asked,
        crash: impl FnOnce(Kind) -> Option<Moment>,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Said, bool), Undone> {
        // Whatever round was in progress is over, its secrets with it, and so is what was prepared for this one.
        (self.round, self.ahead) = (None, None);
        let plan = &asked.plan;
        let invited = self.invited(federation, &plan.terms)?;
        let fingerprint = asked.fingerprint(federation)?;
        let (preparing, message) = self.begin_keys(federation, invited, rng)?;
        self.round = Some(Seat::new(plan.clone(), fingerprint, preparing));
        self.write_down_in_round(plan, Kind::Advertise, message, crash)
    }

    fn invited(&self, federation: &Federation, terms: &PreparationTerms) -> Result<Invited, Rejection> {
        let accepted = &federation.job(&terms.job).accepted;
        Invited::check(terms.clone(), accepted, federation.roster.clone(), self.me)
    }

    fn begin_keys(
        &mut self,
        federation: &Federation,
        invited: Invited,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Preparing, Message), Undone> {
        let key = federation.key(self.me);
        let journal = self.journals.entry(invited.terms().job.clone()).or_default();
        journal.claim_preparation(invited.terms().number)?;
        let hands = &mut Hands { journal, key, ways: &self.ways, rng };
        Ok(Preparing::begin(self.engine, invited, self.me, hands))
    }

    /// Takes up a round whose preparation was made ahead: the question is checked, and the keys are bound to it. Nothing to
    /// do where the round is taken up already.
    fn take_up(&mut self, federation: &Federation, asked: &Asked) -> Result<(), Undone> {
        let plan = &asked.plan;
        if self.round.as_ref().is_some_and(|seat| seat.is_of(plan)) {
            return Ok(());
        }
        let Some(ahead) = self.ahead.as_ref().filter(|ahead| ahead.terms.number == plan.terms.number) else {
            return Ok(());
        };
        // Only keys are prepared ahead, and only under the terms that were checked then; what is shared under any other
        // terms would be open to whoever those let in.
        if *ahead.terms != plan.terms || plan.carrier != Carrier::Ring {
            return Err(Rejection::Mismatch("preparation").into());
        }
        // Who missed a phase of it has nothing to take up, and that is nobody's lie.
        if !ahead.is_ready() {
            return Err(Rejection::Early.into());
        }
        let fingerprint = asked.fingerprint(federation)?;
        let Some(preparing) = self.ahead.take() else { return Ok(()) };
        let mut seat = Seat::new(plan.clone(), fingerprint, preparing);
        seat.bind()?;
        self.round = Some(seat);
        Ok(())
    }

    /// After a restart the secrets of the round are gone, but what was written down about the survivor set can still be
    /// said, in the same bytes, and so can a header that nothing travels behind; anything else is declined.
    fn say_from_journal(&self, plan: &RoundPlan, kind: Kind) -> Result<(Said, bool), Undone> {
        let (place, preparation) = (plan.id.into(), plan.terms.number);
        let written = match kind {
            Kind::Header | Kind::Certify | Kind::Reveal => self.written(&plan.terms, kind),
            _ => None,
        };
        let signed = written.ok_or(RESTARTED)?.clone();
        if kind == Kind::Header {
            let header = Header::decode(&signed.payload).map_err(Rejection::from)?;
            match (header.round == plan.id, header.chunks) {
                (false, _) => return Err(Rejection::Mismatch("round").into()),
                // The update that it is about is not modelled to outlive a crash.
                (true, 1..) => return Err(RESTARTED),
                (true, 0) => {}
            }
        }
        Ok((Said { place, preparation, kind, signed, attached: Vec::new() }, true))
    }

    /// Promises never to reveal in an attempt. Works after a restart too: what it takes is the journal.
    fn void(
        &mut self,
        federation: &Federation,
        plan: &RoundPlan,
        adverts: &[Signed],
        crash: impl FnOnce(Kind) -> Option<Moment>,
    ) -> Result<(Said, bool), Undone> {
        self.invited(federation, &plan.terms)?;
        let preparation = plan.terms.number;
        let own = self.written(&plan.terms, Kind::Advertise).ok_or(RESTARTED)?;
        let (adverts, key) = (adverts.to_vec(), federation.key(self.me));
        let signed = Invited::void(plan, &federation.roster, adverts, own, key)?;
        // After it no reveal of this preparation can be written any more.
        let said = self.write_down(&plan.terms, plan.id.into(), Kind::Void, (signed, Vec::new()), crash)?;
        // The shares of the attempt go with its seat.
        let is_of_it =
            |seat: &mut Seat| seat.plan.terms.number == preparation && seat.plan.terms.job == plan.terms.job;
        self.round.take_if(is_of_it);
        Ok((said, false))
    }

    /// What the journal has of a preparation.
    fn written(&self, terms: &PreparationTerms, kind: Kind) -> Option<&Signed> {
        self.journals.get(&terms.job)?.message(terms.number, kind)
    }

    fn write_down_in_round(
        &mut self,
        plan: &RoundPlan,
        kind: Kind,
        message: Message,
        crash: impl FnOnce(Kind) -> Option<Moment>,
    ) -> Result<(Said, bool), Undone> {
        let said = self.write_down(&plan.terms, plan.id.into(), kind, message, crash)?;
        self.round.iter_mut().for_each(|seat| seat.keep(said.clone()));
        Ok((said, false))
    }

    /// Makes a message durable before anybody hears of it (rule 4).
    fn write_down(
        &mut self,
        terms: &PreparationTerms,
        place: Place,
        kind: Kind,
        (signed, attached): Message,
        crash: impl FnOnce(Kind) -> Option<Moment>,
    ) -> Result<Said, Undone> {
        let (crash, preparation) = (crash(kind), terms.number);
        if crash == Some(Moment::Before) {
            return Err(Undone::Crashed);
        }
        // If we crash here nothing was said, and nothing will be: the place is lost.
        let journal = self.journals.entry(terms.job.clone()).or_default();
        journal.record_message(preparation, kind, &signed)?;
        // If we crash here the same bytes are said after the restart, or none.
        if crash == Some(Moment::After) {
            return Err(Undone::Crashed);
        }
        Ok(Said { place, preparation, kind, signed, attached })
    }

    /// What an equivocator says beside `said`.
    fn other(&self, federation: &Federation, terms: &PreparationTerms, said: &Said) -> Option<Said> {
        let context = match (said.kind, said.place) {
            (Kind::Advertise, _) => Context { ctx0: terms.context(), h1: None },
            (_, Place::Ahead(_)) => self.ahead.as_ref()?.context()?,
            (_, Place::Round(round)) => {
                // After a reveal only the journal knows the attempt in which it was made.
                let last = || Some(self.journals.get(&terms.job)?.opening_in(round)?.context);
                self.round.as_ref()?.context().or_else(last)?
            }
        };
        let key = federation.key(self.me);
        let signed = Misbehaviour::other(&self.ways, said.kind, &said.signed, context, key)?;
        Some(Said { signed, ..said.clone() })
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
