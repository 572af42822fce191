use super::*;

mod cohort;
mod comparison;
mod customer;
mod description;
mod drift;
mod external;
mod fairness;
mod institution;
mod networks;
mod nullable;
mod other;
mod privacy;
mod program;
mod promotion;
mod released_drift;

const FILE: &str = r#"
[job]
id = "small"
purpose = "marketing-response"
description = "A small job"

[contract]
name = "small"
version = 1

[contract.label]
column = "label"
positive = "1"

[[contract.columns]]
name = "age"
type = "numeric"
min = 18
max = 100
sensitive = true

[[contract.columns]]
name = "job"
type = "categorical"
levels = ["office", "field", "none"]
level = 2

[program]
name = "logistic-regression"
solver = "fed-avg"
local_epochs = 2
batch_size = 64
learning_rate = 0.1
learning_rate_decay = 0.97
l2 = 1e-4

[rounds]
count = 20
deadlines = { collect_seconds = 90 }

[privacy]
mode = "none"

[protection]
parameter_set = "KSA-S32"
threshold = 4

[evaluation]
bins = 4096
"#;

/// Codes and lines of the errors in the file with `from` replaced by `to`.
fn errors(from: &str, to: &str) -> Vec<(&'static str, Option<usize>)> {
    assert!(FILE.contains(from), "{from}");
    let diagnostics = Job::from_toml(&FILE.replacen(from, to, 1)).expect_err(to);
    for diagnostic in &diagnostics {
        assert!(!diagnostic.help.is_empty() && !diagnostic.message.is_empty());
    }
    diagnostics.iter().map(|diagnostic| (diagnostic.code, diagnostic.line)).collect()
}

fn line_of(text: &str) -> Option<usize> {
    FILE.lines().position(|line| line.contains(text)).map(|line| line + 1)
}

#[test]
fn a_job_file_is_read_with_its_defaults() {
    let job = Job::from_toml(FILE).unwrap();
    assert_eq!(job.contract.inputs(), 4);
    assert_eq!((job.contract.max_rows, job.contract.label.negative.as_str()), (1_000_000, "0"));
    assert_eq!((job.rounds.count, job.rounds.deadlines.collect_seconds), (20, 90));
    assert_eq!(job.rounds.deadlines.share_seconds, Deadlines::default().share_seconds);
    assert_eq!(job.protection.threshold, Some(4));
    let local = job.program.local_training(1).unwrap();
    assert_eq!((job.program.name(), local.l2), ("logistic-regression", 1e-4));
}

#[test]
fn a_job_is_the_same_after_toml_and_json() {
    let job = Job::from_toml(FILE).unwrap();
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let json = serde_json::to_vec(&job).unwrap();
    assert_eq!(serde_json::from_slice::<Job>(&json).unwrap(), job);
}

/// What a record of processing activities may say, all of it.
const PROCESSING: &str = r#"
[processing]
controllers = ["Bank A", "Bank B"]
processors = ["Operator"]
data_subjects = ["account holders"]
data_categories = ["contact", "account"]
special_categories = []
highest_level = 3
impact_assessment = "DPIA 2026-17"
agreement = "Joint controllers, 2026-04-01"
cross_border = false

[program]"#;

#[test]
fn what_is_recorded_of_the_processing_is_read_and_written() {
    let job = Job::from_toml(&FILE.replace("\n[program]", PROCESSING)).unwrap();
    let Processing { controllers, special_categories, highest_level, cross_border, .. } = &job.processing;
    assert_eq!(controllers, &["Bank A", "Bank B"]);
    // That there are none is said; that nothing is said is another thing.
    assert_eq!(
        (special_categories, *highest_level, *cross_border),
        (&Some(Vec::new()), Some(3), Some(false))
    );
    assert_eq!(Job::from_toml(FILE).unwrap().processing.special_categories, None);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let json = serde_json::to_vec(&job).unwrap();
    assert_eq!(serde_json::from_slice::<Job>(&json).unwrap(), job);
    assert!(!Job::from_toml(FILE).unwrap().to_toml().unwrap().contains("processing"));
}

