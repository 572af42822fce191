//! What the rounds of a job were made of is erased: on record first, then from the store, and never what another needs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use syndic_coordinator::driver::{Coordinator, CoordinatorError};
use syndic_coordinator::fact::{Cause, Fact, UpdatesErased};
use syndic_coordinator::fsck::check_files;
use syndic_coordinator::store::{Blobs, FolderBlobs, Log, SqliteLog};
use syndic_coordinator::sweep::{Rule, days};
use syndic_ledger::{Entry, History, Timestamp};
use syndic_round::coordinator::{Duty, Input};
use syndic_round::{Digest, RoundId};

use crate::audit::audited;
use crate::cut::Cut;
use crate::house::{House, Look, small};
use crate::logs::{Failing, Fate};
use crate::members::JOB;

const WEEK: Rule = Rule { older_than: days(7), is_dry: false };

fn cause() -> Cause {
    Cause { by: "local-user/7".into(), reason: "the agreement has ended".into() }
}

/// A house whose job had one sum opened, and was stopped in the round after; and that round.
async fn after_a_job() -> (House, RoundId) {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    let (_, first) = running.round().await;
    for member in &mut house.members {
        let (plan, duty) = running.duty_of(member.id).await;
        let input = member.play(&running.coordinator, &plan, duty).await;
        running.hear(&input).await.unwrap();
    }
    running.play_until(&mut house.members, |duty| matches!(duty, Duty::Advertise)).await;
    running.coordinator.stop(&small(), cause()).await.unwrap();
    (house, first)
}

async fn blobs(house: &House) -> FolderBlobs {
    FolderBlobs::open(&house.state()).await.unwrap()
}

async fn facts(house: &House) -> Vec<Fact> {
    let entries = house.entries().await;
    entries.iter().zip(0..).map(|(entry, index)| Fact::from_entry(index, entry).unwrap()).collect()
}

async fn erasures(house: &House) -> Vec<(u64, UpdatesErased)> {
    let all = facts(house).await.into_iter().zip(0..);
    let erased = all.filter_map(|(fact, index)| match fact {
        Fact::UpdatesErased(erased) => Some((index, *erased)),
        _ => None,
    });
    erased.collect()
}

/// Updates and sealed shares that entries name, then questions.
async fn erasable(house: &House) -> [BTreeSet<Digest>; 2] {
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for fact in facts(house).await {
        match fact {
            Fact::RoundOpened { plan, .. } => found[1].insert(plan.question),
            Fact::Heard { input: Input::Deal(_, bundle), .. } => found[0].insert(bundle.blob),
            Fact::Heard { input: Input::Submit(_, upload), .. } => found[0].insert(upload.blob),
            _ => false,
        };
    }
    found
}

async fn stored(house: &House) -> BTreeSet<Digest> {
    let stored = blobs(house).await.list(None, usize::MAX).await.unwrap();
    stored.into_iter().map(|blob| blob.digest).collect()
}

/// That everything erasable is gone, everything else there, and nobody calls anything missing.
async fn is_erased(house: &House, before: &BTreeSet<Digest>) {
    let [random, questions] = erasable(house).await;
    let expected: BTreeSet<_> = before.difference(&(&random | &questions)).copied().collect();
    assert_eq!(stored(house).await, expected);
    let found = check_files(Arc::new(house.roster().clone()), &house.state(), None).await.unwrap();
    assert!(found.is_whole(), "{found}");
    assert_eq!(BTreeSet::from_iter(found.unclaimed), questions, "questions take two steps");
    audited(house, &house.entries().await).unwrap();
}

async fn spot_check(coordinator: &Coordinator, round: RoundId) -> Result<usize, CoordinatorError> {
    let proofs = coordinator.chunk_proofs(&small(), round, 0).await?;
    Ok(proofs.map_or(0, |proofs| proofs.len()))
}

#[tokio::test]
async fn whoever_may_run_jobs_erases_the_updates_of_one_that_is_over() {
    let (house, round) = after_a_job().await;
    let before = stored(&house).await;
    let coordinator = house.coordinator(house.log().await).await;
    assert_eq!(spot_check(&coordinator, round).await.unwrap(), 5, "four updates, and what they add up to");

    coordinator.erase(&small(), cause()).await.unwrap();

    is_erased(&house, &before).await;
    let (index, erased) = erasures(&house).await.remove(0);
    let [random, questions] = erasable(&house).await;
    assert_eq!(erased.blobs as usize, random.len() + questions.len());
    let refused = spot_check(&coordinator, round).await.unwrap_err();
    assert_eq!(refused.code(), "job.updates-erased");
    assert!(refused.to_string().contains(&format!("entry {index} ")), "{refused}");
    let entry = &house.entries().await[index as usize];
    let told = |key: &str| entry.data[key].clone();
    assert_eq!((told("by"), told("reason")), (json!("local-user/7"), json!("the agreement has ended")));
    assert_eq!((told("due"), told("updates_days")), (Value::Null, Value::Null));

    coordinator.erase(&small(), cause()).await.unwrap();
    assert_eq!(erasures(&house).await.len(), 1, "once is enough");
    let status = coordinator.status(&small()).await.unwrap();
    assert_eq!((status.erased_by_entry, status.erase_at_ms), (Some(index), None));
    // Replay comes to the same.
    drop(coordinator);
    let again = house.coordinator(house.log().await).await;
    assert_eq!(again.status(&small()).await.unwrap(), status);
    assert_eq!(spot_check(&again, round).await.unwrap_err().code(), "job.updates-erased");
}

