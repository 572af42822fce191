//! Approvals: what they cover, who may give them, and which stages follow which.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{federation_of, id, signing_key};
use ed25519_dalek::SigningKey;
use syndic_round::{
    ApprovalError, Approver, Digest, EndorsedRoster, JobId, Roster, RosterError, SealedRoster, Stage,
    StageApproval, StageChange,
};

fn key() -> SigningKey {
    signing_key("approver", 1)
}

fn approver(name: &str, number: u16) -> Approver {
    Approver { name: name.into(), key: signing_key("approver", number).verifying_key().to_bytes() }
}

fn with(approvers: Vec<Approver>) -> Result<SealedRoster, RosterError> {
    let roster = Roster { approvers, ..federation_of(4).roster.roster().clone() };
    let endorse = |number: u16| roster.endorse(id(number), &signing_key("member", number));
    let endorsements = (1..=4).map(endorse).collect();
    EndorsedRoster { roster, endorsements }.verify()
}

fn roster() -> SealedRoster {
    with(vec![approver("audit", 2), approver("model-risk", 1)]).unwrap()
}

fn change() -> StageChange {
    StageChange {
        name: "churn".into(),
        number: 3,
        job: JobId::new("churn-2026").unwrap(),
        model: Digest::of(b"weights"),
        card: Some(Digest::of(b"card")),
        from: Stage::Shadow,
        to: Stage::Champion,
        replaces: JobId::new("churn-2025"),
        reason: "it was better for a quarter".into(),
        ungated: Vec::new(),
    }
}

fn approved(change: StageChange) -> StageApproval {
    change.approve(roster().digest(), "model-risk", &key())
}

#[test]
fn an_approval_is_the_word_of_the_approver_that_the_roster_names() {
    let roster = roster();
    assert_eq!(approved(change()).verify(&roster), Ok(&approver("model-risk", 1)));
    let unknown = StageApproval { approver: "nobody".into(), ..approved(change()) };
    assert_eq!(unknown.verify(&roster), Err(ApprovalError::Unknown("nobody".into())));
    // Another approver's name, or a key that no approver has.
    let other = StageApproval { approver: "audit".into(), ..approved(change()) };
    assert_eq!(other.verify(&roster), Err(ApprovalError::Signature("audit".into())));
    let stranger = change().approve(roster.digest(), "model-risk", &signing_key("member", 1));
    assert_eq!(stranger.verify(&roster), Err(ApprovalError::Signature("model-risk".into())));
}

#[test]
fn an_approval_covers_every_part_of_the_change_and_the_federation() {
    let signature = approved(change()).signature;
    type Change = fn(&mut StageChange);
    let changes: [Change; 12] = [
        |change| change.name.push('x'),
        |change| change.number += 1,
        |change| change.job = JobId::new("churn-2027").unwrap(),
        |change| change.model = Digest::of(b"other weights"),
        |change| change.card = Some(Digest::of(b"other card")),
        |change| change.card = None,
        |change| change.from = Stage::Candidate,
        |change| change.to = Stage::Withdrawn,
        |change| change.replaces = None,
        |change| change.replaces = JobId::new("churn-2024"),
        |change| change.reason.push('!'),
        |change| change.ungated.push("min_roc_auc".into()),
    ];
    for alter in changes {
        let mut change = change();
        alter(&mut change);
        let forged = StageApproval { change, approver: "model-risk".into(), signature };
        assert_eq!(
            forged.verify(&roster()),
            Err(ApprovalError::Signature("model-risk".into())),
            "{forged:?}"
        );
    }
    let elsewhere = with(vec![approver("model-risk", 1)]).unwrap();
    assert!(approved(change()).verify(&elsewhere).is_err(), "another federation has another roster");
}

#[test]
fn names_and_reasons_keep_their_rules() {
    for reason in ["", " padded", "two\nlines", &"x".repeat(501)] {
        let change = StageChange { reason: reason.into(), ..change() };
        assert_eq!(approved(change).verify(&roster()), Err(ApprovalError::Reason), "{reason:?}");
    }
    let longest = StageChange { reason: "ä".repeat(500), ..change() };
    assert!(approved(longest).verify(&roster()).is_ok());
    let named = StageChange { name: "../churn".into(), ..change() };
    assert_eq!(approved(named).verify(&roster()), Err(ApprovalError::Name));
}

#[test]
fn a_model_becomes_champion_through_the_shadow_and_withdrawn_for_ever() {
    use Stage::{Candidate, Champion, Shadow, Withdrawn};
    let all = [Candidate, Shadow, Champion, Withdrawn];
    let legal: Vec<(Stage, Stage)> = all
        .into_iter()
        .flat_map(|from| all.map(|to| (from, to)))
        .filter(|(from, to)| from.may_become(*to))
        .collect();
    let expected = [
        (Candidate, Shadow),
        (Candidate, Withdrawn),
        (Shadow, Champion),
        (Shadow, Withdrawn),
        (Champion, Withdrawn),
    ];
    assert_eq!(legal, expected);
}

#[test]
fn a_roster_names_each_approver_once_in_order_with_a_key_of_its_own() {
    let refused = |approvers| with(approvers).unwrap_err();
    assert_eq!(refused(vec![approver("b", 1), approver("a", 2)]), RosterError::Approvers);
    assert_eq!(refused(vec![approver("a", 1), approver("a", 2)]), RosterError::Approvers);
    assert_eq!(refused(vec![approver("a", 1), approver("b", 1)]), RosterError::Approvers);
    let member = signing_key("member", 2).verifying_key().to_bytes();
    assert_eq!(refused(vec![Approver { name: "a".into(), key: member }]), RosterError::Approvers);
    let ledger = federation_of(4).roster.roster().coordinator_key;
    assert_eq!(refused(vec![Approver { name: "a".into(), key: ledger }]), RosterError::Approvers);
    let many = (0..65).map(|k| approver(&format!("a{k:02}"), k)).collect();
    assert_eq!(refused(many), RosterError::Approvers);
    assert_eq!(refused(vec![approver("A", 1)]), RosterError::Name("A".into()));
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(refused(vec![Approver { name: "a".into(), key: neutral }]), RosterError::Key("a".into()));
}

#[test]
fn a_roster_with_approvers_has_another_digest_and_one_without_the_same_bytes_as_ever() {
    let without = with(Vec::new()).unwrap();
    assert_eq!(without.digest(), federation_of(4).roster.digest());
    assert!(!serde_json_like(&without).contains("approvers"));
    let digests = [roster().digest(), with(vec![approver("audit", 2)]).unwrap().digest(), without.digest()];
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
}

/// The keys of a roster as serde writes them.
fn serde_json_like(roster: &SealedRoster) -> String {
    serde_json::to_string(&roster.endorsed()).unwrap()
}
