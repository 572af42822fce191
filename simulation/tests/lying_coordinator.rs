//! Attacks of docs/protocol.md, section 8, that a lying coordinator plays by a script on the participants of a
//! federation of five: t = 4, c = 2, the corrupted are 4 and 5.

use syndic_round::message::{Ack, Header, Payload};
use syndic_round::{Digest, ParameterSet, ParticipantId, Protection, RoundPlan, Signed};
use syndic_simulation::{Ask, Dealing, Engine, Liar, Owed, Table, shares_for};

const ALL: [u16; 5] = [1, 2, 3, 4, 5];
const HONEST: [u16; 3] = [1, 2, 3];

fn alone() -> Liar {
    Liar::new(1, Engine::Encrypted, 5, &[])
}

fn in_league() -> Liar {
    Liar::new(1, Engine::Encrypted, 5, &[4, 5])
}

/// What the protocol promises whatever was tried.
fn unbroken(liar: &Liar) {
    assert_eq!(liar.violation(), None, "\n{}", liar.operations().join("\n"));
}

fn pick(messages: &[Signed], who: &[u16]) -> Vec<Signed> {
    messages.iter().filter(|signed| who.contains(&signed.from.get())).cloned().collect()
}

/// A table at which every update is in.
fn collected(liar: &mut Liar) -> Table {
    let ask = liar.ask(1, 1, 1);
    liar.play(&ask, &ALL)
}

/// The code with which the honest decline a survivor list.
fn refused_list(headers: impl FnOnce(&Table, &mut Liar) -> Vec<Signed>) -> &'static str {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let headers = headers(&table, &mut liar);
    let code = liar.certify(&table, &headers, &HONEST).code();
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
    code
}

/// The code with which the honest decline a certificate.
fn refused_certificate(signatures: impl FnOnce(&Table, &[Signed], &mut Liar) -> Vec<Signed>) -> &'static str {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    let signatures = signatures(&table, &signed, &mut liar);
    let code = liar.reveal(&table.ask, &signatures, &HONEST).code();
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
    code
}

#[test]
fn an_honest_script_opens_one_sum() {
    for mut liar in [alone(), in_league()] {
        let table = collected(&mut liar);
        let signed = liar.certify(&table, &table.headers, &ALL).said;
        let reveals = liar.reveal(&table.ask, &signed, &ALL);
        assert_eq!(reveals.declined, []);
        assert_eq!(liar.sums_opened(), 1);
        unbroken(&liar);
    }
}

#[test]
fn with_more_colluders_than_the_plan_tolerates_the_invariants_are_seen_to_break() {
    let mut liar = Liar::new(1, Engine::Encrypted, 5, &[3, 4, 5]);
    let table = collected(&mut liar);
    // Three signatures are the colluders' own, so one victim is enough for each of two certificates.
    for (victim, set) in [(1, [1, 3, 4, 5]), (2, [2, 3, 4, 5])] {
        let headers = pick(&table.headers, &set);
        let signed = liar.certify(&table, &headers, &[victim, 3, 4, 5]).said;
        assert_eq!(liar.reveal(&table.ask, &signed, &[victim]).declined, []);
    }
    assert_eq!(liar.violation().map(|broken| broken.invariant), Some("nothing_beyond_one_sum"));
}

#[test]
fn a01_a_survivor_set_of_one_is_refused() {
    assert_eq!(refused_list(|table, _| pick(&table.headers, &[1])), "round.too-few");
}

#[test]
fn a02_a_survivor_set_below_the_threshold_is_refused() {
    assert_eq!(refused_list(|table, _| pick(&table.headers, &[1, 2, 3])), "round.too-few");
}

#[test]
fn a03_a_duplicate_id_is_refused() {
    let twice = |table: &Table, _: &mut Liar| {
        let mut headers = pick(&table.headers, &[1, 2, 3]);
        headers.push(headers[2].clone());
        headers
    };
    assert_eq!(refused_list(twice), "round.list");
}

#[test]
fn a04_an_unsorted_or_foreign_id_is_refused() {
    let reversed = |table: &Table, _: &mut Liar| table.headers.iter().rev().cloned().collect();
    assert_eq!(refused_list(reversed), "round.list");
    let foreign = |table: &Table, _: &mut Liar| {
        let mut headers = table.headers.clone();
        headers[4].from = ParticipantId::new(6).unwrap();
        headers
    };
    assert_eq!(refused_list(foreign), "round.unknown-sender");
}

