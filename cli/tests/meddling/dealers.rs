//! A16, A17, A19: a dealer whose shares are bad is left out, false complaints leave nobody out, and a key that was
//! not the one that was shared opens nothing.

use std::sync::Arc;

use rand::rngs::StdRng;
use syndic_coordinator::engine::Over;
use syndic_proto::v1::{self, Kind};
use syndic_round::Digest;
use syndic_round::ParticipantId;
use syndic_round::coordinator::{Bundle, Input};
use syndic_round::message::{Ack, Dealing};
use syndic_secure_aggregation::{KemPublic, OneTimeKey, SealContext, Sharing, SharingContext};

use crate::between::{Meddler, instead};
use crate::known::{Attempt, Known};
use crate::scene::{Fares, Ran, Scene, id, payloads};

/// Who complains of whom in a round, by the acknowledgements on record: (complaining, dealer).
fn complaints(ran: &Ran, round: u32) -> Vec<(u16, u16)> {
    let acks: Vec<Ack> = payloads(&ran.heard(round, 1), |input| match input {
        Input::Acknowledge(signed) => Some(signed),
        _ => None,
    });
    let bad = acks.iter().flat_map(|ack| {
        ack.verdicts.iter().filter(|verdict| !verdict.ok).map(|verdict| (ack.id.get(), verdict.dealer.get()))
    });
    let mut bad: Vec<_> = bad.collect();
    bad.sort_unstable();
    bad
}

fn seal(attempt: &Attempt, sender: ParticipantId, recipient: ParticipantId, share: &[u8]) -> Vec<u8> {
    let public = KemPublic::from_bytes(attempt.cohort.kem_key(recipient).unwrap()).unwrap();
    let context = SealContext { sender, recipient, h1: attempt.cohort.h1() };
    public.seal(share, &context, &mut rand::make_rng::<StdRng>())
}

/// The same statement with these sealed shares, and the digests of them signed.
fn dealing_with(
    said: v1::Statement,
    known: &Known,
    sealed: Vec<(ParticipantId, Vec<u8>)>,
    change: impl FnOnce(Dealing) -> Dealing,
) -> v1::Statement {
    let shares = sealed.iter().map(|(to, sealed)| (*to, Digest::of(sealed))).collect();
    let said = v1::Statement { bundle: Bundle::encode(&sealed).into(), ..said };
    instead(said, known, |dealing: Dealing| change(Dealing { shares, ..dealing }))
}

fn is_in_round_1(said: &v1::Statement) -> bool {
    said.round.as_ref().is_some_and(|round| round.round == 1)
}

