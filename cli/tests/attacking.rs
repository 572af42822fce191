//! `syndic attack` as a person calls it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const JOB: &str = include_str!("../src/sandbox/small.toml");
const WITHOUT: &str = "solver = \"newton\"";
const WITH: &str = "solver = \"noisy-gradient\"";

fn job(solver: &str, privacy: &str) -> String {
    let job = JOB.replacen("solver = \"fed-avg\"", solver, 1).replacen("count = 4", "count = 20", 1);
    job.replacen("mode = \"none\"", privacy, 1)
}

/// A job and a table of three sites in a folder.
struct Folder {
    folder: tempfile::TempDir,
    job: PathBuf,
    table: PathBuf,
}

impl Folder {
    fn new(solver: &str, privacy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (job_file, table) = (folder.path().join("job.toml"), folder.path().join("table.csv"));
        std::fs::write(&job_file, job(solver, privacy)).unwrap();
        let mut text = String::from("age,label,job,site,fold\n");
        for row in 0..600_u64 {
            // A fixed scramble in place of a random generator.
            let noise = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            let (age, office) = (20 + noise % 60, noise / 64 % 2 == 0);
            let positive = u8::from(age + if office { 15 } else { 0 } + noise / 4096 % 40 > 80);
            let job = if office { "office" } else { "field" };
            let _ = writeln!(text, "{age},{positive},{job},bank{},{}", row % 3, row / 3 % 5);
        }
        std::fs::write(&table, text).unwrap();
        Self { job: job_file, table, folder }
    }

    fn attack(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_syndic"))
            .args(["attack", "--site-column", "site", "--fold-column", "fold", "--test-fold", "0"])
            .args(["--games", "4", "--rows", "200"])
            .arg("--job")
            .arg(&self.job)
            .arg("--table")
            .arg(&self.table)
            .args(more)
            .env_remove("CARGO")
            .output()
            .expect("the binary was built")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn told(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn refusal(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"].clone()
}

fn figure(run: &Value, sees: &str, figure: &str) -> f64 {
    let attack = run["membership"].as_array().unwrap().iter().find(|attack| attack["sees"] == sees).unwrap();
    attack[figure]["mean"].as_f64().unwrap()
}

#[test]
fn the_same_job_is_attacked_with_and_without_noise_and_drawn() {
    let noise = "mode = \"record-level\"\nepsilon = 1.0\ndelta = 1e-5\nnoise = \"local\"";
    let folder = Folder::new(WITH, noise);
    let picture = folder.path("curves.svg");
    let plot = picture.to_str().unwrap();
    let report = told(&folder.attack(&["--compare-noise", "--plot", plot, "--json"]));
    assert_eq!((&report["schema"], &report["rows"]), (&"syndic.attack/1".into(), &480.into()));
    let [without, with] = [0, 1].map(|run| &report["runs"][run]);
    assert!(without["bound"].is_null() && with["bound"]["epsilon"].as_f64().unwrap() <= 1.0);
    assert_eq!(without["membership"].as_array().unwrap().len(), 5);
    assert!(figure(without, "update", "auc") > figure(with, "update", "auc") + 0.02, "{report}");
    // One row alone: read in the clear, and guessed at with noise.
    let read =
        |run: &Value, kind: usize| run["inversion"][kind]["read"][0]["update"]["levels"].as_f64().unwrap();
    assert_eq!(read(without, 1), 1.0, "{report}");
    assert!(read(with, 0) < 0.9, "{report}");
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg "));
}

#[test]
fn the_same_seed_finds_the_same_and_another_something_else() {
    let folder = Folder::new(WITHOUT, "mode = \"none\"");
    let [a, b, c] = ["1", "1", "2"].map(|seed| told(&folder.attack(&["--seed", seed, "--json"])));
    assert_eq!(a, b);
    assert_ne!(a["runs"], c["runs"]);
}

#[test]
fn a_person_is_told_what_it_comes_to() {
    let output = Folder::new(WITHOUT, "mode = \"none\"").attack(&["--quiet"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["480 training rows of 3 institutions", "LiRA, online", "that row alone", "Chance is 50 %"] {
        assert!(flat.contains(part), "{part}: {text}");
    }
    assert!(output.stderr.is_empty());
}

#[test]
fn what_cannot_be_compared_or_drawn_is_refused_before_anything_long() {
    let folder = Folder::new(WITHOUT, "mode = \"none\"");
    let error = refusal(&folder.attack(&["--compare-noise", "--json"]));
    assert_eq!((&error["code"], &error["in"]), (&"attack.no-noise".into(), &"--compare-noise".into()));
    let picture = folder.path("there.svg");
    std::fs::write(&picture, "").unwrap();
    let error = refusal(&folder.attack(&["--plot", picture.to_str().unwrap(), "--json"]));
    assert_eq!(error["code"], "file.exists");
    assert!(Path::new(&picture).metadata().unwrap().len() == 0);
}
