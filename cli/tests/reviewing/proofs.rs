//! One entry's proof, for somebody who has nothing else of the ledger; and what policies demand.

use std::path::PathBuf;

use serde_json::Value;

use crate::published::{Published, ledger, log_key};

/// A proof of the entry at `index`, in a file.
fn proof(published: &Published, index: u64) -> PathBuf {
    let out = published.beside(&format!("{index}.tlog-proof"));
    let said = ledger(&[&"prove", &published.ledger(), &index.to_string(), &"--out", &out]).exits(0);
    assert!(said.contains("ledger verify"), "{said}");
    out
}

#[test]
fn a_proof_of_any_entry_verifies_with_the_key_alone() {
    let published = Published::of(300);
    let key = log_key(7).to_string();
    let last = published.entries.len() as u64 - 1;
    for index in [0, 1, 255, 256, last] {
        let proof = proof(&published, index);
        let told = ledger(&[&"verify", &proof, &"--key", &key, &"--json"]).exits(0);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((told["index"].as_u64(), told["size"].as_u64()), (Some(index), Some(last + 1)));
        let entry: Value = serde_json::from_slice(&published.entries[index as usize]).unwrap();
        assert_eq!(told["entry"], entry);
        let told = ledger(&[&"verify", &proof, &"--key", &key]).exits(0);
        assert!(told.contains(&format!("verified: this is entry {index} of coordinator.example/federation")));
    }
    // To standard output it is the same file.
    let printed = ledger(&[&"prove", &published.ledger(), &"255"]).exits(0);
    assert_eq!(printed, std::fs::read_to_string(published.beside("255.tlog-proof")).unwrap());
}

#[test]
fn an_altered_entry_hash_or_checkpoint_is_found_with_exit_code_4() {
    let published = Published::of(20);
    let (path, key) = (proof(&published, 9), log_key(7).to_string());
    let good = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let size = format!("\n{}\n", published.entries.len());
    assert_eq!(lines[2], "index 9");
    // One entry's bytes in the place of another's; one hash left out; another place; another size.
    let other = std::fs::read_to_string(proof(&published, 8)).unwrap();
    for (altered, code) in [
        (good.replacen(lines[1], other.lines().nth(1).unwrap(), 1), "ledger.proof-root"),
        (good.replacen(&format!("{}\n", lines[3]), "", 1), "ledger.proof-length"),
        (good.replacen("index 9", "index 10", 1), "ledger.proof-root"),
        (good.replacen(&size, "\n25\n", 1), "ledger.note-signature"),
    ] {
        assert_ne!(altered, good);
        let path = published.write("altered.tlog-proof", &altered);
        let (found, place) = ledger(&[&"verify", &path, &"--key", &key, &"--json"]).refuses(4);
        assert_eq!(found, code);
        assert!(place.ends_with("altered.tlog-proof"), "{place}");
    }
}

#[test]
fn another_key_is_refused_with_4_and_no_key_or_no_such_entry_with_2() {
    let published = Published::of(20);
    let (path, other) = (proof(&published, 9), log_key(8).to_string());
    let verify = |more: &[&str]| {
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"verify", &path, &"--json"];
        arguments.extend(more.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
        ledger(&arguments)
    };
    assert_eq!(verify(&["--key", &other]).refuses(4).0, "ledger.policy-no-log");
    assert_eq!(verify(&[]).refuses(2).0, "ledger.no-key");
    let beyond = published.entries.len().to_string();
    let told = ledger(&[&"prove", &published.ledger(), &beyond]);
    assert!(told.exits(2).is_empty() && told.told().contains("error[ledger.no-entry]"), "{}", told.told());
    let no_proof = published.write("no.tlog-proof", "something else\n");
    assert_eq!(
        ledger(&[&"verify", &no_proof, &"--key", &other, &"--json"]).refuses(2).0,
        "ledger.bundle-malformed"
    );
}

#[test]
fn nothing_is_proved_of_a_ledger_that_does_not_verify() {
    let published = Published::of(20);
    let mut note = published.signed(8);
    published.set_checkpoint(&note);
    let told = ledger(&[&"prove", &published.ledger(), &"9"]);
    assert!(told.exits(4).is_empty() && told.told().contains("error[ledger."), "{}", told.told());
    note = published.signed(7);
    published.set_checkpoint(&note);
    ledger(&[&"prove", &published.ledger(), &"9"]).exits(0);
}

#[test]
fn a_policy_says_how_many_witnesses_must_have_signed() {
    let published = Published::of(20);
    let witnesses =
        [("bank-a", 21), ("bank-b", 22)].map(|(name, seed)| (name, published.witnessed(name, seed)));
    let policy = |quorum: &str| {
        let mut text = format!("log {}\n", log_key(7));
        for (name, key) in &witnesses {
            text += &format!("witness {name} {key}\n");
        }
        // A witness that has not signed.
        let absent =
            syndic_ledger::CosignerKey::new("bank-c", crate::published::key(23).verifying_key()).unwrap();
        text +=
            &format!("witness bank-c {absent}\ngroup banks {quorum} bank-a bank-b bank-c\nquorum banks\n");
        published.write("policy", &text)
    };
    for what in [published.ledger(), proof(&published, 9)] {
        let told = ledger(&[&"verify", &what, &"--policy", &policy("2"), &"--json"]).exits(0);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["witnesses"], serde_json::json!(["bank-a", "bank-b"]));
        let people = ledger(&[&"verify", &what, &"--policy", &policy("2")]).exits(0);
        assert!(people.contains("bank-a, bank-b"), "{people}");
        let few = ledger(&[&"verify", &what, &"--policy", &policy("all"), &"--json"]).refuses(4);
        assert_eq!(few.0, "ledger.policy-quorum");
    }
    let nonsense = published.write("policy", "log nonsense\n");
    let told = ledger(&[&"verify", &published.ledger(), &"--policy", &nonsense, &"--json"]).refuses(2);
    assert_eq!(told.0, "ledger.policy-line");
}
