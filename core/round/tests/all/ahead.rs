//! Preparations made ahead: phases A to C by themselves, and the rounds that consume them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;

use crate::support::seat::{Blobs, Seat};
use crate::support::{Federation, START, federation_of, id, opened, plan};
use ed25519_dalek::SigningKey;
use syndic_round::coordinator::{Abandoned, Duty, Input, Phase, Preparation, Round, Standing};
use syndic_round::message::Kind;
use syndic_round::participant::Invited;
use syndic_round::{
    Digest, ParticipantId, Place, PlanError, PreparationTerms, Rejection, RoundPlan, Timestamp,
};

/// A preparation in play, with a record of what it accepted.
struct Ahead {
    federation: Federation,
    preparation: Preparation,
    now: Timestamp,
    record: Vec<(Timestamp, Input)>,
    seats: Vec<(ParticipantId, Seat)>,
    blobs: Blobs,
}

impl Ahead {
    /// Of the plan's terms.
    fn open(plan: &RoundPlan, federation: Federation) -> Self {
        let roster = federation.roster.clone();
        let preparation = Preparation::open(plan.terms.clone(), roster, START).unwrap();
        let seats = plan.terms.admitted.iter().map(|id| (*id, Seat::of(&federation, plan, *id))).collect();
        Self { federation, preparation, now: START, record: Vec::new(), seats, blobs: Blobs::new() }
    }

    fn feed(&mut self, input: Input) -> Result<bool, Rejection> {
        let before = format!("{:?}", self.preparation);
        let (next, changed) = self.preparation.step(self.now, &input)?;
        assert_eq!(changed, format!("{next:?}") != before, "only what changes something is recorded");
        if changed {
            self.record.push((self.now, input));
        }
        self.preparation = next;
        Ok(changed)
    }

    /// Everybody but `absent` does what is owed, to the end.
    fn play_without(&mut self, absent: &[ParticipantId]) {
        while let Some(at) = self.preparation.wake_at() {
            let owing = self.seats.iter().map(|(id, _)| *id).filter(|id| !absent.contains(id));
            let owing: Vec<_> = owing.filter(|id| self.preparation.duty_of(*id).is_some()).collect();
            if owing.is_empty() {
                self.now = at;
                self.feed(Input::Wake).unwrap();
            }
            for id in owing {
                self.now = self.now.plus_millis(1);
                // The phase may have ended with the message before.
                let Some(duty) = self.preparation.duty_of(id) else { continue };
                let seat = self.seats.iter_mut().find(|(of, _)| *of == id).map(|(_, seat)| seat).unwrap();
                let input = seat.play(&duty, &mut self.blobs).unwrap();
                self.feed(input).unwrap();
            }
        }
    }

    fn key(&self, id: ParticipantId) -> &SigningKey {
        self.federation.key(id)
    }

    fn replayed(&self) -> Preparation {
        let terms = self.preparation.terms().clone();
        let opened = Preparation::open(terms, self.federation.roster.clone(), START).unwrap();
        self.record.iter().fold(opened, |preparation, (now, input)| preparation.step(*now, input).unwrap().0)
    }
}

fn ready(plan: &RoundPlan, federation: Federation) -> Ahead {
    let mut ahead = Ahead::open(plan, federation);
    ahead.play_without(&[]);
    assert!(matches!(ahead.preparation.standing(), Standing::Ready(_)));
    ahead
}

#[test]
fn a_round_that_consumes_a_preparation_is_three_exchanges() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = ready(&plan, federation);

    let mut round = Round::open_prepared(plan, &ahead.preparation, ahead.now).unwrap();

    let mut exchanges = Vec::new();
    while !matches!(round.phase(), Phase::Closed(_)) {
        assert!(!matches!(round.phase(), Phase::Preparing(_)), "no key is shared in the round");
        if round.command().is_some() {
            round = round.step(ahead.now, &Input::Opened(opened())).unwrap().next;
            continue;
        }
        let mut kinds = Vec::new();
        for (id, seat) in &mut ahead.seats {
            let Some(duty) = round.duty_of(*id) else { continue };
            let input = seat.play(&duty, &mut ahead.blobs).unwrap();
            kinds.extend(input.message().map(|(kind, _)| kind));
            round = round.step(ahead.now, &input).unwrap().next;
        }
        exchanges.push(kinds[0]);
        assert!(kinds.iter().all(|kind| *kind == kinds[0]), "{kinds:?}");
    }
    assert_eq!(exchanges, [Kind::Header, Kind::Certify, Kind::Reveal]);
    let Phase::Closed(closed) = round.phase() else { panic!("it is closed") };
    assert_eq!(closed.survivors.len(), 5);
}

#[test]
fn who_vanishes_while_a_preparation_is_made_is_not_waited_for_in_its_round() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = Ahead::open(&plan, federation);
    ahead.play_without(&[id(3)]);

    let Standing::Ready(prepared) = ahead.preparation.standing() else { panic!("four are enough") };
    assert_eq!(prepared.eligible(), [1, 2, 4, 5].map(id));
    let round = Round::open_prepared(plan, &ahead.preparation, ahead.now).unwrap();
    assert!(round.duty_of(id(3)).is_none());
    assert!(matches!(round.duty_of(id(4)), Some(Duty::Submit(_))));
}

#[test]
fn too_few_end_a_preparation_without_a_round() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = Ahead::open(&plan, federation);
    ahead.play_without(&[id(3), id(4)]);

    let Standing::Abandoned(Abandoned::TooFew { found: 3, needed: 4, .. }) = ahead.preparation.standing()
    else {
        panic!("{:?}", ahead.preparation.standing())
    };
    let refused = Round::open_prepared(plan, &ahead.preparation, ahead.now).err();
    assert_eq!(refused, Some(PlanError::Preparation));
}

