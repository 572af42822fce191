//! The samples that people begin with are what the programs read.

use std::path::Path;
use std::process::Command;

use syndic_coordinator::config::Config as CoordinatorConfig;
use syndic_learning::Job;
use syndic_participant::config::Config as ParticipantConfig;
use syndic_participant::policy::Policy;

use super::founding::{BANKS, Job as ExampleJob, free_port};
use super::process::program;

const FOLDERS: [&str; 2] = ["../deploy", "../examples/two-hosts"];

#[test]
fn the_sample_configurations_are_read_as_they_are() {
    for folder in FOLDERS.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
        let coordinator = CoordinatorConfig::load(&folder.join("coordinator.toml")).unwrap();
        assert_eq!(coordinator.listen.port(), 7443);
        assert_eq!(coordinator.gather_seconds, 10);
        assert_eq!(coordinator.federation, folder.join("federation"), "paths are relative to the file");
        let participant = ParticipantConfig::load(&folder.join("participant.toml")).unwrap();
        assert_eq!(participant.data.split.unwrap().test, ["0"]);
        assert_eq!(participant.policy, folder.join("policy.toml"));
    }
}

#[test]
fn the_servers_of_the_sample_are_read_once_they_are_no_comment() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/coordinator.toml");
    let text = std::fs::read_to_string(sample).unwrap();
    let (rest, servers) = text.split_once("# [store.postgres]").unwrap();
    let servers = servers.lines().map(|line| line.strip_prefix("# ").unwrap_or(line.trim_start_matches('#')));
    let servers: Vec<&str> = servers.collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coordinator.toml");
    std::fs::write(&path, format!("{rest}[store.postgres]{}", servers.join("\n"))).unwrap();
    let store = CoordinatorConfig::load(&path).unwrap().store.unwrap();
    assert_eq!(store.postgres.password_file, Some(folder.path().join("secrets/postgres")));
    assert_eq!(store.s3.authorities_file, Some(folder.path().join("secrets/s3-authorities.pem")));
}

#[test]
fn the_sample_policies_allow_the_example_job_and_no_other_purpose() {
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing/job.toml");
    let job = std::fs::read_to_string(job).unwrap();
    let other = job.replace("marketing-response", "credit-scoring");
    for folder in FOLDERS.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
        let policy = Policy::load(&folder.join("policy.toml")).unwrap();
        let (job, other) = (Job::from_toml(&job).unwrap(), Job::from_toml(&other).unwrap());
        let protection = job.protection_of(5).unwrap();
        assert_eq!(policy.check(&job, &protection), Ok(()));
        let denied = policy.check(&other, &protection).unwrap_err();
        assert_eq!(denied.code(), "policy.purpose");
    }
}

#[test]
fn every_option_of_the_samples_is_explained() {
    for file in ["coordinator.toml", "participant.toml", "policy.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        for paragraph in text.split("\n\n") {
            let sets =
                paragraph.lines().any(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
            assert!(!sets || paragraph.starts_with('#'), "{file}: {paragraph}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_script_of_the_example_runs_from_keys_to_a_verified_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let (job, out, hosts) =
        (folder.path().join("job.toml"), folder.path().join("out"), folder.path().join("hosts"));
    std::fs::write(&job, ExampleJob { training_rounds: 1, deadline_seconds: 60 }.text()).unwrap();
    std::fs::create_dir(&hosts).unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/two-hosts/run.sh");
    let mut run = Command::new("sh");
    run.current_dir(folder.path()).arg(script).arg("out").env("JOB", "job.toml").env("TMPDIR", &hosts);
    run.env("PORT", free_port().to_string()).env("PROGRAMS", program("syndic").parent().unwrap());
    let output = run.output().unwrap();

    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("verified: every entry"), "{told}");
    assert!(out.join("model.safetensors").is_file());
    assert!(BANKS.iter().all(|bank| out.join(format!("{bank}.log")).is_file()));
    let journal = std::fs::read_to_string(out.join("bank_savings.journal.txt")).unwrap();
    assert!(journal.lines().count() >= 5 * 3, "{journal}");
    assert_eq!(std::fs::read_dir(&hosts).unwrap().count(), 0, "the hosts' folders are removed");
}
