//! Attacks that must fail, by their numbers in docs/protocol.md, as far as they are played on messages alone.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use std::sync::Arc;

use crate::support::{Federation, Table, accepted, federation_of, id, ids, plan};
use syndic_round::coordinator::{Duty, Input};
use syndic_round::message::{Advertise, Certify, Context, Header, Kind, Payload};
use syndic_round::participant::{Bound, Certified, Invited};
use syndic_round::{
    Certificate, Cohort, Digest, EndorsedRoster, ParameterSet, ParticipantId, PreparationTerms, Protection,
    Rejection, RosterError, RoundPlan, Signed, SurvivorSet,
};

/// The signed upload headers of a table that awaits signatures.
fn headers(table: &Table) -> Vec<Signed> {
    match table.round.duty_of(id(1)) {
        Some(Duty::Certify(survivors)) => survivors.signed().to_vec(),
        other => panic!("{other:?}"),
    }
}

/// A table at the moment when the coordinator shows the survivor list, and participant 1 before it signs.
fn before_certifying() -> (Table, Bound, Vec<Signed>) {
    certifying(Table::open(plan()))
}

fn certifying(mut table: Table) -> (Table, Bound, Vec<Signed>) {
    table.play_until("certifying");
    let headers = headers(&table);
    let victim = table.seats.remove(&id(1)).unwrap().into_bound();
    (table, victim, headers)
}

/// A table at the moment when the coordinator shows the certificate, and participant 1 before it reveals.
fn before_revealing() -> (Table, Certified, Vec<Signed>) {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    let Some(Duty::Reveal(certificate)) = table.round.duty_of(id(1)) else { panic!() };
    let signatures = certificate.signatures().to_vec();
    let victim = table.seats.remove(&id(1)).unwrap().into_certified();
    (table, victim, signatures)
}

fn context(table: &Table) -> Context {
    table.round.phase().cohort().expect("the round has its cohort").context()
}

fn cohort(table: &Table) -> &Cohort {
    table.round.phase().cohort().expect("the round has its cohort")
}

fn resigned(table: &Table, header: &Signed, change: impl FnOnce(&mut Header)) -> Signed {
    let mut altered = Header::decode(&header.payload).unwrap();
    change(&mut altered);
    altered.sign(context(table), table.federation.key(header.from))
}

fn refusal(victim: &Bound, headers: Vec<Signed>) -> Rejection {
    victim.check_survivors(headers).err().expect("the list must be refused")
}

#[test]
fn the_honest_list_and_certificate_are_accepted() {
    let (_, victim, headers) = before_certifying();
    assert!(victim.check_survivors(headers).is_ok());
    let (_, victim, signatures) = before_revealing();
    assert!(victim.check(signatures).is_ok());
}

#[test]
fn a01_a_survivor_set_of_one_is_refused() {
    let (_, victim, headers) = before_certifying();
    let refused = refusal(&victim, headers[1..2].to_vec());
    assert_eq!(refused, Rejection::TooFew { what: "survivors", found: 1, needed: 4 });
    assert_eq!(refusal(&victim, Vec::new()), Rejection::TooFew { what: "survivors", found: 0, needed: 4 });
}

#[test]
fn a02_a_survivor_set_below_the_threshold_or_the_agreed_minimum_is_refused() {
    let (_, victim, headers) = before_certifying();
    let refused = refusal(&victim, headers[..3].to_vec());
    assert_eq!(refused, Rejection::TooFew { what: "survivors", found: 3, needed: 4 });
    let (_, victim, headers) = certifying(Table::open(plan().min_survivors(5)));
    let refused = refusal(&victim, headers[..4].to_vec());
    assert_eq!(refused, Rejection::TooFew { what: "survivors", found: 4, needed: 5 });
}

#[test]
fn a03_a_duplicate_id_is_refused() {
    let (_, victim, mut headers) = before_certifying();
    headers[3] = headers[2].clone();
    assert_eq!(refusal(&victim, headers), Rejection::List("survivors"));
}

