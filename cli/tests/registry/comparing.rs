//! A champion and a shadow on the participants' own rows: a job that trains nothing, with real services.

use std::io::Read as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::founding::{BANKS, table};
use super::process::{Line, Process, refusal, succeed};
use super::{House, are, is_here, is_published};

/// The bank that has lost its models, the bank whose files were changed, and who is in a sum without it.
const WITHOUT: &str = BANKS[4];
const FORGED: &str = BANKS[3];

impl House {
    /// What the example's comparison says of these models, under another id.
    fn comparison(&self, id: &str, models: &[&str]) -> PathBuf {
        let example =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing/compare.toml");
        let mut text = std::fs::read_to_string(example).unwrap();
        for (digit, model) in ["1", "2"].into_iter().zip(models) {
            let placeholder = digit.repeat(64);
            assert!(text.contains(&placeholder));
            text = text.replace(&placeholder, model);
        }
        let text = text.replace("id = \"bank-marketing-compare\"", &format!("id = \"{id}\""));
        self.hosts.write(&format!("operator/{id}.toml"), &text);
        self.operator().join(format!("{id}.toml"))
    }

    fn handing_in(&self, id: &str) -> [String; 5] {
        ["job", "submit", &format!("{id}.toml"), "--config", "coordinator.toml"].map(String::from)
    }

    pub(super) fn hand_in(&self, id: &str) {
        succeed("syndic-coordinator", &self.operator(), &self.handing_in(id).each_ref().map(String::as_str));
    }

    pub(super) fn refuses(&self, id: &str) -> (i32, String) {
        refusal("syndic-coordinator", &self.operator(), &self.handing_in(id).each_ref().map(String::as_str))
    }

    /// Makes a candidate a shadow that every bank has.
    pub(super) fn deliver(&self, id: &str, coordinator: &mut Process, banks: &mut [Process]) {
        let file = format!("{id}-shadow.json");
        self.promote(id, "shadow", &file);
        self.stage(&file);
        coordinator.wait_for("the stage", is_published);
        for bank in banks {
            bank.wait_for("the model", |line| is_here(line) && line.text("job") == id);
        }
    }

    /// SHA-256 of the weights that a job released.
    fn model_of(&self, id: &str) -> String {
        let told = ["model", "list", "--config", "coordinator.toml", "--json"];
        let told: Value =
            serde_json::from_str(&succeed("syndic-coordinator", &self.operator(), &told)).unwrap();
        let models = told["models"].as_array().unwrap();
        let model = models.iter().find(|model| model["job"] == id).unwrap();
        model["model"].as_str().unwrap().to_owned()
    }

    /// What a comparison found, as a reviewer reads it from the published ledger.
    fn found(&self, id: &str) -> Value {
        let ledger = self.published("ledger");
        let arguments = ["model", "compare", "--job", id, "--ledger", &ledger, "--key", &self.key];
        let text = succeed("syndic", &self.approver(), &arguments);
        assert!(text.contains("2 - 1") && text.contains("calibration_error"), "{text}");
        let told = succeed("syndic", &self.approver(), &[&arguments[..], &["--json"]].concat());
        serde_json::from_str(&told).unwrap()
    }

    /// What `syndic score` measures of a model on the test rows of these banks, in one place.
    fn scored(&self, id: &str, banks: &[&str]) -> Value {
        let rows = self.approver().join("rows.csv");
        std::fs::write(&rows, test_rows(banks)).unwrap();
        let (rows, model) = (rows.to_str().unwrap(), self.published(&format!("job-{id}")));
        let out = self.approver().join("scores.csv");
        let _ = std::fs::remove_file(&out);
        let out = out.to_str().unwrap();
        let told = ["score", "--model", &model, "--table", rows, "--out", out, "--evaluate", "--json"];
        let told: Value = serde_json::from_str(&succeed("syndic", &self.approver(), &told)).unwrap();
        told["evaluation"].clone()
    }
}

