//! Stages, gates and approvals, as the registry takes and refuses them.

use ed25519_dalek::SigningKey;
use syndic_round::{Approver, EndorsedRoster, Member, ParticipantId, Roster};

use super::*;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn roster() -> SealedRoster {
    let id = |number: u8| ParticipantId::new(number.into()).unwrap();
    let public = |number: u8| key(number).verifying_key().to_bytes();
    let roster = Roster {
        federation: "federation".into(),
        members: (1..=3)
            .map(|number| Member {
                id: id(number),
                name: format!("bank-{number}"),
                signing_key: public(number),
            })
            .collect(),
        coordinator_key: public(9),
        approvers: vec![approver()],
    };
    let endorsements = (1..=3).map(|number| roster.endorse(id(number), &key(number))).collect();
    EndorsedRoster { roster, endorsements }.verify().unwrap()
}

fn approver() -> Approver {
    Approver { name: "model-risk".into(), key: key(7).verifying_key().to_bytes() }
}

const JOB: &str = include_str!("../../../examples/bank-marketing/job.toml");

fn id(job: &str) -> JobId {
    JobId::new(job).unwrap()
}

fn figures(roc_auc: &str) -> Figures {
    serde_json::from_value(serde_json::json!({ "roc_auc": roc_auc, "log_loss": "0.3" })).unwrap()
}

/// Two jobs of one name, with gates, that released their models.
fn registry() -> Registry {
    let job = Job::from_toml(&format!(
        "{JOB}\n[promotion]\nname = \"response\"\nmin_roc_auc = 0.75\nnot_worse_than_champion = 0.01\n"
    ));
    let job = job.unwrap();
    let mut registry = Registry::default();
    for (name, roc_auc) in [("first", "0.780000000"), ("second", "0.775000000"), ("bad", "0.740000000")] {
        registry.agreed(&id(name), &job);
        registry.completed(&id(name), Digest::of(name.as_bytes()), Some(&figures(roc_auc)));
    }
    registry
}

fn card(job: &str) -> Option<Digest> {
    Some(Digest::of(format!("card of {job}").as_bytes()))
}

fn staged(registry: &Registry, job: &str, to: Stage) -> Result<Staged, RegistryError> {
    let named = card(job).filter(|_| to != Stage::Withdrawn);
    let (change, gates) = registry.propose(&id(job), to, named, "a reason")?;
    let approval = change.approve(roster().digest(), "model-risk", &key(7));
    Ok(Staged { approval, approver: approver(), gates, by: "local-user/0".into() })
}

fn put(registry: &mut Registry, job: &str, to: Stage) -> Staged {
    let staged = staged(registry, job, to).unwrap();
    registry.take(&staged, &roster()).unwrap();
    staged
}

fn stages(registry: &Registry) -> Vec<(&str, Stage)> {
    registry.models().map(|(job, model)| (job.as_str(), model.stage)).collect()
}

#[test]
fn a_champion_that_another_replaces_is_a_shadow_again_and_may_come_back() {
    let mut registry = registry();
    put(&mut registry, "first", Stage::Shadow);
    put(&mut registry, "first", Stage::Champion);
    put(&mut registry, "second", Stage::Shadow);
    let replacing = put(&mut registry, "second", Stage::Champion);
    assert_eq!(replacing.approval.change.replaces, Some(id("first")));
    assert_eq!(
        stages(&registry),
        [("bad", Stage::Candidate), ("first", Stage::Shadow), ("second", Stage::Champion)]
    );
    assert_eq!(registry.champion("response"), Some(&id("second")));
    put(&mut registry, "second", Stage::Withdrawn);
    assert_eq!(registry.champion("response"), None);
    put(&mut registry, "first", Stage::Champion);
    assert_eq!(registry.champion("response"), Some(&id("first")));
    assert_eq!(registry.all_changes(), (6, Some(&id("first"))));
    let gone = staged(&registry, "second", Stage::Shadow).unwrap_err();
    assert_eq!(gone.code(), "model.illegal-stage", "what is withdrawn stays so");
    assert_eq!(
        gone.to_string(),
        "the model of job `second` is withdrawn, and none of that stage becomes shadow"
    );
    assert!(gone.help().contains("stays so"), "{}", gone.help());
}