#[test]
fn a04_an_unsorted_or_foreign_id_is_refused() {
    let (table, victim, headers) = before_certifying();
    let mut unsorted = headers.clone();
    unsorted.swap(1, 2);
    assert_eq!(refusal(&victim, unsorted), Rejection::List("survivors"));

    // In the roster and admitted, but not in this cohort.
    let mut absent = Table::open(plan());
    absent.vanish(id(5), Kind::Advertise);
    let (absent, victim_without_5, mut headers_without_5) = certifying(absent);
    let mut header = Header::decode(&headers_without_5[3].payload).unwrap();
    header.id = id(5);
    headers_without_5.push(header.sign(context(&absent), table.federation.key(id(5))));
    assert_eq!(refusal(&victim_without_5, headers_without_5), Rejection::NotInCohort(id(5)));

    // In nobody's roster.
    let mut foreign = headers;
    let mut header = Header::decode(&foreign[4].payload).unwrap();
    header.id = id(6);
    foreign.push(header.sign(context(&table), &crate::support::signing_key("member", 6)));
    assert_eq!(refusal(&victim, foreign), Rejection::UnknownSender);
}

#[test]
fn a05_two_survivor_sets_to_two_halves_open_nothing() {
    let mut table = Table::open(plan());
    table.play_until("certifying");
    let headers = headers(&table);
    let (all, without_5) = (headers.clone(), headers[..4].to_vec());
    let mut signatures: Vec<Vec<Signed>> = vec![Vec::new(), Vec::new()];
    let mut certified = Vec::new();
    for number in 1..=5 {
        let victim = table.seats.remove(&id(number)).unwrap().into_bound();
        let half = usize::from(number > 3);
        let shown = if half == 0 { all.clone() } else { without_5.clone() };
        let checked = victim.check_survivors(shown).expect("each list is sound by itself");
        let (next, signed) = victim.certify(checked, table.federation.key(id(number)));
        signatures[half].push(signed);
        certified.push((half, next));
    }
    for (half, victim) in &certified {
        let refused = victim.check(signatures[*half].clone()).unwrap_err();
        assert!(matches!(refused, Rejection::TooFew { what: "signatures", needed: 4, .. }));
        let mixed = victim.check([signatures[0].clone(), signatures[1].clone()].concat()).unwrap_err();
        assert_eq!(mixed, Rejection::Mismatch("survivor set"));
    }
}

#[test]
fn a06_a_certificate_needs_t_signers_over_exactly_this_set_and_round() {
    let (table, victim, signatures) = before_revealing();
    assert_eq!(signatures.len(), 4);
    let refused = victim.check(signatures[..3].to_vec()).unwrap_err();
    assert_eq!(refused, Rejection::TooFew { what: "signatures", found: 3, needed: 4 });

    let repeated = [&signatures[..3], &signatures[2..3]].concat();
    assert_eq!(victim.check(repeated).unwrap_err(), Rejection::List("signers"));

    let key = |number| table.federation.key(id(number));
    let replaced = |signed: Signed| [&signatures[..3], &[signed]].concat();
    let other_set =
        Certify { id: id(4), survivors: Digest::of(b"another set") }.sign(context(&table), key(4));
    assert_eq!(victim.check(replaced(other_set)).unwrap_err(), Rejection::Mismatch("survivor set"));

    let set = Certify { id: id(4), survivors: victim.survivors().digest() };
    let elsewhere = Context { h1: Some(Digest::of(b"another cohort")), ..context(&table) };
    let refused = victim.check(replaced(set.sign(elsewhere, key(4)))).unwrap_err();
    assert_eq!(refused, Rejection::BadSignature { from: id(4) });

    let next_attempt = plan().round(1, 2, 2).build(&table.federation);
    let elsewhere = Context { ctx0: next_attempt.context(), ..context(&table) };
    let refused = victim.check(replaced(set.sign(elsewhere, key(4)))).unwrap_err();
    assert_eq!(refused, Rejection::BadSignature { from: id(4) });

    let outsider = crate::support::signing_key("member", 6);
    let stranger = Certify { id: id(6), ..set }.sign(context(&table), &outsider);
    assert_eq!(victim.check(replaced(stranger)).unwrap_err(), Rejection::UnknownSender);
}

