//! `syndic sandbox` with one trainer for all institutions: what it is given, what comes of it, and how runs end that have none,
//! or another.

use std::fmt::Write as _;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use syndic_proto::trainer::v1::{TrainPart, train_part};

use crate::run::examples;
use crate::scripted::{NAME, Script, Scripted, Step, scores, training_rows, update};

const SITES: [&str; 3] = ["north", "south", "west"];
const ROUNDS: usize = 2;
/// Two positives among five rows of every site and fold.
const ROWS: usize = 300;

/// A job for a scripted trainer, with a file name of its own.
fn job(folder: &Path, name: &str, program: &str) -> PathBuf {
    let small = include_str!("../../src/sandbox/small.toml");
    let (before, rest) = small.split_once("[program]").unwrap();
    let (_, after) = rest.split_once("[rounds]").unwrap();
    let after = after.replace("count = 4", &format!("count = {ROUNDS}"));
    let path = folder.join(name);
    std::fs::write(&path, format!("{before}[program]\n{program}\n[rounds]{after}")).unwrap();
    path
}

fn program(trainer: &str) -> String {
    format!(
        "name = \"external\"\ntrainer = \"{trainer}\"\nclip = 1\ntensors = [{{ name = \"w\", shape = [2] }}]"
    )
}

fn table(folder: &Path) -> PathBuf {
    let mut text = String::from("age,job,label,site,fold\n");
    for row in 0..ROWS {
        let (job, site) = (["office", "field"][row % 2], SITES[row % 3]);
        let (fold, positive) = (row / 3 % 5, row / 15 % 5 < 2);
        let _ = writeln!(text, "{},{job},{},{site},{fold}", 20 + row % 60, u8::from(positive));
    }
    let path = folder.join("table.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn sandbox(folder: &Path, jobs: &[&Path], more: &[&str]) -> Output {
    let jobs = jobs.iter().flat_map(|job| ["--job".as_ref(), job.as_os_str()]);
    Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["sandbox", "--json", "--quiet", "--site-column", "site", "--fold-column", "fold"])
        .args(["--test-fold", "0", "--table"])
        .arg(table(folder))
        .arg("--out")
        .arg(folder.join("out"))
        .args(jobs)
        .args(more)
        .env_remove("SYNDIC_LOG")
        .output()
        .unwrap()
}

/// The same with one job for the scripted trainer.
fn sandboxed(folder: &Path, trainer: &Scripted, more: &[&str]) -> Output {
    let job = job(folder, "job.toml", &program(NAME));
    let socket = format!("unix:{}", trainer.socket().display());
    sandbox(folder, &[&job], &[&["--trainer", &socket], more].concat())
}

/// Moves the first number by a step, and the second by nothing.
fn moving() -> Script {
    Script::idle(2).training(vec![Step::Say(update(0, &[STEP, 0.0]))])
}

