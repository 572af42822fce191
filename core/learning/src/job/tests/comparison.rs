//! Jobs that compare released models.

use super::*;
use crate::program::comparison::RowsCompared;

const CHAMPION: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const CANDIDATE: &str = "abababababababababababababababababababababababababababababababab";

/// The file with this program, and without a section `[rounds]`.
fn file(program: &str) -> String {
    let from = FILE.find("[program]").unwrap();
    let to = FILE.find("[privacy]").unwrap();
    format!("{}[program]\nname = \"evaluation\"\n{program}\n{}", &FILE[..from], &FILE[to..])
}

fn models(digests: &[&str]) -> String {
    format!("models = {digests:?}")
}

#[test]
fn a_comparison_is_read_with_its_defaults_and_written_again() {
    let job = Job::from_toml(&file(&models(&[CHAMPION, CANDIDATE]))).unwrap();
    let terms = job.comparison().unwrap();
    let told: Vec<String> = terms.models.iter().map(ToString::to_string).collect();
    assert_eq!(told, [CHAMPION, CANDIDATE]);
    assert_eq!((terms.rows, job.rounds.count), (RowsCompared::Test, 1));
    assert!(!job.needs_both_classes() && job.program.name() == "evaluation");
    let written = job.to_toml().unwrap();
    assert!(!written.contains("rows = \"test\""), "{written}");
    assert_eq!(Job::from_toml(&written).unwrap(), job);
    let all = Job::from_toml(&file(&format!("{}\nrows = \"all\"", models(&[CHAMPION])))).unwrap();
    assert_eq!(all.comparison().unwrap().rows, RowsCompared::All);
    assert_eq!(Job::from_toml(&all.to_toml().unwrap()).unwrap(), all);
}

#[test]
fn a_comparison_that_makes_no_sense_is_refused_with_its_line() {
    let two = models(&[CHAMPION, CANDIDATE]);
    let one = |digit: u8| char::from(digit).to_string().repeat(64);
    let many: Vec<String> = b"012345678".iter().map(|digit| one(*digit)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cases = [
        (file(""), "job.missing-key"),
        (file("models = []"), "evaluation.models"),
        (file(&models(&many)), "evaluation.models"),
        (file(&models(&[CHAMPION, CHAMPION])), "evaluation.models"),
        (file(&models(&["response"])), "evaluation.models"),
        (file(&models(&[&CANDIDATE.to_uppercase()])), "evaluation.models"),
        (file(&format!("{two}\nrows = \"train\"")), "job.unknown-rows"),
        (file(&format!("{two}\nl2 = 1")), "job.other-program"),
        (file(&format!("{two}\nmodel = 1")), "job.other-program"),
        (file(&format!("{two}\nmodell = 1")), "job.unknown-key"),
        (file(&two) + "[rounds]\ncount = 2\n", "evaluation.rounds"),
        (file(&two) + "[drift]\n", "evaluation.section"),
        (file(&two) + "[promotion]\nname = \"response\"\n", "evaluation.section"),
        (file(&two) + "[cohort]\neach_round = 5\n", "cohort.not-by-lot"),
        (FILE.replacen("[program]", &format!("[program]\n{two}"), 1), "job.other-program"),
    ];
    for (text, code) in cases {
        let errors = Job::from_toml(&text).expect_err(&text);
        assert_eq!(errors[0].code, code, "{text}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{text}");
    }
    let groups = Job::from_toml(&(file(&two) + "[fairness]\ngroups = [{ column = \"job\" }]\n")).unwrap();
    assert_eq!(groups.fairness.as_ref().map(|terms| terms.groups.len()), Some(1));
    let rounds = Job::from_toml(&(file(&two) + "[rounds]\ncount = 1\n")).unwrap();
    assert_eq!(rounds.rounds.count, 1);
}

#[test]
fn noise_is_refused_since_every_count_would_be_exact() {
    let noisy = "mode = \"record-level\"\nepsilon = 1\ndelta = 1e-6\nnoise = \"local\"\n";
    let text = file(&models(&[CHAMPION])).replacen("mode = \"none\"\n", noisy, 1);
    assert_eq!(Job::from_toml(&text).expect_err("noise")[0].code, "privacy.program");
}
