//! Preparations made ahead of their rounds: several of them, old ones, mixed ones, and one for two rounds (A37), with what
//! A8 and A11 become before there is a round.

use syndic_round::{Deadlines, Digest, PreparationTerms, RoundPlan};
use syndic_simulation::{Ask, Liar, Table};

use super::{ALL, HONEST, collected, in_league, pick, unbroken};

/// The preparation of `ask`, made ahead by all. No update is in.
fn prepared(liar: &mut Liar, ask: &Ask) -> Table {
    let ahead = ask.ahead();
    let adverts = liar.advertise(&ahead, &ALL);
    assert_eq!(adverts.declined, []);
    let dealings = liar.deal(&ahead, &adverts.said, &ALL);
    assert_eq!(dealings.declined, []);
    let acks = liar.acknowledge(&ahead, &adverts.said, &dealings.said, &ALL);
    assert_eq!(acks.declined, []);
    let (adverts, dealings, acks) = (adverts.said, dealings.said, acks.said);
    Table { ask: ask.clone(), adverts, dealings, acks, headers: Vec::new() }
}

/// The same plan with other terms of its preparation.
fn with_terms(ask: &Ask, change: impl FnOnce(&mut PreparationTerms)) -> Ask {
    let mut terms = ask.plan.terms.clone();
    change(&mut terms);
    Ask { plan: RoundPlan { terms, ..ask.plan.clone() }, ..ask.clone() }
}

#[test]
fn a_preparation_made_ahead_while_a_round_collects_serves_the_next() {
    let mut liar = in_league();
    let first = collected(&mut liar);
    let ask = liar.ask(2, 1, 2);
    let next = prepared(&mut liar, &ask);
    for table in [&first, &next] {
        let headers = match table.headers.is_empty() {
            true => liar.submit(&table.ask, &table.adverts, &table.acks, &ALL).said,
            false => table.headers.clone(),
        };
        let signed = liar.certify(table, &headers, &ALL).said;
        assert_eq!(liar.reveal(&table.ask, &signed, &HONEST).declined, []);
    }
    assert_eq!(liar.sums_opened(), 2);
    unbroken(&liar);
}