/// Participant 2 deals these a share of nothing in round 1: one that opens, and that it has not committed to.
struct BadDealer(&'static [u16]);

impl Meddler for BadDealer {
    fn saying(&self, from: ParticipantId, said: v1::Statement, known: &Known) -> v1::Statement {
        if from != id(2) || said.kind() != Kind::Dealing || !is_in_round_1(&said) {
            return said;
        }
        let attempt = known.attempt(said.round.as_ref().unwrap());
        let mut sealed = Bundle::open(&said.bundle).unwrap();
        let template = OneTimeKey::generate(&mut rand::make_rng::<StdRng>());
        let threshold = attempt.plan.terms.protection.threshold();
        let (h1, cohort) = (attempt.cohort.h1(), attempt.cohort.ids());
        let context = SharingContext { dealer: from, h1, cohort, threshold };
        let Sharing { shares, .. } = template.share(&context, &mut rand::make_rng::<StdRng>()).unwrap();
        for ((to, sealed), (_, share)) in sealed.iter_mut().zip(&shares) {
            if self.0.contains(&to.get()) {
                *sealed = seal(&attempt, from, *to, &share.to_bytes());
            }
        }
        dealing_with(said, known, sealed, |dealing| dealing)
    }
}

#[test]
fn a16_a_dealer_of_bad_shares_is_left_out_and_named_by_its_complaints() {
    let ran = Scene::set(5, 0, Arc::new(BadDealer(&[4, 5])), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(complaints(&ran, 1), [(4, 2), (5, 2)]);
    let survivors = ran.exact_sums();
    assert_eq!(survivors[&(1, 1)], [1, 3, 4, 5]);
    assert_eq!(survivors[&(2, 1)], [1, 2, 3, 4, 5], "in the next round it deals honestly");
    assert!(complaints(&ran, 2).is_empty());
}

#[test]
fn a16_a_bad_share_that_may_be_a_false_complaint_costs_only_its_holder_the_reveal() {
    // One complaint of five is as many as false ones may be; the other four hold good shares of everybody.
    let ran = Scene::set(5, 0, Arc::new(BadDealer(&[4])), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(complaints(&ran, 1), [(4, 2)]);
    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 2, 3, 4, 5]);
    assert!(
        !ran.who_said(1, 1, Kind::Certify).contains(&4),
        "it cannot reveal for a share that it does not hold"
    );
    assert!(!ran.who_said(1, 1, Kind::Reveal).contains(&4));
}

/// Participant 2 deals participant 4 in round 1 a sealed share that is as large as its own message may be. What
/// participant 4 is told then, with the others' shares, is larger still.
struct LargeShare;

impl Meddler for LargeShare {
    fn saying(&self, from: ParticipantId, said: v1::Statement, known: &Known) -> v1::Statement {
        if from != id(2) || said.kind() != Kind::Dealing || !is_in_round_1(&said) {
            return said;
        }
        let mut sealed = Bundle::open(&said.bundle).unwrap();
        for (to, sealed) in &mut sealed {
            if *to == id(4) {
                *sealed = vec![0; (4 << 20) - 16_600];
            }
        }
        dealing_with(said, known, sealed, |dealing| dealing)
    }
}

#[test]
fn a16_a_dealer_of_a_share_too_large_to_be_told_keeps_nobody_from_taking_part() {
    let ran = Scene::set(5, 0, Arc::new(LargeShare), |_| Fares::Well).run();
    ran.completed();
    assert!(ran.who_said(1, 1, Kind::Ack).contains(&4), "it can answer for the others' shares");
    assert!(ran.exact_sums()[&(1, 1)].contains(&4));
}

/// Who complains of the good share that whom dealt them, in round 1: (complaining, dealer).
struct FalseComplaints(&'static [(u16, u16)]);

impl Meddler for FalseComplaints {
    fn saying(&self, from: ParticipantId, said: v1::Statement, known: &Known) -> v1::Statement {
        let of = self.0.iter().find(|(liar, _)| *liar == from.get());
        let Some((_, dealer)) = of.filter(|_| said.kind() == Kind::Ack && is_in_round_1(&said)) else {
            return said;
        };
        instead(said, known, |mut ack: Ack| {
            ack.verdicts.iter_mut().find(|verdict| verdict.dealer == id(*dealer)).unwrap().ok = false;
            ack
        })
    }
}

#[test]
fn a17_as_many_false_complaints_as_are_tolerated_change_nothing() {
    // min(c, n - t): 1 of 5, 3 of 10.
    for (institutions, liars) in [(5, &[(4, 1)][..]), (10, &[(8, 1), (9, 1), (10, 1)])] {
        let ran = Scene::set(institutions, 0, Arc::new(FalseComplaints(liars)), |_| Fares::Well).run();
        ran.completed();
        assert_eq!(complaints(&ran, 1), liars);
        assert_eq!(ran.exact_sums()[&(1, 1)], (1..=institutions).collect::<Vec<_>>());
    }
}

#[test]
fn a17_one_complaint_more_than_is_tolerated_leaves_the_dealer_out() {
    let ran = Scene::set(5, 0, Arc::new(FalseComplaints(&[(4, 1), (5, 1)])), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(complaints(&ran, 1), [(4, 1), (5, 1)]);
    assert_eq!(ran.exact_sums()[&(1, 1)], [2, 3, 4, 5]);
}

#[test]
fn a17_complaints_that_leave_too_few_holders_of_all_shares_cost_the_highest_dealer_its_place() {
    // One complaint each is tolerated, but only three members say that they hold good shares of both dealers.
    let liars = &[(4, 1), (5, 2)];
    let ran = Scene::set(5, 0, Arc::new(FalseComplaints(liars)), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(complaints(&ran, 1), liars);
    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 3, 4, 5]);
}

/// Participant 2 shares another key than the one that it encrypts with.
struct OtherKey;

impl Meddler for OtherKey {
    fn saying(&self, from: ParticipantId, said: v1::Statement, known: &Known) -> v1::Statement {
        if from != id(2) || said.kind() != Kind::Dealing || !is_in_round_1(&said) {
            return said;
        }
        let attempt = known.attempt(said.round.as_ref().unwrap());
        let mut rng = rand::make_rng::<StdRng>();
        let context = SharingContext {
            dealer: from,
            h1: attempt.cohort.h1(),
            cohort: attempt.cohort.ids(),
            threshold: attempt.plan.terms.protection.threshold(),
        };
        let Sharing { public, shares } = OneTimeKey::generate(&mut rng).share(&context, &mut rng).unwrap();
        let sealed = shares.iter().map(|(to, share)| (*to, seal(&attempt, from, *to, &share.to_bytes())));
        dealing_with(said, known, sealed.collect(), |dealing| Dealing { public, ..dealing })
    }
}

#[test]
fn a19_a_key_that_was_not_the_one_that_was_shared_discards_the_sum() {
    let ran = Scene::set(5, 0, Arc::new(OtherKey), |_| Fares::Well).run();
    assert!(complaints(&ran, 1).is_empty(), "its shares are good shares, of another key");
    let Over::Abandoned(reason) = &ran.over else { panic!("{:?}", ran.over) };
    assert!(reason.contains("discarded"), "{reason}");
    assert_eq!((ran.summary.rounds_closed, ran.summary.rounds_abandoned), (0, 1));
}
