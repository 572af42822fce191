//! A job by Newton's method over real TLS: the model of pooled training, with one institution away for a round.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use syndic::ledger::trust::Trust;
use syndic::ledger::verify;

/// Runs the example job with these terms of the program; returns its folder, and `result.json`.
fn run(folder: &Path, terms: &str, more: &[&str]) -> (PathBuf, Value) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing");
    let text = std::fs::read_to_string(example.join("job.toml")).unwrap();
    let is_of_averaging = |line: &&str| {
        ["solver", "local_epochs", "batch_size", "learning_rate"].iter().any(|key| line.starts_with(key))
    };
    let kept: Vec<&str> = text.lines().filter(|line| !is_of_averaging(line)).collect();
    let text = kept.join("\n").replacen("[program]", &format!("[program]\n{terms}"), 1);
    let (job, table, out) =
        (folder.join("job.toml"), example.join("bank_marketing.csv.gz"), folder.join("out"));
    std::fs::write(&job, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["sandbox", "--json", "--quiet", "--job", job.to_str().unwrap()])
        .args(["--table", table.to_str().unwrap(), "--site-column", "site", "--fold-column", "fold"])
        .args(["--test-fold", "0", "--out", out.to_str().unwrap()])
        .args(more)
        .env_remove("SYNDIC_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (out, serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_federation_is_as_good_as_pooling_though_one_is_away_for_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let (out, result) = run(folder.path(), "solver = \"newton\"\nencoding = \"drop-first\"", &["--drop"]);

    for figure in ["roc_auc", "pr_auc", "log_loss"] {
        let [federated, pooled] =
            ["federated", "pooled"].map(|model| result["metrics"][model][figure].as_f64().unwrap());
        assert!((federated - pooled).abs() < 1e-6, "{figure}: {federated} and {pooled}");
    }
    assert_eq!(result["rounds"]["converged"], true);
    let rounds = result["rounds"]["completed"].as_u64().unwrap();
    assert!((5..=10).contains(&rounds), "{result}");
    // The model of the last round alone is measured.
    assert_eq!(
        (&result["rounds"]["evaluation"], &result["rounds"]["released"]),
        (&1.into(), &result["rounds"]["completed"])
    );
    assert!(result["options"]["stopped"].is_string(), "{result}");

    let card: Value = serde_json::from_slice(&std::fs::read(out.join("model.json")).unwrap()).unwrap();
    let inference = card["fit"]["inference"].as_array().unwrap();
    assert_eq!(inference.len(), card["inputs"].as_array().unwrap().len() + 1);
    let first_levels = inference.iter().filter(|of| of["standard_error"].is_null()).count();
    assert!(first_levels > 3 && inference.len() > 2 * first_levels, "{inference:?}");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("What the model has learnt") && report.contains("(intercept)"));

    let key = result["ledger"]["key"].as_str().unwrap();
    verify::check(&out.join("ledger"), &Trust::of(Some(key), None).unwrap()).unwrap();
}

#[test]
fn training_that_its_rounds_cut_off_is_told_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (out, result) = run(folder.path(), "solver = \"newton\"", &["--rounds", "2"]);
    assert_eq!((&result["rounds"]["converged"], &result["rounds"]["completed"]), (&false.into(), &2.into()));
    let card: Value = serde_json::from_slice(&std::fs::read(out.join("model.json")).unwrap()).unwrap();
    let warning = card["provenance"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("had not converged when its 2 rounds were over"), "{warning}");
    assert!(card["fit"].get("inference").is_none(), "levels that all have a weight have no standard errors");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("training had not converged"));
}
