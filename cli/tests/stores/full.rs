//! A coordinator whose disk, or the volume that it publishes to, is full in the middle of a job: a small file system in memory, which root can mount.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::founding::{Hosts, Job};
use super::process::succeed;
use super::watching::{health, ready, shown};
use super::{begins, ledger};

/// A file system of a given size; gone when it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// None, said loudly, where nothing can be mounted.
    fn mounted(at: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            eprintln!("*** SKIPPED: this user cannot mount a file system of its own; run it as root ***");
            return None;
        }
        Some(Self(at.to_owned()))
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        for bytes in [1 << 20, 1 << 12, 1] {
            while filler.write_all(&vec![1; bytes]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("somebody-elses-file")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a daemon that is being killed may hold a file for a moment longer.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_coordinator_whose_disk_is_full_says_so_and_goes_on_by_itself_when_there_is_room() {
    let hosts = Hosts::ready(Job { training_rounds: 2, deadline_seconds: 60 });
    let Some(disk) = Disk::mounted(&hosts.host("operator").join("state"), 48) else { return };
    let (port, operator) = (health(&hosts), hosts.host("operator"));
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    for (round, phase) in [(1, "Share"), (2, "Collect")] {
        coordinator.wait_for(phase, |line| begins(line, round, phase));
        disk.fill();
        let told = coordinator.wait_for("its trouble", |line| {
            line.is("the store takes nothing: no new work until it does again")
        });
        assert_eq!(told.text("code"), "store.full", "{}", coordinator.told());
        let (status, report) = ready(port);
        assert_eq!(
            (status, &report["state"], &report["reason"]["code"]),
            (503, &"refusing".into(), &"store.full".into())
        );
        let job = shown(&hosts, "bank-marketing");
        assert_eq!((&job["standing"], &job["trouble"]["code"]), (&"running".into(), &"store.full".into()));
        let listed =
            succeed("syndic-coordinator", &operator, &["job", "list", "--config", "coordinator.toml"]);
        assert!(listed.contains("(store.full)"), "{listed}");

        disk.make_room();
        coordinator.wait_for("recovery", |line| line.is("the store takes things again; everything goes on"));
        assert_eq!(ready(port).0, 200);
        assert!(shown(&hosts, "bank-marketing")["trouble"].is_null());
    }

    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    for bank in &mut banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }
    let summary = ledger::verified(&hosts);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_abandoned"]), (&5.into(), &0.into()));
    assert_eq!(ledger::count(&summary, "syndic.job.completed"), 1);
}

#[test]
fn a_full_volume_for_results_stops_nothing_and_they_are_written_once_there_is_room() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    let operator = hosts.host("operator");
    let Some(disk) = Disk::mounted(&operator.join("publish"), 16) else { return };
    let port = health(&hosts);
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("readiness", |line| line.is("ready"));
    disk.fill();
    let mut banks = hosts.start_banks();

    let told = coordinator.wait_for("its trouble", |line| {
        line.is("cannot write out ledger and models; jobs go on, and it is tried again")
    });

    assert_eq!(told.text("code"), "publish.full", "{}", coordinator.told());
    let (status, report) = ready(port);
    assert_eq!(
        (status, &report["state"], &report["warnings"][0]["code"]),
        (200, &"ready".into(), &"publish.full".into())
    );
    assert_eq!(
        shown(&hosts, "bank-marketing")["standing"],
        "completed",
        "only its results have no place yet"
    );

    disk.make_room();
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    for bank in &mut banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }
    let summary = ledger::verified(&hosts);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_open"]), (&3.into(), &0.into()));
    assert!(operator.join("publish/model.safetensors").exists());
}
