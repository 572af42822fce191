//! What every log promises.

use std::future::Future;

use crate::store::{Log, StoreError};

/// What [`Log`] promises. `open` opens the same log each time, nobody else having it open.
pub(super) async fn a_log_keeps_its_promise<L: Log, F: Future<Output = L>>(open: impl Fn() -> F) {
    let log = open().await;
    assert_eq!(log.size().await.unwrap(), 0);
    assert!(log.read(0, 10).await.unwrap().is_empty());
    assert_eq!(log.append(0, &entries(0..3)).await.unwrap(), 3);
    assert_eq!(log.append(3, &entries(3..4)).await.unwrap(), 4);
    assert_eq!(log.append(4, &[]).await.unwrap(), 4, "an empty batch appends nothing");

    for stale in [0, 3, 5, u64::MAX] {
        let refused = log.append(stale, &entries(7..9)).await.unwrap_err();
        assert_eq!(refused.code(), "store.conflict");
        assert!(
            matches!(refused, StoreError::Conflict { expected, actual: 4 } if expected == stale),
            "a conflict tells the head"
        );
    }
    assert_eq!(log.size().await.unwrap(), 4, "a refused batch leaves nothing");

    drop(log);
    let log = open().await;
    assert_eq!(log.size().await.unwrap(), 4, "what was appended survives");
    assert_eq!(log.read(0, u64::MAX).await.unwrap(), entries(0..4));
    assert_eq!(log.read(1, 2).await.unwrap(), entries(1..3));
    assert!(log.read(4, 1).await.unwrap().is_empty(), "nothing lies beyond the end");
    assert!(log.read(u64::MAX, u64::MAX).await.unwrap().is_empty());
    assert_eq!(log.append(4, &[Vec::new()]).await.unwrap(), 5);
    assert_eq!(log.read(4, 1).await.unwrap(), [b""], "an empty entry is an entry");

    assert!(log.holds(1, &entries(1..4)).await.unwrap(), "what became of a batch can be asked");
    assert!(!log.holds(1, &entries(2..4)).await.unwrap(), "another batch is not there");
    assert!(!log.holds(4, &entries(4..5)).await.unwrap(), "nor is one in whose place something else stands");
    assert!(!log.holds(5, &entries(5..6)).await.unwrap(), "nor one beyond the end");
}

/// Of writers that saw the same head, one wins each time, and no batch is torn or mixed.
pub(super) async fn writers_race_and_batches_stay_whole(log: &dyn Log, rival: &dyn Log) {
    let start = log.size().await.unwrap();
    for turn in 0..20 {
        let head = log.size().await.unwrap();
        let (ours, theirs) = (vec![b"ours".to_vec(); 3], vec![b"theirs".to_vec(); 3]);
        let outcomes = tokio::join!(log.append(head, &ours), rival.append(head, &theirs));
        let winner = match outcomes {
            (Ok(size), Err(StoreError::Conflict { .. })) => (size, ours),
            (Err(StoreError::Conflict { .. }), Ok(size)) => (size, theirs),
            other => panic!("exactly one must win turn {turn}: {other:?}"),
        };
        assert_eq!(winner.0, head + 3);
        assert_eq!(rival.read(head, 10).await.unwrap(), winner.1);
    }
    assert_eq!(log.size().await.unwrap(), start + 60);
}

/// An entry of which `damage` flipped a bit, beneath the log, is named, and its neighbours are not.
pub(super) async fn a_damaged_entry_is_named(log: &dyn Log, damage: impl AsyncFn(u64)) {
    assert_eq!(log.append(0, &entries(0..3)).await.unwrap(), 3);
    damage(1).await;
    let refused = log.read(0, 3).await.unwrap_err();
    assert_eq!(refused.code(), "store.corrupt");
    assert!(refused.to_string().contains("entry 1 of"), "{refused}");
    assert_eq!(log.read(0, 1).await.unwrap(), entries(0..1));
    assert_eq!(log.read(2, 1).await.unwrap(), entries(2..3));
}

pub(super) fn entries(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    range.map(|number| format!("entry {number}").into_bytes()).collect()
}
