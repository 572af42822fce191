//! A log that signed two histories is convicted by its key alone, and by nothing that it did not sign.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use syndic_ledger::{Checkpoint, Fork, Tree, leaf_hash};

use crate::common::Log;
use crate::published::{ORIGIN, Published, Ran, key, ledger, log_key};

/// Two ledgers under one key that part from each other five entries before the end of the shorter.
struct Parted {
    one: Published,
    /// Longer by three.
    other: Published,
}

impl Parted {
    fn set() -> Self {
        let one = Published::of(20);
        let mut log = Log::default();
        for bytes in &one.entries[..one.entries.len() - 5] {
            log.history.accept(bytes).unwrap();
            log.entries.push(bytes.clone());
        }
        for number in 0..8 {
            let note = log.draft("bank.example.note", None, json!({"number": number}));
            log.append(note).unwrap();
        }
        let mut other = Published::of(20);
        other.entries = log.entries;
        other.publish();
        Self { one, other }
    }

    /// A file with the head that `of` had with its first `size` entries.
    fn head(&self, of: &Published, size: usize) -> PathBuf {
        let tree: Tree = of.entries[..size].iter().map(|bytes| leaf_hash(bytes)).collect();
        let root = tree.root().to_string();
        let note = Checkpoint::of(ORIGIN, &tree).unwrap().sign(&key(7)).unwrap();
        self.one.write(&format!("head-{size}-{}", &root[..8]), &note)
    }

    /// Where both are as long as the shorter.
    fn size(&self) -> usize {
        self.one.entries.len()
    }
}

fn convict(paths: &[&Path], more: &[&str]) -> Ran {
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"convict", &"--json"];
    arguments.extend(paths.iter().map(|path| path as &dyn AsRef<OsStr>));
    arguments.extend(more.iter().map(|argument| argument as &dyn AsRef<OsStr>));
    let log = log_key(7).to_string();
    if !more.contains(&"--key") {
        arguments.extend([&"--key" as &dyn AsRef<OsStr>, &log]);
    }
    ledger(&arguments)
}

fn convicts(paths: &[&Path], more: &[&str]) -> Value {
    let told: Value = serde_json::from_str(&convict(paths, more).exits(0)).unwrap();
    assert_eq!((&told["convicted"], &told["origin"]), (&json!(true), &json!(ORIGIN)));
    assert_ne!(told["older"]["root"], told["newer_was"]);
    told
}

/// The code of the reason why not.
fn does_not(paths: &[&Path], more: &[&str]) -> String {
    let (code, _) = convict(paths, more).refuses(4);
    code
}

#[test]
fn two_heads_of_one_size_convict_by_themselves() {
    let parted = Parted::set();
    let size = parted.size();
    let (one, other) = (parted.head(&parted.one, size), parted.head(&parted.other, size));
    let told = convicts(&[&one, &other], &[]);
    assert_eq!((&told["older"]["size"], &told["newer"]["size"]), (&json!(size), &json!(size)));
    assert_eq!(told["newer"]["root"], told["newer_was"]);
    let log = log_key(7).to_string();
    let people = ledger(&[&"convict", &one, &other, &"--key", &log]).exits(0);
    assert!(people.contains(&format!("convicted: {ORIGIN} signed two histories")), "{people}");
}

#[test]
fn heads_of_two_sizes_convict_with_a_ledger_and_leave_evidence_that_needs_none() {
    let parted = Parted::set();
    let (size, longer) = (parted.size(), parted.other.entries.len());
    let (one, other) = (parted.head(&parted.one, size), parted.head(&parted.other, longer));
    assert_eq!(does_not(&[&one, &other], &[]), "ledger.undecided");
    assert_eq!(does_not(&[&one, &other, &parted.one.ledger()], &[]), "ledger.undecided", "it is too short");

    let evidence = parted.one.beside("evidence.json");
    let out = evidence.to_str().unwrap();
    // Either the two heads and a ledger, or a head and the ledger that has the other.
    let told = convicts(&[&one, &other, &parted.other.ledger()], &[]);
    assert_eq!(convicts(&[&one, &parted.other.ledger()], &["--out", out]), told);
    assert_eq!((&told["older"]["size"], &told["newer"]["size"]), (&json!(size), &json!(longer)));
    assert_eq!(convicts(&[&evidence], &[]), told);
    let (code, _) = convict(&[&one, &parted.other.ledger()], &["--out", out]).refuses(2);
    assert_eq!(code, "file.exists", "evidence is never written over");
}

