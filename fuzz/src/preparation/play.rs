//! One preparation in play, and what must hold of it after every step.

use std::collections::{BTreeMap, BTreeSet};

use syndic_round::coordinator::{Duty, Input, Phase, Preparation, Preparing, Round, Standing};
use syndic_round::message::{Context, Decline, Kind};
use syndic_round::{Cohort, Digest, ParticipantId, Place, PlanError, RoundId, RoundPlan, Timestamp};

use crate::federation::{FEDERATION, N, id};
use crate::round::{alter, disguised, fingerprint, forged, own_event, pick, with_message};

/// What a step does: its first byte, modulo thirteen.
pub(super) const ONE: u8 = 0;
pub(super) const EVERYBODY: u8 = 1;
pub(super) const DEADLINE: u8 = 2;
pub(super) const LATER: u8 = 3;
pub(super) const RESTART: u8 = 4;
pub(super) const REPEAT: u8 = 5;
pub(super) const ALTER: u8 = 6;
pub(super) const FORGE: u8 = 7;
pub(super) const DECLINE: u8 = 8;
pub(super) const OWN_EVENT: u8 = 9;
pub(super) const FOREIGN_MESSAGE: u8 = 10;
pub(super) const DISGUISE: u8 = 11;
pub(super) const IMPERSONATE: u8 = 12;

pub(super) struct Play {
    plan: RoundPlan,
    preparation: Preparation,
    now: Timestamp,
    /// What changed it, as the ledger would keep it.
    record: Vec<(Timestamp, Input)>,
    /// Everything that was ever handed in.
    said: Vec<Input>,
    /// Whose message of each kind was accepted.
    accepted: BTreeMap<Kind, BTreeSet<ParticipantId>>,
    rank: u8,
    h1: Option<Digest>,
}

impl Play {
    pub(super) fn open(attempt: u32) -> Self {
        let plan = FEDERATION.plan(attempt);
        let preparation = open(&plan);
        let (record, said, accepted) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { plan, preparation, now: START, record, said, accepted, rank: 0, h1: None }
    }

    pub(super) fn said(&self) -> &[Input] {
        &self.said
    }

    #[cfg(test)]
    pub(super) fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// Does one step.
    pub(super) fn act(&mut self, [what, who, a, b, c, d]: [u8; 6], foreign: &[Input]) {
        let me = id(1 + u16::from(who) % N);
        match what % 13 {
            ONE => self.hand_in_all(self.owed(me, a)),
            EVERYBODY => (1..=N).for_each(|number| self.hand_in_all(self.owed(id(number), 0))),
            DEADLINE => {
                self.now = self.preparation.wake_at().unwrap_or(self.now).max(self.now).plus_millis(a.into());
                self.hand_in(Input::Wake);
            }
            LATER => {
                self.now = self.now.plus_millis(u64::from(a) << (b % 56));
                self.hand_in(Input::Wake);
            }
            RESTART => self.hand_in(Input::Resume),
            REPEAT => self.hand_in_all(pick(&self.said, a, b)),
            ALTER => {
                let honest = self.owed(me, 0).or_else(|| pick(&self.said, a, d));
                self.hand_in_all(honest.map(|input| with_message(input, |signed| alter(signed, a, b, c))));
            }
            FORGE => {
                let honest = self.owed(me, 0).or_else(|| pick(&self.said, a, d));
                let (first, then) = (self.first_context(), self.context());
                self.hand_in_all(honest.map(|input| forged(input, [a, b, c], first, then)));
            }
            DECLINE => {
                let reason = ["participant.restarted", "data", "x"][usize::from(a) % 3].to_owned();
                // A no to a round is none to a preparation.
                let round = if b.is_multiple_of(2) { Place::AHEAD } else { self.plan.id };
                let decline = Decline { id: me, round, reason };
                self.hand_in(Input::Decline(FEDERATION.sign(&decline, self.first_context())));
            }
            OWN_EVENT => self.hand_in(own_event(a, me)),
            FOREIGN_MESSAGE => self.hand_in_all(pick(foreign, a, b)),
            DISGUISE => {
                let said = pick(&self.said, a, c).or_else(|| self.owed(me, 0));
                self.hand_in_all(said.and_then(|input| disguised(&input, b, &self.plan)));
            }
            _ => {
                let other = id(1 + u16::from(a) % N);
                let honest = self.owed(me, 0);
                self.hand_in_all(honest.map(|input| with_message(input, |signed| signed.from = other)));
            }
        }
    }

