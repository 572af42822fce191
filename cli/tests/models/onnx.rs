//! Exported models in onnxruntime, on every row of the example's table, and on rows whose numbers lie on thresholds.
//!
//! `cargo xtask test` installs onnxruntime in a virtual environment below `target/`. Where it is not, these tests say so and
//! pass.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::Value;
use syndic_learning::attack::run::{Keep, run};
use syndic_learning::job::{NoiseSource, Privacy, ProgramTerms, RecordLevelTerms, Unit};
use syndic_learning::program::boosted_trees::{RandomTreesTerms, TreesTerms};
use syndic_learning::{ColumnKind, Job, Model};

use crate::{example, fitted, job, path, released, sites, succeed};

const NEWTON: &str = "name = \"logistic-regression\"\nsolver = \"newton\"";

#[test]
fn a_linear_model_scores_as_in_onnxruntime() {
    let Some(python) = python() else { return };
    compare(
        &python,
        "linear, federated averaging",
        &fitted(&job("name = \"logistic-regression\"\nsolver = \"fed-avg\"", 20)),
    );
}

#[test]
fn a_linear_model_without_first_levels_scores_as_in_onnxruntime() {
    let Some(python) = python() else { return };
    let job = job(&format!("{NEWTON}\nencoding = \"drop-first\""), 20);
    compare(&python, "linear, newton, drop-first", &fitted(&job));
}

#[test]
fn a_network_scores_as_in_onnxruntime() {
    let Some(python) = python() else { return };
    compare(
        &python,
        "neural network",
        &fitted(&job("name = \"neural-network\"\nhidden = [16, 8]\nlearning_rate = 0.1", 5)),
    );
}

#[test]
fn a_network_with_vectors_of_levels_scores_as_in_onnxruntime() {
    let Some(python) = python() else { return };
    let terms = "name = \"neural-network\"\nhidden = [16, 8]\nembedding = 3\nlearning_rate = 0.1";
    compare(&python, "neural network with vectors", &fitted(&job(terms, 5)));
}

#[test]
fn a_scorecard_scores_as_in_onnxruntime() {
    let Some(python) = python() else { return };
    compare(&python, "scorecard", &fitted(&job("name = \"scorecard\"", 20)));
}

#[test]
fn trees_score_as_in_onnxruntime_also_on_their_thresholds() {
    let Some(python) = python() else { return };
    let model = fitted(&job("name = \"boosted-trees\"\ndepth = 5", 40));
    compare(&python, "boosted trees", &model);

    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("edges.csv");
    std::fs::write(&table, on_thresholds(&model)).unwrap();
    let found = compared(&python, folder.path(), &model, &table);
    report("boosted trees on their thresholds", &found);
}

#[test]
fn trees_with_random_splits_score_as_in_onnxruntime_also_on_their_thresholds() {
    let Some(python) = python() else { return };
    let privacy = RecordLevelTerms {
        epsilon: 8.0,
        delta: 1e-5,
        noise: NoiseSource::Local,
        honest: None,
        clip: None,
        unit: Unit::Row,
        test_bins: None,
    };
    let job = Job {
        program: ProgramTerms::BoostedTrees(Box::new(TreesTerms::Random(RandomTreesTerms::default()))),
        privacy: Privacy::RecordLevel(privacy),
        fairness: None,
        drift: None,
        ..job("name = \"boosted-trees\"", 12)
    };
    let tables: Vec<_> = sites(&job).into_iter().map(|site| site.table).collect();
    let model = run(&job, &tables, Keep::NOTHING, &mut ChaCha20Rng::seed_from_u64(1)).unwrap().model;
    let Model::Trees(trees) = &model else { panic!("trees") };
    assert_eq!(trees.ensemble.trees.len(), 110);
    compare(&python, "trees with random splits", &model);

    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("edges.csv");
    std::fs::write(&table, on_thresholds(&model)).unwrap();
    let found = compared(&python, folder.path(), &model, &table);
    report("trees with random splits on their thresholds", &found);
}

