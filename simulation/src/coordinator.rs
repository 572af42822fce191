//! The coordinator of a run: decide, append, swap, perform; after a crash, what the ledger holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use syndic_round::coordinator::{Bundle, Duty, Input, Opened, Opening, Phase, Round, Upload};
use syndic_round::message::Kind;
use syndic_round::{
    Digest, ParticipantId, RING_DIMENSION, RoundPlan, SealedRoster, Sum, SurvivorSet, Timestamp,
};
use syndic_secure_aggregation::{Aggregate, EncryptedUpdate, OpenedSum, Unopened, open};

use crate::ledger::{Disk, Ledger};
use crate::participant::{Offer, Said};
use crate::recording::Recorded;
use crate::replay::{Replay, Standing};
use crate::scenario::{CoordinatorCrash, Moment};

/// The coordinator: ledger and blobs survive a crash, the round in memory does not.
pub(crate) struct Coordinator {
    roster: Arc<SealedRoster>,
    ledger: Ledger,
    blobs: BTreeMap<Digest, Vec<u8>>,
    standing: Option<Standing>,
    crashes: CoordinatorCrash,
}

/// A crash at the append of an entry.
pub(crate) struct Crash {
    pub(crate) entry: u64,
    pub(crate) moment: Moment,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Known,
    Rejected(&'static str),
}

impl Coordinator {
    pub(crate) fn new(roster: Arc<SealedRoster>, crashes: CoordinatorCrash) -> Self {
        let ledger = Ledger::replay(Disk::default());
        Self { roster, ledger, blobs: BTreeMap::new(), standing: None, crashes }
    }

    pub(crate) fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The sum stored under `digest`.
    pub(crate) fn sum(&self, plan: &RoundPlan, digest: Digest) -> Option<Sum> {
        Sum::from_bytes(plan.layout.clone(), self.blobs.get(&digest)?)
    }

    /// Opens a round.
    pub(crate) fn open(&mut self, now: Timestamp, plan: RoundPlan) -> Result<(), Crash> {
        let round = Round::open(plan.clone(), self.roster.clone(), now).expect("the plan is for this roster");
        self.append(now, &plan, &Recorded::Opened(Box::new(plan.clone())))?;
        self.standing = Some(Standing { round, ended: false });
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
        let ended = matches!(input, Input::Opened(_));
        self.append(now, step.next.plan(), &Recorded::Input(input.clone(), survivors))?;
        self.standing = Some(Standing { round: step.next, ended });
        self.settle(now)?;
        Ok(Outcome::Accepted)
    }

    /// What `id` owes, with the shares addressed to it.
    pub(crate) fn offer_to(&self, id: ParticipantId) -> Option<Offer> {
        let round = &self.standing.as_ref()?.round;
        let duty = round.duty_of(id)?;
        let shares = match &duty {
            Duty::Acknowledge(_, dealt) => {
                let share_in = |blob: &Digest| {
                    let shares = Bundle::open(self.blobs.get(blob)?).ok()?;
                    shares.into_iter().find_map(|(to, sealed)| (to == id).then_some(sealed))
                };
                dealt.iter().map(|dealt| Some((dealt.public.clone(), share_in(&dealt.blob)?))).collect()
            }
            _ => Some(Vec::new()),
        };
        Some(Offer { plan: round.plan().clone(), duty, shares: shares? })
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
        let mut replay = Replay::from(self.ledger.opened(), self.roster.clone());
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
                let input = match self.open_sum(&plan, &opening) {
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
    fn open_sum(&mut self, plan: &RoundPlan, opening: &Opening) -> Result<Opened, Unopened> {
        let mut aggregate =
            Aggregate::new(plan.protection.parameter_set(), plan.coefficients() / RING_DIMENSION);
        for submission in opening.submissions() {
            let update = self.blobs.get(&submission.upload.blob).expect("what was submitted is stored");
            let folded = aggregate.fold(submission.header.from, update);
            folded.map_err(|error| Unopened::Refused(error.to_string()))?;
        }
        let OpenedSum { sum, keys, wrong_reveals } = open(plan, opening, &aggregate)?;
        Ok(Opened {
            sum: self.put(sum.to_bytes()),
            key_sum: self.put(keys.to_bytes()),
            aggregate: self.put(aggregate.bytes().to_vec()),
            aggregate_root: aggregate.root(),
            transcript: self.put(opening.transcript(plan).to_bytes()),
            wrong_reveals,
        })
    }

    fn put(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }

    fn input_of(&mut self, said: &Said) -> Option<Input> {
        let signed = said.signed.clone();
        Some(match said.kind {
            Kind::Advertise => Input::Advertise(signed),
            Kind::Dealing => {
                let bundle = Bundle::measure(&said.attached).ok()?;
                self.blobs.insert(bundle.blob, said.attached.clone());
                Input::Deal(signed, bundle)
            }
            Kind::Ack => Input::Acknowledge(signed),
            Kind::Header => {
                let set = self.standing.as_ref()?.round.plan().protection.parameter_set();
                let update = EncryptedUpdate::from_bytes(set, said.attached.clone()).ok()?;
                let upload = Upload {
                    root: update.root(),
                    chunks: u32::try_from(update.chunk_count()).ok()?,
                    blob: Digest::of(&said.attached),
                    bytes: said.attached.len() as u64,
                };
                self.blobs.insert(upload.blob, said.attached.clone());
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
                Err(Crash { entry, moment })
            }
            None => Ok(()),
        }
    }
}
