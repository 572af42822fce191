//! What becomes of a released model: `syndic model export` against onnxruntime, `syndic score` against the library, and what
//! both believe of where a model comes from.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod missing;
mod onnx;
mod provenance;
mod scorecards;
mod scoring;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use syndic::sandbox::{Columns, Site, Source, load};
use syndic_learning::reference::fit;
use syndic_learning::{Job, Model, Table};

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing").join(file)
}

/// The example job with this program.
fn job(program: &str, rounds: u32) -> Job {
    let text = std::fs::read_to_string(example("job.toml")).unwrap();
    let (before, rest) = text.split_once("[program]").unwrap();
    let (_, after) = rest.split_once("[rounds]").unwrap();
    let mut job = Job::from_toml(&format!("{before}[rounds]{after}\n[program]\n{program}\n")).unwrap();
    job.rounds.count = rounds;
    job
}

fn sites(job: &Job) -> Vec<Site> {
    let columns = Columns {
        site: "site".into(),
        fold: "fold".into(),
        test_fold: "0".into(),
        validation_fold: None,
        participants: None,
    };
    load::load(&Source::File(example("bank_marketing.csv.gz")), &columns, &job.contract).unwrap()
}

/// The model of all rows in one place.
fn fitted(job: &Job) -> Model {
    let sites = sites(job);
    let tables: Vec<&Table> = sites.iter().map(|site| &*site.table).collect();
    fit(job, &tables).unwrap()
}

/// The two files of a release in a new folder.
fn released(folder: &Path, model: &Model) -> PathBuf {
    let weights = model.to_safetensors().unwrap();
    let card = model.card(&weights, BTreeMap::from([("job".to_owned(), "bank-marketing".into())]));
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("model.safetensors"), &weights).unwrap();
    std::fs::write(folder.join("model.json"), serde_json::to_string(&card).unwrap()).unwrap();
    folder.into()
}

fn quick() -> Job {
    job("name = \"logistic-regression\"\nsolver = \"newton\"", 20)
}

fn syndic(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syndic")).args(arguments).env_remove("SYNDIC_LOG").output().unwrap()
}

fn succeed(arguments: &[&str]) -> Output {
    let output = syndic(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
