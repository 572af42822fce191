//! The run itself: one event after another, and every invariant after each.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::{Input, Phase, Round};
use syndic_round::message::Kind;
use syndic_round::{ParticipantId, RoundId, Sum, Timestamp};

use crate::blobs::Blobs;
use crate::coordinator::{Coordinator, Crash, Outcome};
use crate::federation::{Federation, LONGEST_PHASE, START};
use crate::network::{Event, Fate, Queue};
use crate::operation::Operation;
use crate::participant::{Answer, Offer, Participant, Said};
use crate::recording::Recorded;
use crate::replay::Replay;
use crate::report::{Report, RoundEnd, Violation};
use crate::scenario::{Moment, Partition, Replayed, Scenario};
use crate::watch::{Frozen, Watch};

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
    /// Whether the coordinator waits for a damaged blob to be mended.
    stopped: bool,
    participants: BTreeMap<ParticipantId, Participant>,
    queue: Queue,
    keys: ChaCha20Rng,
    now: Timestamp,
    watch: Watch,
    replay: Replay,
    /// Round and size of the ledger after the last input that changed them.
    standing: (String, u64),
    opened_at: Timestamp,
    /// What is opened next, and how many questions are done with.
    next: RoundId,
    done: u32,
    /// Offers made, and the last that reached each participant: a link delivers in order.
    offers: u64,
    reached: BTreeMap<ParticipantId, u64>,
    /// What each was offered last, and how often in a row.
    offered: BTreeMap<ParticipantId, ((RoundId, Kind), u32)>,
    /// Crashes of participants that have taken place.
    crashed: BTreeSet<usize>,
    ended: Vec<RoundEnd>,
    operations: Vec<(u64, Operation)>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let federation = Federation::of(scenario.seed, scenario.participants, scenario.parameter_set);
        let mut rng = ChaCha20Rng::seed_from_u64(scenario.seed);
        let keys = ChaCha20Rng::from_rng(&mut rng);
        let mut queue = Queue::new(scenario.network, ChaCha20Rng::from_rng(&mut rng));
        queue.at(START, Event::Tick);
        for id in federation.ids() {
            queue.at(START.plus_millis(rng.random_range(0..POLL)), Event::Poll(id));
        }
        for Partition { participants, from, lasts } in scenario.partitions.iter().cloned() {
            queue.at(START.plus_millis(from), Event::Happens(Operation::CutOff { participants, lasts }));
        }
        for jump in &scenario.clock_jumps {
            queue.at(START.plus_millis(jump.at), Event::Happens(Operation::ClockJumped { by: jump.by }));
        }
        let ways = |id: ParticipantId| {
            let his = scenario.dishonest.iter().filter(|one| one.participant == id.get());
            his.map(|one| one.how).collect::<Vec<_>>()
        };
        let participant = |id| (id, Participant::new(id, scenario.engine, ways(id)));
        let dishonest = federation.ids().into_iter().filter(|id| !ways(*id).is_empty()).collect();
        let (crashes, blobs) = (scenario.coordinator_crashes, Blobs::new(scenario.torn_blob));
        Self {
            scenario,
            coordinator: Coordinator::new(federation.roster.clone(), scenario.engine, crashes, blobs),
            stopped: false,
            participants: federation.ids().into_iter().map(participant).collect(),
            replay: Replay::from(0, federation.roster.clone()),
            standing: (String::new(), 0),
            watch: Watch::new(federation.protection, dishonest),
            federation,
            queue,
            keys,
            now: START,
            opened_at: START,
            next: RoundId { round: 1, attempt: 1 },
            done: 0,
            offers: 0,
            reached: BTreeMap::new(),
            offered: BTreeMap::new(),
            crashed: BTreeSet::new(),
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
                Event::Asked(id) => self.asked(id),
                Event::Offered(id, number, offer) => self.offered(id, number, &offer)?,
                Event::Heard(said) => self.heard(&said)?,
                Event::Back(id) => self.back(id),
                Event::Happens(fault) if !self.is_over() => self.log(fault),
                Event::Happens(_) => {}
                Event::Mended => self.mended()?,
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
        if self.stopped {
            return Ok(());
        }
        match self.coordinator.standing() {
            Some(standing) if !standing.ended => {
                let round = standing.round.plan().id;
                if standing.round.wake_at().is_some_and(|at| at <= self.clock()) {
                    self.log(Operation::Woke(round));
                    let woken = self.coordinator.hear(self.clock(), &Input::Wake);
                    self.survive(woken.map(|_| ()));
                    self.replay()?;
                }
                Ok(())
            }
            _ => {
                let preparation = self.coordinator.ledger().attempts() + 1;
                let plan = self.federation.plan(self.next, preparation);
                self.opened_at = self.now;
                self.log(Operation::Opened(plan.id));
                let opened = self.coordinator.open(self.clock(), plan);
                self.survive(opened);
                self.replay()
            }
        }
    }

    fn poll(&mut self, id: ParticipantId) {
        if self.is_over() {
            return;
        }
        // Who is offered the same again and again asks less often.
        let same = self.offered.get(&id).map_or(0, |(_, times)| times / 4);
        self.queue.at(self.now.plus_millis(POLL << same.min(MOST_DOUBLINGS)), Event::Poll(id));
        if self.participants[&id].is_up() && !self.is_cut_off(id) {
            self.queue.send(self.now, Event::Asked(id));
        }
    }

    fn asked(&mut self, id: ParticipantId) {
        if self.stopped || self.is_cut_off(id) {
            return;
        }
        let Some(round) = self.round().map(|round| round.plan().id) else { return };
        let question = self.federation.question(round.round, 0);
        if let Some(offer) = self.coordinator.offer_to(id, question) {
            self.offers += 1;
            self.queue.send(self.now, Event::Offered(id, self.offers, Box::new(offer)));
        }
    }

    fn offered(&mut self, id: ParticipantId, number: u64, offer: &Offer) -> Result<(), Violation> {
        let reached = self.reached.get(&id).is_some_and(|last| *last > number);
        if self.is_cut_off(id) || reached || !self.participants[&id].is_up() {
            return Ok(());
        }
        self.reached.insert(id, number);
        let owed = (offer.plan.id, offer.owed.kind());
        let (last, times) = self.offered.entry(id).or_insert((owed, 0));
        (*last, *times) = if *last == owed { (owed, *times + 1) } else { (owed, 0) };
        let (round, mut crashed) = (offer.plan.id, None);
        let crash = |kind: Kind| {
            let due = |crash: &crate::ParticipantCrash| {
                crash.participant == id.get() && crash.round == round.round && crash.kind == kind
            };
            let mut crashes = self.scenario.participants_crash.iter().enumerate();
            let (index, this) = crashes.find(|(k, this)| due(this) && !self.crashed.contains(k))?;
            crashed = Some((index, kind, this.moment, this.back_after));
            Some(this.moment)
        };
        let Some(participant) = self.participants.get_mut(&id) else { return Ok(()) };
        match participant.answer(&self.federation, offer, crash, &mut self.keys) {
            Answer::Nothing => Ok(()),
            Answer::Says(said, again, other) => {
                self.watch.said(&said)?;
                self.send(said, again);
                other.into_iter().for_each(|other| self.send(other, false));
                Ok(())
            }
            Answer::Declines(said, code) => {
                self.watch.declined(id, code)?;
                self.log(Operation::Declined { participant: id, round, code });
                self.send(said, false);
                Ok(())
            }
            Answer::Crashed => {
                if let Some((index, kind, moment, back_after)) = crashed {
                    self.crashed.insert(index);
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
        let fate = match self.is_cut_off(from) {
            true => "cut off",
            false => match self.queue.send(self.now, Event::Heard(Box::new(said))) {
                Fate::Lost => "lost",
                Fate::Arrives => "arrives",
                Fate::ArrivesTwice => "arrives twice",
            },
        };
        self.log(Operation::Sent { from, kind, round, again, fate });
    }

    fn heard(&mut self, said: &Said) -> Result<(), Violation> {
        let (from, kind, round) = (said.signed.from, said.kind, said.round);
        if self.stopped || self.is_cut_off(from) {
            self.log(Operation::Heard { from, kind, round, outcome: "not answered" });
            return Ok(());
        }
        let heard = self.coordinator.receive(self.clock(), said);
        let outcome = match &heard {
            Ok(Outcome::Accepted) => "accepted",
            Ok(Outcome::Known) => "known already",
            Ok(Outcome::Rejected(code)) => code,
            Err(Crash::Append { moment: Moment::Before, .. }) => "not answered",
            Err(Crash::Append { moment: Moment::After, .. } | Crash::Blob) => "accepted, not answered",
        };
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

    fn mended(&mut self) -> Result<(), Violation> {
        self.coordinator.blobs.mend();
        self.stopped = false;
        self.log(Operation::BlobMended);
        let back = self.coordinator.come_back(self.clock());
        self.survive(back);
        self.replay()
    }

    /// Brings the coordinator back for as long as it crashes.
    fn survive(&mut self, mut result: Result<(), Crash>) {
        loop {
            match result {
                Ok(()) => return,
                Err(Crash::Blob) => {
                    self.stopped = true;
                    self.log(Operation::BlobDamaged);
                    let after = self.scenario.torn_blob.map_or(0, |torn| torn.mended_after);
                    return self.queue.at(self.now.plus_millis(after), Event::Mended);
                }
                Err(Crash::Append { entry, moment }) => {
                    self.log(Operation::CoordinatorCrashed { entry, moment });
                    result = self.coordinator.come_back(self.clock());
                    self.log(Operation::CoordinatorBack { entries: self.coordinator.ledger().size() });
                }
            }
        }
    }

    /// Reads on in the ledger, and compares.
    fn replay(&mut self) -> Result<(), Violation> {
        self.standing = self.state();
        if self.scenario.replayed == Replayed::AtEnds {
            return Ok(());
        }
        let replayed = self.replay.follow(self.coordinator.ledger()).map(|standing| &standing.round);
        self.watch.replayed(&self.standing.0, &format!("{replayed:?}"))
    }

    /// What must hold whatever has just happened.
    fn look(&mut self) -> Result<(), Violation> {
        let Some(round) = self.round() else { return Ok(()) };
        let id = round.plan().id;
        if let Some(survivors) = self.coordinator.survivor_set() {
            let frozen = || Frozen {
                digest: survivors.digest(),
                ids: survivors.ids().to_vec(),
                question: self.federation.fingerprint(id.round),
            };
            self.watch.survivor_set(id, survivors.digest(), frozen)?;
        }
        if self.ended.last().is_some_and(|end| end.round == id) {
            return Ok(());
        }
        let millis = self.now.0 - self.opened_at.0;
        self.watch.lasts(id, millis, || self.extra())?;
        match self.coordinator.standing() {
            Some(standing) if standing.ended => self.end(id),
            _ => Ok(()),
        }
    }

    fn end(&mut self, id: RoundId) -> Result<(), Violation> {
        // Step by step or from the first attempt's opening at once, the ledger leads to the same.
        let replayed = self.coordinator.replayed();
        let words = format!("{:?}", replayed.as_ref().map(|standing| &standing.round));
        self.watch.replayed(&format!("{:?}", self.round()), &words)?;
        let Some(standing) = self.coordinator.standing() else { return Ok(()) };
        let (round, again) = (&standing.round, standing.may_be_tried_again());
        let (end, outcome) = match round.phase() {
            Phase::Closed(closed) => {
                let (plan, survivors) = (round.plan(), closed.survivors.ids());
                let sum = self.coordinator.sum(plan, closed.opened.sum);
                let facts: Vec<_> = self.coordinator.ledger().last_round().collect();
                self.watch.closed(plan, &facts, survivors, sum.as_ref())?;
                let wrong = &closed.opened.wrong_reveals;
                self.watch.blamed(wrong, || format!("wrong reveals of {wrong:?}"))?;
                let survivors: Vec<u16> = survivors.iter().map(|id| id.get()).collect();
                let wrong_reveals = wrong.iter().map(|id| id.get()).collect();
                let outcome = format!("the sum of {survivors:?}");
                let sum = sum.as_ref().map_or(&[][..], Sum::steps).to_vec();
                (RoundEnd { round: id, survivors, abandoned: None, sum, wrong_reveals }, outcome)
            }
            Phase::Abandoned(reason) => {
                let abandoned = Some(reason.to_string());
                let outcome = format!("abandoned, {reason}");
                let (survivors, sum, wrong_reveals) = Default::default();
                (RoundEnd { round: id, survivors, abandoned, sum, wrong_reveals }, outcome)
            }
            _ => return Ok(()),
        };
        self.next = match again && id.attempt < MOST_ATTEMPTS {
            true => RoundId { attempt: id.attempt + 1, ..id },
            false => {
                self.done += 1;
                RoundId { round: id.round + 1, attempt: 1 }
            }
        };
        self.log(Operation::Ended { round: id, outcome });
        self.ended.push(end);
        Ok(())
    }

    /// What the coordinator's crashes and its clock may add to the length of the current round, in milliseconds.
    fn extra(&self) -> u64 {
        let resumed = |(_, fact): &(_, Recorded)| matches!(fact, Recorded::Input(Input::Resume, _));
        let resumed = self.coordinator.ledger().last_round().filter(resumed).count() as u64;
        let mending = self.scenario.torn_blob.map_or(0, |torn| torn.mended_after);
        let jumps: u64 = self.scenario.clock_jumps.iter().map(|jump| jump.by.unsigned_abs()).sum();
        resumed * LONGEST_PHASE + mending + jumps
    }

    /// What the coordinator's clock shows.
    fn clock(&self) -> Timestamp {
        let since = self.now.0 - START.0;
        let past = self.scenario.clock_jumps.iter().filter(|jump| jump.at <= since);
        Timestamp(past.fold(self.now.0, |now, jump| now.saturating_add_signed(jump.by)))
    }

    fn is_cut_off(&self, id: ParticipantId) -> bool {
        let since = self.now.0 - START.0;
        let partitions = &self.scenario.partitions;
        let mut now = partitions.iter().filter(|one| (one.from..one.from + one.lasts).contains(&since));
        now.any(|one| one.participants.contains(&id.get()))
    }

    fn state(&self) -> (String, u64) {
        let words = match self.scenario.replayed {
            Replayed::AfterEveryStep => format!("{:?}", self.round()),
            Replayed::AtEnds => String::new(),
        };
        (words, self.coordinator.ledger().size())
    }

    fn round(&self) -> Option<&Round> {
        self.coordinator.standing().map(|standing| &standing.round)
    }

    fn is_over(&self) -> bool {
        self.done == self.scenario.rounds
    }

    fn log(&mut self, operation: Operation) {
        self.operations.push((self.now.0 - START.0, operation));
    }
}

/// Attempts at a question before it is given up; a real coordinator has more patience.
const MOST_ATTEMPTS: u32 = 4;

/// How often a participant asks what it owes, in milliseconds.
const POLL: u64 = 60;

/// How many times the time between two questions is doubled at most.
const MOST_DOUBLINGS: u32 = 4;

/// How often the coordinator looks at its clock, in milliseconds.
const TICK: u64 = 40;
