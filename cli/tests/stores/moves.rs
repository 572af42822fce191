//! A federation whose store moves to the servers and back in the middle of a job.

use super::founding::{Hosts, Job};
use super::ledger;
use super::process::{Process, refusal, succeed};
use super::serving::{Serving, config};
use super::{begins, founding};

/// What a move says after each of its steps.
const STEPS: [&str; 5] = [
    "moving the ledger",
    "the blobs are copied",
    "the entries are copied",
    "both are the same",
    "the source is left",
];

fn arguments(to: &str) -> [&str; 6] {
    ["migrate-store", "--config", "coordinator.toml", "--json", "--to", to]
}

/// Kills a move after each of its steps, then lets one come to its end.
fn move_through_kills(hosts: &Hosts, to: &str) {
    let operator = hosts.host("operator");
    for step in STEPS {
        let mut moving = Process::start("syndic-coordinator", &operator, &arguments(to));
        moving.wait_for(step, |line| line.is(step));
        moving.kill();
    }
    let told = succeed("syndic-coordinator", &operator, &arguments(to));
    assert!(told.contains("the ledger is in"), "{told}");
}

#[test]
fn a_store_moves_there_and_back_in_the_middle_of_a_job_though_each_move_is_killed_at_every_step() {
    let Some(serving) = Serving::start() else { return };
    let hosts = Hosts::ready(Job { training_rounds: 2, deadline_seconds: 60 });
    let operator = hosts.host("operator");
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("round 2", |line| begins(line, 2, "Collect"));
    let embedded = config(&hosts);
    serving.configure(&hosts);
    let refused = |to: &str| refusal("syndic-coordinator", &operator, &arguments(to));
    assert_eq!(refused("servers"), (3, "store.busy".into()), "a coordinator runs on the folder");
    coordinator.kill();

    move_through_kills(&hosts, "servers");

    let served = config(&hosts);
    hosts.write("operator/coordinator.toml", &embedded);
    assert_eq!(hosts.coordinator_refuses(), (2, "store.left".into()), "nobody goes on with what was left");
    hosts.write("operator/coordinator.toml", &served);
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("round 4", |line| begins(line, 4, "Certify"));
    assert_eq!(refused("folder"), (3, "store.busy".into()), "a coordinator of this host runs on the servers");
    // One of another host has another folder; the lease keeps it out.
    hosts.edit("operator/coordinator.toml", "state = \"state\"", "state = \"elsewhere\"");
    assert_eq!(refused("folder"), (3, "store.lease-held".into()));
    hosts.write("operator/coordinator.toml", &served);
    coordinator.kill();

    move_through_kills(&hosts, "folder");

    assert_eq!(hosts.coordinator_refuses(), (2, "store.not-moved".into()));
    hosts.write("operator/coordinator.toml", &founding::coordinator_config(hosts.port));
    let mut coordinator = hosts.start_coordinator();
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    for bank in &mut banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }
    let summary = ledger::verified(&hosts);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_open"]), (&5.into(), &0.into()));
    assert_eq!(ledger::count(&summary, "syndic.job.completed"), 1);
}