    /// What `me` owes now, said honestly; `complaint` names a dealer whose share it calls bad.
    fn owed(&self, me: ParticipantId, complaint: u8) -> Option<Input> {
        match self.preparation.duty_of(me)? {
            Duty::Advertise => Some(Input::Advertise(FEDERATION.advertise(&self.plan, me))),
            Duty::Deal(cohort) => {
                let (signed, bundle) = FEDERATION.deal(&self.plan, &cohort, me);
                Some(Input::Deal(signed, bundle))
            }
            Duty::Acknowledge(cohort, dealt) => {
                let ack = FEDERATION.acknowledge(&cohort, &dealt, me, complaint.into());
                Some(Input::Acknowledge(ack))
            }
            _ => panic!("a preparation asks for what belongs to a round"),
        }
    }

    fn hand_in_all(&mut self, input: impl IntoIterator<Item = Input>) {
        input.into_iter().for_each(|input| self.hand_in(input));
    }

    /// Steps the preparation, and checks what must hold whatever the input.
    fn hand_in(&mut self, input: Input) {
        let before = fingerprint(&self.preparation);
        let step = self.preparation.step(self.now, &input);
        assert_eq!(before, fingerprint(&self.preparation), "deciding changed the preparation");
        match step {
            Ok((next, true)) => {
                self.preparation = next;
                self.changed(&input);
                self.record.push((self.now, input.clone()));
                let again = input.message().map(|_| self.preparation.step(self.now, &input));
                assert!(
                    again.is_none_or(|again| again.is_ok_and(|(_, changed)| !changed)),
                    "{input:?} again"
                );
            }
            Ok((next, false)) => assert_eq!(before, fingerprint(&next), "unchanged means unchanged"),
            Err(rejection) => assert!(rejection.code().contains('.')),
        }
        if self.said.len() < 256 {
            self.said.push(input);
        }
    }

    /// Checks the preparation after `input` changed it.
    fn changed(&mut self, input: &Input) {
        let preparation = &self.preparation;
        let admitted = &preparation.terms().admitted;
        if let Some((kind, signed)) = input.message() {
            let of_preparation = [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Decline];
            assert!(of_preparation.contains(&kind), "{} belongs to a round", kind.name());
            let fresh = self.accepted.entry(kind).or_default().insert(signed.from);
            assert!(fresh, "{} was heard twice as {}", signed.from, kind.name());
            assert!(admitted.contains(&signed.from), "{} is not admitted", signed.from);
        }
        let rank = rank(preparation.standing());
        assert!(rank > self.rank || rank == self.rank && self.rank < ABANDONED, "{} to {rank}", self.rank);
        self.rank = rank;
        if let Some(cohort) = cohort(preparation) {
            let h1 = *self.h1.get_or_insert(cohort.h1());
            assert_eq!(h1, cohort.h1(), "the cohort changed");
            let heard = self.heard(Kind::Advertise);
            assert!(cohort.ids().iter().all(|id| heard.contains(id)), "a member without a key");
        }
        let is_over = rank >= READY;
        assert_eq!(preparation.wake_at().is_none(), is_over);
        let owing = admitted.iter().filter(|id| preparation.duty_of(**id).is_some());
        assert_eq!(owing.count() == 0, is_over, "it waits for nobody, or asks when all is over");
        let declined = self.heard(Kind::Decline);
        assert!(preparation.declined().keys().eq(declined.iter()), "noes are kept");
        assert!(declined.iter().all(|id| preparation.duty_of(*id).is_none()), "who declined is asked");
        self.check_ready();
    }

