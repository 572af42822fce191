//! Drift that is planted in the test rows of a table is found and told everywhere, by the federation and, in rows of later
//! years, by `syndic model drift`; where none is planted none is found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing")
}

fn syndic(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syndic")).args(arguments).env_remove("SYNDIC_LOG").output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The example's table, its customers of fold 0 older by so many years.
fn table(folder: &Path, older: u32) -> PathBuf {
    let mut text = String::new();
    let file = std::fs::File::open(example().join("bank_marketing.csv.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let position = |name: &str| header.split(',').position(|column| column == name).unwrap();
    let (fold, age) = (position("fold"), position("age"));
    let row = |row: &str| {
        let mut cells: Vec<String> = row.split(',').map(String::from).collect();
        if cells[fold] == "0" {
            let older = (cells[age].parse::<u32>().unwrap() + older).min(95);
            cells[age] = older.to_string();
        }
        cells.join(",")
    };
    let rows: Vec<String> = rows.lines().map(row).collect();
    let table = folder.join(format!("older_by_{older}.csv"));
    std::fs::write(&table, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    table
}

/// Runs the example by Newton's method with this section; the run's folder, and `result.json`.
fn run(folder: &Path, table: &Path, section: &str) -> (PathBuf, Value) {
    let text = std::fs::read_to_string(example().join("job.toml")).unwrap();
    let (before, rest) = text.split_once("[program]").unwrap();
    let (_, after) = rest.split_once("[rounds]").unwrap();
    let program = "[program]\nname = \"logistic-regression\"\nsolver = \"newton\"\n";
    let (job, out) = (folder.join("job.toml"), folder.join("out"));
    std::fs::write(&job, format!("{before}[rounds]{after}\n{program}\n{section}")).unwrap();
    let arguments = ["sandbox", "--json", "--quiet", "--job", path(&job), "--table", path(table)];
    let columns = ["--site-column", "site", "--fold-column", "fold", "--test-fold", "0", "--out", path(&out)];
    let output = syndic(&[&arguments[..], &columns, &["--compare", "pooled"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (out, serde_json::from_slice(&output.stdout).unwrap())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn drifted(figures: &Value) -> Vec<&str> {
    let columns = figures["columns"].as_array().unwrap().iter().chain([&figures["score"]]);
    columns
        .filter(|shift| shift["standing"] == "drifted")
        .map(|shift| shift["name"].as_str().unwrap())
        .collect()
}

/// What the ledger says of the drift of the example's job: its entry, and the report of it as JSON.
fn recorded(out: &Path, result: &Value) -> (Value, Value) {
    let (ledger, key) = (out.join("ledger"), result["ledger"]["key"].as_str().unwrap());
    let common = ["--key", key, "--json"];
    let entries =
        syndic(&[&["ledger", "search", path(&ledger), "--type", "job.drift"][..], &common].concat());
    assert!(entries.status.success(), "{}", String::from_utf8_lossy(&entries.stderr));
    let text = String::from_utf8(entries.stdout).unwrap();
    let entry = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let entry = entry.into_iter().find(|line| line.to_string().contains("syndic.job.drift")).unwrap();
    let job = result["job"].as_str().unwrap();
    let report = syndic(&[&["ledger", "report", path(&ledger), "--job", job][..], &common].concat());
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    (entry, serde_json::from_slice(&report.stdout).unwrap())
}

#[test]
fn drift_that_is_planted_in_test_rows_is_told_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path(), 12);
    let (out, result) = run(folder.path(), &table, "[drift]\n");

    let figures = &result["drift"]["federated"];
    assert_eq!(drifted(figures), ["age"], "{figures}");
    // Columns do not depend on the model; the scores are those of a model that is as good as the same.
    assert_eq!(figures["columns"], result["drift"]["pooled"]["columns"]);
    let kinds = result["protection"]["encrypted"].as_array().unwrap();
    assert!(kinds.contains(&"drift".into()), "{kinds:?}");
    let card = json(&out.join("model.json"));
    assert_eq!(&card["drift"], figures);
    let warning = card["provenance"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("test rows have drifted from") && warning.contains("`age` (PSI "),
        "{warning}"
    );
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("Are the test rows like the rows") && report.contains("<strong>age</strong>"));
    let (entry, of_ledger) = recorded(&out, &result);
    assert!(entry.to_string().contains(r#""drifted":["age"]"#), "{entry}");
    assert_eq!(of_ledger["job"]["drift"]["drifted"][0], "age");
    let incidents = of_ledger["incidents"].as_array().unwrap();
    let told = incidents.iter().find(|incident| incident["type"] == "syndic.job.drift").unwrap();
    assert!(told["what"].as_str().unwrap().starts_with("age has drifted, PSI of the scores 0."), "{told}");
}

#[test]
fn a_model_finds_drift_in_rows_of_later_years_and_none_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (same, older) = (table(folder.path(), 0), table(folder.path(), 12));
    let (out, result) = run(folder.path(), &same, "[drift]\nbins = 20\n");
    assert_eq!(drifted(&result["drift"]["federated"]), [""; 0]);
    assert_eq!(json(&out.join("model.json"))["provenance"].get("warnings"), None);
    let (_, of_ledger) = recorded(&out, &result);
    let incidents = of_ledger["incidents"].as_array().unwrap();
    assert!(incidents.iter().all(|incident| incident["type"] != "syndic.job.drift"), "{incidents:?}");

    let key = result["ledger"]["key"].as_str().unwrap();
    let ledger = out.join("ledger");
    let compared = |table: &Path, more: &[&str]| {
        let model = ["model", "drift", "--model", path(&out), "--ledger", path(&ledger), "--key", key];
        syndic(&[&model[..], &["--table", path(table)], more].concat())
    };
    let stable = compared(&same, &["--json"]);
    assert_eq!(stable.status.code(), Some(0), "{}", String::from_utf8_lossy(&stable.stderr));
    let stable: Value = serde_json::from_slice(&stable.stdout).unwrap();
    assert_eq!((stable["drifted"].as_array().unwrap().len(), &stable["refused"]), (0, &0.into()));
    assert_eq!(stable["drift"]["current_rows"], 45_211);

    // Of all rows a fifth is older.
    let only_older = folder.path().join("later.csv");
    let text = std::fs::read_to_string(&older).unwrap();
    let later =
        text.lines().enumerate().filter(|(line, row)| *line == 0 || row.split(',').nth(1) == Some("0"));
    std::fs::write(&only_older, later.map(|(_, row)| format!("{row}\n")).collect::<String>()).unwrap();
    let found = compared(&only_older, &["--json"]);
    assert_eq!(found.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&found.stderr).unwrap();
    assert_eq!(error["error"]["code"], "drift.exceeded", "{error}");
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["drifted"][0], "age");
    let text = String::from_utf8(compared(&only_older, &[]).stdout).unwrap();
    assert!(text.contains("trained on") && text.contains("drifted") && text.contains("by chance"), "{text}");

    // A row that breaks the contract ends it, or is left out.
    let mut broken = std::fs::read_to_string(&same).unwrap();
    broken.push_str(&broken.lines().nth(1).unwrap().replacen(",58,", ",4711,", 1));
    std::fs::write(&older, broken + "\n").unwrap();
    let stopped = compared(&older, &[]);
    assert_eq!(stopped.status.code(), Some(2));
    let told = String::from_utf8(stopped.stderr).unwrap();
    assert!(told.contains("data.out-of-range") && !told.contains("4711"), "{told}");
    let skipped = compared(&older, &["--on-error", "skip", "--json"]);
    let skipped: Value = serde_json::from_slice(&skipped.stdout).unwrap();
    assert_eq!((&skipped["refused"], &skipped["drift"]["current_rows"]), (&1.into(), &45_211.into()));
}

#[test]
fn a_model_whose_job_compared_nothing_has_nothing_to_compare_with() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path(), 0);
    let (out, result) = run(folder.path(), &table, "");
    assert_eq!(result.get("drift"), None);
    let refused = syndic(&["model", "drift", "--model", path(&out), "--table", path(&table)]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("error[drift.no-reference]"));
}
