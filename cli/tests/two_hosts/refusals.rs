//! Bad input to the daemons: a clear error with its code, the right exit code, and nothing half-done.

use std::io::{Read, Write};
use std::net::TcpListener;

use flate2::read::GzDecoder;
use syndic_coordinator::authority::Validity;
use syndic_coordinator::federation::{Federation, read_signing_request};
use syndic_round::enrolment::Bundle;
use syndic_round::{ParticipantId, Timestamp};

use super::founding::{BANKS, Hosts, Job, table};
use super::ledger;
use super::process::{Process, error_in, run};

const BANK: &str = BANKS[0];

/// A federation whose coordinator serves and waits: nobody else is started.
fn serving() -> (Hosts, Process) {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("that it is ready", |line| line.is("ready"));
    (hosts, coordinator)
}

fn bundle(hosts: &Hosts) -> Bundle {
    serde_json::from_slice(&std::fs::read(hosts.bundle(BANK)).unwrap()).unwrap()
}

fn use_bundle(hosts: &Hosts, bundle: &Bundle) {
    std::fs::write(hosts.enrolment(BANK).join("bundle.json"), serde_json::to_vec(bundle).unwrap()).unwrap();
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

#[test]
fn a_certificate_of_another_authority_is_turned_away() {
    let (hosts, mut coordinator) = serving();
    let mut forged = Federation::create(
        "consumer_credit",
        bundle(&hosts).coordinator,
        now(),
        &mut rand::make_rng::<rand::rngs::StdRng>(),
    )
    .unwrap();
    let request = read_signing_request(&hosts.request(BANK)).unwrap();
    let certified = forged.add_participant(&request, Validity::days(now(), 1)).unwrap();
    use_bundle(&hosts, &Bundle { certificate_pem: certified.certificate_pem, ..bundle(&hosts) });

    assert_eq!(hosts.participant_refuses(BANK), (2, "tls.certificate-refused".into()));
    let turned_away = coordinator.wait_for("the refusal", |line| line.is("turned a connection away"));
    assert!(!turned_away.text("code").is_empty() && !turned_away.text("reason").is_empty());
    assert!(!coordinator.told().contains(BANK), "a stranger is given no name");
    assert!(hosts.journal(BANK).is_empty(), "nothing has left");
}

#[test]
fn an_expired_certificate_is_turned_away_until_it_is_renewed() {
    let (hosts, mut coordinator) = serving();
    let mut federation = Federation::load(&hosts.federation()).unwrap();
    let request = read_signing_request(&hosts.request(BANK)).unwrap();
    let yesterday = Timestamp(now().0 - 86_400_000);
    let expired = Validity { from: Timestamp(yesterday.0 - 86_400_000), until: yesterday };
    use_bundle(&hosts, &federation.add_participant(&request, expired).unwrap());

    assert_eq!(hosts.participant_refuses(BANK), (3, "tls.certificate-expired".into()));
    coordinator.wait_for("the refusal", |line| line.is("turned a connection away"));
    assert!(hosts.journal(BANK).is_empty(), "nothing has left");

    hosts.operator(&["add-participant", "--csr", hosts.request(BANK).to_str().unwrap()]);
    hosts.endorse(BANK);
    let _renewed = hosts.start(BANK);
    coordinator.wait_for("it", |line| line.is("connected") && line.text("participant") == BANK);
}

#[test]
fn a_member_of_another_federation_neither_mixes_its_files_nor_speaks_to_this_coordinator() {
    let (hosts, _coordinator) = serving();
    let others = Hosts::founded("fraud_ring", hosts.port);

    use_bundle(&hosts, &bundle(&others));
    assert_eq!(hosts.participant_refuses(BANK), (2, "enrol.wrong-federation".into()));
    assert!(!hosts.host(BANK).join("state").exists(), "nothing is begun with files that do not agree");

    assert_eq!(others.participant_refuses(BANK), (3, "tls.untrusted-coordinator".into()));
    assert!(others.journal(BANK).is_empty(), "nothing has left");
}

#[test]
fn a_busy_port_ends_the_coordinator_before_it_begins_a_ledger() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    let _holder = TcpListener::bind(("127.0.0.1", hosts.port)).unwrap();
    assert_eq!(hosts.coordinator_refuses(), (3, "net.port-busy".into()));
    assert!(!hosts.host("operator").join("state").exists());
}

#[test]
fn folders_that_cannot_be_written_end_both_daemons_at_once() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    hosts.write("operator/file", "");
    hosts.write(&format!("{BANK}/file"), "");

    hosts.edit(&format!("{BANK}/participant.toml"), "state = \"state\"", "state = \"file/state\"");
    assert_eq!(hosts.participant_refuses(BANK), (3, "journal.io".into()));

    hosts.edit("operator/coordinator.toml", "publish = \"publish\"", "publish = \"file/publish\"");
    assert_eq!(hosts.coordinator_refuses(), (3, "store.io".into()));
    assert!(!hosts.host("operator").join("state").exists(), "no round is run that cannot be published");
    hosts.edit("operator/coordinator.toml", "state = \"state\"", "state = \"file/state\"");
    assert_eq!(hosts.coordinator_refuses(), (3, "store.io".into()));
}