#[test]
fn a_log_that_only_grew_is_not_convicted() {
    let parted = Parted::set();
    let (size, folder) = (parted.size(), parted.one.ledger());
    for before in [1, 4, size - 1, size] {
        assert_eq!(does_not(&[&parted.head(&parted.one, before), &folder], &[]), "ledger.consistent");
    }
    // Nor by what both histories have in common.
    let common = parted.head(&parted.other, size - 5);
    assert_eq!(
        does_not(&[&common, &folder, &parted.head(&parted.other, parted.other.entries.len())], &[]),
        "ledger.undecided"
    );
    assert_eq!(does_not(&[&common, &folder], &[]), "ledger.consistent");
    assert_eq!(does_not(&[&common], &[]), "ledger.consistent");
}

#[test]
fn evidence_that_was_tampered_with_or_is_of_another_key_convicts_nobody() {
    let parted = Parted::set();
    let one = parted.head(&parted.one, parted.size());
    let evidence = parted.one.beside("evidence.json");
    convicts(&[&one, &parted.other.ledger()], &["--out", evidence.to_str().unwrap()]);
    let text = std::fs::read_to_string(&evidence).unwrap();
    let other_key = log_key(8).to_string();
    assert_eq!(does_not(&[&evidence], &["--key", &other_key]), "ledger.note-unsigned");

    let (fork, _) = Fork::from_json(&text).unwrap();
    let tampered = |change: &dyn Fn(&mut Fork)| {
        let mut fork = fork.clone();
        change(&mut fork);
        does_not(&[&parted.one.write("tampered.json", &fork.to_json(&log_key(7)))], &[])
    };
    let size = format!("\n{}\n", parted.size());
    let another = format!("\n{}\n", parted.size() - 1);
    assert_eq!(
        tampered(&|fork| fork.older = fork.older.replacen(&size, &another, 1)),
        "ledger.note-signature"
    );
    assert_eq!(tampered(&|fork| fork.newer = fork.older.clone()), "ledger.proof-length");
    assert_eq!(tampered(&|fork| fork.past = None), "ledger.undecided");
    let past = |change: fn(&mut syndic_ledger::Past)| tampered(&|fork| change(fork.past.as_mut().unwrap()));
    assert_eq!(past(|past| past.root = leaf_hash(b"made up")), "ledger.proof-root");
    assert_eq!(
        past(|past| *past.consistency.last_mut().unwrap() = leaf_hash(b"made up")),
        "ledger.proof-root"
    );
    assert_eq!(past(|past| past.consistency.truncate(1)), "ledger.proof-length");

    let no_evidence = parted.one.write("none.json", &text.replace("syndic-fork/1", "syndic-fork/2"));
    let (code, _) = convict(&[&no_evidence], &[]).refuses(2);
    assert_eq!(code, "ledger.evidence-malformed");
    let nothing = parted.one.write("nothing", "no checkpoint\n");
    assert_eq!(convict(&[&nothing], &[]).refuses(2).0, "ledger.note-malformed");
    assert_eq!(convict(&[&one], &["--key", "nonsense"]).refuses(2).0, "ledger.key-malformed");
}

#[test]
fn a_ledger_that_does_not_verify_is_no_witness() {
    let parted = Parted::set();
    let one = parted.head(&parted.one, parted.size());
    parted.other.set_checkpoint(&parted.other.signed(8));
    assert_eq!(does_not(&[&one, &parted.other.ledger()], &[]), "ledger.note-unsigned");
}
