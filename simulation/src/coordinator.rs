//! The coordinator of a run: decide, append, swap, perform; after a crash, what the ledger holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use syndic_round::coordinator::{
    Bundle, Dealt, Duty, Input, Opened, Opening, Phase, Preparation, RingOpened, Round, Standing as Ahead,
    Upload,
};
use syndic_round::message::{Header, Kind, Payload, Reveal};
use syndic_round::{
    Carrier, ParticipantId, Place, PreparationTerms, RING_DIMENSION, RoundPlan, SealedRoster, Sum,
    SurvivorSet, Timestamp,
};
use syndic_secure_aggregation::{
    Aggregate, EncryptedUpdate, Unopened, VectorShape, VectorShareSum, open_vector,
};

use crate::blobs::{Blobs, Torn};
use crate::engine::{Engine, OpenedRound};
use crate::ledger::{Disk, Ledger};
use crate::offer::{Asked, Offer, Owed, Said, Shown};
use crate::recording::Recorded;
use crate::replay::{Replay, State};
use crate::scenario::{CoordinatorCrash, Moment};

/// The coordinator: ledger and blobs survive a crash, what is in memory does not.
pub(crate) struct Coordinator {
    roster: Arc<SealedRoster>,
    engine: Engine,
    ledger: Ledger,
    pub(crate) blobs: Blobs,
    state: State,
    crashes: CoordinatorCrash,
}

/// Why the coordinator stopped.
pub(crate) enum Crash {
    /// At the append of an entry.
    Append { entry: u64, moment: Moment },
    /// Because a blob reads back damaged. It does nothing more until that is mended.
    Blob,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Known,
    Rejected(&'static str),
}

impl Coordinator {
    pub(crate) fn new(
        roster: Arc<SealedRoster>,
        engine: Engine,
        crashes: CoordinatorCrash,
        blobs: Blobs,
    ) -> Self {
        let ledger = Ledger::replay(Disk::default());
        Self { roster, engine, ledger, blobs, state: State::default(), crashes }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The sum stored under `digest`.
    pub(crate) fn sum(&self, plan: &RoundPlan, digest: syndic_round::Digest) -> Option<Sum> {
        Sum::from_bytes(plan.layout.clone(), self.blobs.read(digest).ok()?)
    }

    /// The terms of the preparation that was made ahead, where it serves the next round: enough of its members are among
    /// the `present`, and nobody there `has_missed` it.
    pub(crate) fn terms_ahead(
        &self,
        present: &BTreeSet<ParticipantId>,
        has_missed: impl Fn(&Preparation, ParticipantId) -> bool,
    ) -> Option<PreparationTerms> {
        let ahead = self.state.ahead.preparation()?;
        let Ahead::Ready(prepared) = ahead.standing() else { return None };
        let is_there = |id: &&ParticipantId| present.contains(id) && !ahead.declined().contains_key(*id);
        let needed = usize::from(ahead.terms().protection.min_survivors());
        let enough = prepared.eligible().iter().filter(is_there).count() >= needed;
        let serves = enough && !present.iter().any(|id| has_missed(ahead, *id));
        serves.then(|| ahead.terms().clone())
    }

    /// Begins a preparation ahead of the next round, in which nobody waits for the `absent` until they speak.
    pub(crate) fn prepare(
        &mut self,
        now: Timestamp,
        terms: PreparationTerms,
        absent: &[ParticipantId],
    ) -> Result<(), Crash> {
        let fact = Recorded::Begun(Box::new(terms.clone()), absent.to_vec());
        // If we crash here nothing was begun; after it the preparation is on record, and goes on.
        self.append(now, &terms, Place::Ahead(terms.number), &[fact])?;
        self.state
            .ahead
            .begin(terms, absent, self.roster.clone(), now)
            .expect("the terms are for this roster");
        Ok(())
    }

    /// Opens a round, in which nobody waits for the `absent` until they speak.
    pub(crate) fn open(
        &mut self,
        now: Timestamp,
        plan: RoundPlan,
        absent: &[ParticipantId],
    ) -> Result<(), Crash> {
        let fact = Recorded::Opened(Box::new(plan.clone()), absent.to_vec());
        self.append(now, &plan.terms, plan.id.into(), &[fact])?;
        self.state.open(plan, absent, &self.roster, now).expect("the plan is for this roster");
        Ok(())
    }

    /// Takes in a participant's message. What it carries is stored before anything hears of it.
    pub(crate) fn receive(&mut self, now: Timestamp, said: &Said) -> Result<Outcome, Crash> {
        match self.input_of(said) {
            // If we crash here the blob is stored but unclaimed.
            Some(input) => match said.place {
                // A message of a preparation that is consumed or gone is for the round to refuse.
                Place::Ahead(_) if self.state.ahead.preparation().is_some() => self.hear_ahead(now, &input),
                _ => self.hear(now, &input),
            },
            None => Ok(Outcome::Rejected("round.malformed")),
        }
    }

    /// The places whose deadline has passed.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Place> {
        let round = self.state.in_progress().map(|round| (Place::from(round.plan().id), round.wake_at()));
        let of_ahead = |ahead: &Preparation| (Place::Ahead(ahead.terms().number), ahead.wake_at());
        let ahead = self.state.ahead.preparation().map(of_ahead);
        let is_due = |(_, at): &(Place, Option<Timestamp>)| at.is_some_and(|at| at <= now);
        round.into_iter().chain(ahead).filter(is_due).map(|(place, _)| place).collect()
    }