#[test]
fn gates_are_those_of_the_job_and_of_the_champion_of_the_day() {
    let mut registry = registry();
    put(&mut registry, "bad", Stage::Shadow);
    let refused = staged(&registry, "bad", Stage::Champion).unwrap_err();
    assert_eq!(refused.code(), "model.gate-failed");
    assert!(
        refused.to_string().contains("`min_roc_auc` is 0.75, and the model has 0.740000000"),
        "{refused}"
    );
    put(&mut registry, "first", Stage::Shadow);
    assert!(put(&mut registry, "first", Stage::Champion).gates.len() == 1, "there was no champion");
    put(&mut registry, "second", Stage::Shadow);
    let gates = put(&mut registry, "second", Stage::Champion).gates;
    let told: Vec<_> = gates.iter().map(|gate| (&*gate.gate, &*gate.limit)).collect();
    assert_eq!(told, [("min_roc_auc", "0.75"), ("not_worse_than_champion", "0.770000000")]);
}

/// The registry with `first` as champion, and a shadow whose job sets one of its gates only.
fn with_a_lax_successor() -> Registry {
    let mut registry = registry();
    let lax =
        Job::from_toml(&format!("{JOB}\n[promotion]\nname = \"response\"\nmin_roc_auc = 0.1\n")).unwrap();
    registry.agreed(&id("lax"), &lax);
    registry.completed(&id("lax"), Digest::of(b"lax"), Some(&figures("0.500000000")));
    put(&mut registry, "first", Stage::Shadow);
    put(&mut registry, "first", Stage::Champion);
    put(&mut registry, "lax", Stage::Shadow);
    registry
}

#[test]
fn gates_that_the_champion_passed_and_its_successor_need_not_are_signed_by_name() {
    let mut registry = with_a_lax_successor();
    let replacing = staged(&registry, "lax", Stage::Champion).unwrap();
    assert_eq!(replacing.approval.change.ungated, ["not_worse_than_champion"]);
    registry.check(&replacing.approval, &roster()).unwrap();
    for ungated in [vec![], vec!["min_roc_auc".to_owned()]] {
        let change = StageChange { ungated, ..replacing.approval.change.clone() };
        let approval = change.approve(roster().digest(), "model-risk", &key(7));
        let error = registry.check(&approval, &roster()).unwrap_err();
        assert_eq!(error.code(), "model.other-approval");
        assert!(error.to_string().contains("gates that are given up"), "{error}");
    }
    let (kind, _, data) = crate::fact::Fact::ModelStaged(Box::new(replacing.clone())).to_parts();
    assert_eq!(
        (kind, &data["ungated"]),
        ("syndic.model.stage", &serde_json::json!(["not_worse_than_champion"]))
    );
    assert_eq!(Staged::from_data(&data), Some(replacing.clone()));
    registry.take(&replacing, &roster()).unwrap();
    // The other way round nothing is given up.
    assert_eq!(staged(&registry, "first", Stage::Champion).unwrap().approval.change.ungated, [""; 0]);
}

#[test]
fn a_ledger_from_before_such_gates_were_named_still_counts() {
    let mut registry = with_a_lax_successor();
    let Staged { approval, approver, gates, by } = staged(&registry, "lax", Stage::Champion).unwrap();
    let change = StageChange { ungated: Vec::new(), ..approval.change };
    let approval = change.approve(roster().digest(), "model-risk", &key(7));
    registry.take(&Staged { approval, approver, gates, by }, &roster()).unwrap();
    assert_eq!(registry.champion("response"), Some(&id("lax")));
}

#[test]
fn models_that_participants_have_can_be_compared_and_others_are_told_apart() {
    let mut registry = registry();
    put(&mut registry, "first", Stage::Shadow);
    put(&mut registry, "second", Stage::Shadow);
    put(&mut registry, "second", Stage::Withdrawn);
    let contract = Job::from_toml(JOB).unwrap().contract;
    let compared = |models: &[&str], contract: &syndic_learning::Contract| {
        let models: Vec<Digest> = models.iter().map(|job| Digest::of(job.as_bytes())).collect();
        registry.comparable(&models, contract)
    };
    assert_eq!(compared(&["first"], &contract), Ok(()));
    let refused = |models: &[&str], contract: &syndic_learning::Contract| {
        let error = compared(models, contract).unwrap_err();
        assert!(!error.help().is_empty());
        error.code()
    };
    assert_eq!(refused(&["first", "nobody"], &contract), "evaluation.unknown");
    assert_eq!(refused(&["bad"], &contract), "evaluation.not-released");
    assert_eq!(refused(&["first", "second"], &contract), "evaluation.withdrawn");
    let other = syndic_learning::Contract { version: 2, ..contract };
    assert_eq!(refused(&["first"], &other), "evaluation.other-contract");
}

