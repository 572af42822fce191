//! The registry of models with real services: a coordinator and five participants as separate processes, and an approver whose key is
//! on neither's host.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod comparing;
mod describing;
mod drifting;
mod forged;
#[path = "../two_hosts/founding.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod founding;
#[path = "../two_hosts/process.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod process;

use std::path::{Path, PathBuf};

use founding::{BANKS, Hosts, Job, free_port};
use process::{Line, Process, refusal, run, succeed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A federation whose approver is `model-risk`, and its coordinator's service.
struct House {
    hosts: Hosts,
    key: String,
}

impl House {
    fn founded() -> Self {
        let hosts = Hosts::founded_after("consumer_credit", free_port(), |hosts| {
            let approver = hosts.host("approver");
            std::fs::create_dir(&approver).unwrap();
            for (name, file) in [("model-risk", "approver.pem"), ("audit", "audit.pem")] {
                let made =
                    succeed("syndic", &approver, &["model", "new-key", "--approver-key", file, "--json"]);
                let made: Value = serde_json::from_str(&made).unwrap();
                let public = made["public_key"].as_str().unwrap();
                let told = hosts.operator(&["add-approver", "--name", name, "--public-key", public]);
                assert!(told.contains(public), "{told}");
            }
            succeed("syndic", &approver, &["model", "new-key", "--approver-key", "stranger.pem"]);
        });
        hosts.edit("operator/coordinator.toml", "job = \"job.toml\"\n", "");
        for bank in BANKS {
            hosts.edit(&format!("{bank}/participant.toml"), "[data]", "until = \"stopped\"\n\n[data]");
        }
        let roster = hosts.operator(&["roster"]);
        assert!(roster.contains("approver model-risk"), "{roster}");
        let key = roster.lines().find_map(|line| line.strip_prefix("ledger key")).unwrap().trim().to_owned();
        Self { hosts, key }
    }

    /// Hands in the example's job under another id, with these gates.
    fn submit(&self, id: &str, gates: &str) {
        self.submit_altered(id, gates, |job| job);
    }

    /// The same of a job that is altered once more.
    fn submit_altered(&self, id: &str, gates: &str, alter: impl Fn(String) -> String) {
        let job = alter(Job { training_rounds: 1, deadline_seconds: 60 }.text());
        let job = job.replace("id = \"bank-marketing\"", &format!("id = \"{id}\""));
        self.hosts.write(&format!("operator/{id}.toml"), &format!("{job}\n[promotion]\n{gates}"));
        let arguments = ["job", "submit", &format!("{id}.toml"), "--config", "coordinator.toml"];
        succeed("syndic-coordinator", &self.operator(), &arguments);
    }

    fn operator(&self) -> PathBuf {
        self.hosts.host("operator")
    }

    fn approver(&self) -> PathBuf {
        self.hosts.host("approver")
    }

    fn published(&self, what: &str) -> String {
        self.operator().join("publish").join(what).to_str().unwrap().to_owned()
    }

    /// What `syndic model promote` is called with.
    fn promotion(&self, id: &str, to: &str, (approver, key): (&str, &str), out: &str) -> Vec<String> {
        let mut arguments =
            self.approval(&["promote", "--model", &self.published(&format!("job-{id}")), "--to", to], out);
        arguments.extend(["--approver", approver, "--approver-key", key].map(String::from));
        arguments
    }

    fn approval(&self, command: &[&str], out: &str) -> Vec<String> {
        let ledger = self.published("ledger");
        let rest = ["--ledger", &ledger, "--key", &self.key, "--reason", "it was validated", "--out", out];
        [&["model"], command, &rest].concat().into_iter().map(String::from).collect()
    }

    fn promote(&self, id: &str, to: &str, out: &str) -> String {
        succeed(
            "syndic",
            &self.approver(),
            &strs(&self.promotion(id, to, ("model-risk", "approver.pem"), out)),
        )
    }

    fn withdraw(&self, id: &str, out: &str) {
        let mut arguments = self.approval(&["withdraw", "--job", id], out);
        arguments.extend(["--approver", "audit", "--approver-key", "audit.pem"].map(String::from));
        succeed("syndic", &self.approver(), &strs(&arguments));
    }

    /// Hands an approval in.
    fn stage(&self, file: &str) -> Value {
        let told = succeed("syndic-coordinator", &self.operator(), &strs(&self.staging(file, true)));
        serde_json::from_str(&told).unwrap()
    }

    fn refused(&self, file: &str) -> (i32, String) {
        refusal("syndic-coordinator", &self.operator(), &strs(&self.staging(file, false)))
    }

    fn staging(&self, file: &str, json: bool) -> Vec<String> {
        let file = self.approver().join(file).to_str().unwrap().to_owned();
        let mut arguments: Vec<String> =
            ["model", "stage", &file, "--config", "coordinator.toml"].map(String::from).into();
        arguments.extend(json.then(|| "--json".into()));
        arguments
    }

    /// Name, job and stage of each model as the coordinator lists them.
    fn stages(&self) -> Vec<(String, String)> {
        let told = succeed(
            "syndic-coordinator",
            &self.operator(),
            &["model", "list", "--config", "coordinator.toml", "--json"],
        );
        stages(&serde_json::from_str(&told).unwrap())
    }

    /// The same as a reviewer derives it from the published ledger.
    fn published_stages(&self) -> Vec<(String, String)> {
        let ledger = self.published("ledger");
        let arguments = ["model", "list", "--ledger", &ledger, "--key", &self.key, "--json"];
        stages(&serde_json::from_str(&succeed("syndic", &self.approver(), &arguments)).unwrap())
    }

    /// What a bank has of the models, a line each.
    fn held(&self, bank: &str) -> Vec<Value> {
        let arguments = ["models", "--config", "participant.toml", "--json"];
        let told = run("syndic-participant", &self.hosts.host(bank), &arguments);
        String::from_utf8(told.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn stages(told: &Value) -> Vec<(String, String)> {
    let text = |model: &Value, key: &str| model[key].as_str().unwrap().to_owned();
    let models = told["models"].as_array().unwrap().iter();
    let mut stages: Vec<_> = models.map(|model| (text(model, "job"), text(model, "stage"))).collect();
    stages.sort();
    stages
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn are(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(job, stage)| ((*job).into(), (*stage).into())).collect()
}

fn is_published(line: &Line) -> bool {
    line.is("ledger and models are published")
}

fn is_here(line: &Line) -> bool {
    line.is("a model is verified and here")
}

fn stop(process: &mut Process) {
    let id = Pid::from_raw(process.id().try_into().unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    assert_eq!(process.ended(), 0, "{}", process.told());
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_model_is_promoted_by_its_approver_delivered_verified_replaced_and_withdrawn() {
    let house = House::founded();
    let mut coordinator = house.hosts.start_coordinator();
    coordinator.wait_for("readiness", |line| line.is("ready"));
    let mut banks = house.hosts.start_banks();
    house.submit("first", "name = \"response\"\nmin_roc_auc = 0.6\n");
    coordinator.wait_for("the first model", is_published);
    house.submit("second", "name = \"response\"\nmin_roc_auc = 0.6\nnot_worse_than_champion = 0.01\n");
    coordinator.wait_for("the second model", is_published);
    house.submit("weak", "name = \"response\"\nmin_roc_auc = 0.999\n");
    coordinator.wait_for("the third model", is_published);
    let candidates = are(&[("first", "candidate"), ("second", "candidate"), ("weak", "candidate")]);
    assert_eq!((house.stages(), house.published_stages()), (candidates.clone(), candidates));

    // Who is no approver, or names another, approves nothing; nor is a shadow left out.
    for (to, approver, key, code) in [
        ("shadow", "model-risk", "stranger.pem", "model.approval-signature"),
        ("shadow", "model-risk", "audit.pem", "model.approval-signature"),
        ("shadow", "nobody", "stranger.pem", "model.no-approver"),
        ("champion", "model-risk", "approver.pem", "model.illegal-stage"),
    ] {
        let arguments = house.promotion("first", to, (approver, key), "refused.json");
        assert_eq!(
            refusal("syndic", &house.approver(), &strs(&arguments)),
            (2, code.into()),
            "{approver} {to}"
        );
        assert!(!house.approver().join("refused.json").exists());
    }

    house.promote("first", "shadow", "first-shadow.json");
    let staged = house.stage("first-shadow.json");
    assert_eq!((&staged["fresh"], &staged["model"]["stage"]), (&json!(true), &json!("shadow")));
    coordinator.wait_for("the stage", is_published);
    assert_eq!(house.stage("first-shadow.json")["fresh"], false, "the same once more is fine");
    for bank in &mut banks {
        bank.wait_for("the shadow", is_here);
    }
    house.promote("first", "champion", "first-champion.json");
    // A statement about another model, or with another reason, has no signature.
    let text = std::fs::read_to_string(house.approver().join("first-champion.json")).unwrap();
    for (from, to, code) in [
        ("\"job\": \"first\"", "\"job\": \"second\"", "model.approval-signature"),
        ("it was validated", "it was not", "model.approval-signature"),
        ("syndic-model-approval/1", "syndic-model-approval/2", "model.approval-malformed"),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(house.approver().join("forged.json"), text.replace(from, to)).unwrap();
        assert_eq!(house.refused("forged.json"), (2, code.into()), "{to}");
    }
    house.stage("first-champion.json");
    coordinator.wait_for("the stage", is_published);
    assert_eq!(house.refused("first-shadow.json"), (2, "model.stale-approval".into()), "it counted once");
    for bank in &mut banks {
        bank.wait_for("the champion", is_here);
    }
    let held = house.held(BANKS[0]);
    let [champion] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!(
        (&champion["name"], &champion["job"], &champion["stage"], &champion["usable"]),
        (&json!("response"), &json!("first"), &json!("champion"), &json!(true))
    );
    let path = PathBuf::from(champion["path"].as_str().unwrap());
    let path = house.hosts.host(BANKS[0]).join(path);
    let released = std::fs::read(house.published("job-first/model.safetensors")).unwrap();
    assert_eq!(std::fs::read(path.join("model.safetensors")).unwrap(), released);

    // A model that does not reach what its job demands becomes no champion.
    house.promote("weak", "shadow", "weak-shadow.json");
    house.stage("weak-shadow.json");
    coordinator.wait_for("the stage", is_published);
    let arguments = house.promotion("weak", "champion", ("model-risk", "approver.pem"), "weak.json");
    assert_eq!(refusal("syndic", &house.approver(), &strs(&arguments)), (2, "model.gate-failed".into()));

    // The second takes the place of the first, which is a shadow again. What was told is durable: everybody is killed in between.
    house.promote("second", "shadow", "second-shadow.json");
    house.stage("second-shadow.json");
    coordinator.wait_for("the stage", is_published);
    house.promote("second", "champion", "second-champion.json");
    coordinator.kill();
    for bank in banks {
        bank.kill();
    }
    // What lies at a bank is verified whenever it is looked at, and mended by the next delivery.
    flip(&path.join("model.safetensors"));
    let arguments = ["models", "--config", "participant.toml"];
    assert_eq!(
        refusal("syndic-participant", &house.hosts.host(BANKS[0]), &arguments),
        (4, "model.other-model".into())
    );
    let mut coordinator = house.hosts.start_coordinator();
    coordinator.wait_for("what was there before", is_published);
    let before = are(&[("first", "champion"), ("second", "shadow"), ("weak", "shadow")]);
    assert_eq!(house.stages(), before, "the same as before the restart");
    house.stage("second-champion.json");
    let mut banks = house.hosts.start_banks();
    for bank in &mut banks {
        bank.wait_for("the new champion", |line| is_here(line) && line.text("stage") == "champion");
    }
    let after = are(&[("first", "shadow"), ("second", "champion"), ("weak", "shadow")]);
    assert_eq!(house.stages(), after);

    coordinator.wait_for("the stage", is_published);
    house.withdraw("second", "withdrawal.json");
    house.stage("withdrawal.json");
    for bank in &mut banks {
        bank.wait_for("the withdrawal", |line| {
            line.is("a model was withdrawn: it is not to be used any more")
        });
    }
    for bank in BANKS {
        let told: Vec<_> = house
            .held(bank)
            .iter()
            .map(|one| (one["job"].clone(), one["stage"].clone(), one["usable"].clone()))
            .collect();
        let expected = [("first", "shadow", true), ("second", "withdrawn", false), ("weak", "shadow", true)];
        assert_eq!(
            told,
            expected.map(|(job, stage, usable)| (json!(job), json!(stage), json!(usable))),
            "{bank}"
        );
    }
    stop(&mut coordinator);
    for bank in &mut banks {
        stop(bank);
    }
    let fsck = ["fsck", "--config", "coordinator.toml", "--json"];
    let findings: Value =
        serde_json::from_str(&succeed("syndic-coordinator", &house.operator(), &fsck)).unwrap();
    assert_eq!(findings["damage"], json!([]), "{findings}");
}
