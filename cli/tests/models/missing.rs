//! Models of contracts with nullable columns in onnxruntime: a missing number is NaN there, and a missing level the empty text. All
//! levels that are not listed are one in them.

use std::fmt::Write as _;
use std::path::Path;

use super::onnx::{compared, python, report_with_other_levels};
use super::*;
use syndic_learning::ColumnKind;

#[test]
fn models_score_rows_with_missing_values_as_in_onnxruntime() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("gaps.csv");
    std::fs::write(&table, with_gaps()).unwrap();
    for (position, program) in [
        "name = \"logistic-regression\"\nsolver = \"newton\"",
        "name = \"neural-network\"\nhidden = [8]\nlearning_rate = 0.1",
        "name = \"neural-network\"\nhidden = [8]\nembedding = 3\nlearning_rate = 0.1",
        "name = \"scorecard\"",
        "name = \"boosted-trees\"\ndepth = 5",
    ]
    .into_iter()
    .enumerate()
    {
        let model = fitted_with_gaps(&job(program, 5), &table);
        let here = folder.path().join(position.to_string());
        std::fs::create_dir_all(&here).unwrap();
        let found = compared(&python, &here, &model, &table);
        assert!(found["rows"].as_u64().unwrap() > 4_000, "{found}");
        report_with_other_levels(&format!("{} with missing values", model.program()), &found);
    }
}

/// The model of every row of the table, under the contract of the job with all columns nullable.
fn fitted_with_gaps(job: &Job, table: &Path) -> Model {
    let mut job = job.clone();
    for column in &mut job.contract.columns {
        column.nullable = true;
        // Of more than two levels the last that are listed are so no longer.
        if let ColumnKind::Categorical { levels } = &mut column.kind
            && levels.len() > 2
        {
            levels.retain(|level| level != "other");
            levels.truncate(2);
            levels.push("other".into());
            column.other = true;
        }
    }
    let columns = Columns {
        site: "site".into(),
        fold: "fold".into(),
        test_fold: "0".into(),
        validation_fold: None,
        participants: None,
    };
    let sites = load::load(&Source::File(table.into()), &columns, &job.contract).unwrap();
    let tables: Vec<&Table> = sites.iter().map(|site| &*site.table).collect();
    assert!(tables[0].missing().iter().all(|&(_, rows)| rows > 0), "{:?}", tables[0].missing());
    assert!(tables[0].others().iter().any(|&(_, rows)| rows > 0), "{:?}", tables[0].others());
    fit(&job, &tables).unwrap()
}

/// Every tenth row of the example, with one in seven cells empty.
fn with_gaps() -> String {
    let contract = job("name = \"scorecard\"", 1).contract;
    let source = Source::File(example("bank_marketing.csv.gz"));
    let mut rows = source.rows().unwrap();
    let header: Vec<String> = rows.header().to_vec();
    let is_input = |name: &str| contract.columns.iter().any(|column| column.name == name);
    let mut text = header.join(",") + "\n";
    while let Some((line, row)) = rows.next_row().unwrap() {
        if !line.is_multiple_of(10) {
            continue;
        }
        let cell = |(column, cell): (usize, &str)| {
            let is_gap = is_input(&header[column]) && (line / 10 + 3 * column as u64).is_multiple_of(7);
            if is_gap { String::new() } else { cell.to_owned() }
        };
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        writeln!(text, "{}", cells.join(",")).unwrap();
    }
    text
}
