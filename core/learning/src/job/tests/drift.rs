//! The section `[drift]`.

use super::*;
use crate::job::DriftTerms;

const DRIFT: &str = r#"
[drift]
watch_psi = 0.05
max_psi = 0.2
max_ks = 0.1
bins = 20
min_rows = 30
columns = ["job", "age"]
"#;

#[test]
fn what_is_compared_is_read_and_written_again() {
    let job = Job::from_toml(&format!("{FILE}{DRIFT}")).unwrap();
    let terms = job.drift.as_ref().unwrap();
    assert_eq!((terms.watch_psi, terms.max_psi, terms.max_ks), (0.05, 0.2, Some(0.1)));
    assert_eq!((terms.bins, terms.min_rows), (20, 30));
    assert_eq!(terms.columns_of(&job.contract), ["age", "job"], "in contract order");
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
}

#[test]
fn a_section_without_keys_compares_all_columns_by_the_usual_convention() {
    let job = Job::from_toml(&format!("{FILE}[drift]\n")).unwrap();
    let terms = job.drift.as_ref().unwrap();
    assert_eq!(*terms, DriftTerms::default());
    assert_eq!(terms.columns_of(&job.contract).len(), job.contract.columns.len());
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    assert_eq!(Job::from_toml(FILE).unwrap().drift, None);
    // Nothing is marked only after it counts as drift.
    let strict = Job::from_toml(&format!("{FILE}[drift]\nmax_psi = 0.05\n")).unwrap().drift.unwrap();
    assert_eq!((strict.watch_psi, strict.max_psi), (0.05, 0.05));
}

#[test]
fn what_cannot_be_compared_is_refused_with_its_line() {
    let cases = [
        ("watch_psi = 0.05", "watch_psi = 0.3", "drift.thresholds"),
        ("columns = [\"job\", \"age\"]", "columns = [\"jobs\"]", "drift.columns"),
        ("columns = [\"job\", \"age\"]", "columns = [\"job\", \"job\"]", "drift.columns"),
        ("columns = [\"job\", \"age\"]", "columns = []", "drift.columns"),
        ("columns = [\"job\", \"age\"]", "columns = \"job\"", "job.wrong-type"),
        ("max_psi = 0.2", "max_psi = 0", "job.out-of-range"),
        ("max_ks = 0.1", "max_ks = 2", "job.out-of-range"),
        ("bins = 20", "bins = 1", "job.out-of-range"),
        ("min_rows = 30", "min_row = 30", "job.unknown-key"),
    ];
    for (from, to, code) in cases {
        assert!(DRIFT.contains(from), "{from}");
        let errors = Job::from_toml(&format!("{FILE}{}", DRIFT.replacen(from, to, 1))).expect_err(to);
        assert_eq!(errors[0].code, code, "{to}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{to}");
    }
}
