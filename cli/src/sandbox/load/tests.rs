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
fn a_column_that_is_no_fold_is_not_shown() {
    let many: String = table_text(90)
        .lines()
        .enumerate()
        .map(|(at, line)| if at == 0 { format!("{line},street\n") } else { format!("{line},lane-{at}\n") })
        .collect();
    for (column, told, value) in [
        ("street", "more than 20 different values", "lane"),
        ("site", "the column holds 3 different values; look them up there", "Bank"),
    ] {
        let columns =
            Columns { fold: column.into(), test_fold: "x".into(), validation_fold: None, ..columns() };
        let error = load_text(&many, &columns).err().unwrap();
        assert_eq!((error.code(), error.exit()), ("data.unknown-fold", 2));
        let rendered = error.render();
        let help = rendered.split("help: ").nth(1).unwrap();
        assert!(help.contains(told) && !help.contains(value), "{rendered}");
    }
}

#[test]
fn a_column_of_the_contract_says_neither_whose_a_row_is_nor_what_it_is_for() {
    for (column, part) in [("label", "the label"), ("age", "an input"), ("job", "an input")] {
        let site = Columns { site: column.into(), ..columns() };
        let fold = Columns { fold: column.into(), ..columns() };
        for (columns, option) in [(site, "--site-column"), (fold, "--fold-column")] {
            let error = load_text(&table_text(90), &columns).err().unwrap();
            assert_eq!((error.code(), error.exit()), ("options.contract-column", 2));
            let rendered = error.render();
            let told = format!("column `{column}` is {part} of the model");
            assert!(rendered.contains(&told) && rendered.contains(option), "{rendered}");
        }
    }
}

#[test]
fn what_people_call_a_fold_is_told_from_data() {
    for fold in ["0", "12", "train", "Test", "fold_3", "fold 10", "val-1"] {
        assert!(is_fold(fold), "{fold}");
    }
    for value in ["", "married", "1987", "1.5", "-1", "north", "3b", "lane 4", "a1"] {
        assert!(!is_fold(value), "{value}");
    }
}

#[test]
fn a_header_of_other_words_is_counted_and_only_the_likely_one_is_shown() {
    let text = table_text(90).replacen("age,label", "Age,outcome", 1);
    let rendered = load_text(&text, &columns()).err().unwrap().render();
    assert!(rendered.contains("header of 5 columns"), "{rendered}");
    assert!(rendered.contains("is `Age` the one that is meant?"), "{rendered}");
    assert!(!rendered.contains("outcome"), "{rendered}");
}

#[test]
fn a_fold_is_known_however_many_others_there_are() {
    let text = table_text(300);
    let many: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| match (at, line.rsplit_once(',')) {
            (1.., Some((rest, fold))) if fold != "0" => format!("{rest},a{at}\n"),
            (1.., Some((rest, _))) => format!("{rest},z\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let columns = Columns { test_fold: "z".into(), validation_fold: None, ..columns() };
    assert_eq!(load_text(&many, &columns).unwrap()[0].table.count(Role::Test).0, 20);
}

#[test]
fn a_fold_for_both_choosing_and_testing_is_refused() {
    let columns = Columns { validation_fold: Some("0".into()), ..columns() };
    let error = load_text(&table_text(90), &columns).err().unwrap();
    assert_eq!((error.code(), error.exit()), ("options.same-fold", 2));
}

#[test]
fn sites_in_another_script_are_told_apart() {
    let text = table_text(300).replace("Bank A", "\u{5317}\u{4eac}").replace("Bank B", "\u{4e0a}\u{6d77}");
    let sites = load_text(&text, &columns()).unwrap();
    let names: Vec<_> = sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[1..].iter().all(|name| name.starts_with("site-") && name.len() == 13), "{names:?}");
    assert_eq!(participant_name("\u{5317}\u{4eac}"), participant_name("\u{5317}\u{4eac}"));
    assert_eq!((participant_name("Z\u{fc}rich"), participant_name("7")), ("z_rich".into(), "7".into()));
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