    /// Nobody is eligible whose key too few hold.
    fn check_ready(&self) {
        let Standing::Ready(prepared) = self.preparation.standing() else { return };
        let protection = &self.preparation.terms().protection;
        let (t, u_min) = (usize::from(protection.threshold()), usize::from(protection.min_survivors()));
        assert!(self.heard(Kind::Ack).len() >= t, "ready without t acknowledgements");
        assert!(prepared.eligible().len() >= u_min && prepared.cohort().len() >= t, "ready with too few");
        let dealt = self.heard(Kind::Dealing);
        assert!(prepared.eligible().iter().all(|id| dealt.contains(id)), "eligible without shares");
        assert!(prepared.eligible().is_sorted_by(|one, next| one < next), "each once, in order");
    }

    /// The record alone leads to the same preparation.
    pub(super) fn check_replay(&self) {
        let replayed = self.record.iter().fold(open(&self.plan), |preparation, (now, input)| {
            let (next, changed) = preparation.step(*now, input).expect("it was accepted before");
            assert!(changed, "only changes are recorded");
            next
        });
        assert_eq!(fingerprint(&replayed), fingerprint(&self.preparation), "the record leads elsewhere");
    }

    /// A round opens with it where it is ready, under a plan of its very terms only, and asks those who are eligible and
    /// did not decline for their updates, nobody else for anything.
    pub(super) fn check_round(&self) {
        let plan = self.plan.clone();
        let opened = Round::open_prepared(plan.clone(), &self.preparation, self.now);
        let Standing::Ready(prepared) = self.preparation.standing() else {
            assert_eq!(opened.err(), Some(PlanError::Preparation), "a round without keys");
            return;
        };
        let round = opened.expect("it is ready, and the plan is for it");
        assert!(matches!(round.phase(), Phase::Collecting(_)));
        assert_eq!(round.phase().cohort().map(Cohort::h1), self.h1);
        for number in 1..=N {
            let who = id(number);
            let may = prepared.eligible().contains(&who) && !self.heard(Kind::Decline).contains(&who);
            assert_eq!(matches!(round.duty_of(who), Some(Duty::Submit(_))), may, "{who}");
            assert_eq!(round.duty_of(who).is_some(), may, "{who}");
        }
        // What was said ahead is known to the round, and not taken twice.
        for (_, input) in self.record.iter().filter(|(_, input)| input.message().is_some()) {
            assert!(round.step(self.now, input).is_ok_and(|step| !step.changed), "{input:?} again");
        }
        let other = FEDERATION.plan(2);
        assert!(Round::open_prepared(other.clone(), &self.preparation, self.now).is_err());
        let terms = plan.terms.clone();
        let attempt = RoundPlan { terms, id: RoundId { round: 1, attempt: 7 }, ..other };
        assert!(Round::open_prepared(attempt, &self.preparation, self.now).is_ok(), "terms decide alone");
        let nowhere = RoundPlan { id: Place::AHEAD, ..plan };
        assert_eq!(
            Round::open_prepared(nowhere, &self.preparation, self.now).err(),
            Some(PlanError::Number),
            "a round is counted from 1"
        );
    }

    fn heard(&self, kind: Kind) -> BTreeSet<ParticipantId> {
        self.accepted.get(&kind).cloned().unwrap_or_default()
    }

    fn first_context(&self) -> Context {
        Context { ctx0: self.plan.context(), h1: None }
    }

    fn context(&self) -> Context {
        cohort(&self.preparation).map_or(self.first_context(), Cohort::context)
    }
}

fn open(plan: &RoundPlan) -> Preparation {
    let (terms, roster) = (plan.terms.clone(), FEDERATION.roster.clone());
    Preparation::open(terms, roster, START).expect("the terms suit the roster")
}

fn cohort(preparation: &Preparation) -> Option<&Cohort> {
    match preparation.standing() {
        Standing::Preparing(preparing) => preparing.cohort(),
        Standing::Ready(prepared) => Some(prepared.cohort()),
        Standing::Abandoned(_) => None,
    }
}

fn rank(standing: &Standing) -> u8 {
    match standing {
        Standing::Preparing(Preparing::Advertising(_)) => 0,
        Standing::Preparing(Preparing::Sharing(_)) => 1,
        Standing::Preparing(Preparing::Acknowledging(_)) => 2,
        Standing::Ready(_) => READY,
        Standing::Abandoned(_) => ABANDONED,
    }
}

const READY: u8 = 3;
const ABANDONED: u8 = 4;

/// When every preparation begins.
const START: Timestamp = Timestamp(1_000_000);
