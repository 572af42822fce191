//! Other terms, models, cohorts and preparations, and messages in places where they do not belong.

use syndic_round::message::{Ack, Header, Payload};
use syndic_round::{Digest, ParameterSet, ParticipantId, PreparationTerms, Protection, RoundPlan};
use syndic_simulation::{Ask, Dealing, Owed, Table, shares_for};

use super::{ALL, HONEST, collected, in_league, pick, refused_list, unbroken};

#[test]
fn a08_what_was_said_in_one_attempt_is_worth_nothing_in_the_next() {
    let mut liar = in_league();
    let first = collected(&mut liar);
    for ask in [liar.ask(1, 2, 2), liar.ask(2, 1, 3)] {
        assert_eq!(liar.advertise(&ask, &HONEST).declined, []);
        assert_eq!(liar.deal(&ask, &first.adverts, &HONEST).code(), "round.own-message");
    }
    let ask = liar.ask(3, 1, 4);
    let table = liar.play(&ask, &ALL);
    let mixed = [pick(&first.headers, &[1]), pick(&table.headers, &[2, 3, 4, 5])].concat();
    assert_eq!(liar.certify(&table, &mixed, &[2]).code(), "round.bad-signature");
    let signed = liar.certify(&table, &table.headers, &[1, 3, 4, 5]).said;
    let stale = liar.certify(&first, &first.headers, &[4, 5]).said;
    let mixed = [pick(&signed, &[1, 3]), stale].concat();
    assert_eq!(liar.reveal(&table.ask, &mixed, &[3]).code(), "round.bad-signature");
    unbroken(&liar);
}

#[test]
fn a09_no_seed_or_mask_is_taken_from_the_coordinator() {
    // Masks follow from H1, so the one thing left to try is to bring the same H1 about again: the own nonce forbids it.
    let mut liar = in_league();
    let (first, second) = (liar.ask(1, 1, 1), liar.ask(1, 2, 2));
    let before = liar.advertise(&first, &ALL).said;
    let after = liar.advertise(&second, &ALL).said;
    assert!(before.iter().zip(&after).all(|(one, other)| one.payload != other.payload));
    assert_eq!(liar.deal(&second, &before, &HONEST).code(), "round.own-message");
    unbroken(&liar);
}

#[test]
fn a10_an_altered_key_or_a_missing_own_advertisement_is_refused() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let adverts = liar.advertise(&ask, &ALL).said;
    assert_eq!(liar.deal(&ask, &pick(&adverts, &[2, 3, 4, 5]), &[1]).code(), "round.own-message");
    let mut altered = adverts.clone();
    altered[0].payload[20] ^= 1;
    assert_eq!(liar.deal(&ask, &altered, &[2]).code(), "round.bad-signature");
    let mut renamed = liar.forge_advert(&ask, 4);
    renamed.from = ParticipantId::new(1).unwrap();
    let swapped = [vec![renamed], pick(&adverts, &[2, 3, 4, 5])].concat();
    assert_eq!(liar.deal(&ask, &swapped, &[3]).code(), "round.bad-signature");
    unbroken(&liar);
}