#[test]
fn a06_the_signature_of_somebody_outside_the_cohort_does_not_count() {
    let mut table = Table::open(plan());
    table.vanish(id(5), Kind::Advertise);
    table.play_until("revealing");
    let Some(Duty::Reveal(certificate)) = table.round.duty_of(id(1)) else { panic!() };
    let victim = table.seats.remove(&id(1)).unwrap().into_certified();
    let outside = Certify { id: id(5), survivors: victim.survivors().digest() }
        .sign(context(&table), table.federation.key(id(5)));
    let signatures = [&certificate.signatures()[..3], &[outside]].concat();
    assert_eq!(victim.check(signatures).unwrap_err(), Rejection::NotInCohort(id(5)));
}

#[test]
fn a07_a_participant_reveals_for_the_set_that_it_signed_and_no_other() {
    // Four colluders certify the set without participant 5 behind the back of 1, who signed the whole set.
    let (table, victim, _) = before_revealing();
    let all = victim.survivors().clone();
    let plan = table.round.plan();
    let roster = &table.federation.roster;
    let without_5 =
        SurvivorSet::from_headers(plan, cohort(&table), roster, all.signed()[..4].to_vec()).unwrap();
    let signatures: Vec<_> = (2..=5)
        .map(|number| {
            Certify { id: id(number), survivors: without_5.digest() }
                .sign(context(&table), table.federation.key(id(number)))
        })
        .collect();
    assert_eq!(victim.check(signatures.clone()).unwrap_err(), Rejection::Mismatch("survivor set"));
    let other = Certificate::verify(plan, cohort(&table), roster, without_5, signatures).unwrap();
    // Even an agent that hands it such a certificate gets no signature.
    let key = table.federation.key(id(1)).clone();
    let revealed = std::panic::catch_unwind(move || victim.reveal(&other, vec![1; 8], &key));
    assert!(revealed.is_err());
}

#[test]
fn a08_messages_do_not_replay_into_the_next_round_or_attempt() {
    for (round, attempt, preparation) in [(2, 1, 2), (1, 2, 2), (2, 1, 1), (1, 2, 1)] {
        let mut first = Table::open(plan());
        first.play_until("opening");
        let mut next = Table::open(plan().round(round, attempt, preparation));
        for phase in ["advertising", "sharing", "acknowledging", "collecting", "certifying", "revealing"] {
            next.play_until(phase);
            let of_phase = |input: &&Input| kind(input).is_some_and(|kind| kind_of_phase(phase) == kind);
            let recorded: Vec<_> = first.record.iter().map(|(_, input)| input).filter(of_phase).collect();
            assert!(!recorded.is_empty());
            for input in recorded {
                // The same preparation again would be caught by the participants' journals; the round itself
                // then still tells uploads apart.
                if preparation == 2 || phase == "collecting" {
                    assert!(next.feed(input.clone()).is_err(), "{phase} of {round}.{attempt}");
                }
            }
        }
    }
}

fn kind(input: &Input) -> Option<Kind> {
    Some(match input {
        Input::Advertise(_) => Kind::Advertise,
        Input::Deal(..) => Kind::Dealing,
        Input::Acknowledge(_) => Kind::Ack,
        Input::Submit(..) => Kind::Header,
        Input::Certify(_) => Kind::Certify,
        Input::Reveal(_) => Kind::Reveal,
        _ => return None,
    })
}

fn kind_of_phase(phase: &str) -> Kind {
    match phase {
        "advertising" => Kind::Advertise,
        "sharing" => Kind::Dealing,
        "acknowledging" => Kind::Ack,
        "collecting" => Kind::Header,
        "certifying" => Kind::Certify,
        _ => Kind::Reveal,
    }
}

