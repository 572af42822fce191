//! The spot check as a bank's people run it, against an honest coordinator and against one whose operator altered
//! what is stored as far as an operator can: blobs, their digests, and the ledger's entries that name them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use syndic_coordinator::store::{Blobs as _, FolderBlobs, Log as _, SqliteLog};
use syndic_ledger::{Entry, leaf_hash};
use syndic_round::Digest;
use syndic_secure_aggregation::merkle;

use super::founding::{BANKS, Hosts, Job};
use super::process::{Process, error_in, run};

const BANK: &str = BANKS[3];
/// Of 2,048 coefficients of four bytes each.
const CHUNK_BYTES: usize = 8_192;

/// A federation whose first round is closed and whose coordinator goes on, waiting for banks that are gone.
fn after_the_first_round() -> (Hosts, Process) {
    let hosts = Hosts::ready(Job { training_rounds: 20, deadline_seconds: 3_600 });
    for bank in BANKS {
        let policy = std::fs::read_to_string(hosts.host(bank).join("policy.toml")).unwrap();
        let every = u32::from(bank == BANK);
        hosts.write(&format!("{bank}/policy.toml"), &format!("spot_check_every = {every}\n{policy}"));
    }
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("the first sum", |line| line.is("round closed") && line.round() == 1);
    // It checks by itself as soon as it hears that the round is over.
    banks[3].wait_for("its own check", |line| {
        line.text("message").starts_with("spot check") && line.round() == 1
    });
    banks.into_iter().for_each(Process::kill);
    (hosts, coordinator)
}

