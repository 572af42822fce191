//! Two processes that want the same store.

use super::*;
use crate::store::SqliteLog;

async fn log(dir: &Path) -> Arc<SqliteLog> {
    Arc::new(SqliteLog::open(&dir.join("log.sqlite")).await.unwrap())
}

async fn take(log: &Arc<SqliteLog>, holder: &str) -> Result<Tenure, StoreError> {
    Tenure::take(log.clone(), LEASE, holder).await
}

const LEASE: &str = "job/small";

fn one(text: &str) -> Vec<Vec<u8>> {
    vec![text.as_bytes().to_vec()]
}

#[tokio::test]
async fn a_folder_is_locked_as_long_as_its_lock_lives() {
    let dir = tempfile::tempdir().unwrap();
    let lock = FolderLock::take(dir.path()).await.unwrap();
    assert_eq!(FolderLock::take(dir.path()).await.err().unwrap().code(), "store.busy");
    drop(lock);
    FolderLock::take(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a_folder_has_one_name_in_every_life() {
    let dir = tempfile::tempdir().unwrap();
    let first = holder(dir.path()).await.unwrap();
    assert_eq!(holder(dir.path()).await.unwrap(), first);
    std::fs::write(dir.path().join("instance"), "no name").unwrap();
    assert_ne!(holder(dir.path()).await.unwrap(), first);
}

#[tokio::test]
async fn the_same_holder_takes_over_from_its_former_life_and_no_other_does() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let former = take(&log, "a").await.unwrap();
    let refused = take(&log, "b").await.err().unwrap();
    assert!(matches!(&refused, StoreError::Held { holder, .. } if holder == "a"), "{refused}");

    let anew = take(&log, "a").await.unwrap();
    assert_eq!(anew.log(log.clone()).append(0, &one("anew")).await.unwrap(), 1);
    let zombie = former.log(log.clone()).append(1, &one("zombie")).await.unwrap_err();
    assert_eq!(zombie.code(), "store.fenced", "the former life wakes up and appends nothing");

    anew.release().await;
    let next = take(&log, "b").await.unwrap();
    assert_eq!(next.log(log.clone()).append(1, &one("next")).await.unwrap(), 2);
}

#[tokio::test]
async fn a_lease_that_ended_unseen_is_taken_anew_unless_somebody_had_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let tenure = take(&log, "a").await.unwrap();
    let end = async || {
        assert!(log.release(&tenure.lease().await).await.unwrap());
    };
    end().await;
    assert_eq!(tenure.log(log.clone()).append(0, &one("after a sleep")).await.unwrap(), 1);

    end().await;
    let _other = take(&log, "b").await.unwrap();
    let lost = tenure.log(log.clone()).append(1, &one("too late")).await.unwrap_err();
    assert_eq!(lost.code(), "store.fenced");
}

#[tokio::test]
async fn whoever_loses_the_lease_while_idle_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let tenure = Tenure::begin(log.clone(), None, (LEASE, "a"), Duration::from_millis(1)).await.unwrap();
    // Taken by another coordinator that began with a copy of this one's folder.
    log.acquire(LEASE, "a", TTL).await.unwrap();
    assert_eq!(tenure.lost().await.code(), "store.fenced");
}
