//! What is fitted over encrypted sums against programs that are none of ours: Newton's method against statsmodels and
//! scikit-learn, trees against LightGBM; and figures of drift against numpy and scipy.
//!
//! `cargo xtask test` installs them in a virtual environment below `target/`. Where they are not, these tests say so
//! and pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the programs that it is compared with are processes that read a file"
)]

mod drift;
mod missing;
#[path = "../played/mod.rs"]
mod played;
mod trees;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;
use syndic_learning::{Job, Model, Outcome, Role, Table, TableBuilder};

use played::played;

const JOB: &str = r#"
[job]
id = "independent"
purpose = "test"
description = "What statsmodels and scikit-learn fit too."

[contract]
name = "independent"

[contract.label]
column = "label"
positive = "1"

[[contract.columns]]
name = "age"
type = "numeric"
min = 0
max = 200

[[contract.columns]]
name = "income"
type = "numeric"
min = -1000
max = 10000

[[contract.columns]]
name = "debt"
type = "numeric"
min = -1000
max = 10000

[[contract.columns]]
name = "job"
type = "categorical"
levels = ["field", "none", "office"]

[[contract.columns]]
name = "region"
type = "categorical"
levels = ["east", "north", "south", "west"]

[program]
name = "logistic-regression"
solver = "newton"

[rounds]
count = 20

[privacy]
mode = "none"

[protection]
parameter_set = "KSA-S32"
"#;

const L2: f64 = 1e-2;

#[test]
fn weights_errors_and_tests_are_those_of_statsmodels_and_of_scikit_learn() {
    let Some(python) = python("sklearn, statsmodels") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (tables, text) = institutions();
    let csv = folder.path().join("table.csv");
    std::fs::write(&csv, text).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/fits.py");
    let ran = Command::new(python).arg(script).arg(&csv).arg(L2.to_string()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let theirs: Value = serde_json::from_slice(&ran.stdout).unwrap();

    let inference = outcome("encoding = \"drop-first\"\nl2 = 0", &tables).fit.unwrap().inference.unwrap();
    let mut compared = 0;
    for ours in inference.iter().filter(|ours| ours.standard_error.is_some()) {
        let theirs = &theirs["unpenalised"][named(&ours.input)];
        for (what, ours, tolerance) in [
            ("coefficient", Some(ours.coefficient), 1e-3),
            ("per_unit", Some(ours.per_unit), 1e-3),
            ("standard_error", ours.standard_error, 1e-3),
            ("z", ours.z, 1e-3),
            // A probability changes with the square of z.
            ("p", ours.p, 1e-1),
            ("vif", ours.vif, 1e-6),
        ] {
            let (Some(ours), Some(theirs)) = (ours, theirs[what].as_f64()) else {
                assert_eq!((ours, &theirs[what]), (None, &Value::Null), "{what}");
                continue;
            };
            assert!(close(ours, theirs, tolerance), "{what}: {ours} and not {theirs}");
            compared += 1;
        }
    }
    // Eight weights and the intercept, which has no factor.
    assert_eq!(compared, 9 * 6 - 1);

    for (key, weights) in [
        ("penalised", ""),
        ("balanced", "class_weights = \"balanced\""),
        ("positives_thrice", "class_weights = 3"),
    ] {
        let Model::Linear(model) = outcome(&format!("l2 = {L2}\n{weights}"), &tables).model else {
            panic!("a linear model")
        };
        let names = model.contract.input_names().into_iter().chain(["(intercept)".into()]);
        for (name, ours) in names.zip(model.coefficients.to_vec()) {
            let theirs = theirs[key][named(&name)].as_f64().unwrap();
            assert!(close(ours, theirs, 1e-3), "{key}, {name}: {ours} and not {theirs}");
        }
    }
}

fn close(ours: f64, theirs: f64, tolerance: f64) -> bool {
    (ours - theirs).abs() <= tolerance * theirs.abs() + 1e-6
}

fn named(input: &str) -> &str {
    if input == "(intercept)" { "const" } else { input }
}

/// The Python that has these packages.
fn python(packages: &str) -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let has_them = Command::new(&python)
        .args(["-c", &format!("import {packages}")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_them {
        eprintln!("SKIPPED: run `cargo xtask python`, and {packages} fit the same table");
    }
    has_them.then_some(python)
}

/// Five unlike institutions, the last with ten rows, and all their rows as CSV.
fn institutions() -> (Vec<Table>, String) {
    let contract = Job::from_toml(JOB).unwrap().contract;
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let header = ["age", "income", "debt", "job", "region", "label"];
    let mut text = header.join(",") + "\n";
    let tables = [1500, 900, 700, 400, 10].iter().enumerate().map(|(institution, &rows)| {
        let mut builder = TableBuilder::new(&contract, &header).unwrap();
        for row in 0..rows {
            let age = 18.0 + (uniform() * 40.0 + 10.0 * institution as f64).floor();
            let income = 100.0 * (1.0 + 8.0 * uniform() * uniform());
            let debt = 0.6 * income + 200.0 * uniform();
            let job = ["field", "none", "office"][(uniform() * 3.0) as usize];
            let region = ["east", "north", "south", "west"][((uniform() * 2.0) as usize + institution) % 4];
            let score =
                0.05 * (age - 50.0) + 0.004 * (debt - income) + if job == "none" { 1.0 } else { -0.3 }
                    - if region == "west" { 0.7 } else { 0.0 };
            let label = if uniform() < 1.0 / (1.0 + (-score).exp()) { "1" } else { "0" };
            let cells = [age.to_string(), income.to_string(), debt.to_string()];
            let cells = [&cells[0], &cells[1], &cells[2], job, region, label];
            writeln!(text, "{}", cells.join(",")).unwrap();
            builder.push(row, &cells, Role::Train);
        }
        builder.finish().unwrap()
    });
    (tables.collect(), text)
}

/// What a job with these terms comes to, over sums that are coded as encrypted ones are.
fn outcome(terms: &str, tables: &[Table]) -> Outcome {
    played(&JOB.replacen("solver = \"newton\"", &format!("solver = \"newton\"\n{terms}"), 1), tables)
}
