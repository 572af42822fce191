//! What comes while the ledger is being written is written at once, and each answer is as if it had come alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syndic_coordinator::driver::{Coordinator, CoordinatorError};
use syndic_ledger::Entry;
use syndic_round::RoundId;
use syndic_round::coordinator::{Duty, Input};
use tokio::task::JoinHandle;

use crate::audit::audited;
use crate::house::{House, ends, small};
use crate::logs::{Failing, Fate, Gate, Gated};

/// What became of something that was said.
type Hearing = JoinHandle<Result<bool, CoordinatorError>>;

/// Says all of it, in this order, and waits for no answer.
async fn say(coordinator: &Coordinator, round: RoundId, inputs: &[Input]) -> Vec<Hearing> {
    let mut hearings = Vec::new();
    for input in inputs.iter().cloned() {
        let coordinator = coordinator.clone();
        hearings.push(tokio::spawn(async move { coordinator.hear(&small(), round, input).await }));
        // On one thread it waits for its answer when this comes back.
        tokio::task::yield_now().await;
    }
    hearings
}

/// The answers: whether it was new, or the code of the refusal.
async fn answers(hearings: Vec<Hearing>) -> Vec<Result<bool, &'static str>> {
    let mut answers = Vec::new();
    for hearing in hearings {
        answers.push(ends(hearing).await.unwrap().map_err(|error| error.code()));
    }
    answers
}

fn kinds(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.kind.as_str()).collect()
}

#[tokio::test]
async fn who_answers_while_the_ledger_is_written_shares_one_write_and_is_answered_as_if_alone() {
    let mut house = House::of(5);
    let gate = Gate::open();
    let running = house.running(Gated { log: house.log().await, gate: gate.clone() }).await;
    let plan = running.plan(&house.members).await;
    let (_, round) = running.round().await;
    let before = house.entries().await.len();
    let unusable = house.members[4].advertise(&plan, Some(vec![7; 3]));
    let twice = house.members[2].advertise(&plan, None);
    let good: Vec<Input> = house.members.iter_mut().map(|member| member.advertise(&plan, None)).collect();

    gate.close();
    let first = say(&running.coordinator, round, &good[..1]).await;
    gate.somebody_waits().await;
    let meanwhile = [
        good[1].clone(),
        good[1].clone(),
        unusable,
        good[2].clone(),
        twice,
        good[0].clone(),
        good[3].clone(),
    ];
    let others = say(&running.coordinator, round, &meanwhile).await;
    gate.reopen();

    assert_eq!(answers(first).await, [Ok(true)]);
    let expected = [
        Ok(true),
        Ok(false),
        Err("round.malformed"),
        Ok(true),
        Err("round.equivocated"),
        Ok(false),
        Ok(true),
    ];
    assert_eq!(answers(others).await, expected);
    assert_eq!(gate.came(), 2, "one write for those who waited, and one for the evidence");
    assert!(ends(running.hear(&good[4])).await.unwrap(), "who sent an unusable key has said nothing yet");
    let (_, duty) = running.duty_of(house.members[0].id).await;
    assert!(matches!(duty, Duty::Deal(cohort) if cohort.len() == 5));
    let entries = house.entries().await;
    let heard = "syndic.round.advertised";
    assert_eq!(
        kinds(&entries[before..]),
        [heard, heard, heard, heard, "syndic.round.equivocated", heard],
        "in the order in which they were said"
    );
    audited(&house, &entries).unwrap();
}

#[tokio::test]
async fn a_write_for_several_that_fails_counts_none_of_them_or_all() {
    for fate in [Fate::NotStored, Fate::Stored] {
        let mut house = House::of(4);
        let (gate, armed) = (Gate::open(), Arc::new(AtomicBool::new(false)));
        let gated = Gated { log: house.log().await, gate: gate.clone() };
        let running = house.running(Failing { log: gated, fate, armed: armed.clone() }).await;
        let plan = running.plan(&house.members).await;
        let (_, round) = running.round().await;
        let said: Vec<Input> = house.members.iter_mut().map(|member| member.advertise(&plan, None)).collect();

        gate.close();
        let first = say(&running.coordinator, round, &said[..1]).await;
        gate.somebody_waits().await;
        let others = say(&running.coordinator, round, &said[1..]).await;
        armed.store(true, Ordering::SeqCst);
        gate.reopen();

        assert_eq!(answers(first).await, [Ok(true)]);
        let stopped = "coordinator.stopped";
        assert_eq!(answers(others).await, [Err("store.io"), Err(stopped), Err(stopped)], "{fate:?}");
        drop(running);

        let running = house.running(house.log().await).await;
        for message in &said[1..] {
            assert_eq!(house.count(message).await, usize::from(fate == Fate::Stored), "{fate:?}");
            assert_eq!(running.hear(message).await.unwrap(), fate == Fate::NotStored);
            assert_eq!(house.count(message).await, 1, "{fate:?}: counted once");
        }
        audited(&house, &house.entries().await).unwrap();
    }
}

#[tokio::test]
async fn a_write_for_several_that_another_replica_forestalls_is_made_anew_for_each() {
    let mut house = House::of(4);
    let gate = Gate::open();
    let here = house.gated_replica("a", gate.clone()).await;
    let (there, _) = house.replica("b").await;
    let running = house.at_work(here).await;
    let plan = running.plan(&house.members).await;
    let (_, round) = running.round().await;
    let said: Vec<Input> = house.members.iter_mut().map(|member| member.advertise(&plan, None)).collect();
    let again = house.members[3].advertise(&plan, None);

    gate.close();
    let first = say(&running.coordinator, round, &said[..1]).await;
    gate.somebody_waits().await;
    let others = say(&running.coordinator, round, &[said[1].clone(), said[2].clone(), again]).await;
    gate.let_one_pass();
    assert_eq!(answers(first).await, [Ok(true)]);
    gate.somebody_waits().await;
    // Here three are at the gate by now; there one of them, and somebody who says something else here, were heard.
    for message in [&said[3], &said[1]] {
        assert!(ends(there.hear(&small(), round, message.clone())).await.unwrap());
    }
    gate.reopen();

    assert_eq!(answers(others).await, [Ok(false), Ok(true), Err("round.equivocated")]);
    for message in &said {
        assert_eq!(house.count(message).await, 1, "counted once");
    }
    audited(&house, &house.entries().await).unwrap();
}
