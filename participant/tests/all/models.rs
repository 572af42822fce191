//! Released models as they are delivered: what is proved of them, and that nothing else is ever written.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use syndic_learning::job::ProgramTerms;
use syndic_learning::program::comparison::{ComparisonTerms, RowsCompared};
use syndic_learning::program::drift::released::ReleasedDriftTerms;
use syndic_learning::program::drift::released::reference::{Reference, ReferenceScores};
use syndic_learning::staged::Staged;
use syndic_learning::{Coefficients, Column, ColumnKind, Job, LinearModel, Model, Standardisation};
use syndic_ledger::{Checkpoint, Entry, History, Leaves, Timestamp};
use syndic_participant::models::{Models, Proved, Release, Undelivered};
use syndic_proto::convert::{RecordedEntry, RecordedModel};
use syndic_round::approval::subject;
use syndic_round::{
    Approver, Digest, EndorsedRoster, JobId, Member, ParticipantId, Roster, SealedRoster, Stage, StageChange,
};

const FILE: &str = include_str!("../../../examples/bank-marketing/job.toml");

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> [u8; 32] {
    key(number).verifying_key().to_bytes()
}

fn approver() -> Approver {
    Approver { name: "model-risk".into(), key: public(7) }
}

fn roster() -> SealedRoster {
    let id = |number: u8| ParticipantId::new(number.into()).unwrap();
    let member =
        |number| Member { id: id(number), name: format!("bank-{number}"), signing_key: public(number) };
    let roster = Roster {
        federation: "federation".into(),
        members: (1..=3).map(member).collect(),
        coordinator_key: public(9),
        approvers: vec![approver()],
    };
    let endorsements = (1..=3).map(|number| roster.endorse(id(number), &key(number))).collect();
    EndorsedRoster { roster, endorsements }.verify().unwrap()
}

fn job(name: &str) -> JobId {
    JobId::new(name).unwrap()
}

/// A ledger, and the files of the models that it has.
#[derive(Default)]
struct House {
    history: History,
    leaves: Leaves,
    entries: Vec<Vec<u8>>,
    changes: u64,
}

/// Where a model's entries are, and its files.
#[derive(Clone)]
struct Made {
    job: JobId,
    places: [u64; 4],
    weights: Vec<u8>,
    card: Vec<u8>,
}

impl House {
    fn append(&mut self, kind: &str, subject: String, data: Value) -> u64 {
        let entry = Entry {
            id: self.entries.len().to_string(),
            source: "coordinator/federation/1".into(),
            kind: kind.into(),
            time: Timestamp::from_unix_ms(1_800_000_000_000).unwrap(),
            subject: Some(subject),
            schema: "1".into(),
            round_prev: None,
            data,
        };
        let bytes = self.history.link(entry).to_canonical().unwrap();
        let accepted = self.history.accept(&bytes).unwrap();
        self.leaves.append(accepted.leaf);
        self.entries.push(bytes);
        accepted.index
    }

    /// A job that released a model, with `intercept` to tell it from others.
    fn release(&mut self, name: &str, intercept: f64) -> Made {
        let job = job(name);
        let agreement = Digest::of(FILE.as_bytes()).to_string();
        let contract = Job::from_toml(FILE).unwrap().contract;
        let weights = vec![0.5; contract.inputs()];
        let numeric = |column: &&Column| matches!(column.kind, ColumnKind::Numeric { .. });
        let numbers = contract.columns.iter().filter(numeric).count();
        let standardisation = Standardisation { mean: vec![0.0; numbers], sd: vec![1.0; numbers] };
        let model = Model::Linear(LinearModel {
            contract,
            standardisation,
            coefficients: Coefficients { weights, intercept },
        });
        let weights = model.to_safetensors().unwrap();
        let provenance = BTreeMap::from([("job".into(), json!(job)), ("agreement".into(), json!(agreement))]);
        let card = serde_json::to_vec(&model.card(&weights, provenance)).unwrap();
        let of = format!("job/{job}");
        let data = json!({ "job": job, "file": FILE, "agreement": agreement, "priority": 50, "by": "configuration" });
        let agreed = self.append("syndic.job.agreed", of.clone(), data);
        let data = json!({ "job": job, "released_round": 1, "model": Digest::of(&weights).to_string() });
        let completed = self.append("syndic.job.completed", of, data);
        Made { job, places: [agreed, completed, 0, 0], weights, card }
    }

    fn stage(&mut self, made: &mut Made, from: Stage, to: Stage, replaces: Option<&mut Made>) {
        self.stage_by(made, from, to, replaces, 7);
    }

