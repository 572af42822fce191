//! One flipped byte in whatever is kept: in every page of the databases, in every blob, in every file of an export. It is
//! named, or it does no harm; it is never believed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use syndic_coordinator::store::{Log as _, SqliteLog};

use crate::house::{BANKS, Founded, House, Seconds};
use crate::lanes::{chosen, play, seed};
use crate::oracle::{judge, verify};
use crate::process::{Line, Process, run};

/// A byte of a file, and one of its bits.
#[derive(Clone, Debug)]
struct Flip {
    /// Relative to the folder that the flips are in.
    file: PathBuf,
    place: usize,
    bit: u8,
}

impl Flip {
    /// One in each page of a file.
    fn in_pages(folder: &Path, file: &Path, rng: &mut StdRng) -> Vec<Self> {
        let length = fs::metadata(folder.join(file)).unwrap().len() as usize;
        let pages = (0..length).step_by(PAGE);
        let mut flip = |start: usize| {
            let place = rng.random_range(start..length.min(start + PAGE));
            Self { file: file.to_owned(), place, bit: rng.random_range(0..8) }
        };
        pages.map(&mut flip).collect()
    }

    /// Flips it there; a second time flips it back.
    fn happens(&self, folder: &Path) {
        let path = folder.join(&self.file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[self.place] ^= 1 << self.bit;
        fs::write(path, bytes).unwrap();
    }
}

/// What a daemon made of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Noticed {
    /// It refuses to start, with this code.
    Refused(String),
    /// Whatever is read is as it was.
    Harmless,
}

#[test]
fn a_flipped_byte_in_the_coordinators_database_is_named_or_does_no_harm() {
    let founded = Founded::new();
    let house = founded.house(Seconds::FOR_EVER);
    interrupted(&house).into_iter().for_each(Process::kill);
    let state = house.state("operator");
    let untouched = entries(&copy(&state).path().join(DATABASE));
    // What a flip there leaves looks like what a power cut leaves: the batch is missing at the end (docs/ledger.md).
    let last_batch = last_batch(&state.join(WRITE_AHEAD_LOG));
    let before_it = without_end(&state, last_batch);
    let mut rng = StdRng::seed_from_u64(seed());
    let mut flips = Vec::new();
    for file in files(&state).into_iter().filter(|file| file.to_str().unwrap().starts_with(DATABASE)) {
        flips.extend(Flip::in_pages(&state, &file, &mut rng));
    }
    let mut noticed = BTreeMap::<Noticed, usize>::new();
    for flip in chosen(flips, SAMPLE) {
        let whole = copy(&state);
        flip.happens(&state);
        let seen = start(&mut house.coordinator_with(&[]));
        if seen == Noticed::Harmless {
            let now = entries(&copy(&state).path().join(DATABASE));
            let is_at_the_end = flip.file == Path::new(WRITE_AHEAD_LOG) && flip.place >= last_batch;
            let kept = if is_at_the_end { &before_it } else { &untouched };
            assert!(now.starts_with(kept), "{flip:?} went unnoticed");
        }
        *noticed.entry(seen).or_default() += 1;
        fs::remove_dir_all(&state).unwrap();
        fs::rename(whole.keep(), &state).unwrap();
    }
    println!("{noticed:?} of {} entries", untouched.len());
}

/// Where in a write-ahead log the last batch begins: behind the frame that ends the one before it (SQLite's file format, 4.1).
fn last_batch(path: &Path) -> usize {
    let wal = fs::read(path).unwrap();
    let (header, frames) = wal.split_at(32);
    let frames = frames.chunks_exact(24 + PAGE).take_while(|frame| frame[8..16] == header[16..24]);
    let ends = frames.enumerate().filter(|(_, frame)| frame[4..8] != [0; 4]).map(|(at, _)| at + 1);
    let ends: Vec<usize> = ends.collect();
    32 + ends[ends.len() - 2] * (24 + PAGE)
}

/// The entries in a copy whose write-ahead log ends after so many bytes.
fn without_end(state: &Path, length: usize) -> Vec<Vec<u8>> {
    let cut = copy(state);
    let log = fs::OpenOptions::new().write(true).open(cut.path().join(WRITE_AHEAD_LOG)).unwrap();
    log.set_len(length as u64).unwrap();
    entries(&cut.path().join(DATABASE))
}

