//! Every rule of a contract broken in turn: the report, the refusal and the remedy, and never what stands in a cell.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use crate::support::contract;
use syndic_learning::{ColumnKind, Job};
use syndic_participant::data::{FileSource, Rules, Source, Split};

/// What a refusal says, with the debug form: neither may hold a value.
fn refusal(text: &str, rules: Rules) -> (&'static str, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, text).unwrap();
    let error = Source::File(FileSource { file, rules }).load(&contract(6)).unwrap_err();
    (error.code(), format!("{error}\n{error:?}\n{}", error.help()))
}

#[test]
fn every_rule_broken_is_reported_by_code_and_line_and_never_by_value() {
    let good = "age,job,label\n30,office,1\n40,field,0\n";
    // 4711 stands for somebody's value wherever there can be one.
    for (code, text, line) in [
        ("data.column-missing", good.replace("job", "4711"), None),
        ("data.column-repeated", good.replace("job", "age"), None),
        ("data.row-width", format!("{good}30,office,1,4711\n"), Some(4)),
        ("data.empty-cell", format!("{good}30,,1\n"), Some(4)),
        ("data.not-a-number", format!("{good}x4711,office,1\n"), Some(4)),
        ("data.not-finite", format!("{good}inf,office,1\n"), Some(4)),
        ("data.out-of-range", format!("{good}4711,office,1\n"), Some(4)),
        ("data.unknown-level", format!("{good}30,4711,1\n"), Some(4)),
        ("data.unknown-label", format!("{good}30,office,4711\n"), Some(4)),
        ("data.too-many-rows", good.to_owned() + &"47,office,1\n".repeat(5), None),
        ("data.empty", "age,job,label\n".into(), None),
    ] {
        let (found, told) = refusal(&text, Rules::default());
        assert_eq!(found, code, "{told}");
        assert!(!told.contains("4711") && !told.contains("47,"), "{code}: {told}");
        if let Some(line) = line {
            assert!(told.contains(&format!("1 row, first {line}")), "{code}: {told}");
        }
    }
    let test = vec!["office".into(), "field".into()];
    let split = Some(Split { column: "job".into(), test, validation: Vec::new() });
    assert_eq!(refusal(good, Rules { split, ..Rules::default() }).0, "data.no-training-rows");
}

#[test]
fn customers_are_counted_and_in_no_report_of_those_who_have_too_many_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap();
    // A column of the table that is no input stands for their numbers.
    job.contract.customer = Some("consented".into());
    let path = folder.path().join("job.toml");
    std::fs::write(&path, job.to_toml().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let of = |customers: [&'static str; 6], part: [&'static str; 6]| {
        table(move |row, name, value| match name {
            "consented" => customers[row].into(),
            "fold" => part[row].into(),
            _ => value,
        })
    };
    let (apart, all) = (["c4711", "c4712", "c4713", "c4714", "c4715", "c4716"], ["9"; 6]);
    let fits = check_under(path, folder.path(), &of(apart, all), "", true);
    let told: serde_json::Value = serde_json::from_slice(&fits.stdout).unwrap();
    assert_eq!((told["fits"].as_bool(), told["customers"].as_u64()), (Some(true), Some(6)), "{told}");
    let plain = check_under(path, folder.path(), &of(apart, all), "", false);
    assert!(
        String::from_utf8_lossy(&plain.stdout).contains("customers: 6, none of them with more than 1 row")
    );
    for (customers, part, code, line) in [
        (["c4711", "c4712", "c4711", "c4714", "c4715", "c4716"], all, "data.customer-repeated", 4),
        (["c4711", "c4712", "c4713", "c4714", "c4715", " "], all, "data.no-customer", 7),
        (
            ["c4711", "c4712", "c4713", "c4712", "c4715", "c4716"],
            ["9", "9", "9", "0", "9", "9"],
            "data.customer-divided",
            5,
        ),
    ] {
        for json in [false, true] {
            let refused = check_under(path, folder.path(), &of(customers, part), "", json);
            let told = format!(
                "{}{}",
                String::from_utf8_lossy(&refused.stdout),
                String::from_utf8_lossy(&refused.stderr)
            );
            assert_eq!(refused.status.code(), Some(2), "{told}");
            assert!(told.contains(code) && told.contains(&format!("1 row, first {line}")), "{code}: {told}");
            assert!(!told.contains("471"), "{told}");
        }
    }
}

