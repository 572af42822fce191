//! What no entry names goes once it is old, in two steps; whatever one names stays, and so does what is young.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use syndic_coordinator::driver::Coordinator;
use syndic_coordinator::fsck::check_files;
use syndic_coordinator::store::{Blobs, FolderBlobs, Lease, Log, Resumed, SqliteLog, StoreError, UploadName};
use syndic_coordinator::sweep::{Gone, Rule, Swept, days, sweep};
use syndic_round::coordinator::{Duty, Input};
use syndic_round::{Digest, ParticipantId, RoundId};

use crate::cut::Cut;
use crate::house::{House, small};

const WEEK: Rule = Rule { older_than: days(7), is_dry: false };

/// A house that has been in a round, with old blobs, of which entries name all but those made of `orphans`.
async fn left_alone(orphans: &[&[u8]]) -> (House, FolderBlobs) {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    running.play_until(&mut house.members, |duty| matches!(duty, Duty::Reveal(_))).await;
    running.driving.abort();
    drop(running);
    let blobs = FolderBlobs::open(&house.state()).await.unwrap();
    for orphan in orphans {
        blobs.put(orphan).await.unwrap();
    }
    age(&house.state().join("blobs"));
    (house, blobs)
}

/// Makes every file below `folder` a month old.
fn age(folder: &Path) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            age(&path);
        } else {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - days(30)).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for path in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

fn age_set_aside(house: &House) {
    age(&house.state().join("blobs/set-aside"));
}

async fn swept(house: &House, blobs: &dyn Blobs, rule: Rule) -> Swept {
    sweep(&house.log().await, blobs, rule).await.unwrap()
}

fn names(gone: &[Gone]) -> BTreeSet<String> {
    gone.iter().map(|gone| gone.name.clone()).collect()
}

fn only(digest: Digest) -> BTreeSet<String> {
    BTreeSet::from([digest.to_string()])
}

/// Blobs that no entry names, in a store that must be whole.
async fn unclaimed(house: &House) -> Vec<Digest> {
    let found = check_files(Arc::new(house.roster().clone()), &house.state(), None).await.unwrap();
    assert!(found.is_whole(), "{found}");
    found.unclaimed
}

/// A blob that an entry names.
async fn a_named_one(house: &House) -> Digest {
    let blobs = FolderBlobs::open(&house.state()).await.unwrap();
    let unclaimed = unclaimed(house).await;
    let stored = blobs.list(None, usize::MAX).await.unwrap();
    stored.iter().map(|blob| blob.digest).find(|digest| !unclaimed.contains(digest)).unwrap()
}

#[tokio::test]
async fn old_orphans_go_in_two_steps_and_what_is_named_or_young_stays() {
    let (mut house, blobs) = left_alone(&[b"an orphan"]).await;
    let (orphan, young) = (Digest::of(b"an orphan"), blobs.put(b"a young one").await.unwrap());
    let stored = blobs.list(None, usize::MAX).await.unwrap().len() as u64;

    let dry = swept(&house, &blobs, Rule { is_dry: true, ..WEEK }).await;
    assert_eq!((names(&dry.set_aside), dry.young, dry.named), (only(orphan), 1, stored - 2));
    assert!(blobs.contains(orphan).await.unwrap(), "nothing was changed");

    let first = swept(&house, &blobs, WEEK).await;
    assert_eq!((names(&first.set_aside), first.named), (only(orphan), dry.named));
    assert!(!blobs.contains(orphan).await.unwrap() && blobs.contains(young).await.unwrap());
    assert_eq!(blobs.read(orphan).await.unwrap(), b"an orphan", "who reads it finds it");
    let (all, both) = (unclaimed(&house).await, BTreeSet::from([orphan, young]));
    assert_eq!(BTreeSet::from_iter(all), both, "a check counts what is set aside as stored");

    let soon = swept(&house, &blobs, WEEK).await;
    assert!(soon.is_nothing() && soon.waiting == 1, "{soon}");
    age_set_aside(&house);
    let dry = swept(&house, &blobs, Rule { is_dry: true, ..WEEK }).await;
    assert_eq!((names(&dry.removed), blobs.read(orphan).await.unwrap().len()), (only(orphan), 9));
    let last = swept(&house, &blobs, WEEK).await;
    assert_eq!((names(&last.removed), last.bytes_removed()), (only(orphan), 9));
    assert_eq!(blobs.read(orphan).await.unwrap_err().code(), "store.absent");
    assert_eq!(unclaimed(&house).await, [young]);

    // The round goes on with what was left.
    let running = house.running(house.log().await).await;
    running.play_until(&mut house.members, |duty| matches!(duty, Duty::Reveal(_))).await;
}

