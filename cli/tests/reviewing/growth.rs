//! A ledger beside an earlier checkpoint of it.

use serde_json::Value;

use crate::common::{Log, log_of};
use crate::published::{Published, ledger, log_key};

#[test]
fn a_ledger_continues_the_checkpoints_that_it_had() {
    let mut published = Published::of(300);
    let (folder, key) = (published.ledger(), log_key(7).to_string());
    let mut kept = vec![(published.entries.len(), published.write("first", &published.checkpoint()))];
    for size in [301, 600] {
        published.entries = log_of(size).entries;
        published.publish();
        kept.push((published.entries.len(), published.write(&size.to_string(), &published.checkpoint())));
    }
    for (size, file) in &kept {
        for trust in [&["--key", key.as_str()][..], &[]] {
            let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
                vec![&"verify", &folder, &"--json", &"--from", file];
            arguments.extend(trust.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
            let told: Value = serde_json::from_str(&ledger(&arguments).exits(0)).unwrap();
            assert_eq!(told["from"].as_u64(), Some(*size as u64));
        }
    }
    let people = ledger(&[&"verify", &folder, &"--from", &kept[0].1]).exits(0);
    assert!(people.contains("continues"), "{people}");
}

#[test]
fn rewritten_history_is_found_although_every_signature_holds() {
    let mut published = Published::of(300);
    let folder = published.ledger();
    let kept = published.write("kept", &published.checkpoint());
    let verify =
        || ledger(&[&"verify", &folder, &"--json", &"--from", &kept, &"--key", &log_key(7).to_string()]);

    // The log takes back its last round, and goes on another way; what it signs now is consistent in itself.
    let size = published.entries.len();
    let mut other = Log::default();
    for bytes in &published.entries[..size - 5] {
        other.history.accept(bytes).unwrap();
        other.entries.push(bytes.clone());
    }
    let note = other.draft("bank.example.note", None, serde_json::json!({"said": "otherwise"}));
    other.append(note).unwrap();
    published.entries = other.entries.clone();
    published.publish();
    ledger(&[&"verify", &folder, &"--key", &log_key(7).to_string()]).exits(0);
    let (code, place) = verify().refuses(4);
    assert_eq!(code, "ledger.shrunk");
    assert!(place.ends_with("kept"), "{place}");

    for number in 0..20 {
        let note = other.draft("bank.example.note", None, serde_json::json!({"number": number}));
        other.append(note).unwrap();
    }
    published.entries = other.entries;
    published.publish();
    assert!(published.entries.len() > size);
    ledger(&[&"verify", &folder, &"--key", &log_key(7).to_string()]).exits(0);
    assert_eq!(verify().refuses(4).0, "ledger.forked");
    let told = ledger(&[&"verify", &folder, &"--from", &kept]);
    assert!(told.exits(4).is_empty() && told.told().contains("history was rewritten"), "{}", told.told());
}

#[test]
fn an_earlier_checkpoint_is_one_that_the_log_signed() {
    let published = Published::of(30);
    let folder = published.ledger();
    let verify = |file: &std::path::Path| ledger(&[&"verify", &folder, &"--json", &"--from", &file]);
    let foreign = published.write("foreign", &published.signed(8));
    assert_eq!(verify(&foreign).refuses(4).0, "ledger.note-unsigned");
    let size = published.entries.len();
    let altered = published.checkpoint().replacen(&format!("\n{size}\n"), "\n9\n", 1);
    assert_ne!(altered, published.checkpoint());
    assert_eq!(verify(&published.write("altered", &altered)).refuses(4).0, "ledger.note-signature");
    let nothing = published.write("nothing", "no checkpoint\n");
    assert_eq!(verify(&nothing).refuses(2).0, "ledger.note-malformed");
    assert_eq!(verify(&published.beside("missing")).refuses(2).0, "file.unreadable");
}
