//! The coordinator of a run: decide, append, swap, perform; after a crash, what the ledger holds.

use std::sync::Arc;

use syndic_round::coordinator::{Bundle, Dealt, Duty, Input, Opened, Opening, Phase, Round, Upload};
use syndic_round::message::Kind;
use syndic_round::{ParticipantId, RING_DIMENSION, RoundPlan, SealedRoster, Sum, SurvivorSet, Timestamp};
use syndic_secure_aggregation::{Aggregate, EncryptedUpdate, Unopened};

use crate::blobs::{Blobs, Torn};
use crate::engine::{Engine, OpenedRound};
use crate::ledger::{Disk, Ledger};
use crate::participant::{Offer, Owed, Said};
use crate::recording::Recorded;
use crate::replay::{Replay, Standing};
use crate::scenario::{CoordinatorCrash, Moment};

/// The coordinator: ledger and blobs survive a crash, the round in memory does not.
pub(crate) struct Coordinator {
    roster: Arc<SealedRoster>,
    engine: Engine,
    ledger: Ledger,
    pub(crate) blobs: Blobs,
    standing: Option<Standing>,
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
        Self { roster, engine, ledger, blobs, standing: None, crashes }
    }

    pub(crate) fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The sum stored under `digest`.
    pub(crate) fn sum(&self, plan: &RoundPlan, digest: syndic_round::Digest) -> Option<Sum> {
        Sum::from_bytes(plan.layout.clone(), self.blobs.read(digest).ok()?)
    }

    /// Opens a round.
    pub(crate) fn open(&mut self, now: Timestamp, plan: RoundPlan) -> Result<(), Crash> {
        let round = Round::open(plan.clone(), self.roster.clone(), now).expect("the plan is for this roster");
        self.append(now, &plan, &Recorded::Opened(Box::new(plan.clone())))?;
        self.standing = Some(Standing::opened(round, self.standing.take()));
        Ok(())
    }

    /// Takes in a participant's message. What it carries is stored before the round hears of it.
    pub(crate) fn receive(&mut self, now: Timestamp, said: &Said) -> Result<Outcome, Crash> {
        match self.input_of(said) {
            // If we crash here the blob is stored but unclaimed.
            Some(input) => self.hear(now, &input),
            None => Ok(Outcome::Rejected("round.malformed")),
        }
    }

    /// Lets the round decide about an input, and does what follows from it.
    pub(crate) fn hear(&mut self, now: Timestamp, input: &Input) -> Result<Outcome, Crash> {
        let Some(standing) = &self.standing else { return Ok(Outcome::Rejected("round.none")) };
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
        self.append(now, step.next.plan(), &Recorded::Input(input.clone(), survivors))?;
        self.standing = self.standing.take().map(|standing| standing.after(step, input));
        self.settle(now)?;
        Ok(Outcome::Accepted)
    }

    /// What `id` owes under the round's plan, with the lists that go with it and the attempts that are void.
    pub(crate) fn offer_to(&self, id: ParticipantId, question: Vec<u8>) -> Option<Offer> {
        let Standing { round, voided, .. } = self.standing.as_ref()?;
        let share_for = |dealt: &Dealt| {
            // A damaged bundle is offered to nobody.
            let shares = Bundle::open(self.blobs.read(dealt.blob).ok()?).ok()?;
            let sealed = shares.into_iter().find_map(|(to, sealed)| (to == id).then_some(sealed))?;
            Some((dealt.public.clone(), sealed))
        };
        let owed = match round.duty_of(id)? {
            Duty::Advertise => Owed::Advertise,
            Duty::Deal(cohort) => Owed::Deal(cohort.adverts().to_vec()),
            Duty::Acknowledge(_, dealt) => {
                Owed::Acknowledge(dealt.iter().map(share_for).collect::<Option<Vec<_>>>()?)
            }
            Duty::Submit(acks) => Owed::Submit(acks),
            Duty::Certify(survivors) => Owed::Certify(survivors.signed().to_vec()),
            Duty::Reveal(certificate) => Owed::Reveal(certificate.signatures().to_vec()),
            Duty::Void(cohort) => Owed::Void(cohort.adverts().to_vec()),
        };
        let voided = voided.iter().map(|void| (void.round(), void.signatures().to_vec())).collect();
        Some(Offer { plan: round.plan().clone(), question, owed, voided })
    }

    /// The survivor set of the round in memory, once it is frozen.
    pub(crate) fn survivor_set(&self) -> Option<&SurvivorSet> {
        match self.standing.as_ref()?.round.phase() {
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
        self.standing = self.replayed();
        match &self.standing {
            Some(standing) if !standing.ended => {
                self.hear(now, &Input::Resume)?;
                self.settle(now)
            }
            _ => Ok(()),
        }
    }

    /// The round that the ledger alone leads to.
    pub(crate) fn replayed(&self) -> Option<Standing> {
        let mut replay = Replay::from(self.ledger.asked(), self.roster.clone());
        replay.follow(&self.ledger);
        replay.into_standing()
    }

    /// Performs what the state owes: opening the sum, putting an end on record.
    fn settle(&mut self, now: Timestamp) -> Result<(), Crash> {
        let Some(standing) = &self.standing else { return Ok(()) };
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
                self.append(now, &plan, &fact)?;
                self.standing.iter_mut().for_each(|standing| standing.ended = true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The sum and what is stored with it, all that the shipped coordinator stores.
    fn open_sum(&mut self, plan: &RoundPlan, opening: &Opening) -> Result<Result<Opened, Unopened>, Torn> {
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
            key_sum: self.blobs.put(key_sum),
            aggregate: self.blobs.put(aggregate.bytes().to_vec()),
            aggregate_root: aggregate.root(),
            transcript: self.blobs.put(opening.transcript(plan).to_bytes()),
            wrong_reveals,
        }))
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
            Kind::Header => {
                let set = self.standing.as_ref()?.round.plan().terms.protection.parameter_set();
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
            Kind::Reveal => Input::Reveal(signed),
            Kind::Void => Input::Void(signed),
            Kind::Decline => Input::Decline(signed),
        })
    }

    fn append(&mut self, now: Timestamp, plan: &RoundPlan, fact: &Recorded) -> Result<(), Crash> {
        let entry = self.ledger.size();
        let moment = match self.crashes {
            CoordinatorCrash::Once(index, moment) if index == entry => {
                self.crashes = CoordinatorCrash::Never;
                Some(moment)
            }
            // A coordinator that crashed at every restart would never get on.
            CoordinatorCrash::AfterEveryAppend if !matches!(fact, Recorded::Input(Input::Resume, _)) => {
                Some(Moment::After)
            }
            _ => None,
        };
        if moment != Some(Moment::Before) {
            self.ledger.append(now, plan, fact);
        }
        match moment {
            Some(moment) => {
                self.standing = None;
                Err(Crash::Append { entry, moment })
            }
            None => Ok(()),
        }
    }
}
