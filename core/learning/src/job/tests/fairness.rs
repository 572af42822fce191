//! The section `[fairness]`.

use super::*;

const FAIRNESS: &str = r#"
[fairness]
flagged = 0.1
min_rows = 30
groups = [{ column = "job" }, { column = "age", bands = [30, 50.5] }]
"#;

#[test]
fn groups_to_compare_are_read_and_written_again() {
    let job = Job::from_toml(&format!("{FILE}{FAIRNESS}")).unwrap();
    let terms = job.fairness.as_ref().unwrap();
    assert_eq!((terms.flagged, terms.min_rows), (0.1, 30));
    assert_eq!(terms.groups[1].names(&job.contract), ["below 30", "30 to below 50.5", "50.5 and above"]);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let short = Job::from_toml(&format!("{FILE}[fairness]\ngroups = [{{ column = \"job\" }}]\n")).unwrap();
    let defaults = short.fairness.unwrap();
    assert_eq!((defaults.flagged, defaults.min_rows), (0.2, 50));
    assert_eq!(Job::from_toml(FILE).unwrap().fairness, None);
}

#[test]
fn groups_that_cannot_be_compared_are_refused_with_their_line() {
    let cases = [
        ("column = \"job\"", "column = \"jobs\"", "fairness.columns"),
        ("column = \"job\"", "column = \"age\", bands = [40]", "fairness.columns"),
        ("column = \"job\"", "column = \"job\", bands = [40]", "fairness.bands"),
        ("bands = [30, 50.5]", "bands = [50, 30]", "fairness.bands"),
        ("bands = [30, 50.5]", "bands = [18]", "fairness.bands"),
        (", bands = [30, 50.5]", "", "fairness.bands"),
        ("bands = [30, 50.5]", "bands = [30, \"fifty\"]", "job.wrong-type"),
        ("groups = [{ column = \"job\" }, { column = \"age\", bands = [30, 50.5] }]", "", "fairness.columns"),
        ("flagged = 0.1", "flagged = 1", "job.out-of-range"),
        ("min_rows = 30", "min_row = 30", "job.unknown-key"),
    ];
    for (from, to, code) in cases {
        assert!(FAIRNESS.contains(from), "{from}");
        let errors = Job::from_toml(&format!("{FILE}{}", FAIRNESS.replacen(from, to, 1))).expect_err(to);
        assert_eq!(errors[0].code, code, "{to}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{to}");
    }
}