/// The test rows of these banks.
fn test_rows(banks: &[&str]) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(table()).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let position = |name: &str| header.split(',').position(|column| column == name).unwrap();
    let (fold, site) = (position("fold"), position("site"));
    let is_wanted = |row: &&str| {
        let cells: Vec<&str> = row.split(',').collect();
        cells[fold] == "0" && banks.contains(&cells[site])
    };
    let rows: Vec<&str> = rows.lines().filter(is_wanted).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

/// Everybody but one.
fn all_but(one: &str) -> Vec<&'static str> {
    BANKS.into_iter().filter(|bank| *bank != one).collect()
}

pub(super) fn declines(code: &'static str) -> impl Fn(&Line) -> bool {
    move |line| line.is("declining") && line.text("code") == code
}

/// Figures of the sum are those of `syndic score` on the same rows, to the bins of histograms.
fn are_those_of_scoring(house: &House, found: &Value, jobs: [&str; 2], banks: &[&str]) {
    for (told, job) in found["models"].as_array().unwrap().iter().zip(jobs) {
        let scored = house.scored(job, banks);
        assert_eq!(
            (&told["job"], &told["stage"], &told["name"]),
            (&json!(job), &json!("shadow"), &json!("response"))
        );
        assert_eq!((&found["count"], &found["positives"]), (&scored["rows"], &scored["positives"]));
        for (name, of_score, within) in [
            ("roc_auc", "roc_auc", 1e-3),
            ("pr_auc", "pr_auc", 3e-3),
            ("log_loss", "log_loss", 1e-8),
            ("brier", "brier", 1e-8),
            ("ks", "ks", 5e-3),
            ("calibration_error", "calibration_error", 5e-3),
        ] {
            let (one, other) = (told["figures"][name].as_f64().unwrap(), scored[of_score].as_f64().unwrap());
            assert!((one - other).abs() < within, "{job}: {name} is {one}, and {other} in one place");
        }
    }
}

