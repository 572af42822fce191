//! What an institution is shown, and asked to sign, when it joins: nothing that a roster or a bundle could fake.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;
use std::process::Command;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use syndic_participant::enrol::{self, EnrolError, Enrolment, RosterReview};
use syndic_participant::keys::Keys;
use syndic_round::enrolment::{Address, Bundle, MemberIdentity};
use syndic_round::roster::Member;
use syndic_round::{EndorsedRoster, ParticipantId, Roster};

/// Three institutions, the first of which is the one under test, and what the operator gives to it.
struct Founding {
    folder: tempfile::TempDir,
    members: [Keys; 3],
    bundle: Bundle,
    roster: Roster,
}

impl Founding {
    fn new() -> Self {
        let members = ["bank_a", "bank_b", "telco"].map(keys);
        let folder = tempfile::tempdir().unwrap();
        members[0].write(folder.path()).unwrap();
        let (authority_pem, certificate_pem) = certificate(&members[0]);
        let bundle = Bundle {
            schema: Bundle::SCHEMA.into(),
            federation: "credit".into(),
            participant: id(1),
            name: "bank_a".into(),
            coordinator: vec![Address::new("hub.example.org").unwrap()],
            coordinator_key: public(&keys("hub")),
            authority_pem,
            certificate_pem,
        };
        let listed = (1..).zip(&members).map(|(number, keys)| Member {
            id: id(number),
            name: keys.name().into(),
            signing_key: public(keys),
        });
        let roster = Roster {
            federation: "credit".into(),
            members: listed.collect(),
            coordinator_key: bundle.coordinator_key,
            approvers: Vec::new(),
        };
        Self { folder, members, bundle, roster }
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn review<'a>(&'a self, roster: &'a Roster) -> Result<RosterReview<'a>, EnrolError> {
        RosterReview::new(&self.members[0], &self.bundle, roster)
    }

    /// The refusal of `roster`, from the file that it would come in.
    fn refusal(&self, roster: &Roster) -> EnrolError {
        let path = self.dir().join("roster.json");
        std::fs::write(&path, serde_json::to_vec(roster).unwrap()).unwrap();
        let roster = enrol::read_roster(&path).unwrap();
        self.review(&roster).err().expect("no federation can have this roster")
    }

    fn sealed(&self, roster: &Roster) -> EndorsedRoster {
        let endorsements = (1..).zip(&self.members);
        let endorsements = endorsements.map(|(number, keys)| roster.endorse(id(number), keys.signing_key()));
        EndorsedRoster { roster: roster.clone(), endorsements: endorsements.collect() }
    }
}

fn keys(name: &str) -> Keys {
    let seed = name.bytes().map(u64::from).sum();
    Keys::generate(name, &mut StdRng::seed_from_u64(seed)).unwrap()
}

fn public(keys: &Keys) -> [u8; 32] {
    keys.signing_key().verifying_key().to_bytes()
}

fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).unwrap()
}

/// An authority and its certificate for the keys of participant 1, both in PEM.
fn certificate(keys: &Keys) -> (String, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let request = keys.signing_request().unwrap().csr_pem;
    let mut request = CertificateSigningRequestParams::from_pem(&request).unwrap();
    let identity = MemberIdentity { federation: "credit".into(), id: id(1), name: keys.name().into() };
    request.params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(identity.to_uri()).unwrap())];
    (authority.pem(), request.signed_by(&authority).unwrap().pem())
}

/// Names that would not be seen as what they are.
fn fakes() -> Vec<String> {
    let mut names: Vec<String> = [
        "bank_b\u{1b}[1A\u{1b}[2K",
        "bank_b\u{9b}2K",
        "bank_b\n      3  telco   key 00",
        "bank_b\r",
        "bank_b\u{8}\u{8}",
        "bank_\u{202e}b",
        "b\u{430}nk_b",
        "bank_b\u{200b}",
        "",
        " bank_b",
        "Bank_B",
    ]
    .map(String::from)
    .into();
    names.push("b".repeat(65));
    names.push("b".repeat(1_000_000));
    names
}

fn is_harmless(shown: &str) -> bool {
    shown.chars().all(|c| c.is_ascii_graphic() || c == ' ') && shown.len() < 10_000
}

#[test]
fn a_roster_is_shown_with_every_name_and_key() {
    let founding = Founding::new();
    let shown = founding.review(&founding.roster).unwrap().to_string();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 1 + 3 + 2, "{shown}");
    for (member, line) in founding.roster.members.iter().zip(&lines[1..]) {
        assert!(line.contains(&member.name) && line.contains(&hex::encode(member.signing_key)), "{line}");
    }
    assert!(lines[1].ends_with("(you)") && shown.contains(&founding.roster.digest().to_string()), "{shown}");
}

