//! Boosted trees against LightGBM, which bins these columns as finely as ours do and may split every place down to the same
//! depth: what remains different is what is wrong.

use std::fmt::Write as _;
use std::process::Command;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use syndic_learning::{Job, Metrics, Role, Scoring as _, Table, TableBuilder};

use super::played::played;
use super::python;

const JOB: &str = r#"
[job]
id = "independent-trees"
purpose = "test"
description = "What LightGBM grows too."

[contract]
name = "independent_trees"

[contract.label]
column = "label"
positive = "1"

[[contract.columns]]
name = "age"
type = "numeric"
min = 0
max = 40

[[contract.columns]]
name = "months"
type = "numeric"
min = 0
max = 40

[[contract.columns]]
name = "calls"
type = "numeric"
min = 0
max = 40

[program]
name = "boosted-trees"
depth = 4
learning_rate = 0.1
l2 = 1
min_rows = 1
min_hessian = 20
column_fraction = 1

[rounds]
count = 30

[privacy]
mode = "none"

[protection]
parameter_set = "KSA-S32"
"#;

#[test]
fn trees_over_encrypted_sums_are_those_of_lightgbm() {
    let Some((ours, theirs, _)) = grown(4) else { return };
    let furthest = ours.iter().zip(&theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f64::max);
    let spread = theirs.iter().copied().fold(0.0, f64::max) - theirs.iter().copied().fold(1.0, f64::min);
    println!("furthest {furthest:.2e} apart, and probabilities are spread over {spread:.2}");
    assert!(spread > 0.5, "trees that learn nothing are alike: {spread}");
    assert!(furthest < 1e-6, "{furthest}");
}

/// Places of few rows have several splits that gain exactly alike, of which either may be taken: deep trees differ in some of
/// their rows, and are as good.
#[test]
fn deep_trees_are_as_good_as_those_of_lightgbm() {
    let Some((ours, theirs, labels)) = grown(6) else { return };
    let (ours, theirs) = (Metrics::exact(&ours, &labels).unwrap(), Metrics::exact(&theirs, &labels).unwrap());
    println!("{ours:?} and {theirs:?}");
    assert!((ours.log_loss - theirs.log_loss).abs() < 1e-3, "{ours:?} and {theirs:?}");
    assert!((ours.roc_auc.unwrap() - theirs.roc_auc.unwrap()).abs() < 2e-3, "{ours:?} and {theirs:?}");
}

/// The probabilities of all rows by our trees of this depth and by LightGBM's, and their labels; none without LightGBM.
fn grown(depth: u32) -> Option<(Vec<f64>, Vec<f64>, Vec<bool>)> {
    let python = python("lightgbm")?;
    let folder = tempfile::tempdir().unwrap();
    let (tables, text) = institutions();
    let csv = folder.path().join("table.csv");
    std::fs::write(&csv, text).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/trees.py");
    let terms = [&depth.to_string(), "30", "0.1", "1", "20"];
    let ran = Command::new(python).arg(script).arg(&csv).args(terms).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let theirs: Vec<f64> = serde_json::from_slice(&ran.stdout).unwrap();

    let model = played(&JOB.replace("depth = 4", &format!("depth = {depth}")), &tables).model;
    let ours: Vec<f64> = tables.iter().flat_map(|table| model.score(table).unwrap()).collect();
    assert_eq!(ours.len(), theirs.len());
    let labels = tables.iter().flat_map(|table| table.labels().iter().copied()).collect();
    Some((ours, theirs, labels))
}

/// Three unlike institutions, whole numbers of few values, and all their rows as CSV.
fn institutions() -> (Vec<Table>, String) {
    let contract = Job::from_toml(JOB).unwrap().contract;
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let header = ["age", "months", "calls", "label"];
    let mut text = header.join(",") + "\n";
    let tables = [3000, 1500, 500].iter().enumerate().map(|(institution, &rows)| {
        let mut builder = TableBuilder::new(&contract, &header).unwrap();
        for row in 0..rows {
            let [age, months, calls] = [10.0 * institution as f64, 0.0, 5.0]
                .map(|least| (least + uniform() * (41.0 - least)).floor());
            // Nothing that a line could say: a step, and two columns that only count together.
            let score: f64 = if age > 25.0 { 1.2 } else { -0.8 }
                + if (months > 20.0) == (calls > 15.0) { 0.9 } else { -0.9 };
            let label = u8::from(uniform() < 1.0 / (1.0 + (-score).exp())).to_string();
            let cells = [age, months, calls].map(|cell| cell.to_string());
            let cells = [&cells[0], &cells[1], &cells[2], label.as_str()];
            writeln!(text, "{}", cells.join(",")).unwrap();
            builder.push(row, &cells, Role::Train);
        }
        builder.finish().unwrap()
    });
    (tables.collect(), text)
}