#[test]
fn an_approval_counts_once_and_for_what_its_approver_saw() {
    let mut registry = registry();
    let first = put(&mut registry, "first", Stage::Shadow);
    assert!(registry.is_last(&first.approval));
    let seen = staged(&registry, "first", Stage::Champion).unwrap();
    let again = registry.take(&first, &roster()).unwrap_err();
    assert_eq!(again.code(), "model.stale-approval");
    assert_eq!(
        again.to_string(),
        "the approval is for change 0 under the name `response`, and 1 is next; the model of job `first` is shadow now"
    );
    put(&mut registry, "second", Stage::Shadow);
    let late = registry.take(&seen, &roster()).unwrap_err();
    assert_eq!(late.code(), "model.stale-approval", "there was another change in between");
}

#[test]
fn what_is_not_as_the_registry_has_it_is_refused() {
    let registry = registry();
    let good = staged(&registry, "first", Stage::Shadow).unwrap();
    let refused = |alter: fn(&mut StageChange)| {
        let mut change = good.approval.change.clone();
        alter(&mut change);
        let approval = change.approve(roster().digest(), "model-risk", &key(7));
        registry.check(&approval, &roster()).unwrap_err().code()
    };
    assert_eq!(refused(|change| change.job = id("nobody")), "model.unknown");
    assert_eq!(refused(|change| change.job = id("second")), "model.other-approval", "another job's model");
    assert_eq!(refused(|change| change.name = "other".into()), "model.other-approval");
    assert_eq!(refused(|change| change.card = None), "model.other-approval");
    assert_eq!(refused(|change| change.replaces = Some(id("second"))), "model.other-approval");
    assert_eq!(refused(|change| change.to = Stage::Champion), "model.illegal-stage", "not without a shadow");
    assert_eq!(refused(|change| change.from = Stage::Shadow), "model.illegal-stage");
    let hasty = registry.propose(&id("first"), Stage::Champion, None, "it looks good").unwrap_err();
    assert_eq!(
        hasty.to_string(),
        "the model of job `first` is candidate, and none of that stage becomes champion"
    );
    assert!(hasty.help().contains("`syndic model promote --to shadow`"), "{}", hasty.help());
    let stranger = good.approval.change.clone().approve(roster().digest(), "model-risk", &key(8));
    assert_eq!(registry.check(&stranger, &roster()).unwrap_err().code(), "model.approval-signature");
    let nobody = good.approval.change.clone().approve(roster().digest(), "bank-1", &key(1));
    assert_eq!(
        registry.check(&nobody, &roster()).unwrap_err().code(),
        "model.no-approver",
        "a member is none"
    );
}

#[test]
fn an_entry_with_other_gates_figures_or_keys_than_follow_is_refused() {
    let mut registry = registry();
    put(&mut registry, "first", Stage::Shadow);
    let good = staged(&registry, "first", Stage::Champion).unwrap();
    let other_key = Staged { approver: Approver { key: [1; 32], ..approver() }, ..good.clone() };
    let without = Staged { gates: Vec::new(), ..good.clone() };
    let mut better = good.clone();
    better.gates[0].figure = "0.990000000".into();
    for forged in [other_key, without, better] {
        assert_eq!(registry.clone().take(&forged, &roster()).unwrap_err().code(), "model.other-approval");
    }
    registry.take(&good, &roster()).unwrap();
}

#[test]
fn a_candidate_may_be_withdrawn_without_a_card() {
    let mut registry = registry();
    let withdrawn = put(&mut registry, "bad", Stage::Withdrawn);
    assert_eq!(withdrawn.approval.change.card, None);
    assert!(!registry.releases(Digest::of(b"bad")));
    put(&mut registry, "first", Stage::Shadow);
    assert!(registry.releases(Digest::of(b"first")) && registry.releases(card("first").unwrap()));
    put(&mut registry, "first", Stage::Withdrawn);
    assert!(!registry.releases(Digest::of(b"first")) && !registry.releases(card("first").unwrap()));
}

#[test]
fn an_entry_says_what_was_staged_and_is_read_as_such() {
    let registry = registry();
    for job in ["first", "bad"] {
        let to = if job == "bad" { Stage::Withdrawn } else { Stage::Shadow };
        let staged = staged(&registry, job, to).unwrap();
        let (kind, subject, data) = crate::fact::Fact::ModelStaged(Box::new(staged.clone())).to_parts();
        assert_eq!((kind, subject.as_deref()), ("syndic.model.stage", Some("model/response")));
        assert_eq!(Staged::from_data(&data), Some(staged));
        for key in data.as_object().unwrap().keys() {
            let mut torn = data.clone();
            torn[key] = serde_json::json!(1.5);
            assert_eq!(Staged::from_data(&torn), None, "{key}");
        }
    }
}