#[tokio::test]
async fn what_is_stored_again_has_its_time_again_whatever_becomes_of_what_was_set_aside() {
    let (house, blobs) = left_alone(&[b"an orphan"]).await;
    let orphan = Digest::of(b"an orphan");
    blobs.put(b"an orphan").await.unwrap();
    assert_eq!(swept(&house, &blobs, WEEK).await.young, 1, "it is young again");

    age(&house.state().join("blobs"));
    assert_eq!(names(&swept(&house, &blobs, WEEK).await.set_aside), only(orphan));
    age_set_aside(&house);
    blobs.put(b"an orphan").await.unwrap();
    let done = swept(&house, &blobs, WEEK).await;

    assert_eq!((names(&done.removed), done.young), (only(orphan), 1));
    assert!(blobs.contains(orphan).await.unwrap(), "what was stored anew is another's");
}

#[tokio::test]
async fn what_an_entry_names_though_it_was_set_aside_is_read_and_put_back() {
    let (mut house, blobs) = left_alone(&[]).await;
    let named = a_named_one(&house).await;
    // As where it is stored, and named, in the moment in which an orphan of the same name is set aside.
    blobs.set_aside(named).await.unwrap();
    assert!(unclaimed(&house).await.is_empty(), "nothing is missing");
    let soon = swept(&house, &blobs, WEEK).await;
    assert!(soon.put_back.is_empty() && soon.waiting == 1, "for a day nothing that is set aside is touched");

    age_set_aside(&house);
    let done = swept(&house, &blobs, WEEK).await;

    assert_eq!((names(&done.put_back), done.removed.len()), (only(named), 0));
    assert!(blobs.contains(named).await.unwrap());
    assert_eq!(blobs.aside(None, 9).await.unwrap(), []);
    let running = house.running(house.log().await).await;
    running.play_until(&mut house.members, |duty| matches!(duty, Duty::Reveal(_))).await;
}

#[tokio::test]
async fn a_sweep_that_dies_at_any_step_leaves_a_sound_store_for_the_next() {
    let (house, blobs) = left_alone(&[b"one", b"another", b"set aside", b"set aside, too"]).await;
    for aside in [&b"set aside"[..], b"set aside, too"] {
        blobs.set_aside(Digest::of(aside)).await.unwrap();
    }
    let named = a_named_one(&house).await;
    blobs.set_aside(named).await.unwrap();
    cut_upload(&blobs, 1).await;
    let (folder, before) = (house.state().join("blobs"), house.state().join("before"));
    copy(&folder, &before);
    let mut fatal = 0;
    loop {
        std::fs::remove_dir_all(&folder).unwrap();
        copy(&before, &folder);
        age(&folder);
        let blobs = FolderBlobs::open(&house.state()).await.unwrap();
        let cut = Cut::at(blobs, fatal);

        let killed = sweep(&house.log().await, &cut, WEEK).await;
        let blobs = cut.blobs;
        let lacks = unclaimed(&house).await.len();
        assert!((2..=4).contains(&lacks), "what no entry names may go, and nothing else: {lacks}");
        let is_whole = killed.is_ok();
        if let Err(error) = killed {
            assert_eq!(error.code(), "store.busy");
            swept(&house, &blobs, WEEK).await;
        }
        let left: Vec<_> = unclaimed(&house).await;
        let orphans = [&b"one"[..], b"another"].map(Digest::of);
        assert_eq!(BTreeSet::from_iter(left), BTreeSet::from(orphans), "at {fatal}");
        for orphan in orphans {
            assert!(!blobs.contains(orphan).await.unwrap(), "{orphan} is set aside");
        }
        assert!(blobs.contains(named).await.unwrap() && blobs.all_begun().await.unwrap().is_empty());
        if is_whole {
            break;
        }
        fatal += 1;
    }
    assert_eq!(fatal, 2 * 6, "two set aside, two removed, one put back, and an upload");
}

#[tokio::test]
async fn nothing_goes_while_it_is_not_known_what_an_entry_names() {
    let (house, blobs) = left_alone(&[b"an orphan", b"set aside"]).await;
    blobs.set_aside(Digest::of(b"set aside")).await.unwrap();
    cut_upload(&blobs, 1).await;
    age(&house.state().join("blobs"));
    let log = house.log().await;
    log.append(log.size().await.unwrap(), &[b"{\"type\":\"of a newer version\"}".to_vec()]).await.unwrap();

    assert_eq!(sweep(&log, &blobs, WEEK).await.unwrap_err().code(), "store.corrupt");

    assert!(blobs.contains(Digest::of(b"an orphan")).await.unwrap());
    assert_eq!(blobs.read(Digest::of(b"set aside")).await.unwrap(), b"set aside");
    assert_eq!(blobs.all_begun().await.unwrap().len(), 1);
}