#[test]
fn a08_headers_of_another_round_attempt_or_preparation_are_refused() {
    let (table, victim, headers) = before_certifying();
    type Change = fn(&mut Header);
    let changes: [(Change, &str); 5] = [
        (|header| header.round.round += 1, "round"),
        (|header| header.round.attempt += 1, "round"),
        (|header| header.preparation += 1, "preparation"),
        (|header| header.h1 = Digest::of(b"another cohort"), "cohort"),
        (|header| header.chunks += 1, "vector length"),
    ];
    for (change, what) in changes {
        let mut list = headers.clone();
        list[2] = resigned(&table, &list[2], change);
        assert_eq!(refusal(&victim, list), Rejection::Mismatch(what));
    }
}

/// What participant 1 says to a cohort in which these advertisements were put in place of the honest ones.
fn joins(change: impl FnOnce(&Federation, &RoundPlan, &mut Vec<Signed>)) -> Result<Digest, Rejection> {
    let federation = federation_of(6);
    let plan = plan().build(&federation);
    let context = Context { ctx0: plan.context(), h1: None };
    let advert =
        |number: u16| Advertise { id: id(number), kem_key: vec![7; 1_216], nonce: [number as u8; 32] };
    let invited =
        Invited::check(plan.terms.clone(), &accepted(&plan), federation.roster.clone(), id(1)).unwrap();
    let (advertised, own) = invited.advertise(vec![7; 1_216], [1; 32], federation.key(id(1)));
    let others = (2..=5).map(|number| advert(number).sign(context, federation.key(id(number))));
    let mut adverts: Vec<_> = std::iter::once(own).chain(others).collect();
    change(&federation, &plan, &mut adverts);
    advertised.join(adverts).map(|joined| joined.cohort().h1())
}

#[test]
fn a10_an_altered_kem_key_or_a_missing_own_advertisement_is_refused() {
    assert!(joins(|_, _, _| {}).is_ok());
    let missing = joins(|_, _, adverts| drop(adverts.remove(0)));
    assert_eq!(missing, Err(Rejection::OwnMessage("advertisement")));
    let swapped = joins(|federation, plan, adverts| {
        // Even validly signed: the own advertisement must be the one that was sent.
        let advert = Advertise { id: id(1), kem_key: vec![8; 1_216], nonce: [1; 32] };
        adverts[0] = advert.sign(Context { ctx0: plan.context(), h1: None }, federation.key(id(1)));
    });
    assert_eq!(swapped, Err(Rejection::OwnMessage("advertisement")));
    let altered = joins(|_, _, adverts| {
        let mut advert = Advertise::decode(&adverts[2].payload).unwrap();
        advert.kem_key[100] ^= 1;
        adverts[2].payload = advert.encode();
    });
    assert_eq!(altered, Err(Rejection::BadSignature { from: id(3) }));
}

#[test]
fn a11_two_cohorts_to_two_halves_share_nothing() {
    let whole = joins(|_, _, _| {}).unwrap();
    let without_5 = joins(|_, _, adverts| drop(adverts.pop())).unwrap();
    assert_ne!(
        whole, without_5,
        "another H1, hence other masks, and no signature of one half counts in the other"
    );
    let too_small = joins(|_, _, adverts| drop(adverts.drain(3..)));
    assert_eq!(too_small, Err(Rejection::TooFew { what: "participants in the cohort", found: 3, needed: 4 }));
}

#[test]
fn a12_a_header_over_another_model_is_refused() {
    let (table, victim, mut headers) = before_certifying();
    let other = plan().asking(b"a model made for one victim").build(&table.federation);
    headers[4] = resigned(&table, &headers[4], |header| header.plan = other.digest());
    assert_eq!(refusal(&victim, headers), Rejection::Mismatch("plan or question"));
}