#[test]
fn a37_a_preparation_shown_with_two_rounds_serves_one_for_each_participant_and_opens_one_sum() {
    let mut liar = in_league();
    let ask = liar.ask(2, 1, 2);
    let mut table = prepared(&mut liar, &ask);
    let other = liar.ask(3, 1, 2);
    table.headers = liar.submit(&ask, &table.adverts, &table.acks, &[1, 2, 4, 5]).said;
    let third = liar.submit(&other, &table.adverts, &table.acks, &[3]).said;
    assert_eq!(third.len(), 1, "to participant 3 it is the one round of its preparation");
    // Whose keys are bound has none for another round, and what it said in the one is not said in the other.
    assert_eq!(liar.submit(&other, &table.adverts, &table.acks, &[2]).code(), "round.mismatch");
    let mixed = [pick(&table.headers, &[1, 2]), third, pick(&table.headers, &[4, 5])].concat();
    assert_eq!(liar.certify(&table, &mixed, &[1]).code(), "round.mismatch");
    let other = Table { ask: other, ..table.clone() };
    assert_eq!(liar.certify(&other, &mixed, &[3]).code(), "round.mismatch");
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a37_a_preparation_shown_with_two_questions_makes_no_sum_of_both() {
    let mut liar = in_league();
    let ask = liar.ask(2, 1, 2);
    let mut table = prepared(&mut liar, &ask);
    let other = liar.ask_about(2, 1, 2, 2, 1);
    table.headers = liar.submit(&ask, &table.adverts, &table.acks, &[1, 2, 4, 5]).said;
    let third = liar.submit(&other, &table.adverts, &table.acks, &[3]).said;
    assert_eq!(liar.submit(&other, &table.adverts, &table.acks, &[1]).code(), "round.mismatch");
    let mixed = [pick(&table.headers, &[1, 2]), third, pick(&table.headers, &[4, 5])].concat();
    assert_eq!(liar.certify(&table, &mixed, &[2]).code(), "round.mismatch");
    let other = Table { ask: other, ..table };
    assert_eq!(liar.certify(&other, &mixed, &[3]).code(), "round.mismatch");
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a37_of_several_preparations_shown_ahead_the_newest_alone_is_held() {
    let mut liar = in_league();
    let (older, newer) = (liar.ask(2, 1, 2), liar.ask(2, 1, 3));
    let old = prepared(&mut liar, &older);
    let new = prepared(&mut liar, &newer);
    assert_eq!(liar.submit(&older, &old.adverts, &old.acks, &HONEST).code(), "participant.restarted");
    assert_eq!(liar.advertise(&older.ahead(), &HONEST).code(), "journal.preparation-old");
    // Asked for that one it threw the newer one away; the next one it makes serves.
    let newest = liar.ask(2, 1, 4);
    let newest = prepared(&mut liar, &newest);
    assert_eq!(liar.submit(&newer, &new.adverts, &new.acks, &HONEST).code(), "participant.restarted");
    assert_eq!(liar.submit(&newest.ask, &newest.adverts, &newest.acks, &HONEST).declined, []);
    unbroken(&liar);
}

#[test]
fn a37_a_replayed_preparation_and_cohorts_of_two_are_refused() {
    let mut liar = in_league();
    let ask = liar.ask(2, 1, 2);
    let old = prepared(&mut liar, &ask);
    let ask = liar.ask(2, 1, 3).ahead();
    let adverts = liar.advertise(&ask, &ALL).said;
    assert_eq!(liar.deal(&ask, &old.adverts, &[1]).code(), "round.own-message");
    let mixed = [pick(&old.adverts, &[1]), pick(&adverts, &[2, 3, 4, 5])].concat();
    assert_eq!(liar.deal(&ask, &mixed, &[2]).code(), "round.bad-signature");
    let dealings = liar.deal(&ask, &adverts, &[3]);
    assert_eq!(dealings.declined, [], "who was shown the right cohort goes on");
    assert_eq!(
        liar.acknowledge(&ask, &adverts, &old.dealings, &[3]).code(),
        "round.bad-signature",
        "shares of the older preparation"
    );
    unbroken(&liar);
}

#[test]
fn a37_terms_of_another_job_or_other_terms_than_before_are_refused_ahead_too() {
    let mut liar = in_league();
    let ask = liar.ask(2, 1, 2);
    let job = with_terms(&ask, |terms| terms.agreement = Digest::of(b"another job"));
    assert_eq!(liar.advertise(&job.ahead(), &HONEST).code(), "round.not-agreed");
    // Deadlines are not part of the context of signatures, so that nothing else would tell these terms from the first.
    let other = with_terms(&ask, |terms| {
        terms.deadlines = Deadlines { reveal: terms.deadlines.reveal + 1, ..terms.deadlines };
    });
    assert_eq!(liar.advertise(&other.ahead(), &HONEST).code(), "round.not-agreed");
    let adverts = liar.advertise(&ask.ahead(), &ALL).said;
    assert_eq!(liar.deal(&other.ahead(), &adverts, &[1]).code(), "round.mismatch");
    let dealings = liar.deal(&ask.ahead(), &adverts, &[2, 3, 4, 5]).said;
    let acks = liar.acknowledge(&ask.ahead(), &adverts, &dealings, &[2, 3, 4, 5]).said;
    assert_eq!(liar.submit(&other, &adverts, &acks, &[2]).code(), "round.mismatch");
    assert_eq!(liar.submit(&ask, &adverts, &acks, &[2]).declined, [], "its keys serve their own terms");
    unbroken(&liar);
}

#[test]
fn a37_a_preparation_is_acknowledged_beside_a_bound_one_and_not_once_a_newer_is_bound() {
    let mut liar = in_league();
    let (first, second) = (liar.ask(1, 1, 1), liar.ask(1, 2, 2));
    let adverts = liar.advertise(&first, &ALL).said;
    let dealings = liar.deal(&first, &adverts, &ALL).said;
    let table = prepared(&mut liar, &second);
    let headers = liar.submit(&second, &table.adverts, &table.acks, &ALL).said;
    let third = liar.ask(2, 1, 3);
    let newest = prepared(&mut liar, &third);
    let signed = liar.certify(&table, &headers, &ALL).said;
    assert_eq!(signed.len(), 5, "the bound one goes on beside it");
    // The oldest was never bound, and will not be.
    assert_eq!(liar.acknowledge(&first, &adverts, &dealings, &HONEST).code(), "participant.restarted");
    assert_eq!(liar.submit(&third, &newest.adverts, &newest.acks, &HONEST).declined, []);
    unbroken(&liar);
}

#[test]
fn a37_who_lost_the_keys_made_ahead_declines_their_round() {
    let mut liar = in_league();
    let ask = liar.ask(2, 1, 2);
    let table = prepared(&mut liar, &ask);
    HONEST.iter().for_each(|who| liar.restart(*who));
    assert_eq!(liar.submit(&ask, &table.adverts, &table.acks, &HONEST).code(), "participant.restarted");
    assert_eq!(liar.advertise(&ask, &HONEST).code(), "journal.preparation-old");
    unbroken(&liar);
}

#[test]
fn a08_what_was_said_in_one_preparation_is_worth_nothing_in_the_next() {
    let mut liar = in_league();
    let (first, second) = (liar.ask(2, 1, 2), liar.ask(2, 1, 3));
    let old = prepared(&mut liar, &first);
    let new = prepared(&mut liar, &second);
    let mixed = [pick(&old.acks, &[1]), pick(&new.acks, &[2, 3, 4, 5])].concat();
    assert_eq!(liar.submit(&second, &new.adverts, &mixed, &[2]).code(), "round.bad-signature");
    assert_eq!(liar.submit(&second, &new.adverts, &old.acks, &[3]).code(), "round.bad-signature");
    unbroken(&liar);
}

#[test]
fn a11_two_cohorts_shown_ahead_to_two_halves_open_no_sum() {
    let mut liar = in_league();
    let ask = liar.ask(2, 1, 2);
    let ahead = ask.ahead();
    let adverts = liar.advertise(&ahead, &ALL).said;
    let cohorts = [(pick(&adverts, &[1, 2, 4, 5]), [1, 4, 5]), (pick(&adverts, &[2, 3, 4, 5]), [3, 4, 5])];
    for (adverts, who) in cohorts {
        let dealings = liar.deal(&ahead, &adverts, &who);
        assert_eq!(dealings.declined, []);
        let acks = liar.acknowledge(&ahead, &adverts, &dealings.said, &who).said;
        // Three good words are one too few, and participant 2 can only join one of the two.
        assert_eq!(liar.submit(&ask, &adverts, &acks, &who[..1]).code(), "round.not-eligible");
    }
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}
