//! One suite for every implementation of a store: what the traits promise, asked of each.
//!
//! Each suite gets a function that opens the store anew, so that what it checks is what survived.

use std::{future::Future, path::Path};

use syndic_round::Digest;

use super::{Blobs, CHUNK_BYTES, FolderBlobs, Log, SqliteLog, StoreError};

/// What [`Log`] promises. `open` opens the same log each time, nobody else having it open.
async fn a_log_keeps_its_promise<L: Log, F: Future<Output = L>>(open: impl Fn() -> F) {
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
}

/// Of writers that saw the same head, one wins each time, and no batch is torn or mixed.
async fn writers_race_and_batches_stay_whole<L: Log>(log: &L, rival: &L) {
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

/// What [`Blobs`] promises. `open` opens the same store each time.
async fn blobs_keep_their_promise<B: Blobs, F: Future<Output = B>>(open: impl Fn() -> F) {
    let blobs = open().await;
    let large: Vec<u8> = (0..2 * CHUNK_BYTES + 17).map(|i| (i % 251) as u8).collect();
    let missing = Digest::of(b"nobody stored this");
    assert_eq!(blobs.read(missing).await.unwrap_err().code(), "store.absent");
    assert!(!blobs.contains(missing).await.unwrap());

    for bytes in [&b""[..], b"abc", &large] {
        let digest = blobs.put(bytes).await.unwrap();
        assert_eq!(digest, Digest::of(bytes), "a blob's name is its digest");
        assert_eq!(blobs.put(bytes).await.unwrap(), digest, "storing it again is fine");
        assert_eq!(blobs.read(digest).await.unwrap(), bytes);
    }

    let mut writer = blobs.writer().await.unwrap();
    writer.write(b"a").await.unwrap();
    writer.write(b"").await.unwrap();
    writer.write(b"bc").await.unwrap();
    let streamed = writer.finish(Some(Digest::of(b"abc"))).await.unwrap();
    assert_eq!(streamed, Digest::of(b"abc"));

    let mut writer = blobs.writer().await.unwrap();
    writer.write(b"not what was announced").await.unwrap();
    let refused = writer.finish(Some(missing)).await.unwrap_err();
    assert_eq!(refused.code(), "store.digest-mismatch");
    for name in [missing, Digest::of(b"not what was announced")] {
        assert!(!blobs.contains(name).await.unwrap(), "a refused blob leaves nothing");
    }

    let mut abandoned = blobs.writer().await.unwrap();
    abandoned.write(b"half of a bl").await.unwrap();
    drop(abandoned);
    assert!(!blobs.contains(Digest::of(b"half of a bl")).await.unwrap(), "half a blob is no blob");

    drop(blobs);
    let blobs = open().await;
    assert_eq!(blobs.sweep_partial().await.unwrap(), 0, "neither refusal nor abandonment leaves a file");
    let mut reader = blobs.reader(Digest::of(&large)).await.unwrap();
    assert_eq!(reader.length(), large.len() as u64);
    let mut lengths = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        lengths.push(chunk.len());
    }
    assert_eq!(lengths, [CHUNK_BYTES, CHUNK_BYTES, 17], "all chunks but the last are full");
    pieces_are_as_long_as_asked_for(&blobs, &large).await;

    assert!(blobs.remove(streamed).await.unwrap());
    assert!(!blobs.remove(streamed).await.unwrap(), "the second time there is nothing to remove");
    assert_eq!(blobs.read(streamed).await.unwrap_err().code(), "store.absent");
}

/// A stored blob is read in pieces of any length, also beside another reader of the same.
async fn pieces_are_as_long_as_asked_for<B: Blobs>(blobs: &B, stored: &[u8]) {
    let mut readers =
        [blobs.reader(Digest::of(stored)).await.unwrap(), blobs.reader(Digest::of(stored)).await.unwrap()];
    for (reader, lengths) in readers.iter_mut().zip([[1, 8_192, CHUNK_BYTES + 1], [3, 1, 70_000]]) {
        let (mut read, mut lengths) = (Vec::new(), lengths.into_iter().cycle());
        loop {
            let most = lengths.next().unwrap();
            let Some(piece) = reader.up_to(most).await.unwrap() else { break };
            assert_eq!(
                piece.len(),
                most.min(stored.len() - read.len()),
                "only the last piece may be shorter"
            );
            read.extend_from_slice(&piece);
        }
        assert!(read == stored, "the pieces make up the blob");
    }
}

/// A blob that `damage` changed on disk is refused by name, and mended by storing it again.
async fn a_damaged_blob_is_named<B: Blobs>(blobs: &B, damage: impl Fn(Digest)) {
    let bytes = vec![7; CHUNK_BYTES + 5];
    let digest = blobs.put(&bytes).await.unwrap();
    damage(digest);
    let refused = blobs.read(digest).await.unwrap_err();
    assert_eq!(refused.code(), "store.corrupt");
    assert!(refused.to_string().contains(&digest.to_string()), "{refused}");

    let mut reader = blobs.reader(digest).await.unwrap();
    let streamed = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the end of a damaged blob must be an error"),
            Err(error) => break error,
        }
    };
    assert_eq!(streamed.code(), "store.corrupt");

    blobs.put(&bytes).await.unwrap();
    assert_eq!(blobs.read(digest).await.unwrap(), bytes, "storing a damaged blob again mends it");
}

fn entries(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    range.map(|number| format!("entry {number}").into_bytes()).collect()
}

async fn sqlite(dir: &Path) -> SqliteLog {
    SqliteLog::open(&dir.join("new/folder/log.sqlite")).await.unwrap()
}

async fn folder(dir: &Path) -> FolderBlobs {
    FolderBlobs::open(dir).await.unwrap()
}

#[tokio::test]
async fn sqlite_keeps_the_promise_of_a_log() {
    let dir = tempfile::tempdir().unwrap();
    a_log_keeps_its_promise(|| sqlite(dir.path())).await;
}

#[tokio::test]
async fn sqlite_lets_one_of_two_writers_win() {
    let dir = tempfile::tempdir().unwrap();
    let (log, rival) = (sqlite(dir.path()).await, sqlite(dir.path()).await);
    writers_race_and_batches_stay_whole(&log, &rival).await;
}

#[tokio::test]
async fn a_folder_keeps_the_promise_of_blobs() {
    let dir = tempfile::tempdir().unwrap();
    blobs_keep_their_promise(|| folder(dir.path())).await;
}

#[tokio::test]
async fn a_folder_names_a_damaged_blob() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = folder(dir.path()).await;
    let path = |digest: Digest| {
        let hex = digest.to_string();
        dir.path().join("blobs").join(&hex[..2]).join(&hex[2..])
    };
    a_damaged_blob_is_named(&blobs, |digest| {
        let mut bytes = std::fs::read(path(digest)).unwrap();
        bytes[9] ^= 1;
        std::fs::write(path(digest), bytes).unwrap();
    })
    .await;
    a_damaged_blob_is_named(&blobs, |digest| {
        let bytes = std::fs::read(path(digest)).unwrap();
        std::fs::write(path(digest), &bytes[..bytes.len() - 1]).unwrap();
    })
    .await;
}
