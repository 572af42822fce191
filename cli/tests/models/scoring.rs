//! `syndic score`, as a script calls it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use syndic_learning::{Metrics, Scoring as _};

use crate::{example, fitted, path, quick, released, sites, succeed, syndic};

/// A release and a table of its first rows, one of which `bend` may change, in a new folder.
struct Setting {
    folder: tempfile::TempDir,
    run: PathBuf,
    table: PathBuf,
}

impl Setting {
    fn new(rows: usize, bend: impl Fn(usize, String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = released(&folder.path().join("run"), &fitted(&quick()));
        let table = folder.path().join("rows.csv");
        let lines: Vec<String> = text().lines().take(rows + 1).map(str::to_owned).collect();
        let lines = lines.into_iter().enumerate().map(|(line, text)| bend(line + 1, text));
        std::fs::write(&table, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
        Self { folder, run, table }
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let arguments = ["score", "--model", path(&self.run), "--table", path(&self.table)];
        arguments.into_iter().chain(more.iter().copied()).collect()
    }
}

/// The example's table.
fn text() -> String {
    let file = std::fs::File::open(example("bank_marketing.csv.gz")).unwrap();
    std::io::read_to_string(flate2::read::MultiGzDecoder::new(file)).unwrap()
}

/// `first_rows.parquet` has the first 1,500 rows of the example's table, as pyarrow wrote them: numbers as numbers.
#[test]
fn rows_in_parquet_have_the_scores_of_the_same_rows_in_csv() {
    let setting = Setting::new(1500, |_, text| text);
    let parquet = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/first_rows.parquet");
    let scores = |table: &Path| {
        let arguments =
            ["score", "--model", path(&setting.run), "--table", path(table), "--id", "row_id", "--evaluate"];
        let out = setting.folder.path().join(table.extension().unwrap());
        let summary = succeed(&[&arguments[..], &["--json", "--out", path(&out)]].concat()).stdout;
        (std::fs::read_to_string(&out).unwrap(), String::from_utf8(summary).unwrap())
    };
    // What other programs have in the same folder for what is temporary stays.
    let shared = setting.folder.path().join("shared");
    std::fs::create_dir_all(shared.join(".tmpOTHER")).unwrap();
    let arguments = ["score", "--model", path(&setting.run), "--table", path(&parquet), "--quiet"];
    let status = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(arguments)
        .env("TMPDIR", &shared)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() && shared.join(".tmpOTHER").exists());
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 1, "and nothing of its own is left");
    let ours = scores(&parquet);
    assert_eq!(ours, scores(&setting.table));
    assert_eq!(ours.0.lines().count(), 1501);
}

#[test]
fn a_file_that_is_no_parquet_is_refused_by_its_name() {
    let setting = Setting::new(3, |_, text| text);
    let named = setting.folder.path().join("rows.parquet");
    std::fs::rename(&setting.table, &named).unwrap();
    let output = syndic(&["score", "--model", path(&setting.run), "--table", path(&named), "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "data.source-malformed");
    assert!(error["error"]["in"].as_str().unwrap().contains("rows.parquet"), "{error}");
}

/// In line 4 an age of 4711.
fn too_old(line: usize, text: String) -> String {
    if line != 4 {
        return text;
    }
    let mut cells: Vec<&str> = text.split(',').collect();
    cells[6] = "4711";
    cells.join(",")
}

#[test]
fn scores_are_those_of_the_library_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (job, model) = (quick(), fitted(&quick()));
    let run = released(&folder.path().join("run"), &model);
    let table = example("bank_marketing.csv.gz");
    let output = succeed(&["score", "--model", path(&run), "--table", path(&table), "--quiet"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut ours: Vec<u64> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap().parse::<f64>().unwrap().to_bits())
        .collect();
    let mut theirs: Vec<u64> =
        sites(&job).iter().flat_map(|site| model.score(&site.table).unwrap()).map(f64::to_bits).collect();
    // The library has the rows by institution.
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
    assert!(text.starts_with("line,probability\n2,"), "{}", &text[..40]);
}

#[test]
fn a_row_that_breaks_the_contract_ends_it_all_and_leaves_no_file() {
    let setting = Setting::new(8, too_old);
    let out = setting.folder.path().join("scores.csv");
    let output = syndic(&setting.arguments(&["--out", path(&out), "--json"]));
    assert_eq!(output.status.code(), Some(2));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "data.out-of-range");
    assert!(error["error"]["in"].as_str().unwrap().ends_with("rows.csv, line 4"), "{error}");
    assert!(!error.to_string().contains("4711"), "{error}");
    assert!(!out.exists());
}

#[test]
fn a_row_that_is_skipped_has_no_score_and_the_exit_code_says_so() {
    let setting = Setting::new(8, too_old);
    let out = setting.folder.path().join("scores.csv");
    let skip = ["--out", path(&out), "--on-error", "skip", "--id", "row_id", "--json"];
    let output = syndic(&setting.arguments(&skip));
    assert_eq!(output.status.code(), Some(2));
    let scores = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = scores.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[3]), (9, "row_id,probability", "2,"));
    assert!(lines[4].starts_with("3,0."), "{scores}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["scored"], &summary["refused"]), (&7.into(), &1.into()));
    let finding =
        serde_json::json!({"code": "data.out-of-range", "column": "age", "rows": 1, "first_lines": [4]});
    assert_eq!(summary["findings"], serde_json::json!([finding]));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "score.rows-refused");
    assert!(!format!("{summary}{error}").contains("4711"));
}