#[test]
fn a_name_that_could_fake_the_review_is_refused_and_not_shown_raw() {
    let founding = Founding::new();
    for name in fakes() {
        let mut renamed = founding.roster.clone();
        renamed.members[1].name = name.clone();
        let refused = founding.refusal(&renamed);
        assert_eq!(refused.code(), "roster.name", "{name:?}");
        let told = refused.to_string();
        assert!(told.contains("member 2") && is_harmless(&told), "{told:?}");

        let other = Roster { federation: name.clone(), ..founding.roster.clone() };
        let refused = founding.refusal(&other);
        assert_eq!((refused.code(), refused.exit_code()), ("roster.name", 2));
        let told = refused.to_string();
        assert!(told.contains("the federation") && is_harmless(&told), "{told:?}");
    }
}

#[test]
fn a_roster_that_no_federation_can_have_is_refused_before_it_is_signed() {
    let founding = Founding::new();
    let code = |change: &dyn Fn(&mut Roster)| {
        let mut roster = founding.roster.clone();
        change(&mut roster);
        founding.refusal(&roster).code()
    };
    assert_eq!(code(&|roster| roster.members[2].name = "bank_b".into()), "roster.order", "one name twice");
    assert_eq!(code(&|roster| roster.members[2].name = "bank_a".into()), "roster.order", "our name twice");
    assert_eq!(code(&|roster| roster.members[2].signing_key = roster.members[1].signing_key), "roster.order");
    assert_eq!(code(&|roster| roster.members[2].id = id(2)), "roster.order", "one id twice");
    assert_eq!(code(&|roster| roster.members.swap(1, 2)), "roster.order");
    assert_eq!(code(&|roster| roster.members[2].signing_key = [0; 32]), "roster.key");
    let many = |roster: &mut Roster| {
        for number in 4..=257 {
            let member = keys(&format!("bank_{number}"));
            let signing_key = public(&member);
            roster.members.push(Member { id: id(number), name: member.name().into(), signing_key });
        }
    };
    assert_eq!(code(&many), "roster.size");
}

#[test]
fn a_sealed_roster_with_such_a_name_is_not_pinned() {
    let founding = Founding::new();
    for name in fakes() {
        let mut renamed = founding.roster.clone();
        renamed.members[1].name = name;
        let refused = enrol::pin(founding.dir(), founding.sealed(&renamed)).err().unwrap();
        assert_eq!(refused.code(), "roster.name");
        assert!(is_harmless(&refused.to_string()), "{:?}", refused.to_string());
    }
    assert!(!founding.dir().join("roster.sealed.json").exists());
}

#[test]
fn a_bundle_cannot_fake_what_its_refusal_shows() {
    let founding = Founding::new();
    for name in fakes() {
        let bundles = [
            Bundle { schema: name.clone(), ..founding.bundle.clone() },
            Bundle { name: name.clone(), ..founding.bundle.clone() },
            Bundle { federation: name.clone(), ..founding.bundle.clone() },
        ];
        for bundle in bundles {
            let refused = RosterReview::new(&founding.members[0], &bundle, &founding.roster).err().unwrap();
            assert!(refused.code().starts_with("enrol.") && is_harmless(&refused.to_string()), "{refused:?}");
        }
    }
}

#[test]
fn a_bundle_that_cannot_be_used_later_is_refused_before_anything_is_signed() {
    let mut founding = Founding::new();
    let refusal = |founding: &Founding, bundle: &Bundle| {
        let refused = RosterReview::new(&founding.members[0], bundle, &founding.roster).err().unwrap();
        assert_eq!(refused.code(), "enrol.certificate-mismatch");
        refused.to_string()
    };
    let no_pem = Bundle { authority_pem: "none".into(), ..founding.bundle.clone() };
    assert!(refusal(&founding, &no_pem).contains("authority"));
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_certificate = Bundle { authority_pem: no_certificate.into(), ..founding.bundle.clone() };
    assert!(refusal(&founding, &no_certificate).contains("authority"));

    founding.bundle.coordinator_key = [0; 32];
    founding.roster.coordinator_key = [0; 32];
    assert!(refusal(&founding, &founding.bundle).contains("the coordinator's key"));
}

#[test]
fn a_file_of_another_kind_is_told_by_its_line_without_its_text() {
    let founding = Founding::new();
    let path = founding.dir().join("roster.json");
    for text in [
        "Jane Doe,87.25,yes\n",
        "\"Jane Doe\"",
        "{\"Jane Doe\": 87.25}",
        "{\"federation\": \"credit\", \"members\": \"Jane Doe\"}",
        "{\"federation\": \"credit\", \"members\": [], \"coordinator_key\": \"Jane Doe\"}",
        "{\"federation\": \"Jane",
    ] {
        std::fs::write(&path, text).unwrap();
        let refused = enrol::read_roster(&path).unwrap_err();
        assert_eq!((refused.code(), refused.exit_code()), ("enrol.malformed", 2));
        let told = refused.to_string();
        assert!(told.contains("line 1: "), "{told}");
        assert!(!told.contains("Jane") && !told.contains("87.25"), "{told}");
    }
}