#[test]
fn a11_two_cohorts_shown_to_two_halves_open_at_most_one_sum() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let adverts = liar.advertise(&ask, &ALL).said;
    // Four are enough for a cohort, so the halves overlap in the corrupted and in one advertisement more each.
    let cohorts = [(pick(&adverts, &[1, 2, 4, 5]), [1, 4, 5]), (pick(&adverts, &[2, 3, 4, 5]), [3, 4, 5])];
    for (adverts, who) in cohorts {
        let dealings = liar.deal(&ask, &adverts, &who);
        assert_eq!(dealings.declined, []);
        let acks = liar.acknowledge(&ask, &adverts, &dealings.said, &who).said;
        // Three good words are one too few, and participant 2 can only join one of the two.
        assert_eq!(liar.submit(&ask, &adverts, &acks, &who[..1]).code(), "round.not-eligible");
    }
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a12_two_models_for_two_halves_make_no_sum() {
    let mut liar = in_league();
    let asks = [liar.ask(1, 1, 1), liar.ask_about(1, 1, 1, 1, 1)];
    // Both plans have the context of one preparation, so that all may meet in one cohort.
    let adverts = [
        liar.advertise(&asks[0], &[1, 2]).said,
        liar.advertise(&asks[1], &[3]).said,
        liar.advertise(&asks[0], &[4, 5]).said,
    ]
    .concat();
    let dealt = [liar.deal(&asks[0], &adverts, &[1, 2]).said, liar.deal(&asks[1], &adverts, &[3]).said];
    let dealt: Vec<Dealing> = [dealt.concat(), liar.deal(&asks[0], &adverts, &[4, 5]).said].concat();
    let mut headers = Vec::new();
    let mut acks = liar.acknowledge(&asks[0], &adverts, &dealt, &[1, 2]).said;
    acks.extend(liar.acknowledge(&asks[1], &adverts, &dealt, &[3]).said);
    acks.extend(liar.acknowledge(&asks[0], &adverts, &dealt, &[4, 5]).said);
    headers.extend(liar.submit(&asks[0], &adverts, &acks, &[1, 2]).said);
    headers.extend(liar.submit(&asks[1], &adverts, &acks, &[3]).said);
    headers.extend(liar.submit(&asks[0], &adverts, &acks, &[4, 5]).said);
    assert_eq!(headers.len(), 5, "each answers the model that it was shown");
    let table = |ask: &Ask| Table {
        ask: ask.clone(),
        adverts: adverts.clone(),
        dealings: dealt.clone(),
        acks: acks.clone(),
        headers: headers.clone(),
    };
    assert_eq!(liar.certify(&table(&asks[0]), &headers, &[1, 2]).code(), "round.mismatch");
    assert_eq!(liar.certify(&table(&asks[1]), &headers, &[3]).code(), "round.mismatch");
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a13_weaker_terms_than_were_accepted_are_refused() {
    let mut liar = in_league();
    let strict = liar.protection();
    let set = strict.parameter_set();
    let weaker = [
        Protection::new(set, 5, 3, 0, 3).unwrap(),
        Protection::new(set, 5, 4, 1, 4).unwrap(),
        Protection::new(ParameterSet::S24, 5, 4, 2, 4).unwrap(),
    ];
    for protection in weaker {
        let ask = liar.ask(1, 1, 1);
        let ask = Ask {
            plan: RoundPlan { terms: PreparationTerms { protection, ..ask.plan.terms }, ..ask.plan },
            ..ask
        };
        assert_eq!(liar.advertise(&ask, &HONEST).code(), "round.not-agreed", "{protection:?}");
    }
    let ask = liar.ask(1, 1, 1);
    let ask = Ask {
        plan: RoundPlan {
            terms: PreparationTerms { agreement: Digest::of(b"another job"), ..ask.plan.terms },
            ..ask.plan
        },
        ..ask
    };
    assert_eq!(liar.advertise(&ask, &HONEST).code(), "round.not-agreed");
    unbroken(&liar);
}

#[test]
fn a14_an_institution_outside_the_roster_and_another_roster_are_refused() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let other = Ask {
        plan: RoundPlan {
            terms: PreparationTerms { roster: Digest::of(b"another"), ..ask.plan.terms.clone() },
            ..ask.plan.clone()
        },
        ..ask.clone()
    };
    assert_eq!(liar.advertise(&other, &HONEST).code(), "round.not-agreed");
    let mut adverts = liar.advertise(&ask, &ALL).said;
    adverts[4].from = ParticipantId::new(6).unwrap();
    assert_eq!(liar.deal(&ask, &adverts, &HONEST).code(), "round.unknown-sender");
    unbroken(&liar);
}

#[test]
fn a15_a_share_for_another_or_of_another_is_refused() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let adverts = liar.advertise(&ask, &ALL).said;
    let dealings = liar.deal(&ask, &adverts, &ALL).said;
    let shown = |shares| Owed::Acknowledge(shares);
    let swapped = shares_for(&dealings, 2);
    assert_eq!(liar.show(1, &ask, shown(swapped), &[]).unwrap_err(), "round.mismatch");
    let mut crossed = shares_for(&dealings, 2);
    let (left, right) = crossed.split_at_mut(1);
    std::mem::swap(&mut left[0].1, &mut right[0].1);
    assert_eq!(liar.show(2, &ask, shown(crossed), &[]).unwrap_err(), "round.mismatch");
    unbroken(&liar);
}

#[test]
fn a33_a_cohort_too_large_or_with_somebody_not_admitted_is_refused() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let adverts = liar.advertise(&ask, &ALL).said;
    let larger = [adverts.clone(), vec![liar.forge_advert(&ask, 5)]].concat();
    assert_eq!(liar.deal(&ask, &larger, &[1]).code(), "round.list");
    assert_eq!(liar.deal(&ask, &pick(&adverts, &[2, 4, 5]), &[2]).code(), "round.too-few");
    // A plan that admits fewer, or others, is not the plan that was accepted.
    let ask = liar.ask(2, 1, 2);
    let fewer = RoundPlan {
        terms: PreparationTerms { admitted: ask.plan.terms.admitted[..4].to_vec(), ..ask.plan.terms.clone() },
        ..ask.plan.clone()
    };
    assert_eq!(liar.advertise(&Ask { plan: fewer, ..ask }, &[3]).code(), "round.not-agreed");
    unbroken(&liar);
}