#[test]
fn a05_two_survivor_sets_shown_to_two_halves_open_at_most_one() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let sets = [pick(&table.headers, &[1, 2, 3, 4]), pick(&table.headers, &[1, 2, 4, 5])];
    let first = liar.certify(&table, &sets[0], &[1, 4, 5]).said;
    let second = liar.certify(&table, &sets[1], &[2, 3, 4, 5]).said;
    assert_eq!((first.len(), second.len()), (3, 4), "every half signs what it is shown");
    assert_eq!(liar.reveal(&table.ask, &first, &[1]).code(), "round.too-few");
    assert_eq!(liar.reveal(&table.ask, &second, &[2, 3]).declined, []);
    // Nobody signs a second set, by another way of asking either.
    assert_eq!(liar.certify(&table, &sets[1], &[1]).said, pick(&first, &[1]), "what was signed before");
    assert_eq!(liar.sums_opened(), 1);
    unbroken(&liar);
}

#[test]
fn a06_a_certificate_that_is_none_is_refused() {
    let short = |_: &Table, signed: &[Signed], _: &mut Liar| pick(signed, &[1, 2, 3]);
    assert_eq!(refused_certificate(short), "round.too-few");
    let repeated = |_: &Table, signed: &[Signed], _: &mut Liar| {
        let mut signatures = pick(signed, &[1, 2, 3]);
        signatures.push(signatures[2].clone());
        signatures
    };
    assert_eq!(refused_certificate(repeated), "round.list");
    let for_another_set = |table: &Table, signed: &[Signed], liar: &mut Liar| {
        let other = pick(&table.headers, &[1, 2, 3, 4]);
        let forged = [4, 5].map(|who| liar.forge_certify(&table.ask, &table.adverts, &other, who).unwrap());
        [pick(signed, &HONEST), forged.into()].concat()
    };
    assert_eq!(refused_certificate(for_another_set), "round.mismatch");
    let of_another_round = |_: &Table, signed: &[Signed], liar: &mut Liar| {
        let next = liar.ask(2, 1, 2);
        let adverts: Vec<_> = [4, 5].map(|who| liar.forge_advert(&next, who)).into();
        let mut signatures = pick(signed, &[1, 2, 3]);
        let mut stale = liar.forge_void(&next, &adverts, 4);
        stale.payload.clone_from(&signed[3].payload);
        signatures.push(stale);
        signatures
    };
    assert_eq!(refused_certificate(of_another_round), "round.bad-signature");
}

#[test]
fn a07_a_second_request_to_reveal_yields_the_same_bytes_or_nothing() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let set = pick(&table.headers, &[1, 2, 3, 4]);
    let signed = liar.certify(&table, &set, &ALL).said;
    let first = liar.reveal(&table.ask, &signed, &HONEST).said;
    assert_eq!(liar.reveal(&table.ask, &signed, &HONEST).said, first);
    let other = pick(&table.headers, &[1, 2, 4, 5]);
    let forged: Vec<_> =
        [4, 5].map(|who| liar.forge_certify(&table.ask, &table.adverts, &other, who).unwrap()).into();
    // Whatever is shown, nothing else is said, after a restart either.
    assert_eq!(liar.reveal(&table.ask, &forged, &HONEST).said, first);
    HONEST.iter().for_each(|who| liar.restart(*who));
    assert_eq!(liar.reveal(&table.ask, &forged, &HONEST).said, first);
    assert_eq!(liar.certify(&table, &other, &HONEST).said, pick(&signed, &HONEST), "what was signed before");
    unbroken(&liar);
}

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
        let ask = Ask { plan: RoundPlan { protection, ..ask.plan }, ..ask };
        assert_eq!(liar.advertise(&ask, &HONEST).code(), "round.not-agreed", "{protection:?}");
    }
    let ask = liar.ask(1, 1, 1);
    let ask = Ask { plan: RoundPlan { agreement: Digest::of(b"another job"), ..ask.plan }, ..ask };
    assert_eq!(liar.advertise(&ask, &HONEST).code(), "round.not-agreed");
    unbroken(&liar);
}

