//! What every store of leases promises.

use std::sync::Arc;
use std::time::Duration;

use super::log::entries;
use crate::store::{Lease, Leases, Log, StoreError};

/// Somebody holds a lease for its time, nobody beside, and the next holder has a later epoch.
pub(super) async fn leases_keep_their_promise(leases: &dyn Leases) {
    assert_eq!(leases.holding("a").await.unwrap(), None);
    let first = leases.acquire("a", "one", LONG).await.unwrap();
    assert_eq!((&*first.name, &*first.holder), ("a", "one"));
    let holding = leases.holding("a").await.unwrap().unwrap();
    assert_eq!((&*holding.holder, holding.epoch), ("one", first.epoch));
    assert!(holding.left <= LONG && holding.left > LONG / 2, "{holding:?}");

    let refused = leases.acquire("a", "two", LONG).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Held { name, holder } if name == "a" && holder == "one"),
        "{refused}"
    );
    let other = leases.acquire("b", "two", LONG).await.unwrap();
    assert_eq!(other.epoch, first.epoch, "leases of different names have nothing to do with one another");

    leases.note(&first, "at work").await.unwrap();
    let noted = async || -> Vec<(String, Option<String>)> {
        let held = leases.all("").await.unwrap();
        held.into_iter().map(|holding| (holding.name, holding.note)).collect()
    };
    let (a, b) = (("a".to_owned(), Some("at work".to_owned())), ("b".to_owned(), None));
    assert_eq!(noted().await, [a, b], "others read it, in the order of names");
    assert_eq!(leases.all("b").await.unwrap().len(), 1);
    assert_eq!(leases.all("ba").await.unwrap(), [], "a longer name than any");

    let renewed = leases.renew(&first, 2 * LONG).await.unwrap();
    assert!(renewed.epoch == first.epoch && renewed.expires > first.expires, "{renewed:?}");
    let again = leases.acquire("a", "one", LONG).await.unwrap();
    assert!(again.epoch > first.epoch, "whoever lost the answer takes it anew");
    is_fenced(leases.renew(&renewed, LONG).await, &first);
    is_fenced(leases.note(&renewed, "late").await, &first);
    assert_eq!(noted().await[0].1, None, "taken anew it has no note, and none of a former holder");

    assert!(leases.release(&again).await.unwrap());
    is_fenced(leases.note(&again, "late").await, &again);
    assert!(!leases.release(&again).await.unwrap(), "the second time there is nothing to release");
    assert_eq!(leases.holding("a").await.unwrap(), None);
    is_fenced(leases.renew(&again, LONG).await, &again);
    let second = leases.acquire("a", "two", Duration::ZERO).await.unwrap();
    assert!(second.epoch > again.epoch, "epochs grow also past a release");

    assert_eq!(leases.holding("a").await.unwrap(), None, "its time is over");
    is_fenced(leases.renew(&second, LONG).await, &second);
    assert!(!leases.release(&second).await.unwrap());
    let third = leases.acquire("a", "three", LONG).await.unwrap();
    assert!(third.epoch > second.epoch);
    assert!(!leases.release(&second).await.unwrap(), "a zombie does not release what another holds");
    assert_eq!(leases.holding("a").await.unwrap().unwrap().epoch, third.epoch);
}

/// Who has lost a lease, for whatever reason, appends nothing.
pub(super) async fn an_append_is_fenced(leases: &dyn Leases, log: &dyn Log) {
    let held = leases.acquire("log", "one", LONG).await.unwrap();
    assert_eq!(log.append_under(Some(&held), 0, &entries(0..2)).await.unwrap(), 2);
    let stale = log.append_under(Some(&held), 0, &entries(0..2)).await.unwrap_err();
    assert_eq!(stale.code(), "store.conflict", "a lease does not replace the head");

    let invented = Lease { epoch: held.epoch + 1, ..held.clone() };
    let unknown = Lease { name: "other".into(), ..held.clone() };
    let of_another = Lease { holder: "two".into(), ..held.clone() };
    for forged in [invented, unknown, of_another] {
        is_fenced(log.append_under(Some(&forged), 2, &entries(2..3)).await, &forged);
    }
    assert!(leases.release(&held).await.unwrap());
    is_fenced(log.append_under(Some(&held), 2, &entries(2..3)).await, &held);
    let over = leases.acquire("log", "two", Duration::ZERO).await.unwrap();
    is_fenced(log.append_under(Some(&over), 2, &entries(2..3)).await, &over);
    let next = leases.acquire("log", "three", LONG).await.unwrap();
    is_fenced(log.append_under(Some(&over), 2, &entries(2..3)).await, &over);
    is_fenced(log.append_under(Some(&held), 0, &entries(2..3)).await, &held);
    assert_eq!(log.size().await.unwrap(), 2, "what is fenced leaves nothing");
    assert_eq!(log.append_under(Some(&next), 2, &entries(2..3)).await.unwrap(), 3);
}

/// Many want one lease; some of those who get it die, and act afterwards. What the log holds was appended by one
/// holder after the other.
pub(super) async fn contenders_take_turns<S: Leases + Log + 'static>(stores: Vec<Arc<S>>) {
    let contenders: Vec<_> = (0..CONTENDERS)
        .map(|number| tokio::spawn(contend(stores[number % stores.len()].clone(), number)))
        .collect();
    let mut granted = Vec::new();
    for contender in contenders {
        granted.extend(contender.await.unwrap());
    }
    granted.sort_unstable();
    assert!(granted.windows(2).all(|pair| pair[0] < pair[1]), "no epoch was granted twice: {granted:?}");
    let written = stores[0].read(0, u64::MAX).await.unwrap();
    let epochs: Vec<u64> =
        written.iter().map(|entry| String::from_utf8_lossy(entry).parse().unwrap()).collect();
    assert_eq!(epochs.len(), CONTENDERS * TURNS, "every turn is there once");
    assert!(epochs.windows(2).all(|pair| pair[0] < pair[1]), "later holders stand later: {epochs:?}");
}

/// Takes the lease and appends under it, a number of times; between that it dies, and comes back as a zombie.
async fn contend<S: Leases + Log>(store: Arc<S>, number: usize) -> Vec<u64> {
    let (mut granted, mut turns) = (Vec::new(), 0);
    while turns < TURNS {
        let holder = format!("contender {number}, life {}", granted.len());
        let dies = granted.len() % 2 == number % 2 && granted.len() <= TURNS;
        let lease = match store.acquire("turn", &holder, if dies { Duration::ZERO } else { LONG }).await {
            Ok(lease) => lease,
            Err(StoreError::Held { .. }) => {
                tokio::task::yield_now().await;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        granted.push(lease.epoch);
        let size = store.size().await.unwrap();
        let appended = store.append_under(Some(&lease), size, &[lease.epoch.to_string().into_bytes()]).await;
        if dies {
            is_fenced(appended, &lease);
        } else {
            appended.expect("nobody appends beside the one who holds the lease");
            assert!(store.release(&lease).await.unwrap());
            turns += 1;
        }
    }
    granted
}

fn is_fenced<T: std::fmt::Debug>(outcome: Result<T, StoreError>, lease: &Lease) {
    match outcome {
        Err(StoreError::Fenced { name, epoch }) => assert_eq!((&name, epoch), (&lease.name, lease.epoch)),
        other => panic!("{other:?} of {lease:?}"),
    }
}

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);
const CONTENDERS: usize = 12;
const TURNS: usize = 5;
