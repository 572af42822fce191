//! A job whose vectors are shared themselves, beside a lax one whose are encrypted: who lies about the one as about any
//! other, by one lie among exactly t reveals (A38), and by passing the preparation of the one off as that of the other (A37).

use syndic_round::message::{Header, Payload, Reveal};
use syndic_round::{Carrier, Digest, RoundPlan, Signed};
use syndic_secure_aggregation::{OpenedVector, Unopened, VectorShape, VectorShareSum};
use syndic_simulation::{Ask, Engine, Liar, Table};

use super::{ALL, HONEST, collected, pick, unbroken};

pub(crate) fn in_league() -> Liar {
    Liar::sharing(1, Engine::Encrypted, 5, &[4, 5])
}

/// What anybody makes of these reveals, which are on record.
fn opened(ask: &Ask, reveals: &[Signed]) -> Result<OpenedVector, Unopened> {
    let shape = VectorShape::of(&ask.plan).expect("its vectors are small");
    let sum = |signed: &Signed| {
        let reveal = Reveal::decode(&signed.payload).expect("it is a reveal");
        let sum = VectorShareSum::from_bytes(&reveal.share_sum, &shape).expect("it is of this shape");
        (reveal.id, sum)
    };
    Ok(shape.open(&reveals.iter().map(sum).collect::<Vec<_>>(), 5)?)
}

#[test]
fn an_honest_script_of_shared_vectors_opens_one_sum() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    assert_eq!(table.ask.plan.carrier, Carrier::Shares);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    assert_eq!(liar.reveal(&table.ask, &signed, &ALL).declined, []);
    assert_eq!(liar.sums_opened(), 1);
    unbroken(&liar);
}

#[test]
fn a38_a_sum_shifted_by_one_in_league_is_unchecked_for_whoever_opens_it_and_one_more_reveal_shows_it() {
    let mut liar = Liar::sharing(1, Engine::Encrypted, 5, &[5]);
    let table = collected(&mut liar);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    let reveals = liar.reveal(&table.ask, &signed, &[1, 2, 3, 4]).said;
    let beside = pick(&reveals, &[1, 2, 3]);
    let lie = liar.forge_shifted_reveal(&table.ask, &table.adverts, &reveals, &beside, 5);

    let right = opened(&table.ask, &reveals).unwrap();
    let shifted = opened(&table.ask, &[beside, vec![lie.clone()]].concat()).unwrap();
    let more = opened(&table.ask, &[reveals, vec![lie]].concat());

    let [.., last] = right.sum.steps() else { panic!("it has values") };
    assert_eq!(shifted.sum.steps().last(), Some(&(last + 1)), "it passes the canaries");
    assert_eq!(shifted.sum.steps()[..54], right.sum.steps()[..54]);
    assert!(!shifted.is_checked() && shifted.wrong_reveals.is_empty());
    assert!(matches!(more, Err(Unopened::MoreReveals(_))), "{more:?}");
    unbroken(&liar);
}

#[test]
fn a37_a_vector_is_not_shared_in_the_cohort_that_another_job_lets_in() {
    let mut liar = in_league();
    // Both jobs have a preparation of this number, so that nothing but its terms tells the one from the other.
    let first = liar.ask(1, 1, 1);
    assert_eq!(liar.advertise(&first, &ALL).declined, []);
    let (ask, lax) = (liar.ask(2, 1, 1), liar.ask_lax(1, 1, 1));
    let adverts = liar.advertise(&lax.ahead(), &[3, 4, 5]).said;
    assert_eq!(adverts.len(), 3, "two of them are in league, and two open what is shared there");
    assert_eq!(liar.take_up(3, &ask).unwrap_err(), "round.mismatch");
    assert_eq!(liar.deal(&ask, &adverts, &[3]).code(), "participant.restarted");
    unbroken(&liar);
}