#[test]
fn a37_a_preparation_serves_a_plan_of_the_very_same_terms_only() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let fresh = Preparation::open(plan.terms.clone(), federation.roster.clone(), START).unwrap();
    assert_eq!(Round::open_prepared(plan.clone(), &fresh, START).err(), Some(PlanError::Preparation));

    let ahead = ready(&plan, federation);
    let others = [
        PreparationTerms { number: plan.terms.number + 1, ..plan.terms.clone() },
        PreparationTerms { agreement: Digest::of(b"another job"), ..plan.terms.clone() },
    ];
    for terms in others {
        let other = RoundPlan { terms, ..plan.clone() };
        let refused = Round::open_prepared(other, &ahead.preparation, ahead.now).err();
        assert_eq!(refused, Some(PlanError::Preparation));
    }
    assert!(Round::open_prepared(plan, &ahead.preparation, ahead.now).is_ok());
}

#[test]
fn a37_a_participant_binds_its_preparation_to_a_plan_of_the_same_terms_only() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let other_terms = PreparationTerms { number: plan.terms.number + 1, ..plan.terms.clone() };
    let wrong = [
        (RoundPlan { terms: other_terms, ..plan.clone() }, Rejection::Mismatch("preparation")),
        (RoundPlan { id: Place::AHEAD, ..plan.clone() }, Rejection::Plan(PlanError::Number)),
    ];
    for (other, why) in wrong {
        let mut ahead = Ahead::open(&plan, federation_of(5));
        while !matches!(ahead.preparation.duty_of(id(1)), Some(Duty::Acknowledge(..))) {
            for (id, seat) in &mut ahead.seats {
                let Some(duty) = ahead.preparation.duty_of(*id) else { continue };
                let input = seat.play(&duty, &mut ahead.blobs).unwrap();
                ahead.preparation = ahead.preparation.step(ahead.now, &input).unwrap().0;
                if matches!(ahead.preparation.duty_of(crate::support::id(1)), Some(Duty::Acknowledge(..))) {
                    break;
                }
            }
        }
        let (_, seat) = ahead.seats.remove(0);
        let (acknowledged, _) = seat.into_joined().acknowledge(&[], ahead.federation.key(id(1)));
        assert_eq!(acknowledged.bind(Arc::new(other)).err(), Some(why));
    }
}

#[test]
fn a_preparation_is_the_fold_of_what_it_accepted() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = Ahead::open(&plan, federation);
    ahead.now = ahead.now.plus_millis(5);
    ahead.feed(Input::Resume).unwrap();
    ahead.play_without(&[id(2)]);
    assert_eq!(format!("{:?}", ahead.replayed()), format!("{:?}", ahead.preparation));
}

#[test]
fn who_declines_a_preparation_is_not_asked_and_not_in_its_round() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = Ahead::open(&plan, federation);
    let no = |place| Invited::decline(&plan.terms, place, id(5), "policy.hours", ahead.federation.key(id(5)));
    let (ahead_of_any, of_a_round) = (no(Place::Ahead(plan.terms.number)), no(Place::Round(plan.id)));

    assert_eq!(ahead.feed(Input::Decline(of_a_round)), Err(Rejection::Mismatch("round")));
    assert_eq!(ahead.feed(Input::Decline(ahead_of_any.clone())), Ok(true));
    assert_eq!(ahead.feed(Input::Decline(ahead_of_any)), Ok(false), "the same again changes nothing");
    assert!(ahead.preparation.duty_of(id(5)).is_none());
    assert_eq!(ahead.preparation.declined()[&id(5)], "policy.hours");
    ahead.play_without(&[]);

    let round = Round::open_prepared(plan, &ahead.preparation, ahead.now).unwrap();
    assert!(round.declined().contains_key(&id(5)) && round.duty_of(id(5)).is_none());
}

#[test]
fn who_lost_its_keys_after_a_preparation_is_ready_says_so_before_its_round() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = ready(&plan, federation);
    let key = ahead.key(id(2));
    let lost = Invited::decline(&plan.terms, Place::Ahead(1), id(2), "participant.restarted", key);
    assert_eq!(ahead.feed(Input::Decline(lost)), Ok(true));

    let round = Round::open_prepared(plan, &ahead.preparation, ahead.now).unwrap();
    assert!(round.duty_of(id(2)).is_none(), "nobody waits for it");
}

#[test]
fn what_comes_out_of_its_phase_is_refused() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = Ahead::open(&plan, federation);
    ahead.play_without(&[id(5)]);
    let (late, early) = (
        crate::support::seat::Seat::of(&ahead.federation, &plan, id(5))
            .play(&Duty::Advertise, &mut ahead.blobs)
            .unwrap(),
        Input::Opened(opened()),
    );
    assert_eq!(ahead.feed(late), Err(Rejection::Late));
    assert_eq!(ahead.feed(early), Err(Rejection::Early));
}

#[test]
fn two_different_messages_of_one_kind_are_an_equivocation() {
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let mut ahead = Ahead::open(&plan, federation);
    let terms = || plan.terms.clone();
    let invited = || {
        let accepted = crate::support::accepted(&plan);
        Invited::check(terms(), &accepted, ahead.federation.roster.clone(), id(1)).unwrap()
    };
    let [one, other] =
        [1, 2].map(|nonce| invited().advertise(vec![7; 1_216], [nonce; 32], ahead.key(id(1))).1);
    assert_eq!(ahead.feed(Input::Advertise(one)), Ok(true));
    assert_eq!(ahead.feed(Input::Advertise(other)), Err(Rejection::Equivocated { from: id(1) }));
}
