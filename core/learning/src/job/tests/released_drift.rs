//! Jobs that compare rows with those that a released model was trained on.

use super::*;
use crate::program::comparison::RowsCompared;

const MODEL: &str = "abababababababababababababababababababababababababababababababab";
const REFERENCE: &str = r#"
[program.reference]
rows = 1000

[program.reference.score]
below = [0.1, 0.4]
rows = [400, 300, 300]

[[program.reference.columns]]
name = "age"
below = [40]
rows = [450, 550]

[[program.reference.columns]]
name = "job"
levels = [["office"], ["field", "none"]]
rows = [700, 300]
"#;

/// The file with this program, and without a section `[rounds]`.
fn file(program: &str) -> String {
    let from = FILE.find("[program]").unwrap();
    let to = FILE.find("[privacy]").unwrap();
    let to = FILE[to..].replace("[evaluation]\nbins = 4096\n", "");
    format!("{}[program]\nname = \"drift\"\n{program}\n{to}", &FILE[..from])
}

fn whole(keys: &str) -> String {
    file(&format!("model = \"{MODEL}\"\n{keys}\n{REFERENCE}"))
}

#[test]
fn what_is_compared_is_read_with_its_defaults_and_written_again() {
    let job = Job::from_toml(&whole("")).unwrap();
    let terms = job.released_drift().unwrap();
    assert_eq!((terms.model.to_string().as_str(), terms.rows), (MODEL, RowsCompared::All));
    assert_eq!((terms.watch_psi, terms.max_psi, terms.max_ks, terms.min_rows), (0.1, 0.25, None, 50));
    assert_eq!((terms.reference.rows, terms.reference.columns.len()), (1000, 2));
    assert_eq!(terms.reference.columns[1].levels[1], ["field", "none"]);
    assert!(!job.needs_both_classes() && !job.program.trains() && job.program.name() == "drift");
    assert_eq!(job.rounds.count, 1);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let told = "rows = \"test\"\nmax_psi = 0.05\nmax_ks = 0.2\nmin_rows = 30";
    let job = Job::from_toml(&whole(told)).unwrap();
    let terms = job.released_drift().unwrap();
    assert_eq!((terms.rows, terms.watch_psi, terms.max_ks), (RowsCompared::Test, 0.05, Some(0.2)));
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line() {
    let bent = |from: &str, to: &str| {
        assert!(REFERENCE.contains(from), "{from}");
        file(&format!("model = \"{MODEL}\"\n{}", REFERENCE.replacen(from, to, 1)))
    };
    let cases = [
        (file(REFERENCE), "job.missing-key"),
        (file(&format!("model = \"{MODEL}\"")), "job.missing-key"),
        (file(&format!("model = \"response\"\n{REFERENCE}")), "drift.model"),
        (whole("rows = \"train\""), "job.unknown-rows"),
        (whole("l2 = 1"), "job.other-program"),
        (whole("models = []"), "job.other-program"),
        (whole("watch_psi = 0.5"), "drift.thresholds"),
        (whole("bin = 3"), "job.unknown-key"),
        (whole("") + "[rounds]\ncount = 2\n", "drift.rounds"),
        (whole("") + "[drift]\n", "drift.section"),
        (whole("") + "[promotion]\nname = \"response\"\n", "drift.section"),
        (whole("") + "[fairness]\ngroups = [{ column = \"job\" }]\n", "drift.section"),
        (whole("") + "[evaluation]\nbins = 8192\n", "drift.section"),
        (whole("") + "[cohort]\neach_round = 5\n", "cohort.not-by-lot"),
        (bent("rows = 1000", "rows = 1001"), "drift.reference"),
        (bent("rows = 1000", ""), "job.missing-key"),
        (bent("below = [40]", "below = [40, 50]"), "drift.reference"),
        (bent("below = [0.1, 0.4]", "below = [0.4, 0.1]"), "drift.reference"),
        (bent("name = \"age\"", "name = \"job\""), "drift.reference"),
        (bent("name = \"age\"", "name = \"height\""), "drift.reference"),
        (bent("\"field\", \"none\"", "\"field\""), "drift.reference"),
        (bent("[[\"office\"], [\"field\", \"none\"]]", "[\"office\"]"), "drift.reference"),
        (bent("rows = [700, 300]", "rows = [699.5, 300.5]"), "drift.reference"),
        (bent("rows = [700, 300]", "rows = [700, 300]\nmissing = 0"), "drift.reference"),
        (bent("rows = [700, 300]", "rows = [700, 300]\nedges = 0"), "job.unknown-key"),
    ];
    for (text, code) in cases {
        let errors = Job::from_toml(&text).expect_err(&text);
        assert_eq!(errors[0].code, code, "{text}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{text}");
    }
    let another = FILE.replacen("[program]", &format!("[program]\nmodel = \"{MODEL}\""), 1);
    assert_eq!(Job::from_toml(&another).expect_err("a job that trains")[0].code, "job.other-program");
}

#[test]
fn noise_is_refused_since_every_count_would_be_exact() {
    let record = "mode = \"record-level\"\nepsilon = 1\ndelta = 1e-6\nnoise = \"local\"\n";
    let institution =
        "mode = \"institution-level\"\nepsilon = 8\ndelta = 1e-6\nclip = 1\nnoise = \"distributed\"\n";
    for noisy in [record, institution] {
        let text = whole("").replacen("mode = \"none\"\n", noisy, 1);
        assert_eq!(Job::from_toml(&text).expect_err("noise")[0].code, "privacy.program");
    }
}

#[test]
fn what_would_be_found_of_too_many_columns_for_one_entry_is_refused() {
    // As short as it can be written: a job file has to fit into an entry too.
    let of = |columns: usize| {
        let each = |of_one: fn(usize) -> String| (0..columns).map(of_one).collect::<String>();
        let declared = each(|column| format!("{{name=\"c{column}\",type=\"numeric\",min=0,max=9}},"));
        let compared = each(|column| format!("{{name=\"c{column}\",below=[1],rows=[1,999]}},"));
        let reference = &REFERENCE[..REFERENCE.find("[[program.reference.columns]]").unwrap()];
        let text = file(&format!("model = \"{MODEL}\"\n{reference}"));
        let (start, end) = (text.find("[[contract.columns]]").unwrap(), text.find("[program]").unwrap());
        let text = format!("{}{}", &text[..start], &text[end..]);
        let text = text.replacen("version = 1\n", &format!("version = 1\ncolumns = [{declared}]\n"), 1);
        Job::from_toml(&text.replacen("rows = 1000\n", &format!("rows = 1000\ncolumns = [{compared}]\n"), 1))
    };
    let errors = of(600).expect_err("600 columns");
    assert_eq!((errors[0].code, errors.len()), ("drift.too-long", 1), "{errors:?}");
    assert!(errors[0].line.is_some() && errors[0].help.contains("fewer columns"));
    assert_eq!(of(100).unwrap().released_drift().unwrap().reference.columns.len(), 100);
}