#[test]
fn a_table_that_lacks_a_column_is_refused_before_any_row() {
    let setting = Setting::new(3, |line, text| if line == 1 { text.replace("age", "years") } else { text });
    let output = syndic(&setting.arguments(&[]));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[data.column-missing]"));
}

#[test]
fn the_label_is_not_needed_and_not_read_unless_scores_are_measured() {
    let setting = Setting::new(50, |line, text| {
        let mut cells: Vec<&str> = text.split(',').collect();
        cells[5] = if line == 1 { "label" } else { "unheard" };
        cells.join(",")
    });
    succeed(&setting.arguments(&["--quiet"]));
    let output = syndic(&setting.arguments(&["--evaluate"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[data.unknown-label]"));
}

#[test]
fn measured_figures_are_the_exact_ones() {
    let setting = Setting::new(20_000, |_, text| text);
    let out = setting.folder.path().join("scores.csv");
    let output = succeed(&setting.arguments(&["--evaluate", "--json", "--out", path(&out)]));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scores = std::fs::read_to_string(&out).unwrap();
    let scores: Vec<f64> =
        scores.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    let table = std::fs::read_to_string(&setting.table).unwrap();
    let labels: Vec<bool> =
        table.lines().skip(1).map(|line| line.split(',').nth(5).unwrap() == "1").collect();
    let exact = Metrics::exact(&scores, &labels).unwrap();
    let figure = |name: &str| summary["evaluation"][name].as_f64().unwrap();
    assert!((figure("roc_auc") - exact.roc_auc.unwrap()).abs() < 1e-5, "{summary}");
    assert!((figure("pr_auc") - exact.pr_auc.unwrap()).abs() < 1e-4, "{summary}");
    assert!((figure("log_loss") - exact.log_loss).abs() < 1e-9, "{summary}");
    let squares =
        scores.iter().zip(&labels).map(|(score, &label)| (score - f64::from(u8::from(label))).powi(2));
    assert!((figure("brier") - squares.sum::<f64>() / 20_000.0).abs() < 1e-9, "{summary}");
    assert!((figure("ks") - separation(&scores, &labels)).abs() < 1e-3, "{summary}");
    assert_eq!(summary["evaluation"]["rows"], 20_000);
}

/// The largest difference between the shares of negatives and of positives that score no higher than some row.
fn separation(scores: &[f64], labels: &[bool]) -> f64 {
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = labels.iter().filter(|&&label| label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    let (mut below, mut largest) = (0.0, 0.0_f64);
    for tie in ranked.chunk_by(|a, b| a.0 == b.0) {
        below +=
            tie.iter().map(|&(_, label)| if label { -1.0 / positives } else { 1.0 / negatives }).sum::<f64>();
        largest = largest.max(f64::abs(below));
    }
    largest
}

#[test]
fn a_million_rows_need_no_more_memory_than_a_few() {
    let setting = Setting::new(1, |_, text| text);
    let table = std::fs::read_to_string(&setting.table).unwrap();
    let (header, row) = table.split_once('\n').unwrap();
    // What the program itself takes differs with what it was built for: the least that a few rows need.
    let few_in = |limit| from_standard_input(&setting.run, header, row, 10_000, limit);
    let (limit, few) = (1..64)
        .map(|step| step * STEP)
        .find_map(|limit| Some(few_in(limit)).filter(|few| few.status.success()).map(|few| (limit, few)))
        .unwrap();
    let many = from_standard_input(&setting.run, header, row, 1_000_000, limit + STEP);
    assert!(many.status.success(), "{}", String::from_utf8_lossy(&many.stderr));
    assert_eq!(String::from_utf8_lossy(&many.stdout).lines().count(), 1_000_000);
    assert_eq!(few.stdout, many.stdout[..few.stdout.len()]);
}

/// Scores the row so often in an address space of so many KiB.
fn from_standard_input(run: &Path, header: &str, row: &str, rows: usize, limit: u32) -> Output {
    let script =
        format!("ulimit -v {limit}; exec \"$0\" score --model \"$1\" --table - --quiet --format jsonl");
    let mut process = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_syndic"), path(run)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut block = String::new();
    (0..1000).for_each(|_| writeln!(block, "{}", row.trim_end()).unwrap());
    let header = header.to_owned() + "\n";
    let writer = std::thread::spawn(move || {
        // Whoever finds no room reads no further.
        let blocks = (0..rows / 1000).map(|_| block.as_bytes());
        let mut written = [header.as_bytes()].into_iter().chain(blocks).map(|bytes| input.write_all(bytes));
        written.all(|written| written.is_ok())
    });
    let output = process.wait_with_output().unwrap();
    let all_written = writer.join().unwrap();
    assert!(all_written || !output.status.success(), "it ended before its input did");
    output
}

/// In KiB. The million rows are 120 MB of text, and 80 MB as typed values.
const STEP: u32 = 16 << 10;