fn upload(from: u16) -> UploadName {
    UploadName {
        job: small(),
        round: RoundId { round: 1, attempt: 1 },
        from: ParticipantId::new(from).unwrap(),
        header: Digest::of(b"header"),
    }
}

async fn cut_upload(blobs: &FolderBlobs, from: u16) {
    let Resumed::On(mut writer) = blobs.resume(&upload(from), 0, &mut |_| {}).await.unwrap() else {
        panic!()
    };
    writer.write(b"half").await.unwrap();
}

#[tokio::test]
async fn old_uploads_that_nobody_goes_on_with_go_too() {
    let (house, blobs) = left_alone(&[]).await;
    for from in [1, 2] {
        cut_upload(&blobs, from).await;
    }
    age(&house.state().join("blobs/partial"));
    // The writer of the second is at it still, and the third is young.
    let Resumed::On(_second) = blobs.resume(&upload(2), 4, &mut |_| {}).await.unwrap() else { panic!() };
    cut_upload(&blobs, 3).await;

    let done = swept(&house, &blobs, WEEK).await;

    let gone: Vec<_> = done.uploads.iter().map(|gone| (gone.name.clone(), gone.bytes)).collect();
    assert_eq!(gone, [(upload(1).to_string(), 4)]);
    assert_eq!(blobs.all_begun().await.unwrap().len(), 2);
}

/// A log to which another coordinator appends in the moment in which a sweep, which has seen the blobs, asks how long it is.
struct HeardLate<'a> {
    log: SqliteLog,
    coordinator: &'a Coordinator,
    round: RoundId,
    input: Input,
}

#[async_trait]
impl Log for HeardLate<'_> {
    async fn append_under(&self, _: Option<&Lease>, _: u64, _: &[Vec<u8>]) -> Result<u64, StoreError> {
        panic!("a sweep appends nothing")
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.log.read(from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        assert!(self.coordinator.hear(&small(), self.round, self.input.clone()).await.unwrap());
        self.log.size().await
    }
}

#[tokio::test]
async fn what_is_named_after_the_blobs_were_listed_stays() {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    running.play_until(&mut house.members, |duty| matches!(duty, Duty::Submit(_))).await;
    let (plan, duty) = running.duty_of(house.members[0].id).await;
    let input = house.members[0].play(&running.coordinator, &plan, duty).await;
    let Input::Submit(_, upload) = &input else { panic!("{input:?}") };
    let update = upload.blob;
    age(&house.state().join("blobs"));
    let blobs = FolderBlobs::open(&house.state()).await.unwrap();
    let log = HeardLate { log: house.log().await, coordinator: &running.coordinator, round: plan.id, input };

    let done = sweep(&log, &blobs, WEEK).await.unwrap();

    assert!(done.set_aside.is_empty(), "{done}");
    assert!(blobs.contains(update).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_replicas_one_sweeps_at_a_time() {
    let (house, blobs) = left_alone(&[b"an orphan"]).await;
    let ((here, replica), (there, other)) = (house.replica("a").await, house.replica("b").await);
    let sweeping = other.sweep().await.unwrap();
    let refused = here.sweep(WEEK).await.unwrap_err();
    assert_eq!(
        (refused.code(), blobs.contains(Digest::of(b"an orphan")).await.unwrap()),
        ("store.lease-held", true)
    );
    sweeping.release().await;

    let (one, two) = tokio::join!(here.sweep(WEEK), there.sweep(WEEK));
    let did = |swept: &Result<Swept, _>| swept.as_ref().map_or(0, |swept: &Swept| swept.set_aside.len());
    assert_eq!(did(&one) + did(&two), 1, "{one:?}, {two:?}");
    assert!(!blobs.contains(Digest::of(b"an orphan")).await.unwrap());

    // Who leaves while it sweeps keeps nobody from it.
    let _left = replica.sweep().await.unwrap();
    replica.leave().await;
    there.sweep(WEEK).await.unwrap();
}

#[tokio::test]
async fn a_coordinator_sweeps_at_its_start() {
    let (house, blobs) = left_alone(&[b"an orphan"]).await;
    let coordinator = house.coordinator(house.log().await).await;
    let daily = tokio::spawn(async move { coordinator.sweep_daily(WEEK.older_than).await });
    crate::house::ends(async {
        while blobs.contains(Digest::of(b"an orphan")).await.unwrap() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    daily.abort();
    assert_eq!(blobs.read(Digest::of(b"an orphan")).await.unwrap(), b"an orphan");
}
