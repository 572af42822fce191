//! What the coordinator does with an input that it hears: decide, store, count, answer; whatever the sender
//! sends, whatever the disk does, and whoever hangs up.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod ahead;
mod asked_again;
mod audit;
mod away;
mod cut;
mod house;
mod job_files;
mod jobs;
mod logs;
mod members;
mod offered;
mod record;
mod recovery;
mod replicas;
mod retention;
mod returns;
mod shown;
mod staged;
mod sweeping;
mod together;
mod verified;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syndic_coordinator::driver::CoordinatorError;
use syndic_coordinator::fact::Fact;
use syndic_round::Rejection;
use syndic_round::coordinator::Duty;
use syndic_secure_aggregation::KemPublic;

use crate::house::{House, Look, ends, small};
use crate::logs::{Failing, Fate, Gate, Gated};

#[tokio::test]
async fn an_unusable_one_time_key_is_malformed_and_the_round_lives() {
    let mut house = House::of(5);
    let running = house.running(house.log().await).await;
    let plan = running.plan(&house.members).await;
    let (job, round) = running.round().await;
    let before = house.entries().await.len();
    let good = house.members[0].advertise(&plan, None);
    let unusable = [
        Vec::new(),
        vec![7; KemPublic::BYTES - 1],
        vec![7; KemPublic::BYTES + 1],
        // Coefficients that are not reduced modulo 3329 (FIPS 203, 7.2).
        vec![0xff; KemPublic::BYTES],
    ];

    for bytes in unusable {
        let bad = house.members[1].advertise(&plan, Some(bytes));
        let would = running.coordinator.would_hear(&job, round, bad.clone()).await;
        assert_eq!(would.unwrap_err().code(), "round.malformed", "what is asked before is what is met");
        let refused = running.hear(&bad).await.unwrap_err();
        assert!(matches!(refused, CoordinatorError::Rejected(Rejection::Malformed)), "{refused}");
        assert_eq!(refused.code(), "round.malformed");
    }

    assert_eq!(house.entries().await.len(), before, "nothing is recorded");
    assert!(running.coordinator.would_hear(&job, round, good.clone()).await.unwrap());
    assert!(running.hear(&good).await.unwrap());
    assert!(!running.coordinator.would_hear(&job, round, good.clone()).await.unwrap(), "it was heard");
    // Whoever sent the unusable key has said nothing yet, so it can still be in the cohort.
    running.play_until(&mut house.members[1..], |duty| matches!(duty, Duty::Deal(_))).await;
    let (_, Duty::Deal(cohort)) = running.duty_of(house.members[1].id).await else { panic!("no cohort") };
    assert_eq!(cohort.len(), 5);
}

#[tokio::test]
async fn two_messages_where_one_may_exist_are_on_record_once_and_across_a_restart() {
    let mut house = House::of(5);
    let running = house.running(house.log().await).await;
    let plan = running.plan(&house.members).await;
    let (job, round) = running.round().await;
    let first = house.members[0].advertise(&plan, None);
    assert!(running.hear(&first).await.unwrap());
    let second = house.members[0].advertise(&plan, None);
    let evidence = async || {
        let mut found = Vec::new();
        for (entry, index) in house.entries().await.into_iter().zip(0..) {
            if let Fact::Equivocated { kind, message, .. } = Fact::from_entry(index, &entry).unwrap() {
                found.push((kind, message));
            }
        }
        found
    };
    for _ in 0..2 {
        assert_eq!(running.hear(&second).await.unwrap_err().code(), "round.equivocated");
        let asked = running.coordinator.would_hear(&job, round, second.clone()).await;
        assert_eq!(asked.unwrap_err().code(), "round.equivocated");
    }
    let (kind, signed) = second.message().unwrap();
    assert_eq!(evidence().await, [(kind, signed.clone())]);
    assert_eq!(house.count(&first).await, 1, "the other one is on record too");
    drop(running);

    let running = house.running(house.log().await).await;
    assert_eq!(running.hear(&second).await.unwrap_err().code(), "round.equivocated");
    assert_eq!(evidence().await.len(), 1);
}

