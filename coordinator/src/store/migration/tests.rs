//! Moves that are cut off at every durable step, and moves that must be refused. Two folders stand for both stores here; the
//! conformance suite makes sure that the others keep the same promises.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::store::{
    Begun, BlobReader, BlobWriter, FolderBlobs, Held, Lease, Resumed, SqliteLog, StoredBlob, UploadName,
};

/// Ends a move at one of its durable steps, as a kill does: nothing is done after it.
#[derive(Clone)]
struct Knife {
    step: Arc<AtomicU64>,
    fatal: u64,
    /// Whether the step that it strikes is stored.
    stored: bool,
}

impl Knife {
    fn at(fatal: u64, stored: bool) -> Self {
        Self { step: Arc::default(), fatal, stored }
    }

    async fn cut<T>(&self, step: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        if self.step.fetch_add(1, Ordering::SeqCst) != self.fatal {
            return step.await;
        }
        if self.stored {
            step.await?;
        }
        Err(StoreError::Busy { what: KILLED.into() })
    }
}

struct Cut<S> {
    inner: S,
    knife: Knife,
}

#[async_trait]
impl Log for Cut<SqliteLog> {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        self.knife.cut(self.inner.append_under(lease, expected_size, entries)).await
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.read(from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.inner.size().await
    }
}

#[async_trait]
impl Movable for Cut<SqliteLog> {
    async fn standing(&self) -> Result<Standing, StoreError> {
        self.inner.standing().await
    }

    async fn set_standing(&self, standing: &Standing) -> Result<(), StoreError> {
        self.knife.cut(self.inner.set_standing(standing)).await
    }

    fn place(&self) -> String {
        self.inner.place()
    }
}

#[async_trait]
impl Blobs for Cut<FolderBlobs> {
    async fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Ok(Box::new(CutWriter { inner: self.inner.writer().await?, knife: self.knife.clone() }))
    }

    async fn reader(&self, digest: Digest) -> Result<Box<dyn BlobReader>, StoreError> {
        self.inner.reader(digest).await
    }

    async fn contains(&self, digest: Digest) -> Result<bool, StoreError> {
        self.inner.contains(digest).await
    }

    async fn remove(&self, digest: Digest) -> Result<bool, StoreError> {
        self.inner.remove(digest).await
    }

    async fn set_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        self.inner.set_aside(digest).await
    }

    async fn aside(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.inner.aside(after, limit).await
    }

    async fn put_back(&self, digest: Digest) -> Result<(), StoreError> {
        self.inner.put_back(digest).await
    }

    async fn remove_aside(&self, digest: Digest) -> Result<bool, StoreError> {
        self.inner.remove_aside(digest).await
    }

    async fn list(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, StoreError> {
        self.inner.list(after, limit).await
    }

    async fn sweep_partial(&self) -> Result<u64, StoreError> {
        self.inner.sweep_partial().await
    }

    async fn resume(
        &self,
        name: &UploadName,
        from: u64,
        seen: &mut (dyn for<'b> FnMut(&'b [u8]) + Send),
    ) -> Result<Resumed, StoreError> {
        self.inner.resume(name, from, seen).await
    }

    async fn begun(&self, name: &UploadName) -> Result<Option<Held>, StoreError> {
        self.inner.begun(name).await
    }

    async fn all_begun(&self) -> Result<Vec<Begun>, StoreError> {
        self.inner.all_begun().await
    }

    async fn forget(&self, name: &UploadName) -> Result<bool, StoreError> {
        self.inner.forget(name).await
    }
}

struct CutWriter {
    inner: Box<dyn BlobWriter>,
    knife: Knife,
}

#[async_trait]
impl BlobWriter for CutWriter {
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>, expected: Option<Digest>) -> Result<Digest, StoreError> {
        self.knife.cut(self.inner.finish(expected)).await
    }
}

async fn end(dir: &Path, knife: &Knife) -> End {
    let cut = async || Cut {
        inner: SqliteLog::open(&dir.join("ledger.sqlite")).await.unwrap(),
        knife: knife.clone(),
    };
    let blobs = Cut { inner: FolderBlobs::open(dir).await.unwrap(), knife: knife.clone() };
    let cosignatures = FolderCosignatures::open(&dir.join("cosignatures")).await.unwrap();
    End {
        log: Arc::new(cut().await),
        appends: Arc::new(cut().await),
        blobs: Box::new(blobs),
        cosignatures: Box::new(cosignatures),
    }
}

/// Two folders, the first with a ledger.
struct Ends {
    source: tempfile::TempDir,
    target: tempfile::TempDir,
}

impl Ends {
    async fn new() -> Self {
        let ends = Self { source: tempfile::tempdir().unwrap(), target: tempfile::tempdir().unwrap() };
        let source = end(ends.source.path(), &unharmed()).await;
        grow(&source, 0..ENTRIES).await;
        for blob in 0..5_u8 {
            let digest = source.blobs.put(&vec![blob; 10 + usize::from(blob) * 30_000]).await.unwrap();
            if blob == SET_ASIDE {
                source.blobs.set_aside(digest).await.unwrap();
            }
        }
        ends
    }

    async fn open(&self, knife: &Knife) -> (End, End) {
        (end(self.source.path(), knife).await, end(self.target.path(), knife).await)
    }

    async fn size_of_target(&self) -> u64 {
        self.open(&unharmed()).await.1.log.size().await.unwrap()
    }

    async fn standings(&self) -> [Standing; 2] {
        let (source, target) = self.open(&unharmed()).await;
        [source.log.standing().await.unwrap(), target.log.standing().await.unwrap()]
    }
}

