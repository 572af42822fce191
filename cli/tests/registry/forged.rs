//! An operator who writes into its own ledger what no approver approved: whoever verifies it finds that.

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use syndic_ledger::{Checkpoint, Entry, History, Timestamp, VerifierKey, tiles};
use syndic_round::{
    Approver, Digest, EndorsedRoster, JobId, Member, ParticipantId, Roster, Stage, StageChange,
};

use super::process::{refusal, succeed};

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> [u8; 32] {
    key(number).verifying_key().to_bytes()
}

fn roster() -> EndorsedRoster {
    let id = |number: u8| ParticipantId::new(number.into()).unwrap();
    let member =
        |number| Member { id: id(number), name: format!("bank-{number}"), signing_key: public(number) };
    let roster = Roster {
        federation: "federation".into(),
        members: (1..=3).map(member).collect(),
        coordinator_key: public(9),
        approvers: vec![Approver { name: "model-risk".into(), key: public(7) }],
    };
    let endorsements = (1..=3).map(|number| roster.endorse(id(number), &key(number))).collect();
    EndorsedRoster { roster, endorsements }
}

/// A published ledger with these entries behind the roster's, under the coordinator's own signature.
fn published(folder: &std::path::Path, entries: &[(&str, String, Value)]) {
    let roster = serde_json::to_vec(&roster()).unwrap();
    let sealed: EndorsedRoster = serde_json::from_slice(&roster).unwrap();
    let first = json!({
        "federation": "federation", "digest": sealed.roster.digest().to_string(), "blob": Digest::of(&roster).to_string(),
    });
    let mut history = History::new();
    let mut log = Vec::new();
    let mut append = |kind: &str, subject: Option<String>, data: Value| {
        let entry = Entry {
            id: log.len().to_string(),
            source: "coordinator/federation/1".into(),
            kind: kind.into(),
            time: Timestamp::from_unix_ms(1_800_000_000_000).unwrap(),
            subject,
            schema: "1".into(),
            round_prev: None,
            data,
        };
        let bytes = history.link(entry).to_canonical().unwrap();
        history.accept(&bytes).unwrap();
        log.push(bytes);
    };
    append("syndic.roster.sealed", None, first);
    for (kind, subject, data) in entries {
        append(kind, Some(subject.clone()), data.clone());
    }
    for file in tiles::files(log.iter().map(Vec::as_slice)).unwrap() {
        let path = folder.join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.bytes).unwrap();
    }
    let head = Checkpoint::of("syndic/federation", history.tree()).unwrap();
    std::fs::write(folder.join("checkpoint"), head.sign(&key(9)).unwrap()).unwrap();
    std::fs::write(folder.join("roster.json"), roster).unwrap();
    let own = VerifierKey::new("syndic/federation", key(9).verifying_key()).unwrap();
    std::fs::write(folder.join(tiles::VERIFIER_KEY), format!("{own}\n")).unwrap();
}

/// A job with a gate that released a model with this figure, and that the model became shadow and champion by the word of `signer`.
fn promoted(
    roc_auc: &str,
    signer: u8,
    alter: impl Fn(&mut StageChange),
) -> Vec<(&'static str, String, Value)> {
    let file = include_str!("../../../examples/bank-marketing/job.toml");
    let file = format!("{file}\n[promotion]\nname = \"response\"\nmin_roc_auc = 0.75\n");
    let (job, of) = (JobId::new("bank-marketing").unwrap(), "job/bank-marketing".to_owned());
    let model = Digest::of(b"weights");
    let mut entries = vec![
        (
            "syndic.job.agreed",
            of.clone(),
            json!({ "job": job, "file": file, "agreement": Digest::of(file.as_bytes()).to_string(), "priority": 50, "by": "configuration" }),
        ),
        (
            "syndic.job.completed",
            of,
            json!({ "job": job, "released_round": 1, "model": model.to_string(), "figures": { "roc_auc": roc_auc } }),
        ),
    ];
    for (number, from, to) in [(0, Stage::Candidate, Stage::Shadow), (1, Stage::Shadow, Stage::Champion)] {
        let mut change = StageChange {
            name: "response".into(),
            number,
            job: job.clone(),
            model,
            card: Some(Digest::of(b"card")),
            from,
            to,
            replaces: None,
            reason: "a reason".into(),
            ungated: Vec::new(),
        };
        alter(&mut change);
        let gates = match to {
            Stage::Champion => json!([{ "gate": "min_roc_auc", "limit": "0.75", "figure": roc_auc }]),
            _ => json!([]),
        };
        let approval = json!(change.approve(roster().roster.digest(), "model-risk", &key(signer)));
        let mut data = approval["change"].clone();
        for (name, value) in [
            ("approver", approval["approver"].clone()),
            ("signature", approval["signature"].clone()),
            ("key", json!(hex::encode(public(7)))),
            ("gates", gates),
            ("by", json!("local-user/0")),
        ] {
            data[name] = value;
        }
        entries.push(("syndic.model.stage", "model/response".into(), data));
    }
    entries
}

#[test]
fn a_promotion_that_may_not_be_is_found_by_whoever_verifies_the_published_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let verify = |entries: &[(&str, String, Value)]| {
        let ledger =
            folder.path().join(format!("ledger-{}", Digest::of(json!(entries).to_string().as_bytes())));
        std::fs::create_dir(&ledger).unwrap();
        published(&ledger, entries);
        ledger.to_str().unwrap().to_owned()
    };
    let good = verify(&promoted("0.760000000", 7, |_| {}));
    succeed("syndic", folder.path(), &["ledger", "verify", &good]);
    let listed = succeed("syndic", folder.path(), &["model", "list", "--ledger", &good, "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["models"][0]["stage"], "champion");

    let mut doctored = promoted("0.740000000", 7, |_| {});
    doctored[3].2["gates"][0]["figure"] = json!("0.760000000");
    let mut straight = promoted("0.760000000", 7, |_| {});
    drop(straight.remove(2));
    let replayed = {
        let mut entries = promoted("0.760000000", 7, |_| {});
        entries.push(entries[2].clone());
        entries
    };
    for (what, forged) in [
        ("the coordinator's key signed", promoted("0.760000000", 9, |_| {})),
        ("a member's key signed", promoted("0.760000000", 1, |_| {})),
        ("the gate is not passed", promoted("0.740000000", 7, |_| {})),
        ("the figure is another than that of the job's end", doctored),
        ("it was no shadow", straight),
        ("an approval counts twice", replayed),
        ("it is another model", promoted("0.760000000", 7, |change| change.model = Digest::of(b"other"))),
        ("it stands under another name", promoted("0.760000000", 7, |change| change.name = "other".into())),
    ] {
        let ledger = verify(&forged);
        let refused = refusal("syndic", folder.path(), &["ledger", "verify", &ledger]);
        assert_eq!(refused, (4, "audit.model-stage".into()), "{what}");
        let refused = refusal("syndic", folder.path(), &["model", "list", "--ledger", &ledger]);
        assert_eq!(refused, (4, "audit.model-stage".into()), "{what}");
    }
}
