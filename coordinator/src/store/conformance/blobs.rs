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

    let asked = vec![Digest::of(b"abc"), missing, Digest::of(&large), Digest::of(b"")];
    let small = blobs.read_small(asked.clone(), 3).await;
    assert_eq!(
        small,
        [Some(b"abc".to_vec()), None, None, Some(Vec::new())],
        "in order, and none that is longer"
    );
    assert_eq!(blobs.read_small(asked, large.len() as u64).await[2].as_ref(), Some(&large));

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
    what_is_set_aside_is_read_and_not_stored(&blobs, &large).await;

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

/// What is set aside is found by every reader, and by nobody who asks whether it is stored.
async fn what_is_set_aside_is_read_and_not_stored(blobs: &dyn Blobs, stored: &[u8]) {
    let digest = Digest::of(stored);
    assert!(!blobs.set_aside(Digest::of(b"nobody stored this")).await.unwrap());
    blobs.put_back(Digest::of(b"nobody stored this")).await.unwrap();
    let is_stored = async || blobs.contains(digest).await.unwrap();
    let listed = async || {
        let (stored, aside) = (blobs.list(None, 9).await.unwrap(), blobs.aside(None, 9).await.unwrap());
        assert!(stored.iter().chain(&aside).all(|blob| blob.age < Duration::from_secs(3600)), "{aside:?}");
        [stored, aside].map(|list| list.iter().filter(|blob| blob.digest == digest).count())
    };

    let mut reader = blobs.reader(digest).await.unwrap();
    let first = reader.next().await.unwrap().unwrap();
    assert!(blobs.set_aside(digest).await.unwrap());
    assert_eq!((is_stored().await, listed().await), (false, [0, 1]));
    assert_eq!(blobs.read(digest).await.unwrap(), stored);
    assert!(!blobs.set_aside(digest).await.unwrap(), "it is set aside already");
    // Whoever was reading goes on, there and back.
    let second = reader.next().await.unwrap().unwrap();
    blobs.put_back(digest).await.unwrap();
    let third = reader.next().await.unwrap().unwrap();
    assert_eq!((reader.next().await.unwrap(), [first, second, third].concat()), (None, stored.to_vec()));
    assert_eq!((is_stored().await, listed().await), (true, [1, 0]));
    blobs.put_back(digest).await.unwrap();
    assert_eq!(listed().await, [1, 0], "it is back already");

    // Stored again meanwhile, it is no longer what was set aside.
    blobs.set_aside(digest).await.unwrap();
    blobs.put(stored).await.unwrap();
    assert_eq!((is_stored().await, listed().await), (true, [1, 1]));
    blobs.put_back(digest).await.unwrap();
    assert_eq!(listed().await, [1, 0]);
    blobs.set_aside(digest).await.unwrap();
    blobs.put(stored).await.unwrap();
    assert!(blobs.remove_aside(digest).await.unwrap());
    assert!(!blobs.remove_aside(digest).await.unwrap());
    assert_eq!((listed().await, blobs.read(digest).await.unwrap()), ([1, 0], stored.to_vec()));

    // What is removed is removed wherever it is.
    blobs.set_aside(digest).await.unwrap();
    blobs.put(stored).await.unwrap();
    assert!(blobs.remove(digest).await.unwrap());
    assert_eq!(listed().await, [0, 0]);
    blobs.put(stored).await.unwrap();
    blobs.set_aside(digest).await.unwrap();
    assert!(blobs.remove(digest).await.unwrap() && !blobs.remove(digest).await.unwrap());
    assert_eq!(blobs.read(digest).await.unwrap_err().code(), "store.absent");
    assert_eq!(blobs.reader(digest).await.err().unwrap().code(), "store.absent");

    let many: Vec<Digest> = [&b"1"[..], b"2", b"3"].map(Digest::of).into();
    for bytes in [&b"1"[..], b"2", b"3"] {
        blobs.put(bytes).await.unwrap();
        blobs.set_aside(Digest::of(bytes)).await.unwrap();
    }
    let all = blobs.aside(None, 9).await.unwrap();
    assert!(
        all.is_sorted_by_key(|blob| blob.digest) && all.len() == 3 && all.iter().all(|blob| blob.length == 1)
    );
    let rest = blobs.aside(Some(all[0].digest), 1).await.unwrap();
    assert_eq!(rest.iter().map(|blob| blob.digest).collect::<Vec<_>>(), [all[1].digest], "a page");
    for digest in many {
        assert!(blobs.remove_aside(digest).await.unwrap());
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

    let small = blobs.read_small(vec![digest], u64::MAX).await;
    assert_eq!(small, [None], "whoever wants it whole is told why it is not");

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