#[test]
fn levels_that_are_not_listed_are_counted_where_they_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = table(|row, name, value| match (row, name) {
        (_, "fold") => "9".into(),
        (1 | 4, "job") => "pilot-4711".into(),
        _ => value,
    });
    let refused = check(folder.path(), &text, "", false);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("error[data.unknown-level]"), "{refused:?}");
    let mut job = Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap();
    let column = job.contract.columns.iter_mut().find(|column| column.name == "job").unwrap();
    let ColumnKind::Categorical { levels } = &mut column.kind else { panic!("levels") };
    levels.push("other".into());
    column.other = true;
    let path = folder.path().join("job.toml");
    std::fs::write(&path, job.to_toml().unwrap()).unwrap();
    for json in [false, true] {
        let fits = check_under(path.to_str().unwrap(), folder.path(), &text, "", json);
        let told = String::from_utf8(fits.stdout).unwrap();
        let found = if json { r#""other":{"job":2}"# } else { "that is not listed, by column: job 2" };
        assert!(told.contains(found) && !told.contains("4711"), "{told}");
    }
}

#[test]
fn rows_of_one_class_fit_a_job_with_noise_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let noisy = include_str!("../../../examples/bank-marketing/job.toml");
    let job = Job::from_toml(noisy).unwrap();
    let negative = job.contract.label.negative.clone();
    let text =
        table(|_, name, value| if name == job.contract.label.column { negative.clone() } else { value });
    let refused = check(folder.path(), &text, CONSENT, false);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("error[data.one-class]"));

    let (program, rounds) = (noisy.find("[program]").unwrap(), noisy.find("[rounds]").unwrap());
    let solver = "[program]\nname = \"logistic-regression\"\nsolver = \"noisy-gradient\"\n\n";
    let noisy = format!("{}{solver}{}", &noisy[..program], &noisy[rounds..]);
    let mode = "mode = \"record-level\"\nepsilon = 3.0\ndelta = 1e-5\nnoise = \"local\"";
    std::fs::write(folder.path().join("noisy.toml"), noisy.replacen("mode = \"none\"", mode, 1)).unwrap();
    let fits = check_job(folder.path(), "noisy.toml", false);
    assert!(fits.status.success(), "{fits:?}");
}

/// `syndic-participant data check` in a folder with such a table of the sample job's contract.
fn check(folder: &Path, table: &str, consent: &str, json: bool) -> Output {
    check_under(JOB, folder, table, consent, json)
}

fn check_under(job: &str, folder: &Path, table: &str, consent: &str, json: bool) -> Output {
    std::fs::write(folder.join("rows.csv"), table).unwrap();
    let config = format!(
        "enrolment = \"e\"\nstate = \"s\"\npolicy = \"p\"\n[data]\nfile = \"rows.csv\"\n{consent}\n\
         split = {{ column = \"fold\", test = [\"0\"] }}\n"
    );
    std::fs::write(folder.join("participant.toml"), config).unwrap();
    check_job(folder, job, json)
}

fn check_job(folder: &Path, job: &str, json: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syndic-participant"));
    command.current_dir(folder).args(["data", "check", "--config", "participant.toml", "--job", job]);
    if json {
        command.arg("--json");
    }
    command.output().unwrap()
}

/// Six rows under the sample contract; `of_row` may change one.
fn table(of_row: impl Fn(usize, &str, String) -> String) -> String {
    let job = Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap();
    let contract = job.contract;
    let mut names: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).collect();
    names.extend([contract.label.column.as_str(), "fold", "consented"]);
    let mut text = names.join(",") + "\n";
    for row in 0..6 {
        let mut cells: Vec<String> = Vec::new();
        for column in &contract.columns {
            let value = match &column.kind {
                ColumnKind::Numeric { min, .. } => min.to_string(),
                ColumnKind::Categorical { levels } => levels[row % levels.len()].clone(),
            };
            cells.push(of_row(row, &column.name, value));
        }
        let label = if row % 2 == 0 { &contract.label.positive } else { &contract.label.negative };
        let ends = [label.clone(), (row / 5).to_string(), (row != 2).to_string()];
        let ends = names[contract.columns.len()..].iter().zip(ends);
        cells.extend(ends.map(|(name, value)| of_row(row, name, value)));
        text += &(cells.join(",") + "\n");
    }
    text
}

const JOB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank-marketing/job.toml");
const CONSENT: &str = "consent = { column = \"consented\", value = \"true\" }";

