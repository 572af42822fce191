//! A coordinator that is told to stop, and what it says of its health.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use serde_json::Value;

use super::founding::{Hosts, Job, free_port};
use super::process::Process;
use super::revoked::signal;
use super::{everybody_ends_well, is_phase, ledger, rounds_of};

/// The status and the JSON that the coordinator answers with on its own host.
fn health(port: u16, path: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn with_health(hosts: &Hosts) -> u16 {
    let port = free_port();
    hosts.edit(
        "operator/coordinator.toml",
        "gather_seconds",
        &format!("health = \"127.0.0.1:{port}\"\ngather_seconds"),
    );
    port
}

fn ready(coordinator: &mut Process) {
    coordinator.wait_for("that it is ready", |line| line.is("ready"));
}

#[test]
fn a_coordinator_that_drains_in_the_middle_of_rounds_is_started_again_and_the_job_ends() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    for (round, phase) in [(1, "Share"), (2, "Collect")] {
        coordinator.wait_for(phase, |line| is_phase(line, round, phase));
        signal(&coordinator, Signal::TERM);
        assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
        assert!(!coordinator.told().contains("cut off what was still under way"), "{}", coordinator.told());
        coordinator = hosts.start_coordinator();
    }
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    everybody_ends_well(&mut banks);
    let summary = ledger::verified(&hosts);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_open"]), (&rounds_of(1).into(), &0.into()));
    assert!(ledger::survivors(&hosts).iter().all(|survivors| survivors.len() == 5), "nobody was lost");
    assert_eq!(ledger::count(&summary, "syndic.coordinator.started"), 3);
    assert_eq!(
        ledger::count(&summary, "syndic.coordinator.stopped"),
        2,
        "the third is published before it ends"
    );
}

#[test]
fn health_is_told_while_a_coordinator_serves_and_while_it_cannot_take_anybody() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    let port = with_health(&hosts);
    let mut coordinator = hosts.start_coordinator();
    ready(&mut coordinator);

    let (status, report) = health(port, "/ready");
    assert_eq!(
        (status, &report["state"], &report["schema"]),
        (200, &"ready".into(), &"syndic.health/1".into())
    );
    assert_eq!(health(port, "/live").0, 200);
    assert_eq!(health(port, "/").0, 404);

    hosts.write("operator/federation/revoked.crl.pem", "no list");
    signal(&coordinator, Signal::HUP);
    coordinator.wait_for("why", |line| line.is("nobody new is let in until this is mended"));
    let (status, report) = health(port, "/ready");
    assert_eq!((status, &report["state"]), (503, &"refusing".into()));
    assert_eq!(report["reason"]["code"], "revocation.unreadable");
    assert_eq!(health(port, "/live").0, 200, "a restart would not help");

    signal(&coordinator, Signal::TERM);
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
}