#[tokio::test]
async fn what_is_not_over_is_not_erased_and_what_another_job_needs_stays() {
    let (house, _) = after_a_job().await;
    let coordinator = house.coordinator(house.log().await).await;
    let other = JOB.replace("id = \"small\"", "id = \"other\"");
    let other = coordinator.agree(&other).await.unwrap();
    let refused = coordinator.erase(&other, cause()).await.unwrap_err();
    assert_eq!(refused.code(), "job.not-over");
    let unknown = syndic_round::JobId::new("unknown").unwrap();
    assert_eq!(coordinator.erase(&unknown, cause()).await.unwrap_err().code(), "job.unknown");

    let member = |number: usize| (house.members[number].id, format!("bank-{}", house.members[number].id));
    let attached: Vec<_> = (0..4).map(member).map(|(id, name)| coordinator.attach(id, name, &[])).collect();
    let driven = coordinator.clone();
    let driving = tokio::spawn(async move { driven.drive_all().await });
    let mut changes = coordinator.changes();
    while coordinator.current_round(&other).await.is_none() {
        changes.changed().await.unwrap();
    }
    coordinator.erase(&small(), cause()).await.unwrap();

    let asked: Vec<_> = facts(&house)
        .await
        .into_iter()
        .filter_map(|fact| match fact {
            Fact::RoundOpened { plan, .. } => Some((plan.terms.job.clone(), plan.question)),
            _ => None,
        })
        .collect();
    let (_, first) = asked[0];
    assert_eq!(asked.last(), Some(&(other, first)), "both ask the same first");
    let blobs = blobs(&house).await;
    assert!(blobs.contains(first).await.unwrap(), "the other job needs it");
    assert!(asked.iter().any(|(_, question)| *question != first), "the first job asked more");
    for (_, question) in asked.iter().filter(|(_, question)| *question != first) {
        assert!(!blobs.contains(*question).await.unwrap());
    }
    driving.abort();
    drop(attached);
}

#[tokio::test]
async fn whatever_ends_the_coordinator_what_is_on_record_as_erased_is_erased_by_the_next_sweep() {
    let (house, round) = after_a_job().await;
    let before = stored(&house).await;
    let (state, saved) = (house.state(), house.state().with_file_name("saved"));
    copy(&state, &saved);
    let mut fatal = 0;
    loop {
        std::fs::remove_dir_all(&state).unwrap();
        copy(&saved, &state);
        let cut = Cut::at(blobs(&house).await, fatal);
        let coordinator = house.coordinator_with(house.log().await, cut).await;
        let done = coordinator.erase(&small(), cause()).await;
        drop(coordinator);
        assert_eq!(erasures(&house).await.len(), 1, "it is on record before anything is removed");
        let found = check_files(Arc::new(house.roster().clone()), &state, None).await.unwrap();
        assert!(found.is_whole(), "{found}");

        let coordinator = house.coordinator(house.log().await).await;
        assert_eq!(spot_check(&coordinator, round).await.unwrap_err().code(), "job.updates-erased");
        coordinator.sweep(WEEK).await.unwrap();
        is_erased(&house, &before).await;
        assert_eq!(erasures(&house).await.len(), 1);
        match done {
            Ok(()) => break,
            Err(error) => assert_eq!(error.code(), "store.busy"),
        }
        // Each step has two moments; all of them would be more of the same.
        fatal += 3;
    }
    assert!(fatal > 9, "there was much to remove");
}

#[tokio::test]
async fn an_erasure_that_could_not_be_put_on_record_removes_nothing_until_it_is_known_to_be() {
    for (fate, is_on_record) in [(Fate::NotStored, false), (Fate::Stored, true)] {
        let (house, _) = after_a_job().await;
        let before = stored(&house).await;
        let armed = Arc::new(AtomicBool::new(false));
        let log = Failing { log: house.log().await, fate, armed: armed.clone() };
        let coordinator = house.coordinator(log).await;
        armed.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(coordinator.erase(&small(), cause()).await.unwrap_err().code(), "store.io");
        drop(coordinator);
        assert_eq!(stored(&house).await, before, "nothing was removed");

        let coordinator = house.coordinator(house.log().await).await;
        coordinator.sweep(WEEK).await.unwrap();
        assert_eq!(erasures(&house).await.len(), usize::from(is_on_record));
        if is_on_record {
            is_erased(&house, &before).await;
        } else {
            assert_eq!(stored(&house).await, before);
        }
    }
}

