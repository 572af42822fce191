//! Checks that matter only where another one just does not reach.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::seat::dummy_public_part;
use crate::support::{Table, federation_of, id, ids, plan};
use syndic_round::coordinator::{Bundle, Dealt, Duty, Input, Phase};
use syndic_round::message::{Kind, Payload, Void};
use syndic_round::participant::Invited;
use syndic_round::survivors::differ_by_one;
use syndic_round::{ParameterSet, PreparationTerms, Protection, Rejection, RoundPlan, Voided};

/// A31. Members of the roster that are not admitted to the job hold no shares, so what they promise proves nothing.
#[test]
fn a31_promises_of_members_that_are_not_admitted_do_not_void_an_attempt() {
    let mut table = Table::among(federation_of(7), |federation| plan().build(federation));
    table.play_until("revealing");
    let plan = table.round.plan().clone();
    let context = table.round.phase().cohort().unwrap().context();
    let promise =
        |number| Void { id: id(number), round: plan.id }.sign(context, table.federation.key(id(number)));
    let is_void = |promising: [u16; 4]| {
        let (promises, roster) = (promising.map(promise).into(), &table.federation.roster);
        Voided::verify(plan.id, context, &plan.terms.protection, &plan.terms.admitted, roster, promises)
    };
    assert!(is_void([1, 2, 3, 4]).is_ok());
    assert_eq!(is_void([1, 2, 3, 6]), Err(Rejection::NotInCohort(id(6))));
    assert_eq!(is_void([1, 2, 6, 7]), Err(Rejection::NotInCohort(id(6))));
}

/// A promise is about one attempt, known by what this participant itself advertised in it.
#[test]
fn nobody_promises_anything_about_a_cohort_without_its_own_advertisement() {
    let mut table = Table::open(plan());
    table.vanish(id(5), Kind::Advertise);
    table.play_until("sharing");
    let mut whole = Table::open(plan());
    whole.play_until("sharing");
    let adverts = |table: &Table| table.round.phase().cohort().unwrap().adverts().to_vec();
    let own = adverts(&whole)[4].clone();
    let void = |table: &Table| {
        let key = table.federation.key(id(5));
        Invited::void(table.round.plan(), &table.federation.roster, adverts(table), &own, key)
    };
    assert!(void(&whole).is_ok());
    assert_eq!(void(&table), Err(Rejection::OwnMessage("advertisement")));
}

/// A16. Polynomials of a higher degree would agree with any shares.
#[test]
fn a16_check_polynomials_have_as_many_terms_as_the_threshold_says() {
    let mut table = Table::open(plan());
    table.play_until("sharing");
    let Some(Duty::Deal(cohort)) = table.round.duty_of(id(1)) else { panic!("it owes shares") };
    let threshold = table.round.plan().terms.protection.threshold();
    let joined = table.seats.remove(&id(1)).unwrap();
    let mut stage = joined;
    // What its seat would send, but for the length of the polynomials.
    let Ok(Input::Deal(_, bundle)) = stage.play(&Duty::Deal(cohort.clone()), &mut table.blobs) else {
        panic!("it deals")
    };
    let sealed = Bundle::open(&table.blobs[&bundle.blob]).unwrap();
    let joined = stage.into_joined();
    for (terms, is_refused) in [(threshold + 1, true), (threshold - 1, true), (threshold, false)] {
        let signed = joined.deal(dummy_public_part(&cohort, terms), &sealed, table.federation.key(id(1)));
        let heard = table.feed(Input::Deal(signed, bundle.clone()));
        assert_eq!(heard.is_err(), is_refused, "{terms} terms");
    }
}

/// A16. Where a job tolerates no colluding participant, nobody complains falsely: one complaint is enough.
#[test]
fn a16_a_single_complaint_leaves_a_dealer_out_where_no_colluder_is_tolerated() {
    let protection = Protection::new(ParameterSet::S32, 5, 3, 0, 3).unwrap();
    assert_eq!(protection.tolerated_complaints(), 0);
    let mut table = Table::among(federation_of(5), |federation| RoundPlan {
        terms: PreparationTerms { protection, ..plan().build(federation).terms },
        ..plan().build(federation)
    });
    table.play_until("acknowledging");
    let Some(Duty::Acknowledge(_, dealt)) = table.round.duty_of(id(5)) else { panic!("it owes verdicts") };
    let joined = table.seats.remove(&id(5)).unwrap().into_joined();
    let verdicts: Vec<_> = dealt.iter().map(|Dealt { public, .. }| (public, public.from != id(2))).collect();
    let (_, ack) = joined.acknowledge(&verdicts, table.federation.key(id(5)));
    table.feed(Input::Acknowledge(ack)).unwrap();
    table.vanish(id(5), Kind::Header);
    table.play_until("collecting");
    assert!(table.round.duty_of(id(2)).is_none(), "four hold good shares of its key, but one does not");
    table.play_out();
    let Phase::Closed(closed) = table.round.phase() else { panic!("{:?}", table.round.phase()) };
    assert_eq!(closed.survivors.ids(), ids([1, 3, 4]));
}

/// A29, as far as a participant can see it: the set that it signs beside the one before.
#[test]
fn a29_sets_that_differ_by_exactly_one_institution_are_told_from_all_others() {
    let all = ids(1..=5);
    let without =
        |gone: &[u16]| -> Vec<_> { all.iter().filter(|one| !gone.contains(&one.get())).copied().collect() };
    for number in 1..=5 {
        assert_eq!(differ_by_one(&all, &without(&[number])), Some(id(number)));
        assert_eq!(differ_by_one(&without(&[number]), &all), Some(id(number)));
    }
    for (before, after) in [
        (all.clone(), all.clone()),
        (all.clone(), without(&[1, 5])),
        (without(&[1]), without(&[2])),
        (Vec::new(), all.clone()),
    ] {
        assert_eq!(differ_by_one(&before, &after), None, "{before:?} {after:?}");
    }
}
