//! How long a reviewer's check takes of a ledger as long as years of rounds: a million entries of the sizes and types that
//! a real run wrote, verified as `syndic ledger verify` does it, without the signatures of participants.
//!
//! The entries are those of a ledger folder that is named, over and over: rounds and preparations are numbered on, and
//! everything is linked anew. What participants signed names the round that it was signed in, so that it does not verify in
//! another; the audit of signatures is therefore timed on the run's own ledger.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use syndic_coordinator::audit::{Audit, ROSTER};
use syndic_ledger::tiles::{CHECKPOINT, TileWriter, VERIFIER_KEY};
use syndic_ledger::{
    Checkpoint, Entry, History, SourceError, TileSource, VerifierKey, preparation_subject, round_subject,
    verify, verify_each,
};

/// The name of the long ledger.
const ORIGIN: &str = "bench.example/ledger";

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo puts an option of its own among the arguments.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [folder, size] = arguments.as_slice() else {
        println!("a ledger of a run and a number of entries are needed: syndic-demo/ledger 1000000");
        return Ok(());
    };
    let folder = Folder(PathBuf::from(folder));
    signatures(&folder)?;
    long(&folder, size.parse()?)
}

/// Verifies the run's own ledger, and plays its rounds again.
fn signatures(folder: &Folder) -> Result<(), Box<dyn Error>> {
    let roster = serde_json::from_slice(&folder.read(ROSTER)?)?;
    let mut audit = Audit::new(roster)?;
    let (mut spent, mut failed) = (Duration::ZERO, None);
    verify_each(folder, None, &mut |accepted| {
        let begun = processor();
        failed = failed.take().or(audit.take(accepted.index, &accepted.entry).err());
        spent += processor() - begun;
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let found = audit.found();
    let each = spent.as_secs_f64() * 1e6 / found.messages as f64;
    println!(
        "{} rounds played again, {} signatures: {:.0} us for each signature",
        found.rounds, found.messages, each
    );
    Ok(())
}

/// Makes a ledger of `size` entries, and verifies it.
fn long(folder: &Folder, size: u64) -> Result<(), Box<dyn Error>> {
    let mut entries = Vec::new();
    verify_each(folder, None, &mut |accepted| entries.push(accepted.entry.clone()))?;
    let (files, bytes) = files(&entries, size)?;
    let begun = (Instant::now(), processor());
    let summary = verify(&files, None)?;
    let (wall, spent) = (begun.0.elapsed(), processor() - begun.1);
    println!(
        "{} entries, {:.2} GB, {} rounds closed: {:.2} s, of the processor {:.2} s",
        summary.size,
        bytes as f64 / 1e9,
        summary.rounds_closed,
        wall.as_secs_f64(),
        spent.as_secs_f64()
    );
    Ok(())
}

/// The files of a ledger with these entries over and over, and the bytes of its entries.
fn files(entries: &[Entry], size: u64) -> Result<(Files, u64), Box<dyn Error>> {
    let (mut writer, mut history, mut files, mut bytes) =
        (TileWriter::new(), History::new(), HashMap::new(), 0);
    let rounds = highest(entries, "round");
    let preparations = highest(entries, "preparation");
    'all: for copy in 0.. {
        for entry in entries {
            if history.size() == size {
                break 'all;
            }
            let entry = again(entry, copy, rounds, preparations, history.size());
            let canonical = history.link(entry).to_canonical()?;
            history.accept(&canonical)?;
            bytes += canonical.len() as u64;
            files.extend(writer.append(&canonical)?.into_iter().map(|file| (file.path, file.bytes)));
        }
    }
    files.extend(writer.finish().into_iter().map(|file| (file.path, file.bytes)));
    let key = SigningKey::from_bytes(&[7; 32]);
    let note = Checkpoint::of(ORIGIN, history.tree())?.sign(&key)?;
    files.insert(CHECKPOINT.into(), note.into_bytes());
    let vkey = VerifierKey::new(ORIGIN, key.verifying_key())?;
    files.insert(VERIFIER_KEY.into(), format!("{vkey}\n").into_bytes());
    Ok((Files(files), bytes))
}

/// The highest number that entries have under `key`.
fn highest(entries: &[Entry], key: &str) -> u64 {
    entries.iter().filter_map(|entry| entry.data[key].as_u64()).max().unwrap_or(0)
}

/// The entry of the copy of this number.
fn again(entry: &Entry, copy: u64, rounds: u64, preparations: u64, index: u64) -> Entry {
    let mut entry = entry.clone();
    // As long as the id of a real entry.
    entry.id = format!("01a2243b-528d-7647-0000-{index:012x}");
    for (key, by) in [("round", rounds), ("preparation", preparations)] {
        if let Some(number) = entry.data[key].as_u64() {
            entry.data[key] = json!(number + copy * by);
        }
    }
    let number = |key: &str| entry.data[key].as_u64();
    let job = entry.data["job"].as_str().unwrap_or_default();
    let is_ahead = entry.kind.starts_with("syndic.preparation.");
    entry.subject = match (number("round"), number("attempt"), number("preparation")) {
        (_, _, Some(preparation)) if is_ahead => Some(preparation_subject(job, preparation)),
        (Some(round), Some(attempt), _) => Some(round_subject(job, round, attempt)),
        _ => entry.subject,
    };
    entry
}

/// A ledger in memory: what is measured is the check and not a disk.
struct Files(HashMap<String, Vec<u8>>);

impl TileSource for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.0.get(path).cloned().ok_or(SourceError::Missing)
    }
}

/// A run's ledger.
struct Folder(PathBuf);

impl TileSource for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        std::fs::read(self.0.join(Path::new(path)))
            .map_err(|error| SourceError::Unreadable(error.to_string()))
    }
}

/// What this thread has had of the processor.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