    /// Wakes a place whose deadline has passed.
    pub(crate) fn wake(&mut self, now: Timestamp, place: Place) -> Result<(), Crash> {
        match place {
            Place::Round(_) => self.hear(now, &Input::Wake),
            Place::Ahead(_) => self.hear_ahead(now, &Input::Wake),
        }
        .map(|_| ())
    }

    /// Lets the round decide about an input, and does what follows from it.
    fn hear(&mut self, now: Timestamp, input: &Input) -> Result<Outcome, Crash> {
        let Some(standing) = &self.state.standing else { return Ok(Outcome::Rejected("round.none")) };
        let step = match standing.round.step(now, input) {
            Ok(step) => step,
            Err(rejection) => return Ok(Outcome::Rejected(rejection.code())),
        };
        if !step.changed {
            return Ok(Outcome::Known);
        }
        let survivors = match step.next.phase() {
            Phase::Closed(closed) => closed.survivors.ids().to_vec(),
            _ => Vec::new(),
        };
        let plan = standing.round.plan();
        let (terms, place) = (plan.terms.clone(), plan.id.into());
        self.append(now, &terms, place, &[Recorded::Input(input.clone(), survivors)])?;
        self.state.advance(step, input);
        self.settle(now)?;
        Ok(Outcome::Accepted)
    }

    /// Lets the preparation made ahead decide about an input. What becomes of it goes on record with it.
    fn hear_ahead(&mut self, now: Timestamp, input: &Input) -> Result<Outcome, Crash> {
        let Some(ahead) = self.state.ahead.preparation() else { return Ok(Outcome::Rejected("round.none")) };
        let (next, changed) = match ahead.step(now, input) {
            Ok(stepped) => stepped,
            Err(rejection) => return Ok(Outcome::Rejected(rejection.code())),
        };
        if !changed {
            return Ok(Outcome::Known);
        }
        let mut facts = vec![Recorded::Input(input.clone(), Vec::new())];
        match (ahead.standing(), next.standing()) {
            (Ahead::Preparing(_), Ahead::Ready(prepared)) => {
                facts.push(Recorded::Ready(prepared.eligible().to_vec()));
            }
            (_, Ahead::Abandoned(reason)) => facts.push(Recorded::Abandoned(reason.to_string())),
            _ => {}
        }
        let terms = next.terms().clone();
        self.append(now, &terms, Place::Ahead(terms.number), &facts)?;
        self.state.ahead.advance(next);
        Ok(Outcome::Accepted)
    }

    /// What `id` owes: the round first, with its question and the attempts that are void, and the preparation made ahead.
    pub(crate) fn offers_to(
        &self,
        id: ParticipantId,
        question: impl FnOnce(&Round) -> Vec<u8>,
    ) -> Vec<Offer> {
        let of_round = self.state.standing.as_ref().and_then(|standing| {
            let round = &standing.round;
            let owed = self.owed(id, round.duty_of(id)?)?;
            let voided = standing.voided.iter().map(|void| (void.round(), void.signatures().to_vec()));
            let (plan, voided) = (round.plan().clone(), voided.collect());
            let asked = Asked { question: question(round), plan, voided, works: false };
            Some(Offer { shown: Shown::Round(Box::new(asked)), owed })
        });
        let of_ahead = self.state.ahead.preparation().and_then(|ahead| {
            let owed = self.owed(id, ahead.duty_of(id)?)?;
            Some(Offer { shown: Shown::Ahead(ahead.terms().clone()), owed })
        });
        of_round.into_iter().chain(of_ahead).collect()
    }

