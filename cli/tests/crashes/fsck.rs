//! A coordinator's store after a job, and what is found once a byte of it has changed: by `fsck`, and by a coordinator that is
//! started on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use syndic_coordinator::driver::{Coordinator, CoordinatorError, Parts};
use syndic_coordinator::fsck::{Damage, Findings, check_files};
use syndic_coordinator::instance::{Instance, Software};
use syndic_coordinator::store::{Blobs, FolderBlobs, FolderCosignatures, Log, SqliteLog};
use syndic_round::Digest;
use tokio::runtime::Runtime;

use crate::federation::Federation;
use crate::run::finished;

struct Store {
    folder: tempfile::TempDir,
    federation: Federation,
    entries: Vec<Vec<u8>>,
    runtime: Runtime,
}

impl Store {
    /// The store of a coordinator whose job is complete.
    fn after_a_job() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let federation = finished(folder.path());
        let runtime = Runtime::new().unwrap();
        let entries = runtime.block_on(async {
            let log = SqliteLog::open(&folder.path().join("coordinator").join(LEDGER)).await.unwrap();
            let entries = log.read(0, log.size().await.unwrap()).await.unwrap();
            log.close().await.unwrap();
            entries
        });
        Self { folder, federation, entries, runtime }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("coordinator")
    }

    fn check(&self) -> Findings {
        self.check_in(&self.state())
    }

    fn check_in(&self, state: &Path) -> Findings {
        let published = self.folder.path().join("ledger");
        let roster = Arc::new(self.federation.roster.clone());
        self.runtime.block_on(check_files(roster, state, Some(&published))).unwrap()
    }

    /// A state folder with this ledger file, and the blobs.
    fn with_ledger(&self, file: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LEDGER), file).unwrap();
        std::os::unix::fs::symlink(self.state().join("blobs"), folder.path().join("blobs")).unwrap();
        folder
    }

    /// What is found while `altered` is in the place of the file at `path`; nothing, and the file is not there.
    fn with<T>(&self, path: &Path, altered: Option<Vec<u8>>, look: impl FnOnce() -> T) -> T {
        let whole = std::fs::read(path).unwrap();
        match altered {
            Some(bytes) => std::fs::write(path, bytes).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let found = look();
        std::fs::write(path, whole).unwrap();
        found
    }

    /// Starts a coordinator on `state`, and gives the head of the ledger that it would publish.
    fn start(&self, state: &Path) -> Result<(Coordinator, (u64, String)), CoordinatorError> {
        self.runtime.block_on(async {
            let coordinator = Coordinator::open(Parts {
                roster: self.federation.roster.clone(),
                ledger_key: self.federation.identity.ledger_key().clone(),
                log: Box::new(SqliteLog::open(&state.join(LEDGER)).await?),
                blobs: Box::new(FolderBlobs::open(state).await?),
                cosignatures: Box::new(FolderCosignatures::open(&state.join("cosignatures")).await?),
                verified: state.join("verified.note"),
                replica: None,
                gather: Duration::ZERO,
                most_jobs_at_once: 1,
                instance: Instance::new(Software::built(), None),
            })
            .await?;
            let published = tempfile::tempdir().unwrap();
            let head = coordinator.export_ledger(published.path()).await?;
            Ok((coordinator, head))
        })
    }

    fn blobs(&self) -> Vec<PathBuf> {
        files(&self.state().join("blobs"))
    }
}

