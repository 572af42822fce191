//! Other survivor sets, other signatures, late and mixed updates.

use syndic_round::{ParticipantId, Signed};
use syndic_simulation::{Liar, Table};

use super::{
    ALL, HONEST, alone, collected, in_league, pick, refused_certificate, refused_list, shared, unbroken,
};

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
    for mut liar in [in_league(), shared::in_league()] {
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