#[test]
fn a_renewed_bundle_is_taken_over_and_another_is_not() {
    let founding = Founding::new();
    let renew = |bundle: &Bundle| enrol::renew(founding.dir(), bundle);
    let code = |bundle: &Bundle| renew(bundle).unwrap_err().code();
    assert_eq!(code(&founding.bundle), "enrol.missing", "there is nothing to renew yet");
    let review = founding.review(&founding.roster).unwrap();
    enrol::endorse(founding.dir(), review).unwrap();
    enrol::pin(founding.dir(), founding.sealed(&founding.roster)).unwrap();

    let (authority_pem, certificate_pem) = certificate(&founding.members[0]);
    let coordinator = vec![Address::new("elsewhere.example.org:9000").unwrap()];
    let renewed = Bundle { authority_pem, certificate_pem, coordinator, ..founding.bundle.clone() };
    let expires_at = renew(&renewed).unwrap();
    let in_use = Enrolment::load(founding.dir()).unwrap();
    assert_eq!(in_use.certificate_expires_at(), expires_at);
    assert_eq!(in_use.addresses(), renewed.coordinator);

    let (_, of_another) = certificate(&keys("bank_a"));
    assert_eq!(
        code(&Bundle { certificate_pem: of_another, ..renewed.clone() }),
        "enrol.certificate-mismatch",
        "another TLS key"
    );
    assert_eq!(code(&Bundle { coordinator_key: [7; 32], ..renewed.clone() }), "enrol.wrong-federation");
    assert_eq!(code(&Bundle { participant: id(2), ..renewed.clone() }), "enrol.not-in-roster");
    let in_use = Enrolment::load(founding.dir()).unwrap();
    assert_eq!(in_use.addresses(), renewed.coordinator, "a refusal changes nothing");
}

#[test]
fn trouble_with_the_disk_is_told_from_bad_input() {
    let founding = Founding::new();
    let file = founding.dir().join("keys.json");
    let below_a_file = founding.members[0].write(&file.join("below")).unwrap_err();
    assert_eq!((below_a_file.code(), below_a_file.exit_code()), ("keys.io", 3));
    let again = founding.members[0].write(founding.dir()).unwrap_err();
    assert_eq!((again.code(), again.exit_code()), ("keys.exists", 2));

    std::fs::create_dir(founding.dir().join("bundle.json")).unwrap();
    let review = founding.review(&founding.roster).unwrap();
    let in_the_way = enrol::endorse(founding.dir(), review).unwrap_err();
    assert_eq!((in_the_way.code(), in_the_way.exit_code()), ("keys.io", 3));
    assert_eq!(enrol::read_roster(&founding.dir().join("absent")).unwrap_err().exit_code(), 2);
}

/// Runs the agent's command in the folder of `founding`; exit code and all that it says.
fn run(founding: &Founding, arguments: &[&str]) -> (i32, String) {
    let command = env!("CARGO_BIN_EXE_syndic-participant");
    let done = Command::new(command).args(arguments).current_dir(founding.dir()).output().unwrap();
    let told = [done.stdout, done.stderr].concat();
    (done.status.code().unwrap(), String::from_utf8(told).unwrap())
}

fn place<T: serde::Serialize>(founding: &Founding, name: &str, value: &T) {
    std::fs::write(founding.dir().join(name), serde_json::to_vec(value).unwrap()).unwrap();
}

#[test]
fn the_commands_join_and_renew() {
    let founding = Founding::new();
    place(&founding, "given.json", &founding.bundle);
    place(&founding, "roster.json", &founding.roster);
    place(&founding, "sealed.json", &founding.sealed(&founding.roster));
    let endorse = ["endorse", "--dir", ".", "--bundle", "given.json", "--roster", "roster.json"];
    let (exit, told) = run(&founding, &endorse);
    assert!(exit == 0 && told.contains("(you)"), "{told}");
    let (exit, told) = run(&founding, &["pin", "--dir", ".", "--roster", "sealed.json"]);
    assert!(exit == 0 && told.contains(&founding.roster.digest().to_string()), "{told}");

    let (authority_pem, certificate_pem) = certificate(&founding.members[0]);
    let renewed = Bundle { authority_pem, certificate_pem, ..founding.bundle.clone() };
    place(&founding, "renewed.json", &renewed);
    let (exit, told) = run(&founding, &["renew", "--dir", ".", "--bundle", "renewed.json"]);
    assert!(exit == 0 && told.contains("the certificate holds until"), "{told}");
    assert_eq!(enrol::read_bundle(&founding.dir().join("bundle.json")).unwrap(), renewed);

    place(&founding, "other.json", &Bundle { name: "bank_b".into(), ..renewed });
    let (exit, told) = run(&founding, &["renew", "--dir", ".", "--bundle", "other.json"]);
    assert!(exit == 2 && told.contains("error[enrol.wrong-name]"), "{told}");
}

