//! The coordinator's half over whole rounds: who may vanish, when a round is abandoned, what it owes whom.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{START, Table, id, ids, opened, plan};
use proptest::prelude::*;
use syndic_round::coordinator::{Abandoned, Duty, Input, Phase, Round};
use syndic_round::message::Kind;
use syndic_round::participant::Invited;
use syndic_round::{PlanError, Rejection};

const KINDS: [Kind; 6] =
    [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal];

#[test]
fn a_full_round_closes_with_everybody_in_the_sum() {
    let mut table = Table::open(plan());
    table.play_out();
    let Phase::Closed(closed) = table.round.phase() else { panic!("{:?}", table.round.phase()) };
    assert_eq!(closed.survivors.ids(), ids(1..=5));
    assert_eq!(closed.opened, opened());
}

#[test]
fn a_full_round_needs_no_deadline() {
    let mut table = Table::open(plan());
    table.play_out();
    assert!(!table.record.iter().any(|(_, input)| *input == Input::Wake));
}

#[test]
fn the_round_completes_when_one_vanishes_in_any_phase() {
    for kind in KINDS {
        for gone in [1, 3, 5] {
            let mut table = Table::open(plan());
            table.vanish(id(gone), kind);
            table.play_out();
            let Phase::Closed(closed) = table.round.phase() else {
                panic!("{gone} gone before {kind:?}: {:?}", table.round.phase())
            };
            // Whoever has submitted is in the sum, whatever becomes of it afterwards.
            let submitted = kind > Kind::Header;
            assert_eq!(closed.survivors.contains(id(gone)), submitted, "{gone} gone before {kind:?}");
            assert_eq!(closed.survivors.len(), if submitted { 5 } else { 4 });
        }
    }
}

#[test]
fn the_round_is_abandoned_when_too_few_remain_in_any_phase() {
    let counted = [
        "participants advertised a key",
        "participants shared their key",
        "dealers acknowledged by enough",
        "participants submitted an update",
        "members signed the survivor set",
    ];
    // Once revealing has begun the round waits instead; see below.
    for (kind, what) in KINDS.into_iter().filter(|kind| *kind != Kind::Reveal).zip(counted) {
        let mut table = Table::open(plan());
        table.vanish(id(2), kind);
        table.vanish(id(4), kind);
        table.play_out();
        // With three acknowledgements no dealer has the four that it needs.
        let found = if kind == Kind::Ack { 0 } else { 3 };
        let reason = Abandoned::TooFew { what, found, needed: 4 };
        assert!(
            matches!(table.round.phase(), Phase::Abandoned(abandoned) if *abandoned == reason),
            "two gone before {kind:?}: {:?}",
            table.round.phase()
        );
    }
}

#[test]
fn a_round_that_began_to_reveal_waits_for_the_same_set_while_it_can_be_completed() {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    let no = |table: &Table, number| {
        Input::Decline(Invited::decline(
            &table.round.plan().terms,
            table.round.plan().id.into(),
            id(number),
            "gone",
            table.federation.key(id(number)),
        ))
    };
    for _ in 0..3 {
        table.now = table.round.wake_at().unwrap();
        table.feed(Input::Wake).unwrap();
        assert_eq!(table.phase(), "revealing");
    }
    let first = no(&table, 2);
    table.feed(first).unwrap();
    table.now = table.round.wake_at().unwrap();
    table.feed(Input::Wake).unwrap();
    assert_eq!(table.phase(), "revealing", "four of five can still reveal");
    let second = no(&table, 4);
    table.feed(second).unwrap();
    assert!(matches!(table.round.duty_of(id(1)), Some(Duty::Void(_))), "three of five cannot open it");
    assert!(matches!(table.round.duty_of(id(4)), Some(Duty::Void(_))), "who declined can still promise");
    table.play_phase();
    let Phase::Abandoned(Abandoned::Voided(voided)) = table.round.phase() else {
        panic!("{:?}", table.round.phase())
    };
    assert_eq!(voided.signatures().len(), 4);
    let plan = table.round.plan();
    assert_eq!(voided.round(), plan.id);
}