#[test]
fn a37_keys_made_ahead_serve_no_plan_of_another_job_nor_one_whose_vector_is_shared() {
    let mut liar = in_league();
    let (ask, lax) = (liar.ask(1, 1, 1), liar.ask_lax(1, 1, 1));
    let ahead = ask.ahead();
    let adverts = liar.advertise(&ahead, &ALL).said;
    let dealings = liar.deal(&ahead, &adverts, &ALL).said;
    let acks = liar.acknowledge(&ahead, &adverts, &dealings, &ALL).said;
    for other in [&lax, &ask] {
        assert_eq!(liar.take_up(3, other).unwrap_err(), "round.mismatch");
        assert_eq!(liar.submit(other, &adverts, &acks, &[3]).code(), "round.mismatch");
    }
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a13_another_way_of_small_vectors_than_the_job_has_is_refused() {
    let other = |ask: Ask, carrier| Ask { plan: RoundPlan { carrier, ..ask.plan }, ..ask };
    let mut liar = in_league();
    let ring = other(liar.ask(1, 1, 1), Carrier::Ring);
    assert_eq!(liar.advertise(&ring, &HONEST).code(), "round.not-agreed");
    unbroken(&liar);
    let mut liar = super::in_league();
    let shares = other(liar.ask(1, 1, 1), Carrier::Shares);
    assert_eq!(liar.advertise(&shares, &HONEST).code(), "round.not-agreed");
    unbroken(&liar);
}

#[test]
fn a36_a_header_about_another_sharing_than_was_acknowledged_is_refused() {
    let mut liar = in_league();
    let table = collected(&mut liar);
    // Another sharing in the name of the corrupted, of which nobody holds a share.
    let (other, _) = liar.forge_dealing(&table.ask, &table.adverts, 5).unwrap();
    let forged = liar.forge_header(&table.ask, &table.adverts, 5);
    assert_eq!(Header::decode(&forged.payload).unwrap().root, other.digest());
    let headers = [pick(&table.headers, &[1, 2, 3, 4]), vec![forged]].concat();
    assert_eq!(liar.certify(&table, &headers, &HONEST).code(), "round.mismatch");
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a12_vectors_that_answer_two_questions_make_no_sum() {
    let mut liar = in_league();
    let asks = [liar.ask(1, 1, 1), liar.ask_about(1, 1, 1, 1, 1)];
    let mut adverts = liar.advertise(&asks[0], &[1, 2, 4, 5]).said;
    adverts.extend(liar.advertise(&asks[1], &[3]).said);
    adverts.sort_by_key(|signed| signed.from);
    let mut dealings = liar.deal(&asks[0], &adverts, &[1, 2, 4, 5]).said;
    dealings.extend(liar.deal(&asks[1], &adverts, &[3]).said);
    dealings.sort_by_key(|(signed, _)| signed.from);
    let mut acks = liar.acknowledge(&asks[0], &adverts, &dealings, &[1, 2, 4, 5]).said;
    acks.extend(liar.acknowledge(&asks[1], &adverts, &dealings, &[3]).said);
    acks.sort_by_key(|signed| signed.from);
    let mut headers = liar.submit(&asks[0], &adverts, &acks, &[1, 2, 4, 5]).said;
    headers.extend(liar.submit(&asks[1], &adverts, &acks, &[3]).said);
    headers.sort_by_key(|signed| signed.from);
    assert_eq!(headers.len(), 5, "each shares what it was asked for");
    let table = Table { ask: asks[0].clone(), adverts, dealings, acks, headers };
    assert_eq!(liar.certify(&table, &table.headers, &[1, 2]).code(), "round.mismatch");
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
}

#[test]
fn a21_who_restarts_shares_no_other_vector_in_the_same_attempt() {
    let mut liar = in_league();
    let ask = liar.ask(1, 1, 1);
    let adverts = liar.advertise(&ask, &ALL).said;
    assert_eq!(liar.deal(&ask, &adverts, &HONEST).declined, []);
    HONEST.iter().for_each(|who| liar.restart(*who));
    assert_eq!(liar.deal(&ask, &adverts, &HONEST).code(), "participant.restarted");
    assert_eq!(liar.advertise(&ask, &HONEST).code(), "journal.preparation-old");
    let other = Ask { plan: RoundPlan { question: Digest::of(b"other"), ..ask.plan.clone() }, ..ask };
    assert_eq!(liar.deal(&other, &adverts, &HONEST).code(), "participant.restarted");
    unbroken(&liar);
}
