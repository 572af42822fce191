//! Rows that a query over an institution's own files gives: the same checks, refusals and snapshot as for one file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "data_query/elsewhere.rs"]
mod elsewhere;
#[path = "../../../coordinator/tests/servers/mod.rs"]
mod servers;

use std::path::Path;
use std::process::Command;

use crate::support::contract;
use syndic_data::{Format, Source as Table};
use syndic_learning::Role;
use syndic_participant::data::{Consent, Mapping, QuerySource, Reading, Rules, Source, SourceError, Split};

const PEOPLE: &str = "id,born,work,left,agreed,part\n\
                      1,1990,O,y,true,9\n2,1980,F,n,true,9\n3,1970,O,n,false,9\n4,1960,F,y,true,0\n";
const QUERY: &str = "SELECT 2020 - CAST(born AS INT) AS age, CASE work WHEN 'O' THEN 'office' ELSE 'field' END AS job, \
                     CASE \"left\" WHEN 'y' THEN 1 ELSE 0 END AS label, agreed, part FROM people";

fn mapping(query: &str) -> Mapping {
    Mapping { query: query.into(), memory_mb: 32, table_mb: None, rules: Rules::default() }
}

fn read(folder: &Path, people: &str, mapping: Mapping) -> Result<Reading, SourceError> {
    std::fs::write(folder.join("people.csv"), people).unwrap();
    let sources = vec![Table::of_files("people", folder.join("people.csv"), Format::Csv)];
    let contracts = [(contract(100_000).id(), mapping)].into();
    Source::Query(QuerySource { sources, contracts, scratch: folder.into() }).load(&contract(100_000))
}

/// What a refusal says, with the debug form.
fn refusal(people: &str, mapping: Mapping) -> (&'static str, String) {
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path(), people, mapping).unwrap_err();
    (error.code(), format!("{error}\n{error:?}\n{}", error.help()))
}

#[test]
fn own_columns_become_those_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let consent = Some(Consent { column: "agreed".into(), value: "true".into() });
    let split = Some(Split { column: "part".into(), test: vec!["0".into()], validation: Vec::new() });
    let rules = Rules { consent, split, only: None };
    let reading = read(folder.path(), PEOPLE, Mapping { rules, ..mapping(QUERY) }).unwrap();
    assert_eq!((reading.table.count(Role::Train), reading.table.count(Role::Test)), ((2, 1), (1, 1)));
    assert_eq!(reading.without_consent.unwrap().to_string(), "1 to 9");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
}

#[test]
fn the_snapshot_is_of_the_files_and_of_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let id = |people: &str, query: &str| {
        read(folder.path(), people, mapping(query)).unwrap().snapshot.unwrap().id()
    };
    let first = id(PEOPLE, QUERY);
    assert_eq!(id(PEOPLE, QUERY), first);
    assert_ne!(id(PEOPLE, &format!("{QUERY} WHERE id <> '3'")), first);
    assert_ne!(id(&format!("{PEOPLE}5,1991,O,n,true,9\n"), QUERY), first);
}

#[test]
fn rows_that_break_the_contract_are_told_by_number_and_never_by_value() {
    let people = "id,born,work,left,agreed,part\n1,1990,O,y,true,9\n2,-4711,F,n,true,9\n3,,O,n,true,9\n";
    let (code, told) = refusal(people, mapping(QUERY));
    assert_eq!(code, "data.out-of-range");
    assert!(told.contains("1 row, first 2") && told.contains("1 row, first 3"), "{told}");
    // 2020 + 4711.
    assert!(!told.contains("4711") && !told.contains("6731"), "{told}");
}

#[test]
fn a_query_that_does_not_give_what_is_needed_is_refused_before_any_row() {
    for (code, query, said) in [
        ("data.column-missing", "SELECT 30 AS age FROM people", "`job`, `label`"),
        ("data.query-not-select", "DROP TABLE people", "not one SELECT"),
        ("data.source-unknown", "SELECT * FROM others", "`others`"),
        ("data.query-not-repeatable", "SELECT random() AS age FROM people", "`random`"),
        ("data.query-column", "SELECT borne FROM people", "`borne`"),
    ] {
        let (found, told) = refusal(PEOPLE, mapping(query));
        assert_eq!(found, code, "{query}: {told}");
        assert!(told.contains(said), "{told}");
    }
    let consent = Some(Consent { column: "consented".into(), value: "true".into() });
    let rules = Rules { consent, ..Rules::default() };
    let (code, told) = refusal(PEOPLE, Mapping { rules, ..mapping(QUERY) });
    assert_eq!(code, "data.column-missing");
    assert!(told.contains("`consented`"), "{told}");
}

#[test]
fn a_contract_without_a_query_is_refused_by_its_id() {
    let source = QuerySource { sources: Vec::new(), contracts: [].into(), scratch: ".".into() };
    let error = Source::Query(source).load(&contract(100_000)).unwrap_err();
    assert_eq!(error.code(), "data.no-query");
    assert!(error.help().contains("[data.contracts.\"small.v1\"]"), "{}", error.help());
}

#[test]
fn rows_that_take_more_than_they_may_end_the_query() {
    // Eight times eight and so on: 262,144 rows of a megabyte and more.
    let people = "born,work,left\n".to_owned() + &"1990,O,y\n1980,F,n\n".repeat(4);
    let query = QUERY
        .replace(", agreed, part", "")
        .replace("people", "(SELECT a.* FROM people a, people b, people c, people d, people e, people f)");
    let (code, told) = refusal(&people, Mapping { table_mb: Some(1), ..mapping(&query) });
    assert_eq!(code, "data.too-large", "{told}");
    assert!(told.contains("take more than the 1 MB"), "{told}");
}

#[test]
fn data_check_reads_the_sources_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("people.csv", PEOPLE);
    let config = |query: &str| {
        format!(
            "enrolment = \"e\"\nstate = \"s\"\npolicy = \"p\"\n[data.sources.people]\npath = \"people.csv\"\n\
             format = \"csv\"\n[data.contracts.\"bank_marketing.v1\"]\nquery = \"{query}\"\n"
        )
    };
    let check = |query: &str| {
        write("participant.toml", &config(query));
        let job = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank-marketing/job.toml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_syndic-participant"));
        command.args(["data", "check", "--config", "participant.toml", "--job", job, "--json"]);
        let output = command.current_dir(folder.path()).output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told["findings"][0]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(check("SELECT id FROM people"), (Some(2), "data.column-missing".into()));
    assert_eq!(check("SELECT id FROM strangers"), (Some(2), "data.source-unknown".into()));
    let scratch = folder.path().join("s/scratch");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "nothing that was spilled stays");
}
