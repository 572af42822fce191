//! One question asked again, or of almost the same institutions.

use super::{ALL, HONEST, collected, in_league, pick, shared, unbroken};

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
    for mut liar in [in_league(), shared::in_league()] {
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
