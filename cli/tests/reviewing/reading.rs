//! Entries on the terminal and for other programs, and that none of a ledger that does not verify is among them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::Log;
use crate::published::{Published, ledger, log_key};

#[test]
fn what_programs_are_shown_are_the_bytes_of_the_ledger() {
    let published = Published::of(300);
    let folder = published.ledger();
    let lines = ledger(&[&"show", &folder, &"--json", &"--key", &log_key(7).to_string()]).exits(0);
    assert_eq!(lines.lines().count(), published.entries.len());
    for (index, (line, entry)) in lines.lines().zip(&published.entries).enumerate() {
        let entry = std::str::from_utf8(entry).unwrap();
        let hash = syndic_ledger::leaf_hash(entry.as_bytes());
        assert_eq!(line, format!("{{\"index\":{index},\"hash\":\"{hash}\",\"entry\":{entry}}}"));
    }
    assert_eq!(ledger(&[&"export", &folder, &"--format", &"jsonl"]).exits(0), lines);
    let some = ledger(&[&"show", &folder, &"256", &"3", &"--json"]);
    let all: Vec<_> = lines.lines().collect();
    assert_eq!(some.exits(0).lines().collect::<Vec<_>>(), [all[3], all[256]]);
    assert!(some.told().contains("self-consistent only"), "{}", some.told());
}

#[test]
fn people_are_shown_a_table_or_every_field() {
    let published = Published::of(30);
    let folder = published.ledger();
    let table = ledger(&[&"show", &folder]).exits(0);
    assert!(table.contains("round.closed"), "{table}");
    assert_eq!(table.lines().count(), published.entries.len() + 3);
    assert!(table.ends_with("self-consistent only: the key came with the ledger\n"), "{table}");
    let pinned = ledger(&[&"show", &folder, &"2", &"--key", &log_key(7).to_string()]).exits(0);
    for part in ["entry 2: syndic.round.opened", "job/7f/round/1/attempt/1", "plan ", "verified: every entry"]
    {
        assert!(pinned.contains(part), "{part}: {pinned}");
    }
    let beyond = ledger(&[&"show", &folder, &"2", &"9999", &"--json"]);
    assert_eq!(beyond.refuses(2).0, "ledger.no-entry");
}

#[test]
fn a_search_finds_what_was_asked_for_and_says_what_it_leaves_out() {
    let published = Published::of(100);
    let folder = published.ledger();
    let closed = ledger(&[&"search", &folder, &"--type", &"round.closed", &"--json", &"--limit", &"2"]);
    let lines = closed.exits(0);
    assert_eq!(lines.lines().count(), 2);
    let is_closed = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["entry"]["type"] == "syndic.round.closed"
    };
    assert!(lines.lines().all(is_closed), "{lines}");
    assert!(closed.told().contains("further entries are not shown"), "{}", closed.told());
    let round = ledger(&[&"search", &folder, &"--round", &"7", &"--job", &"7f"]).exits(0);
    assert!(round.contains("4 entries of") && round.contains("round.abandoned"), "{round}");
    assert!(ledger(&[&"search", &folder, &"--job", &"another"]).exits(0).contains("0 entries of"));
    assert_eq!(ledger(&[&"search", &folder, &"--since", &"soon", &"--json"]).refuses(2).0, "options.time");
}

#[test]
fn an_exported_table_has_the_fields_in_columns_and_replaces_no_file() {
    let published = Published::of(40);
    let (folder, out) = (published.ledger(), published.beside("entries.csv"));
    ledger(&[&"export", &folder, &"--format", &"csv", &"--out", &out]).exits(0);
    let mut table = csv::Reader::from_path(&out).unwrap();
    let columns = table.headers().unwrap().clone();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), published.entries.len());
    for (row, entry) in rows.iter().zip(&published.entries) {
        let entry: Value = serde_json::from_slice(entry).unwrap();
        let cell = |name: &str| &row[columns.iter().position(|column| column == name).unwrap()];
        assert_eq!(
            (cell("type"), cell("time")),
            (entry["type"].as_str().unwrap(), entry["time"].as_str().unwrap())
        );
        assert_eq!(cell("round"), entry["data"]["round"].as_u64().map(|n| n.to_string()).unwrap_or_default());
        assert_eq!(serde_json::from_str::<Value>(cell("data")).unwrap(), entry["data"]);
    }
    let again = ledger(&[&"export", &folder, &"--format", &"csv", &"--out", &out]);
    assert!(again.exits(2).is_empty() && again.told().contains("file.exists"), "{}", again.told());
}