#[test]
fn a_round_that_can_be_neither_completed_nor_voided_is_abandoned_at_once() {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    for number in [1, 2] {
        let reveal = table.play(id(number)).expect("a reveal is owed");
        table.feed(reveal).unwrap();
    }
    for number in [3, 4] {
        let key = table.federation.key(id(number)).clone();
        let no = Invited::decline(
            &table.round.plan().terms,
            table.round.plan().id.into(),
            id(number),
            "gone",
            &key,
        );
        table.feed(Input::Decline(no)).unwrap();
    }
    // Participant 5 could reveal, but three reveals open nothing, and three promises void nothing.
    let reason = Abandoned::TooFew { what: "members revealed", found: 2, needed: 4 };
    assert!(matches!(table.round.phase(), Phase::Abandoned(abandoned) if *abandoned == reason));
}

#[test]
fn reveals_that_open_nothing_are_followed_by_one_more_until_nobody_is_left() {
    let mut table = Table::open(plan());
    table.play_until("opening");
    assert_eq!(table.round.command().unwrap().reveals().len(), 4);
    table.feed(Input::MoreReveals("noise".into())).unwrap();
    assert_eq!(table.phase(), "revealing");
    table.play_phase();
    assert_eq!(table.phase(), "opening");
    assert_eq!(table.round.command().unwrap().reveals().len(), 5);
    table.feed(Input::MoreReveals("noise".into())).unwrap();
    let reason = Abandoned::SumRefused("noise".into());
    assert!(matches!(table.round.phase(), Phase::Abandoned(abandoned) if *abandoned == reason));
}

#[test]
fn a32_who_revealed_cannot_promise_not_to_and_the_other_way_round() {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    let cohort = table.round.phase().cohort().unwrap().clone();
    let adverts = cohort.adverts().to_vec();
    let void = |table: &Table, number: u16| {
        let (plan, roster) = (table.round.plan(), &table.federation.roster);
        let own = &adverts[usize::from(number) - 1];
        let key = table.federation.key(id(number));
        Input::Void(Invited::void(plan, roster, adverts.clone(), own, key).unwrap())
    };
    let reveal = table.play(id(1)).expect("a reveal is owed");
    table.feed(reveal).unwrap();
    let promise = void(&table, 1);
    assert_eq!(table.feed(promise), Err(Rejection::Equivocated { from: id(1) }));
    let reveal = table.play(id(2)).expect("a reveal is owed");
    let promise = void(&table, 2);
    table.feed(promise).unwrap();
    assert_eq!(table.feed(reveal), Err(Rejection::Equivocated { from: id(2) }));
}

#[test]
fn fewer_survivors_than_the_plan_asks_for_are_not_enough() {
    let mut table = Table::open(plan().min_survivors(5));
    table.vanish(id(5), Kind::Header);
    table.play_out();
    let reason = Abandoned::TooFew { what: "participants submitted an update", found: 4, needed: 5 };
    assert!(matches!(table.round.phase(), Phase::Abandoned(abandoned) if *abandoned == reason));
}

#[test]
fn a_discarded_sum_abandons_the_round_with_its_reason() {
    let mut table = Table::open(plan());
    table.play_until("opening");
    table.feed(Input::SumRefused("canary 0 is wrong".into())).unwrap();
    let Phase::Abandoned(reason) = table.round.phase() else { panic!("{:?}", table.round.phase()) };
    assert_eq!(reason.to_string(), "the sum was discarded: canary 0 is wrong");
}

