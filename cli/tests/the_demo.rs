//! The demo as a person runs it, on all the data: what its model is worth, and that it can be repeated.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;
use std::process::Command;

use syndic::ledger::trust::Trust;
use syndic::ledger::verify;
use syndic::result::RunResult;

/// Runs the demo into `out`; its last line is the result, which also lies there.
fn demo(out: &Path, options: &[&str]) -> RunResult {
    let output = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["demo", "--json", "--quiet", "--out", out.to_str().unwrap()])
        .args(options)
        .env_remove("SYNDIC_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout).unwrap();
    let result: RunResult = serde_json::from_str(line.trim()).unwrap();
    let file = std::fs::read_to_string(out.join("result.json")).unwrap();
    assert_eq!(serde_json::from_str::<RunResult>(&file).unwrap(), result);
    result
}

fn is_within_0_003_of_pooled_and_above_alone(result: &RunResult) {
    let metrics = &result.metrics;
    let (federated, pooled) = (metrics.federated.roc_auc, metrics.pooled.roc_auc);
    let alone = metrics.alone_mean().unwrap().roc_auc;
    assert!((federated - pooled).abs() <= 0.003, "federated {federated}, pooled {pooled}");
    assert!(federated > alone, "federated {federated}, alone {alone}");
    assert!(pooled > 0.7, "the task is one that can be learnt: {pooled}");
    assert_eq!(metrics.alone.len(), 5);
    let live = metrics.live.unwrap().roc_auc;
    assert!((live - federated).abs() < 0.001, "live {live}, exact {federated}");
}

#[test]
fn the_federated_model_is_within_0_003_of_pooled_and_above_alone() {
    let folder = tempfile::tempdir().unwrap();
    let result = demo(&folder.path().join("out"), &["--no-drop"]);
    is_within_0_003_of_pooled_and_above_alone(&result);
    assert_eq!((result.rounds.completed, result.rounds.abandoned), (20, 0));
    assert_eq!(result.options.stopped, None);
    assert_eq!((result.data.rows, result.participants.len()), (45_211, 5));
}

#[test]
fn so_it_is_with_an_institution_stopped_in_the_middle_of_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let result = demo(&out, &["--seed", "2"]);
    is_within_0_003_of_pooled_and_above_alone(&result);
    assert_eq!((result.rounds.completed, result.rounds.abandoned), (20, 0));
    let stopped = result.options.stopped.expect("one is stopped");
    assert!(result.participants.contains(&stopped));
    let ledger = out.join("ledger");
    let summary =
        verify::check(&ledger, &Trust::of(Some(&result.ledger.key), None).unwrap()).unwrap().summary;
    assert_eq!((summary.size, summary.root.to_string()), (result.ledger.size, result.ledger.root));
    assert_eq!((summary.rounds_closed, summary.rounds_abandoned, summary.rounds_open), (41, 0, 0));
    // It misses the update of one round, and comes back for the others.
    let submitted = summary.types["syndic.round.submitted"];
    assert!((41 * 5 - 4..41 * 5).contains(&submitted), "{submitted} updates in 41 rounds");
}

#[test]
fn the_same_seed_makes_the_same_model_and_another_seed_another() {
    let folder = tempfile::tempdir().unwrap();
    let model = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        let result = demo(&out, &["--no-drop", "--rounds", "2", "--seed", seed]);
        (std::fs::read(out.join("model.safetensors")).unwrap(), result.ledger.root)
    };
    let (first, again, other) = (model("first", "7"), model("again", "7"), model("other", "8"));
    assert!(first.0 == again.0, "the same seed made two models");
    assert!(first.0 != other.0, "the seed changes nothing");
    // Keys are fresh in every run all the same.
    assert_ne!(first.1, again.1);
}