/// Exit code, standard output and standard error of `spot-check` at the bank.
fn spot_check(hosts: &Hosts, arguments: &[&str]) -> (i32, String, String) {
    let fixed = ["spot-check", "--config", "participant.toml", "--job", "bank-marketing"];
    let output = run("syndic-participant", &hosts.host(BANK), &[&fixed, arguments].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The code of the error that it ends with, and its exit code.
fn finding(hosts: &Hosts) -> (i32, String) {
    let (exit, shown, told) = spot_check(hosts, &["--round", "1", "--json"]);
    assert!(shown.is_empty(), "nothing that could be taken for a result: {shown}");
    let error = error_in(&told).unwrap_or_else(|| panic!("no error: {told}"));
    assert!(error["help"].is_string(), "{told}");
    (exit, error["code"].as_str().unwrap().to_owned())
}

#[test]
fn a_spot_check_passes_at_an_honest_coordinator_and_says_what_it_saw() {
    let (hosts, _coordinator) = after_the_first_round();

    let (exit, shown, told) = spot_check(&hosts, &["--round", "1", "--chunks", "3"]);
    assert_eq!(exit, 0, "{told}");
    assert!(shown.contains("institutions add up to what was published"), "{shown}");
    let (exit, shown, told) = spot_check(&hosts, &["--round", "1", "--json"]);
    assert_eq!(exit, 0, "{told}");
    let seen: Value = serde_json::from_str(&shown).unwrap();
    let closed = stored(&hosts).into_iter().find(is_closed).unwrap();
    assert_eq!(seen["aggregate_root"], closed.data["aggregate_root"], "the one in the ledger");
    assert_eq!(
        (&seen["job"], &seen["round"], &seen["attempt"]),
        (&"bank-marketing".into(), &1.into(), &1.into())
    );
    assert_eq!(seen["survivors"], 5);
    let (chunks, of) = (seen["chunks"].as_array().unwrap(), seen["of"].as_u64().unwrap());
    assert_eq!(chunks.len() as u64, of.min(10), "ten chunks, or all");

    for (arguments, code) in [
        (&["--round", "999"][..], "round.not-closed"),
        (&["--round", "1", "--attempt", "2"], "round.not-closed"),
        (&["--round", "2", "--job", "no job"], "job.id"),
    ] {
        let fixed = ["spot-check", "--config", "participant.toml"];
        let job = ["--job", "bank-marketing"];
        let job: &[&str] = if arguments.contains(&"--job") { &[] } else { &job };
        let output = run("syndic-participant", &hosts.host(BANK), &[&fixed, job, arguments].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.starts_with(&format!("error[{code}]: ")) && told.contains("\n  help: "), "{told}");
    }
    let (exit, _, told) = spot_check(&hosts, &["--round", "1", "--chunks", "0"]);
    assert_eq!(exit, 2, "{told}");
    let help = run("syndic-participant", &hosts.host(BANK), &["spot-check", "--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    for part in ["--round", "--attempt", "--chunks", "--json", "Example:", "probability"] {
        assert!(help.contains(part), "{part} is missing:\n{help}");
    }
}

#[test]
fn a27_an_operator_that_alters_one_byte_of_the_aggregate_is_found() {
    let (hosts, coordinator) = after_the_first_round();
    coordinator.kill();
    // The altered aggregate has a root of its own, which the ledger now names.
    rewrite(&hosts, |mut entry| {
        if is_closed(&entry) {
            let bytes = altered(&hosts, &entry.data["aggregate"]);
            let leaves: Vec<Digest> = bytes.chunks(CHUNK_BYTES).map(merkle::leaf).collect();
            assert_eq!(bytes.len() % CHUNK_BYTES, 0);
            entry.data["aggregate_root"] = merkle::root(&leaves).to_string().into();
            entry.data["aggregate"] = put(&hosts, &bytes).into();
        }
        entry
    });
    assert_eq!(finding_after_a_restart(&hosts), (4, "spot-check.sum".into()));
}

#[test]
fn a27_an_operator_that_alters_one_byte_of_an_upload_is_found() {
    let (hosts, coordinator) = after_the_first_round();
    coordinator.kill();
    // Its digest is in nobody's signature, but its Merkle root is.
    rewrite(&hosts, |mut entry| {
        let is_upload = entry.kind == "syndic.round.submitted" && entry.data["round"] == 1;
        if is_upload && entry.data["participant"] == 2 {
            let bytes = altered(&hosts, &entry.data["ciphertext"]["blob"]);
            entry.data["ciphertext"]["blob"] = put(&hosts, &bytes).into();
        }
        entry
    });
    assert_eq!(finding_after_a_restart(&hosts), (4, "spot-check.upload".into()));
}

#[test]
fn a_blob_that_was_damaged_on_disk_is_no_finding_but_cannot_be_checked() {
    let (hosts, _coordinator) = after_the_first_round();
    let closed = stored(&hosts).into_iter().find(is_closed).unwrap();
    let path = blob_path(&hosts, &closed.data["aggregate"]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (exit, code) = finding(&hosts);
    assert_eq!(code, "store.corrupt");
    assert_ne!(exit, 4);
    assert_ne!(exit, 0);
}

/// The finding at a coordinator that is started on what is stored.
fn finding_after_a_restart(hosts: &Hosts) -> (i32, String) {
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("that it is ready", |line| line.is("ready"));
    finding(hosts)
}

fn is_closed(entry: &Entry) -> bool {
    entry.kind == "syndic.round.closed" && entry.data["round"] == 1
}

fn state(hosts: &Hosts) -> PathBuf {
    hosts.host("operator").join("state")
}

fn blob_path(hosts: &Hosts, digest: &Value) -> PathBuf {
    let hex = digest.as_str().unwrap();
    state(hosts).join("blobs").join(&hex[..2]).join(&hex[2..])
}

/// The bytes of a blob, one of them another.
fn altered(hosts: &Hosts, digest: &Value) -> Vec<u8> {
    let mut bytes = std::fs::read(blob_path(hosts, digest)).unwrap();
    bytes[100] ^= 1;
    bytes
}

/// Stores a blob; its digest.
fn put(hosts: &Hosts, bytes: &[u8]) -> String {
    let put = async { FolderBlobs::open(&state(hosts)).await.unwrap().put(bytes).await.unwrap() };
    // Called while the log is being rewritten.
    std::thread::scope(|scope| scope.spawn(|| wait(put)).join().unwrap()).to_string()
}

/// The entries of the operator's own log.
fn stored(hosts: &Hosts) -> Vec<Entry> {
    let bytes = wait(async {
        let log = SqliteLog::open(&state(hosts).join("ledger.sqlite")).await.unwrap();
        log.read(0, u64::MAX).await.unwrap()
    });
    bytes.iter().map(|bytes| Entry::parse(bytes).unwrap()).collect()
}

/// Writes the operator's log anew with every entry changed, and every chain of entries linked again.
fn rewrite(hosts: &Hosts, change: impl Fn(Entry) -> Entry) {
    let mut last = BTreeMap::new();
    let relinked = stored(hosts).into_iter().map(|entry| {
        let mut entry = change(entry);
        if let Some(subject) = &entry.subject {
            entry.round_prev = last.get(subject).copied();
        }
        let bytes = entry.to_canonical().unwrap();
        if let Some(subject) = entry.subject {
            last.insert(subject, leaf_hash(&bytes));
        }
        bytes
    });
    let entries: Vec<Vec<u8>> = relinked.collect();
    let path = state(hosts).join("ledger.sqlite");
    let beside = |end: &str| Path::new(&format!("{}{end}", path.display())).to_owned();
    for file in [path.clone(), beside("-wal"), beside("-shm")] {
        let _ = std::fs::remove_file(file);
    }
    wait(async { SqliteLog::open(&path).await.unwrap().append(0, &entries).await.unwrap() });
}

fn wait<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(what)
}
