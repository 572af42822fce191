//! A federation of real services whose ledger and blobs are on real servers: PostgreSQL, and an S3 store.
//!
//! Where a server is not installed the tests that need it say so, loudly, and pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod away;
#[path = "../two_hosts/founding.rs"]
#[allow(dead_code, reason = "other tests found more")]
mod founding;
mod full;
mod gateway;
#[path = "../two_hosts/ledger.rs"]
#[allow(dead_code, reason = "other tests look at more of it")]
mod ledger;
mod moves;
#[path = "../two_hosts/process.rs"]
#[allow(dead_code, reason = "other tests wait for more")]
mod process;
#[path = "../../../coordinator/tests/servers/mod.rs"]
mod servers;
mod serving;
mod sweeping;
mod watching;

use founding::{Hosts, Job};
use process::Line;
use serde_json::{Value, json};
use serving::Serving;
use sweeping::{Orphan, sweeps_beside_a_coordinator};

#[test]
fn a_job_on_servers_goes_on_after_each_kill_and_its_ledger_verifies() {
    let Some(serving) = Serving::start() else { return };
    let hosts = Hosts::ready(Job { training_rounds: 2, deadline_seconds: 60 });
    serving.configure(&hosts);
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    let mut told = String::new();
    for (round, phase) in [(1, "Share"), (2, "Collect"), (4, "Certify")] {
        coordinator.wait_for(phase, |line| begins(line, round, phase));
        if round == 1 {
            let arguments = ["fsck", "--config", "coordinator.toml"];
            let refused = process::refusal("syndic-coordinator", &hosts.host("operator"), &arguments);
            assert_eq!(refused, (3, "store.busy".into()), "a coordinator works on them");
        }
        if round == 2 {
            sweeps_beside_a_coordinator(&hosts, &serving, &Orphan::plant(&serving));
        }
        told += &coordinator.told();
        coordinator.kill();
        coordinator = hosts.start_coordinator();
    }
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    for bank in &mut banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }

    let summary = ledger::verified(&hosts);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_open"]), (&5.into(), &0.into()));
    assert_eq!(ledger::count(&summary, "syndic.job.completed"), 1);
    assert!(ledger::count(&summary, "syndic.round.resumed") > 0, "no kill was in the middle of a round");
    let operator = hosts.host("operator");
    let arguments = ["fsck", "--config", "coordinator.toml", "--json"];
    let findings: Value =
        serde_json::from_str(&process::succeed("syndic-coordinator", &operator, &arguments)).unwrap();
    assert_eq!((&findings["damage"], &findings["published"]), (&json!([]), &summary["size"]), "{findings}");
    let state = operator.join("state");
    for of_a_folder in ["ledger.sqlite", "blobs"] {
        assert!(!state.join(of_a_folder).exists(), "{of_a_folder} is on the servers");
    }
    told += &coordinator.told();
    for secret in Serving::SECRETS {
        assert!(!told.contains(secret), "a secret is in the log");
    }
}

#[test]
fn a_coordinator_whose_servers_cannot_be_used_says_why_and_begins_nothing() {
    let Some(serving) = Serving::start() else { return };
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    serving.configure(&hosts);
    let refused = |from: &str, to: &str| {
        hosts.edit("operator/coordinator.toml", from, to);
        let refused = hosts.coordinator_refuses();
        hosts.edit("operator/coordinator.toml", to, from);
        (refused.0, refused.1)
    };
    assert_eq!(refused("syndic@127", "syndic:sesame@127"), (2, "config.malformed".into()));
    assert_eq!(refused("password_file", "# password_file"), (3, "store.denied".into()));
    assert_eq!(refused("\"postgres.secret\"", "\"nowhere\""), (2, "federation.missing".into()));
    assert_eq!(refused("s3://bucket/", "s3://no-bucket/"), (3, "store.denied".into()));

    // A ledger that is in the folder is not begun anew elsewhere by a change of the configuration.
    let served = serving::config(&hosts);
    hosts.write("operator/coordinator.toml", &founding::coordinator_config(hosts.port));
    let mut embedded = hosts.start_coordinator();
    embedded.wait_for("a ledger", |line| line.is("ready"));
    embedded.kill();
    hosts.write("operator/coordinator.toml", &served);
    assert_eq!(hosts.coordinator_refuses(), (2, "store.not-moved".into()));
}

fn begins(line: &Line, round: u32, phase: &str) -> bool {
    line.is("phase begins") && line.round() == round && line.text("phase") == phase
}
