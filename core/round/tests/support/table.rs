//! Both halves of a round at one table: virtual time, a record of what was accepted, and who is absent.

use std::collections::BTreeMap;

use syndic_round::coordinator::{Duty, Input, Opened, Phase, Preparing, RingOpened, Round};
use syndic_round::message::Kind;
use syndic_round::{Digest, ParticipantId, Rejection, RoundPlan, Timestamp};

use super::seat::{Blobs, Seat};
use super::{Federation, PlanBuilder, START, federation_of};

/// One round in play.
pub struct Table {
    pub federation: Federation,
    pub round: Round,
    pub now: Timestamp,
    /// What was accepted and changed the round, as the ledger would keep it.
    pub record: Vec<(Timestamp, Input)>,
    pub seats: BTreeMap<ParticipantId, Seat>,
    pub blobs: Blobs,
    absent: BTreeMap<ParticipantId, Kind>,
}

impl Table {
    /// A round under `plan` with everybody present.
    pub fn open(plan: PlanBuilder) -> Self {
        let n = plan.protection().admitted();
        let federation = federation_of(n);
        Self::among(federation, |federation| plan.build(federation))
    }

    /// A round of `federation` under the plan made by `plan`.
    pub fn among(federation: Federation, plan: impl FnOnce(&Federation) -> RoundPlan) -> Self {
        let plan = plan(&federation);
        let seats = plan.terms.admitted.iter().map(|id| (*id, Seat::of(&federation, &plan, *id))).collect();
        let round = Round::open(plan, federation.roster.clone(), START).expect("the plan suits the roster");
        let (record, blobs, absent) = (Vec::new(), Blobs::new(), BTreeMap::new());
        Self { federation, round, now: START, record, seats, blobs, absent }
    }

    /// Lets `id` vanish before it sends its message of `kind`.
    pub fn vanish(&mut self, id: ParticipantId, kind: Kind) {
        self.absent.insert(id, kind);
    }

    /// Hands `input` to the coordinator, and checks that a rejection or a repetition leaves no trace.
    pub fn feed(&mut self, input: Input) -> Result<(), Rejection> {
        let before = format!("{:?}", self.round);
        let step = self.round.step(self.now, &input);
        assert_eq!(format!("{:?}", self.round), before, "deciding must change nothing");
        let step = step?;
        if step.changed {
            self.record.push((self.now, input));
        } else {
            assert_eq!(format!("{:?}", step.next), before, "unchanged means unchanged");
        }
        self.round = step.next;
        Ok(())
    }

    /// What `id` would send now, if it owes anything and is there.
    pub fn play(&mut self, id: ParticipantId) -> Option<Input> {
        let duty = self.round.duty_of(id)?;
        if self.absent.get(&id).is_some_and(|kind| *kind <= kind_of(&duty)) {
            return None;
        }
        let seat = self.seats.get_mut(&id).expect("everybody admitted has a seat");
        Some(seat.play(&duty, &mut self.blobs).expect("an honest round gives no reason to refuse"))
    }

    /// Everybody present does what is owed in this phase; then, if it still goes on, its deadline comes.
    pub fn play_phase(&mut self) {
        let phase = self.phase();
        let mut quiet = false;
        while self.phase() == phase && !quiet {
            quiet = true;
            for id in self.round.plan().terms.admitted.clone() {
                self.now = self.now.plus_millis(1);
                if self.phase() == phase
                    && let Some(input) = self.play(id)
                {
                    self.feed(input).expect("an honest message is accepted");
                    quiet = false;
                }
            }
        }
        if self.phase() == phase {
            match self.round.wake_at() {
                Some(at) => self.wake(at),
                None => self.feed(Input::Opened(opened())).expect("the sum is awaited"),
            }
        }
    }

    /// Plays on until the round stands in the phase named `phase`, or is over.
    pub fn play_until(&mut self, phase: &str) {
        while self.phase() != phase && !matches!(self.round.phase(), Phase::Closed(_) | Phase::Abandoned(_)) {
            self.play_phase();
        }
    }

    /// Plays the round to its end.
    pub fn play_out(&mut self) {
        self.play_until("the end");
    }

    /// The clock strikes `at`.
    pub fn wake(&mut self, at: Timestamp) {
        self.now = at;
        self.feed(Input::Wake).expect("waking is nobody's fault");
    }

    /// The name of the current phase.
    pub fn phase(&self) -> &'static str {
        match self.round.phase() {
            Phase::Preparing(Preparing::Advertising(_)) => "advertising",
            Phase::Preparing(Preparing::Sharing(_)) => "sharing",
            Phase::Preparing(Preparing::Acknowledging(_)) => "acknowledging",
            Phase::Collecting(_) => "collecting",
            Phase::Certifying(_) => "certifying",
            Phase::Revealing(_) => "revealing",
            Phase::Opening(_) => "opening",
            Phase::Closed(_) => "closed",
            Phase::Abandoned(_) => "abandoned",
        }
    }

    /// The round that the record alone leads to.
    pub fn replayed(&self) -> Round {
        let plan = self.round.plan().clone();
        let opened = Round::open(plan, self.federation.roster.clone(), START).expect("it opened before");
        self.record.iter().fold(opened, |round, (now, input)| {
            let step = round.step(*now, input).expect("it was accepted before");
            assert!(step.changed, "only changes are recorded");
            step.next
        })
    }
}

/// What is stored with an opened sum.
pub fn opened() -> Opened {
    let named = |what: &str| Digest::of(what.as_bytes());
    Opened {
        sum: named("sum"),
        ring: Some(RingOpened {
            key_sum: named("key sum"),
            aggregate: named("aggregate"),
            aggregate_root: named("aggregate root"),
        }),
        checked: true,
        transcript: named("transcript"),
        wrong_reveals: Vec::new(),
    }
}

/// The kind of message that does a duty.
fn kind_of(duty: &Duty) -> Kind {
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