#[test]
fn files_that_cannot_be_parsed_are_refused_before_anything_is_begun() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    let (policy, config) = (format!("{BANK}/policy.toml"), format!("{BANK}/participant.toml"));

    hosts.edit(&policy, "purposes = ", "purpose = ");
    assert_eq!(hosts.participant_refuses(BANK), (2, "policy.malformed".into()));
    hosts.write(&policy, "purposes = [");
    assert_eq!(hosts.participant_refuses(BANK), (2, "policy.malformed".into()));
    hosts.edit(&config, "state = ", "states = ");
    assert_eq!(hosts.participant_refuses(BANK), (2, "config.malformed".into()));
    hosts.write(&config, "enrolment = \"enrolment");
    assert_eq!(hosts.participant_refuses(BANK), (2, "config.malformed".into()));
    assert!(!hosts.host(BANK).join("state").exists());

    hosts.write("operator/job.toml", "[job\nid = 1");
    assert_eq!(hosts.coordinator_refuses(), (2, "job.syntax".into()));
    hosts.edit("operator/coordinator.toml", "listen = ", "listens = ");
    assert_eq!(hosts.coordinator_refuses(), (2, "config.malformed".into()));
    hosts.write("operator/coordinator.toml", "listen = 127.0.0.1");
    assert_eq!(hosts.coordinator_refuses(), (2, "config.malformed".into()));
    assert!(!hosts.host("operator").join("state").exists());

    let nowhere = run("syndic-coordinator", &hosts.host("operator"), &["run", "--config", "nowhere.toml"]);
    assert_eq!(nowhere.status.code(), Some(2));
    let told = String::from_utf8(nowhere.stderr).unwrap();
    assert!(told.starts_with("error[file.unreadable]") && told.contains("nowhere.toml"), "{told}");
}

#[test]
fn a_job_goes_on_without_an_institution_whose_policy_denies_its_purpose() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    deny_the_purpose(&hosts, BANK);
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();

    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    for bank in &mut banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }
    let summary = ledger::verified(&hosts);
    assert_eq!(summary["rounds_closed"], 3);
    assert_eq!(reasons(&hosts, 1, "policy.purpose"), 3, "it declines every round, on record");
    assert!(ledger::survivors(&hosts).iter().all(|set| !set.contains(&ParticipantId::new(1).unwrap())));
    let sent = hosts.journal(BANK);
    assert!(sent.iter().all(|line| line["what"] == "decline"), "nothing else has left: {sent:?}");
}

#[test]
fn a_job_that_too_many_decline_is_abandoned_with_who_and_why() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    deny_the_purpose(&hosts, BANK);
    leave_out_a_column(&hosts, BANKS[1]);
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();

    assert_eq!(coordinator.ended(), 1, "{}", coordinator.told());
    assert_eq!(coordinator.error_code(), "job.abandoned");
    for bank in &mut banks {
        assert_eq!(bank.ended(), 1, "{}", bank.told());
        assert_eq!(bank.error_code(), "job.abandoned");
    }
    let error = error_in(&coordinator.told()).unwrap();
    for why in ["bank_business (policy.purpose)", "bank_online (data.column-missing)"] {
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
    }
    let summary = ledger::verified(&hosts);
    assert_eq!(ledger::count(&summary, "syndic.job.abandoned"), 1);
    assert_eq!((&summary["rounds_closed"], &summary["rounds_open"]), (&0.into(), &0.into()));
    assert!(reasons(&hosts, 2, "data.column-missing") > 0);
    assert!(!hosts.host("operator").join("publish/model.safetensors").exists());
}

pub(crate) fn deny_the_purpose(hosts: &Hosts, bank: &str) {
    hosts.edit(&format!("{bank}/policy.toml"), "marketing-response", "credit-scoring");
}

/// Gives `bank` the table without the column `balance`.
fn leave_out_a_column(hosts: &Hosts, bank: &str) {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(table()).unwrap()).read_to_string(&mut text).unwrap();
    let place = text.lines().next().unwrap().split(',').position(|column| column == "balance").unwrap();
    let mut file = std::fs::File::create(hosts.host(bank).join("customers.csv")).unwrap();
    for line in text.lines() {
        let kept: Vec<&str> =
            line.split(',').enumerate().filter(|(at, _)| *at != place).map(|(_, v)| v).collect();
        writeln!(file, "{}", kept.join(",")).unwrap();
    }
    hosts.edit(&format!("{bank}/participant.toml"), table().to_str().unwrap(), "customers.csv");
}

/// How often a participant declined with this reason.
fn reasons(hosts: &Hosts, participant: u16, reason: &str) -> usize {
    let id = ParticipantId::new(participant).unwrap();
    let declines = ledger::declines(hosts).into_iter();
    let same = |payload: &[u8]| payload.windows(reason.len()).any(|part| part == reason.as_bytes());
    declines.filter(|(from, payload)| *from == id && same(payload)).count()
}

#[test]
fn a_roster_that_is_not_sealed_serves_nobody() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    std::fs::remove_file(hosts.federation().join("roster.sealed.json")).unwrap();
    assert_eq!(hosts.coordinator_refuses(), (2, "roster.unsealed".into()));
    assert!(!hosts.host("operator").join("state").exists());
}
