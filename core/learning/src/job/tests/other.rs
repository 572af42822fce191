//! Columns that count all levels that are not listed as one.

use super::*;
use crate::{Batch, ColumnKind, Contract, Model, Role, Scoring as _, Table, TableBuilder};

const OTHER: &str = "levels = [\"office\", \"field\"]\nother = true";

/// The file whose column `job` lists two levels and counts all others as one.
fn file() -> String {
    FILE.replacen("levels = [\"office\", \"field\", \"none\"]", OTHER, 1)
}

fn contract() -> Contract {
    Job::from_toml(&file()).unwrap().contract
}

fn read(contract: &Contract, jobs: &[&str]) -> Table {
    let mut builder = TableBuilder::new(contract, &["age", "job", "label"]).unwrap();
    for (row, job) in (0..).zip(jobs) {
        let age = (18 + 7 * row % 60).to_string();
        builder.push(row, &[&age, job, if row % 3 == 0 { "1" } else { "0" }], Role::Train);
    }
    builder.finish().unwrap()
}

const JOBS: [&str; 9] = ["office", "field", "pilot", " office ", "other", "nurse", "field", "none", "office"];

#[test]
fn all_others_are_a_level_that_is_read_and_written_again_and_other_contracts_keep_their_bytes() {
    let job = Job::from_toml(&file()).unwrap();
    let column = &job.contract.columns[1];
    let levels = ["office", "field", "other"].map(String::from).to_vec();
    assert_eq!((&column.kind, column.other), (&ColumnKind::Categorical { levels }, true));
    assert_eq!(job.contract.input_names()[1..], ["job=office", "job=field", "job=other"]);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
    crate::job::parse_contract::check(&job.contract).unwrap();
    let plain = serde_json::to_string(&Job::from_toml(FILE).unwrap()).unwrap();
    assert!(!plain.contains("other"), "{plain}");
    // Listing the same levels says something else of all others.
    let listed = file().replacen(OTHER, "levels = [\"office\", \"field\", \"other\"]", 1);
    assert_ne!(Job::from_toml(&listed).unwrap().contract.digest(), job.contract.digest());
}

#[test]
fn what_is_listed_is_not_called_as_all_others_are_and_numbers_have_no_levels() {
    let listed = ("levels = [\"office\", \"field\", \"none\"]", "levels = [\"other\"]\nother = true");
    assert_eq!(errors(listed.0, listed.1), [("contract.bad-level", line_of("levels ="))]);
    assert_eq!(errors("max = 100", "max = 100\nother = true")[0].0, "contract.wrong-kind");
    assert_eq!(errors(listed.0, "levels = []\nother = true")[0].0, "contract.empty-vocabulary");
    let many: Vec<String> = (0..4096).map(|level| format!("\"{level}\"")).collect();
    let many = |other: bool| format!("levels = [{}]\nother = {other}", many.join(", "));
    assert_eq!(errors(listed.0, &many(true))[0].0, "contract.too-many-levels");
    assert!(Job::from_toml(&FILE.replacen(listed.0, &many(false), 1)).is_ok());
}

#[test]
fn levels_that_are_not_listed_are_counted_together_and_empty_cells_are_not() {
    let mut contract = contract();
    let table = read(&contract, &JOBS);
    assert_eq!(table.others(), [("job", 4)]);
    let crate::table::Values::Categorical(jobs) = &table.columns()[1] else { panic!("levels") };
    assert!(jobs.iter().eq(&[0, 1, 2, 0, 2, 2, 1, 2, 0]));
    let empty = |contract: &Contract| {
        let mut builder = TableBuilder::new(contract, &["age", "job", "label"]).unwrap();
        builder.push(2, &["30", " ", "1"], Role::Train);
        builder.finish().map(|table| (table.others()[0].1, table.missing().first().map(|of| of.1)))
    };
    assert_eq!(empty(&contract).unwrap_err().findings[0].code(), "data.empty-cell");
    contract.columns[1].nullable = true;
    assert_eq!(empty(&contract).unwrap(), (0, Some(1)));
    assert!(read(&Job::from_toml(FILE).unwrap().contract, &["office", "field"]).others().is_empty());
}

/// A model of the rows, whose weight of all others is not that of anything else.
fn model(contract: &Contract) -> Model {
    let table = read(contract, &JOBS);
    Model::Linear(crate::reference::fit_linear(&[&table], 1e-2, crate::job::Encoding::AllLevels).unwrap())
}

#[test]
fn a_model_scores_a_level_that_nobody_had_as_any_other() {
    let contract = contract();
    let model = model(&contract);
    let score = |job: &str| {
        let mut batch = Batch::new(&contract, &["age", "job"], false).unwrap();
        batch.push(&["40", job]).unwrap();
        model.score(batch.table()).unwrap()[0]
    };
    assert_eq!(score("astronaut"), score("other"));
    assert_ne!(score("astronaut"), score("field"));
}