#[test]
fn a_record_of_the_processing_says_something_and_contradicts_no_column() {
    let with = |from: &str, to: &str| PROCESSING.replace(from, to);
    for (processing, code, at) in [
        (with("\"Bank B\"", "\" Bank B\""), "job.bad-phrase", "controllers"),
        (with("DPIA 2026-17", ""), "job.bad-phrase", "impact_assessment"),
        (with("highest_level = 3", "highest_level = 6"), "job.out-of-range", "highest_level"),
        // The column `job` has level 2.
        (with("highest_level = 3", "highest_level = 1"), "job.level-too-low", "highest_level"),
        (with("cross_border = false", "cross_border = \"no\""), "job.wrong-type", "cross_border"),
        (with("controllers", "controler"), "job.unknown-key", "controler"),
    ] {
        let refused = Job::from_toml(&FILE.replace("\n[program]", &processing)).expect_err(&processing);
        let text = FILE.replace("\n[program]", &processing);
        let line = text.lines().position(|line| line.contains(at)).map(|line| line + 1);
        assert_eq!(refused.iter().map(|one| (one.code, one.line)).collect::<Vec<_>>(), [(code, line)]);
    }
}

#[test]
fn a_job_read_as_json_keeps_the_same_rules() {
    let json = serde_json::to_string(&Job::from_toml(FILE).unwrap()).unwrap();
    assert!(serde_json::from_str::<Job>(&json.replace(r#""max":100"#, r#""max":1"#)).is_err());
    assert!(serde_json::from_str::<Job>(&json.replace(r#""bins":4096"#, r#""bins":2"#)).is_err());
    assert!(
        serde_json::from_str::<Job>(&json.replace(r#""mode":"none""#, r#""mode":"record-level""#)).is_err()
    );
}

#[test]
fn how_long_updates_are_kept_may_be_said() {
    let of = |days: &str| format!("{FILE}\n[retention]\nupdates_days = {days}\n");
    assert_eq!(Job::from_toml(FILE).unwrap().retention, None);
    for days in [1, 36_500] {
        let job = Job::from_toml(&of(&days.to_string())).unwrap();
        assert_eq!(job.retention, Some(Retention { updates_days: days }));
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
    }
    for (text, code) in [
        (of("0"), "job.out-of-range"),
        (of("36501"), "job.out-of-range"),
        (of("\"30\""), "job.wrong-type"),
        (format!("{FILE}\n[retention]\n"), "job.missing-key"),
        (format!("{FILE}\n[retention]\nupdate_days = 3\n"), "job.unknown-key"),
        (format!("retention = 3\n{FILE}"), "job.wrong-type"),
    ] {
        let codes: Vec<_> = Job::from_toml(&text).unwrap_err().iter().map(|told| told.code).collect();
        assert!(codes.contains(&code), "{text}: {codes:?}");
    }
}

#[test]
fn unknown_keys_are_named_with_a_suggestion() {
    assert_eq!(errors("batch_size", "batch_sise"), [("job.unknown-key", line_of("batch_size"))]);
    let diagnostics = Job::from_toml(&FILE.replace("batch_size", "batch_sise")).unwrap_err();
    assert!(diagnostics[0].to_string().contains("did you mean `batch_size`?"), "{}", diagnostics[0]);
    assert_eq!(errors("[evaluation]", "[evaluations]"), [("job.unknown-key", line_of("[evaluation]"))]);
    assert_eq!(errors("sensitive = true", "secret = true"), [("job.unknown-key", line_of("sensitive"))]);
}

#[test]
fn wrong_types_and_ranges_are_errors_at_their_line() {
    for (from, to, code) in [
        ("count = 20", "count = \"20\"", "job.wrong-type"),
        ("count = 20", "count = 0", "job.out-of-range"),
        ("count = 20", "count = 2.5", "job.wrong-type"),
        ("learning_rate = 0.1", "learning_rate = nan", "job.wrong-type"),
        ("learning_rate = 0.1", "learning_rate = -1", "job.out-of-range"),
        ("bins = 4096", "bins = 100", "job.out-of-range"),
        ("level = 2", "level = 9", "job.out-of-range"),
        ("sensitive = true", "sensitive = 1", "job.wrong-type"),
        ("id = \"small\"", "id = \"Not an id\"", "job.bad-name"),
        ("parameter_set = \"KSA-S32\"", "parameter_set = \"KSA-S31\"", "job.unknown-parameter-set"),
        ("solver = \"fed-avg\"", "solver = \"newtown\"", "job.unknown-solver"),
        ("type = \"numeric\"", "type = \"number\"", "contract.unknown-type"),
    ] {
        assert_eq!(errors(from, to), [(code, line_of(from))], "{to}");
    }
}

#[test]
fn a_program_or_privacy_mode_that_is_not_there_is_refused() {
    assert_eq!(
        errors("name = \"logistic-regression\"", "name = \"astrology\""),
        [("job.unknown-program", line_of("logistic-regression"))]
    );
    assert_eq!(errors("mode = \"none\"", "mode = \"some\""), [("job.unknown-privacy", line_of("mode ="))]);
    assert_eq!(
        errors("mode = \"none\"", "mode = \"none\"\nepsilon = 1"),
        [("job.unknown-key", line_of("mode =").map(|line| line + 1))]
    );
    let noise = FILE.replace("mode = \"none\"", "mode = \"none\"\nepsilon = 1\nhonest = 2");
    for found in Job::from_toml(&noise).unwrap_err() {
        assert!(found.message.contains("is a term of noise"), "{found}");
        assert!(found.help.contains("`mode = \"record-level\"`"), "{found}");
    }
}

#[test]
fn mistakes_in_the_contract_are_found() {
    for (from, to, code) in [
        ("name = \"job\"", "name = \"age\"", "contract.duplicate-column"),
        ("name = \"job\"", "name = \"label\"", "contract.label-is-input"),
        ("[\"office\", \"field\", \"none\"]", "[]", "contract.empty-vocabulary"),
        ("[\"office\", \"field\", \"none\"]", "[\"office\", \"office\"]", "contract.duplicate-level"),
        ("[\"office\", \"field\", \"none\"]", "[\"office\", \"\"]", "contract.bad-level"),
        ("max = 100", "max = 18", "contract.range"),
        ("positive = \"1\"", "positive = \"churned\"", "contract.label-values"),
        ("level = 2", "min = 2", "contract.wrong-kind"),
        ("column = \"label\"", "column = \"\"", "contract.bad-column"),
        ("column = \"label\"", "column = \" label\"", "contract.bad-column"),
        ("positive = \"1\"", "positive = \"1 \"\nnegative = \"0\"", "contract.label-values"),
        ("positive = \"1\"", "positive = \"\"\nnegative = \"0\"", "contract.label-values"),
    ] {
        assert_eq!(errors(from, to), [(code, line_of(from))], "{to}");
    }
    assert_eq!(
        errors("positive = \"1\"", "positive = \"1\"\nnegative = \" 0\""),
        [("contract.label-values", line_of("positive").map(|line| line + 1))]
    );
    let without_label = "[contract.label]\ncolumn = \"label\"\npositive = \"1\"\n";
    assert_eq!(errors(without_label, ""), [("contract.label-missing", line_of("[contract]"))]);
}

#[test]
fn a_learning_rate_that_vanishes_before_the_last_round_is_refused() {
    let job = |decay: &str, count: u32| {
        let decayed = FILE.replacen("learning_rate_decay = 0.97", decay, 1);
        Job::from_toml(&decayed.replacen("count = 20", &format!("count = {count}"), 1))
    };
    let told = |decay: &str, count: u32| {
        let one = job(decay, count).unwrap_err().remove(0);
        (one.code, one.line, one.help)
    };
    let (code, line, help) = told("learning_rate_decay = 0.5", 1020);
    assert_eq!((code, line), ("job.learning-rate-vanishes", line_of("learning_rate_decay")));
    assert!(help.contains("at most 1019 rounds"), "{help}");
    let accepted = job("learning_rate_decay = 0.5", 1019).unwrap();
    let last = accepted.program.local_training(1019).unwrap().learning_rate;
    assert!(last.is_normal() && last * 0.5 < f64::MIN_POSITIVE, "{last}");
    // The decay that is not written has its default; then the number of rounds is what can be changed.
    let (code, line, _) = told("", 10_000);
    assert_eq!((code, line), ("job.learning-rate-vanishes", line_of("count = 20")));
    assert!(job("learning_rate_decay = 1.0", 10_000).is_ok());
}

#[test]
fn thresholds_that_cannot_protect_are_refused() {
    assert_eq!(errors("threshold = 4", "threshold = 1"), [("job.out-of-range", line_of("threshold"))]);
    assert_eq!(
        errors("threshold = 4", "threshold = 4\ncolluding = 3"),
        [("protection.threshold", line_of("threshold"))]
    );
    assert_eq!(
        errors("threshold = 4", "threshold = 4\nmin_survivors = 3"),
        [("protection.min-survivors", line_of("threshold").map(|line| line + 1))]
    );
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_the_file() {
    let broken = FILE.replace("min = 18", "min = \"x\"").replace("count = 20", "").replace("bins", "bims");
    let diagnostics = Job::from_toml(&broken).unwrap_err();
    let codes: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["job.wrong-type", "job.missing-key", "job.unknown-key"]);
    assert_eq!(diagnostics[1].line, line_of("[rounds]"));
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.line.is_some()));
}

#[test]
fn a_refusal_is_one_line_with_the_first_error_and_how_many_more_there_are() {
    let one = FILE.replacen("logistic-regression", "astrology", 1);
    let two = one.replacen("min = 18", "min = 180", 1);
    for (text, more) in [(one, ""), (two, " (and 1 more)")] {
        let refused = Job::from_toml(&text).unwrap_err();
        let (line, message) = (refused[0].line.unwrap(), refused[0].message.clone());
        assert_eq!(TermsError::File(refused).to_string(), format!("line {line}: {message}{more}"));
    }
}

#[test]
fn text_that_is_no_toml_is_an_error_with_a_line() {
    assert_eq!(errors("purpose = ", "purpose "), [("job.syntax", line_of("purpose"))]);
}

#[test]
fn an_empty_file_is_told_everything_that_it_lacks() {
    let codes: Vec<_> =
        Job::from_toml("").unwrap_err().into_iter().map(|diagnostic| diagnostic.code).collect();
    assert!(codes.contains(&"contract.label-missing") && codes.contains(&"contract.no-columns"));
    assert_eq!(codes.iter().filter(|code| **code == "job.missing-key").count(), 8);
}

fn sketch(name: &str, values: &[&str], numeric: bool) -> ColumnSketch {
    let numbers: Vec<f64> = values.iter().filter_map(|value| value.parse().ok()).collect();
    ColumnSketch {
        spelt: Vec::new(),
        name: name.into(),
        rows: 100,
        numeric,
        min: numbers.iter().copied().fold(f64::INFINITY, f64::min),
        max: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        values: values.iter().map(|value| (*value).into()).collect(),
        distinct: values.len() as u64,
        empty: 0,
    }
}

#[test]
fn a_draft_is_a_job_that_leaves_bookkeeping_out() {
    let columns = [
        sketch("row_id", &["1", "2", "3"], true),
        sketch("fold", &["0", "1", "2"], true),
        sketch("site", &["a", "b"], false),
        sketch("site_skew", &["s0", "s1"], false),
        sketch("default", &["no", "yes"], false),
        sketch("label", &["0", "1"], true),
        sketch("age", &["19", "95", "40"], true),
        sketch("balance \"eur\"", &["-8019", "102127", "1"], true),
        sketch("rate", &["-0.0123", "0.0456", "0"], true),
        sketch("flag", &["1", "0"], true),
        ColumnSketch { distinct: 5000, ..sketch("street", &["x", "y"], false) },
    ];
    let text = draft(&columns);
    let job = Job::from_toml(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    assert_eq!(
        job.contract.label,
        crate::Label { column: "label".into(), positive: "1".into(), negative: "0".into() }
    );
    let names: Vec<_> = job.contract.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["default", "age", "balance \"eur\"", "rate", "flag"]);
    for left_out in ["row_id", "fold", "site", "site_skew", "street"] {
        assert!(text.contains(&format!("# Left out: {left_out} (")), "{text}");
    }
    assert!(job.contract.columns[1].sensitive && !job.contract.columns[2].sensitive);
    let kind = |column: usize| job.contract.columns[column].kind.clone();
    let numeric = |transform, min, max| crate::ColumnKind::Numeric { transform, min, max };
    assert_eq!(kind(1), numeric(crate::Transform::Identity, 19.0, 95.0));
    assert_eq!(kind(2), numeric(crate::Transform::Slog1p, -8100.0, 110_000.0));
    assert_eq!(kind(3), numeric(crate::Transform::Identity, -0.013, 0.046));
    assert_eq!(kind(4), crate::ColumnKind::Categorical { levels: vec!["0".into(), "1".into()] });
}

#[test]
fn a_label_is_guessed_from_flags_only_as_a_last_resort() {
    let text = draft(&[sketch("age", &["20", "30", "40"], true), sketch("won", &["1", "0"], true)]);
    assert_eq!(Job::from_toml(&text).unwrap().contract.label.column, "won");
    assert!(text.contains("CHECK THIS"));
    let text = draft(&[sketch("age", &["20", "30", "40"], true)]);
    let codes: Vec<_> =
        Job::from_toml(&text).unwrap_err().into_iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["contract.label-missing"]);
}

#[test]
fn what_a_draft_proposes_is_what_the_check_accepts() {
    let age = sketch("age", &["20", "30", "40"], true);
    for (name, values) in
        [("", ["1", "0"]), (" label", ["1", "0"]), ("label", ["1", " 0"]), ("label", ["", "1"])]
    {
        let columns = [age.clone(), sketch(name, &values, false)];
        assert_eq!(draft_predicting(&columns, name), None, "{name:?} {values:?}");
        assert!(draft(&columns).contains("NO LABEL FOUND"), "{name:?} {values:?}");
    }
    // One number written in three ways, and numbers too close to zero to be told apart.
    for numbers in [["5", "5.0", "5.00"], ["1e-320", "2e-320", "3e-320"]] {
        let text = draft(&[age.clone(), sketch("odd", &numbers, true), sketch("label", &["1", "0"], true)]);
        let job = Job::from_toml(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        assert_eq!(job.contract.columns.len(), 1);
        assert!(text.contains("# Left out: odd ("), "{text}");
    }
}

#[test]
fn a_draft_predicts_the_column_asked_for_if_it_has_two_values() {
    let columns = [sketch("age", &["20", "30", "40"], true), sketch("label", &["1", "0"], true)];
    let wanted = [columns.as_slice(), &[sketch("won", &["yes", "no"], false)]].concat();
    let text = draft_predicting(&wanted, "won").unwrap();
    assert!(text.contains("column = \"won\"\npositive = \"yes\""), "{text}");
    assert_eq!(draft_predicting(&wanted, "age"), None);
    assert_eq!(draft_predicting(&wanted, "nowhere"), None);
}

#[test]
fn a_file_that_no_entry_has_room_for_is_refused_and_one_that_just_fits_is_read() {
    let json = |text: &str| serde_json::Value::from(text).to_string().len();
    for filler in ["x", "\"", "#\n"] {
        let with = |count: usize| format!("{FILE}# {}\n", filler.repeat(count));
        let step = json(&with(1)) - json(&with(0));
        let most = ((60 << 10) - json(&with(0))) / step;
        assert!(Job::from_toml(&with(most)).is_ok(), "{filler:?}");
        let refused = Job::from_toml(&with(most + 1)).unwrap_err();
        assert_eq!(refused.iter().map(|one| one.code).collect::<Vec<_>>(), ["job.too-large"], "{filler:?}");
        assert_eq!(TermsError::File(refused).code(), "job.too-large");
    }
}

#[test]
fn a_range_that_nothing_can_be_computed_with_is_refused() {
    let range = |min: &str, max: &str, transform: &str| {
        FILE.replacen("min = 18", &format!("min = {min}"), 1).replacen(
            "max = 100",
            &format!("max = {max}\ntransform = \"{transform}\""),
            1,
        )
    };
    let code = |text: &str| Job::from_toml(text).unwrap_err()[0].code;
    assert_eq!(code(&range("-1.7e308", "1.7e308", "identity")), "contract.range-too-wide");
    assert_eq!(code(&range("1e308", "1.7e308", "identity")), "contract.range-too-wide");
    for (min, max, transform) in [
        ("1e15", "1000000000000001", "slog1p"),
        ("1e16", "10000000000000002", "identity"),
        ("0", "1e-320", "identity"),
    ] {
        assert_eq!(code(&range(min, max, transform)), "contract.range", "{min} to {max}");
    }
    let kept = Job::from_toml(&range("-1.7e308", "1.7e308", "slog1p")).unwrap();
    let widest = Job::from_toml(&range("-8e307", "8e307", "identity")).unwrap();
    for job in [kept, widest] {
        assert!(crate::program::statistics::StatisticsQuestion::of(&job.contract).layout().is_ok());
    }
}

#[test]
fn a_long_list_of_syntax_errors_is_cut_after_the_first_three() {
    let table = "17,north,87\n".repeat(50);
    let codes: Vec<_> = Job::from_toml(&table).unwrap_err().iter().map(|one| one.code).collect();
    assert_eq!(codes, ["job.syntax"; 3]);
}

#[test]
fn a_draft_of_numbers_of_any_size_is_a_job() {
    for numbers in [
        ["1e300", "-2.5", "7"],
        ["1.7e308", "-1.7e308", "0"],
        ["4e18", "1e18", "2e18"],
        ["3e-9", "0", "1e-9"],
    ] {
        let text = draft(&[sketch("amount", &numbers, true), sketch("label", &["1", "0"], true)]);
        let job = Job::from_toml(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        let (_, min, max) = job.contract.numeric().next().unwrap();
        for number in numbers.map(|number| number.parse::<f64>().unwrap()) {
            assert!((min..=max).contains(&number), "{number} is not within {min} to {max}");
        }
        assert!(text.lines().all(|line| line.len() < 130), "{text}");
    }
}