fn names(findings: &Findings, place: &str, code: &str) -> bool {
    let names = |place: &str, told: &str| told == place || told.starts_with(&format!("{place},"));
    let damage =
        |damage: &&syndic_coordinator::fsck::Damage| names(place, &damage.place) && damage.code == code;
    findings.damage.iter().any(|found| damage(&found) && !found.message.is_empty() && !found.help.is_empty())
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The name of the blob at `path`.
fn name_of(path: &Path) -> String {
    let hex: Vec<_> = path.iter().rev().take(2).map(|part| part.to_str().unwrap()).collect();
    format!("{}{}", hex[1], hex[0])
}

fn flipped(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

/// One in this many of what there is; all of it in a long campaign.
fn one_in(many: usize) -> usize {
    if std::env::var_os("SYNDIC_SOAK").is_some() { 1 } else { many }
}

#[test]
fn one_flipped_byte_in_a_store_is_found_and_never_silently_used() {
    let store = Store::after_a_job();
    let good = store.check();
    assert!(good.is_whole() && good.unclaimed.is_empty(), "{good}");
    let size = store.entries.len() as u64;
    assert_eq!((good.entries, good.published), (size, Some(size)));
    assert_eq!((good.audited.rounds, good.rounds_open), (3, 0));
    assert_eq!(good.blobs, store.blobs().len() as u64, "each is named by an entry");

    in_a_page_of_the_ledger(&store);
    in_an_entry(&store);
    in_a_blob(&store);
    in_a_published_file(&store);
    a_log_that_lost_its_end_is_shorter_than_what_was_signed(&store);
    a_blob_that_no_entry_names_is_listed_and_is_no_damage(&store);
}

/// In the head of each page, at its end, where rows are, and somewhere in it.
fn in_a_page_of_the_ledger(store: &Store) {
    let whole = std::fs::read(store.state().join(LEDGER)).unwrap();
    let head = store.start(store.with_ledger(&whole).path()).unwrap().1;
    let pages = whole.len() / PAGE;
    assert!(whole.len().is_multiple_of(PAGE) && pages > 20, "{pages} pages");
    for page in (0..pages).step_by(one_in(16)) {
        let mut was_found = false;
        for offset in [4, 1000 + page * 37 % 3000, PAGE - 1] {
            let mut file = whole.clone();
            file[page * PAGE + offset] ^= 1 << (page % 8);
            let place = format!("byte {offset} of page {page}");
            let found = store.check_in(store.with_ledger(&file).path());
            match store.start(store.with_ledger(&file).path()) {
                Err(error) => assert!(!found.is_whole(), "{place}: {error}, but {found}"),
                // No row is there: what is read is what was written.
                Ok((_, restarted)) => assert_eq!(restarted, head, "{place}: silently used"),
            }
            let is_named = |damage: &Damage| damage.place == LEDGER || damage.place.starts_with("entry ");
            was_found |= found.damage.iter().any(is_named);
        }
        assert!(was_found, "page {page}");
    }
}

fn in_an_entry(store: &Store) {
    let whole = std::fs::read(store.state().join(LEDGER)).unwrap();
    for (index, entry) in store.entries.iter().enumerate().step_by(one_in(30)) {
        // A short piece of it, wherever it lies: SQLite leaves copies behind where it moved a row.
        let id = &entry[entry.windows(6).position(|at| at == br#""id":""#).unwrap()..][..40];
        let mut file = whole.clone();
        let places = (0..whole.len()).filter(|at| whole[*at..].starts_with(id));
        let flipped = places.map(|at| file[at + 20] ^= 1).count();
        // Where a page ends within it, another piece would do; the next entry does.
        if flipped == 0 {
            continue;
        }
        let state = store.with_ledger(&file);
        let found = store.check_in(state.path());
        assert!(names(&found, &format!("entry {index}"), "store.corrupt"), "entry {index}: {found}");
        let refused = store.start(state.path()).err().expect("a damaged entry is refused");
        assert_eq!(refused.code(), "store.corrupt");
        assert!(refused.to_string().contains(&format!("entry {index} ")), "{refused}");
    }
}

fn in_a_blob(store: &Store) {
    for path in store.blobs().iter().step_by(one_in(30)) {
        let digest = Digest::from_hex(&name_of(path)).unwrap();
        let place = format!("blob {digest}");
        for (altered, code) in [(Some(flipped(path)), "store.corrupt"), (None, "store.absent")] {
            let (found, used) = store.with(path, altered, || {
                let started = store.start(&store.state());
                // Whatever it starts without, it hands to nobody.
                let used = started.and_then(|(coordinator, _)| {
                    Ok(store.runtime.block_on(coordinator.blobs().read(digest))?)
                });
                (store.check(), used)
            });
            assert!(names(&found, &place, code), "{found}");
            assert_eq!(used.expect_err("a damaged blob is used").code(), code, "{place}");
        }
    }
}

fn in_a_published_file(store: &Store) {
    let published = store.folder.path().join("ledger");
    for path in files(&published.join("tile")).into_iter().chain([published.join("checkpoint")]) {
        let place = path.strip_prefix(&published).unwrap().to_str().unwrap();
        let found = store.with(&path, Some(flipped(&path)), || store.check());
        assert!(found.damage.iter().any(|damage| damage.place.starts_with(place)), "{place}: {found}");
    }
    assert!(store.check().is_whole(), "all is as it was");
}

fn a_log_that_lost_its_end_is_shorter_than_what_was_signed(store: &Store) {
    let folder = tempfile::tempdir().unwrap();
    store.runtime.block_on(async {
        let log = SqliteLog::open(&folder.path().join(LEDGER)).await.unwrap();
        log.append(0, &store.entries[..store.entries.len() - 1]).await.unwrap();
    });
    std::os::unix::fs::symlink(store.state().join("blobs"), folder.path().join("blobs")).unwrap();
    let found = store.check_in(folder.path());
    assert!(names(&found, "checkpoint", "ledger.shrunk"), "{found}");
}

fn a_blob_that_no_entry_names_is_listed_and_is_no_damage(store: &Store) {
    let stray = store.runtime.block_on(async {
        FolderBlobs::open(&store.state()).await.unwrap().put(b"left by a crash").await.unwrap()
    });
    let found = store.check();
    assert_eq!((found.is_whole(), found.unclaimed.as_slice()), (true, &[stray][..]), "{found}");
    assert!(found.to_json().contains(&stray.to_string()));
}

const LEDGER: &str = "ledger.sqlite";
/// Bytes of a page.
const PAGE: usize = 4096;