    fn stage_by(&mut self, made: &mut Made, from: Stage, to: Stage, replaces: Option<&mut Made>, signer: u8) {
        let change = StageChange {
            name: "response".into(),
            number: self.changes,
            job: made.job.clone(),
            model: Digest::of(&made.weights),
            card: Some(Digest::of(&made.card)),
            from,
            to,
            replaces: replaces.as_ref().map(|other| other.job.clone()),
            reason: "a reason".into(),
            ungated: Vec::new(),
        };
        self.changes += 1;
        let approval = change.approve(roster().digest(), "model-risk", &key(signer));
        let staged = Staged { approval, approver: approver(), gates: Vec::new(), by: "local-user/0".into() };
        let place = self.append("syndic.model.stage", subject("response"), staged.to_data());
        (made.places[2], made.places[3]) = (place, place);
        if let Some(other) = replaces {
            other.places[3] = place;
        }
    }

    fn checkpoint(&self) -> String {
        let head = Checkpoint::of("syndic/federation", self.history.tree()).unwrap();
        head.sign(&key(9)).unwrap()
    }

    fn recorded(&self, made: &Made) -> RecordedModel {
        let size = self.history.size();
        let [agreed, completed, approved, staged] = made.places.map(|index| RecordedEntry {
            index,
            entry: self.entries[usize::try_from(index).unwrap()].clone(),
            inclusion: self.leaves.inclusion_proof(index, size).unwrap(),
        });
        RecordedModel { agreed, completed, approved, staged }
    }

    fn shown(&self, made: &Made) -> Release {
        Release::of(self.checkpoint(), &self.recorded(made))
    }

    fn proved(&self, made: &Made) -> Proved {
        self.shown(made).prove(&roster()).unwrap()
    }
}

/// A ledger with a model that is a shadow.
fn with_shadow() -> (House, Made) {
    let mut house = House::default();
    let mut made = house.release("first", 0.25);
    house.stage(&mut made, Stage::Candidate, Stage::Shadow, None);
    (house, made)
}

fn is_empty(folder: &Path) -> bool {
    !folder.exists() || std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn what_is_proved_is_written_and_proved_again_from_the_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let models = Models::at(folder.path().join("models"));
    let (mut house, mut first) = with_shadow();
    let proved = house.proved(&first);
    assert_eq!((proved.name.as_str(), proved.stage, proved.entry), ("response", Stage::Shadow, 2));
    models.put(&house.shown(&first), &proved, &first.weights, &first.card).unwrap();
    assert_eq!(models.known(&proved, &roster()), Some(proved.clone()));

    house.stage(&mut first, Stage::Shadow, Stage::Champion, None);
    models.restage(&house.shown(&first), &house.proved(&first)).unwrap();
    let mut second = house.release("second", 0.5);
    house.stage(&mut second, Stage::Candidate, Stage::Shadow, None);
    house.stage(&mut second, Stage::Shadow, Stage::Champion, Some(&mut first));
    models.put(&house.shown(&second), &house.proved(&second), &second.weights, &second.card).unwrap();
    let replaced = house.proved(&first);
    assert_eq!(replaced.stage, Stage::Shadow, "another took its place");
    models.restage(&house.shown(&first), &replaced).unwrap();
    house.stage(&mut second, Stage::Champion, Stage::Withdrawn, None);
    models.restage(&house.shown(&second), &house.proved(&second)).unwrap();

    let held = models.held(&roster()).unwrap();
    let told: Vec<_> = held
        .iter()
        .map(|one| {
            let proved = one.proved.as_ref().unwrap();
            (proved.job.as_str(), proved.stage, one.is_usable())
        })
        .collect();
    assert_eq!(told, [("first", Stage::Shadow, true), ("second", Stage::Withdrawn, false)]);
}

#[test]
fn files_that_are_not_those_on_record_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let models = Models::at(folder.path().join("models"));
    let (mut house, first) = with_shadow();
    let (proved, release) = (house.proved(&first), house.shown(&first));
    let other = house.release("other", 0.75);
    let mut flipped = first.weights.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut words = first.card.clone();
    words.push(b' ');
    for (weights, card, code) in [
        (&flipped, &first.card, "model.other-model"),
        (&other.weights, &first.card, "model.other-model"),
        (&first.weights, &words, "model.other-card"),
        (&first.weights, &other.card, "model.other-card"),
    ] {
        let refused = models.put(&release, &proved, weights, card).unwrap_err();
        assert_eq!(refused.code(), code);
        assert!(is_empty(&folder.path().join("models")), "{code}");
    }
}

#[test]
fn a_card_that_says_something_else_than_the_job_file_is_refused_though_it_was_approved() {
    let mut house = House::default();
    let mut made = house.release("first", 0.25);
    let text = String::from_utf8(made.card.clone()).unwrap();
    made.card = text.replace("\"first\"", "\"second\"").into_bytes();
    assert_ne!(made.card, text.into_bytes());
    house.stage(&mut made, Stage::Candidate, Stage::Shadow, None);
    let refused = house.proved(&made).check(&made.weights, &made.card).unwrap_err();
    assert_eq!(refused.code(), "model.other-agreement");
}

