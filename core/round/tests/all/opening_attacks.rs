//! Attacks on what may be opened, as far as they are played on messages alone: retries and their voids, and preparations
//! that are mixed or used again.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{Table, id, ids, plan};
use syndic_round::coordinator::{Duty, Input, Phase};
use syndic_round::eligibility::Acks;
use syndic_round::message::{Context, Header, Payload, Void};
use syndic_round::participant::Invited;
use syndic_round::{
    Cohort, ParameterSet, PlanError, Protection, Rejection, RoundId, Signed, SurvivorSet, Voided,
};

fn cohort(table: &Table) -> Cohort {
    table.round.phase().cohort().unwrap().clone()
}

/// The promise of member `number` never to reveal in the round of `table`.
fn promise(table: &Table, number: u16) -> Signed {
    let adverts = cohort(table).adverts().to_vec();
    let own = adverts[usize::from(number) - 1].clone();
    let (plan, roster, key) =
        (table.round.plan(), &table.federation.roster, table.federation.key(id(number)));
    Invited::void(plan, roster, adverts, &own, key).unwrap()
}

fn is_void(table: &Table, promises: Vec<Signed>) -> Result<Voided, Rejection> {
    let plan = table.round.plan();
    let (context, roster) = (cohort(table).context(), &table.federation.roster);
    Voided::verify(plan.id, context, &plan.terms.protection, &plan.terms.admitted, roster, promises)
}

/// A31. A coordinator opened the sum over everybody with the reveals of two honest members and its two colluders, and now wants
/// the same question answered without one, for the difference. It would have to show a void, and promises are left only
/// of its colluders and the one honest member that did not reveal: three where four are needed. Nothing that it adds is a
/// promise: one twice, one of another attempt or cohort, one of a stranger.
#[test]
fn a31_an_opened_attempt_cannot_be_passed_off_as_void() {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    let promises: Vec<_> = [3, 4, 5].map(|number| promise(&table, number)).into();
    let too_few = Rejection::TooFew { what: "voids", found: 3, needed: 4 };
    assert_eq!(is_void(&table, promises.clone()), Err(too_few));
    let with = |more: Signed| is_void(&table, [&[more], &promises[..]].concat());

    assert!(with(promise(&table, 2)).is_ok(), "a fourth who had not revealed would have done");
    assert_eq!(with(promises[0].clone()), Err(Rejection::List("voids")));
    let key = |number| table.federation.key(id(number));
    let context = cohort(&table).context();
    let of_another_attempt = Void { id: id(2), round: RoundId { round: 1, attempt: 2 } };
    assert_eq!(with(of_another_attempt.sign(context, key(2))), Err(Rejection::Mismatch("round")));
    let mut next = Table::open(plan().round(1, 2, 2));
    next.play_until("revealing");
    assert_eq!(with(promise(&next, 2)), Err(Rejection::BadSignature { from: id(2) }));
    let before_the_cohort = Context { h1: None, ..context };
    let this_attempt = Void { id: id(2), round: table.round.plan().id };
    let unbound = with(this_attempt.sign(before_the_cohort, key(2)));
    assert_eq!(unbound, Err(Rejection::BadSignature { from: id(2) }));
    let stranger =
        Void { id: id(6), ..this_attempt }.sign(context, &crate::support::signing_key("member", 6));
    assert_eq!(is_void(&table, [promises, vec![stranger]].concat()), Err(Rejection::UnknownSender));
}

