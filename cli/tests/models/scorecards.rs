//! What a released scorecard says beside a probability, and what is said of its files.

use serde_json::Value;

use crate::{example, fitted, job, path, released, succeed, syndic};

#[test]
fn a_scorecard_gives_points_beside_each_probability() {
    let folder = tempfile::tempdir().unwrap();
    let job = job("name = \"scorecard\"", 20);
    let model = fitted(&job);
    let run = released(&folder.path().join("run"), &model);
    let table = example("bank_marketing.csv.gz");
    let output = succeed(&["score", "--model", path(&run), "--table", path(&table), "--quiet"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("line,probability,points\n2,"), "{}", &text[..40]);
    let cell = |line: &str, position: usize| line.split(',').nth(position).unwrap().to_owned();
    let mut ours: Vec<i64> = text.lines().skip(1).map(|line| cell(line, 2).parse().unwrap()).collect();
    let scorecard = model.scorecard().unwrap();
    let mut theirs: Vec<i64> = crate::sites(&job)
        .iter()
        .flat_map(|site| {
            let all: Vec<usize> = (0..site.table.rows()).collect();
            scorecard.points(&site.table, &all).unwrap()
        })
        .collect();
    // The library has the rows by institution.
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
    assert!(ours.first() < ours.last());

    let few = folder.path().join("few.csv");
    let names: Vec<&str> = job.contract.columns.iter().map(|column| column.name.as_str()).collect();
    std::fs::write(&few, format!("{}\n{}\n", names.join(","), vec!["none"; names.len()].join(","))).unwrap();
    let skip = ["score", "--model", path(&run), "--table", path(&few), "--on-error", "skip"];
    let csv = syndic(&skip).stdout;
    assert_eq!(String::from_utf8(csv).unwrap(), "line,probability,points\n2,,\n");
    let lines = syndic(&[&skip[..], &["--format", "jsonl"]].concat()).stdout;
    assert_eq!(String::from_utf8(lines).unwrap(), "{\"line\":2,\"probability\":null,\"points\":null}\n");
}

#[test]
fn a_model_is_named_by_its_folder_or_by_either_file() {
    let folder = tempfile::tempdir().unwrap();
    let run = released(&folder.path().join("run"), &fitted(&crate::quick()));
    let table = example("bank_marketing.csv.gz");
    let scored = |model: &std::path::Path| {
        succeed(&["score", "--model", path(model), "--table", path(&table), "--quiet"]).stdout
    };
    let of_folder = scored(&run);
    assert_eq!(scored(&run.join("model.safetensors")), of_folder);
    assert_eq!(scored(&run.join("model.json")), of_folder);
}

#[test]
fn a_changed_points_table_is_no_verified_model_and_the_card_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = released(&folder.path().join("run"), &fitted(&job("name = \"scorecard\"", 20)));
    let card = run.join("model.json");
    let text = std::fs::read_to_string(&card).unwrap();
    let refused = |bend: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        bend(&mut value);
        std::fs::write(&card, value.to_string()).unwrap();
        let table = example("bank_marketing.csv.gz");
        let output = syndic(&["score", "--model", path(&run), "--table", path(&table), "--json"]);
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        let told = |key: &str| error["error"][key].as_str().unwrap().to_owned();
        (output.status.code(), told("code"), told("in"))
    };
    let place = card.display().to_string();

    let points = refused(&|card| {
        let bin = &mut card["scorecard"]["columns"][0]["bins"][0];
        bin["points"] = (bin["points"].as_i64().unwrap() + 1).into();
    });
    assert_eq!(points, (Some(4), "model.table-mismatch".into(), place.clone()));
    let schema = refused(&|card| card["schema"] = "syndic.model/0".into());
    assert_eq!(schema, (Some(2), "model.card".into(), place));
}