#[test]
fn what_the_ledger_does_not_say_is_not_proved() {
    let (mut house, first) = with_shadow();
    let mut second = house.release("second", 0.5);
    house.stage(&mut second, Stage::Candidate, Stage::Shadow, None);
    let refused = |alter: &dyn Fn(&mut RecordedModel)| -> Undelivered {
        let mut recorded = house.recorded(&first);
        alter(&mut recorded);
        Release::of(house.checkpoint(), &recorded).prove(&roster()).unwrap_err()
    };
    let theirs = house.recorded(&second);
    type Alter<'a> = &'a dyn Fn(&mut RecordedModel);
    let cases: [(&str, Alter<'_>); 8] = [
        ("a place that is another's", &|model| model.staged.index += 1),
        ("an entry of another place", &|model| model.agreed.entry = theirs.agreed.entry.clone()),
        ("another job's model", &|model| model.completed = theirs.completed.clone()),
        ("another job's file", &|model| model.agreed = theirs.agreed.clone()),
        ("another job's approval", &|model| model.approved = theirs.approved.clone()),
        ("another job's stage", &|model| model.staged = theirs.staged.clone()),
        ("entries of another kind", &|model| model.staged = theirs.completed.clone()),
        ("a shorter proof", &|model| {
            model.completed.inclusion.pop();
        }),
    ];
    for (what, alter) in cases {
        assert_eq!(refused(alter).code(), "model.not-on-record", "{what}");
    }
    let forged = house.checkpoint().replace("syndic/federation", "syndic/another");
    let release = Release::of(forged, &house.recorded(&first));
    assert_eq!(release.prove(&roster()).unwrap_err().code(), "model.record", "another ledger's head");
}

#[test]
fn an_approval_that_counted_once_counts_no_more_from_another_place_of_the_ledger() {
    let (mut house, mut made) = with_shadow();
    let shadow = house.proved(&made);
    house.stage(&mut made, Stage::Shadow, Stage::Champion, None);
    let champion = house.proved(&made);
    assert!(champion.may_follow(&shadow) && !shadow.may_follow(&champion) && !champion.may_follow(&champion));
    house.stage(&mut made, Stage::Champion, Stage::Withdrawn, None);
    let withdrawn = house.proved(&made);
    assert!(withdrawn.may_follow(&champion));
    for mut again in [shadow, champion.clone()] {
        again.entry = withdrawn.entry + 100;
        assert!(!again.may_follow(&withdrawn), "a coordinator appends the signed change again");
    }
    let mut forced = champion;
    (forced.entry, forced.number) = (withdrawn.entry + 100, withdrawn.number + 1);
    assert!(!forced.may_follow(&withdrawn), "nothing follows a withdrawal");
}

#[test]
fn a_promotion_that_skips_a_stage_is_not_proved_though_it_is_signed() {
    let mut house = House::default();
    let mut made = house.release("first", 0.25);
    house.stage(&mut made, Stage::Candidate, Stage::Champion, None);
    assert_eq!(house.shown(&made).prove(&roster()).unwrap_err().code(), "model.not-on-record");
}

#[test]
fn a_promotion_that_no_approver_signed_is_not_proved_though_the_coordinator_has_it_on_record() {
    let mut house = House::default();
    let mut made = house.release("first", 0.25);
    house.stage_by(&mut made, Stage::Candidate, Stage::Shadow, None, 9);
    let refused = house.shown(&made).prove(&roster()).unwrap_err();
    assert_eq!(refused.code(), "model.approval-signature", "not even the coordinator's own key");
}

#[test]
fn damage_in_the_folder_is_found_and_mended_by_the_next_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let models = Models::at(folder.path().join("models"));
    let (house, first) = with_shadow();
    let (proved, release) = (house.proved(&first), house.shown(&first));
    let put = || models.put(&release, &proved, &first.weights, &first.card).unwrap();
    put();
    let path = models.path_of(&proved);
    for (file, code) in [
        ("model.safetensors", "model.other-model"),
        ("model.json", "model.other-card"),
        ("release.json", "model.record"),
    ] {
        std::fs::write(path.join(file), b"{}").unwrap();
        let held = models.held(&roster()).unwrap();
        assert_eq!(held[0].proved.as_ref().unwrap_err().code(), code);
        assert!(!held[0].is_usable() && models.known(&proved, &roster()).is_none());
        put();
        assert_eq!(models.known(&proved, &roster()), Some(proved.clone()));
    }
    // What a crash leaves while a model is written is none, and in nobody's way.
    let partial = path.with_file_name(".job-first.partial");
    std::fs::rename(&path, &partial).unwrap();
    assert!(models.held(&roster()).unwrap().is_empty());
    put();
    assert!(!partial.exists() && models.held(&roster()).unwrap()[0].is_usable());
    // A model under another's name is none either.
    std::fs::rename(&path, path.with_file_name("job-other")).unwrap();
    assert_eq!(models.held(&roster()).unwrap()[0].proved.as_ref().unwrap_err().code(), "model.record");
}