#[test]
fn a13_weaker_terms_than_agreed_are_refused() {
    let federation = federation_of(6);
    let agreed = plan().cohort_of(6).build(&federation);
    let check = |plan: &RoundPlan| {
        Invited::check(plan.terms.clone(), &accepted(&agreed), federation.roster.clone(), id(1)).err()
    };
    assert_eq!(check(&agreed), None);
    let with = |set, t, c, u_min| {
        let protection = Protection::new(set, 6, t, c, u_min).unwrap();
        RoundPlan { terms: PreparationTerms { protection, ..agreed.terms.clone() }, ..agreed.clone() }
    };
    let weaker = [
        with(ParameterSet::S32, 4, 1, 4),
        with(ParameterSet::S40, 5, 3, 5),
        with(ParameterSet::S32, 5, 2, 5),
        with(ParameterSet::S32, 5, 3, 6),
    ];
    for plan in &weaker {
        assert_eq!(check(plan), Some(Rejection::NotAgreed("protection")), "{:?}", plan.terms.protection);
    }
    let other_job = RoundPlan {
        terms: PreparationTerms { agreement: Digest::of(b"a job with less privacy"), ..agreed.terms.clone() },
        ..agreed.clone()
    };
    assert_eq!(check(&other_job), Some(Rejection::NotAgreed("agreement")));
}

#[test]
fn a14_ids_outside_the_roster_and_badly_signed_rosters_are_refused() {
    let federation = federation_of(5);
    let mut foreign = plan().build(&federation);
    foreign.terms.admitted[4] = id(9);
    let refused =
        Invited::check(foreign.terms.clone(), &accepted(&foreign), federation.roster.clone(), id(1)).err();
    assert_eq!(refused, Some(Rejection::UnknownSender));

    let other = plan().build(&federation_of(6));
    let refused =
        Invited::check(other.terms.clone(), &accepted(&other), federation.roster.clone(), id(1)).err();
    assert_eq!(refused, Some(Rejection::NotAgreed("roster")));

    let roster = federation.roster.roster().clone();
    let endorse = |number: u16| roster.endorse(id(number), federation.key(id(number)));
    let mut endorsements: Vec<_> = (1..=5).map(endorse).collect();
    endorsements[3] = roster.endorse(id(4), federation.key(id(5)));
    let refused = EndorsedRoster { roster: roster.clone(), endorsements: endorsements.clone() }.verify();
    assert_eq!(refused, Err(RosterError::Unsigned("bank-4".into())));
    endorsements.remove(3);
    let refused = EndorsedRoster { roster: roster.clone(), endorsements }.verify();
    assert_eq!(refused, Err(RosterError::Unsigned("bank-4".into())));

    let mut swapped = roster.clone();
    swapped.members[1].signing_key = crate::support::signing_key("intruder", 1).verifying_key().to_bytes();
    let refused = EndorsedRoster { roster: swapped, endorsements: (1..=5).map(endorse).collect() }.verify();
    assert!(matches!(refused, Err(RosterError::Unsigned(_))));
}

#[test]
fn a15_a_share_swapped_between_recipients_or_senders_is_refused() {
    let mut table = Table::open(plan());
    table.play_until("acknowledging");
    let Some(Duty::Acknowledge(_, dealt)) = table.round.duty_of(id(1)) else { panic!() };
    let victim = table.seats.remove(&id(1)).unwrap().into_joined();
    let honest = |recipient: u16, dealer: usize| {
        crate::support::seat::received(id(recipient), &dealt[dealer], &table.blobs).unwrap()
    };
    assert_eq!(victim.check_share(&honest(1, 1)).map(drop), Ok(()));
    let for_another = honest(3, 1);
    assert_eq!(victim.check_share(&for_another), Err(Rejection::Mismatch("sealed share")));
    let mut from_another = honest(1, 1);
    from_another.sealed = honest(1, 2).sealed;
    assert_eq!(victim.check_share(&from_another), Err(Rejection::Mismatch("sealed share")));
    let mut altered = honest(1, 1);
    altered.public.payload[40] ^= 1;
    assert_eq!(victim.check_share(&altered), Err(Rejection::BadSignature { from: id(2) }));
}