    /// The lists that go with a duty.
    fn owed(&self, id: ParticipantId, duty: Duty) -> Option<Owed> {
        let share_for = |dealt: &Dealt| {
            // A damaged bundle is offered to nobody.
            let shares = Bundle::open(self.blobs.read(dealt.blob).ok()?).ok()?;
            let sealed = shares.into_iter().find_map(|(to, sealed)| (to == id).then_some(sealed))?;
            Some((dealt.public.clone(), sealed))
        };
        Some(match duty {
            Duty::Advertise => Owed::Advertise,
            Duty::Deal(cohort) => Owed::Deal(cohort.adverts().to_vec()),
            Duty::Acknowledge(_, dealt) => {
                Owed::Acknowledge(dealt.iter().map(share_for).collect::<Option<Vec<_>>>()?)
            }
            Duty::Submit(acks) => Owed::Submit(acks),
            Duty::Certify(survivors) => Owed::Certify(survivors.signed().to_vec()),
            Duty::Reveal(certificate) => Owed::Reveal(certificate.signatures().to_vec()),
            Duty::Void(cohort) => Owed::Void(cohort.adverts().to_vec()),
        })
    }

    /// The survivor set of the round in memory, once it is frozen.
    pub(crate) fn survivor_set(&self) -> Option<&SurvivorSet> {
        match self.state.standing.as_ref()?.round.phase() {
            Phase::Certifying(certifying) => Some(certifying.survivors()),
            Phase::Opening(opening) => Some(opening.certificate().survivors()),
            Phase::Closed(closed) => Some(&closed.survivors),
            _ => None,
        }
    }

    /// Forgets what is not on the ledger, replays it, and goes on.
    pub(crate) fn come_back(&mut self, now: Timestamp) -> Result<(), Crash> {
        let disk = std::mem::replace(&mut self.ledger, Ledger::replay(Disk::default())).into_disk();
        self.ledger = Ledger::replay(disk);
        self.state = self.replayed();
        if self.state.in_progress().is_some() {
            self.hear(now, &Input::Resume)?;
            self.settle(now)?;
        }
        self.hear_ahead(now, &Input::Resume).map(|_| ())
    }

    /// What the ledger alone leads to.
    pub(crate) fn replayed(&self) -> State {
        let mut replay = Replay::from(self.ledger.asked(), self.roster.clone());
        replay.follow(&self.ledger);
        replay.into_state()
    }