#[test]
fn a33_whom_a_place_in_the_job_draws_is_not_for_the_coordinator_to_choose() {
    let mut liar = in_league();
    let drawn = |ask: &Ask| ask.plan.terms.admitted.clone();
    let to = |ask: &Ask, admitted: Vec<ParticipantId>| Ask {
        plan: RoundPlan {
            terms: PreparationTerms { admitted, ..ask.plan.terms.clone() },
            ..ask.plan.clone()
        },
        ..ask.clone()
    };
    // Whatever round or attempt it is asked in, the place draws the same.
    let ask = liar.ask_by_lot(1, 1, 1, 1);
    assert!(
        [liar.ask_by_lot(1, 2, 2, 1), liar.ask_by_lot(7, 1, 3, 1)]
            .iter()
            .all(|again| drawn(again) == drawn(&ask))
    );
    let elsewhere = (2..30)
        .map(|slot| liar.ask_by_lot(1, 1, 1, slot))
        .find(|ask| drawn(ask) != drawn(&liar.ask_by_lot(1, 1, 1, 1)));
    let others = drawn(&elsewhere.expect("thirty places draw different members"));

    for who in HONEST.map(|who| ParticipantId::new(who).unwrap()) {
        let lie = to(&ask, others.clone());
        if others.contains(&who) {
            assert_eq!(liar.advertise(&lie, &[who.get()]).code(), "round.not-agreed");
        }
        if drawn(&ask).contains(&who) {
            assert_eq!(liar.advertise(&ask, &[who.get()]).declined, []);
        } else {
            assert_eq!(liar.advertise(&ask, &[who.get()]).code(), "round.not-in-cohort");
        }
    }
    // Neither more than are drawn, nor fewer.
    let ask = liar.ask_by_lot(2, 1, 2, 1);
    let (all, few) = (ALL.map(|who| ParticipantId::new(who).unwrap()).to_vec(), drawn(&ask)[..3].to_vec());
    for admitted in [all, few] {
        let who = admitted[0].get();
        assert_eq!(liar.advertise(&to(&ask, admitted), &[who]).code(), "round.not-agreed");
    }
    unbroken(&liar);
}

#[test]
fn a34_a_survivor_list_with_a_header_for_another_model_is_refused() {
    let with_forged = |change: fn(&mut Header)| {
        refused_list(move |table, liar| {
            let mut header = Header::decode(&table.headers[4].payload).unwrap();
            change(&mut header);
            let mut forged = liar.forge_header(&table.ask, &table.adverts, 5);
            // What the corrupted sign is signed well; what the coordinator types for somebody else is not.
            forged.payload = header.encode();
            [pick(&table.headers, &[1, 2, 3, 4]), vec![forged]].concat()
        })
    };
    assert_eq!(with_forged(|header| header.plan = Digest::of(b"another model")), "round.bad-signature");
    assert_eq!(with_forged(|header| header.root = Digest::of(b"another update")), "round.bad-signature");
    // Signed, but over another question of the same preparation.
    let signed = refused_list(|table, liar| {
        let other = liar.ask_about(1, 1, 1, 1, 1);
        let forged = liar.forge_header(&other, &table.adverts, 5);
        [pick(&table.headers, &[1, 2, 3, 4]), vec![forged]].concat()
    });
    assert_eq!(signed, "round.mismatch");
}

#[test]
fn a36_different_public_parts_for_different_recipients_show_and_open_no_more_than_one_sum() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let adverts = liar.advertise(&ask, &ALL).said;
    let mut dealings = liar.deal(&ask, &adverts, &ALL).said;
    let mut acks = liar.acknowledge(&ask, &adverts, &dealings, &[1]).said;
    dealings[4] = liar.forge_dealing(&ask, &adverts, 5).unwrap();
    acks.extend(liar.acknowledge(&ask, &adverts, &dealings, &[2, 3, 4, 5]).said);
    // Each verdict names the public part that it is about, so that whoever sees two of them sees both.
    let seen: Vec<_> =
        acks.iter().map(|ack| Ack::decode(&ack.payload).unwrap().verdicts[4].dealing).collect();
    assert!(seen[0] != seen[1] && seen[1] == seen[2]);
    let headers = liar.submit(&ask, &adverts, &acks, &ALL).said;
    let table = Table { ask, adverts, dealings, acks, headers };
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    assert_eq!(liar.reveal(&table.ask, &signed, &HONEST).declined, []);
    assert_eq!(liar.sums_opened(), 1);
    unbroken(&liar);
}

#[test]
fn a37_mixed_replayed_and_reused_preparations_are_refused() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    // The same preparation under another attempt, and an older one.
    let reused = liar.ask(1, 2, 1);
    assert_eq!(liar.advertise(&reused, &HONEST).code(), "journal.preparation-old");
    let newer = liar.ask(2, 1, 9);
    assert_eq!(liar.advertise(&newer, &HONEST).declined, []);
    let older = liar.ask(3, 1, 5);
    assert_eq!(liar.advertise(&older, &HONEST).code(), "journal.preparation-old");
    // The attempt that is bound already, in a newer preparation.
    let rebound = liar.ask(1, 1, 10);
    let adverts = liar.advertise(&rebound, &ALL).said;
    let dealings = liar.deal(&rebound, &adverts, &ALL).said;
    let acks = liar.acknowledge(&rebound, &adverts, &dealings, &ALL).said;
    assert_eq!(liar.submit(&rebound, &adverts, &acks, &HONEST).code(), "journal.attempt-bound");
    // Who lost its keys declines; what it said before about the set it says again, in the same bytes.
    HONEST.iter().for_each(|who| liar.restart(*who));
    assert_eq!(liar.certify(&table, &table.headers, &HONEST).code(), "participant.restarted");
    unbroken(&liar);
}