#[test]
fn models_are_compared_that_lie_here_whole_and_others_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let models = Models::at(folder.path().join("models"));
    let (mut house, first) = with_shadow();
    let mut second = house.release("second", 0.5);
    house.stage(&mut second, Stage::Candidate, Stage::Shadow, None);
    let digests = [Digest::of(&first.weights), Digest::of(&second.weights)];
    let comparing = |digests: &[Digest]| {
        let terms = ComparisonTerms { models: digests.to_vec(), rows: RowsCompared::Test };
        Job { program: ProgramTerms::Evaluation(Box::new(terms)), ..Job::from_toml(FILE).unwrap() }
    };
    let compared = |digests: &[Digest]| models.comparing(&comparing(digests), &roster());
    let refused = |digests: &[Digest]| {
        let error = compared(digests).unwrap_err();
        assert!(!error.help().is_empty());
        error.code()
    };
    assert_eq!(refused(&digests), "evaluation.not-held", "nothing was delivered");
    let put = |house: &House, made: &Made| {
        models.put(&house.shown(made), &house.proved(made), &made.weights, &made.card).unwrap();
    };
    put(&house, &first);
    assert_eq!(refused(&digests), "evaluation.not-held", "one of them was not");
    put(&house, &second);
    let [one, other] = compared(&digests).unwrap().try_into().unwrap();
    assert_eq!(one.to_safetensors().unwrap(), first.weights);
    assert_eq!(other.to_safetensors().unwrap(), second.weights);
    let backwards = compared(&[digests[1], digests[0]]).unwrap();
    assert_eq!(backwards[0], other, "in the order that is asked for");
    let mut later = comparing(&digests);
    later.contract.version = 2;
    let error = models.comparing(&later, &roster()).unwrap_err();
    assert_eq!(error.code(), "evaluation.other-contract");
    // A job that compares rows is to have the bins of the card, and this one has none.
    let score = ReferenceScores { below: vec![0.5], rows: vec![60, 40] };
    let terms = ReleasedDriftTerms {
        model: digests[0],
        rows: RowsCompared::All,
        watch_psi: 0.1,
        max_psi: 0.25,
        max_ks: None,
        min_rows: 10,
        reference: Reference { rows: 100, score, columns: Vec::new() },
    };
    let drift = Job { program: ProgramTerms::Drift(Box::new(terms)), ..comparing(&digests) };
    let error = models.comparing(&drift, &roster()).unwrap_err();
    assert_eq!(error.code(), "drift.no-reference", "{error}");
    assert!(!error.help().is_empty() && error.to_string().contains("trained on"));

    // Other files under the same record, or the record of another model over these files.
    let path = models.path_of(&house.proved(&second));
    std::fs::write(path.join("model.safetensors"), &first.weights).unwrap();
    assert_eq!(refused(&digests), "evaluation.not-verified");
    put(&house, &second);
    let mut forged = house.release("forged", 0.75);
    house.stage_by(&mut forged, Stage::Candidate, Stage::Shadow, None, 9);
    std::fs::write(path.join("model.safetensors"), &forged.weights).unwrap();
    std::fs::write(path.join("model.json"), &forged.card).unwrap();
    std::fs::write(path.join("release.json"), house.shown(&forged).to_json()).unwrap();
    assert_eq!(refused(&[Digest::of(&forged.weights)]), "evaluation.not-held", "no approver signed it");
    put(&house, &second);

    house.stage(&mut second, Stage::Shadow, Stage::Withdrawn, None);
    models.restage(&house.shown(&second), &house.proved(&second)).unwrap();
    assert_eq!(refused(&digests), "evaluation.withdrawn");
    assert_eq!(compared(&digests[..1]).unwrap(), [one]);
}

#[test]
fn a_record_reads_as_it_was_written_and_another_version_does_not() {
    let (house, first) = with_shadow();
    let release = house.shown(&first);
    assert_eq!(Release::parse(&release.to_json()).unwrap(), release);
    for text in ["", "{}", &release.to_json().replace("syndic-release/1", "syndic-release/2")] {
        assert_eq!(Release::parse(text).unwrap_err().code(), "model.record");
    }
}