#[test]
fn a14_an_institution_outside_the_roster_and_another_roster_are_refused() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let other = Ask { plan: RoundPlan { roster: Digest::of(b"another"), ..ask.plan.clone() }, ..ask.clone() };
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
fn a22_an_update_that_comes_too_late_stays_sealed() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let adverts = liar.advertise(&ask, &ALL).said;
    let dealings = liar.deal(&ask, &adverts, &ALL).said;
    let acks = liar.acknowledge(&ask, &adverts, &dealings, &ALL).said;
    let headers = liar.submit(&ask, &adverts, &acks, &[1, 2, 4, 5]).said;
    let mut table = Table { ask, adverts, dealings, acks, headers };
    let signed = liar.certify(&table, &table.headers, &[1, 2, 4, 5]).said;
    // The set is certified, then the late update comes in; no reveal covers it, nor a second set with it.
    let late = liar.submit(&table.ask, &table.adverts, &table.acks, &[3]).said;
    assert_eq!(liar.reveal(&table.ask, &signed, &[1, 2]).declined, []);
    table.headers = [pick(&table.headers, &[1, 2]), late, pick(&table.headers, &[4, 5])].concat();
    let wider = liar.certify(&table, &table.headers, &[3, 4, 5]).said;
    assert_eq!(liar.reveal(&table.ask, &wider, &[3]).code(), "round.too-few");
    assert_eq!(liar.certify(&table, &table.headers, &[1, 2]).said, pick(&signed, &[1, 2]));
    assert_eq!(liar.sums_opened(), 1);
    unbroken(&liar);
}

#[test]
fn a23_mixed_sets_get_no_reveals() {
    // Each honest participant is shown a set of its own. Without the certificate all would reveal, and two reveals that
    // overlap would open what the sets have in common; the tests of the invariant show it.
    let mut liar = in_league();
    let table = collected(&mut liar);
    for (victim, set) in [(1, [1, 2, 4, 5]), (2, [1, 3, 4, 5]), (3, [2, 3, 4, 5])] {
        let headers = pick(&table.headers, &set);
        let signed = liar.certify(&table, &headers, &[victim, 4, 5]).said;
        assert_eq!(signed.len(), 3);
        assert_eq!(liar.reveal(&table.ask, &signed, &[victim]).code(), "round.too-few");
    }
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a28_rolled_back_participants_and_a_liar_get_one_certified_set() {
    // Two of five restore a snapshot, and nobody else is corrupted.
    let mut liar = alone();
    [4, 5].iter().for_each(|who| liar.snapshot(*who));
    let table = collected(&mut liar);
    let first = pick(&table.headers, &[1, 2, 3, 4]);
    let signed = liar.certify(&table, &first, &[1, 2, 4, 5]).said;
    assert_eq!(liar.reveal(&table.ask, &signed, &[1, 2]).declined, []);
    [4, 5].iter().for_each(|who| liar.roll_back(*who));
    // They take part once more, but those who are honest are not there to make a second cohort or set.
    let again = liar.advertise(&table.ask, &[4, 5]);
    assert_eq!(again.declined, [], "their journals have forgotten");
    let adverts = [pick(&table.adverts, &HONEST), again.said].concat();
    assert_eq!(liar.deal(&table.ask, &adverts, &[4, 5]).declined, []);
    assert!(
        liar.deal(&table.ask, &adverts, &HONEST)
            .said
            .iter()
            .all(|(signed, _)| { table.dealings.iter().any(|(before, _)| before == signed) })
    );
    let second = pick(&table.headers, &[1, 2, 4, 5]);
    let third = liar.certify(&table, &second, &[3]).said;
    assert_eq!(liar.reveal(&table.ask, &third, &[3]).code(), "round.too-few");
    assert_eq!(liar.sums_opened(), 1);
    unbroken(&liar);
}

#[test]
fn a29_two_questions_over_sets_that_differ_by_one_are_two_sums_and_no_more() {
    // Differing questions may have differing survivors: what isolates a victim is their likeness, of which the warning
    // tells. No combination of keys is opened beside the two sums.
    let mut liar = in_league();
    for (round, set) in [(1, [1, 2, 3, 4]), (2, [1, 2, 4, 5])] {
        let ask = liar.ask(round, 1, round.into());
        let table = liar.play(&ask, &ALL);
        let headers = pick(&table.headers, &set);
        let signed = liar.certify(&table, &headers, &ALL).said;
        assert_eq!(liar.reveal(&table.ask, &signed, &ALL).declined, []);
    }
    assert_eq!(liar.sums_opened(), 2);
    unbroken(&liar);
}

#[test]
fn a31_an_opened_question_is_not_opened_again_without_one() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    assert_eq!(liar.reveal(&table.ask, &signed, &HONEST).declined, []);
    // As the next attempt, as another round, and in another variant of the question.
    for ask in [liar.ask(1, 2, 2), liar.ask_about(2, 1, 3, 1, 0), liar.ask_about(3, 1, 4, 1, 7)] {
        let table = liar.play(&ask, &ALL);
        let without_one = pick(&table.headers, &[1, 2, 4, 5]);
        let signed = liar.certify(&table, &without_one, &ALL).said;
        assert_eq!(liar.reveal(&table.ask, &signed, &HONEST).code(), "journal.already-opened");
    }
    assert_eq!(liar.sums_opened(), 1);
    unbroken(&liar);
}