#[test]
fn a_round_whose_job_is_stopped_ends_in_whatever_phase_it_is() {
    for phase in
        ["advertising", "sharing", "acknowledging", "collecting", "certifying", "revealing", "opening"]
    {
        let mut table = Table::open(plan());
        table.play_until(phase);
        table.feed(Input::Stop("the agreement was withdrawn".into())).unwrap();
        let Phase::Abandoned(reason) = table.round.phase() else { panic!("{phase}") };
        assert_eq!(reason.to_string(), "the job was stopped: the agreement was withdrawn");
        assert_eq!(table.feed(Input::Opened(opened())), Err(Rejection::Over), "{phase}");
        assert_eq!(table.feed(Input::Stop("again".into())), Err(Rejection::Over), "{phase}");
    }
}

#[test]
fn a_sum_is_awaited_only_once_enough_is_revealed() {
    for phase in ["advertising", "sharing", "acknowledging", "collecting", "certifying", "revealing"] {
        let mut table = Table::open(plan());
        table.play_until(phase);
        assert!(table.round.command().is_none());
        assert!(table.feed(Input::Opened(opened())).is_err(), "{phase}");
        assert_eq!(table.phase(), phase);
    }
    let mut table = Table::open(plan());
    table.play_until("opening");
    let opening = table.round.command().expect("the sum is to be opened");
    assert!(opening.reveals().len() >= 4);
    assert_eq!(opening.submissions().len(), opening.certificate().survivors().len());
}

#[test]
fn each_phase_asks_everybody_who_has_not_answered() {
    type IsDue = fn(&Duty) -> bool;
    let phases: [(&str, IsDue); 6] = [
        ("advertising", |duty| matches!(duty, Duty::Advertise)),
        ("sharing", |duty| matches!(duty, Duty::Deal(_))),
        ("acknowledging", |duty| matches!(duty, Duty::Acknowledge(..))),
        ("collecting", |duty| matches!(duty, Duty::Submit(_))),
        ("certifying", |duty| matches!(duty, Duty::Certify(_))),
        ("revealing", |duty| matches!(duty, Duty::Reveal(_))),
    ];
    for (phase, is_due) in phases {
        let mut table = Table::open(plan());
        table.play_until(phase);
        // The fifth was slower than the certificate: it still owes its signature.
        let asked = if phase == "revealing" { 4 } else { 5 };
        assert!(ids(1..=asked).into_iter().all(|id| table.round.duty_of(id).as_ref().is_some_and(is_due)));
        let input = table.play(id(3)).unwrap();
        table.feed(input).unwrap();
        assert!(table.round.duty_of(id(3)).is_none(), "{phase}: asked again");
        assert!(table.round.duty_of(id(4)).is_some());
        assert!(table.round.duty_of(id(6)).is_none(), "a stranger owes nothing");
    }
    let mut table = Table::open(plan());
    table.play_out();
    assert!(ids(1..=5).into_iter().all(|id| table.round.duty_of(id).is_none()));
}

#[test]
fn a_member_slower_than_the_certificate_signs_and_then_steps_in_for_one_that_vanishes() {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    table.vanish(id(2), Kind::Reveal);
    assert!(matches!(table.round.duty_of(id(5)), Some(Duty::Certify(_))));
    let late = table.play(id(5)).unwrap();
    table.feed(late).unwrap();
    assert!(matches!(table.round.duty_of(id(5)), Some(Duty::Reveal(_))));
    table.play_out();
    assert_eq!(table.phase(), "closed");
    assert!(!table.record.iter().any(|(_, input)| *input == Input::Wake), "no deadline was needed");
}

#[test]
fn whoever_missed_the_cohort_owes_nothing_more() {
    let mut table = Table::open(plan());
    table.vanish(id(2), Kind::Advertise);
    table.play_until("sharing");
    assert!(table.round.duty_of(id(2)).is_none());
    assert!(table.round.duty_of(id(1)).is_some());
}

#[test]
fn a_dealer_that_did_not_share_is_not_asked_for_an_update() {
    let mut table = Table::open(plan());
    table.vanish(id(2), Kind::Dealing);
    table.play_until("collecting");
    assert!(table.round.duty_of(id(2)).is_none());
    assert!(table.round.duty_of(id(1)).is_some());
}