fn compare(python: &Path, name: &str, model: &Model) {
    let folder = tempfile::tempdir().unwrap();
    let found = compared(python, folder.path(), model, &example("bank_marketing.csv.gz"));
    assert_eq!(found["rows"], 45_211);
    report(name, &found);
}

pub(crate) fn report(name: &str, found: &Value) {
    assert_eq!(found["refused"], serde_json::json!([null, null]), "{name}");
    assert_eq!(found["refused_labels"], serde_json::json!([-1, -1]), "{name}");
    report_scores(name, found);
}

/// The same of a model to which a level that is not listed is one of its own.
pub(crate) fn report_with_other_levels(name: &str, found: &Value) {
    assert!(found["refused"][0].is_null() && found["refused"][1].is_number(), "{name}: {found}");
    assert_eq!(found["refused_labels"][0], -1, "{name}");
    assert!(found["refused_labels"][1].as_i64().is_some_and(|label| label >= 0), "{name}: {found}");
    report_scores(name, found);
}

fn report_scores(name: &str, found: &Value) {
    let largest = found["largest"].as_f64().unwrap();
    println!("{name}: largest difference {largest:.2e} over {} rows", found["rows"]);
    assert!(largest <= 1e-5, "{name}: {found}");
    assert_eq!(found["kept"], 0.0, "{name}: a row is scored as alone beside rows that are refused");
    assert_eq!(found["job"], "bank-marketing");
    assert!(found["points_differ"].is_null() || found["points_differ"] == 0, "{name}: {found}");
}

/// Exports the model, scores the table with both, and what the script says of them.
pub(crate) fn compared(python: &Path, folder: &Path, model: &Model, table: &Path) -> Value {
    let run = released(&folder.join("run"), model);
    let (onnx, scores) = (folder.join("model.onnx"), folder.join("scores.csv"));
    let exported = succeed(&[
        "model",
        "export",
        "--model",
        path(&run),
        "--format",
        "onnx",
        "--out",
        path(&onnx),
        "--json",
    ]);
    let told: Value = serde_json::from_slice(&exported.stdout).unwrap();
    let outputs: &[&str] = match model {
        Model::Scorecard(_) => &["probability", "label", "points"],
        _ => &["probability", "label"],
    };
    assert_eq!(told["outputs"], serde_json::json!(outputs));
    succeed(&["score", "--model", path(&run), "--table", path(table), "--out", path(&scores), "--quiet"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/runtime.py");
    let mut command = Command::new(python);
    command.args(["-B", script, path(&onnx), path(table), path(&scores), "age", "job"]);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// For each edge of each number rows with the float that lies on it, with its neighbours, and with the nearest floats of 32 bits.
fn on_thresholds(model: &Model) -> String {
    let Model::Trees(trees) = model else { panic!("trees") };
    let names: Vec<&str> = model.contract().columns.iter().map(|column| column.name.as_str()).collect();
    let mut text = names.join(",") + "\n";
    let first = model.contract().columns.iter().map(|column| match &column.kind {
        ColumnKind::Numeric { min, .. } => min.to_string(),
        ColumnKind::Categorical { levels } => levels[0].clone(),
    });
    let first: Vec<String> = first.collect();
    let mut edges = trees.ensemble.bins.edges.iter();
    for (position, column) in model.contract().columns.iter().enumerate() {
        let ColumnKind::Numeric { transform, min, max } = column.kind else { continue };
        for &edge in edges.next().unwrap() {
            let raw = match transform {
                syndic_learning::Transform::Identity => edge,
                syndic_learning::Transform::Slog1p => edge.signum() * edge.abs().exp_m1(),
            };
            let near = [raw, raw.next_up(), raw.next_down(), f64::from(raw as f32), raw.round(), raw + 1e-9];
            for value in near.into_iter().filter(|value| (min..=max).contains(value)) {
                let mut row = first.clone();
                row[position] = value.to_string();
                writeln!(text, "{}", row.join(",")).unwrap();
            }
        }
    }
    text
}

pub(crate) fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    let has_it = Command::new(&python)
        .args(["-c", "import onnxruntime"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_it {
        eprintln!("*** SKIPPED: run `cargo xtask python`, and onnxruntime scores the same rows ***");
    }
    has_it.then_some(python)
}
