//! Columns whose values may be missing.

use super::*;

/// The file with both columns nullable, and another program where one is given.
fn nullable(program: Option<&str>) -> String {
    let text = FILE.replacen("max = 100\n", "max = 100\nnullable = true\n", 1).replacen(
        "level = 2\n",
        "level = 2\nnullable = true\n",
        1,
    );
    let Some(program) = program else { return text };
    let (start, end) = (text.find("[program]").unwrap(), text.find("[rounds]").unwrap());
    format!("{}[program]\n{program}\n{}", &text[..start], &text[end..])
}

#[test]
fn a_nullable_column_is_read_and_written_again_and_another_keeps_its_bytes() {
    let job = Job::from_toml(&nullable(None)).unwrap();
    assert!(job.contract.columns.iter().all(|column| column.nullable));
    assert_eq!(job.contract.inputs(), 6);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let plain = Job::from_toml(FILE).unwrap();
    assert!(!serde_json::to_string(&plain).unwrap().contains("nullable"));
    assert!(!plain.to_toml().unwrap().contains("nullable"));
}

#[test]
fn every_program_takes_missing_values() {
    for program in [
        "name = \"logistic-regression\"\nsolver = \"newton\"",
        "name = \"neural-network\"\nhidden = [4]",
        "name = \"boosted-trees\"",
        "name = \"scorecard\"",
        "name = \"external\"\ntrainer = \"t/1\"\nclip = 4\n[[program.tensors]]\nname = \"w\"\nshape = [4]",
    ] {
        let text = nullable(Some(program)).replace("threshold = 4\n", "");
        assert!(Job::from_toml(&text).is_ok(), "{program}: {:?}", Job::from_toml(&text).err());
    }
}

#[test]
fn a_level_cannot_be_called_as_missing_values_are() {
    let text = nullable(None).replacen("\"none\"", "\"missing\"", 1);
    let errors = Job::from_toml(&text).expect_err("two inputs of one name");
    assert_eq!(errors[0].code, "contract.bad-level");
    assert!(Job::from_toml(&FILE.replacen("\"none\"", "\"missing\"", 1)).is_ok());
}

#[test]
fn missing_values_are_a_group_to_compare() {
    let groups = "[fairness]\ngroups = [{ column = \"job\" }, { column = \"age\", bands = [30] }]\n";
    let job = Job::from_toml(&(nullable(None) + groups)).unwrap();
    let names = |group: usize| job.fairness.as_ref().unwrap().groups[group].names(&job.contract);
    assert_eq!(names(0), ["office", "field", "none", "missing"]);
    assert_eq!(names(1), ["below 30", "30 and above", "missing"]);
    let bands: Vec<String> = (0..63).map(|band| (19 + band).to_string()).collect();
    let many = format!("[fairness]\ngroups = [{{ column = \"age\", bands = [{}] }}]\n", bands.join(", "));
    assert!(Job::from_toml(&format!("{FILE}{many}")).is_ok());
    assert_eq!(Job::from_toml(&(nullable(None) + &many)).expect_err("65")[0].code, "fairness.bands");
}

#[test]
fn a_draft_says_that_columns_with_empty_cells_are_nullable() {
    let columns = [
        ColumnSketch { empty: 2, ..sketch("age", &["20", "30", "40"], true) },
        ColumnSketch { empty: 1, ..sketch("job", &["office", "field"], false) },
        ColumnSketch { empty: 1, ..sketch("town", &["here", "missing"], false) },
        sketch("label", &["1", "0"], true),
    ];
    let text = draft(&columns);
    let job = Job::from_toml(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    let nullable: Vec<bool> = job.contract.columns.iter().map(|column| column.nullable).collect();
    assert_eq!(nullable, [true, true, false]);
    assert!(text.contains("nullable = true # some cells are empty"), "{text}");
    let spelt = vec!["?".into(), "NA".into()];
    let columns = [
        ColumnSketch { spelt, ..sketch("age", &["20", "30", "40"], true) },
        sketch("job", &["office", "n/a"], false),
        sketch("label", &["0", "1"], true),
    ];
    let text = draft(&columns);
    let job = Job::from_toml(&text).unwrap();
    assert!(job.contract.columns[0].nullable && !job.contract.columns[1].nullable, "{text}");
    assert!(text.contains("nullable = true # some cells say `?`, `NA`: EMPTY THEM"), "{text}");
    assert!(text.contains("# CHECK the level `n/a`"), "{text}");
}
