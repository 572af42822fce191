//! A model, its card and the ledger of its job, of which any one may have been exchanged.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::{example, path, succeed, syndic};

/// A run of the example job; its folder, and the key of its ledger.
fn run(folder: &Path) -> (PathBuf, String) {
    let text = std::fs::read_to_string(example("job.toml")).unwrap();
    let text = text.replace("solver = \"fed-avg\"", "solver = \"newton\"");
    let lines = text.lines().filter(|line| {
        !["local_epochs", "batch_size", "learning_rate"].iter().any(|term| line.starts_with(term))
    });
    let job = folder.join("job.toml");
    std::fs::write(&job, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let out = folder.join("run");
    let table = example("bank_marketing.csv.gz");
    let output = succeed(&[
        "sandbox",
        "--json",
        "--quiet",
        "--job",
        path(&job),
        "--table",
        path(&table),
        "--site-column",
        "site",
        "--fold-column",
        "fold",
        "--test-fold",
        "0",
        "--rounds",
        "2",
        "--out",
        path(&out),
    ]);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    (out, result["ledger"]["key"].as_str().unwrap().to_owned())
}

fn score(run: &Path, ledger: &Path, key: &str, out: &Path) -> Output {
    let table = example("bank_marketing.csv.gz");
    syndic(&[
        "score",
        "--json",
        "--model",
        path(run),
        "--ledger",
        path(ledger),
        "--key",
        key,
        "--table",
        path(&table),
        "--out",
        path(out),
    ])
}

fn code(output: &Output) -> (Option<i32>, String) {
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    (output.status.code(), error["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn a_model_is_used_only_where_the_ledger_names_it_and_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    let (run, key) = run(folder.path());
    let ledger = run.join("ledger");
    let out = |name: &str| folder.path().join(name);

    let output = score(&run, &ledger, &key, &out("good.csv"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["ledger_entry"].as_u64().unwrap() > 3 && summary["scored"] == 45_211, "{summary}");

    let arguments =
        ["model", "promote", "--json", "--model", path(&run), "--to", "shadow", "--ledger", path(&ledger)];
    let approval = out("approval.json");
    let by = ["--key", key.as_str(), "--approver", "me", "--approver-key", "me.pem"];
    let why = ["--reason", "why", "--out", path(&approval)];
    let promoted = syndic(&[&arguments[..], &by, &why].concat());
    assert_eq!(code(&promoted), (Some(2), "model.no-approver".into()), "nobody approves in a sandbox");

    let card = std::fs::read_to_string(run.join("model.json")).unwrap();
    let bent = |bend: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&card).unwrap();
        bend(&mut value);
        std::fs::write(run.join("model.json"), value.to_string()).unwrap();
        code(&score(&run, &ledger, &key, &out("bad.csv")))
    };
    let wider = bent(&|card| card["contract"]["columns"][0]["max"] = 200.into());
    assert_eq!(wider, (Some(4), "model.other-contract".into()));
    let other = bent(&|card| card["provenance"]["agreement"] = "00".into());
    assert_eq!(other, (Some(4), "model.other-agreement".into()));
    let nobody = bent(&|card| card["provenance"]["job"] = "another".into());
    assert_eq!(nobody, (Some(4), "model.unrecorded".into()));
    std::fs::write(run.join("model.json"), &card).unwrap();

    // A bit of a weight, with a card that has the digest of the changed file.
    let mut weights = std::fs::read(run.join("model.safetensors")).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    std::fs::write(run.join("model.safetensors"), &weights).unwrap();
    assert_eq!(code(&score(&run, &ledger, &key, &out("bad.csv"))), (Some(4), "model.digest-mismatch".into()));
    let digest = syndic_round::Digest::of(&weights).to_string();
    let rewritten = bent(&|card| card["weights_digest"] = digest.clone().into());
    assert_eq!(rewritten, (Some(4), "model.other-model".into()));
    assert!(!out("bad.csv").exists());
}

#[test]
fn a_key_without_its_ledger_is_no_check() {
    let folder = tempfile::tempdir().unwrap();
    let release = crate::released(&folder.path().join("run"), &crate::fitted(&crate::quick()));
    let key = "coordinator.example/federation+00000000+AQ==";
    let table = example("bank_marketing.csv.gz");
    let output =
        syndic(&["score", "--model", path(&release), "--table", path(&table), "--key", key, "--json"]);
    assert_eq!(output.status.code(), Some(2));
}
