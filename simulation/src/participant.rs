//! A participant of a run: a journal that survives a crash, a seat that does not.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::Duty;
use syndic_round::message::Kind;
use syndic_round::participant::Invited;
use syndic_round::{ParticipantId, Rejection, RoundId, RoundPlan, Signed};

use crate::federation::Federation;
use crate::scenario::Moment;
use crate::seat::Seat;

/// What the coordinator answers to "what do I owe?".
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) plan: RoundPlan,
    pub(crate) duty: Duty,
    /// (dealer's public part, share sealed for this participant), where shares are to be acknowledged.
    pub(crate) shares: Vec<(Signed, Vec<u8>)>,
}

/// A message as it travels and as the journal keeps it.
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
    /// Says this; `true` when it was written down before.
    Says(Said, bool),
    /// Nothing: the offer is out of date.
    Nothing,
    /// Crashed on the way.
    Crashed,
}

/// An institution's agent.
pub(crate) struct Participant {
    me: ParticipantId,
    journal: BTreeMap<(RoundId, Kind), Said>,
    seat: Option<Seat>,
    up: bool,
}

impl Participant {
    pub(crate) fn new(me: ParticipantId) -> Self {
        Self { me, journal: BTreeMap::new(), seat: None, up: true }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// Starts again, with the journal and nothing else.
    pub(crate) fn come_back(&mut self) {
        self.up = true;
    }

    /// Does what is offered to be done: first from the journal, otherwise anew and into the journal. `crash`
    /// says whether it survives that.
    ///
    /// # Errors
    /// The [`Rejection`] with which it refuses the offer.
    pub(crate) fn answer(
        &mut self,
        federation: &Federation,
        offer: &Offer,
        crash: impl FnOnce(Kind) -> Option<Moment>,
        rng: &mut ChaCha20Rng,
    ) -> Result<Answer, Rejection> {
        let (round, kind) = (offer.plan.id, kind_of(&offer.duty));
        // Who declined can still promise never to reveal.
        let or = if kind == Kind::Void { Kind::Void } else { Kind::Decline };
        let written = [kind, or].into_iter().find_map(|kind| self.journal.get(&(round, kind)));
        if let Some(said) = written {
            return Ok(Answer::Says(said.clone(), true));
        }
        if self.journal.keys().any(|(later, _)| *later > round) {
            return Ok(Answer::Nothing);
        }
        let key = federation.key(self.me);
        let Some((kind, signed, attached)) = self.say(federation, offer, key, rng)? else {
            return Ok(Answer::Nothing);
        };
        let crash = crash(kind);
        if crash == Some(Moment::Before) {
            return Ok(self.crash());
        }
        let said = Said { round, kind, signed, attached };
        // If we crash here nothing was said, and nothing will be: the seat is lost.
        self.journal.insert((round, kind), said.clone());
        // If we crash here the same bytes are said after the restart.
        if crash == Some(Moment::After) {
            return Ok(self.crash());
        }
        Ok(Answer::Says(said, false))
    }

    fn say(
        &mut self,
        federation: &Federation,
        offer: &Offer,
        key: &SigningKey,
        rng: &mut ChaCha20Rng,
    ) -> Result<Option<(Kind, Signed, Vec<u8>)>, Rejection> {
        let (plan, kind) = (&offer.plan, kind_of(&offer.duty));
        if let Duty::Void(cohort) = &offer.duty {
            // The shares of the attempt go with its seat.
            self.seat = None;
            let Some(own) = self.journal.get(&(plan.id, Kind::Advertise)) else { return Ok(None) };
            let adverts = cohort.adverts().to_vec();
            let signed = Invited::void(plan, &federation.roster, adverts, &own.signed, key)?;
            return Ok(Some((kind, signed, Vec::new())));
        }
        let seated = self.seat.as_ref().is_some_and(|seat| seat.round() == plan.id);
        let began = self.journal.keys().any(|(round, _)| *round == plan.id);
        if !seated && kind == Kind::Advertise && !began {
            self.seat = Some(Seat::take(federation, plan, self.me)?);
        } else if !seated {
            // Its keys and shares are gone with the crash.
            let signed = Invited::decline(plan, self.me, RESTARTED, key);
            return Ok(Some((Kind::Decline, signed, Vec::new())));
        }
        let Some(seat) = &mut self.seat else { return Ok(None) };
        Ok(seat.play(offer, key, rng)?.map(|(signed, attached)| (kind, signed, attached)))
    }

    fn crash(&mut self) -> Answer {
        (self.seat, self.up) = (None, false);
        Answer::Crashed
    }
}

/// The kind of message that does a duty.
pub(crate) fn kind_of(duty: &Duty) -> Kind {
    match duty {
        Duty::Advertise => Kind::Advertise,
        Duty::Deal(_) => Kind::Dealing,
        Duty::Acknowledge(..) => Kind::Ack,
        Duty::Submit(_) => Kind::Header,
        Duty::Certify(_) => Kind::Certify,
        Duty::Reveal(_) => Kind::Reveal,
        Duty::Void(_) => Kind::Void,
    }
}

/// The reason that the participant's daemon gives, too, once its keys and shares are gone.
const RESTARTED: &str = "participant.restarted";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use rand::SeedableRng;
    use syndic_round::message::{Decline, Payload};

    #[test]
    fn one_that_lost_its_seat_declines_as_the_agent_does() {
        let federation = Federation::of(&Scenario::calm(1, 4));
        let (plan, me) = (federation.plan(1), federation.ids()[1]);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut participant = Participant::new(me);
        let mut answer = |participant: &mut Participant, duty, crash| {
            let offer = Offer { plan: plan.clone(), duty, shares: Vec::new() };
            participant.answer(&federation, &offer, |_| crash, &mut rng).expect("the offer is sound")
        };
        let crashed = answer(&mut participant, Duty::Advertise, Some(Moment::After));
        assert!(matches!(crashed, Answer::Crashed) && !participant.is_up());
        participant.come_back();
        let Answer::Says(said, false) = answer(&mut participant, Duty::Submit(Vec::new()), None) else {
            panic!("it owes an answer")
        };
        assert_eq!(said.kind, Kind::Decline);
        let decline = Decline::decode(&said.signed.payload).expect("it is well formed");
        assert_eq!((decline.id, decline.reason.as_str()), (me, "participant.restarted"));
    }
}
