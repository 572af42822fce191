//! A job that shares its small vectors themselves, over real TLS: the same sums, bit by bit, as one that encrypts them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use syndic::ledger::trust::Trust;
use syndic::ledger::verify;
use syndic_ledger::Summary;

/// One run of the bank marketing job, with two rounds of training.
struct Ran {
    events: Vec<Value>,
    model: Vec<u8>,
    folder: PathBuf,
}

impl Ran {
    /// The rounds that were closed, in order.
    fn closed(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event["event"] == "round-closed")
    }

    /// The contents of `result.json`.
    fn result(&self) -> &Value {
        self.events.last().unwrap()
    }

    /// What the verified ledger says.
    fn verified(&self) -> Summary {
        let key = self.result()["ledger"]["key"].as_str().unwrap();
        verify::check(&self.folder.join("ledger"), &Trust::of(Some(key), None).unwrap()).unwrap().summary
    }

    fn report(&self) -> String {
        std::fs::read_to_string(self.folder.join("report.html")).unwrap()
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
        .args(["--site-column", "site", "--fold-column", "fold", "--test-fold", "0", "--rounds", "2"])
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
        folder: out,
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
    // Statistics, then training, and an evaluation whose histograms are not small, twice.
    let (ring, small) = (bytes(&encrypted), bytes(&shared));
    assert_eq!((ring.len(), small.len()), (5, 5));
    for k in [0, 1, 3] {
        assert_eq!(small[k].0, 0, "nothing is uploaded");
        assert!(small[k].1 * 3 < ring[k].0 + ring[k].1, "{:?} beside {:?}", small[k], ring[k]);
    }
    assert_eq!((small[2], small[4]), (ring[2], ring[4]), "what is not small is encrypted");
    assert!(shared.closed().all(|round| round["checked"] == true), "all five reveal, and four open it");

    let (with_keys, with_shares) = (encrypted.verified(), shared.verified());
    assert_eq!((with_keys.rounds_closed, with_keys.shared_checked, with_keys.shared_unchecked), (5, 0, 0));
    assert_eq!(
        (with_shares.rounds_closed, with_shares.shared_checked, with_shares.shared_unchecked),
        (5, 3, 0)
    );
    // No vector that is encrypted follows another one, so that nothing prepared ahead would be used.
    assert!(with_keys.types.contains_key(PREPARATION_OPENED), "keys are prepared ahead");
    assert!(!with_shares.types.contains_key(PREPARATION_OPENED), "no keys are prepared in vain");
}

#[test]
fn what_people_see_of_shared_vectors_does_not_call_them_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "shared", shared, &[]);

    let carriers: Vec<_> = ran.events.iter().filter(|event| event["event"] == "round-opened").collect();
    let carriers: Vec<_> = carriers.iter().map(|event| (&event["carrier"], event["padded"] == 0)).collect();
    let (ring, shares) = (Value::from("ring"), Value::from("shares"));
    assert_eq!(carriers, [(&shares, true), (&shares, true), (&ring, false), (&shares, true), (&ring, false)]);
    let started = ran.events.iter().find(|event| event["event"] == "job-started").unwrap();
    assert_eq!(started["small_vectors"], "shared");

    let result = ran.result();
    assert_eq!(result["protection"]["shared"], json!(["statistics", "train"]));
    assert_eq!(result["protection"]["encrypted"], json!(["evaluate"]));
    assert_eq!((&result["rounds"]["shared"], &result["rounds"]["unchecked"]), (&3.into(), &0.into()));
    assert_eq!(result["protection"]["padded_parameters"], 0);
    assert_eq!(result["protection"]["bytes_per_parameter"], 0.0);

    let report = ran.report();
    assert!(report.contains("Statistics and model updates were cut into secret"), "{report}");
    assert!(report.contains("Score histograms were encrypted"), "{report}");
    assert!(!report.contains("unchecked") && !report.contains("bytes for each of"), "{report}");
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
    assert_eq!(without[0]["kind"], "train");
    assert_eq!(without[0]["checked"], false, "four of five open it, and no fifth confirms them");
    assert_eq!(
        without[0]["missing"][0]["reason"], "vanished before it signed for its update",
        "nothing was to be submitted"
    );

    let verified = ran.verified();
    assert_eq!((verified.rounds_closed, verified.shared_checked, verified.shared_unchecked), (5, 2, 1));
    assert_eq!(ran.result()["rounds"]["unchecked"], 1);
    assert!(ran.report().contains("Here: Training 1."), "{}", ran.report());
}

/// Begins a preparation ahead of its round.
const PREPARATION_OPENED: &str = "syndic.preparation.opened";
