//! Programs over real TLS: those that give the model of pooled training, Newton's method, also with one institution away for
//! a round, and boosted trees; and networks. And the comparison of groups.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use syndic::ledger::trust::Trust;
use syndic::ledger::verify;

#[path = "programs/describing.rs"]
mod describing;

/// Runs the example job with this program, and what else its file is to say; returns the run's folder, and `result.json`.
fn run(folder: &Path, program: &str, more: &[&str]) -> (PathBuf, Value) {
    let (out, output) = ran(folder, program, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (out, serde_json::from_slice(&output.stdout).unwrap())
}

/// The same however it ends.
fn ran(folder: &Path, program: &str, more: &[&str]) -> (PathBuf, Output) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing");
    let text = std::fs::read_to_string(example.join("job.toml")).unwrap();
    let without = |section: &str, next: &str| {
        let (before, rest) = text.split_once(section).unwrap();
        format!("{before}{next}{}", rest.split_once(next).unwrap().1)
    };
    // A program that adds noise brings the section that says so.
    let text =
        if program.contains("[privacy]") { without("[privacy]", "[protection]") } else { text.clone() };
    let (before, rest) = text.split_once("[program]").unwrap();
    let (_, after) = rest.split_once("[rounds]").unwrap();
    let text = format!("{before}[rounds]{after}\n{program}\n");
    let (job, table, out) =
        (folder.join("job.toml"), example.join("bank_marketing.csv.gz"), folder.join("out"));
    std::fs::write(&job, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["sandbox", "--json", "--quiet", "--job", job.to_str().unwrap()])
        .args(["--table", table.to_str().unwrap(), "--site-column", "site", "--fold-column", "fold"])
        .args(["--test-fold", "0", "--out", out.to_str().unwrap()])
        .args(more)
        .env_remove("SYNDIC_LOG")
        .output()
        .unwrap();
    (out, output)
}

#[test]
fn the_example_jobs_of_each_program_run_side_by_side_and_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing");
    let jobs = ["trees", "scorecard", "network", "noise"];
    let out = folder.path().join("comparison");
    let mut command = Command::new(env!("CARGO_BIN_EXE_syndic"));
    command.args(["sandbox", "--json", "--quiet", "--compare", "pooled", "--rounds", "3"]);
    for job in jobs {
        command.arg("--job").arg(example.join(job).with_extension("toml"));
    }
    command.arg("--table").arg(example.join("bank_marketing.csv.gz"));
    command.args(["--site-column", "site", "--fold-column", "fold", "--test-fold", "0"]);
    command.args(["--validation-fold", "1", "--out"]).arg(&out);
    let output = command.env_remove("SYNDIC_LOG").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let last = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
    let comparison: Value = serde_json::from_str(&last).unwrap();
    let file = std::fs::read(out.join("comparison.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&file).unwrap(), comparison);
    let compared = comparison["jobs"].as_array().unwrap();
    assert_eq!(compared.iter().map(|job| job["name"].as_str().unwrap()).collect::<Vec<_>>(), jobs);
    for job in compared {
        let result = std::fs::read(out.join(job["name"].as_str().unwrap()).join("result.json")).unwrap();
        let result: Value = serde_json::from_slice(&result).unwrap();
        let [federated, pooled] = [0, 1].map(|model| &job["models"][model]);
        assert_eq!((&federated["trained"], &pooled["trained"]), (&"federated".into(), &"pooled".into()));
        assert_eq!(federated["roc_auc"], result["metrics"]["federated"]["roc_auc"]);
        assert_eq!(pooled["roc_auc"], result["metrics"]["pooled"]["roc_auc"]);
        // Twice the area less one, of rows of both classes.
        let figure = |pointer: &str| result.pointer(pointer).unwrap().as_f64().unwrap();
        let gini = 2.0 * figure("/metrics/federated/roc_auc") - 1.0;
        assert!((figure("/metrics/detail/gini") - gini).abs() < 1e-4, "{}", result["metrics"]);
        assert!(figure("/metrics/detail/lift") > 1.0, "{}", result["metrics"]);
    }
    let picture = std::fs::read_to_string(out.join("comparison.svg")).unwrap();
    assert!(jobs.iter().all(|job| picture.contains(job)), "{picture}");
}

fn newton(terms: &str) -> String {
    format!("[program]\nname = \"logistic-regression\"\nsolver = \"newton\"\n{terms}")
}

/// Asserts that the figures of the federated and of the pooled model are the same.
fn assert_as_good_as_pooling(result: &Value, within: f64) {
    for figure in ["roc_auc", "pr_auc", "log_loss"] {
        let [federated, pooled] =
            ["federated", "pooled"].map(|model| result["metrics"][model][figure].as_f64().unwrap());
        assert!((federated - pooled).abs() <= within, "{figure}: {federated} and {pooled}");
    }
}

/// The card of a run's model; its ledger is verified.
fn card(out: &Path, result: &Value) -> Value {
    let key = result["ledger"]["key"].as_str().unwrap();
    verify::check(&out.join("ledger"), &Trust::of(Some(key), None).unwrap()).unwrap();
    serde_json::from_slice(&std::fs::read(out.join("model.json")).unwrap()).unwrap()
}

#[test]
fn the_federation_is_as_good_as_pooling_though_one_is_away_for_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let (out, result) = run(folder.path(), &newton("encoding = \"drop-first\""), &["--drop"]);

    assert_as_good_as_pooling(&result, 1e-6);
    assert_eq!(result["rounds"]["converged"], true);
    let rounds = result["rounds"]["completed"].as_u64().unwrap();
    assert!((5..=10).contains(&rounds), "{result}");
    // The model of the last round alone is measured.
    assert_eq!(
        (&result["rounds"]["evaluation"], &result["rounds"]["released"]),
        (&1.into(), &result["rounds"]["completed"])
    );
    assert!(result["options"]["stopped"].is_string(), "{result}");

    let card = card(&out, &result);
    let inference = card["fit"]["inference"].as_array().unwrap();
    assert_eq!(inference.len(), card["inputs"].as_array().unwrap().len() + 1);
    let first_levels = inference.iter().filter(|of| of["standard_error"].is_null()).count();
    assert!(first_levels > 3 && inference.len() > 2 * first_levels, "{inference:?}");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("What the model has learnt") && report.contains("(intercept)"));
}