#[test]
fn rows_that_fit_are_counted_with_their_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let text = table(
        |_, name, value| if name == "fold" { ["9", "0"][usize::from(value == "1")].into() } else { value },
    );
    let output = check(folder.path(), &text, CONSENT, true);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((told["fits"].as_bool(), told["rows"].as_u64()), (Some(true), Some(5)), "{told}");
    assert_eq!((told["training"].as_u64(), told["test"].as_u64()), (Some(4), Some(1)), "{told}");
    assert_eq!(told["without_consent"], "1 to 9");
    assert_eq!(told["sources"][0]["files"][0]["bytes"], text.len());

    let all = check(folder.path(), &text, "", true);
    let all: serde_json::Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!((all["rows"].as_u64(), &all["without_consent"]), (Some(6), &serde_json::Value::Null));
    assert_ne!(all["snapshot"], told["snapshot"], "other rows");
    let plain = check(folder.path(), &text, CONSENT, false);
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert!(
        plain.contains(told["snapshot"].as_str().unwrap()) && plain.contains("5 rows; 4 to train on"),
        "{plain}"
    );
}

#[test]
fn empty_cells_of_nullable_columns_are_counted_and_of_others_refused() {
    let folder = tempfile::tempdir().unwrap();
    let with_gaps = |gaps: &'static [(usize, &'static str)]| {
        table(move |row, name, value| match name {
            "fold" => ["9", "0"][usize::from(value == "1")].into(),
            _ if gaps.contains(&(row, name)) => String::new(),
            _ => value,
        })
    };
    let text = with_gaps(&[(0, "age"), (1, "age"), (3, "job")]);
    let refused = check(folder.path(), &text, "", false);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("data.empty-cell"), "{refused:?}");

    let mut job = Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap();
    let nullable = ["age", "job"];
    let of_columns = job.contract.columns.iter_mut();
    of_columns.for_each(|column| column.nullable = nullable.contains(&column.name.as_str()));
    let path = folder.path().join("job.toml");
    std::fs::write(&path, job.to_toml().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let fits = check_under(path, folder.path(), &text, "", true);
    let told: serde_json::Value = serde_json::from_slice(&fits.stdout).unwrap();
    assert_eq!(told["missing"], serde_json::json!({ "age": 2, "job": 1 }), "{told}");
    let plain = check_under(path, folder.path(), &text, "", false);
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert!(plain.contains("rows without a value, by nullable column: age 2, job 1"), "{plain}");
    let elsewhere = check_under(path, folder.path(), &with_gaps(&[(0, "balance")]), "", true);
    assert!(String::from_utf8_lossy(&elsewhere.stdout).contains("data.empty-cell"), "{elsewhere:?}");
}

#[test]
fn rows_that_do_not_fit_are_refused_with_every_rule_and_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let text = table(|row, name, value| match (row, name) {
        (1, "age") => "x4711".into(),
        (3, "job") => "spy-4711".into(),
        // Not read, and so not checked.
        (2, "age") => "4711".into(),
        _ => value,
    });
    for json in [false, true] {
        let output = check(folder.path(), &text, CONSENT, json);
        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{told}");
        for part in ["data.not-a-number", "data.unknown-level", "first 3", "first 5", "map the value"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("4711") && !told.contains("spy"), "{told}");
    }
}

#[test]
fn a_rule_that_alone_is_broken_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let header = table(|_, _, value| value).lines().next().unwrap().to_owned() + "\n";
    let output = check(folder.path(), &header, "", false);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.starts_with("error[data.empty]: the table has no rows\n  help: "), "{told}");
    assert_eq!((told.matches("data.empty").count(), told.matches("help:").count()), (1, 1), "{told}");
}

#[test]
fn before_its_first_start_an_agent_has_nothing_on_record() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), "", "", false);
    let policy =
        "purposes = [\"marketing-response\"]\nprograms = [\"logistic-regression\"]\ncontracts = [\"a.v1\"]\n";
    std::fs::write(folder.path().join("p"), policy).unwrap();
    for command in ["journal", "budget"] {
        for json in [false, true] {
            let mut process = Command::new(env!("CARGO_BIN_EXE_syndic-participant"));
            process.current_dir(folder.path()).args([command, "--config", "participant.toml"]);
            let output = process.args(json.then_some("--json")).output().unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(told.contains("nothing on record: s/journal.sqlite is not there"), !json, "{told}");
        }
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = table(|_, name, value| if name == "fold" && value == "0" { "9".into() } else { value });
    check(folder.path(), &text, "", false);
    let job = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank-marketing/job.toml");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut process = Command::new(env!("CARGO_BIN_EXE_syndic-participant"));
    process.current_dir(folder.path()).args(["data", "check", "--config", "participant.toml", "--job", job]);
    let output = process.stdout(writer).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
