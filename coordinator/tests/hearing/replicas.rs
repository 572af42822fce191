//! Several replicas on one log: any of them hears, one of them drives, and nobody counts anything twice.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use syndic_coordinator::driver::{Attached, Coordinator, CoordinatorError};
use syndic_coordinator::engine::Over;
use syndic_coordinator::fact::{Cause, Priority};
use syndic_coordinator::store::{Leases as _, Log as _, Replica};
use syndic_round::coordinator::Duty;
use syndic_round::{Place, Rejection};
use tokio::task::JoinHandle;

use crate::audit::audited;
use crate::house::{House, Look, ends, small};
use crate::members::{JOB, Member};

/// A replica at work.
struct At {
    coordinator: Coordinator,
    replica: Arc<Replica>,
    driving: JoinHandle<Result<(), CoordinatorError>>,
    _attached: Vec<Attached>,
}

impl At {
    /// One that drives what it may, with these members connected to it.
    async fn work(house: &House, name: &str, members: &[Member]) -> Self {
        let (coordinator, replica) = house.replica(name).await;
        let attach = |member: &Member| coordinator.attach(member.id, format!("bank-{}", member.id), &[]);
        let attached = members.iter().map(attach).collect();
        let driven = coordinator.clone();
        let driving = tokio::spawn(async move { driven.drive_all().await });
        Self { coordinator, replica, driving, _attached: attached }
    }

    /// Comes to an end where it stands, and lets nothing go.
    async fn die(self) {
        self.driving.abort();
        let _ = self.driving.await;
    }

    async fn over(&self) -> Option<Over> {
        self.coordinator.over(&small()).await
    }
}

/// Lets every member do what it owes, at the replica of its half, until `until` says enough.
async fn play(members: &mut [Member], at: [&At; 2], until: impl AsyncFn() -> bool) {
    let mut changes = at.map(|at| at.coordinator.changes());
    ends(async {
        loop {
            changes.iter_mut().for_each(|changes| drop(changes.borrow_and_update()));
            if until().await {
                return;
            }
            let mut is_idle = true;
            for (number, member) in members.iter_mut().enumerate() {
                is_idle &= !act(member, at[number % 2]).await;
            }
            if is_idle {
                let [here, there] = &mut changes;
                tokio::select! {
                    changed = here.changed() => changed.unwrap(),
                    changed = there.changed() => changed.unwrap(),
                }
            }
        }
    })
    .await;
}

/// One member does what it owes, if it owes anything; nobody here prepares ahead.
async fn act(member: &mut Member, at: &At) -> bool {
    let coordinator = &at.coordinator;
    if let Some((terms, _)) = coordinator.duty_ahead(&small(), member.id).await {
        let place = Place::Ahead(terms.number);
        taken(
            coordinator.hear(&terms.job, place, member.decline_at(&terms, place, "participant.busy")).await,
        );
        return true;
    }
    let Some((plan, duty)) = coordinator.duty_of(&small(), member.id).await else { return false };
    let input = member.play(coordinator, &plan, duty).await;
    taken(coordinator.hear(&small(), plan.id, input).await);
    true
}

/// The other replica may have ended the phase already.
fn taken(heard: Result<bool, CoordinatorError>) {
    match heard {
        Ok(_) | Err(CoordinatorError::Rejected(Rejection::Late | Rejection::Over)) => {}
        Err(error) => panic!("{error}"),
    }
}

async fn driver(house: &House) -> Option<String> {
    house.log().await.holding("job/small").await.unwrap().map(|holding| holding.holder)
}

/// What a hand does to the leases.
async fn by_hand(house: &House, sql: &str) {
    let mut hand = SqliteConnectOptions::new().filename(house.log_file()).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut hand).await.unwrap();
    hand.close().await.unwrap();
}

