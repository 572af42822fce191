//! A third party that signs what it has seen only grow, and never a fork of it.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use syndic_ledger::{CosignerKey, cosigned_at};

use crate::common::{Log, log_of};
use crate::published::{Published, Ran, ledger, log_key};

/// The witness, with its key beside the ledger.
fn witness(published: &Published) -> CosignerKey {
    let key = published.beside("auditor.pem");
    let made = ledger(&[&"witness", &"--new-key", &"--name", &"auditor.example", &"--key", &key]).exits(0);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let line = made.lines().last().unwrap();
    line.strip_prefix("witness auditor.example ").unwrap().parse().unwrap()
}

/// Has it sign.
fn sign(published: &Published, more: &[&str]) -> Ran {
    let (folder, state) = (published.ledger(), published.beside("seen"));
    let (key, log) = (published.beside("auditor.pem"), log_key(7).to_string());
    let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![
        &"witness",
        &folder,
        &"--name",
        &"auditor.example",
        &"--key",
        &key,
        &"--log",
        &log,
        &"--state",
        &state,
    ];
    arguments.extend(more.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
    ledger(&arguments)
}

fn refuses(ran: &Ran, exit: i32, code: &str) {
    assert!(ran.exits(exit).is_empty() && ran.told().contains(&format!("error[{code}]")), "{}", ran.told());
}

/// The same ledger but for its last entries, and longer by `more`.
fn forked(published: &Published, more: usize) -> Vec<Vec<u8>> {
    let mut other = Log::default();
    for bytes in &published.entries[..published.entries.len() - 5] {
        other.history.accept(bytes).unwrap();
        other.entries.push(bytes.clone());
    }
    for number in 0..5 + more {
        let note = other.draft("bank.example.note", None, json!({"number": number}));
        other.append(note).unwrap();
    }
    other.entries
}

#[test]
fn a_witness_signs_a_ledger_as_it_grows_and_policies_take_its_word() {
    let mut published = Published::of(20);
    let auditor = witness(&published);
    sign(&published, &["--begin"]).exits(0);
    let policy = format!("log {}\nwitness auditor {auditor}\nquorum auditor\n", log_key(7));
    let policy = published.write("policy", &policy);
    let verify = |published: &Published| ledger(&[&"verify", &published.ledger(), &"--policy", &policy]);
    assert!(verify(&published).exits(0).contains("auditor"));

    published.entries = log_of(300).entries;
    published.publish();
    verify(&published).exits(4);
    assert!(sign(&published, &[]).exits(0).contains("auditor.example signed"));
    verify(&published).exits(0);
    let note = published.checkpoint();
    let at = cosigned_at(&note, &auditor).unwrap().unwrap();
    assert!(at > 1_700_000_000, "by the clock");
    // Once more adds nothing.
    assert!(sign(&published, &[]).exits(0).contains("had signed"));
    assert_eq!(published.checkpoint(), note);
}

#[test]
fn a_witness_never_signs_a_fork_or_a_ledger_that_does_not_verify() {
    let mut published = Published::of(40);
    let auditor = witness(&published);
    sign(&published, &["--begin"]).exits(0);
    let (seen, good) = (std::fs::read(published.beside("seen")).unwrap(), published.entries.clone());

    let shorter = good[..good.len() - 5].to_vec();
    let forks = [forked(&published, 0), forked(&published, 9)];
    for (entries, code) in
        [(shorter, "ledger.shrunk"), (forks[0].clone(), "ledger.forked"), (forks[1].clone(), "ledger.forked")]
    {
        published.entries = entries;
        published.publish();
        let note = published.checkpoint();
        refuses(&sign(&published, &[]), 4, code);
        assert_eq!((published.checkpoint(), cosigned_at(&note, &auditor)), (note.clone(), Ok(None)));
        assert_eq!(std::fs::read(published.beside("seen")).unwrap(), seen, "what is kept is as it was");
    }

    published.entries = good;
    published.publish();
    let path = published.ledger().join("tile/0/000.p").join(published.entries.len().to_string());
    let tile = std::fs::read(&path).unwrap();
    let mut altered = tile.clone();
    altered[3] ^= 1;
    std::fs::write(&path, altered).unwrap();
    refuses(&sign(&published, &[]), 4, "ledger.entry-altered");
    std::fs::write(&path, tile).unwrap();
    published.set_checkpoint(&published.signed(8));
    refuses(&sign(&published, &[]), 4, "ledger.note-unsigned");
    published.publish();
    sign(&published, &[]).exits(0);
}

#[test]
fn what_a_witness_kept_counts_although_its_signature_was_never_given_out() {
    let mut published = Published::of(40);
    witness(&published);
    // The checkpoint is kept, and then there is no place for the signature: as if it had died in between.
    let taken = published.write("taken", "something of somebody's");
    refuses(&sign(&published, &["--begin", "--out", taken.to_str().unwrap()]), 2, "file.exists");
    let before = published.entries.clone();
    published.entries = forked(&published, 9);
    published.publish();
    refuses(&sign(&published, &[]), 4, "ledger.forked");
    published.entries = before;
    published.publish();
    let out = published.beside("signed");
    sign(&published, &["--out", out.to_str().unwrap()]).exits(0);
    assert!(std::fs::read_to_string(out).unwrap().contains("\u{2014} auditor.example "));
    assert!(!published.checkpoint().contains("auditor.example"), "it went where it was to go");
}

#[test]
fn a_state_that_is_gone_there_already_or_of_another_log_is_not_taken_for_a_beginning() {
    let published = Published::of(20);
    witness(&published);
    refuses(&sign(&published, &[]), 2, "witness.no-state");
    sign(&published, &["--begin"]).exits(0);
    refuses(&sign(&published, &["--begin"]), 2, "witness.state-exists");
    published.write("seen", &published.signed(8));
    refuses(&sign(&published, &[]), 2, "witness.other-state");
    let key = published.beside("auditor.pem");
    refuses(
        &ledger(&[&"witness", &"--new-key", &"--name", &"auditor.example", &"--key", &key]),
        2,
        "keys.exists",
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    refuses(&sign(&published, &[]), 2, "keys.permissions");
}
