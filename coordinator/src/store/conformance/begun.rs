//! What every store promises of uploads that are cut and gone on with.

use std::future::Future;
use std::time::Duration;

use syndic_round::{Digest, JobId, ParticipantId, RoundId};

use crate::store::{BlobWriter, Blobs, CHUNK_BYTES, Held, Resumed, UploadName};

/// The upload of a participant to an attempt, under a header.
fn name(from: u16, attempt: u32, header: &str) -> UploadName {
    UploadName {
        job: JobId::new("churn.2").unwrap(),
        round: RoundId { round: 3, attempt },
        from: ParticipantId::new(from).unwrap(),
        header: Digest::of(header.as_bytes()),
    }
}

fn update() -> Vec<u8> {
    (0..2 * CHUNK_BYTES + 17).map(|i| (i % 251) as u8).collect()
}

fn holds(bytes: &[u8]) -> Option<Held> {
    Some(Held { bytes: bytes.len() as u64, digest: Digest::of(bytes) })
}

/// Goes on behind `from` bytes, which have to be the first of the update.
async fn gone_on(blobs: &dyn Blobs, name: &UploadName, from: usize) -> Box<dyn BlobWriter> {
    let mut seen = Vec::new();
    let resumed = blobs.resume(name, from as u64, &mut |bytes| seen.extend_from_slice(bytes)).await.unwrap();
    let Resumed::On(writer) = resumed else { panic!("it must go on behind {from}") };
    assert!(seen == update()[..from], "what is held is shown, in order");
    writer
}

async fn is_refused(blobs: &dyn Blobs, name: &UploadName, from: u64) -> Resumed {
    blobs.resume(name, from, &mut |_| panic!("nothing is shown")).await.unwrap()
}

/// Begins an upload, of which `bytes` come before it is cut.
async fn cut(blobs: &dyn Blobs, name: &UploadName, bytes: &[u8]) {
    let mut writer = gone_on(blobs, name, 0).await;
    writer.write(bytes).await.unwrap();
}

/// A store that holds what it is given goes on behind any byte of it, also when it was opened anew.
pub(super) async fn a_cut_upload_is_gone_on_with<B: Blobs, F: Future<Output = B>>(open: impl Fn() -> F) {
    let (update, mine) = (update(), name(1, 1, "mine"));
    let blobs = open().await;
    assert_eq!(blobs.begun(&mine).await.unwrap(), None);
    assert!(matches!(is_refused(&blobs, &mine, 1).await, Resumed::Fewer(0)));
    assert!(blobs.all_begun().await.unwrap().is_empty(), "to ask leaves nothing");

    for at in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, update.len()] {
        cut(&blobs, &mine, &update[..at / 2]).await;
        let blobs = open().await;
        assert_eq!(blobs.sweep_partial().await.unwrap(), 0, "a start leaves it alone");
        assert_eq!(blobs.begun(&mine).await.unwrap(), holds(&update[..at / 2]).filter(|held| held.bytes > 0));
        gone_on(&blobs, &mine, at / 2).await.write(&update[at / 2..at]).await.unwrap();
        assert_eq!(blobs.begun(&mine).await.unwrap(), holds(&update[..at]));
        assert!(
            matches!(is_refused(&blobs, &mine, at as u64 + 1).await, Resumed::Fewer(held) if held == at as u64)
        );
        assert!(matches!(is_refused(&blobs, &mine, u64::MAX).await, Resumed::Fewer(_)));
        assert_eq!(
            blobs.begun(&mine).await.unwrap(),
            holds(&update[..at]),
            "who asks for more takes nothing away"
        );
        assert!(!blobs.contains(Digest::of(&update[..at])).await.unwrap(), "half an update is no blob");
    }

    drop(gone_on(&blobs, &mine, CHUNK_BYTES - 7).await);
    assert_eq!(blobs.begun(&mine).await.unwrap(), holds(&update[..CHUNK_BYTES - 7]), "the rest is given up");
    let mut writer = gone_on(&blobs, &mine, CHUNK_BYTES - 7).await;
    writer.write(&update[CHUNK_BYTES - 7..]).await.unwrap();
    assert_eq!(writer.finish(None).await.unwrap(), Digest::of(&update));
    assert_eq!(blobs.read(Digest::of(&update)).await.unwrap(), update);
    assert_eq!((blobs.begun(&mine).await.unwrap(), blobs.all_begun().await.unwrap()), (None, vec![]));

    cut(&blobs, &mine, b"not what was announced").await;
    let writer = gone_on(&blobs, &mine, 0).await;
    assert_eq!(writer.finish(Some(Digest::of(&update))).await.unwrap_err().code(), "store.digest-mismatch");
    assert_eq!(blobs.begun(&mine).await.unwrap(), None, "what cannot be right is given up");
}

/// A participant has one upload in an attempt, and one writer is at it.
pub(super) async fn an_attempt_has_one_upload_of_each<B: Blobs, F: Future<Output = B>>(open: impl Fn() -> F) {
    let blobs = open().await;
    let (mine, instead) = (name(1, 1, "mine"), name(1, 1, "instead"));
    let others = [name(1, 2, "mine"), name(2, 1, "theirs")];
    for other in &others {
        cut(&blobs, other, b"another's").await;
    }
    let mut writer = gone_on(&blobs, &mine, 0).await;
    writer.write(b"mine").await.unwrap();
    for name in [&mine, &instead] {
        assert!(matches!(is_refused(&blobs, name, 0).await, Resumed::InUse), "somebody is at it");
    }
    assert!(!blobs.forget(&mine).await.unwrap(), "it is its writer's");
    writer.write(b" still").await.unwrap();
    drop(writer);
    assert_eq!(blobs.begun(&mine).await.unwrap(), holds(b"mine still"));

    cut(&blobs, &instead, b"instead").await;

    assert_eq!(blobs.begun(&mine).await.unwrap(), None);
    let all = blobs.all_begun().await.unwrap();
    assert!(all.iter().all(|begun| begun.length > 0 && begun.age < Duration::from_secs(3600)), "{all:?}");
    let mut all: Vec<_> = all.into_iter().map(|begun| begun.name).collect();
    all.sort();
    let mut expected = [&others[..], std::slice::from_ref(&instead)].concat();
    expected.sort();
    assert_eq!(all, expected, "that of another participant and that of another attempt stay");
    for name in expected {
        assert!(blobs.forget(&name).await.unwrap());
        assert!(!blobs.forget(&name).await.unwrap(), "the second time there is nothing to forget");
    }
    assert!(blobs.all_begun().await.unwrap().is_empty());
}