#[test]
fn a_round_wakes_when_its_phase_has_lasted_as_long_as_the_plan_says() {
    let lasting = [
        ("advertising", 1_000),
        ("sharing", 2_000),
        ("acknowledging", 2_000),
        ("collecting", 60_000),
        ("certifying", 3_000),
        ("revealing", 4_000),
    ];
    let mut table = Table::open(plan());
    for (phase, millis) in lasting {
        table.play_until(phase);
        let began = table.record.last().map_or(START, |(at, _)| *at);
        assert_eq!(table.round.wake_at(), Some(began.plus_millis(millis)), "{phase}");
    }
    table.play_until("opening");
    assert_eq!(table.round.wake_at(), None);
    table.play_out();
    assert_eq!(table.round.wake_at(), None);
}

#[test]
fn waking_early_or_after_the_end_changes_nothing() {
    let mut table = Table::open(plan());
    let at = table.round.wake_at().unwrap();
    assert!(!table.round.step(START, &Input::Wake).unwrap().changed);
    assert!(table.round.step(at, &Input::Wake).unwrap().changed);
    table.play_out();
    assert!(!table.round.step(at.plus_millis(1 << 40), &Input::Wake).unwrap().changed);
}

#[test]
fn a_resumed_phase_has_its_whole_time_again() {
    let mut table = Table::open(plan());
    table.play_until("collecting");
    let input = table.play(id(1)).unwrap();
    table.feed(input).unwrap();
    table.now = table.round.wake_at().unwrap().plus_millis(1_000_000);
    table.feed(Input::Resume).unwrap();
    assert_eq!(table.round.wake_at(), Some(table.now.plus_millis(60_000)));
    assert!(table.round.duty_of(id(1)).is_none(), "what had arrived counts");
    table.play_out();
    assert_eq!(table.phase(), "closed");
}

#[test]
fn a_participant_that_declines_is_waited_for_no_longer() {
    let mut table = Table::open(plan());
    let no = Invited::decline(
        &table.round.plan().terms,
        table.round.plan().id.into(),
        id(2),
        "policy.purpose",
        table.federation.key(id(2)),
    );
    table.feed(Input::Decline(no)).unwrap();
    assert_eq!(table.round.declined().get(&id(2)).map(String::as_str), Some("policy.purpose"));
    assert!(table.round.duty_of(id(2)).is_none());
    table.play_out();
    assert_eq!(table.phase(), "closed");
    assert!(!table.record.iter().any(|(_, input)| *input == Input::Wake), "no deadline was needed");
}

#[test]
fn the_last_awaited_no_ends_the_phase() {
    let mut table = Table::open(plan());
    table.play_until("collecting");
    for number in [1, 2, 3, 4] {
        let input = table.play(id(number)).unwrap();
        table.feed(input).unwrap();
    }
    let no = Invited::decline(
        &table.round.plan().terms,
        table.round.plan().id.into(),
        id(5),
        "data.changed",
        table.federation.key(id(5)),
    );
    table.feed(Input::Decline(no)).unwrap();
    assert_eq!(table.phase(), "certifying");
}

/// Hands in a participant's no.
fn decline(table: &mut Table, number: u16) {
    let plan = table.round.plan().clone();
    let key = table.federation.key(id(number));
    let no = Invited::decline(&plan.terms, plan.id.into(), id(number), "participant.restarted", key);
    table.feed(Input::Decline(no)).expect("a no is always taken");
}

#[test]
fn a_survivor_set_that_too_few_are_left_to_sign_is_not_waited_for() {
    for last in ["a no", "a signature"] {
        let mut table = Table::open(plan());
        table.play_until("certifying");
        let sign = |table: &mut Table, number| {
            let input = table.play(id(number)).unwrap();
            table.feed(input).unwrap();
        };
        [1, 2].into_iter().for_each(|number| sign(&mut table, number));
        decline(&mut table, 4);
        if last == "a no" {
            sign(&mut table, 3);
            decline(&mut table, 5);
        } else {
            decline(&mut table, 5);
            sign(&mut table, 3);
        }
        assert_eq!(table.phase(), "abandoned", "the last to be heard said {last}");
    }
}

