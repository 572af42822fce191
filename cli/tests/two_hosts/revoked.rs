//! Who is let in changes while a job runs.

use rustix::process::{Pid, Signal, kill_process};
use syndic_coordinator::fact::Fact;
use syndic_round::{Digest, ParticipantId};

use super::founding::{BANKS, Hosts, Job};
use super::process::{Process, program, succeed};
use super::{everybody_ends_well, is_phase, ledger};

/// Sends a signal to a process that runs.
pub(crate) fn signal(process: &Process, signal: Signal) {
    let id = Pid::from_raw(process.id().try_into().unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

#[test]
fn a_member_revoked_in_the_middle_of_a_job_ends_and_the_others_finish_it() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 3 });
    hosts.edit("operator/coordinator.toml", "gather_seconds = 10", "gather_seconds = 1");
    let mut banks = hosts.start_banks();
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("round 2", |line| is_phase(line, 2, "Collect"));

    let arguments = ["revoke", "--federation", "federation", BANKS[1], "--reason", "key-compromise"];
    let told = succeed("syndic-coordinator", &hosts.host("operator"), &arguments);
    assert!(told.contains("revoked 1 certificates"), "{told}");
    signal(&coordinator, Signal::HUP);

    coordinator
        .wait_for("the cut", |line| line.is("cut a member off") && line.text("participant") == BANKS[1]);
    let mut revoked = banks.remove(1);
    assert_eq!((revoked.ended(), revoked.error_code()), (2, "tls.certificate-revoked".into()));
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    everybody_ends_well(&mut banks);
    assert_eq!(ledger::verified(&hosts)["rounds_closed"], super::rounds_of(1));
    the_ledger_says_from_when_on(&hosts);
    // Nor is it let in by a coordinator that is started anew, which here has the job's end to tell.
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("the list", |line| line.is("certificates were revoked before"));
    assert_eq!(hosts.participant_refuses(BANKS[1]), (2, "tls.certificate-revoked".into()));
}

/// Which certificate was revoked, whose it is, and that its member was cut off.
fn the_ledger_says_from_when_on(hosts: &Hosts) {
    let revoked = ParticipantId::new(2).unwrap();
    let (mut connected, mut changed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for fact in ledger::facts(hosts) {
        match fact {
            Fact::Connected(it) if it.participant == revoked => connected.push(it),
            Fact::AdmissionChanged(it) => changed.push(it),
            Fact::Refused(it) if it.participant == revoked => refused.extend(it.refusals),
            _ => {}
        }
    }
    let [connected] = connected.as_slice() else { panic!("{connected:?}") };
    assert_eq!((&*connected.tls, &*connected.group), ("TLS 1.3", "X25519MLKEM768"));
    assert_eq!(connected.version, env!("CARGO_PKG_VERSION"), "its own word");
    let program = std::fs::read(program("syndic-participant")).unwrap();
    assert_eq!(connected.binary, Some(Digest::of(&program)));
    let [changed] = changed.as_slice() else { panic!("{changed:?}") };
    assert_eq!(
        (&changed.before, changed.now.revocations.as_ref().map(|list| list.revoked)),
        (&None, Some(1))
    );
    let [newly] = changed.newly_revoked.as_slice() else { panic!("{changed:?}") };
    assert_eq!((&newly.serial, &*newly.reason), (&connected.serial, "key-compromise"));
    let refused: Vec<_> = refused.iter().map(|it| (it.code.as_str(), it.count)).collect();
    assert_eq!(refused, [("tls.certificate-revoked", 1)]);
}

#[test]
fn a_coordinator_starts_with_no_list_that_it_cannot_rely_on() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    hosts.write("operator/federation/revoked.crl.pem", "no list");
    assert_eq!(hosts.coordinator_refuses(), (2, "revocation.unreadable".into()));
    std::fs::remove_file(hosts.federation().join("revoked.crl.pem")).unwrap();
    hosts.edit(
        "operator/coordinator.toml",
        "gather_seconds",
        "allow_fingerprints = \"nowhere\"\ngather_seconds",
    );
    assert_eq!(hosts.coordinator_refuses(), (2, "allowed.unreadable".into()));
}

#[test]
fn a_participant_takes_up_its_renewed_certificate_when_it_connects_again() {
    let hosts = Hosts::ready(Job { training_rounds: 1, deadline_seconds: 60 });
    let mut bank = hosts.start(BANKS[0]);
    bank.wait_for("nobody there", |line| line.is("not connected"));
    let request = hosts.request(BANKS[0]);
    hosts.operator(&["add-participant", "--days", "30", "--csr", request.to_str().unwrap()]);
    let bundle = hosts.bundle(BANKS[0]);
    let arguments = ["renew", "--dir", "enrolment", "--bundle", bundle.to_str().unwrap()];
    succeed("syndic-participant", &hosts.host(BANKS[0]), &arguments);

    bank.wait_for("its new certificate", |line| line.is("the renewed bundle is in use from now on"));
    std::fs::write(hosts.enrolment(BANKS[0]).join("bundle.json"), "{}").unwrap();
    bank.wait_for("a bundle that is none", |line| {
        line.is("the bundle cannot be read; the one before it stays in use")
    });
    let mut banks: Vec<_> = BANKS[1..].iter().map(|bank| hosts.start(bank)).chain([bank]).collect();
    let mut coordinator = hosts.start_coordinator();
    assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
    everybody_ends_well(&mut banks);
}
