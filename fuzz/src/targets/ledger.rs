//! Decoders of the ledger: entries and the facts in them, notes, checkpoints and proofs.

use std::str::FromStr;
use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use syndic_coordinator::fact::Fact;
use syndic_ledger::{
    Checkpoint, Entry, Hash, Leaves, Timestamp, VerifierKey, leaf_hash, note, schema, verify_consistency,
    verify_inclusion,
};

use super::history;
use crate::bounded::bounded;
use crate::script::{Script, choosing, chosen};

/// One entry, or the text of a moment.
pub(super) fn entry(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    if choice & 1 == 1 {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if let Ok(time) = Timestamp::from_str(text) {
            assert_eq!(time.to_string(), text, "a moment has two spellings");
        }
        return;
    }
    let Ok(entry) = bounded(bytes.len(), || Entry::parse(bytes)) else { return };
    assert_eq!(entry.to_canonical().as_deref(), Ok(bytes), "an entry has two forms");
    let _ = schema::check(&entry);
}

pub(super) fn entry_seeds() -> Vec<Vec<u8>> {
    let entries = history::log().into_iter().map(|bytes| choosing(0, bytes));
    entries.chain([choosing(1, "2026-08-01T12:34:56.789Z")]).collect()
}

/// What the coordinator reads back from an entry of its own.
pub(super) fn fact(input: &[u8]) {
    let Ok(entry) = Entry::parse(input) else { return };
    let Ok(fact) = bounded(input.len(), || Fact::from_entry(0, &entry)) else { return };
    let (kind, subject, data) = fact.to_parts();
    assert_eq!(kind, entry.kind);
    let again = Entry { subject, data, ..entry };
    let again = Fact::from_entry(0, &again).expect("what is written is read");
    assert_eq!(again.to_parts(), fact.to_parts(), "a fact changes on its way");
}

pub(super) fn fact_seeds() -> Vec<Vec<u8>> {
    history::facts()
}

/// A key, a note signed by nobody knows whom, or a text that the log's own key signs.
pub(super) fn note(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match choice % 3 {
        0 => {
            if let Ok(key) = bounded(text.len(), || VerifierKey::from_str(text)) {
                assert_eq!(key.to_string(), text, "a key has two spellings");
                assert_eq!(key.fingerprint().len(), 79);
            }
        }
        1 => {
            let checkpoint = bounded(text.len(), || Checkpoint::verify(text, &PINNED));
            assert!(
                checkpoint.is_err()
                    || text == honest_note()
                    || note::open(text, &PINNED) == Ok(honest_text()),
                "nobody signed this"
            );
        }
        _ => {
            let Ok(signed) = note::sign(text, ORIGIN, &key()) else { return };
            assert_eq!(note::open(&signed, &PINNED), Ok(text));
            if let Ok(checkpoint) = bounded(signed.len(), || Checkpoint::verify(&signed, &PINNED)) {
                assert_eq!(checkpoint.sign(&key()).as_deref(), Ok(signed.as_str()), "two spellings");
            }
        }
    }
}

pub(super) fn note_seeds() -> Vec<Vec<u8>> {
    vec![
        choosing(0, PINNED.to_string()),
        choosing(1, honest_note()),
        choosing(2, honest_text()),
        choosing(2, format!("{ORIGIN}\n18446744073709551615\n{}\n", "A".repeat(43) + "=")),
    ]
}

pub(super) fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub(super) static PINNED: LazyLock<VerifierKey> =
    LazyLock::new(|| VerifierKey::new(ORIGIN, key().verifying_key()).expect("a sound name"));

static NOTE: LazyLock<String> = LazyLock::new(|| {
    let checkpoint = Checkpoint::new(ORIGIN, 7, leaf_hash(b"root")).expect("a sound name");
    checkpoint.sign(&key()).expect("a checkpoint can be signed")
});

fn honest_note() -> &'static str {
    &NOTE
}

fn honest_text() -> &'static str {
    note::open(&NOTE, &PINNED).expect("its own note")
}

pub(super) const ORIGIN: &str = "syndic/federation";

/// A proof over a tree of a few leaves: it convinces exactly where it is the honest one.
pub(super) fn proof(input: &[u8]) {
    let mut script = Script::new(input);
    let (kind, size) = (script.u8(), u64::from(script.u8() % 40));
    let (mut first, mut second) = (u64::from(script.u8()), u64::from(script.u8()));
    if kind & 4 != 0 {
        (first, second) = (script.u64(), script.u64());
    }
    let mut leaves = Leaves::new();
    (0..size).for_each(|leaf| leaves.append(leaf_hash(&leaf.to_be_bytes())));
    let honest = match kind & 1 {
        0 => leaves.inclusion_proof(first, size),
        _ => leaves.consistency_proof(first, size),
    };
    let mut proof = if kind & 2 == 0 { honest.clone().unwrap_or_default() } else { Vec::new() };
    while !script.is_over() && proof.len() < 130 {
        match script.u8() % 4 {
            0 => proof.push(Hash::from_bytes(script.array())),
            1 => drop(proof.pop()),
            2 => proof.extend(proof.first().copied()),
            _ => proof.reverse(),
        }
    }
    let root = leaves.root(size).expect("of its own size");
    let judged = match kind & 1 {
        0 => verify_inclusion(&leaf_hash(&first.to_be_bytes()), first, size, &proof, &root),
        _ => {
            let older = leaves.root(first.min(size)).expect("of an earlier size");
            verify_consistency(first, &older, size, &root, &proof)
        }
    };
    assert_eq!(judged.is_ok(), honest.as_ref() == Ok(&proof), "{judged:?}");
    // Sizes that no tree of ours has: there is nothing to compare with, but it must come back.
    let _ = verify_inclusion(&root, first, second, &proof, &root);
    let _ = verify_consistency(first, &root, second, &root, &proof);
}

pub(super) fn proof_seeds() -> Vec<Vec<u8>> {
    let large = [u64::MAX - 1, u64::MAX].map(u64::to_be_bytes).concat();
    vec![
        vec![0, 7, 3, 0],
        vec![1, 7, 3, 0],
        vec![0, 33, 32, 0],
        vec![1, 33, 16, 0],
        vec![0, 1, 0, 0],
        vec![1, 8, 0, 0],
        [&[6, 3, 0, 0], large.as_slice(), &[0]].concat(),
    ]
}
