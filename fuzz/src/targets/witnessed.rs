//! What others than the log say of a checkpoint: keys and cosignatures of witnesses, policies that want them, and the proof of
//! one entry in a file.

use std::str::FromStr;
use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use syndic_ledger::{
    Checkpoint, CosignerKey, Leaves, Policy, TlogProof, Witnessed, cosign, cosigned_at, leaf_hash, note,
};

use super::{history, ledger};
use crate::bounded::bounded;
use crate::script::{choosing, chosen};

/// The first byte chooses what it is.
pub(super) fn run(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match choice % 5 {
        0 => {
            if let Ok(key) = bounded(text.len(), || CosignerKey::from_str(text)) {
                assert_eq!(key.to_string(), text, "a key has two spellings");
            }
        }
        1 => policy(text),
        2 => {
            let at = bounded(text.len(), || cosigned_at(text, &WITNESSES[0]));
            assert!(!matches!(at, Ok(Some(_))) || has_honest_text(text), "nobody cosigned this");
            if let Ok(Witnessed { checkpoint, .. }) = bounded(text.len(), || POLICY.check(text)) {
                assert_eq!(checkpoint, HONEST.witnessed.checkpoint, "nobody signed this");
            }
        }
        3 => {
            let before = cosigned_at(text, &WITNESSES[0]);
            let Ok(note) = cosign(text, &ledger::PINNED, "witness-1", SECONDS, &key(1)) else { return };
            let after = cosigned_at(&note, &WITNESSES[0]);
            // A forged line in its name stays one.
            assert!(before.is_err() || after.is_ok_and(|at| at >= Some(SECONDS)));
        }
        _ => proof(text),
    }
}

fn policy(text: &str) {
    let Ok(policy) = bounded(text.len(), || Policy::parse(text)) else { return };
    let written = policy.to_text();
    assert_eq!(
        Policy::parse(&written).map(|again| again.to_text()),
        Ok(written),
        "a policy changes on its way"
    );
    let _ = bounded(text.len() + HONEST.note.len(), || policy.check(&HONEST.note));
}

fn proof(text: &str) {
    let Ok(proof) = bounded(text.len(), || TlogProof::from_str(text)) else { return };
    assert_eq!(proof.to_string(), text, "a proof has two spellings");
    for (place, entry) in (0..).zip(&HONEST.entries) {
        if proof.verify(entry, &POLICY).is_ok() {
            assert_eq!(place, proof.index, "an entry is somewhere else");
        }
    }
}

/// A log whose checkpoint two witnesses signed.
struct Honest {
    entries: Vec<Vec<u8>>,
    leaves: Leaves,
    note: String,
    witnessed: Witnessed,
}

static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let entries = history::log();
    let mut leaves = Leaves::new();
    entries.iter().for_each(|entry| leaves.append(leaf_hash(entry)));
    let size = entries.len() as u64;
    let checkpoint = Checkpoint::new(ledger::ORIGIN, size, leaves.root(size).expect("its own size"));
    let signed = checkpoint.expect("a sound name").sign(&ledger::key()).expect("it can be signed");
    let cosigned = |note: String, number: u8| {
        let name = format!("witness-{number}");
        cosign(&note, &ledger::PINNED, &name, SECONDS, &key(number)).expect("an honest checkpoint")
    };
    let note = [1, 2].into_iter().fold(signed, cosigned);
    let witnessed = POLICY.check(&note).expect("enough have signed");
    Honest { entries, leaves, note, witnessed }
});

static WITNESSES: LazyLock<Vec<CosignerKey>> = LazyLock::new(|| {
    let witness = |number: u8| CosignerKey::new(&format!("witness-{number}"), key(number).verifying_key());
    (1..=3).map(|number| witness(number).expect("a sound name")).collect()
});

static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::of_majority(ledger::PINNED.clone(), WITNESSES.iter().cloned()));

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// Whether signatures in this note are over the checkpoint that was signed.
fn has_honest_text(note: &str) -> bool {
    let text = note::open(&HONEST.note, &ledger::PINNED).expect("its own note");
    note.strip_prefix(text).is_some_and(|rest| rest.starts_with('\n'))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let Honest { entries, leaves, note, .. } = &*HONEST;
    let (index, size) = (3, entries.len() as u64);
    let inclusion = leaves.inclusion_proof(index, size).expect("an entry of the log");
    let proof = TlogProof { extra: None, index, inclusion, checkpoint: note.clone() };
    let with_extra = TlogProof { extra: Some(b"of bank-1".to_vec()), ..proof.clone() };
    vec![
        choosing(0, WITNESSES[0].to_string()),
        choosing(1, POLICY.to_text()),
        choosing(1, Policy::of_log(ledger::PINNED.clone()).to_text()),
        choosing(2, note),
        choosing(3, note),
        choosing(4, proof.to_string()),
        choosing(4, with_extra.to_string()),
    ]
}

const SECONDS: u64 = 1_785_585_600;