#[test]
fn trees_and_the_comparison_of_groups_by_them_are_those_of_pooling() {
    let folder = tempfile::tempdir().unwrap();
    let job = r#"[program]
name = "boosted-trees"
depth = 3

[fairness]
groups = [{ column = "marital" }, { column = "age", bands = [30, 50] }]
"#;
    let (out, result) = run(folder.path(), job, &["--rounds", "3"]);

    assert_as_good_as_pooling(&result, 1e-12);
    assert_eq!((&result["rounds"]["completed"], &result["rounds"]["evaluation"]), (&3.into(), &3.into()));
    assert_eq!(result["fairness"]["federated"], result["fairness"]["pooled"]);
    let columns = result["fairness"]["federated"]["columns"].as_array().unwrap();
    assert!(columns.iter().all(|column| column["gaps"]["flagged"].as_f64().unwrap() > 0.0), "{columns:?}");
    let card = card(&out, &result);
    assert_eq!(card["program"], "boosted-trees");
    assert_eq!(card["fairness"], result["fairness"]["federated"]);
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("How the model treats groups") && report.contains("30 to below 50"));
}

#[test]
fn a_job_with_noise_opens_noisy_gradients_alone_and_says_what_it_spent() {
    let folder = tempfile::tempdir().unwrap();
    let job = r#"[program]
name = "logistic-regression"
solver = "noisy-gradient"

[privacy]
mode = "record-level"
epsilon = 8
delta = 1e-5
noise = "distributed"
honest = 2
"#;
    let (out, result) = run(folder.path(), job, &["--rounds", "12"]);

    let rounds = &result["rounds"];
    assert_eq!(
        (&rounds["completed"], &rounds["statistics"], &rounds["evaluation"]),
        (&12.into(), &0.into(), &0.into())
    );
    assert!(result["metrics"]["live"].is_null(), "{result}");
    assert!(result["metrics"]["federated"]["roc_auc"].as_f64().unwrap() > 0.6, "{result}");
    let spent = |claim: &Value| claim["spent"]["epsilon"].as_str().unwrap().parse::<f64>().unwrap();
    assert!((7.99..=8.0).contains(&spent(&result["privacy"])), "{result}");
    let card = card(&out, &result);
    assert_eq!(card["privacy"], result["privacy"]);
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        report.contains("Differential privacy has limits") && !report.contains("There is no differential")
    );
}

