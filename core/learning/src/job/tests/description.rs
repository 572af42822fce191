//! Jobs that describe rows.

use super::*;

/// The file with this program, and without a section `[rounds]`.
fn file(program: &str) -> String {
    let from = FILE.find("[program]").unwrap();
    let to = FILE.find("[privacy]").unwrap();
    format!("{}[program]\nname = \"statistics\"\n{program}\n{}", &FILE[..from], &FILE[to..])
}

const NOISE: &str = "mode = \"record-level\"\nepsilon = 1\ndelta = 1e-6\nnoise = \"local\"\n";

#[test]
fn a_description_is_read_with_its_defaults_and_written_again() {
    let job = Job::from_toml(&file("")).unwrap();
    let terms = job.description().unwrap();
    assert_eq!((terms.bins, terms.min_rows, terms.cells(false), terms.cells(true)), (10, 50, 2048, 32));
    assert_eq!((terms.correlates(false), terms.correlates(true)), (true, false));
    assert_eq!(terms.columns_of(&job.contract).len(), job.contract.columns.len());
    assert!(!job.needs_both_classes() && !job.program.trains() && job.rounds.count == 1);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let name = job.contract.columns[0].name.clone();
    let all = format!("bins = 5\nmin_rows = 20\ncells = 64\ncorrelations = false\ncolumns = [\"{name}\"]");
    let job = Job::from_toml(&file(&all)).unwrap();
    assert_eq!(job.description().unwrap().columns_of(&job.contract), [name]);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
}

#[test]
fn a_description_that_makes_no_sense_is_refused_with_its_line() {
    let cases = [
        (file("bins = 1"), "job.out-of-range"),
        (file("cells = 48"), "statistics.cells"),
        (file("cells = 4096"), "job.out-of-range"),
        (file("columns = []"), "statistics.columns"),
        (file("columns = [\"nobody\"]"), "statistics.columns"),
        (file("l2 = 1"), "job.other-program"),
        (file("mins = 1"), "job.unknown-key"),
        (file("") + "[rounds]\ncount = 2\n", "statistics.rounds"),
        (file("") + "[drift]\n", "statistics.section"),
        (file("") + "[fairness]\ngroups = [{ column = \"job\" }]\n", "statistics.section"),
        (file("") + "[promotion]\nname = \"response\"\n", "statistics.section"),
        (file("") + "[cohort]\neach_round = 5\n", "cohort.not-by-lot"),
        (FILE.replacen("[program]", "[program]\ncorrelations = true", 1), "job.other-program"),
    ];
    for (text, code) in cases {
        let errors = Job::from_toml(&text).expect_err(&text);
        assert_eq!(errors[0].code, code, "{text}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{text}");
    }
}

#[test]
fn noise_is_for_rows_and_its_terms_are_those_of_counts() {
    let noisy = |more: &str| file("").replacen("mode = \"none\"\n", &format!("{NOISE}{more}"), 1);
    let job = Job::from_toml(&noisy("")).unwrap();
    assert!(job.adds_noise() && job.calibration().unwrap().is_some());
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    for term in ["clip = 1.0\n", "test_bins = 32\n"] {
        assert_eq!(Job::from_toml(&noisy(term)).expect_err(term)[0].code, "statistics.privacy");
    }
    let whole = "mode = \"institution-level\"\nepsilon = 1\ndelta = 1e-6\nnoise = \"local\"\nclip = 1.0\n";
    let text = file("").replacen("mode = \"none\"\n", whole, 1);
    assert_eq!(Job::from_toml(&text).expect_err("institutions")[0].code, "privacy.program");
}
