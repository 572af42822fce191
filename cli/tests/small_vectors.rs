//! A job that shares its small vectors themselves, over real TLS: the same sums, bit by bit, as one that encrypts them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use syndic::ledger_verify;

/// One run of the bank marketing job, with one round of training.
struct Ran {
    events: Vec<Value>,
    model: Vec<u8>,
    ledger: PathBuf,
}

impl Ran {
    /// The rounds that were closed, in order.
    fn closed(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event["event"] == "round-closed")
    }

    /// How many rounds the verified ledger says were closed.
    fn verified(&self) -> u64 {
        let key = self.events.last().unwrap()["ledger"]["key"].as_str().unwrap().to_owned();
        ledger_verify::check(&self.ledger, Some(&key)).unwrap().rounds_closed
    }
}

/// Runs the example job after `change` in `folder`.
fn run(folder: &Path, name: &str, change: impl FnOnce(String) -> String, more: &[&str]) -> Ran {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing");
    let job = folder.join(name).with_extension("toml");
    std::fs::write(&job, change(std::fs::read_to_string(example.join("job.toml")).unwrap())).unwrap();
    let (table, out) = (example.join("bank_marketing.csv.gz"), folder.join(name));
    let output = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["sandbox", "--json", "--job", job.to_str().unwrap(), "--table", table.to_str().unwrap()])
        .args(["--site-column", "site", "--fold-column", "fold", "--test-fold", "0", "--rounds", "1"])
        .args(["--out", out.to_str().unwrap()])
        .args(more)
        .env_remove("SYNDIC_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    Ran {
        events: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        model: std::fs::read(out.join("model.safetensors")).unwrap(),
        ledger: out.join("ledger"),
    }
}

fn shared(job: String) -> String {
    job.replace("[protection]", "[protection]\nsmall_vectors = \"shared\"")
}

#[test]
fn vectors_that_are_shared_themselves_have_the_sums_of_encrypted_ones_in_fewer_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let encrypted = run(folder.path(), "encrypted", |job| job, &[]);
    let shared = run(folder.path(), "shared", shared, &[]);

    assert_eq!(shared.model, encrypted.model, "bit by bit");
    let bytes = |ran: &Ran| {
        let both = |round: &Value| {
            let count = |key: &str| round[key].as_u64().unwrap();
            (count("upload_bytes"), count("key_share_bytes"))
        };
        ran.closed().map(both).collect::<Vec<_>>()
    };
    // Statistics, training, and an evaluation whose histograms are not small.
    let (ring, small) = (bytes(&encrypted), bytes(&shared));
    assert_eq!((ring.len(), small.len()), (3, 3));
    for k in [0, 1] {
        assert_eq!(small[k].0, 0, "nothing is uploaded");
        assert!(small[k].1 * 3 < ring[k].0 + ring[k].1, "{:?} beside {:?}", small[k], ring[k]);
    }
    assert_eq!(small[2], ring[2], "what is not small is encrypted");
    assert!(shared.closed().all(|round| round["checked"] == true), "all five reveal, and four open it");
    assert_eq!(shared.verified(), 3);
}

#[test]
fn with_an_institution_gone_the_sum_of_shared_vectors_is_closed_and_said_to_be_unchecked() {
    let folder = tempfile::tempdir().unwrap();
    let brief = |job: String| {
        let job = shared(job).replace("reveal_seconds = 60", "reveal_seconds = 2");
        job.replace("share_seconds = 60", "share_seconds = 2")
    };
    let ran = run(folder.path(), "stopped", brief, &["--drop"]);

    let without: Vec<_> =
        ran.closed().filter(|round| round["survivors"].as_array().unwrap().len() == 4).collect();
    assert_eq!(without.len(), 1, "one institution is stopped in one round");
    let is_encrypted = without[0]["upload_bytes"] != 0;
    assert_eq!(without[0]["checked"], is_encrypted, "four of five open it, and no fifth confirms them");
    assert_eq!(ran.verified(), 3);
}