#[test]
fn a_network_with_noise_is_measured_with_noise_and_scores_rows() {
    let folder = tempfile::tempdir().unwrap();
    let job = r#"[program]
name = "neural-network"
optimiser = "noisy-gradient"
hidden = [4]

[privacy]
mode = "record-level"
epsilon = 8
delta = 1e-5
noise = "distributed"
honest = 2
test_bins = 16
"#;
    let (out, result) = run(folder.path(), job, &["--rounds", "20"]);
    let rounds = &result["rounds"];
    assert_eq!((&rounds["completed"], &rounds["statistics"]), (&20.into(), &0.into()));
    assert!(result["metrics"]["federated"]["roc_auc"].as_f64().unwrap() > 0.6, "{result}");
    let card = card(&out, &result);
    assert_eq!(card["program"], "neural-network");
    assert_eq!(card["privacy"], result["privacy"]);
    assert!(card["privacy"]["evaluation"].as_str().unwrap().contains("leaves ROC-AUC uncertain"), "{card}");
}

#[test]
fn trees_with_noise_take_one_sum_a_round_and_are_measured_with_noise() {
    let folder = tempfile::tempdir().unwrap();
    let job = r#"[program]
name = "boosted-trees"
splits = "random"
increasing = ["balance"]

[privacy]
mode = "record-level"
epsilon = 8
delta = 1e-5
noise = "distributed"
honest = 2
test_bins = 16
"#;
    let (out, result) = run(folder.path(), job, &["--rounds", "20"]);
    let rounds = &result["rounds"];
    assert_eq!((&rounds["completed"], &rounds["statistics"]), (&20.into(), &0.into()));
    assert!(result["metrics"]["federated"]["roc_auc"].as_f64().unwrap() > 0.7, "{result}");
    let card = card(&out, &result);
    assert_eq!(card["program"], "boosted-trees");
    assert_eq!(card["privacy"], result["privacy"]);
    assert_eq!(card["privacy"]["spent"]["training_rounds"], 20);
    let mechanism = card["privacy"]["mechanism"].as_str().unwrap();
    assert!(mechanism.contains("each of 20 sums of all rows: the first of counts"), "{mechanism}");
    assert!(card["privacy"]["evaluation"].as_str().unwrap().contains("leaves ROC-AUC uncertain"), "{card}");
}

#[test]
fn a_scorecard_with_noise_compares_groups_in_the_sum_that_measures_it() {
    let folder = tempfile::tempdir().unwrap();
    let job = r#"[program]
name = "scorecard"
max_bins = 4

[privacy]
mode = "record-level"
epsilon = 8
delta = 1e-5
noise = "distributed"
honest = 2
test_bins = 32

[fairness]
groups = [{ column = "marital" }]
"#;
    let (out, result) = run(folder.path(), job, &["--rounds", "20"]);

    let rounds = &result["rounds"];
    assert_eq!((&rounds["completed"], &rounds["statistics"]), (&20.into(), &0.into()));
    assert!(result["metrics"]["federated"]["roc_auc"].as_f64().unwrap() > 0.6, "{result}");
    let spent: f64 = result["privacy"]["spent"]["epsilon"].as_str().unwrap().parse().unwrap();
    assert!((7.9..=8.0).contains(&spent), "{result}");
    let card = card(&out, &result);
    assert_eq!((&card["program"], &card["privacy"]), (&"scorecard".into(), &result["privacy"]));
    assert!(card["privacy"]["mechanism"].as_str().unwrap().contains("in the cells of columns"), "{card}");
    assert!(card["scorecard"]["columns"].as_array().unwrap().len() > 5);
    let of_marital = &card["fairness"]["columns"][0];
    assert!(of_marital["gaps"]["noise"]["flagged"].as_f64().unwrap() > 0.0, "{of_marital}");
    let shown = of_marital["groups"].as_array().unwrap().iter().filter(|group| !group["figures"].is_null());
    assert!(shown.count() >= 2, "{of_marital}");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("counted with noise") && report.contains(" ± "));
}

