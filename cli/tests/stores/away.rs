//! Servers that go away in the middle of a job and come back, under a coordinator that keeps running.

use std::path::Path;

use serde_json::{Value, json};
use syndic_round::ParticipantId;

use super::founding::{Hosts, Job};
use super::gateway::Gateway;
use super::process::{Process, refusal, succeed};
use super::serving::Serving;
use super::watching::{health, ready, shown};
use super::{begins, ledger};

/// A job under way on servers, each reached through a gateway.
struct Scene {
    hosts: Hosts,
    _serving: Serving,
    postgres: Gateway,
    s3: Gateway,
    health: u16,
}

impl Scene {
    fn ready() -> Option<Self> {
        let serving = Serving::start()?;
        let hosts = Hosts::ready(Job { training_rounds: 2, deadline_seconds: 60 });
        let (postgres, s3) = (Gateway::to(serving.postgres_port()), Gateway::to(serving.s3_port()));
        serving.configure_at(&hosts, postgres.port(), s3.port());
        let health = health(&hosts);
        Some(Self { hosts, _serving: serving, postgres, s3, health })
    }

    /// Takes a server away until everything is told of it, and gives it back.
    fn away_and_back(&self, gateway: &Gateway, coordinator: &mut Process) {
        gateway.close();
        let told = coordinator.wait_for("its trouble", |line| {
            line.is("the store takes nothing: no new work until it does again")
        });
        assert_eq!(told.text("code"), "store.unreachable", "{}", coordinator.told());
        let (status, report) = ready(self.health);
        assert_eq!(
            (status, &report["state"], &report["reason"]["code"]),
            (503, &"refusing".into(), &"store.unreachable".into())
        );
        let job = shown(&self.hosts, "bank-marketing");
        assert_eq!(
            (&job["standing"], &job["trouble"]["code"]),
            (&"running".into(), &"store.unreachable".into())
        );
        let another = ["job", "submit", "another.toml", "--config", "coordinator.toml"];
        let (exit, code) = refusal("syndic-coordinator", &self.operator(), &another);
        assert!(exit == 3 && ["coordinator.stopped", "store.unreachable"].contains(&code.as_str()), "{code}");

        gateway.open();
        coordinator.wait_for("recovery", |line| line.is("the store takes things again; everything goes on"));
        assert_eq!(ready(self.health).0, 200);
        assert!(shown(&self.hosts, "bank-marketing")["trouble"].is_null());
    }

    fn operator(&self) -> std::path::PathBuf {
        self.hosts.host("operator")
    }
}

#[test]
fn servers_that_go_away_in_the_middle_of_a_job_and_come_back_cost_nothing_but_time() {
    let Some(scene) = Scene::ready() else { return };
    let hosts = &scene.hosts;
    another_job(&scene.operator());
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    for (round, phase, gateway) in
        [(1, "Share", &scene.postgres), (2, "Collect", &scene.s3), (4, "Certify", &scene.postgres)]
    {
        coordinator.wait_for(phase, |line| begins(line, round, phase));
        scene.away_and_back(gateway, &mut coordinator);
    }

    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    for bank in &mut banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }
    let summary = ledger::verified(hosts);
    assert_eq!(
        (&summary["rounds_closed"], &summary["rounds_abandoned"]),
        (&5.into(), &0.into()),
        "{}",
        coordinator.told()
    );
    let everybody: Vec<_> = (1..=5).map(|number| ParticipantId::new(number).unwrap()).collect();
    assert_eq!(ledger::survivors(hosts), vec![everybody; 5], "every sum is of everybody, once");
    let arguments = ["fsck", "--config", "coordinator.toml", "--json"];
    let findings: Value =
        serde_json::from_str(&succeed("syndic-coordinator", &scene.operator(), &arguments)).unwrap();
    assert_eq!(findings["damage"], json!([]), "{findings}");
}

/// A job file that nobody has handed in before.
fn another_job(operator: &Path) {
    let job = std::fs::read_to_string(operator.join("job.toml")).unwrap();
    let another = job.replace("id = \"bank-marketing\"", "id = \"another\"");
    assert_ne!(another, job);
    std::fs::write(operator.join("another.toml"), another).unwrap();
}