#[test]
fn a33_a_cohort_beyond_the_admitted_is_refused() {
    let stranger = |federation: &Federation, plan: &RoundPlan| {
        let advert = Advertise { id: id(6), kem_key: vec![7; 1_216], nonce: [6; 32] };
        advert.sign(Context { ctx0: plan.context(), h1: None }, federation.key(id(6)))
    };
    // Six where five are admitted; the sixth is in the roster.
    let larger = joins(|federation, plan, adverts| adverts.push(stranger(federation, plan)));
    assert_eq!(larger, Err(Rejection::NotInCohort(id(6))));
    let replaced = joins(|federation, plan, adverts| adverts[4] = stranger(federation, plan));
    assert_eq!(replaced, Err(Rejection::NotInCohort(id(6))));
    let doubled = joins(|_, _, adverts| adverts.insert(2, adverts[2].clone()));
    assert_eq!(doubled, Err(Rejection::List("cohort")));
    let unsorted = joins(|_, _, adverts| adverts.swap(1, 2));
    assert_eq!(unsorted, Err(Rejection::List("cohort")));

    let federation = federation_of(6);
    let agreed = plan().build(&federation);
    let admitted: Vec<ParticipantId> = ids([1, 2, 3, 4, 6]);
    let other = RoundPlan { terms: PreparationTerms { admitted, ..agreed.terms.clone() }, ..agreed.clone() };
    let refused =
        Invited::check(other.terms, &accepted(&agreed), Arc::clone(&federation.roster), id(1)).err();
    assert_eq!(refused, Some(Rejection::NotAgreed("list of admitted institutions")));
    let refused = Invited::check(agreed.terms.clone(), &accepted(&agreed), federation.roster, id(6)).err();
    assert_eq!(refused, Some(Rejection::NotInCohort(id(6))));
}

#[test]
fn a34_a_typed_digest_does_not_stand_in_for_a_signed_one() {
    let (table, victim, headers) = before_certifying();
    // Participant 3 signed another model; the coordinator writes the expected digest into its header.
    let other = plan().asking(b"a model made for one victim").build(&table.federation);
    let truly_signed = resigned(&table, &headers[2], |header| header.plan = other.digest());
    let mut typed = truly_signed;
    typed.payload = headers[2].payload.clone();
    let mut list = headers.clone();
    list[2] = typed;
    assert_eq!(refusal(&victim, list), Rejection::BadSignature { from: id(3) });
}

#[test]
fn a_survivor_list_with_another_own_upload_is_refused() {
    let (table, victim, headers) = before_certifying();
    let mut list = headers.clone();
    list[0] = resigned(&table, &list[0], |header| header.root = Digest::of(b"another update"));
    assert_eq!(refusal(&victim, list), Rejection::OwnMessage("upload"));
}

#[test]
fn a_survivor_whose_share_is_not_held_is_refused() {
    let mut table = Table::open(plan());
    table.play_until("acknowledging");
    let Some(Duty::Acknowledge(_, dealt)) = table.round.duty_of(id(1)) else { panic!() };
    // Participant 1 found the share of 3 bad; one complaint evicts nobody.
    let joined = table.seats.remove(&id(1)).unwrap().into_joined();
    let verdicts: Vec<_> = dealt.iter().map(|dealt| (&dealt.public, dealt.public.from != id(3))).collect();
    let (victim, ack) = joined.acknowledge(&verdicts, table.federation.key(id(1)));
    let victim = victim.bind(table.round.plan().clone().into()).unwrap();
    table.feed(Input::Acknowledge(ack)).unwrap();
    table.vanish(id(1), Kind::Header);
    table.play_until("collecting");
    assert!(matches!(table.round.duty_of(id(3)), Some(Duty::Submit(_))), "one complaint evicts nobody");
    table.play_until("certifying");
    assert_eq!(refusal(&victim, headers(&table)), Rejection::NotEligible(id(3)));
    table.play_out();
    assert_eq!(table.phase(), "closed", "the four who hold it open the sum");
}