#[test]
fn a_job_that_hides_institutions_opens_noisy_changes_alone_and_says_how_loud_the_noise_is() {
    let folder = tempfile::tempdir().unwrap();
    let job = r#"[program]
name = "logistic-regression"
solver = "fed-avg"

[privacy]
mode = "institution-level"
epsilon = 8
delta = 1e-5
noise = "distributed"
honest = 2
"#;
    let (out, result) = run(folder.path(), job, &["--rounds", "3"]);

    let rounds = &result["rounds"];
    assert_eq!(
        (&rounds["completed"], &rounds["statistics"], &rounds["evaluation"]),
        (&3.into(), &0.into(), &0.into())
    );
    let warnings = result["warnings"].to_string();
    assert!(
        warnings.contains("drowns what institutions have in common") && warnings.contains("it takes some"),
        "{warnings}"
    );
    let claim = &result["privacy"];
    assert!(
        claim["unit"].as_str().unwrap().starts_with("the whole contribution of one institution"),
        "{claim}"
    );
    let spent: f64 = claim["spent"]["epsilon"].as_str().unwrap().parse().unwrap();
    assert!((7.99..=8.0).contains(&spent), "{claim}");
    assert_eq!(card(&out, &result)["privacy"], result["privacy"]);
}

#[test]
fn trees_grow_on_though_one_institution_is_away_for_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let job = "[program]\nname = \"boosted-trees\"\ndepth = 3\n";
    let (out, result) = run(folder.path(), job, &["--rounds", "2", "--drop"]);
    assert_eq!(result["rounds"]["completed"], 2);
    assert!(result["options"]["stopped"].is_string(), "{result}");
    assert_eq!(card(&out, &result)["program"], "boosted-trees");
}

#[test]
fn each_question_is_asked_of_those_whom_its_lot_draws() {
    let folder = tempfile::tempdir().unwrap();
    let job = r#"[program]
name = "logistic-regression"
solver = "fed-avg"
learning_rate = 0.3

[cohort]
members = ["bank_business", "bank_online", "bank_retail", "bank_savings"]
each_round = 3
"#;
    let (out, result) = run(folder.path(), job, &["--rounds", "6"]);

    assert_eq!(result["rounds"]["completed"], 6);
    assert!(result["metrics"]["federated"]["roc_auc"].as_f64().unwrap() > 0.72, "{}", result["metrics"]);
    card(&out, &result);
    let opened = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["ledger", "search", out.join("ledger").to_str().unwrap(), "--json"])
        .args(["--type", "round.opened"])
        .output()
        .unwrap();
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    let opened: Vec<Value> = opened
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let draws: BTreeSet<String> =
        opened.iter().map(|entry| entry["entry"]["data"]["admitted"].to_string()).collect();
    let lots: BTreeSet<&str> =
        opened.iter().map(|entry| entry["entry"]["data"]["lot"].as_str().unwrap()).collect();
    assert!(draws.len() > 1, "seven lots draw three of four: {draws:?}");
    assert_eq!((opened.len(), lots.len()), (13, 7), "statistics and metrics are those of one draw: {lots:?}");
    assert!(lots.contains("measures") && lots.contains("train/6"));
    assert!(opened.iter().all(|entry| entry["entry"]["data"]["threshold"] == 3
        && entry["entry"]["data"]["admitted"].as_array().unwrap().len() == 3));
}

#[test]
fn a_network_is_trained_measured_each_round_and_released_with_its_layers() {
    let folder = tempfile::tempdir().unwrap();
    let job = "[program]\nname = \"neural-network\"\nhidden = [8]\noptimiser = \"scaffold\"\nlearning_rate = 0.01\n";
    let (out, result) = run(folder.path(), job, &["--rounds", "3", "--validation-fold", "1"]);

    assert_eq!((&result["rounds"]["completed"], &result["rounds"]["evaluation"]), (&3.into(), &3.into()));
    let auc = |model: &str| result["metrics"][model]["roc_auc"].as_f64().unwrap();
    assert!(auc("federated") > 0.7 && auc("pooled") > 0.7, "{result}");
    let card = card(&out, &result);
    assert_eq!((&card["program"], card["inputs"].as_array().unwrap().len()), (&"neural-network".into(), 50));
    // Of 50 inputs and 8 units.
    assert_eq!(result["protection"]["parameters"], 51 * 8 + 9);
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("neural-network of hidden units 8 by scaffold"));
}

