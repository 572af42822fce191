//! A sum that is opened from stored updates, window by window, is that of the whole updates; what is stored of it is too.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

#[path = "../../core/secure-aggregation/tests/encrypted_round/federation.rs"]
#[allow(dead_code, reason = "shared with the tests of whole rounds")]
mod federation;

use std::collections::BTreeMap;
use std::path::PathBuf;

use federation::Federation;
use syndic_coordinator::driver::{Ready, open_sum};
use syndic_coordinator::store::{Blobs, FolderBlobs, StoreError};
use syndic_round::coordinator::{Opening, Upload};
use syndic_round::{Digest, ParameterSet, ParticipantId, RING_DIMENSION, Sum};
use syndic_secure_aggregation::{Aggregate, EncryptedUpdate, Unopened, open};

/// 147 chunks: two whole windows and a piece of one, and the last chunk is not full.
const VALUES: u32 = 300_000;

/// Everybody's update, stored, and what opens their sum.
struct Stored {
    folder: tempfile::TempDir,
    blobs: FolderBlobs,
    federation: Federation,
    updates: BTreeMap<ParticipantId, EncryptedUpdate>,
}

impl Stored {
    async fn new(set: ParameterSet, members: u16) -> Self {
        let mut federation = Federation::new(set, members, VALUES, 5);
        // A step of its own in each place: whatever is left out, moved or counted twice shows in the sum.
        let steps = |id: ParticipantId| -> Vec<i64> {
            (0..i64::from(VALUES)).map(|k| (k * i64::from(id.get())) % 1_999 - 999).collect()
        };
        let steps = federation.ids().into_iter().map(|id| (id, steps(id))).collect();
        let updates = federation.encrypt(&steps);
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path()).await.unwrap();
        for update in updates.values() {
            blobs.put(update.bytes()).await.unwrap();
        }
        Self { folder, blobs, federation, updates }
    }

    fn opening(&self) -> Opening {
        let upload = |update: &EncryptedUpdate| Upload {
            root: update.root(),
            chunks: update.chunk_count() as u32,
            blob: Digest::of(update.bytes()),
            bytes: update.bytes().len() as u64,
        };
        self.federation.opening(&self.updates.iter().map(|(id, update)| (*id, upload(update))).collect())
    }

    async fn open(&self) -> Result<Result<Ready, Unopened>, StoreError> {
        open_sum(&self.federation.plan, &self.opening(), &self.blobs).await
    }

    fn path(&self, blob: Digest) -> PathBuf {
        let hex = blob.to_string();
        self.folder.path().join("blobs").join(&hex[..2]).join(&hex[2..])
    }
}

#[tokio::test]
async fn what_is_stored_is_what_the_whole_updates_give() {
    for (set, members) in [(ParameterSet::S32, 4), (ParameterSet::S40, 3)] {
        let stored = Stored::new(set, members).await;
        let plan = &stored.federation.plan;
        let mut whole = Aggregate::new(set, plan.coefficients() / RING_DIMENSION);
        assert_eq!(whole.chunk_count(), 147);
        stored.updates.iter().for_each(|(id, update)| whole.fold(*id, update.bytes()).unwrap());
        let expected = open(plan, &stored.opening(), &whole).unwrap();

        let Ready { sum, stored: opened } = stored.open().await.unwrap().expect("it opens");

        assert_eq!(sum, expected.sum);
        let read = async |blob| stored.blobs.read(blob).await.unwrap();
        let kept = Sum::from_bytes(plan.layout.clone(), &read(opened.sum).await);
        assert_eq!(kept, Some(expected.sum.clone()), "replay reads the same");
        assert_eq!(read(opened.sum).await, expected.sum.to_bytes());
        let ring = opened.ring.unwrap();
        assert!(opened.checked);
        assert_eq!(read(ring.key_sum).await, expected.keys.to_bytes());
        assert!(read(ring.aggregate).await == whole.bytes());
        assert_eq!(ring.aggregate_root, whole.root());
        assert_eq!(read(opened.transcript).await, stored.opening().transcript(plan).to_bytes());
        assert_eq!(opened.wrong_reveals, expected.wrong_reveals);
        let again = stored.open().await.unwrap().expect("it opens again");
        assert_eq!(again.stored, opened, "a coordinator that died meanwhile stores the same");
    }
}

#[tokio::test]
async fn an_update_that_is_damaged_on_the_disk_fails_the_store_and_refuses_no_sum() {
    let stored = Stored::new(ParameterSet::S32, 4).await;
    let update = &stored.updates[&stored.federation.ids()[1]];
    let path = stored.path(Digest::of(update.bytes()));
    // In the top bits of a coefficient of the first, second and last window, so that what is unmasked is not right; in the
    // lowest bit of one, which unmasking takes for noise; and at the end.
    for damage in [3, 100 * 8_192 + 3, 146 * 8_192 + 3, 70 * 8_192, update.bytes().len() - 1] {
        let mut bytes = update.bytes().to_vec();
        bytes[damage] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        let failed = stored.open().await.err().expect("a store that fails");
        assert_eq!(failed.code(), "store.corrupt", "byte {damage}");
    }
    for length in [0, 8_192, update.bytes().len() - 1] {
        std::fs::write(&path, &update.bytes()[..length]).unwrap();
        assert_eq!(stored.open().await.err().expect("it fails").code(), "store.corrupt", "cut to {length}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(stored.open().await.err().expect("it fails").code(), "store.absent");

    stored.blobs.put(update.bytes()).await.unwrap();
    assert!(stored.open().await.unwrap().is_ok(), "a copy put back mends it");
}

#[tokio::test]
async fn an_update_under_another_key_is_found_in_any_window_and_leaves_nothing() {
    let mut stored = Stored::new(ParameterSet::S32, 4).await;
    let victim = stored.federation.ids()[2];
    let honest = stored.updates[&victim].bytes().to_vec();
    for chunk in [0, 70, 146] {
        let mut bytes = honest.clone();
        bytes[chunk * 8_192..][..8_192].reverse();
        stored.blobs.put(&bytes).await.unwrap();
        let other = EncryptedUpdate::from_bytes(ParameterSet::S32, bytes).unwrap();
        stored.updates.insert(victim, other);
        assert!(matches!(stored.open().await.unwrap(), Err(Unopened::MoreReveals(_))), "chunk {chunk}");
    }
    assert_eq!(stored.blobs.sweep_partial().await.unwrap(), 0, "half an aggregate is not kept");
}
