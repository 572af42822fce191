//! Founding a federation as its people do it: files on the operator's host, files on each member's host.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};

use clap::Parser;
use rand::rngs::StdRng;
use syndic::federation::{FederationCommand, run};
use syndic_coordinator::federation::{CoordinatorIdentity, load_sealed_roster};
use syndic_participant::enrol::{self, EnrolError, Enrolment, RosterReview};
use syndic_participant::keys::Keys;
use syndic_round::enrolment::{Bundle, SigningRequest};
use syndic_round::{Endorsement, Roster, Timestamp};

/// Two hosts' directories, operator and members, under one temporary folder.
struct Hosts {
    root: tempfile::TempDir,
}

#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: FederationCommand,
}

impl Hosts {
    fn founded() -> Self {
        let hosts = Self { root: tempfile::tempdir().unwrap() };
        let init = ["init", "--name", "credit", "--host", "127.0.0.1", "--host", "hub.example.org:443"];
        hosts.operator(&init).unwrap();
        hosts
    }

    fn with_members(names: &[&str]) -> Self {
        let hosts = Self::founded();
        for name in names {
            hosts.keygen(name);
            hosts.add(name).unwrap();
        }
        hosts
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn federation(&self) -> PathBuf {
        self.path("federation")
    }

    /// Runs `syndic federation ...`; the error's code.
    fn operator(&self, arguments: &[&str]) -> Result<String, String> {
        let dir = self.federation();
        let line = [&["federation"], arguments, &["--dir", dir.to_str().unwrap()]].concat();
        let command = CommandLine::try_parse_from(line).map_err(|error| error.to_string())?.command;
        run(command, NOW).map_err(|error| error.code().to_owned())
    }

    fn keygen(&self, name: &str) {
        let keys = Keys::generate(name, &mut rand::make_rng::<StdRng>()).unwrap();
        keys.write(&self.path(name)).unwrap();
    }

    fn request(&self, name: &str) -> PathBuf {
        self.path(name).join(format!("{name}.request.json"))
    }

    fn add(&self, name: &str) -> Result<String, String> {
        self.operator(&["add-participant", "--csr", self.request(name).to_str().unwrap()])
    }

    fn bundle(&self, name: &str) -> Bundle {
        enrol::read_bundle(&self.federation().join("members").join(format!("{name}.bundle.json"))).unwrap()
    }

    fn roster(&self) -> Roster {
        enrol::read_roster(&self.federation().join("roster.json")).unwrap()
    }

    fn endorse(&self, name: &str, roster: &Roster) -> Result<Endorsement, EnrolError> {
        let keys = Keys::load(&self.path(name)).unwrap();
        let bundle = self.bundle(name);
        enrol::endorse(&self.path(name), RosterReview::new(&keys, &bundle, roster)?)
    }

    fn seal(&self, names: &[&str]) -> Result<String, String> {
        let files = names.iter().map(|name| self.path(name).join(format!("{name}.endorsement.json")));
        let files: Vec<String> = files.map(|path| path.to_str().unwrap().to_owned()).collect();
        let mut arguments = vec!["seal", "--endorsement"];
        arguments.extend(files.iter().map(String::as_str));
        self.operator(&arguments)
    }

    fn pin(&self, name: &str) -> Result<(), EnrolError> {
        let sealed = enrol::read_endorsed_roster(&self.federation().join("roster.sealed.json")).unwrap();
        enrol::pin(&self.path(name), sealed).map(drop)
    }
}

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const MEMBERS: [&str; 3] = ["bank_a", "bank_b", "telco"];

fn rewrite<T: serde::Serialize>(path: &Path, value: &T) {
    std::fs::write(path, serde_json::to_vec(value).unwrap()).unwrap();
}

#[test]
fn three_institutions_found_a_federation() {
    let hosts = Hosts::with_members(&MEMBERS);
    let shown = hosts.operator(&["roster"]).unwrap();
    let roster = hosts.roster();
    assert!(MEMBERS.iter().all(|name| shown.contains(name)), "{shown}");
    assert!(shown.contains(&roster.digest().to_string()), "{shown}");
    for name in MEMBERS {
        hosts.endorse(name, &roster).unwrap();
    }

    hosts.seal(&MEMBERS).unwrap();

    let operators = load_sealed_roster(&hosts.federation()).unwrap().unwrap();
    for (name, id) in MEMBERS.into_iter().zip(1..) {
        hosts.pin(name).unwrap();
        let enrolment = Enrolment::load(&hosts.path(name)).unwrap();
        assert_eq!((enrolment.id().get(), enrolment.name(), enrolment.federation()), (id, name, "credit"));
        assert_eq!(*enrolment.roster(), operators);
        let addresses: Vec<String> = enrolment.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1:7443", "hub.example.org:443"]);
        assert_eq!(enrolment.certificate_expires_at(), NOW.plus_millis(365 * 86_400_000));
    }
    let identity = CoordinatorIdentity::load(&hosts.federation()).unwrap();
    let ledger_key = identity.ledger_key().verifying_key().to_bytes();
    assert_eq!(ledger_key, operators.roster().coordinator_key);
}

#[test]
fn the_coordinators_host_does_not_need_the_authoritys_key() {
    let hosts = Hosts::founded();
    std::fs::remove_file(hosts.federation().join("authority.key.pem")).unwrap();
    assert_eq!(CoordinatorIdentity::load(&hosts.federation()).unwrap().federation(), "credit");
    hosts.keygen("bank_a");
    assert_eq!(hosts.add("bank_a").unwrap_err(), "federation.missing");
}

#[test]
fn a_file_that_is_named_and_not_there_is_told_as_everywhere() {
    let hosts = Hosts::with_members(&["bank_a"]);
    for arguments in
        [&["add-participant", "--csr", "absent.json"][..], &["seal", "--endorsement", "absent.json"]]
    {
        assert_eq!(hosts.operator(arguments).unwrap_err(), "file.unreadable", "{arguments:?}");
    }
}

#[test]
fn a_federation_is_never_founded_over_another() {
    let hosts = Hosts::founded();
    let before = std::fs::read(hosts.federation().join("authority.key.pem")).unwrap();
    let again = hosts.operator(&["init", "--name", "fraud", "--host", "127.0.0.1"]);
    assert_eq!(again.unwrap_err(), "federation.exists");
    assert_eq!(std::fs::read(hosts.federation().join("authority.key.pem")).unwrap(), before);
}

#[test]
fn wrong_names_and_hosts_are_refused() {
    let hosts = Hosts { root: tempfile::tempdir().unwrap() };
    let name = hosts.operator(&["init", "--name", "Credit Bureau", "--host", "127.0.0.1"]);
    assert_eq!(name.unwrap_err(), "federation.name");
    for host in ["https://hub", "hub:0", "10.0.0.256"] {
        let refused = hosts.operator(&["init", "--name", "credit", "--host", host]).unwrap_err();
        assert!(refused.contains("DNS name or an IP address"), "{refused}");
    }
    assert!(!hosts.federation().exists(), "nothing is half-done");
}

#[test]
fn a_request_that_proves_nothing_is_refused() {
    let hosts = Hosts::founded();
    hosts.keygen("bank_a");
    hosts.keygen("bank_b");
    let read = |name| -> SigningRequest {
        serde_json::from_slice(&std::fs::read(hosts.request(name)).unwrap()).unwrap()
    };
    let (a, b) = (read("bank_a"), read("bank_b"));

    rewrite(&hosts.request("bank_a"), &SigningRequest { csr_pem: b.csr_pem.clone(), ..a.clone() });
    assert_eq!(hosts.add("bank_a").unwrap_err(), "request.proof");
    rewrite(&hosts.request("bank_a"), &SigningRequest { signing_key: b.signing_key, ..a.clone() });
    assert_eq!(hosts.add("bank_a").unwrap_err(), "request.proof");
    // The signing key vouches for it, but whoever made it does not hold the TLS key.
    let keys = Keys::load(&hosts.path("bank_a")).unwrap();
    let mut csr = pem::parse(&a.csr_pem).unwrap().into_contents();
    *csr.last_mut().unwrap() ^= 1;
    let forged = SigningRequest::new(
        "bank_a",
        pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", csr)),
        keys.signing_key(),
    );
    rewrite(&hosts.request("bank_a"), &forged);
    assert_eq!(hosts.add("bank_a").unwrap_err(), "request.csr");
    std::fs::write(hosts.request("bank_a"), "{}").unwrap();
    assert_eq!(hosts.add("bank_a").unwrap_err(), "federation.malformed");

    assert!(hosts.roster().members.is_empty(), "nothing is half-done");
    rewrite(&hosts.request("bank_a"), &a);
    hosts.add("bank_a").unwrap();
}

#[test]
fn a_name_or_a_key_belongs_to_one_member() {
    let hosts = Hosts::with_members(&["bank_a"]);
    let original = std::fs::read(hosts.request("bank_a")).unwrap();

    std::fs::remove_dir_all(hosts.path("bank_a")).unwrap();
    hosts.keygen("bank_a");
    assert_eq!(hosts.add("bank_a").unwrap_err(), "federation.name-taken");

    hosts.keygen("bank_b");
    let keys = Keys::load(&hosts.path("bank_b")).unwrap();
    hosts.add("bank_b").unwrap();
    let request = keys.signing_request().unwrap();
    let alias = SigningRequest::new("bank_c", request.csr_pem, keys.signing_key());
    std::fs::create_dir(hosts.path("bank_c")).unwrap();
    rewrite(&hosts.request("bank_c"), &alias);
    assert_eq!(hosts.add("bank_c").unwrap_err(), "federation.key-taken");

    std::fs::write(hosts.request("bank_a"), original).unwrap();
    assert!(hosts.add("bank_a").unwrap().starts_with("certified anew"));
    assert_eq!(hosts.bundle("bank_a").participant.get(), 1);
    assert_eq!(hosts.roster().members.len(), 2);
}

#[test]
fn a_roster_is_sealed_by_everybody_or_not_at_all() {
    let hosts = Hosts::with_members(&MEMBERS);
    let roster = hosts.roster();
    for name in MEMBERS {
        hosts.endorse(name, &roster).unwrap();
    }
    assert_eq!(hosts.seal(&["bank_a", "telco"]).unwrap_err(), "roster.unsigned");
    assert_eq!(hosts.seal(&["bank_a", "bank_a", "telco"]).unwrap_err(), "roster.unsigned");

    hosts.keygen("bank_d");
    hosts.add("bank_d").unwrap();
    let changed = hosts.roster();
    hosts.endorse("bank_d", &changed).unwrap();
    let all = ["bank_a", "bank_b", "telco", "bank_d"];
    assert_eq!(hosts.seal(&all).unwrap_err(), "roster.unsigned", "three signed the shorter roster");

    for name in MEMBERS {
        hosts.endorse(name, &changed).unwrap();
    }
    hosts.seal(&all).unwrap();
    assert_eq!(hosts.seal(&all).unwrap_err(), "federation.already-sealed");
}

#[test]
fn a_sealed_roster_takes_nobody_in_but_renews_certificates() {
    let hosts = Hosts::with_members(&MEMBERS);
    let roster = hosts.roster();
    for name in MEMBERS {
        hosts.endorse(name, &roster).unwrap();
    }
    hosts.seal(&MEMBERS).unwrap();
    hosts.pin("bank_a").unwrap();

    hosts.keygen("bank_d");
    assert_eq!(hosts.add("bank_d").unwrap_err(), "federation.sealed");
    assert_eq!(hosts.roster(), roster);

    let request = hosts.request("bank_a");
    let renew = ["add-participant", "--days", "700", "--csr", request.to_str().unwrap()];
    hosts.operator(&renew).unwrap();
    enrol::renew(&hosts.path("bank_a"), &hosts.bundle("bank_a")).unwrap();
    let enrolment = Enrolment::load(&hosts.path("bank_a")).unwrap();
    assert_eq!(enrolment.certificate_expires_at(), NOW.plus_millis(700 * 86_400_000));
    assert_eq!(
        enrol::renew(&hosts.path("bank_a"), &hosts.bundle("bank_b")).err().unwrap().code(),
        "enrol.wrong-name"
    );
}

#[test]
fn two_are_no_federation() {
    let hosts = Hosts::with_members(&["bank_a", "bank_b"]);
    for name in ["bank_a", "bank_b"] {
        hosts.endorse(name, &hosts.roster()).unwrap();
    }
    assert_eq!(hosts.seal(&["bank_a", "bank_b"]).unwrap_err(), "roster.size");
}

#[test]
fn a_member_signs_only_a_roster_that_lists_it_as_its_bundle_does() {
    let hosts = Hosts::with_members(&MEMBERS);
    let roster = hosts.roster();
    let code = |roster: &Roster| hosts.endorse("bank_a", roster).unwrap_err().code();

    let mut other_key = roster.clone();
    other_key.members[0].signing_key = roster.members[1].signing_key;
    assert_eq!(code(&other_key), "enrol.not-in-roster");
    let mut without = roster.clone();
    without.members.remove(0);
    assert_eq!(code(&without), "enrol.not-in-roster");
    let elsewhere = Roster { federation: "fraud".to_owned(), ..roster.clone() };
    assert_eq!(code(&elsewhere), "enrol.wrong-federation");
    let other_coordinator = Roster { coordinator_key: roster.members[1].signing_key, ..roster.clone() };
    assert_eq!(code(&other_coordinator), "enrol.wrong-federation");

    let keys = Keys::load(&hosts.path("bank_a")).unwrap();
    let check = |bundle: &Bundle| RosterReview::new(&keys, bundle, &roster).err().map(|error| error.code());
    let (own, other) = (hosts.bundle("bank_a"), hosts.bundle("bank_b"));
    assert_eq!(check(&own), None);
    assert_eq!(check(&other), Some("enrol.wrong-name"));
    let swapped = Bundle { certificate_pem: other.certificate_pem, ..own.clone() };
    assert_eq!(check(&swapped), Some("enrol.certificate-mismatch"));
    assert!(!hosts.path("bank_a").join("bank_a.endorsement.json").exists(), "nothing was signed");
    let shown = RosterReview::new(&keys, &own, &roster).unwrap().to_string();
    assert!(shown.contains("(you)") && shown.contains(&roster.digest().to_string()), "{shown}");
}

#[test]
fn a_member_pins_only_the_roster_that_it_signed() {
    let hosts = Hosts::with_members(&MEMBERS);
    let early = hosts.roster();
    for name in MEMBERS {
        hosts.endorse(name, &early).unwrap();
    }
    hosts.seal(&MEMBERS).unwrap();
    assert_eq!(Enrolment::load(&hosts.path("bank_a")).err().unwrap().code(), "enrol.missing");

    // bank_b has since signed another draft, which the operator never sealed.
    let mut later = early.clone();
    later.members.retain(|member| member.name != "telco");
    hosts.endorse("bank_b", &later).unwrap();
    assert_eq!(hosts.pin("bank_b").unwrap_err().code(), "enrol.changed-roster");

    hosts.pin("bank_a").unwrap();
    assert_eq!(hosts.endorse("bank_a", &later).unwrap_err().code(), "enrol.already-pinned");

    let sealed = hosts.federation().join("roster.sealed.json");
    let mut altered = enrol::read_endorsed_roster(&sealed).unwrap();
    altered.roster.members[2].signing_key = altered.roster.members[1].signing_key;
    assert_eq!(enrol::pin(&hosts.path("telco"), altered).unwrap_err().code(), "roster.order");
    let mut unsigned = enrol::read_endorsed_roster(&sealed).unwrap();
    unsigned.endorsements.swap(0, 1);
    unsigned.endorsements[0].member = unsigned.endorsements[1].member;
    assert_eq!(enrol::pin(&hosts.path("telco"), unsigned).unwrap_err().code(), "roster.unsigned");
    std::fs::create_dir(hosts.path("stranger")).unwrap();
    assert_eq!(hosts.pin("stranger").unwrap_err().code(), "enrol.not-endorsed");
}