#[test]
fn a_flipped_byte_in_an_export_is_named() {
    let founded = Founded::new();
    let house = founded.house(Seconds::FOR_EVER);
    let mut coordinator = house.coordinator_with(&[]);
    let mut banks: Vec<_> = BANKS.iter().map(|bank| house.bank_with(bank, &[])).collect();
    judge(&house, &mut coordinator, &mut banks);
    let ledger = house.host("operator").join("publish/ledger");
    let mut rng = StdRng::seed_from_u64(seed());
    let mut noticed = BTreeMap::<String, usize>::new();
    let mut flips = Vec::new();
    for file in files(&ledger) {
        flips.extend(Flip::in_pages(&ledger, &file, &mut rng));
    }
    for flip in flips {
        flip.happens(&ledger);
        let (exit, told) = verify(&house);
        flip.happens(&ledger);
        // The key came by another way: neither it nor the policy is read from beside the ledger.
        let is_read = !["log.vkey", "policy"].map(Path::new).contains(&flip.file.as_path());
        assert_eq!(exit == 4, is_read, "{flip:?}: {told}");
        let code = told.split('"').find(|part| part.starts_with("ledger.") || part.starts_with("audit."));
        assert!(code.is_some() || !is_read, "{flip:?}: {told}");
        *noticed.entry(code.unwrap_or("not read").to_owned()).or_default() += 1;
    }
    println!("{noticed:?}");
}

#[test]
fn a_flipped_byte_in_a_blob_is_named_or_does_no_harm() {
    let founded = Founded::new();
    let house = founded.house(Seconds::FOR_EVER);
    interrupted(&house).into_iter().for_each(Process::kill);
    let blobs = files(&house.state("operator").join("blobs")).len();
    let ran = play(&chosen((0..blobs).collect(), SAMPLE), |founded, number| damaged_blob(founded, *number));
    let mut named = BTreeMap::<&str, usize>::new();
    for by in ran {
        *named.entry(by).or_default() += 1;
    }
    println!("{blobs} blobs; named by: {named:?}");
}

/// One run in which a byte of a blob flips while the coordinator is down; who named it, if it was read at all.
fn damaged_blob(founded: &Founded, number: usize) -> &'static str {
    let house = founded.house(Seconds::FOR_EVER);
    let mut banks = interrupted(&house);
    let folder = house.state("operator").join("blobs");
    let mut rng = StdRng::seed_from_u64(seed() ^ number as u64);
    let blobs = files(&folder);
    let path = folder.join(&blobs[number % blobs.len()]);
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[rng.random_range(0..whole.len())] ^= 1 << rng.random_range(0..8);
    fs::write(&path, &damaged).unwrap();
    let mut coordinator = house.coordinator_with(&[]);
    // Where an institution asks for it, that one is told, and the coordinator goes on: nobody else needs it.
    let is_refused = |line: &Line| line.is("cannot answer") && line.text("code") == "store.corrupt";
    let named_by = if coordinator.shows("its end", is_refused) {
        coordinator.stop_at_once();
        Some("the coordinator, to whoever asked for it")
    } else if coordinator.ended() == 3 {
        assert_eq!(coordinator.error_code(), "store.corrupt", "{}", path.display());
        Some("the coordinator that read it")
    } else {
        None
    };
    let is_damaged = fs::read(&path).is_ok_and(|now| now == damaged);
    if is_damaged {
        let found = fsck(&house);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(found.contains(&name[2..]), "{name} is damaged, and fsck finds {found}");
        // As from a backup.
        fs::write(&path, whole).unwrap();
    }
    if named_by.is_some() {
        coordinator = house.coordinator_with(&[]);
    }
    judge(&house, &mut coordinator, &mut banks);
    named_by.unwrap_or(match is_damaged {
        true => "fsck alone",
        false => "nobody, it was replaced or is not kept any longer",
    })
}

/// What the check of all that is kept finds.
fn fsck(house: &House) -> String {
    let arguments = ["fsck", "--config", "coordinator.toml", "--json"];
    let found = run("syndic-coordinator", &house.host("operator"), &arguments);
    String::from_utf8(found.stdout).unwrap()
}

/// The institutions of a federation whose coordinator was killed in the middle of the last round.
fn interrupted(house: &House) -> Vec<Process> {
    let mut coordinator = house.coordinator_with(&[]);
    let banks = BANKS.iter().map(|bank| house.bank_with(bank, &[])).collect();
    coordinator.wait_for("an update in round 3", |line| {
        line.is("heard") && line.round() == 3 && line.text("did") == "Submitted"
    });
    coordinator.kill();
    banks
}

/// What a daemon makes of what it is started on; it is killed once it goes on.
fn start(daemon: &mut Process) -> Noticed {
    if daemon.shows("that it starts, or why it does not", |line| line.is("ready")) {
        return Noticed::Harmless;
    }
    let exit = daemon.ended();
    assert!(matches!(exit, 2 | 3), "{exit}: {}", daemon.told());
    Noticed::Refused(daemon.error_code())
}

/// Every file below a folder, relative to it, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn copy(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
    let from = folder.join(".");
    let status = std::process::Command::new("cp").arg("-r").arg(from).arg(copy.path()).status();
    assert!(status.unwrap().success());
    copy
}

fn entries(database: &Path) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { SqliteLog::open(database).await.unwrap().read(0, u64::MAX).await.unwrap() })
}

const DATABASE: &str = "ledger.sqlite";
const WRITE_AHEAD_LOG: &str = "ledger.sqlite-wal";
const PAGE: usize = 4_096;
/// Flips of each kind in the normal run.
const SAMPLE: usize = 2;