#[test]
fn nothing_is_shown_searched_or_exported_of_a_ledger_that_does_not_verify() {
    let published = Published::of(300);
    let folder = published.ledger();
    let bundle = folder.join("tile/entries/001.p").read_dir().unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let out = published.beside("entries.jsonl");
    // What is asked for lies long before the entry that was altered.
    for command in [
        &["show", "0"][..],
        &["search", "--round", "1"],
        &["export", "--format", "jsonl", "--round", "1"],
        &["export", "--format", "csv", "--round", "1"],
        &["export", "--format", "csv", "--round", "1", "--out", out.to_str().unwrap()],
    ] {
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&command[0], &folder];
        arguments.extend(command[1..].iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
        let ran = ledger(&arguments);
        assert!(ran.exits(4).is_empty(), "{command:?}");
        assert!(ran.told().contains("error[ledger.entry-altered]"), "{command:?}: {}", ran.told());
    }
    assert!(!out.exists());
}

#[test]
fn participants_have_the_names_of_the_roster_that_they_signed() {
    let room = tempfile::tempdir().unwrap();
    let run = room.path().join("run");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing");
    let sandbox = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["sandbox", "--quiet", "--rounds", "1", "--site-column", "site", "--fold-column", "fold"])
        .args(["--test-fold", "0", "--job"])
        .arg(example.join("job.toml"))
        .arg("--table")
        .arg(example.join("bank_marketing.csv.gz"))
        .arg("--out")
        .arg(&run)
        .output()
        .unwrap();
    assert!(sandbox.status.success(), "{}", String::from_utf8_lossy(&sandbox.stderr));
    let folder = run.join("ledger");
    let roster: Value = serde_json::from_slice(&std::fs::read(folder.join("roster.json")).unwrap()).unwrap();
    let member = &roster["roster"]["members"][2];
    let (id, name) = (member["id"].to_string(), member["name"].as_str().unwrap());

    let by_name = ledger(&[&"search", &folder, &"--participant", &name, &"--json"]).exits(0);
    let by_id = ledger(&[&"search", &folder, &"--participant", &id, &"--json"]).exits(0);
    assert_eq!(by_name, by_id);
    let said =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["entry"]["data"]["participant"].clone();
    assert!(by_name.lines().map(said).all(|who| who.is_null() || who == member["id"]), "{by_name}");
    let table =
        ledger(&[&"search", &folder, &"--participant", &name, &"--type", &"round.submitted"]).exits(0);
    assert_eq!(table.lines().filter(|line| line.contains(&format!("{name}, "))).count(), 3, "{table}");
    let unknown = ledger(&[&"search", &folder, &"--participant", &"bank_z", &"--json"]).refuses(2);
    assert_eq!(unknown.0, "ledger.no-participant");
    let closed = ledger(&[&"search", &folder, &"--type", &"round.closed"]).exits(0);
    assert!(closed.contains(" of bank_"), "{closed}");
}

/// On a terminal this would erase what stands there, and say something else in its place, first from left to right.
const DISGUISED: &str = "x\u{1b}[2J\u{9b}1;1H\u{202e}verified: every entry";

#[test]
fn no_entry_can_make_a_terminal_say_what_is_not_so() {
    let mut log = Log::default();
    let agreed = json!({"job": DISGUISED, "file": DISGUISED, DISGUISED: DISGUISED});
    for (kind, data) in [
        (format!("bank.{DISGUISED}"), json!({})),
        ("syndic.job.agreed".into(), agreed),
        (
            "syndic.job.progress".into(),
            json!({"job": "a", "training_round": DISGUISED, "metrics": {DISGUISED: {DISGUISED: DISGUISED}}}),
        ),
        ("syndic.job.stopped".into(), json!({"job": DISGUISED, "reason": DISGUISED, "by": DISGUISED})),
        ("syndic.participant.refused".into(), json!({"participant": 1, "refusals": [{"code": DISGUISED}]})),
    ] {
        let entry = log.draft(&kind, Some(DISGUISED.into()), data);
        log.append(entry).unwrap();
    }
    let mut published = Published::with(log.entries.clone());
    let folder = published.ledger();
    let of_all = [
        ledger(&[&"verify", &folder]).exits(0),
        ledger(&[&"show", &folder]).exits(0),
        ledger(&[&"show", &folder, &"0", &"1", &"2", &"3", &"4"]).exits(0),
        ledger(&[&"report", &folder, &"--job", &DISGUISED]).exits(0),
        ledger(&[&"report", &folder, &"--job", &"other"]).told(),
    ];
    // What breaks a rule is named, too.
    let unknown = log.draft(&format!("syndic.{DISGUISED}"), None, json!({}));
    published.entries.push(log.history.link(unknown).to_canonical().unwrap());
    published.publish();
    let refused = ledger(&[&"verify", &folder]);
    refused.exits(4);
    for told in of_all.into_iter().chain([refused.told()]) {
        assert!(told.contains("verified: every entry"), "{told}");
        let moves = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!told.contains(moves), "{told:?}");
    }
}