    /// Performs what the state owes: opening the sum, putting an end on record.
    fn settle(&mut self, now: Timestamp) -> Result<(), Crash> {
        let Some(standing) = &self.state.standing else { return Ok(()) };
        let plan = standing.round.plan().clone();
        match standing.round.phase() {
            Phase::Opening(opening) => {
                let opening = opening.clone();
                let input = match self.open_sum(&plan, &opening).map_err(|Torn| Crash::Blob)? {
                    // If we crash here the sum is stored but unclaimed; replay opens it again.
                    Ok(opened) => Input::Opened(opened),
                    Err(Unopened::MoreReveals(reason)) => Input::MoreReveals(reason),
                    Err(Unopened::Refused(reason)) => Input::SumRefused(reason),
                };
                self.hear(now, &input).map(|_| ())
            }
            Phase::Abandoned(reason) if !standing.ended => {
                let fact = Recorded::Abandoned(reason.to_string());
                self.append(now, &plan.terms, plan.id.into(), &[fact])?;
                self.state.end();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The sum and what is stored with it, all that the shipped coordinator stores.
    fn open_sum(&mut self, plan: &RoundPlan, opening: &Opening) -> Result<Result<Opened, Unopened>, Torn> {
        if plan.carrier == Carrier::Shares {
            return Ok(self.open_shared(plan, opening));
        }
        let mut aggregate =
            Aggregate::new(plan.terms.protection.parameter_set(), plan.coefficients() / RING_DIMENSION);
        for submission in opening.submissions() {
            let update = self.blobs.read(submission.upload.blob)?;
            if let Err(error) = aggregate.fold(submission.header.from, update) {
                return Ok(Err(Unopened::Refused(error.to_string())));
            }
        }
        let OpenedRound { sum, key_sum, wrong_reveals } = match self.engine.open(plan, opening, &aggregate) {
            Ok(opened) => opened,
            Err(unopened) => return Ok(Err(unopened)),
        };
        Ok(Ok(Opened {
            sum: self.blobs.put(sum.to_bytes()),
            ring: Some(RingOpened {
                key_sum: self.blobs.put(key_sum),
                aggregate: self.blobs.put(aggregate.bytes().to_vec()),
                aggregate_root: aggregate.root(),
            }),
            checked: true,
            transcript: self.blobs.put(opening.transcript(plan).to_bytes()),
            wrong_reveals,
        }))
    }

    /// Whether the round's vectors are shared themselves.
    fn shares_vectors(&self) -> bool {
        let carrier = self.state.standing.as_ref().map(|standing| standing.round.plan().carrier);
        carrier == Some(Carrier::Shares)
    }

    /// The sum of vectors that were shared themselves: the reveals are all it takes.
    fn open_shared(&mut self, plan: &RoundPlan, opening: &Opening) -> Result<Opened, Unopened> {
        let opened = open_vector(plan, opening)?;
        Ok(Opened {
            sum: self.blobs.put(opened.sum.to_bytes()),
            ring: None,
            checked: opened.is_checked(),
            transcript: self.blobs.put(opening.transcript(plan).to_bytes()),
            wrong_reveals: opened.wrong_reveals,
        })
    }

    fn input_of(&mut self, said: &Said) -> Option<Input> {
        let signed = said.signed.clone();
        Some(match said.kind {
            Kind::Advertise => Input::Advertise(signed),
            Kind::Dealing => {
                let bundle = Bundle::measure(&said.attached).ok()?;
                self.blobs.receive(said.attached.clone());
                Input::Deal(signed, bundle)
            }
            Kind::Ack => Input::Acknowledge(signed),
            Kind::Header if self.shares_vectors() && said.attached.is_empty() => {
                Input::Submit(signed, Upload::of_shares(Header::decode(&said.signed.payload).ok()?.root))
            }
            Kind::Header => {
                let set = self.state.standing.as_ref()?.round.plan().terms.protection.parameter_set();
                let update = EncryptedUpdate::from_bytes(set, said.attached.clone()).ok()?;
                let upload = Upload {
                    root: update.root(),
                    chunks: u32::try_from(update.chunk_count()).ok()?,
                    blob: self.blobs.receive(said.attached.clone()),
                    bytes: said.attached.len() as u64,
                };
                Input::Submit(signed, upload)
            }
            Kind::Certify => Input::Certify(signed),
            Kind::Reveal => {
                let share_sum = Reveal::decode(&signed.payload).ok()?.share_sum;
                let plan = self.state.standing.as_ref()?.round.plan();
                // One malformed message must not end a round.
                if self.shares_vectors()
                    && VectorShareSum::from_bytes(&share_sum, &VectorShape::of(plan)?).is_err()
                {
                    return None;
                }
                Input::Reveal(signed)
            }
            Kind::Void => Input::Void(signed),
            Kind::Decline => Input::Decline(signed),
        })
    }

    fn append(
        &mut self,
        now: Timestamp,
        terms: &PreparationTerms,
        place: Place,
        facts: &[Recorded],
    ) -> Result<(), Crash> {
        let entry = self.ledger.size();
        let appended = entry..entry + facts.len() as u64;
        let moment = match self.crashes {
            CoordinatorCrash::Once(index, moment) if appended.contains(&index) => {
                self.crashes = CoordinatorCrash::Never;
                Some(moment)
            }
            // A coordinator that crashed at every restart would never get on.
            CoordinatorCrash::AfterEveryAppend if !matches!(facts, [Recorded::Input(Input::Resume, _)]) => {
                Some(Moment::After)
            }
            _ => None,
        };
        if moment != Some(Moment::Before) {
            self.ledger.append(now, terms, place, facts);
        }
        match moment {
            Some(moment) => {
                self.state = State::default();
                Err(Crash::Append { entry, moment })
            }
            None => Ok(()),
        }
    }
}
