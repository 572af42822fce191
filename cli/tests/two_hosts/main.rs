//! Real services: a coordinator and five participants as separate processes with separate folders, started, killed
//! and started again.
//!
//! Each process is the program that operators run. A wait is for a condition, a line of a log or the end of a
//! process, and fails loudly after three minutes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[cfg(target_os = "linux")]
mod besieged;
mod controlled;
mod founding;
mod ledger;
#[allow(dead_code, reason = "other tests use more of it")]
mod process;
mod refusals;
mod revoked;
mod samples;
mod spot_checks;
mod stops;

use founding::{BANKS, Hosts, Job};
use process::{Line, Process};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use syndic_round::ParticipantId;

/// A statistics round, then training and evaluation for each training round.
const fn rounds_of(training_rounds: u32) -> u32 {
    1 + 2 * training_rounds
}

fn is_phase(line: &Line, round: u32, phase: &str) -> bool {
    line.is("phase begins") && line.round() == round && line.text("phase") == phase
}

fn everybody_ends_well(banks: &mut [Process]) {
    for bank in banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }
}

#[test]
fn a_federation_of_separate_processes_finishes_and_its_ledger_verifies() {
    let hosts = Hosts::ready(Job { training_rounds: 3, deadline_seconds: 60 });
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();

    #[cfg(target_os = "linux")]
    {
        coordinator.wait_for("round 2", |line| is_phase(line, 2, "Collect"));
        let listening: Vec<bool> = banks.iter().map(process::is_listening).collect();
        assert_eq!(listening, [false; 5], "a participant only ever opens outbound connections");
        assert!(process::is_listening(&coordinator), "the check sees who does listen");
    }
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    everybody_ends_well(&mut banks);

    let summary = ledger::verified(&hosts);
    assert_eq!(summary["rounds_closed"], rounds_of(3));
    assert_eq!((&summary["rounds_abandoned"], &summary["rounds_open"]), (&0.into(), &0.into()));
    assert_eq!(ledger::count(&summary, "syndic.job.completed"), 1);
    let published = hosts.host("operator").join("publish");
    let model = std::fs::read(published.join("model.safetensors")).unwrap();
    let card: serde_json::Value =
        serde_json::from_slice(&std::fs::read(published.join("model.json")).unwrap()).unwrap();
    assert!(!model.is_empty() && card.to_string().contains(summary["root"].as_str().unwrap()), "{card}");
    for bank in BANKS {
        every_message_of_a_round_is_in_the_journal(&hosts, bank);
    }
    what_a_bank_was_shown_is_no_other_ledger(&hosts, BANKS[0]);
    a_report_says_who_is_in_which_sum(&hosts);
    what_the_coordinator_kept_is_whole_until_a_blob_is_removed(&hosts);
}

fn what_a_bank_was_shown_is_no_other_ledger(hosts: &Hosts, bank: &str) {
    let command = ["checkpoint", "--config", "participant.toml"];
    let kept = process::succeed("syndic-participant", &hosts.host(bank), &command);
    let published = hosts.host("operator").join("publish/ledger");
    let head = std::fs::read_to_string(published.join("checkpoint")).unwrap();
    let of = |note: &str| note.lines().take(3).map(String::from).collect::<Vec<_>>();
    assert_eq!(of(&kept), of(&head), "at the job's end it was shown the last");

    let as_json =
        process::succeed("syndic-participant", &hosts.host(bank), &[&command[..], &["--json"]].concat());
    let as_json: serde_json::Value = serde_json::from_str(&as_json).unwrap();
    assert_eq!((&as_json["checkpoint"], &as_json["origin"]), (&kept.into(), &of(&head)[0].clone().into()));
    assert_eq!(as_json["size"].to_string(), of(&head)[1]);

    let file = hosts.host(bank).join("seen.checkpoint");
    std::fs::write(&file, as_json["checkpoint"].as_str().unwrap()).unwrap();
    let (file, published) = (file.to_str().unwrap(), published.to_str().unwrap());
    let key = as_json["key"].as_str().unwrap();
    let convict = ["ledger", "convict", file, published, "--key", key];
    assert_eq!(process::refusal("syndic", &hosts.host(bank), &convict), (4, "ledger.consistent".to_owned()));
}

fn a_report_says_who_is_in_which_sum(hosts: &Hosts) {
    let report = process::run(
        "syndic",
        &hosts.host("operator"),
        &["ledger", "report", "publish/ledger", "--job", "bank-marketing", "--json"],
    );
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    let members = report["members"].as_array().unwrap();
    let sums = json!(rounds_of(3));
    let are_in_all: Vec<_> = members
        .iter()
        .filter(|member| member["sums"] == sums)
        .map(|member| member["name"].as_str().unwrap())
        .collect();
    assert_eq!(are_in_all, BANKS, "{report}");
    let rounds = report["rounds"].as_array().unwrap();
    // Sixty seconds for each of the phases; a round that was prepared ahead has three of them fewer.
    let minutes = |round: &serde_json::Value| round["deadlines"][0].as_u64().unwrap() / 60_000;
    assert!(rounds.iter().all(|round| [1, 4].contains(&minutes(round))), "{report}");
    assert_eq!(
        (&report["job"]["outcome"], &report["proof"]["audited"]["rounds"]),
        (&json!("completed"), &sums)
    );
}