#[tokio::test]
async fn updates_are_erased_when_the_job_file_keeps_them_no_longer() {
    let (house, round) = after_a_job().await;
    let before = stored(&house).await;
    let coordinator = house.coordinator(house.log().await).await;
    let status = coordinator.status(&small()).await.unwrap();
    let coordinator_swept = coordinator.sweep(WEEK).await.unwrap();
    assert!(coordinator_swept.erased.is_empty() && erasures(&house).await.is_empty(), "it is not due");
    assert!(status.erase_at_ms.is_some());
    drop(coordinator);
    // A day and an hour later: as if everything had happened so much earlier.
    set_back(&house, 25 * 3_600_000).await;
    audited(&house, &house.entries().await).unwrap();

    let coordinator = house.coordinator(house.log().await).await;
    coordinator.sweep(WEEK).await.unwrap();

    is_erased(&house, &before).await;
    let (index, erased) = erasures(&house).await.remove(0);
    let entry = &house.entries().await[index as usize];
    assert_eq!((&entry.data["by"], &entry.data["updates_days"]), (&json!("job-file"), &json!(1)));
    assert!(erased.bytes > 0 && entry.data["due"].is_string());
    assert_eq!(spot_check(&coordinator, round).await.unwrap_err().code(), "job.updates-erased");
    coordinator.sweep(WEEK).await.unwrap();
    assert_eq!(erasures(&house).await.len(), 1);
}

#[tokio::test]
async fn an_erasure_that_nobody_agreed_to_or_that_is_not_due_is_found_by_the_audit() {
    let (house, _) = after_a_job().await;
    set_back(&house, 25 * 3_600_000).await;
    let coordinator = house.coordinator(house.log().await).await;
    coordinator.sweep(WEEK).await.unwrap();
    let entries = house.entries().await;
    let at = entries.iter().position(|entry| entry.kind == "syndic.job.updates-erased").unwrap();
    let ended = entries.iter().position(|entry| entry.kind == "syndic.job.stopped").unwrap();
    audited(&house, &entries).unwrap();
    let refused = |forge: &dyn Fn(&mut Vec<Entry>) -> usize| {
        let mut forged = entries.clone();
        let index = forge(&mut forged);
        let error = audited(&house, &forged).unwrap_err();
        assert_eq!(error.entry(), index as u64, "{error}");
        error.code()
    };
    let altered = |key: &'static str, value: Value| {
        refused(&|entries: &mut Vec<Entry>| {
            entries[at].data[key] = value.clone();
            at
        })
    };
    assert_eq!(altered("updates_days", json!(2)), "audit.differs");
    assert_eq!(altered("due", json!("2026-01-01T00:00:00.000Z")), "audit.differs");
    assert_eq!(altered("kinds", json!(["sums"])), "audit.unreadable");
    assert_eq!(altered("job", json!("another")), "audit.differs");
    let twice = refused(&|entries| {
        entries.push(entries[at].clone());
        entries.len() - 1
    });
    assert_eq!(twice, "audit.differs");
    let early = refused(&|entries| {
        entries[at].time = entries[ended].time;
        at
    });
    assert_eq!(early, "audit.differs");
    let before_the_end = refused(&|entries| {
        let entry = entries.remove(at);
        entries.insert(ended, entry);
        ended
    });
    assert_eq!(before_the_end, "audit.differs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_erases_no_other_shows_or_erases_again() {
    let (house, round) = after_a_job().await;
    let ((here, _), (there, replica)) = (house.replica("a").await, house.replica("b").await);
    let sweeping = replica.sweep().await.unwrap();
    assert_eq!(here.erase(&small(), cause()).await.unwrap_err().code(), "store.lease-held");
    sweeping.release().await;

    here.erase(&small(), cause()).await.unwrap();

    assert_eq!(spot_check(&there, round).await.unwrap_err().code(), "job.updates-erased");
    there.erase(&small(), cause()).await.unwrap();
    assert_eq!(erasures(&house).await.len(), 1);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for path in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// Writes the log again as if everything had happened so many milliseconds earlier.
async fn set_back(house: &House, by_ms: u64) {
    let mut history = History::new();
    let mut log = Vec::new();
    for entry in house.entries().await {
        let earlier =
            Entry { time: earlier(entry.time, by_ms), data: set_back_in(&entry.data, by_ms), ..entry };
        let bytes = history.link(earlier).to_canonical().unwrap();
        history.accept(&bytes).unwrap();
        log.push(bytes);
    }
    for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let _ = std::fs::remove_file(house.state().join(name));
    }
    SqliteLog::open(&house.log_file()).await.unwrap().append(0, &log).await.unwrap();
}

fn set_back_in(data: &Value, by_ms: u64) -> Value {
    match data {
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), set_back_in(value, by_ms))).collect()
        }
        Value::Array(items) => items.iter().map(|item| set_back_in(item, by_ms)).collect(),
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(time) => json!(earlier(time, by_ms).to_string()),
            Err(_) => data.clone(),
        },
        other => other.clone(),
    }
}

fn earlier(time: Timestamp, by_ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(time.unix_ms() - by_ms).unwrap()
}
