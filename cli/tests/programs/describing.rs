//! A job that describes rows, over real TLS: without noise, and with it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Runs the example's contract with this program and privacy; returns the run's folder and `result.json`.
fn run(folder: &Path, program: &str, privacy: &str) -> (PathBuf, Value) {
    let (out, output) = ran(folder, program, privacy, &["--json", "--quiet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (out, serde_json::from_slice(&output.stdout).unwrap())
}

fn ran(folder: &Path, program: &str, privacy: &str, more: &[&str]) -> (PathBuf, Output) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing");
    let text = std::fs::read_to_string(example.join("job.toml")).unwrap();
    let (contract, _) = text.split_once("[program]").unwrap();
    let (_, protection) = text.split_once("[protection]").unwrap();
    let text = format!(
        "{contract}[program]\nname = \"statistics\"\n{program}\n[privacy]\n{privacy}\n[protection]{protection}"
    );
    let (job, out) = (folder.join("job.toml"), folder.join("out"));
    std::fs::write(&job, text).unwrap();
    let output = syndic(
        &[
            &["sandbox", "--job", job.to_str().unwrap(), "--table", table().to_str().unwrap()],
            &["--site-column", "site", "--fold-column", "fold", "--test-fold", "0"][..],
            &["--out", out.to_str().unwrap()],
            more,
        ]
        .concat(),
    );
    (out, output)
}

fn syndic(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syndic")).args(arguments).env_remove("SYNDIC_LOG").output().unwrap()
}

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing/bank_marketing.csv.gz")
}

/// The cells of one column of the table, in all its rows.
fn cells(name: &str) -> Vec<String> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(table()).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let position = header.split(',').position(|column| column == name).unwrap();
    rows.lines().map(|row| row.split(',').nth(position).unwrap().to_owned()).collect()
}

fn column<'a>(result: &'a Value, name: &str) -> &'a Value {
    let columns = result["statistics"]["columns"].as_array().unwrap();
    columns.iter().find(|column| column["name"] == name).unwrap()
}

#[test]
fn the_rows_of_all_are_described_as_they_are_and_a_ledger_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (out, result) = run(folder.path(), "min_rows = 100", "mode = \"none\"");

    let (ages, labels) = (cells("age"), cells("label"));
    assert_eq!(result["statistics"]["rows"], ages.len());
    assert_eq!(result["statistics"]["positives"], labels.iter().filter(|label| *label == "1").count());
    let ages: Vec<f64> = ages.iter().map(|age| age.parse().unwrap()).collect();
    let mean = ages.iter().sum::<f64>() / ages.len() as f64;
    let told = &column(&result, "age")["numbers"];
    assert!((told["mean"].as_f64().unwrap() - mean).abs() < 1e-6, "{told} {mean}");
    let marital = cells("marital");
    for bin in column(&result, "marital")["bins"].as_array().unwrap() {
        let [level] = bin["levels"].as_array().unwrap().as_slice() else { panic!("{bin}") };
        assert_eq!(bin["rows"], marital.iter().filter(|cell| *level == cell.as_str()).count());
    }
    assert_eq!((&result["schema"], &result["warnings"]), (&json!("syndic.described/1"), &json!([])));

    // The document is what the ledger has the digest of, whoever asks.
    let (document, ledger) = (out.join("statistics.json"), out.join("ledger"));
    let key = result["ledger"]["key"].as_str().unwrap();
    let page = folder.path().join("page.html");
    let asked = ["--ledger", ledger.to_str().unwrap(), "--key", key];
    let shown =
        |more: &[&str]| syndic(&[&["statistics", document.to_str().unwrap()], &asked[..], more].concat());
    let told: Value = serde_json::from_slice(&shown(&["--json"]).stdout).unwrap();
    assert_eq!((&told["statistics"], &told["document"]), (&result["statistics"], &result["document"]));
    let text = shown(&["--html", page.to_str().unwrap()]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("strongest correlations") && text.contains("marital"), "{text}");
    for page in [page, out.join("report.html")] {
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains("<svg") && page.contains("weight of evidence"), "{page}");
    }
    let written = std::fs::read_to_string(&document).unwrap();
    std::fs::write(&document, written.replacen("\"rows\": ", "\"rows\": 1", 1)).unwrap();
    let refused = shown(&[]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("statistics.unverified"));

    // What a reviewer reads of it.
    let report =
        ["ledger", "report", ledger.to_str().unwrap(), "--job", "bank-marketing", "--key", key, "--json"];
    let report: Value = serde_json::from_slice(&syndic(&report).stdout).unwrap();
    let statistics = &report["job"]["statistics"];
    assert_eq!((&statistics["document"], &statistics["noise"]), (&result["document"], &json!(false)));
    assert_eq!((&report["job"]["outcome"], &report["job"]["model"]), (&json!("completed"), &Value::Null));
}

#[test]
fn with_noise_every_figure_is_off_by_what_it_says_and_the_claim_is_in_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let privacy = "mode = \"record-level\"\nepsilon = 3\ndelta = 1e-5\nnoise = \"distributed\"\nhonest = 2";
    let (out, result) = run(folder.path(), "", privacy);

    let noise = result["statistics"]["noise"].as_f64().unwrap();
    let rows = cells("age").len() as f64;
    let told = result["statistics"]["rows"].as_f64().unwrap();
    assert!(noise > 1.0 && (told - rows).abs() < 10.0 * noise, "{told} {noise}");
    let marital = cells("marital");
    for bin in column(&result, "marital")["bins"].as_array().unwrap() {
        let levels = bin["levels"].as_array().unwrap();
        let count = marital.iter().filter(|cell| levels.contains(&json!(cell))).count() as f64;
        let off = (bin["rows"].as_f64().unwrap() - count).abs();
        assert!(off < 8.0 * bin["rows_deviation"].as_f64().unwrap() + 1.0, "{bin} {count}");
    }
    let claim = &result["statistics"]["privacy"];
    let spent: f64 = claim["spent"]["epsilon"].as_str().unwrap().parse().unwrap();
    assert!((2.99..=3.0).contains(&spent), "{claim}");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("added noise to every sum"), "{report}");
    let job = folder.path().join("job.toml");
    let check = String::from_utf8(syndic(&["job", "check", job.to_str().unwrap()]).stdout).unwrap();
    assert!(check.contains("one standard deviation") && check.contains("one sum over"), "{check}");
    let plan = syndic(&["privacy", "plan", "--job", job.to_str().unwrap(), "--json"]).stdout;
    let plan: Value = serde_json::from_slice(&plan).unwrap();
    assert_eq!((&plan["steps"], &plan["target_epsilon"]), (&json!(1), &json!(3.0)));
}

#[test]
fn nobody_is_stopped_in_a_job_of_one_sum() {
    let folder = tempfile::tempdir().unwrap();
    let (out, output) = ran(folder.path(), "", "mode = \"none\"", &["--drop"]);
    assert_eq!((output.status.code(), out.exists()), (Some(2), false));
    assert!(String::from_utf8_lossy(&output.stderr).contains("options.nobody-to-stop"));
}

#[test]
fn nothing_is_compared_with_a_job_that_trains_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (out, output) = ran(folder.path(), "", "mode = \"none\"", &["--compare", "pooled"]);
    assert_eq!((output.status.code(), out.exists()), (Some(2), false));
    assert!(String::from_utf8_lossy(&output.stderr).contains("options.compare"));
}
