//! A coordinator without a job of its own, and whoever runs its jobs: through its control socket, with the commands that operators
//! use.

use rustix::process::Signal;
use serde_json::{Value, json};
use syndic_coordinator::fact::{Cause, Fact};

use super::founding::{BANKS, Hosts, Job};
use super::process::{refusal, succeed};
use super::revoked::signal;
use super::{everybody_ends_well, ledger, rounds_of};

/// `syndic-coordinator job`, as the operator runs it.
struct Control<'a>(&'a Hosts);

impl Control<'_> {
    fn run(&self, arguments: &[&str]) -> String {
        succeed("syndic-coordinator", &self.0.host("operator"), &Self::with_config(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn refusal(&self, arguments: &[&str]) -> (i32, String) {
        refusal("syndic-coordinator", &self.0.host("operator"), &Self::with_config(arguments))
    }

    fn with_config<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        [&["job"], arguments, &["--config", "coordinator.toml"]].concat()
    }
}

#[test]
fn jobs_are_handed_in_shown_paused_resumed_prioritised_and_stopped_while_the_coordinator_runs() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    hosts.edit("operator/coordinator.toml", "job = \"job.toml\"\n", "");
    let job = std::fs::read_to_string(hosts.host("operator").join("job.toml")).unwrap();
    let other = job.replace("id = \"bank-marketing\"", "id = \"other\"");
    hosts.write("operator/other.toml", &other);
    let hurried = other.replace("id = \"other\"", "id = \"hurried\"");
    let hurried = hurried.replace("[rounds.deadlines]", "[rounds.deadlines]\nstart_seconds = 1");
    hosts.write("operator/hurried.toml", &hurried);
    let control = Control(&hosts);
    assert_eq!(control.refusal(&["list"]), (3, "control.unreachable".into()), "nobody is there yet");
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("readiness", |line| line.is("ready"));
    assert_eq!(control.json(&["list"]), json!({ "jobs": [] }));

    let submitted = control.json(&["submit", "job.toml", "--priority", "70"]);
    assert_eq!(submitted, json!({ "job": control.json(&["show", "bank-marketing"]), "fresh": true }));
    assert_eq!(control.json(&["submit", "job.toml"])["fresh"], false, "the same file again is fine");
    let waiting = &submitted["job"];
    assert_eq!((&waiting["standing"], &waiting["priority"]), (&json!("running"), &json!(70)));
    assert_eq!(waiting["waiting_for"], json!(BANKS), "nobody is connected");
    let told = control.run(&["show", "bank-marketing"]);
    assert!(told.contains(&format!("waits for: {}", BANKS.join(", "))), "{told}");

    // One that has to begin before anybody is there ends by itself, and says for want of whom.
    control.run(&["submit", "hurried.toml"]);
    coordinator.wait_for("its end", |line| line.is("job abandoned"));
    let over = control.json(&["show", "hurried"]);
    let reason = over["reason"].as_str().unwrap();
    assert_eq!(over["standing"], "abandoned");
    assert!(reason.starts_with("it was to start within 1 s of being handed in, and had not: "), "{reason}");
    assert!(reason.ends_with(&format!("not connected: {}", BANKS.join(", "))), "{reason}");

    let stopped = control.json(&["submit", "other.toml"]);
    assert_eq!(stopped["fresh"], true);
    let stopped = control.json(&["stop", "other", "--reason", "consent was withdrawn"]);
    assert_eq!(
        (&stopped["standing"], &stopped["reason"]),
        (&json!("stopped"), &json!("consent was withdrawn"))
    );
    let paused = control.json(&["pause", "bank-marketing", "--reason", "the data are being checked"]);
    assert_eq!(
        (&paused["standing"], &paused["reason"]),
        (&json!("paused"), &json!("the data are being checked"))
    );
    assert_eq!(control.json(&["priority", "bank-marketing", "90"])["priority"], 90);
    let refused: [(&[&str], &str); 4] = [
        (&["show", "nobody"], "job.unknown"),
        (&["pause", "other"], "job.over"),
        (&["erase", "bank-marketing", "--reason", "too early"], "job.not-over"),
        (&["stop", "bank-marketing", "--reason", "two\nlines"], "job.reason"),
    ];
    for (arguments, refused) in refused {
        assert_eq!(control.refusal(arguments), (2, refused.into()), "{arguments:?}");
    }

    let mut banks = hosts.start_banks();
    for _ in BANKS {
        coordinator.wait_for("a bank", |line| line.is("connected"));
    }
    let listed = control.json(&["list"]);
    let standings: Vec<_> = listed["jobs"].as_array().unwrap().iter().map(|job| &job["standing"]).collect();
    assert_eq!(standings, ["paused", "abandoned", "stopped"], "all are there, and nothing begins");
    control.run(&["resume", "bank-marketing"]);
    coordinator.wait_for("the job's end", |line| line.is("job completed"));
    everybody_ends_well(&mut banks);
    let completed = control.json(&["show", "bank-marketing"]);
    assert_eq!((&completed["standing"], &completed["warnings"]), (&json!("completed"), &json!([])));
    let operator = hosts.host("operator");
    for what in ["sweep", "fsck"] {
        let refused = refusal("syndic-coordinator", &operator, &[what, "--config", "coordinator.toml"]);
        assert_eq!(refused, (3, "store.busy".into()), "a coordinator works on the folder: {what}");
    }
    let erased = control.json(&["erase", "bank-marketing", "--reason", "the agreement has ended"]);
    let entry = erased["erased_by_entry"].as_u64().unwrap();
    let told = control.run(&["show", "bank-marketing"]);
    assert!(told.contains(&format!("were erased, by entry {entry} of the ledger")), "{told}");
    signal(&coordinator, Signal::TERM);
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    let fsck = ["fsck", "--config", "coordinator.toml", "--json"];
    let findings: Value = serde_json::from_str(&succeed("syndic-coordinator", &operator, &fsck)).unwrap();
    assert_eq!(findings["damage"], json!([]), "nothing that was erased is missing: {findings}");

    let summary = ledger::verified(&hosts);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_open"]), (&rounds_of(1).into(), &0.into()));
    let by = format!("local-user/{}", rustix::process::getuid().as_raw());
    let acts: Vec<_> = ledger::facts(&hosts).into_iter().filter_map(act).collect();
    let cause = |reason: &str| Cause { by: by.clone(), reason: reason.into() };
    assert_eq!(
        acts,
        [
            ("stopped", cause("consent was withdrawn")),
            ("paused", cause("the data are being checked")),
            ("prioritised", cause("no reason given")),
            ("resumed", cause("no reason given")),
        ]
    );
    assert_eq!(
        completed["model"],
        json!(sha256(&hosts.host("operator").join("publish/job-bank-marketing/model.safetensors")))
    );
}

fn act(fact: Fact) -> Option<(&'static str, Cause)> {
    match fact {
        Fact::JobStopped { cause, .. } => Some(("stopped", cause)),
        Fact::JobPaused { cause, .. } => Some(("paused", cause)),
        Fact::JobResumed { cause, .. } => Some(("resumed", cause)),
        Fact::JobPrioritised { cause, .. } => Some(("prioritised", cause)),
        _ => None,
    }
}

fn sha256(path: &std::path::Path) -> String {
    syndic_round::Digest::of(&std::fs::read(path).unwrap()).to_string()
}
