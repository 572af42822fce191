//! Attacks on the sharing of keys, as far as they are played on messages alone: complaints without a cause, and dealers who
//! say one thing to some and another to others.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{Table, id, ids, plan};
use std::sync::Arc;

use syndic_round::coordinator::{Dealt, Duty, Input, Phase};
use syndic_round::eligibility::Acks;
use syndic_round::message::{Dealing, Kind, Payload};
use syndic_round::{ParameterSet, ParticipantId, PreparationTerms, Protection, Rejection, RoundPlan, Signed};

/// What the coordinator relays of the dealers.
fn dealt(table: &Table) -> Vec<Dealt> {
    match table.round.duty_of(id(1)) {
        Some(Duty::Acknowledge(_, dealt)) => dealt,
        other => panic!("{other:?}"),
    }
}

/// A round in which the last `liars` complain of the dealers that `is_accused` names, and are heard of no more.
fn accuse(mut table: Table, liars: u16, is_accused: impl Fn(ParticipantId) -> bool) -> Table {
    let n = table.round.plan().terms.protection.admitted();
    table.play_until("acknowledging");
    let dealt = dealt(&table);
    for liar in ids(n - liars + 1..=n) {
        let joined = table.seats.remove(&liar).unwrap().into_joined();
        let verdict = |dealt| {
            let Dealt { public, .. }: &Dealt = dealt;
            (public, public.from == liar || !is_accused(public.from))
        };
        let verdicts: Vec<_> = dealt.iter().map(verdict).collect();
        let (_, ack) = joined.acknowledge(&verdicts, table.federation.key(liar));
        table.feed(Input::Acknowledge(ack)).unwrap();
        table.vanish(liar, Kind::Header);
    }
    table
}

/// A17. Members complain of honest dealers to have them thrown out of the round, one after the other or all at once, and so to
/// choose whose sum is opened. As many liars as a round tolerates, min(c, n - t), all complaining of everybody, evict nobody:
/// every honest dealer submits and is in the sum, and the honest members alone open it.
#[test]
fn a17_tolerated_false_complaints_evict_nobody() {
    for n in [4, 5, 7, 10, 16] {
        let tolerated = plan().cohort_of(n).protection().tolerated_complaints();
        assert!(tolerated > 0);
        let mut table = accuse(Table::open(plan().cohort_of(n)), tolerated, |_| true);
        table.play_until("collecting");
        let honest = ids(1..=n - tolerated);
        for &id in &honest {
            assert!(matches!(table.round.duty_of(id), Some(Duty::Submit(_))), "{id} of {n} may submit");
        }
        table.play_out();
        let Phase::Closed(closed) = table.round.phase() else { panic!("{:?}", table.round.phase()) };
        assert_eq!(closed.survivors.ids(), honest, "of {n}");
    }
}

/// A17. One complaint more is one that an honest member must have made, or one more liar than the plan allows for: then the
/// dealer may not submit, and nobody else is touched.
#[test]
fn a17_one_complaint_more_evicts_the_accused_alone() {
    // By default c is n - t or more; the last plan expects fewer colluders than may vanish.
    for (n, c) in [(7, None), (10, None), (16, None), (10, Some(1))] {
        let table = Table::among(crate::support::federation_of(n), |federation| {
            let plan = plan().cohort_of(n).build(federation);
            let t = plan.terms.protection.threshold();
            let c = c.unwrap_or(plan.terms.protection.colluding());
            RoundPlan {
                terms: PreparationTerms {
                    protection: Protection::new(ParameterSet::S32, n, t, c, t).unwrap(),
                    ..plan.terms
                },
                ..plan
            }
        });
        let tolerated = table.round.plan().terms.protection.tolerated_complaints();
        let mut table = accuse(table, tolerated + 1, |dealer| dealer == id(2));
        table.play_until("collecting");
        assert_eq!(table.phase(), "collecting");
        assert!(table.round.duty_of(id(2)).is_none(), "{n} with c = {c:?}");
        assert!(ids([1, 3]).into_iter().all(|id| table.round.duty_of(id).is_some()));
    }
}

/// A36. A dealer shows some members one public part and the others a second, each well signed, so that no single polynomial
/// is behind all its shares and the coordinator may later blame whom it likes. Each part passes by itself; but a verdict
/// names the part that it is about, and t verdicts must be about one and the same. So the dealer is not eligible with either
/// part, and a coordinator that plays fair takes no verdict about a part that it did not relay.
#[test]
fn a36_a_dealer_with_two_public_parts_is_not_eligible() {
    let mut table = Table::open(plan());
    table.play_until("acknowledging");
    let dealt = dealt(&table);
    let cohort = table.round.phase().cohort().unwrap().clone();
    let first = &dealt[2].public;
    let mut dealing = Dealing::decode(&first.payload).unwrap();
    dealing.public.checks[0][0] += 1;
    let second = dealing.sign(cohort.context(), table.federation.key(id(3)));

    let mut acknowledged = Vec::new();
    for number in 1..=5 {
        let joined = table.seats.remove(&id(number)).unwrap().into_joined();
        let shown = if number > 3 { &second } else { first };
        let mut received = crate::support::seat::received(id(number), &dealt[2], &table.blobs).unwrap();
        received.public = shown.clone();
        assert!(joined.check_share(&received).is_ok(), "each part is sound by itself");
        let part = |dealt| {
            let Dealt { public, .. }: &Dealt = dealt;
            (if public.from == id(3) { shown } else { public }, true)
        };
        let verdicts: Vec<_> = dealt.iter().map(part).collect();
        acknowledged.push(joined.acknowledge(&verdicts, table.federation.key(id(number))));
    }
    let (states, acks): (Vec<_>, Vec<Signed>) = acknowledged.into_iter().unzip();
    let plan = Arc::new(table.round.plan().clone());
    let states: Vec<_> = states.into_iter().map(|state| state.bind(plan.clone()).unwrap()).collect();

    let verified = Acks::verify(acks.clone(), &cohort, &table.federation.roster).unwrap();
    let protection = table.round.plan().terms.protection;
    for part in [first, &second] {
        let refused = verified.check(id(3), part.digest(), &protection);
        assert_eq!(refused, Err(Rejection::NotEligible(id(3))));
    }
    assert_eq!(states[2].may_submit(acks.clone()).err(), Some(Rejection::NotEligible(id(3))));
    assert!(states[1].may_submit(acks.clone()).is_ok(), "other dealers are as eligible as ever");

    assert_eq!(table.feed(Input::Acknowledge(acks[1].clone())), Ok(()));
    let refused = table.feed(Input::Acknowledge(acks[4].clone()));
    assert_eq!(refused, Err(Rejection::Mismatch("public part of a dealer")));
}