async fn is_completed(house: &House) {
    let kinds: Vec<String> = house.entries().await.into_iter().map(|entry| entry.kind).collect();
    let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
    assert_eq!((count("syndic.roster.sealed"), count("syndic.job.agreed")), (1, 1), "{kinds:?}");
    assert_eq!(count("syndic.job.completed"), 1, "{kinds:?}");
    assert_eq!(count("syndic.round.abandoned"), 0, "{kinds:?}");
    assert_eq!(count("syndic.round.opened"), count("syndic.round.closed"), "{kinds:?}");
    audited(house, &house.entries().await).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_replicas_hear_and_one_of_them_drives() {
    let mut house = House::of(4);
    let (here, there) = (house.members.split_off(2), std::mem::take(&mut house.members));
    let at = [At::work(&house, "a", &here).await, At::work(&house, "b", &there).await];
    let (job, is_new) = at[0].coordinator.submit(JOB, Priority::default(), "local-user/7").await.unwrap();
    assert!(is_new && job == small());
    assert!(!at[1].coordinator.submit(JOB, Priority::default(), "local-user/8").await.unwrap().1);

    // Members are connected to both by turns: each replica alone would have too few.
    let mut members: Vec<Member> = here.into_iter().zip(there).flat_map(<[_; 2]>::from).collect();
    let over = async || at[0].over().await.is_some() && at[1].over().await.is_some();
    play(&mut members, [&at[0], &at[1]], over).await;

    assert_eq!(at[0].over().await, at[1].over().await);
    is_completed(&house).await;
    for at in at {
        at.coordinator.drain();
        ends(at.driving).await.unwrap().unwrap();
        at.replica.leave().await;
    }
    assert_eq!(house.log().await.all("").await.unwrap(), [], "nothing is held by whoever has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_driver_dies_is_driven_by_another_replica() {
    let mut house = House::of(4);
    let mut members = std::mem::take(&mut house.members);
    let first = At::work(&house, "a", &members).await;
    first.coordinator.agree(JOB).await.unwrap();
    let second = At::work(&house, "b", &members).await;
    let collecting = async || !first.coordinator.collecting().await.is_empty();
    play(&mut members, [&first, &second], collecting).await;
    assert_eq!(driver(&house).await.as_deref(), Some("a"));

    first.die().await;
    by_hand(&house, "UPDATE leases SET expires = 0 WHERE holder = 'a'").await;
    // Members that come from the first must not be asked for what they have told it: they say nothing twice here.
    second.coordinator.catch_up().await.unwrap();
    play(&mut members, [&second, &second], async || second.over().await.is_some()).await;

    is_completed(&house).await;
    let kinds: Vec<String> = house.entries().await.into_iter().map(|entry| entry.kind).collect();
    assert!(
        kinds.iter().any(|kind| kind == "syndic.round.resumed"),
        "the phase got its time again: {kinds:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_was_taken_for_dead_stands_back_and_goes_on_hearing() {
    let mut house = House::of(4);
    let mut members = std::mem::take(&mut house.members);
    let zombie = At::work(&house, "a", &members).await;
    zombie.coordinator.agree(JOB).await.unwrap();
    let second = At::work(&house, "b", &members).await;
    let collecting = async || !second.coordinator.collecting().await.is_empty();
    play(&mut members, [&zombie, &second], collecting).await;

    // As if its lease had been over for the moment that the other took to see it.
    by_hand(&house, "UPDATE leases SET holder = 'b', epoch = epoch + 1 WHERE name = 'job/small'").await;
    let over = async || zombie.over().await.is_some() && second.over().await.is_some();
    play(&mut members, [&zombie, &second], over).await;

    is_completed(&house).await;
    assert!(!zombie.driving.is_finished(), "it is a replica like another");
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_that_race_at_two_replicas_are_on_record_once() {
    let house = House::of(4);
    let (here, _) = house.replica("a").await;
    let (there, _) = house.replica("b").await;
    let job = here.agree(JOB).await.unwrap();
    let cause = |by: &str| Cause { by: by.into(), reason: "enough".into() };
    for _ in 0..10 {
        let (one, other) = tokio::join!(here.pause(&job, cause("a")), there.pause(&job, cause("b")));
        one.and(other).unwrap();
        let (one, other) = tokio::join!(there.resume(&job, cause("a")), here.resume(&job, cause("b")));
        one.and(other).unwrap();
    }
    let (one, other) = tokio::join!(here.stop(&job, cause("a")), there.stop(&job, cause("b")));
    one.and(other).unwrap();

    let kinds: Vec<String> = house.entries().await.into_iter().map(|entry| entry.kind).collect();
    let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
    let acts = ["syndic.job.paused", "syndic.job.resumed", "syndic.job.stopped"].map(count);
    assert_eq!(acts, [10, 10, 1], "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_has_heard_the_other_refuses_to_hear_otherwise() {
    let mut house = House::of(4);
    let mut members = std::mem::take(&mut house.members);
    let at = [At::work(&house, "a", &members).await, At::work(&house, "b", &[]).await];
    at[0].coordinator.agree(JOB).await.unwrap();
    let is_open = async || at[0].coordinator.current_round(&small()).await.is_some();
    let mut changes = at[0].coordinator.changes();
    ends(async {
        while !is_open().await {
            changes.changed().await.unwrap();
        }
    })
    .await;
    let (plan, duty) = at[0].coordinator.duty_of(&small(), members[0].id).await.unwrap();
    assert!(matches!(duty, Duty::Advertise));
    let (first, second) = (members[0].advertise(&plan, None), members[0].advertise(&plan, None));

    assert!(at[0].coordinator.hear(&small(), plan.id, first.clone()).await.unwrap());
    // It has read nothing of this round, nor of the job.
    assert!(!at[1].coordinator.hear(&small(), plan.id, first).await.unwrap(), "it is on record");
    let refused = at[1].coordinator.hear(&small(), plan.id, second).await.unwrap_err();
    assert_eq!(refused.code(), "round.equivocated");
    assert_eq!(at[0].coordinator.list().await.len(), at[1].coordinator.list().await.len());
    let sizes = [house.log().await.size().await.unwrap(), house.entries().await.len() as u64];
    assert_eq!(sizes[0], sizes[1]);
}