#[test]
fn a_sum_that_can_be_neither_opened_nor_given_up_any_more_is_not_waited_for() {
    let mut table = Table::open(plan());
    table.play_until("revealing");
    let reveals: Vec<_> = [1, 2].map(|number| table.play(id(number)).unwrap()).into();
    decline(&mut table, 4);
    decline(&mut table, 5);
    // Too few are left to reveal; with the second reveal too few are left to promise, too.
    for reveal in reveals {
        assert_eq!(table.phase(), "revealing");
        table.feed(reveal).unwrap();
    }
    assert_eq!(table.phase(), "abandoned");
}

#[test]
fn a_phase_that_nobody_is_left_for_ends_as_it_begins() {
    let mut table = Table::open(plan());
    table.play_until("collecting");
    for number in 1..=4 {
        let input = table.play(id(number)).unwrap();
        table.feed(input).unwrap();
        decline(&mut table, number);
    }
    // Their updates are in, but none of them is there to sign the set.
    decline(&mut table, 5);
    assert_eq!(table.phase(), "abandoned");
}

#[test]
fn a_round_that_everybody_declines_is_abandoned_at_once() {
    let mut table = Table::open(plan());
    for number in 1..=5 {
        let no = Invited::decline(
            &table.round.plan().terms,
            table.round.plan().id.into(),
            id(number),
            "policy",
            table.federation.key(id(number)),
        );
        table.feed(Input::Decline(no)).unwrap();
    }
    assert_eq!(table.phase(), "abandoned");
    assert_eq!(table.now, START);
}

#[test]
fn the_last_thing_heard_of_each_is_known() {
    let mut table = Table::open(plan());
    table.vanish(id(1), Kind::Advertise);
    table.vanish(id(3), Kind::Ack);
    table.play_phase();
    assert_eq!(table.round.last_heard(id(1)), None);
    assert_eq!(table.round.last_heard(id(3)), Some(Kind::Advertise));
    table.play_until("acknowledging");
    assert_eq!(table.round.last_heard(id(3)), Some(Kind::Dealing));
    table.play_until("collecting");
    assert_eq!(table.round.last_heard(id(3)), Some(Kind::Dealing));
    assert_eq!(table.round.last_heard(id(4)), Some(Kind::Ack));
}

#[test]
fn a_round_opens_only_for_its_own_roster() {
    let (ours, theirs) = (crate::support::federation_of(5), crate::support::federation_of(6));
    let opened = Round::open(plan().build(&ours), theirs.roster.clone(), START);
    assert_eq!(opened.err(), Some(PlanError::Roster), "the plan names another roster");
    let mut other_name = plan().build(&ours);
    other_name.terms.federation = "another-federation".into();
    assert_eq!(Round::open(other_name, ours.roster, START).err(), Some(PlanError::Roster));
    let mut foreign = plan().build(&theirs);
    foreign.terms.admitted[4] = id(9);
    assert_eq!(Round::open(foreign, theirs.roster, START).err(), Some(PlanError::Admitted));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn replay_is_identity(gone in proptest::option::of((1..=5_u16, 0..KINDS.len())), order in any::<u64>()) {
        let mut table = Table::open(plan());
        if let Some((who, kind)) = gone {
            table.vanish(id(who), KINDS[kind]);
        }
        let phases = ["sharing", "acknowledging", "collecting", "certifying", "revealing", "opening", "the end"];
        for (k, phase) in phases.iter().enumerate() {
            if order >> k & 1 == 1 {
                table.now = table.now.plus_millis(17);
                table.feed(Input::Resume).unwrap();
            }
            table.play_until(phase);
            prop_assert_eq!(format!("{:?}", table.replayed()), format!("{:?}", table.round));
        }
        prop_assert_eq!(table.phase(), "closed");
    }
}