#[tokio::test]
async fn a_reveal_of_the_wrong_length_is_malformed_and_the_sum_is_opened_without_it() {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    let opened = running.round().await;
    running.play_until(&mut house.members, |duty| matches!(duty, Duty::Reveal(_))).await;
    let mut reveals = 0;
    for position in 0..house.members.len() {
        let owed = running.coordinator.duty_of(&small(), house.members[position].id).await;
        let Some((plan, duty @ Duty::Reveal(_))) = owed.filter(|(plan, ..)| plan.id == opened.1) else {
            continue;
        };
        let before = house.entries().await.len();
        // No element, half of one, an element too many, and elements outside the field.
        for bytes in [vec![], vec![1; 4], vec![1; 8 * 343], vec![0xff; 8 * 342]] {
            let bad = house.members[position].reveal_instead(&duty, &plan, bytes);
            let would = running.coordinator.would_hear(&opened.0, opened.1, bad.clone()).await;
            assert_eq!(would.unwrap_err().code(), "round.malformed");
            assert_eq!(running.hear(&bad).await.unwrap_err().code(), "round.malformed");
        }
        assert_eq!(house.entries().await.len(), before, "nothing is recorded");
        let good = house.members[position].play(&running.coordinator, &plan, duty).await;
        assert!(running.hear(&good).await.unwrap());
        reveals += 1;
    }

    assert_eq!(reveals, 3, "the threshold of four institutions");
    let next = running.until(async || running.current_round().await.filter(|now| *now != opened));
    assert_eq!(ends(next).await.1.round, opened.1.round + 1, "the round has its sum");
    let kinds: Vec<String> = house.entries().await.into_iter().map(|entry| entry.kind).collect();
    assert!(kinds.iter().any(|kind| kind == "syndic.round.closed"), "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind == "syndic.round.abandoned"), "{kinds:?}");
}

#[tokio::test]
async fn who_asks_why_a_round_was_abandoned_is_told_who_declined_it_also_after_a_restart() {
    let house = House::of(4);
    let running = house.running(house.log().await).await;
    let plan = running.plan(&house.members).await;
    let (job, first) = running.round().await;
    assert_eq!(running.coordinator.why_abandoned(&job, first).await, None, "it goes on");

    for member in &house.members {
        assert!(running.hear(&member.decline(&plan, "policy.purpose")).await.unwrap());
    }

    let next = running.until(async || running.current_round().await.filter(|now| now.1 != first));
    let (_, second) = ends(next).await;
    assert_eq!((second.round, second.attempt), (first.round, 2));
    let why = running.coordinator.why_abandoned(&job, first).await.unwrap();
    assert!(why.contains("declined by bank-1 (policy.purpose), bank-2 (policy.purpose)"), "{why}");
    assert_eq!(running.coordinator.why_abandoned(&job, second).await, None);
    running.driving.abort();
    drop(running.coordinator);
    let reopened = house.coordinator(house.log().await).await;
    assert_eq!(reopened.why_abandoned(&job, first).await, Some(why));
}

#[tokio::test]
async fn a_failed_append_stops_deciding_and_a_restart_goes_on() {
    for fate in [Fate::NotStored, Fate::Stored] {
        let mut house = House::of(4);
        let armed = Arc::new(AtomicBool::new(false));
        let log = Failing { log: house.log().await, fate, armed: armed.clone() };
        let running = house.running(log).await;
        let plan = running.plan(&house.members).await;
        let said: Vec<_> = house.members.iter_mut().map(|member| member.advertise(&plan, None)).collect();
        assert!(running.hear(&said[0]).await.unwrap());

        armed.store(true, Ordering::SeqCst);
        assert_eq!(running.hear(&said[1]).await.unwrap_err().code(), "store.io");
        for again in [&said[1], &said[2]] {
            let stopped = running.hear(again).await.unwrap_err();
            assert!(matches!(stopped, CoordinatorError::Stopped), "{fate:?}: {stopped}");
        }
        assert!(!running.hear(&said[0]).await.unwrap(), "what is stored is stored");
        let driven = ends(running.driving).await.unwrap().unwrap_err();
        assert!(matches!(driven, CoordinatorError::Stopped), "whoever runs it must learn of it: {driven}");
        drop(running.coordinator);

        let running = house.running(house.log().await).await;
        assert_eq!(running.plan(&house.members[2..]).await, plan, "the same round goes on");
        assert!(!running.hear(&said[0]).await.unwrap());
        assert_eq!(running.hear(&said[1]).await.unwrap(), fate == Fate::NotStored);
        assert!(!running.hear(&said[1]).await.unwrap());
        for message in &said[2..] {
            assert!(running.hear(message).await.unwrap());
        }
        for message in &said {
            assert_eq!(house.count(message).await, 1, "{fate:?}: counted once");
        }
        let (_, duty) = running.duty_of(house.members[0].id).await;
        assert!(matches!(duty, Duty::Deal(cohort) if cohort.len() == 4));
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_no_append_without_its_answer() {
    let mut house = House::of(4);
    let gate = Gate::open();
    let running = house.running(Gated { log: house.log().await, gate: gate.clone() }).await;
    let plan = running.plan(&house.members).await;
    let said: Vec<_> = house.members.iter_mut().map(|member| member.advertise(&plan, None)).collect();

    gate.close();
    tokio::select! {
        heard = running.hear(&said[0]) => panic!("the gate is closed, but it answered {heard:?}"),
        () = gate.somebody_waits() => {}
    }
    gate.reopen();

    assert!(ends(running.hear(&said[1])).await.unwrap(), "the coordinator decides on");
    assert!(!running.hear(&said[0]).await.unwrap(), "what was begun was finished");
    assert_eq!(house.count(&said[0]).await, 1);
    assert!(!running.driving.is_finished());
}