#[test]
fn a31_a_forged_or_foreign_void_does_not_let_a_question_be_opened_again() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    // Participant 3 is not asked to reveal, and promises; with the corrupted that makes three of four.
    assert_eq!(liar.reveal(&table.ask, &signed, &[1, 2]).declined, []);
    let promises = liar.void(&table, &[3, 4, 5]).said;
    assert_eq!(promises.len(), 3);
    let doubled = [promises.clone(), vec![promises[2].clone()]].concat();
    let (earlier, next) = (table.ask.plan.id, liar.ask(1, 2, 2));
    // Promises of the corrupted for another attempt, in the words of this one.
    let mut renamed = liar.advertise(&next, &ALL).said;
    renamed = vec![liar.forge_void(&next, &renamed, 4), liar.forge_void(&next, &renamed, 5)];
    let foreign = [pick(&promises, &[3]), promises[1..].to_vec(), renamed].concat();
    for (attempt, promises) in (3..).zip([promises, doubled, foreign]) {
        let ask = liar.ask(1, attempt, attempt.into());
        let table = liar.play(&ask, &ALL);
        let signed = liar.certify(&table, &table.headers, &ALL).said;
        let answers = liar.reveal_again(&table.ask, &signed, &[1, 2], &[(earlier, promises)]);
        assert_eq!(answers.code(), "journal.already-opened");
    }
    assert_eq!(liar.sums_opened(), 1);
    unbroken(&liar);
}

#[test]
fn a32_void_and_opening_of_one_attempt_exclude_each_other() {
    for revealing in [&[1_u16][..], &[1, 2], &HONEST] {
        let mut liar = in_league();
        let table = collected(&mut liar);
        let signed = liar.certify(&table, &table.headers, &ALL).said;
        assert_eq!(liar.reveal(&table.ask, &signed, revealing).declined, []);
        let promises = liar.void(&table, &ALL);
        let refused: Vec<_> = promises.declined.iter().map(|(who, _)| *who).collect();
        assert_eq!(refused, revealing, "who revealed promises nothing");
        assert!(promises.declined.iter().all(|(_, code)| *code == "journal.excluded"));
        // Who promised reveals nothing, after a restart either.
        let promised: Vec<u16> = HONEST.into_iter().filter(|who| !revealing.contains(who)).collect();
        for _ in 0..2 {
            let late = liar.reveal(&table.ask, &signed, &promised);
            assert_eq!(late.said, [], "{late:?}");
            promised.iter().for_each(|who| liar.restart(*who));
        }
        let enough_promised = promises.said.len() >= 4;
        assert!(!(enough_promised && liar.sums_opened() > 0));
        unbroken(&liar);
    }
}

#[test]
fn a32_a_void_attempt_is_tried_again_and_opened_once() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    // One reveals, which with the corrupted is one too few; the others promise.
    assert_eq!(liar.reveal(&table.ask, &signed, &[1]).declined, []);
    let promises = liar.void(&table, &[2, 3, 4, 5]).said;
    assert_eq!(promises.len(), 4);
    let voided = [(table.ask.plan.id, promises)];
    let ask = liar.ask(1, 2, 2);
    let table = liar.play(&ask, &ALL);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    assert_eq!(liar.reveal_again(&table.ask, &signed, &[1], &[]).code(), "journal.already-opened");
    let ask = liar.ask(1, 3, 3);
    let table = liar.play(&ask, &ALL);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    assert_eq!(liar.reveal_again(&table.ask, &signed, &HONEST, &voided).declined, []);
    assert_eq!(liar.sums_opened(), 1);
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
    let fewer = RoundPlan { admitted: ask.plan.admitted[..4].to_vec(), ..ask.plan.clone() };
    assert_eq!(liar.advertise(&Ask { plan: fewer, ..ask }, &[3]).code(), "round.not-agreed");
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