#[test]
fn a_forged_roster_is_neither_shown_nor_signed() {
    let founding = Founding::new();
    place(&founding, "given.json", &founding.bundle);
    for name in fakes() {
        let mut renamed = founding.roster.clone();
        renamed.members[1].name = name;
        place(&founding, "roster.json", &renamed);

        let endorse = ["endorse", "--dir", ".", "--bundle", "given.json", "--roster", "roster.json"];
        let (exit, told) = run(&founding, &endorse);

        assert!(
            exit == 2 && told.starts_with("error[roster.name]: ") && told.lines().count() == 2,
            "{told:?}"
        );
        assert!(told.lines().all(is_harmless), "{told:?}");
        assert!(!founding.dir().join("bank_a.endorsement.json").exists());
    }
}

#[test]
fn a_command_exits_with_3_for_the_disk_and_with_2_for_what_it_was_given() {
    let founding = Founding::new();
    for (arguments, expected, code) in [
        (["keygen", "--name", "bank_d", "--dir", "keys.json/below"].as_slice(), 3, "keys.io"),
        (&["keygen", "--name", "bank_a", "--dir", "."], 2, "keys.exists"),
        (&["keygen", "--name", "Bank D", "--dir", "bank_d"], 2, "keys.name"),
        (&["pin", "--dir", ".", "--roster", "absent.json"], 2, "file.unreadable"),
        (&["pin", "--dir", ".", "--roster", "."], 2, "file.unreadable"),
        (&["renew", "--dir", "absent", "--bundle", "keys.json"], 2, "enrol.malformed"),
    ] {
        let (exit, told) = run(&founding, arguments);
        assert!(
            exit == expected && told.contains(&format!("error[{code}]: ")),
            "{arguments:?}: {exit} {told}"
        );
    }
    let (exit, told) = run(&founding, &["keygen", "--name", "bank_d", "--dir", "new/bank_d"]);
    assert_eq!(exit, 0, "{told}");
    assert!(Keys::load(&founding.dir().join("new/bank_d")).is_ok());
}

#[test]
fn a_participant_with_a_budget_does_not_start_on_a_new_journal_and_its_policy_can_be_asked() {
    let founding = Founding::new();
    enrol::endorse(founding.dir(), founding.review(&founding.roster).unwrap()).unwrap();
    enrol::pin(founding.dir(), founding.sealed(&founding.roster)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(founding.dir().join(name), text).unwrap();
    let config =
        "enrolment = \".\"\nstate = \"state\"\npolicy = \"policy.toml\"\n[data]\nfile = \"rows.csv\"\n";
    write("participant.toml", config);
    let allowed = "purposes = [\"credit-risk\"]\nprograms = [\"logistic-regression\"]\ncontracts = [\"credit_default.v1\"]\n";
    let budget = "[privacy.budget]\nepsilon = 3.0\ndelta = 1e-4\n";
    write("policy.toml", &format!("{allowed}{budget}"));

    for _ in 0..2 {
        let (exit, told) = run(&founding, &["run", "--config", "participant.toml"]);
        assert!(
            exit == 2 && told.contains("error[budget.unknown]") && told.contains("already_spent"),
            "{told}"
        );
    }

    let (exit, told) = run(&founding, &["models", "--config", "participant.toml"]);
    assert!(exit == 0 && told.starts_with("no model was delivered yet"), "{told}");
    let (exit, told) = run(&founding, &["models", "--config", "participant.toml", "--json"]);
    assert_eq!((exit, told.as_str()), (0, ""), "a line for each model");

    write("job.toml", include_str!("../../../examples/jobs/credit-default-noise.toml"));
    let check = ["policy", "check", "--config", "participant.toml", "--job", "job.toml"];
    // Three institutions have t - c = 2 at best.
    for (spent, expected, what) in [("0.0", 0, "the policy accepts"), ("1.0", 1, "error[budget.spent]")] {
        let spent = format!("already_spent = {{ epsilon = {spent}, delta = 0.0 }}\n");
        write("policy.toml", &format!("{allowed}{budget}{spent}"));
        let (exit, told) = run(&founding, &check);
        assert!(exit == expected && told.contains(what), "{told}");
        let (exit, told) = run(&founding, &["budget", "--config", "participant.toml"]);
        assert!(exit == 0 && told.contains("debited: epsilon"), "{told}");
    }
}
