//! A published log, file by file, as an auditor reads it: what verifies under a pinned key is what was signed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use syndic_ledger::tiles::{self, CHECKPOINT, VERIFIER_KEY};
use syndic_ledger::{Checkpoint, History, SourceError, Summary, TileSource, VerifyError, note, verify};

use super::{history, ledger};
use crate::bounded::within;
use crate::script::{Script, choosing, fields};

/// How it is read, then the files: paths and contents in turn. Or entries, of which the files are made that belong to
/// them, all but the checkpoint: what an operator can do who has the folder and not the key.
pub(super) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.u8();
    let folder = if choice & 4 == 0 { as_written(script) } else { rewritten(script, choice >> 3) };
    judge(folder, choice, input.len());
}

fn as_written(mut script: Script<'_>) -> Folder {
    let mut folder = Folder(BTreeMap::new());
    while !script.is_over() {
        let path = String::from_utf8_lossy(script.field()).into_owned();
        folder.0.insert(path, script.field().to_vec());
    }
    folder
}

fn rewritten(mut script: Script<'_>, checkpoint: u8) -> Folder {
    let mut entries = Vec::new();
    while !script.is_over() {
        entries.push(script.field());
    }
    let honest = logs().swap_remove(usize::from(checkpoint) % LOGS);
    let mut files: BTreeMap<_, _> = tiles::files(entries)
        .map(|files| files.into_iter().map(|file| (file.path, file.bytes)).collect())
        .unwrap_or_default();
    files.extend(honest.0.into_iter().filter(|(path, _)| path == CHECKPOINT || path == VERIFIER_KEY));
    Folder(files)
}

fn judge(mut folder: Folder, choice: u8, input: usize) {
    let resign = choice & 2 != 0;
    if resign && let Some(signed) = folder.0.get(CHECKPOINT).and_then(|bytes| signed_again(bytes)) {
        folder.0.insert(CHECKPOINT.into(), signed);
    }
    let pin = (choice & 1 == 0).then_some(&*ledger::PINNED);
    let size = input + folder.0.values().map(Vec::len).sum::<usize>();
    match within(size, 256, || verify(&folder, pin)) {
        Ok(summary) if pin.is_some() && !resign => {
            let signed = SIGNED.iter().find(|(_, signed)| *signed == summary);
            let (honest, _) = signed.expect("nobody signed this log");
            let mut files = honest.0.iter().filter(|(path, _)| path.starts_with("tile/"));
            assert!(
                files.all(|(path, bytes)| folder.0.get(path) == Some(bytes)),
                "{summary:?} has other files"
            );
        }
        Ok(summary) => assert_eq!(summary.types.values().sum::<u64>(), summary.size),
        Err(error) => told(&error),
    }
}

fn told(error: &VerifyError) {
    assert!(error.code().starts_with("ledger.") && !error.help().is_empty());
    assert!(error.entry().is_some() || error.file().is_some(), "{error}");
}

/// The text of a note, signed by the log's own key, so that what comes after the signature is reached.
fn signed_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let end = text.find("\n\n").map_or(text.len(), |blank| blank + 1);
    note::sign(&text[..end], ledger::ORIGIN, &ledger::key()).ok().map(String::into_bytes)
}

struct Folder(BTreeMap<String, Vec<u8>>);

impl TileSource for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.0.get(path).cloned().ok_or(SourceError::Missing)
    }
}

/// The honest logs: of none, one, some and all of the entries of the sample.
fn logs() -> Vec<Folder> {
    let log = history::log();
    let sizes: [usize; LOGS] = [0, 1, 5, log.len()];
    sizes.map(|size| published(&log[..size])).into()
}

const LOGS: usize = 4;

fn published(entries: &[Vec<u8>]) -> Folder {
    let mut history = History::new();
    entries.iter().for_each(|bytes| drop(history.accept(bytes).expect("an orderly log")));
    let files = tiles::files(entries.iter().map(Vec::as_slice)).expect("short entries");
    let mut folder: BTreeMap<_, _> = files.into_iter().map(|file| (file.path, file.bytes)).collect();
    let checkpoint = Checkpoint::of(ledger::ORIGIN, history.tree()).expect("a sound name");
    let signed = checkpoint.sign(&ledger::key()).expect("it can be signed");
    folder.insert(CHECKPOINT.into(), signed.into_bytes());
    folder.insert(VERIFIER_KEY.into(), format!("{}\n", *ledger::PINNED).into_bytes());
    Folder(folder)
}

static SIGNED: LazyLock<Vec<(Folder, Summary)>> = LazyLock::new(|| {
    let verified = |log: Folder| {
        let summary = verify(&log, Some(&ledger::PINNED)).expect("an honest log");
        (log, summary)
    };
    logs().into_iter().map(verified).collect()
});

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let file = |(path, bytes): (&String, &Vec<u8>)| [path.clone().into_bytes(), bytes.clone()];
    let of = |folder: &Folder| fields(folder.0.iter().flat_map(file));
    let (logs, entries) = (logs(), history::log());
    let written = (0..4).flat_map(|choice| logs.iter().map(move |log| choosing(choice, of(log))));
    // The last entry's text is another, and nothing follows it, so that the rules are kept and the root is not.
    let mut forged = entries.clone();
    if let Some(last) = forged.last_mut() {
        *last = String::from_utf8_lossy(last).replace("true", "false").into_bytes();
    }
    let rewritten = [&entries, &forged].map(|entries| choosing(4 | 3 << 3, fields(entries)));
    written.chain(rewritten).collect()
}
