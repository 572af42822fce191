//! The run itself: one event after another, and every invariant after each.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::{Duty, Input, Phase, Round};
use syndic_round::message::Kind;
use syndic_round::{ParticipantId, RoundId, Timestamp};

use crate::coordinator::{Coordinator, Crash, Outcome};
use crate::federation::{Federation, START};
use crate::network::{Event, Fate, Queue};
use crate::operation::Operation;
use crate::participant::{Answer, Offer, Participant, Said};
use crate::recording::Recorded;
use crate::replay::Replay;
use crate::report::{Report, RoundEnd, Violation};
use crate::scenario::{Moment, Scenario};
use crate::watch::Watch;

/// Plays `scenario` to its end, or to the first broken invariant.
pub fn run(scenario: &Scenario) -> Report {
    let mut world = World::new(scenario);
    let violation = world.play().err();
    Report {
        rounds: world.ended,
        violation,
        operations: world.operations,
        ledger_size: world.coordinator.ledger().size(),
        ledger_root: world.coordinator.ledger().root(),
    }
}

struct World<'a> {
    scenario: &'a Scenario,
    federation: Federation,
    coordinator: Coordinator,
    participants: BTreeMap<ParticipantId, Participant>,
    queue: Queue,
    keys: ChaCha20Rng,
    now: Timestamp,
    watch: Watch,
    replay: Replay,
    /// Round and size of the ledger after the last input that changed them.
    standing: (String, u64),
    opened_at: Timestamp,
    ended: Vec<RoundEnd>,
    operations: Vec<(u64, Operation)>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let federation = Federation::of(scenario);
        let mut rng = ChaCha20Rng::seed_from_u64(scenario.seed);
        let keys = ChaCha20Rng::from_rng(&mut rng);
        let mut queue = Queue::new(scenario.network, ChaCha20Rng::from_rng(&mut rng));
        queue.at(START, Event::Tick);
        for id in federation.ids() {
            queue.at(START.plus_millis(rng.random_range(0..POLL)), Event::Poll(id));
        }
        Self {
            scenario,
            coordinator: Coordinator::new(federation.roster.clone(), scenario.coordinator_crashes),
            participants: federation.ids().into_iter().map(|id| (id, Participant::new(id))).collect(),
            replay: Replay::from(0, federation.roster.clone()),
            standing: (format!("{:?}", None::<&Round>), 0),
            federation,
            queue,
            keys,
            now: START,
            watch: Watch::default(),
            opened_at: START,
            ended: Vec::new(),
            operations: Vec::new(),
        }
    }

    fn play(&mut self) -> Result<(), Violation> {
        while let Some((now, event)) = self.queue.next() {
            self.now = now;
            match event {
                Event::Tick => self.tick()?,
                Event::Poll(id) => self.poll(id),
                Event::Asked(id) => self.asked(id)?,
                Event::Offered(id, offer) => self.offered(id, &offer)?,
                Event::Heard(said) => self.heard(&said)?,
                Event::Back(id) => self.back(id),
            }
            self.look()?;
        }
        Ok(())
    }

    /// The coordinator looks at its clock: a deadline, or time for the next round.
    fn tick(&mut self) -> Result<(), Violation> {
        if self.is_over() {
            return Ok(());
        }
        self.queue.at(self.now.plus_millis(TICK), Event::Tick);
        match self.coordinator.standing() {
            Some(standing) if !standing.ended => {
                let round = standing.round.plan().id;
                if standing.round.wake_at().is_some_and(|at| at <= self.now) {
                    self.log(Operation::Woke(round));
                    let woken = self.coordinator.hear(self.now, &Input::Wake);
                    self.survive(woken.map(|_| ()));
                    self.replay()?;
                }
                Ok(())
            }
            _ => {
                let plan = self.federation.plan(self.ended.len() as u32 + 1);
                self.opened_at = self.now;
                self.log(Operation::Opened(plan.id));
                let opened = self.coordinator.open(self.now, plan);
                self.survive(opened);
                self.replay()
            }
        }
    }

    fn poll(&mut self, id: ParticipantId) {
        if self.is_over() {
            return;
        }
        self.queue.at(self.now.plus_millis(POLL), Event::Poll(id));
        if self.participants[&id].is_up() {
            self.queue.send(self.now, Event::Asked(id));
        }
    }

    fn asked(&mut self, id: ParticipantId) -> Result<(), Violation> {
        let Some(offer) = self.coordinator.offer_to(id) else { return Ok(()) };
        let shown = match &offer.duty {
            Duty::Certify(survivors) => Some(survivors.digest()),
            Duty::Reveal(certificate) => Some(certificate.survivors().digest()),
            _ => None,
        };
        if let Some(digest) = shown {
            self.watch.survivor_set(offer.plan.id, digest)?;
        }
        self.queue.send(self.now, Event::Offered(id, Box::new(offer)));
        Ok(())
    }

    fn offered(&mut self, id: ParticipantId, offer: &Offer) -> Result<(), Violation> {
        let (round, scenario) = (offer.plan.id, self.scenario);
        let Some(participant) = self.participants.get_mut(&id).filter(|participant| participant.is_up())
        else {
            return Ok(());
        };
        let mut crashed = None;
        let crash = |kind: Kind| {
            let this = scenario.participants_crash.iter().find(|crash| {
                crash.participant == id.get() && crash.round == round.round && crash.kind == kind
            })?;
            crashed = Some((kind, this.moment, this.back_after));
            Some(this.moment)
        };
        match participant.answer(&self.federation, offer, crash, &mut self.keys) {
            Err(reason) => Err(self.watch.refused(id, &reason.to_string())),
            Ok(Answer::Nothing) => Ok(()),
            Ok(Answer::Says(said, again)) => {
                self.watch.said(&said)?;
                self.send(said, again);
                Ok(())
            }
            Ok(Answer::Crashed) => {
                if let Some((kind, moment, back_after)) = crashed {
                    self.log(Operation::ParticipantCrashed { participant: id, kind, moment });
                    let back = back_after.map(|millis| self.now.plus_millis(millis));
                    back.into_iter().for_each(|at| self.queue.at(at, Event::Back(id)));
                }
                Ok(())
            }
        }
    }

    fn send(&mut self, said: Said, again: bool) {
        let (from, kind, round) = (said.signed.from, said.kind, said.round);
        let fate = match self.queue.send(self.now, Event::Heard(Box::new(said))) {
            Fate::Lost => "lost",
            Fate::Arrives => "arrives",
            Fate::ArrivesTwice => "arrives twice",
        };
        self.log(Operation::Sent { from, kind, round, again, fate });
    }

    fn heard(&mut self, said: &Said) -> Result<(), Violation> {
        let heard = self.coordinator.receive(self.now, said);
        let outcome = match &heard {
            Ok(Outcome::Accepted) => "accepted",
            Ok(Outcome::Known) => "known already",
            Ok(Outcome::Rejected(code)) => code,
            Err(Crash { moment: Moment::Before, .. }) => "not answered",
            Err(Crash { moment: Moment::After, .. }) => "accepted, not answered",
        };
        let (from, kind, round) = (said.signed.from, said.kind, said.round);
        self.log(Operation::Heard { from, kind, round, outcome });
        if let Ok(Outcome::Rejected(_) | Outcome::Known) = &heard {
            return self.watch.rejected(&self.standing, &self.state());
        }
        self.survive(heard.map(|_| ()));
        self.replay()
    }

    fn back(&mut self, id: ParticipantId) {
        self.log(Operation::ParticipantBack(id));
        self.participants.entry(id).and_modify(Participant::come_back);
    }

    /// Brings the coordinator back for as long as it crashes.
    fn survive(&mut self, mut result: Result<(), Crash>) {
        while let Err(Crash { entry, moment }) = result {
            self.log(Operation::CoordinatorCrashed { entry, moment });
            result = self.coordinator.come_back(self.now);
            self.log(Operation::CoordinatorBack { entries: self.coordinator.ledger().size() });
        }
    }

    /// Reads on in the ledger, and compares.
    fn replay(&mut self) -> Result<(), Violation> {
        self.standing = self.state();
        let replayed = self.replay.follow(self.coordinator.ledger()).map(|standing| &standing.round);
        self.watch.replayed(&self.standing.0, &format!("{replayed:?}"))
    }

    /// What must hold whatever has just happened.
    fn look(&mut self) -> Result<(), Violation> {
        let Some(round) = self.round() else { return Ok(()) };
        let id = round.plan().id;
        if let Some(survivors) = self.coordinator.survivor_set() {
            self.watch.survivor_set(id, survivors.digest())?;
        }
        if self.ended.last().is_some_and(|end| end.round == id) {
            return Ok(());
        }
        let millis = self.now.0 - self.opened_at.0;
        self.watch.lasts(id, millis, || self.resumed())?;
        match self.coordinator.standing() {
            Some(standing) if standing.ended => self.end(id),
            _ => Ok(()),
        }
    }

    fn end(&mut self, id: RoundId) -> Result<(), Violation> {
        // Step by step or from the round's opening at once, the ledger leads to the same.
        let replayed = self.coordinator.replayed().map(|standing| standing.round);
        self.watch.replayed(&self.standing.0, &format!("{:?}", replayed.as_ref()))?;
        let Some(round) = self.round() else { return Ok(()) };
        let (end, outcome) = match round.phase() {
            Phase::Closed(closed) => {
                let (plan, survivors) = (round.plan(), closed.survivors.ids());
                let sum = self.coordinator.sum(plan, closed.opened.sum);
                let facts: Vec<_> = self.coordinator.ledger().last_round().collect();
                self.watch.closed(plan, &facts, survivors, sum.as_ref())?;
                let survivors: Vec<u16> = survivors.iter().map(|id| id.get()).collect();
                let outcome = format!("the sum of {survivors:?}");
                (RoundEnd { round: id, survivors, abandoned: None }, outcome)
            }
            Phase::Abandoned(reason) => {
                let reason = reason.to_string();
                let outcome = format!("abandoned, {reason}");
                (RoundEnd { round: id, survivors: Vec::new(), abandoned: Some(reason) }, outcome)
            }
            _ => return Ok(()),
        };
        self.log(Operation::Ended { round: id, outcome });
        self.ended.push(end);
        Ok(())
    }

    /// How often the current round's phases began anew after a crash.
    fn resumed(&self) -> u64 {
        let resumed = |(_, fact): &(_, Recorded)| matches!(fact, Recorded::Input(Input::Resume, _));
        self.coordinator.ledger().last_round().filter(resumed).count() as u64
    }

    fn state(&self) -> (String, u64) {
        (format!("{:?}", self.round()), self.coordinator.ledger().size())
    }

    fn round(&self) -> Option<&Round> {
        self.coordinator.standing().map(|standing| &standing.round)
    }

    fn is_over(&self) -> bool {
        self.ended.len() as u32 == self.scenario.rounds
    }

    fn log(&mut self, operation: Operation) {
        self.operations.push((self.now.0 - START.0, operation));
    }
}

/// How often a participant asks what it owes, in milliseconds.
const POLL: u64 = 60;

/// How often the coordinator looks at its clock, in milliseconds.
const TICK: u64 = 40;
