use super::*;
use crate::sandbox::fixture::{JOB, contract, table_text};

fn columns() -> Columns {
    Columns {
        site: "site".into(),
        fold: "fold".into(),
        test_fold: "0".into(),
        validation_fold: Some("1".into()),
        participants: None,
    }
}

fn load_text(text: &str, columns: &Columns) -> Result<Vec<Site>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, text).unwrap();
    load(&Source::File(path), columns, &contract())
}

fn code(text: &str, columns: &Columns) -> String {
    load_text(text, columns).err().unwrap().code().to_owned()
}

/// The table with each line changed.
fn with_lines(rows: u64, change: impl Fn(&str) -> Option<String>) -> String {
    table_text(rows).lines().filter_map(|line| Some(change(line)? + "\n")).collect()
}

#[test]
fn each_site_gets_its_own_rows_with_their_roles() {
    let sites = load_text(&table_text(300), &columns()).unwrap();
    let names: Vec<_> = sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names, ["bank_a", "bank_b", "bank_c"]);
    for site in &sites {
        assert_eq!(site.table.rows(), 100);
        assert_eq!(site.table.count(Role::Test).0, 20);
        assert_eq!(site.table.count(Role::Validation).0, 20);
        assert_eq!(site.table.count(Role::Train).0, 60);
    }
}

#[test]
fn no_row_is_lost_or_doubled_by_merging_and_splitting() {
    for participants in [3, 4, 7, 20] {
        let columns = Columns { participants: Some(participants), ..columns() };
        let sites = load_text(&table_text(600), &columns).unwrap();
        assert_eq!(sites.len(), participants);
        assert_eq!(sites.iter().map(|site| site.table.rows()).sum::<usize>(), 600);
    }
}

#[test]
fn a_missing_column_is_named_whoever_needs_it() {
    let site = Columns { site: "branch".into(), ..columns() };
    assert_eq!(code(&table_text(90), &site), "data.column-missing");
    let without_label = table_text(90).replacen("label", "outcome", 1);
    let error = load_text(&without_label, &columns()).err().unwrap();
    assert_eq!(error.code(), "data.column-missing");
    assert!(error.render().contains("`label`"), "{}", error.render());
}

#[test]
fn text_in_a_number_column_is_told_by_line_and_institution_without_the_value() {
    let text = table_text(90);
    let fifth = text.lines().nth(4).unwrap();
    let (_, rest) = fifth.split_once(',').unwrap();
    let text = text.replacen(fifth, &format!("secret,{rest}"), 1);
    let rendered = load_text(&text, &columns()).err().unwrap().render();
    assert!(rendered.starts_with("error[data.not-a-number]"), "{rendered}");
    assert!(rendered.contains("first 5") && rendered.contains("rows of bank_a"), "{rendered}");
    assert!(!rendered.contains("secret"), "{rendered}");
}

#[test]
fn one_class_labels_of_a_site_are_refused() {
    let text = with_lines(90, |line| {
        Some(if line.contains("Bank B") { line.replacen(",1,", ",0,", 1) } else { line.into() })
    });
    assert_eq!(code(&text, &columns()), "data.one-class");
}

#[test]
fn an_empty_site_an_empty_table_and_two_spellings_are_refused() {
    assert_eq!(code(&table_text(0), &columns()), "data.empty");
    assert_eq!(code(&table_text(90).replacen("Bank B", "", 1), &columns()), "data.empty-site");
    assert_eq!(code(&table_text(90).replacen("Bank B", "bank_b", 1), &columns()), "data.site-name");
}

#[test]
fn an_unknown_fold_names_those_there_are() {
    let columns = Columns { test_fold: "9".into(), ..columns() };
    let error = load_text(&table_text(90), &columns).err().unwrap();
    assert_eq!(error.code(), "data.unknown-fold");
    assert!(error.render().contains("`0`, `1`, `2`, `3` and `4`"), "{}", error.render());
}

#[test]
fn two_sites_are_too_few() {
    let text = with_lines(90, |line| (!line.contains("Bank B")).then(|| line.into()));
    assert_eq!(code(&text, &columns()), "data.site-count");
}

#[test]
fn the_fixture_is_a_job() {
    assert!(syndic_learning::Job::from_toml(JOB).is_ok());
}
