//! What a log shows of one entry: who kept an earlier checkpoint believes only what is in the log that was signed.

use std::sync::LazyLock;

use syndic_ledger::{Checkpoint, Hash, Leaves, ShownEntry, leaf_hash};

use super::{history, ledger};
use crate::bounded::bounded;
use crate::script::Script;

struct Log {
    entries: Vec<Vec<u8>>,
    leaves: Leaves,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let entries = history::log();
    let mut leaves = Leaves::new();
    entries.iter().for_each(|entry| leaves.append(leaf_hash(entry)));
    Log { entries, leaves }
});

/// The size kept, the size shown, the place of the entry, then alterations.
pub(super) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let sizes = LOG.entries.len() as u64 + 1;
    let (kept, size) = (u64::from(script.u8()) % sizes, 1 + u64::from(script.u8()) % (sizes - 1));
    let index = u64::from(script.u8()) % size;
    let mut shown = of(kept, size, index);
    let kept = (!script.u8().is_multiple_of(4)).then(|| checkpoint(kept));
    while !script.is_over() {
        alter(&mut shown, &mut script);
    }
    let length =
        shown.checkpoint.len() + shown.entry.len() + 32 * (shown.inclusion.len() + shown.consistency.len());
    match bounded(length, || shown.verify(&ledger::PINNED, kept.as_ref())) {
        Ok((checkpoint, entry)) => {
            assert_eq!(
                LOG.leaves.root(checkpoint.size()).as_ref(),
                Ok(checkpoint.root()),
                "nobody signed this"
            );
            assert!(kept.is_none_or(|kept| kept.size() <= checkpoint.size()), "the log has shrunk");
            let there = &LOG.entries[shown.index as usize];
            assert_eq!(entry.to_canonical().as_ref(), Ok(there), "the log has another entry there");
        }
        Err(error) => assert!(error.code().starts_with("ledger.")),
    }
}

fn alter(shown: &mut ShownEntry, script: &mut Script<'_>) {
    let (what, how) = (script.u8(), script.u64());
    let proof = if what & 8 == 0 { &mut shown.inclusion } else { &mut shown.consistency };
    match what % 8 {
        0 => shown.older = how,
        1 => shown.index = how,
        2 => proof.push(Hash::from_bytes(script.array())),
        3 => drop(proof.pop()),
        4 => proof.reverse(),
        5 => shown.entry = LOG.entries[how as usize % LOG.entries.len()].clone(),
        6 => {
            let at = how as usize % shown.entry.len().max(1);
            shown.entry.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
        }
        _ => shown.checkpoint = signed(how % (LOG.entries.len() as u64 + 1)),
    }
}

/// The honest proof.
fn of(older: u64, size: u64, index: u64) -> ShownEntry {
    let older = older.min(size);
    ShownEntry {
        checkpoint: signed(size),
        older,
        older_root: LOG.leaves.root(older).expect("an earlier size"),
        consistency: LOG.leaves.consistency_proof(older, size).expect("an earlier size"),
        index,
        entry: LOG.entries[index as usize].clone(),
        inclusion: LOG.leaves.inclusion_proof(index, size).expect("a place in it"),
    }
}

/// One sample, for a message that carries it.
pub(super) fn honest() -> ShownEntry {
    of(3, 6, 4)
}

fn checkpoint(size: u64) -> Checkpoint {
    let root = LOG.leaves.root(size).expect("a size that the log had");
    Checkpoint::new(ledger::ORIGIN, size, root).expect("a sound name")
}

fn signed(size: u64) -> String {
    checkpoint(size).sign(&ledger::key()).expect("it can be signed")
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let places = [[0, 0, 0], [3, 5, 4], [7, 7, 0], [8, 7, 7], [4, 7, 2]];
    places
        .map(|[kept, size, index]| vec![kept, size, index, 1])
        .into_iter()
        .chain([vec![0, 7, 3, 0]])
        .collect()
}