fn error(output: &Output) -> (Option<i32>, String) {
    let told: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| {
        panic!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    let error = &told["error"];
    assert!(error["help"].is_string(), "{told}");
    (output.status.code(), error["code"].as_str().unwrap().to_owned())
}

/// The first number that a request to train brought, and how many rows.
fn first_and_rows(parts: &[TrainPart]) -> (f64, usize) {
    let first = parts.iter().find_map(|part| match &part.part {
        Some(train_part::Part::Parameters(of)) => of.values.first_chunk().copied().map(f64::from_le_bytes),
        _ => None,
    });
    (first.unwrap(), training_rows(parts).iter().map(|part| part.rows as usize).sum())
}

#[test]
fn one_trainer_trains_for_every_institution_in_turn_then_for_all_rows_then_for_each_alone() {
    let folder = tempfile::tempdir().unwrap();
    let trainer = moving().start();
    let ran = sandboxed(folder.path(), &trainer, &[]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    let result: Value = serde_json::from_slice(&ran.stdout).unwrap();
    // Every row has the same score.
    for model in ["federated", "pooled"] {
        assert_eq!(result["metrics"][model]["roc_auc"], 0.5, "{result}");
    }
    let alone: Vec<&String> = result["metrics"]["alone"].as_object().unwrap().keys().collect();
    assert_eq!(alone, SITES);
    let heard = trainer.heard().training.lock().unwrap();
    let asked: Vec<(f64, usize)> = heard.iter().map(|parts| first_and_rows(parts)).collect();
    let (training, sites) = (ROWS * 4 / 5, SITES.len());
    assert_eq!(asked.len(), ROUNDS * (sites + 1 + sites), "{asked:?}");
    let (federated, beside) = asked.split_at(ROUNDS * sites);
    assert!(federated.iter().all(|(_, rows)| *rows == training / sites), "{asked:?}");
    // All rows in one place, then each institution alone: from where the job starts, by the whole step.
    let rows = [training, training / sites, training / sites, training / sites];
    let expected: Vec<(f64, usize)> = rows.iter().flat_map(|&rows| [(0.0, rows), (STEP, rows)]).collect();
    assert_eq!(beside, expected);
    let scoring = trainer.heard().scoring.lock().unwrap();
    assert!(!scoring.is_empty());
    let weights = std::fs::read(folder.path().join("out/model.safetensors")).unwrap();
    let card = std::fs::read_to_string(folder.path().join("out/model.json")).unwrap();
    let syndic_learning::Model::External(model) = syndic_learning::Model::load(&weights, &card).unwrap().0
    else {
        panic!("an external model")
    };
    let close = (model.state.parameters[0] - 2.0 * STEP).abs() < 1e-4;
    assert!(close, "{:?}: the updates are weighted and summed", model.state.parameters);
}

#[test]
fn rows_are_compared_by_groups_and_validated_by_the_trainer_too() {
    let folder = tempfile::tempdir().unwrap();
    let trainer = moving().start();
    let path = job(folder.path(), "job.toml", &program(NAME));
    let text = std::fs::read_to_string(&path).unwrap();
    let more = "\n[fairness]\ngroups = [{ column = \"job\" }]\n\n[drift]\n";
    std::fs::write(&path, text + more).unwrap();
    let socket = trainer.socket().display().to_string();
    let more = ["--trainer", &socket, "--validation-fold", "1", "--compare", "pooled"];
    let ran = sandbox(folder.path(), &[&path], &more);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let result: Value = serde_json::from_slice(&ran.stdout).unwrap();
    for of in ["fairness", "drift"] {
        assert!(result[of]["federated"].is_object() && result[of]["pooled"].is_object(), "{of}: {result}");
    }
    assert_eq!(result["metrics"]["alone"].as_object().unwrap().len(), 0);
    let training = trainer.heard().training.lock().unwrap();
    assert_eq!(training.len(), ROUNDS * (SITES.len() + 1));
}

#[test]
fn a_run_without_its_trainer_or_with_another_hands_over_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = job(folder.path(), "wanted.toml", &program(NAME));
    let other = job(folder.path(), "other.toml", &program("another/1"));
    let own = job(folder.path(), "own.toml", "name = \"logistic-regression\"\nsolver = \"fed-avg\"");
    let trainer = moving().start();
    let socket = trainer.socket().display().to_string();
    let nobody = folder.path().join("nobody").display().to_string();
    for (jobs, more, expected) in [
        (vec![&wanted], vec![], (2, "sandbox.external-trainer")),
        (vec![&own, &wanted], vec![], (2, "sandbox.external-trainer")),
        (vec![&own], vec!["--trainer", &*socket], (2, "options.trainer")),
        (vec![&wanted, &other], vec!["--trainer", &*socket], (2, "options.trainer")),
        (vec![&other], vec!["--trainer", &*socket], (2, "trainer.other")),
        (vec![&wanted], vec!["--trainer", &*nobody], (3, "trainer.unreachable")),
    ] {
        let jobs: Vec<&Path> = jobs.into_iter().map(PathBuf::as_path).collect();
        let ended = error(&sandbox(folder.path(), &jobs, &more));
        assert_eq!(ended, (Some(expected.0), expected.1.to_owned()), "{jobs:?} {more:?}");
        assert!(!folder.path().join("out").exists(), "{expected:?}");
    }
    assert!(trainer.heard().training.lock().unwrap().is_empty());
    let mut unable = moving();
    unable.description.scores = false;
    let unable = unable.start();
    assert_eq!(error(&sandboxed(folder.path(), &unable, &[])), (Some(2), "trainer.unable".into()));
}

#[test]
fn a_socket_that_others_could_use_is_not_used_by_the_sandbox_either() {
    let folder = tempfile::tempdir().unwrap();
    let trainer = moving().start();
    let set = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
    set(&trainer.socket(), 0o666);
    set(trainer.socket().parent().unwrap(), 0o755);
    let ended = error(&sandboxed(folder.path(), &trainer, &[]));
    assert_eq!(ended, (Some(2), "trainer.unsafe-socket".into()));
    assert!(trainer.heard().training.lock().unwrap().is_empty());
}

#[test]
fn a_trainer_that_fails_ends_the_run_with_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let trainer = moving().training(vec![Step::Refuse("no memory")]).start();
    let ran = sandboxed(folder.path(), &trainer, &[]);
    assert_eq!(error(&ran), (Some(1), "job.abandoned".into()));
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(told.contains("trainer"), "{told}");
    assert!(folder.path().join("out/abandoned.json").exists());

    // The federation comes to its end, and what it is to be compared with does not.
    let folder = tempfile::tempdir().unwrap();
    let well = moving().train;
    let until_then = move |before| match before < ROUNDS * SITES.len() {
        true => well(before),
        false => vec![Step::Refuse("too many rows")],
    };
    let trainer = Script { train: Arc::new(until_then), ..moving() }.start();
    let ran = sandboxed(folder.path(), &trainer, &[]);
    assert_eq!(error(&ran), (Some(3), "trainer.refused".into()));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("too many rows"));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn several_jobs_share_the_trainer_of_those_that_need_one() {
    let folder = tempfile::tempdir().unwrap();
    let outside = job(folder.path(), "outside.toml", &program(NAME));
    let own = job(folder.path(), "own.toml", "name = \"logistic-regression\"\nsolver = \"fed-avg\"");
    let trainer = Script { score: Arc::new(|rows| vec![Step::Say(scores(&vec![0.25; rows]))]), ..moving() };
    let trainer = trainer.start();
    let socket = trainer.socket().display().to_string();
    let more = ["--trainer", &socket, "--compare", "pooled"];
    let ran = sandbox(folder.path(), &[&outside, &own], &more);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let compared = std::fs::read(folder.path().join("out/comparison.json")).unwrap();
    let compared: Value = serde_json::from_slice(&compared).unwrap();
    let names: Vec<&str> =
        compared["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["outside", "own"]);
}

/// The command of docs/programs/external.md, on its own example.
#[test]
fn the_documented_command_trains_the_example_in_python() {
    let Some(python) = crate::python::python() else { return };
    let page = std::fs::read_to_string(examples().join("../docs/programs/external.md")).unwrap();
    let lines: Vec<&str> = page.lines().map(str::trim).collect();
    let start = lines.iter().position(|line| line.starts_with("syndic sandbox ")).unwrap();
    let command = lines[start..].iter().scan(true, |goes_on, line| {
        let now = *goes_on;
        *goes_on = line.ends_with('\\');
        now.then(|| line.trim_end_matches('\\'))
    });
    let command: Vec<String> = command.flat_map(str::split_whitespace).skip(1).map(String::from).collect();
    let trainer = crate::python::Python::start(&python);
    let folder = tempfile::tempdir().unwrap();
    // The page's folder is the example's, with the table beside the job and the trainer's socket below it.
    for (from, to) in [
        ("external-trainer/job.toml", "job.toml"),
        ("bank-marketing/bank_marketing.csv.gz", "bank_marketing.csv.gz"),
    ] {
        std::fs::copy(examples().join(from), folder.path().join(to)).unwrap();
    }
    std::os::unix::fs::symlink(trainer.folder(), folder.path().join("trainer")).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(command)
        .args(["--participants", "3", "--rounds", "2", "--compare", "pooled", "--json", "--quiet"])
        .current_dir(folder.path())
        .env_remove("SYNDIC_LOG")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let result: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let auc = |model: &str| result["metrics"][model]["roc_auc"].as_f64().unwrap();
    println!("federated {} pooled {}", auc("federated"), auc("pooled"));
    assert!(auc("pooled") > 0.75 && (auc("federated") - auc("pooled")).abs() < 0.02, "{result}");
}

const STEP: f64 = 0.25;
