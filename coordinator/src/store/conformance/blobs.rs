//! What every store of blobs promises.

use std::future::Future;
use std::time::Duration;

use syndic_round::Digest;

use crate::store::{Blobs, CHUNK_BYTES};

/// What [`Blobs`] promises. `open` opens the same store each time.
pub(super) async fn blobs_keep_their_promise<B: Blobs, F: Future<Output = B>>(open: impl Fn() -> F) {
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

    a_listing_shows_every_blob_once(&blobs).await;

    assert!(blobs.remove(streamed).await.unwrap());
    assert!(!blobs.remove(streamed).await.unwrap(), "the second time there is nothing to remove");
    assert_eq!(blobs.read(streamed).await.unwrap_err().code(), "store.absent");
}

/// A stored blob is read in pieces of any length, also beside another reader of the same.
async fn pieces_are_as_long_as_asked_for(blobs: &dyn Blobs, stored: &[u8]) {
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

/// The blobs are listed in order, in pages of any size.
async fn a_listing_shows_every_blob_once(blobs: &dyn Blobs) {
    let all = blobs.list(None, usize::MAX).await.unwrap();
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.is_sorted_by_key(|blob| blob.digest));
    for blob in &all {
        assert_eq!(blob.length, blobs.reader(blob.digest).await.unwrap().length());
        assert!(blob.age < Duration::from_secs(3600), "{blob:?} was stored just now");
    }
    for limit in 1..=4 {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = blobs.list(after, limit).await.unwrap();
            assert!(page.len() <= limit);
            paged.extend(page.iter().map(|blob| blob.digest));
            if page.len() < limit {
                break;
            }
            after = page.last().map(|blob| blob.digest);
        }
        assert!(paged.iter().eq(all.iter().map(|blob| &blob.digest)), "in pages of {limit}");
    }
}

/// A blob that `damage` changed on disk is refused by name, and mended by storing it again.
pub(super) async fn a_damaged_blob_is_named(blobs: &dyn Blobs, damage: impl AsyncFn(Digest)) {
    let bytes = vec![7; CHUNK_BYTES + 5];
    let digest = blobs.put(&bytes).await.unwrap();
    damage(digest).await;
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
