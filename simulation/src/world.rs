//! The run itself: one event after another, and every invariant after each.

mod checks;

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::Preparation;
use syndic_round::message::Kind;
use syndic_round::{Carrier, ParticipantId, Place, PreparationTerms, RoundId, Timestamp};

use crate::blobs::Blobs;
use crate::coordinator::{Coordinator, Crash, Outcome};
use crate::federation::{Federation, START};
use crate::network::{Event, Fate, Queue};
use crate::offer::{Answer, Offer, Said};
use crate::operation::Operation;
use crate::participant::Participant;
use crate::replay::Replay;
use crate::report::{Report, RoundEnd, Violation};
use crate::scenario::{Moment, Partition, Scenario};
use crate::shared;
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
    begun_at: Timestamp,
    /// When each participant came last, by the coordinator's clock, and when the coordinator did.
    came: BTreeMap<ParticipantId, Timestamp>,
    /// Since when those are not connected who are not.
    absent_since: BTreeMap<ParticipantId, Timestamp>,
    restarted: Timestamp,
    /// What is opened next, and how many questions are done with.
    next: RoundId,
    done: u32,
    /// Offers made, and the last that reached each participant: a link delivers in order.
    offers: u64,
    reached: BTreeMap<ParticipantId, u64>,
    /// What each was offered last, and how often in a row.
    offered: BTreeMap<ParticipantId, (Vec<(Place, Kind)>, u32)>,
    /// Crashes of participants that have taken place.
    crashed: BTreeSet<usize>,
    ended: Vec<RoundEnd>,
    operations: Vec<(u64, Operation)>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let federation =
            Federation::of(scenario.seed, scenario.participants, scenario.parameter_set, scenario.shared);
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
            begun_at: START,
            came: BTreeMap::new(),
            absent_since: BTreeMap::new(),
            restarted: START,
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
                Event::Offered(id, number, offers) => self.offered(id, number, &offers)?,
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

    /// The coordinator looks at its clock: a deadline, or time for a preparation or the next round.
    fn tick(&mut self) -> Result<(), Violation> {
        if self.is_over() {
            return Ok(());
        }
        self.queue.at(self.now.plus_millis(TICK), Event::Tick);
        self.miss();
        if self.stopped {
            return Ok(());
        }
        let due = self.coordinator.due(self.clock());
        for place in &due {
            self.log(Operation::Woke(*place));
            let woken = self.coordinator.wake(self.clock(), *place);
            self.survive(woken);
            self.replay()?;
        }
        if !due.is_empty() {
            return Ok(());
        }
        let state = self.coordinator.state();
        match (state.in_progress(), state.ahead.preparation()) {
            (Some(round), _) if self.may_prepare(round.plan().id) => self.prepare(),
            (Some(_), _) => Ok(()),
            // A preparation that is under way is waited for: another would take as long. Unless it is of no use.
            (None, Some(ahead)) if ahead.wake_at().is_some() && !self.asks_for_shares() => Ok(()),
            (None, _) => self.open(),
        }
    }

    /// Whether a preparation is to be made ahead while this round lasts.
    fn may_prepare(&self, id: RoundId) -> bool {
        let another_follows = id.round < self.scenario.rounds;
        let threshold = usize::from(self.federation.protection.threshold());
        self.scenario.ahead
            && another_follows
            && self.coordinator.state().wants_ahead()
            && self.present().len() >= threshold
    }

    fn prepare(&mut self) -> Result<(), Violation> {
        let terms = self.next_terms();
        self.begun_at = self.now;
        self.log(Operation::Prepares(terms.number));
        let begun = self.coordinator.prepare(self.clock(), terms, &self.excused());
        self.survive(begun);
        self.replay()
    }

    /// Whether the vectors of the next round are to be shared themselves.
    fn asks_for_shares(&self) -> bool {
        self.federation.plan(self.next, 1).carrier == Carrier::Shares
    }

    fn open(&mut self) -> Result<(), Violation> {
        let has_missed = |ahead: &Preparation, id| {
            let holds = self.participants[&id].holding() == ahead.terms().number;
            self.since(id) > ahead.begun_at() && !holds
        };
        let ahead = match self.asks_for_shares() {
            true => None,
            false => self.coordinator.terms_ahead(&self.present(), has_missed),
        };
        let prepared = ahead.is_some();
        let terms = ahead.unwrap_or_else(|| self.next_terms());
        let plan = self.federation.plan(self.next, terms.number);
        self.opened_at = self.now;
        let shared = plan.carrier == Carrier::Shares;
        self.log(Operation::Opened { round: plan.id, prepared, shared });
        let opened = self.coordinator.open(self.clock(), plan, &self.excused());
        self.survive(opened);
        self.replay()
    }

    fn next_terms(&self) -> PreparationTerms {
        self.federation.plan(self.next, self.coordinator.state().ahead.last() + 1).terms
    }

    /// Who is connected.
    fn present(&self) -> BTreeSet<ParticipantId> {
        let is_there = |id: &ParticipantId| self.participants[id].is_up() && !self.is_cut_off(*id);
        self.participants.keys().copied().filter(is_there).collect()
    }

    /// Notes since when who is not.
    fn miss(&mut self) {
        let (present, now) = (self.present(), self.now);
        self.absent_since.retain(|id, _| !present.contains(id));
        for id in self.participants.keys().filter(|id| !present.contains(id)) {
            self.absent_since.entry(*id).or_insert(now);
        }
    }

    /// Who has been away for so long that nobody waits for it.
    fn excused(&self) -> Vec<ParticipantId> {
        let is_long = |since: Timestamp| since.plus_millis(self.scenario.gather) <= self.now;
        self.absent_since.iter().filter(|(_, since)| is_long(**since)).map(|(id, _)| *id).collect()
    }

    /// Since when a connected participant has been there, by the coordinator's clock.
    fn since(&self, id: ParticipantId) -> Timestamp {
        let now = self.now.0 - START.0;
        let cut_off = self.scenario.partitions.iter().filter(|one| one.participants.contains(&id.get()));
        let ended = cut_off.map(|one| one.from + one.lasts).filter(|end| *end <= now);
        let ended = ended.map(|end| self.clock_at(START.plus_millis(end)));
        let came = self.came.get(&id).copied();
        ended.chain(came).fold(self.restarted, Ord::max)
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
        let federation = &self.federation;
        let offers = self.coordinator.offers_to(id, |round| federation.question(round.plan().id.round, 0));
        if !offers.is_empty() {
            self.offers += 1;
            self.queue.send(self.now, Event::Offered(id, self.offers, offers));
        }
    }

    fn offered(&mut self, id: ParticipantId, number: u64, offers: &[Offer]) -> Result<(), Violation> {
        let reached = self.reached.get(&id).is_some_and(|last| *last > number);
        if self.is_cut_off(id) || reached || !self.participants[&id].is_up() {
            return Ok(());
        }
        self.reached.insert(id, number);
        let owed: Vec<_> = offers.iter().map(|offer| (offer.place(), offer.owed.kind())).collect();
        let (last, times) = self.offered.entry(id).or_insert_with(|| (owed.clone(), 0));
        (*last, *times) = if *last == owed { (owed, *times + 1) } else { (owed, 0) };
        offers.iter().try_for_each(|offer| self.answered(id, offer))
    }

    /// A participant does what it is offered.
    fn answered(&mut self, id: ParticipantId, offer: &Offer) -> Result<(), Violation> {
        let (place, mut crashed) = (offer.place(), None);
        let round = match place {
            Place::Round(round) => round.round,
            Place::Ahead(_) => self.round_ahead(),
        };
        let crash = |kind: Kind| {
            let due = |crash: &crate::ParticipantCrash| {
                crash.participant == id.get() && crash.round == round && crash.kind == kind
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
                if said.kind == Kind::Dealing && !again {
                    shared::shared_as_accepted(&self.federation, id, participant.exposed().as_ref())?;
                }
                if said.kind == Kind::Reveal {
                    let wrong = participant.reveals_wrongly().then_some(&said);
                    self.watch.lied(wrong.into_iter().chain(other.as_ref()));
                }
                self.send(said, again);
                other.into_iter().for_each(|other| self.send(other, false));
                Ok(())
            }
            Answer::Declines(said, code) => {
                self.watch.declined(id, code)?;
                self.log(Operation::Declined { participant: id, place, code });
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

    /// The round that a preparation is made ahead of, if the one in progress closes.
    fn round_ahead(&self) -> u32 {
        let in_progress = self.coordinator.state().in_progress();
        in_progress.map_or(self.next.round, |round| round.plan().id.round + 1)
    }

    fn send(&mut self, said: Said, again: bool) {
        let (from, kind, place) = (said.from(), said.kind, said.place);
        let fate = match self.is_cut_off(from) {
            true => "cut off",
            false => match self.queue.send(self.now, Event::Heard(Box::new(said))) {
                Fate::Lost => "lost",
                Fate::Arrives => "arrives",
                Fate::ArrivesTwice => "arrives twice",
            },
        };
        self.log(Operation::Sent { from, kind, place, again, fate });
    }

    fn heard(&mut self, said: &Said) -> Result<(), Violation> {
        let (from, kind, place) = (said.from(), said.kind, said.place);
        if self.stopped || self.is_cut_off(from) {
            self.log(Operation::Heard { from, kind, place, outcome: "not answered" });
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
        self.log(Operation::Heard { from, kind, place, outcome });
        if let Ok(Outcome::Rejected(_) | Outcome::Known) = &heard {
            return self.watch.rejected(&self.standing, &self.state());
        }
        self.survive(heard.map(|_| ()));
        self.replay()
    }

    fn back(&mut self, id: ParticipantId) {
        self.log(Operation::ParticipantBack(id));
        self.came.insert(id, self.clock());
        self.participants.entry(id).and_modify(Participant::come_back);
    }

    fn mended(&mut self) -> Result<(), Violation> {
        self.coordinator.blobs.mend();
        self.stopped = false;
        self.log(Operation::BlobMended);
        self.restarted = self.clock();
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
                    self.restarted = self.clock();
                    result = self.coordinator.come_back(self.clock());
                    self.log(Operation::CoordinatorBack { entries: self.coordinator.ledger().size() });
                }
            }
        }
    }

    /// What the coordinator's clock shows.
    fn clock(&self) -> Timestamp {
        self.clock_at(self.now)
    }

    fn clock_at(&self, at: Timestamp) -> Timestamp {
        let past = self.scenario.clock_jumps.iter().filter(|jump| jump.at <= at.0 - START.0);
        Timestamp(past.fold(at.0, |now, jump| now.saturating_add_signed(jump.by)))
    }

    fn is_cut_off(&self, id: ParticipantId) -> bool {
        let since = self.now.0 - START.0;
        let partitions = &self.scenario.partitions;
        let mut now = partitions.iter().filter(|one| (one.from..one.from + one.lasts).contains(&since));
        now.any(|one| one.participants.contains(&id.get()))
    }

    fn is_over(&self) -> bool {
        self.done == self.scenario.rounds
    }

    fn log(&mut self, operation: Operation) {
        self.operations.push((self.now.0 - START.0, operation));
    }
}

/// How often a participant asks what it owes, in milliseconds.
const POLL: u64 = 60;

/// How many times the time between two questions is doubled at most.
const MOST_DOUBLINGS: u32 = 4;

/// How often the coordinator looks at its clock, in milliseconds.
const TICK: u64 = 40;
