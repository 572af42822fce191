//! The published ledger beside the log: its signed head, and every file of it.

use std::io::ErrorKind;
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use syndic_ledger::tiles::{CHECKPOINT, TileFile, TileWriter, split_bundle};
use syndic_ledger::{Checkpoint, Leaves, VerifierKey};

use super::{Findings, Kept, PAGE, RESTORE};
use crate::store::StoreError;
use crate::witnesses::witnesses;

/// Compares the published ledger in `folder` with the log.
pub(super) async fn compare(
    folder: &Path,
    kept: &Kept<'_>,
    leaves: &Leaves,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let Some(note) = read(&folder.join(CHECKPOINT))? else { return Ok(()) };
    let checkpoint = match signed(&note, kept) {
        Ok(checkpoint) => checkpoint,
        Err((code, message)) => {
            findings.damaged(code, CHECKPOINT, message, PUBLISH);
            return Ok(());
        }
    };
    let size = checkpoint.size();
    findings.published = Some(size);
    match leaves.root(size) {
        Ok(root) if root == *checkpoint.root() => {}
        Ok(_) => {
            let message = format!("the first {size} entries are not those whose root was signed");
            findings.damaged("ledger.root-mismatch", CHECKPOINT, message, RESTORE);
        }
        Err(_) => {
            let message = format!("{size} entries were signed, and the log has {}", leaves.size());
            findings.damaged("ledger.shrunk", CHECKPOINT, message, RESTORE);
            return Ok(());
        }
    }
    let (mut writer, mut position) = (TileWriter::new(), 0);
    while position < size {
        for entry in kept.log.read(position, PAGE.min(size - position)).await? {
            for file in writer.append(&entry)? {
                compare_file(folder, &file, position, findings)?;
            }
            position += 1;
        }
    }
    for file in writer.finish() {
        compare_file(folder, &file, position.saturating_sub(1), findings)?;
    }
    Ok(())
}

/// The checkpoint in a note that the coordinator of the roster signed.
fn signed(note: &[u8], kept: &Kept<'_>) -> Result<Checkpoint, (&'static str, String)> {
    let roster = kept.roster.roster();
    let key = VerifyingKey::from_bytes(&roster.coordinator_key)
        .map_err(|_| ("ledger.key-malformed", "the roster names no key".to_owned()))?;
    let key =
        VerifierKey::new(&roster.ledger_origin(), key).map_err(|error| (error.code(), error.to_string()))?;
    let note = std::str::from_utf8(note).map_err(|error| ("ledger.note-malformed", error.to_string()))?;
    let checkpoint = Checkpoint::verify(note, &key).map_err(|error| (error.code(), error.to_string()))?;
    // A line in the name of a member that is not its own. Lines in other names may be those of other witnesses.
    witnesses(roster, note).map_err(|error| (error.code(), error.to_string()))?;
    Ok(checkpoint)
}

/// Compares a file, the last entry below which is `last`, with what it must be.
fn compare_file(
    folder: &Path,
    expected: &TileFile,
    last: u64,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let TileFile { path, bytes } = expected;
    let Some(found) = read(&folder.join(path))? else {
        let message = "a file of the published ledger is missing; nobody can verify it";
        findings.damaged("ledger.file-missing", path, message.into(), PUBLISH);
        return Ok(());
    };
    if found == *bytes {
        return Ok(());
    }
    let (Some(right), true) = (split_bundle(bytes), path.starts_with("tile/entries/")) else {
        let message =
            "the published tile does not have the hashes of the entries; nobody can verify it".into();
        findings.damaged("ledger.tile-mismatch", path, message, PUBLISH);
        return Ok(());
    };
    let first = last + 1 - right.len() as u64;
    let wrong = split_bundle(&found).unwrap_or_default();
    let differs = (first..).zip(&right).zip(0..).find(|((_, entry), at)| wrong.get(*at) != Some(entry));
    let place = differs.map_or_else(|| path.clone(), |((index, _), _)| format!("{path}, entry {index}"));
    let message = "the published entry is not the one in the log; nobody can verify it".into();
    findings.damaged("ledger.entry-altered", &place, message, PUBLISH);
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read
            .map(Some)
            .map_err(|source| StoreError::Io { what: format!("cannot read {}", path.display()), source }),
    }
}

const PUBLISH: &str = "remove the published `ledger` folder and start the coordinator again, once nothing else is damaged: it \
                       publishes anew when its job is over";