async fn grow(end: &End, entries: std::ops::Range<u64>) {
    let bytes: Vec<_> = entries.clone().map(|number| format!("entry {number}").into_bytes()).collect();
    end.appends.append(entries.start, &bytes).await.unwrap();
}

/// What is stored and not set aside.
async fn in_place(blobs: &dyn Blobs) -> BTreeMap<Digest, u64> {
    let stored = blobs.list(None, usize::MAX).await.unwrap();
    stored.iter().map(|blob| (blob.digest, blob.length)).collect()
}

fn unharmed() -> Knife {
    Knife::at(u64::MAX, false)
}

/// Of the blobs in the source: in the target it is one like others.
const SET_ASIDE: u8 = 3;
const KILLED: &str = "killed here";
/// More than are copied at a time.
const ENTRIES: u64 = 2 * ENTRIES_AT_A_TIME + 3;

#[tokio::test]
async fn a_move_that_is_killed_at_any_step_goes_on_and_the_ledger_is_never_in_use_twice() {
    let mut points = 0;
    for stored in [false, true] {
        for fatal in 0.. {
            let ends = Ends::new().await;
            let knife = Knife::at(fatal, stored);
            let (source, target) = ends.open(&knife).await;
            match move_all(&source, &target).await {
                Ok(_) => break,
                Err(killed) => assert!(killed.to_string().contains(KILLED), "{killed}"),
            }
            drop((source, target));
            points += 1;
            let is_copied = ends.size_of_target().await > 0;
            assert!(
                ends.standings().await != [Standing::InUse, Standing::InUse] || !is_copied,
                "step {fatal}"
            );

            let (source, target) = ends.open(&unharmed()).await;
            let moved = move_all(&source, &target).await.unwrap();

            assert_eq!((moved.entries, &moved.place), (ENTRIES, &target.log.place()), "after step {fatal}");
            assert_eq!(ends.standings().await, [Standing::Left(target.log.place()), Standing::InUse]);
            let (ours, theirs) = (source.log.read(0, u64::MAX).await, target.log.read(0, u64::MAX).await);
            assert!(ours.unwrap() == theirs.unwrap(), "the entries are the same");
            let ours = blobs_of(&*source.blobs).await.unwrap();
            assert_eq!((ours.len(), ours), (5, in_place(&*target.blobs).await));
        }
    }
    // Two marks at the end, one at the start, five blobs, three batches of entries; each before and after.
    assert_eq!(points, 2 * (3 + 5 + 3));
}

#[tokio::test]
async fn a_ledger_moves_there_and_back_with_what_was_appended_meanwhile() {
    let ends = Ends::new().await;
    let (here, there) = ends.open(&unharmed()).await;
    let moved = move_all(&here, &there).await.unwrap();
    assert_eq!((moved.entries, moved.blobs), (ENTRIES, 5));
    let again = move_all(&here, &there).await.unwrap();
    assert_eq!((again.root, again.blobs), (moved.root, 0), "the second time there is nothing to do");
    assert_eq!(here.log.require_in_use().await.unwrap_err().code(), "store.left");

    grow(&there, ENTRIES..ENTRIES + 2).await;
    let back = move_all(&there, &here).await.unwrap();

    assert_eq!(back.entries, ENTRIES + 2);
    assert_eq!(here.log.require_in_use().await.map_err(|error| error.code()), Ok(()));
    assert_eq!(there.log.require_in_use().await.unwrap_err().code(), "store.left");
}

#[tokio::test]
async fn a_ledger_is_not_moved_over_another_nor_out_of_nothing() {
    let ends = Ends::new().await;
    let (source, target) = ends.open(&unharmed()).await;
    let nothing = move_all(&target, &source).await.unwrap_err();
    assert_eq!(nothing.code(), "store.no-ledger");
    target.appends.append(0, &[b"another ledger".to_vec()]).await.unwrap();
    let occupied = move_all(&source, &target).await.unwrap_err();
    assert_eq!(occupied.code(), "store.occupied");
    target.log.set_standing(&Standing::Filling).await.unwrap();
    let differs = move_all(&source, &target).await.unwrap_err();
    assert_eq!(differs.code(), "store.differs");
    assert_eq!(source.log.standing().await.unwrap(), Standing::InUse, "the ledger is where it was");
    let part = move_all(&target, &source).await.unwrap_err();
    assert_eq!(part.code(), "store.incomplete");
}

#[tokio::test]
async fn a_damaged_blob_stops_a_move_and_a_damaged_copy_is_mended() {
    let ends = Ends::new().await;
    let (source, target) = ends.open(&unharmed()).await;
    let digest = *in_place(&*source.blobs).await.keys().nth(2).unwrap();
    let path = |dir: &Path| {
        let hex = digest.to_string();
        dir.join("blobs").join(&hex[..2]).join(&hex[2..])
    };
    let whole = std::fs::read(path(ends.source.path())).unwrap();
    std::fs::write(path(ends.source.path()), b"damaged").unwrap();
    let refused = move_all(&source, &target).await.unwrap_err();
    assert!(refused.code() == "store.corrupt" && refused.to_string().contains(&digest.to_string()));
    assert_eq!(source.log.standing().await.unwrap(), Standing::InUse);

    std::fs::write(path(ends.source.path()), whole).unwrap();
    std::fs::create_dir_all(path(ends.target.path()).parent().unwrap()).unwrap();
    std::fs::write(path(ends.target.path()), b"damaged").unwrap();
    move_all(&source, &target).await.unwrap();
    assert!(target.blobs.read(digest).await.is_ok());
}
