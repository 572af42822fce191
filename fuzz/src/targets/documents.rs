//! The JSON files that institutions and the operator hand each other, and the texts inside them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use syndic_coordinator::registry::ApprovalFile;
use syndic_ledger::Hash;
use syndic_participant::models::Release;
use syndic_proto::convert::{RecordedEntry, RecordedModel};
use syndic_round::enrolment::{Address, Bundle, MemberIdentity, SigningRequest};
use syndic_round::{
    Digest, EndorsedRoster, Endorsement, JobId, Layout, Roster, Stage, StageApproval, StageChange,
};

use crate::bounded::bounded;
use crate::federation::{FEDERATION, id};
use crate::script::{choosing, chosen};

/// The first byte chooses the document.
pub(super) fn run(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    match choice % 10 {
        0 => endorsed(bytes),
        1 => drop(same::<Roster>(bytes).map(|roster| roster.digest())),
        2 => drop(same::<SigningRequest>(bytes).map(|request| request.verify())),
        3 => drop(same::<Bundle>(bytes)),
        4 => drop(same::<Endorsement>(bytes)),
        5 => drop(same::<Layout>(bytes)),
        6 => address(bytes),
        7 => approval(bytes),
        8 => release(bytes),
        _ => identity(bytes),
    }
}

/// What is read is read again from how it is written.
fn same<T: Serialize + DeserializeOwned + PartialEq>(bytes: &[u8]) -> Option<T> {
    let value: T = bounded(bytes.len(), || serde_json::from_slice(bytes)).ok()?;
    let written = serde_json::to_vec(&value).expect("a document has a JSON form");
    let again: T = serde_json::from_slice(&written).expect("what is written is read");
    assert!(again == value, "a document changes on its way");
    Some(value)
}

fn endorsed(bytes: &[u8]) {
    let Some(document) = same::<EndorsedRoster>(bytes) else { return };
    let Ok(sealed) = bounded(bytes.len(), || document.clone().verify()) else { return };
    assert_eq!(sealed.endorsed(), document);
    assert_eq!(sealed.digest(), sealed.roster().digest());
    // All keys are ours, and they have signed one roster.
    assert_eq!(sealed.digest(), FEDERATION.roster.digest(), "nobody endorsed this");
}

fn address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(address) = bounded(text.len(), || Address::new(text)) {
        assert_eq!(Address::new(&address.to_string()), Some(address), "{text}");
    }
}

fn identity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(identity) = bounded(text.len(), || MemberIdentity::from_uri(text)) {
        assert_eq!(identity.to_uri(), text);
    }
}

fn approval(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(file) = bounded(text.len(), || ApprovalFile::parse(text)) else { return };
    assert_eq!(ApprovalFile::parse(&file.to_json()), Some(file.clone()), "an approval changes on its way");
    assert!(file.approval.verify(&FEDERATION.roster).is_err(), "the federation has no approvers");
}

fn release(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(release) = bounded(text.len(), || Release::parse(text)) else { return };
    assert_eq!(Release::parse(&release.to_json()).ok(), Some(release.clone()), "a record changes on its way");
    assert!(release.prove(&FEDERATION.roster).is_err(), "no ledger has these entries");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let endorsed = FEDERATION.roster.endorsed();
    let request = SigningRequest::new("bank-1", "-----BEGIN".into(), FEDERATION.key(id(1)));
    let bundle = Bundle {
        schema: Bundle::SCHEMA.into(),
        federation: "federation".into(),
        participant: id(1),
        name: "bank-1".into(),
        coordinator: ["[::1]:7443", "hub.example.org"].into_iter().filter_map(Address::new).collect(),
        coordinator_key: [7; 32],
        authority_pem: "-----BEGIN".into(),
        certificate_pem: "-----BEGIN".into(),
    };
    vec![
        choosing(0, json(&endorsed)),
        choosing(1, json(&endorsed.roster)),
        choosing(2, json(&request)),
        choosing(3, json(&bundle)),
        choosing(4, json(&endorsed.endorsements[0])),
        choosing(5, json(&FEDERATION.plan(1).layout)),
        choosing(6, "hub.example.org:443"),
        choosing(6, "[2001:db8::1]:9000"),
        choosing(6, "10.0.0.7"),
        choosing(7, ApprovalFile::of(staged(), Some("{}".into())).to_json()),
        choosing(8, Release::of("a note".into(), &recorded()).to_json()),
        choosing(9, "syndic://credit/participant/12/bank_a"),
        choosing(9, "syndic://credit/participant/012/bank_a"),
    ]
}

pub(super) fn staged() -> StageApproval {
    let change = StageChange {
        name: "churn".into(),
        number: 1,
        job: JobId::new("churn-2026").expect("a job id"),
        model: Digest::of(b"weights"),
        card: Some(Digest::of(b"card")),
        from: Stage::Shadow,
        to: Stage::Champion,
        replaces: JobId::new("churn-2025"),
        ungated: vec!["max_psi".into()],
        reason: "a reason".into(),
    };
    change.approve(FEDERATION.roster.digest(), "model-risk", FEDERATION.key(id(1)))
}

fn recorded() -> RecordedModel {
    let entry =
        |index| RecordedEntry { index, entry: b"{}".to_vec(), inclusion: vec![Hash::of(&[b"beside"])] };
    RecordedModel { agreed: entry(1), completed: entry(2), approved: entry(3), staged: entry(4) }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a document has a JSON form")
}