fn what_the_coordinator_kept_is_whole_until_a_blob_is_removed(hosts: &Hosts) {
    let operator = hosts.host("operator");
    let fsck = || {
        let told = process::run(
            "syndic-coordinator",
            &operator,
            &["fsck", "--config", "coordinator.toml", "--json"],
        );
        let findings: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        (told.status.code(), findings)
    };
    let (code, findings) = fsck();
    assert_eq!(
        (code, &findings["damage"], &findings["unclaimed"]),
        (Some(0), &json!([]), &json!([])),
        "{findings}"
    );
    let folder = operator.join("state/blobs").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let folder = folder.filter(|path| !path.ends_with("partial")).min().unwrap();
    std::fs::remove_file(folder.read_dir().unwrap().next().unwrap().unwrap().path()).unwrap();
    let (code, findings) = fsck();
    let damage =
        |code: &str| findings["damage"].as_array().unwrap().iter().any(|damage| damage["code"] == code);
    assert!(code == Some(4) && damage("store.absent"), "{findings}");
}

fn every_message_of_a_round_is_in_the_journal(hosts: &Hosts, bank: &str) {
    let journal = hosts.journal(bank);
    let said = |place: &str, number: u32| {
        let sent = journal.iter().filter(|line| line[place] == number && line["job"] == "bank-marketing");
        sent.map(|line| line["what"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        said("round", 1)[..5],
        ["advertise", "dealing", "ack", "header", "certify"],
        "{bank} in round 1"
    );
    // Each round has its own preparation: the first makes it itself, the others find it made.
    for number in 2..=rounds_of(3) {
        assert_eq!(said("round", number)[..2], ["header", "certify"], "{bank} in round {number}");
        assert_eq!(
            said("preparation", number),
            ["advertise", "dealing", "ack"],
            "{bank} ahead of round {number}"
        );
    }
    assert!(journal.iter().all(|line| line["round"].is_null() != line["preparation"].is_null()), "{bank}");
    assert!(journal.iter().all(|line| line["bytes"].as_u64() > Some(0)), "{bank}");
    assert!(journal.iter().all(|line| line["sha256"].as_str().unwrap().len() == 64), "{bank}");
}

#[test]
fn the_coordinator_killed_with_sigkill_in_the_middle_of_a_round_goes_on() {
    let seed = std::env::var("SYNDIC_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut rng = StdRng::seed_from_u64(seed);
    let hosts = Hosts::ready(Job { training_rounds: 3, deadline_seconds: 60 });
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();

    for round in [1, 3, 5].map(|first| first + rng.random_range(0..2)) {
        // Keys are shared in the first round, and ahead of all others.
        let first = if round == 1 { 0 } else { PHASES_OF_KEYS };
        let phase = PHASES[rng.random_range(first..PHASES.len())];
        let heard = rng.random_range(0..4);
        println!("seed {seed}: killing the coordinator in round {round}, {phase}, after {heard} messages");
        coordinator.wait_for(phase, |line| is_phase(line, round, phase));
        for _ in 0..heard {
            coordinator.wait_for("a message", |line| line.is("heard") || line.is("heard ahead"));
        }
        coordinator.kill();
        coordinator = hosts.start_coordinator();
    }

    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    everybody_ends_well(&mut banks);
    let summary = ledger::verified(&hosts);
    assert_eq!(ledger::count(&summary, "syndic.job.completed"), 1);
    assert_eq!(ledger::count(&summary, "syndic.job.abandoned"), 0);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_open"]), (&rounds_of(3).into(), &0.into()));
    assert!(ledger::count(&summary, "syndic.round.resumed") > 0, "no kill was in the middle of a round");
}

const PHASES: [&str; 6] = ["Advertise", "Share", "Acknowledge", "Collect", "Certify", "Reveal"];
const PHASES_OF_KEYS: usize = 3;

/// What a coordinator's log says of a sum in which somebody is missing.
const WITHOUT_ALL: &str = "round closed without all who were admitted";
/// What a participant's log says of two sums that differ by one institution.
const DIFFERS: &str = "two consecutive survivor sets differ by one institution; the difference of their sums says something of it";

#[test]
fn a_participant_killed_in_the_middle_of_a_round_comes_back() {
    /// Rounds enough for a kill that comes too late to be tried again.
    const TRAINING_ROUNDS: u32 = 6;
    let hosts = Hosts::ready(Job { training_rounds: TRAINING_ROUNDS, deadline_seconds: 3 });
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    let (victim, id) = (BANKS[1], ParticipantId::new(2).unwrap());

    let closed = loop {
        coordinator
            .wait_for("a later round", |line| line.round() > 1 && is_phase(line, line.round(), "Collect"));
        banks.remove(1).kill();
        let closed = coordinator
            .wait_for("the end of the round", |line| line.is("round closed") || line.is(WITHOUT_ALL));
        if closed.is(WITHOUT_ALL) {
            break closed;
        }
        // Its update had already come: the sum has it, and the next round waits for it. Once more.
        banks.insert(1, hosts.start(victim));
    };
    assert!(closed.text("missing").contains(victim), "{}", closed.text("missing"));
    // The difference of two such sums says something of the one institution by which they differ (rule 10).
    let differs = |line: &Line| line.is(DIFFERS) && line.text("differs_by") == id.to_string();
    banks[0].wait_for("a warning of the two sums", differs);
    banks.push(hosts.start(victim));
    let whole = |line: &Line| line.is("round closed") && line.text("survivors") == "5";
    let back = coordinator.wait_for("a round with everybody again", whole);

    let reason = closed.text("missing");
    assert!(reason.contains("vanished before") || reason.contains("was not connected"), "{reason}");
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    everybody_ends_well(&mut banks);
    let summary = ledger::verified(&hosts);
    assert_eq!(summary["rounds_closed"], rounds_of(TRAINING_ROUNDS));
    let survivors = ledger::survivors(&hosts);
    let without = &survivors[closed.round() as usize - 1];
    assert!(without.len() == 4 && !without.contains(&id), "{without:?}");
    assert!(survivors[back.round() as usize - 1].contains(&id));
}