#[test]
fn a_scorecard_is_that_of_pooling_and_stands_in_card_and_report() {
    let folder = tempfile::tempdir().unwrap();
    let (out, result) = run(folder.path(), "[program]\nname = \"scorecard\"\nmax_bins = 5\n", &[]);

    assert_as_good_as_pooling(&result, 1e-6);
    assert_eq!(result["rounds"]["converged"], true);
    let card = card(&out, &result);
    assert_eq!(card["program"], "scorecard");
    let columns = card["scorecard"]["columns"].as_array().unwrap();
    let used = columns.iter().filter(|column| column["coefficient"].is_number());
    assert!(used.count() > 3, "{columns:?}");
    let bins = || columns.iter().flat_map(|column| column["bins"].as_array().unwrap());
    let rows: u64 =
        result["data"]["training_rows"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert!(bins().all(|bin| bin["rows"].as_u64().unwrap() * 20 >= rows || bin["points"].is_null()));
    let weights = std::fs::read(out.join("model.safetensors")).unwrap();
    syndic_learning::Model::load(&weights, &card.to_string()).unwrap();
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("The scorecard") && report.contains("600 points where there are 50 goods"));
}

#[test]
fn training_that_its_rounds_cut_off_is_told_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (out, result) = run(folder.path(), &newton(""), &["--rounds", "2"]);
    assert_eq!((&result["rounds"]["converged"], &result["rounds"]["completed"]), (&false.into(), &2.into()));
    let card = card(&out, &result);
    let warning = card["provenance"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("did not come to a minimum in its 2 rounds"), "{warning}");
    assert!(card["fit"].get("inference").is_none(), "levels that all have a weight have no standard errors");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("training did not come to a minimum"));
}

#[test]
fn a_job_whose_program_cannot_go_on_ends_with_its_code_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (out, output) = ran(folder.path(), "[program]\nname = \"scorecard\"\nmin_iv = 9\n", &[]);
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "program.no-column-tells", "{error}");
    assert!(error["error"]["help"].as_str().unwrap().contains("`min_iv`"), "{error}");
    let kept: Value = serde_json::from_slice(&std::fs::read(out.join("abandoned.json")).unwrap()).unwrap();
    assert_eq!(kept["code"], "program.no-column-tells");
    let reason = kept["reason"].as_str().unwrap();
    assert!(reason.ends_with("information value of 9 or more (program.no-column-tells)"), "{reason}");
}

#[test]
fn training_that_went_out_of_hand_is_warned_of_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let wild =
        "[program]\nname = \"logistic-regression\"\nsolver = \"fed-avg\"\nlearning_rate = 100.0\nl2 = 0.0\n";
    let (out, result) = run(folder.path(), wild, &["--rounds", "2"]);
    let warnings: Vec<&str> =
        result["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert!(warnings.iter().any(|text| text.contains("the model is worse than none")), "{warnings:?}");
    assert!(warnings.iter().any(|text| text.contains("clipped to the bounds")), "{warnings:?}");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("Warning:") && report.contains("clipped to the bounds"));

    let tame = "[program]\nname = \"logistic-regression\"\nsolver = \"fed-avg\"\n";
    let other = tempfile::tempdir().unwrap();
    let (out, result) = run(other.path(), tame, &["--rounds", "2"]);
    assert_eq!(result["warnings"], serde_json::json!([]));
    assert!(!std::fs::read_to_string(out.join("report.html")).unwrap().contains("Warning:"));
}

#[test]
fn class_weights_of_newton_and_of_trees_are_those_of_pooling() {
    for program in [
        newton("class_weights = \"balanced\"\n"),
        "[program]\nname = \"boosted-trees\"\ndepth = 2\nclass_weights = 4\n".into(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let more: &[&str] = if program.contains("trees") { &["--rounds", "3"] } else { &[] };
        let (out, result) = run(folder.path(), &program, more);
        assert_as_good_as_pooling(&result, 1e-6);
        card(&out, &result);
        // Probabilities are not those of the data, which is no sign that training went out of hand.
        assert_eq!(result["warnings"], serde_json::json!([]), "{program}");
    }
}