#[test]
fn released_models_are_compared_by_those_who_hold_them_and_by_nobody_else() {
    let house = House::founded();
    for bank in BANKS {
        let programs = "programs = [\"logistic-regression\", \"evaluation\"]";
        house.hosts.edit(&format!("{bank}/policy.toml"), "programs = [\"logistic-regression\"]", programs);
    }
    let mut coordinator = house.hosts.start_coordinator();
    coordinator.wait_for("readiness", |line| line.is("ready"));
    let mut banks = house.hosts.start_banks();
    house.submit("first", "name = \"response\"\nmin_roc_auc = 0.6\n");
    coordinator.wait_for("the first model", is_published);
    // It learns otherwise, so that the two differ.
    house.submit_altered("second", "name = \"response\"\n", |job| job.replace("l2 = 0.0001", "l2 = 0.3"));
    coordinator.wait_for("the second model", is_published);
    let models = [house.model_of("first"), house.model_of("second")];
    let models = models.each_ref().map(String::as_str);
    assert_ne!(models[0], models[1]);

    // Nobody has a candidate, and nobody knows of others.
    house.comparison("too-early", &models);
    assert_eq!(house.refuses("too-early"), (2, "evaluation.not-released".into()));
    house.comparison("unheard-of", &[&"3".repeat(64), models[1]]);
    assert_eq!(house.refuses("unheard-of"), (2, "evaluation.unknown".into()));
    house.deliver("first", &mut coordinator, &mut banks);
    house.deliver("second", &mut coordinator, &mut banks);

    // A bank that has lost its models stays out, and the sum is that of the others.
    std::fs::remove_dir_all(house.hosts.host(WITHOUT).join("state/models")).unwrap();
    // Whoever asks beforehand is told the same.
    let file = house.comparison("compare", &models);
    let check = ["policy", "check", "--job", file.to_str().unwrap(), "--config", "participant.toml"];
    let told = succeed("syndic-participant", &house.hosts.host(BANKS[0]), &check);
    assert!(told.contains("the policy accepts job compare"), "{told}");
    let refused = refusal("syndic-participant", &house.hosts.host(WITHOUT), &check);
    assert_eq!(refused, (1, "evaluation.not-held".into()));
    house.hand_in("compare");
    banks[4].wait_for("its no", declines("evaluation.not-held"));
    coordinator.wait_for("the comparison", is_published);
    let found = house.found("compare");
    are_those_of_scoring(&house, &found, ["first", "second"], &all_but(WITHOUT));
    let difference = &found["models"][1]["differences"]["log_loss"];
    assert!(difference.as_f64().unwrap().abs() > 0.0, "a penalty changes something: {found}");
    assert!(found["models"][1]["log_loss_error"].as_f64().unwrap() > 0.0);
    let written = std::fs::read_to_string(house.published("job-compare/comparison.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["comparison"]["models"][1]["figures"], found["models"][1]["figures"]);
    assert!(!PathBuf::from(house.published("job-compare/model.json")).exists());
    let stages = are(&[("first", "shadow"), ("second", "shadow")]);
    assert_eq!(
        (house.stages(), house.published_stages()),
        (stages.clone(), stages),
        "a comparison is no model"
    );

    // It gets them again when it comes back. A bank whose files were changed does not use them.
    let mut last = banks.pop().unwrap();
    super::stop(&mut last);
    let mut last = house.hosts.start(WITHOUT);
    last.wait_for("the first again", is_here);
    last.wait_for("the second again", is_here);
    super::flip(&house.hosts.host(FORGED).join("state/models/response/job-second/model.safetensors"));
    house.comparison("again", &models);
    house.hand_in("again");
    banks[3].wait_for("its no", declines("evaluation.not-verified"));
    coordinator.wait_for("the comparison", is_published);
    are_those_of_scoring(&house, &house.found("again"), ["first", "second"], &all_but(FORGED));

    // The second was trained without gates: who lets it take the place of the first is told which ones were given up, and signs that.
    let told = house.promote("first", "champion", "first-champion.json");
    assert!(!told.contains("WARNING"), "{told}");
    house.stage("first-champion.json");
    coordinator.wait_for("the stage", is_published);
    let told = house.promote("second", "champion", "second-champion.json");
    assert!(
        told.contains("WARNING: the job of first sets min_roc_auc, and that of second does not"),
        "{told}"
    );
    let file = std::fs::read_to_string(house.approver().join("second-champion.json")).unwrap();
    let approval: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(approval["approval"]["change"]["ungated"], json!(["min_roc_auc"]));
    house.stage("second-champion.json");
    coordinator.wait_for("the stage", is_published);

    // What was withdrawn is not compared.
    house.withdraw("second", "withdrawal.json");
    house.stage("withdrawal.json");
    house.comparison("too-late", &models);
    assert_eq!(house.refuses("too-late"), (2, "evaluation.withdrawn".into()));
    // A job that is on record already is no new one.
    house.hand_in("compare");

    // Who reviews it verifies all of it, the end of both comparisons included.
    coordinator.wait_for("the stage", is_published);
    let ledger = house.published("ledger");
    let verify = ["ledger", "verify", &ledger, "--key", &house.key, "--json"];
    let summary: Value = serde_json::from_str(&succeed("syndic", &house.approver(), &verify)).unwrap();
    assert_eq!(summary["types"]["syndic.job.completed"], 4, "{summary}");
    let report = ["ledger", "report", &ledger, "--job", "compare", "--key", &house.key, "--json"];
    let report: Value = serde_json::from_str(&succeed("syndic", &house.approver(), &report)).unwrap();
    let job = &report["job"];
    assert_eq!((&job["outcome"], &job["model"]), (&json!("completed"), &Value::Null));
    assert_eq!(job["comparison"]["models"][0]["figures"], found["models"][0]["figures"]);
    super::stop(&mut coordinator);
}