/// A32. An attempt that is both opened and void would let a question be opened twice. Opening takes t reveals and a void t
/// promises; the c colluders give both, an honest member one or neither. Counted out for every n, t and c: in terms that
/// a plan may have, no choice of the honest members is enough for both, and in terms that are refused for 2t <= n + c
/// there always is one.
#[test]
fn a32_no_choice_of_honest_members_opens_and_voids_an_attempt() {
    let (mut allowed, mut refused) = (0, 0);
    for n in 3..=40_u16 {
        for t in 1..=n {
            for c in 0..t {
                let opens = |reveals: u16| reveals + c >= t;
                let voids = |promises: u16| promises + c >= t;
                let honest = n - c;
                let both = (0..=honest).any(|reveals| opens(reveals) && (0..=honest - reveals).any(voids));
                match Protection::new(ParameterSet::S32, n, t, c, t) {
                    Ok(_) => {
                        assert!(!both, "n = {n}, t = {t}, c = {c}");
                        allowed += 1;
                    }
                    Err(PlanError::Quorum { .. }) => {
                        assert!(both, "n = {n}, t = {t}, c = {c}: refused without need");
                        refused += 1;
                    }
                    Err(PlanError::Anonymity { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
    assert!(allowed > 1_000 && refused > 1_000);
}

/// A32. The same with real messages and five members, of whom 4 and 5 reveal and promise at once to two faces of one
/// coordinator. In all 27 choices of the other three, one face opens the sum or the other proves the void, never both.
#[test]
fn a32_two_faced_colluders_cannot_have_an_attempt_opened_and_void() {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    // Member 5 was slower than the certificate.
    let late = table.play(id(5)).unwrap();
    table.feed(late).unwrap();
    let reveals: Vec<Input> = ids(1..=5).into_iter().map(|id| table.play(id).unwrap()).collect();
    let promises: Vec<Signed> = (1..=5).map(|number| promise(&table, number)).collect();
    let (mut opened, mut voided) = (0, 0);
    for choice in 0..27_usize {
        let chosen = |member: usize| choice / 3_usize.pow(member as u32) % 3;
        let does = |what: usize| move |member: &usize| *member >= 3 || chosen(*member) == what;
        let mut round = table.round.clone();
        for member in (0..5).filter(does(1)) {
            round = match round.step(table.now, &reveals[member]) {
                Ok(step) => step.next,
                // Enough had revealed already.
                Err(refused) => {
                    assert_eq!(refused, Rejection::Late);
                    round
                }
            };
        }
        let is_opened = matches!(round.phase(), Phase::Opening(_));
        let said: Vec<Signed> = (0..5).filter(does(2)).map(|member| promises[member].clone()).collect();
        let is_void = is_void(&table, said).is_ok();
        assert!(!(is_opened && is_void), "choice {choice}");
        opened += u32::from(is_opened);
        voided += u32::from(is_void);
    }
    assert_eq!((opened, voided), (7, 7), "two or more of three, in 7 of 27 choices each");
}

/// A37. A coordinator mixes what members signed in two preparations of one job, to build a cohort, a proof of eligibility
/// or a survivor set that none of them agreed to. Every signature covers the number of its preparation, and from the cohort
/// on H1: whatever comes from the other preparation does not verify.
#[test]
fn a37_messages_of_two_preparations_do_not_mix() {
    let mut first = Table::open(plan());
    let mut second = Table::open(plan().round(1, 2, 2));
    first.play_until("certifying");
    second.play_until("collecting");
    let Some(Duty::Submit(acks)) = second.round.duty_of(id(1)) else { panic!() };
    let of_kind = |table: &Table, is_it: fn(&Input) -> Option<&Signed>| -> Vec<Signed> {
        table.record.iter().filter_map(|(_, input)| is_it(input)).cloned().collect()
    };
    let roster = &second.federation.roster;

    let mut adverts = cohort(&second).adverts().to_vec();
    adverts[2] = cohort(&first).adverts()[2].clone();
    let mixed = Cohort::assemble(&second.round.plan().terms, roster, adverts);
    assert_eq!(mixed.err(), Some(Rejection::BadSignature { from: id(3) }));

    let mut mixed = acks;
    mixed[2] = of_kind(&first, |input| match input {
        Input::Acknowledge(signed) => Some(signed),
        _ => None,
    })[2]
        .clone();
    let mixed = Acks::verify(mixed, &cohort(&second), roster);
    assert_eq!(mixed.err(), Some(Rejection::BadSignature { from: id(3) }));

    second.play_until("certifying");
    let headers = |table: &Table| match table.round.duty_of(id(1)) {
        Some(Duty::Certify(survivors)) => survivors.signed().to_vec(),
        other => panic!("{other:?}"),
    };
    let mut mixed = headers(&second);
    mixed[2] = headers(&first)[2].clone();
    let roster = &second.federation.roster;
    let mixed = SurvivorSet::from_headers(second.round.plan(), &cohort(&second), roster, mixed);
    assert_eq!(mixed.err(), Some(Rejection::BadSignature { from: id(3) }));
}

/// A37. A coordinator asks the next question on a preparation that is used already, whose keys it may know the sum of. Where
/// members advertised the same bytes H1 is the same, and signatures over the cohort would verify; but each upload's header
/// names its round and plan, so none of the earlier one counts. (That no member makes new ones is for its journal, which
/// binds a preparation once.)
#[test]
fn a37_a_preparation_used_again_is_no_survivor_set_of_another_round() {
    let mut first = Table::open(plan());
    let mut again = Table::open(plan().round(2, 1, 1));
    first.play_until("certifying");
    again.play_until("certifying");
    assert_eq!(cohort(&first).h1(), cohort(&again).h1());
    let Some(Duty::Certify(survivors)) = first.round.duty_of(id(1)) else { panic!() };
    let (plan, roster) = (again.round.plan(), &again.federation.roster);
    let replayed = SurvivorSet::from_headers(plan, &cohort(&again), roster, survivors.signed().to_vec());
    assert_eq!(replayed.err(), Some(Rejection::Mismatch("round")));

    let change = |round| {
        let mut header = Header::decode(&survivors.signed()[0].payload).unwrap();
        header.round = round;
        header.sign(cohort(&again).context(), again.federation.key(id(1)))
    };
    let mut list = survivors.signed().to_vec();
    list[0] = change(plan.id);
    let renamed = SurvivorSet::from_headers(plan, &cohort(&again), roster, list);
    assert_eq!(renamed.err(), Some(Rejection::Mismatch("plan or question")), "the plan names the round too");
}
