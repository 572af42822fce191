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
    let pace = Pace { lasts: TTL, renew_every: Duration::from_millis(1) };
    let tenure = Tenure::begin(log.clone(), None, (LEASE, "a"), pace).await.unwrap();
    // Taken by another coordinator that began with a copy of this one's folder.
    log.acquire(LEASE, "a", TTL).await.unwrap();
    assert_eq!(tenure.lost().await.code(), "store.fenced");
}

/// Leases behind a network that nothing comes through, at times: nobody is told so.
struct Behind {
    leases: Arc<SqliteLog>,
    is_silent: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl Leases for Behind {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, StoreError> {
        self.leases.acquire(name, holder, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        self.is_silent.subscribe().wait_for(|is_silent| !is_silent).await.unwrap();
        self.leases.renew(lease, ttl).await
    }

    async fn note(&self, lease: &Lease, note: &str) -> Result<(), StoreError> {
        self.leases.note(lease, note).await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.leases.release(lease).await
    }

    async fn all(&self, prefix: &str) -> Result<Vec<Holding>, StoreError> {
        self.leases.all(prefix).await
    }
}

#[tokio::test]
async fn whoever_cannot_renew_its_lease_as_long_as_it_lasts_is_told_until_it_can_again() {
    let dir = tempfile::tempdir().unwrap();
    let leases = Arc::new(Behind { leases: log(dir.path()).await, is_silent: watch::Sender::new(true) });
    let millis = Duration::from_millis;
    let pace = Pace { lasts: millis(50), renew_every: millis(10) };
    let tenure = Tenure::begin(leases.clone(), None, (LEASE, "a"), pace).await.unwrap();
    let mut cut_off = tenure.cut_off();

    for is_silent in [true, false, true] {
        leases.is_silent.send_replace(is_silent);
        cut_off.wait_for(|cut_off| *cut_off == is_silent).await.unwrap();
    }

    // What was over in the meantime is taken anew.
    leases.leases.release(&tenure.lease().await).await.unwrap();
    leases.is_silent.send_replace(false);
    cut_off.wait_for(|cut_off| !cut_off).await.unwrap();
    assert_eq!(leases.holding(LEASE).await.unwrap().unwrap().epoch, tenure.lease().await.epoch);
}
