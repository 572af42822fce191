//! Small vectors, which are shared themselves in the place of a key: what differs in a round.

use crate::support::{Table, block, federation_of, id, opened, plan};
use syndic_round::coordinator::{Duty, Input, Opened, Phase, Preparation, Round, Upload};
use syndic_round::message::{Header, Kind, Payload};
use syndic_round::{Carrier, Digest, Layout, PlanError, Rejection, RoundPlan};

fn shared() -> crate::support::PlanBuilder {
    plan().sharing_the_vector()
}

#[test]
fn only_a_small_vector_is_shared_itself() {
    let federation = federation_of(5);
    let with = |len, bound| {
        let layout = Layout::new(vec![block(len, bound, 1.0)]).unwrap();
        RoundPlan { layout, ..shared().build(&federation) }.check()
    };
    assert_eq!(with(8, 100.0), Ok(()));
    assert_eq!(with(10_000, 100.0), Err(PlanError::Carrier), "more elements than a key has");
    assert_eq!(with(1, (1_u64 << 51) as f64), Ok(()));
    let many = federation_of(10);
    let wide = Layout::new(vec![block(1, (1_u64 << 52) as f64, 1.0)]).unwrap();
    let plan = RoundPlan { layout: wide, ..shared().cohort_of(10).build(&many) };
    assert_eq!(plan.check(), Ok(()), "2 n v_max is 5 * 2^54, below 2^60");
}

#[test]
fn a_plan_says_what_carries_its_vector_in_one_encoding() {
    let federation = federation_of(5);
    let (ring, shares) = (plan().build(&federation), shared().build(&federation));
    assert_ne!(ring.digest(), shares.digest());
    for plan in [&ring, &shares] {
        assert_eq!(RoundPlan::from_bytes(&plan.to_bytes()).as_ref(), Ok(plan));
    }
    assert_eq!((ring.chunks(), shares.chunks()), (1, 0));
    let mut other = ring.to_bytes();
    other.extend([0, 0, 0, 4, b'r', b'i', b'n', b'g']);
    assert_eq!(RoundPlan::from_bytes(&other), Err(PlanError::Malformed));
    let mut more = shares.to_bytes();
    more.push(0);
    assert_eq!(RoundPlan::from_bytes(&more), Err(PlanError::Malformed));
}

#[test]
fn sharing_has_the_time_of_local_work_and_collecting_that_of_a_message() {
    let mut table = Table::open(shared());
    table.play_until("sharing");
    let wait = table.round.wake_at().unwrap().0 - table.now.0;
    assert_eq!(wait, 60_000, "the local work comes before the shares");
    table.play_until("collecting");
    assert_eq!(table.round.wake_at().unwrap().0 - table.now.0, 2_000);
}

#[test]
fn nothing_travels_behind_a_header_and_the_sum_may_be_unchecked() {
    let mut table = Table::open(shared());
    table.play_until("opening");
    let Phase::Opening(opening) = table.round.phase() else { panic!("{}", table.phase()) };
    assert!(opening.submissions().iter().all(|one| one.upload.chunks == 0 && one.upload.bytes == 0));

    let unchecked = Opened { ring: None, checked: false, ..opened() };
    table.feed(Input::Opened(unchecked.clone())).unwrap();

    let Phase::Closed(closed) = table.round.phase() else { panic!("{}", table.phase()) };
    assert_eq!(closed.opened, unchecked);
    assert_eq!(format!("{:?}", table.replayed()), format!("{:?}", table.round));
}

#[test]
fn one_reveal_more_than_the_threshold_is_waited_for_and_done_without() {
    let mut table = Table::open(shared());
    table.play_until("revealing");
    while table.phase() == "revealing" {
        let next = [1, 2, 3, 4, 5].map(id).into_iter().find_map(|id| table.play(id));
        table.feed(next.expect("they all can")).unwrap();
    }
    let reveals = table.round.command().map(|opening| opening.reveals().len());
    assert_eq!(reveals, Some(5), "the threshold is 4");

    let mut table = Table::open(shared());
    table.vanish(id(5), Kind::Reveal);
    table.play_until("revealing");
    table.play_phase();
    let Some(opening) = table.round.command() else { panic!("{}", table.phase()) };
    assert_eq!(opening.reveals().len(), 4, "at the deadline, with as many as there are");

    // Where the ones there are open nothing, it takes one more.
    table.feed(Input::MoreReveals("contradictory".into())).unwrap();
    assert_eq!(table.phase(), "revealing");
    for _ in 0..10 {
        if table.phase() == "revealing" {
            table.wake(table.round.wake_at().unwrap());
        }
    }
    assert_eq!(table.phase(), "abandoned");
}

#[test]
fn a_header_is_about_the_very_sharing_that_was_acknowledged() {
    let mut table = Table::open(shared());
    table.play_until("collecting");
    let honest = table.play(id(2)).unwrap();
    let Input::Submit(signed, _) = &honest else { panic!("it owes its header") };
    let mut header = Header::decode(&signed.payload).unwrap();
    header.root = Digest::of(b"another sharing");
    let context = table.round.phase().cohort().unwrap().context();
    let forged = header.sign(context, table.federation.key(id(2)));

    let refused = table.feed(Input::Submit(forged, Upload::of_shares(header.root)));
    assert_eq!(refused, Err(Rejection::Mismatch("public part of a dealer")));
    assert_eq!(table.feed(honest), Ok(()));
}

#[test]
fn no_survivor_set_with_a_header_about_another_sharing_is_signed() {
    let mut table = Table::open(shared());
    table.play_until("certifying");
    let Some(Duty::Certify(survivors)) = table.round.duty_of(id(1)) else { panic!("it owes a signature") };
    let mut headers = survivors.signed().to_vec();
    let mut header = Header::decode(&headers[3].payload).unwrap();
    header.root = Digest::of(b"another sharing");
    let context = table.round.phase().cohort().unwrap().context();
    headers[3] = header.sign(context, table.federation.key(headers[3].from));

    let victim = table.seats.remove(&id(1)).unwrap().into_bound();
    let honest = victim.check_survivors(survivors.signed().to_vec());
    assert!(honest.is_ok());
    let refused = victim.check_survivors(headers).err();
    assert_eq!(refused, Some(Rejection::Mismatch("public part of a dealer")));
}

#[test]
fn an_update_is_never_shared_ahead() {
    let federation = federation_of(5);
    let plan = shared().build(&federation);
    let mut ahead =
        Preparation::open(plan.terms.clone(), federation.roster.clone(), crate::support::START).unwrap();
    let keys = RoundPlan { carrier: Carrier::Ring, ..plan.clone() };
    let mut table = Table::among(federation, |_| keys);
    table.vanish(id(1), Kind::Header);
    table.play_until("collecting");
    for (at, input) in &table.record {
        ahead = ahead.step(*at, input).unwrap().0;
    }
    assert_eq!(Round::open_prepared(plan.clone(), &ahead, table.now).err(), Some(PlanError::Preparation));
    let ring = RoundPlan { carrier: Carrier::Ring, ..plan };
    assert!(Round::open_prepared(ring, &ahead, table.now).is_ok());
}
