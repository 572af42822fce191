//! Who works together, and who works alone.

use std::path::Path;

use super::*;
use crate::store::{SqliteLog, Standing};

async fn log(dir: &Path) -> Arc<SqliteLog> {
    Arc::new(SqliteLog::open(&dir.join("log.sqlite")).await.unwrap())
}

async fn join(log: &Arc<SqliteLog>, holder: &str) -> Result<Replica, StoreError> {
    Replica::join(log.clone(), holder.into()).await
}

fn one(text: &str) -> Vec<Vec<u8>> {
    vec![text.as_bytes().to_vec()]
}

#[tokio::test]
async fn replicas_append_side_by_side_and_one_drives_a_job() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let (a, b) = (join(&log, "a").await.unwrap(), join(&log, "b").await.unwrap());
    assert_eq!(a.log().append(0, &one("of a")).await.unwrap(), 1);
    assert_eq!(b.log().append(0, &one("of b")).await.unwrap_err().code(), "store.conflict");
    assert_eq!(b.log().append(1, &one("of b")).await.unwrap(), 2);
    a.note("here is a").await.unwrap();
    let others = b.others().await.unwrap();
    assert_eq!((others.len(), others[0].note.as_deref()), (1, Some("here is a")));

    let job = JobId::new("small").unwrap();
    let driving = a.drive(&job).await.unwrap();
    assert_eq!(b.drive(&job).await.err().unwrap().code(), "store.lease-held");
    assert_eq!(b.driver(&job).await.unwrap().unwrap().holder, "a");
    a.leave().await;
    b.drive(&job).await.unwrap();
    let late = log.append_under(Some(&driving.lease().await), 2, &one("of a")).await.unwrap_err();
    assert_eq!(late.code(), "store.fenced");
}

#[tokio::test]
async fn nobody_works_alone_beside_a_replica_and_no_replica_beside_whoever_does() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let replica = join(&log, "a").await.unwrap();
    let refused = alone(log.clone(), "b").await.err().unwrap();
    assert!(matches!(&refused, StoreError::Held { holder, .. } if holder == "a"), "{refused}");
    assert_eq!(log.holding(ALONE).await.unwrap(), None, "it holds up nobody");
    replica.leave().await;

    let by_itself = alone(log.clone(), "b").await.unwrap();
    assert_eq!(alone(log.clone(), "c").await.err().unwrap().code(), "store.lease-held");
    let joining = tokio::spawn({
        let log = log.clone();
        async move { join(&log, "a").await }
    });
    let mut stirs = log.stirs();
    for _ in 0..3 {
        stirs.next().await;
        assert!(!joining.is_finished(), "it waits");
    }
    by_itself.release().await;
    joining.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_former_life_is_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let killed = join(&log, "a").await.unwrap();
    let _driving = killed.drive(&JobId::new("small").unwrap()).await.unwrap();
    alone(log.clone(), "a").await.unwrap().release().await;
    join(&log, "a").await.unwrap();
}

#[tokio::test]
async fn a_replica_that_slept_appends_nothing_to_a_ledger_that_was_moved_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let slept = join(&log, "a").await.unwrap();
    log.release(&slept.membership.lease().await).await.unwrap();

    let moving = alone(log.clone(), "b").await.unwrap();
    assert_eq!(slept.log().append(0, &one("late")).await.unwrap_err().code(), "store.lease-held");
    log.set_standing(&Standing::Left("there".into())).await.unwrap();
    moving.release().await;
    assert_eq!(slept.log().append(0, &one("later")).await.unwrap_err().code(), "store.left");
    assert_eq!(log.size().await.unwrap(), 0);
    assert_eq!(log.all("").await.unwrap(), []);
    assert_eq!(join(&log, "c").await.err().unwrap().code(), "store.left");
}
