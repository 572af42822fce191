//! Figures of drift against numpy and scipy, on the same rows.

use std::fmt::Write as _;
use std::process::Command;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use syndic_learning::program::drift::measured;
use syndic_learning::reference::fit;
use syndic_learning::{DriftFigures, Job, Role, Scoring as _, Table, TableBuilder};

use super::{JOB, close, python};

#[test]
fn psi_is_that_of_numpy_and_the_statistic_that_of_scipy() {
    let Some(python) = python("numpy, scipy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let job = Job::from_toml(&format!("{JOB}\n[drift]\nbins = 12\n")).unwrap();
    let (table, rows) = shifted(&job);
    let model = fit(&job, &[&table]).unwrap();
    let ours = measured(&model, &[&table], job.drift.as_ref().unwrap(), 1 << 14).unwrap();
    let mut text = String::from("age,income,job,role,score\n");
    for (row, score) in rows.iter().zip(model.score(&table).unwrap()) {
        writeln!(text, "{row},{score}").unwrap();
    }
    let (csv, edges) = (folder.path().join("table.csv"), folder.path().join("edges.json"));
    std::fs::write(&csv, text).unwrap();
    std::fs::write(&edges, edges_of(&ours).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/drift.py");
    let ran = Command::new(python).arg(script).arg(&csv).arg(&edges).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let theirs: Value = serde_json::from_slice(&ran.stdout).unwrap();

    for name in ["score", "age", "income", "job"] {
        let shift = ours.shifts().find(|shift| shift.name == name).unwrap();
        let (psi, of_numpy) = (shift.psi.unwrap(), theirs[name]["psi"].as_f64().unwrap());
        assert!(psi > 0.01 && close(psi, of_numpy, 1e-9), "{name}: PSI {psi} and not {of_numpy}");
        let of_scipy = theirs[name]["ks"].as_f64();
        assert_eq!(shift.ks.is_some(), of_scipy.is_some());
        if let (Some(ks), Some(of_scipy)) = (shift.ks, of_scipy) {
            // Values of one cell are not told apart, which makes it less by at most what lies in a cell.
            assert!(ks <= of_scipy + 1e-12 && of_scipy - ks < 0.004, "{name}: KS {ks} and not {of_scipy}");
        }
    }
}

fn edges_of(figures: &DriftFigures) -> Value {
    let inner = |name: &str| {
        let shift = figures.shifts().find(|shift| shift.name == name).unwrap();
        shift.bins.iter().filter_map(|bin| bin.below).collect::<Vec<f64>>()
    };
    let job = figures.columns.iter().find(|shift| shift.name == "job").unwrap();
    let levels: Vec<_> = job.bins.iter().map(|bin| &bin.levels).collect();
    json!({ "score": inner("score"), "age": inner("age"), "income": inner("income"), "job": levels })
}

/// Rows of which every third is a test row, of older people with less income and other jobs; and their cells that are compared.
fn shifted(job: &Job) -> (Table, Vec<String>) {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let header = ["age", "income", "debt", "job", "region", "label"];
    let mut builder = TableBuilder::new(&job.contract, &header).unwrap();
    let mut rows = Vec::new();
    for row in 0..6000 {
        let is_test = row % 3 == 0;
        let shift = if is_test { 1.0 } else { 0.0 };
        let age = 18.0 + 50.0 * uniform() + 8.0 * shift;
        let income = 900.0 * (1.0 + 8.0 * uniform() * uniform()) * (1.0 - 0.2 * shift);
        let job = ["field", "none", "office"][(uniform() * (3.0 - shift * uniform())) as usize];
        let positive = uniform() < 1.0 / (1.0 + (-0.08 * (age - 45.0) + income / 2000.0).exp());
        let (role, named) = if is_test { (Role::Test, "test") } else { (Role::Train, "train") };
        let (age, income) = (age.to_string(), income.to_string());
        let cells = [age.as_str(), &income, "500", job, "east", if positive { "1" } else { "0" }];
        builder.push(row, &cells, role);
        rows.push(format!("{age},{income},{job},{named}"));
    }
    (builder.finish().unwrap(), rows)
}
