//! Who is not there when a round or a preparation opens: nobody waits for it, and it may come all the same.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use crate::support::{START, Table, id, plan};
use syndic_round::coordinator::{Abandoned, Ahead, Input, Phase, Preparation, Standing};
use syndic_round::message::Kind;
use syndic_round::participant::Invited;
use syndic_round::{ParticipantId, Timestamp};

/// A round of seven, of whom five are enough, that opens while these are not there.
fn without(excused: &[ParticipantId]) -> Table {
    let mut table = seven();
    table.round = table.round.clone().excusing(excused);
    for id in excused {
        table.vanish(*id, Kind::Advertise);
    }
    table
}

fn seven() -> Table {
    Table::open(plan().cohort_of(7))
}

/// Everybody who is there does what is owed, until nobody of them owes anything; no deadline passes.
fn play(table: &mut Table) {
    let everybody = table.round.plan().terms.admitted.clone();
    let mut was_quiet = false;
    while !std::mem::replace(&mut was_quiet, true) {
        for id in &everybody {
            if let Some(input) = table.play(*id) {
                table.feed(input).unwrap();
                was_quiet = false;
            }
        }
    }
}

#[test]
fn nobody_waits_for_who_is_not_there() {
    let mut table = without(&[id(3)]);
    play(&mut table);
    assert_eq!(table.phase(), "opening", "no deadline had to pass");
    assert_eq!(table.now, START);
    table.play_out();
    let Phase::Closed(closed) = table.round.phase() else { panic!("it is closed") };
    assert_eq!(closed.survivors.ids(), [1, 2, 4, 5, 6, 7].map(id));
}

#[test]
fn without_an_excuse_a_deadline_passes_first() {
    let mut table = seven();
    table.vanish(id(3), Kind::Advertise);
    play(&mut table);
    assert_eq!(table.phase(), "advertising");
}

#[test]
fn who_comes_in_time_takes_part_and_is_waited_for_from_then_on() {
    let mut table = seven();
    table.round = table.round.clone().excusing(&[id(3), id(5)]);
    for late in [id(3), id(1), id(2)] {
        let advert = table.play(late).unwrap();
        table.feed(advert).unwrap();
    }
    table.vanish(id(3), Kind::Dealing);
    table.vanish(id(5), Kind::Advertise);
    play(&mut table);
    assert_eq!(table.phase(), "sharing", "it has spoken, and is waited for as everybody else");
    let at = table.round.wake_at().unwrap();
    table.wake(at);
    assert_eq!(table.phase(), "acknowledging");
}

#[test]
fn who_is_excused_is_waited_for_where_the_others_are_too_few() {
    let absent = [1, 2, 3].map(id);
    let mut table = without(&absent);
    play(&mut table);
    assert_eq!(table.phase(), "advertising", "four are no cohort");
    let mut abandoned = without(&absent);
    play(&mut abandoned);
    let at = abandoned.round.wake_at().unwrap();
    abandoned.wake(at);
    assert!(
        matches!(abandoned.round.phase(), Phase::Abandoned(Abandoned::TooFew { .. })),
        "{}",
        abandoned.phase()
    );

    // One of them comes before the deadline.
    table.vanish(id(1), Kind::Void);
    play(&mut table);
    assert_eq!(table.phase(), "opening", "nobody waits for the others");
    table.play_out();
    let Phase::Closed(closed) = table.round.phase() else { panic!("{}", table.phase()) };
    assert_eq!(closed.survivors.ids(), [1, 4, 5, 6, 7].map(id));
}

#[test]
fn a_no_leaves_nobody_to_wait_for_but_the_excused() {
    let mut table = without(&[id(3)]);
    for present in [1, 2, 4, 6, 7] {
        let advert = table.play(id(present)).unwrap();
        table.feed(advert).unwrap();
    }
    assert_eq!(table.phase(), "advertising");
    let (plan, key) = (table.round.plan(), table.federation.key(id(5)));
    let no = Invited::decline(&plan.terms, plan.id.into(), id(5), "policy.purpose", key);
    table.feed(Input::Decline(no)).unwrap();
    assert_eq!(table.phase(), "sharing");
}

#[test]
fn a_preparation_waits_as_little_and_neither_does_the_round_that_consumes_it() {
    let table = seven();
    let (mut seats, mut blobs) = (table.seats, table.blobs);
    let (roster, plan) = (table.federation.roster.clone(), table.round.plan().clone());
    let mut ahead = Ahead::default();
    ahead.begin(plan.terms.clone(), &[id(3)], roster.clone(), START).unwrap();
    let mut made: Preparation = ahead.preparation().unwrap().clone();
    for _ in 0..3 {
        for (id, seat) in seats.iter_mut().filter(|(id, _)| id.get() != 3) {
            let duty = made.duty_of(*id).unwrap();
            made = made.step(START, &seat.play(&duty, &mut blobs).unwrap()).unwrap().0;
        }
    }
    let Standing::Ready(prepared) = made.standing() else { panic!("no deadline had to pass: {made:?}") };
    assert_eq!(prepared.eligible(), [1, 2, 4, 5, 6, 7].map(id));
    ahead.advance(made);

    // The fifth leaves before the round.
    let mut round = ahead.open(plan, &[id(3), id(5)], roster, Timestamp(START.0 + 1)).unwrap();
    for id in [1, 2, 4, 6, 7].map(id) {
        assert!(matches!(round.phase(), Phase::Collecting(_)));
        let duty = round.duty_of(id).unwrap();
        let update = seats.get_mut(&id).unwrap().play(&duty, &mut blobs).unwrap();
        round = round.step(START, &update).unwrap().next;
    }
    assert!(matches!(round.phase(), Phase::Certifying(_)), "nobody waits for the fifth: {:?}", round.phase());
}

#[test]
fn who_holds_shares_is_waited_for_once_the_survivors_are_frozen() {
    let mut table = seven();
    // It has dealt, and is away when its round opens.
    table.play_until("collecting");
    table.round = table.round.clone().excusing(&[id(7)]);
    table.vanish(id(7), Kind::Header);
    table.play_until("revealing");
    // Two say no: those who reveal are one too few without it.
    let plan = table.round.plan().clone();
    for no in [5, 6].map(id) {
        let key = table.federation.key(no);
        let no = Invited::decline(&plan.terms, plan.id.into(), no, "participant.restarted", key);
        table.feed(Input::Decline(no)).unwrap();
    }
    play(&mut table);
    assert_eq!(table.phase(), "revealing");
    let waits_until = table.round.wake_at().unwrap();
    for _ in 0..3 {
        table.wake(table.round.wake_at().unwrap());
        assert_eq!(table.phase(), "revealing", "one deadline after the other");
    }
    assert!(table.round.wake_at().unwrap() > waits_until);
}
