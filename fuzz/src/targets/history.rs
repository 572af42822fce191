//! The rules of a ledger under arbitrary entries: a refused one changes nothing, an accepted one adds itself.

use serde_json::{Value, json};
use syndic_coordinator::missing::{Missing, Step, Why};
use syndic_ledger::{Entry, History, Timestamp, Tree, leaf_hash, round_subject};
use syndic_round::Digest;

use crate::federation::FEDERATION;
use crate::script::{Script, choosing, fields};

/// Entries, each behind its length; where the first byte says so, links are put in as a writer would.
pub(super) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let linked = script.u8() & 1 == 1;
    let (mut history, mut tree) = (History::new(), Tree::new());
    while !script.is_over() {
        let bytes = script.field();
        let bytes = match Entry::parse(bytes) {
            Ok(entry) if linked => history.link(entry).to_canonical().unwrap_or_default(),
            _ => bytes.to_vec(),
        };
        let before = format!("{history:?}");
        match history.accept(&bytes) {
            Ok(accepted) => {
                assert_eq!(accepted.index, tree.append(leaf_hash(&bytes)));
                assert_eq!(history.tree(), &tree);
                if let Some(subject) = &accepted.entry.subject {
                    assert_eq!(history.head(subject), Some(accepted.leaf));
                }
                assert!(history.accept(&bytes).is_err(), "one entry twice");
            }
            Err(fault) => {
                assert!(fault.code().starts_with("ledger."));
                assert_eq!(format!("{history:?}"), before, "a refused entry changed the history");
            }
        }
    }
    let counted: u64 = history.types().values().sum();
    assert_eq!(counted, history.size());
    let rounds = history.rounds();
    let opened = history.types().get(syndic_ledger::schema::ROUND_OPENED).copied().unwrap_or(0);
    assert_eq!(rounds.open + rounds.closed + rounds.abandoned, opened);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let log = log();
    let reversed: Vec<_> = log.iter().rev().collect();
    vec![choosing(1, fields(&log)), choosing(0, fields(&log)), choosing(1, fields(reversed))]
}

/// The log of one round that closed and one that was abandoned.
pub(super) fn log() -> Vec<Vec<u8>> {
    let digest = leaf_hash(b"digest").to_string();
    let round = |step: &str, round: u64, more: Value| {
        let mut data = json!({ "job": "job", "round": round, "attempt": 1 });
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        (format!("syndic.round.{step}"), Some(round_subject("job", round, 1)), data)
    };
    let closed = json!({ "survivors": [1, 2, 3, 4], "sum": digest, "key_sum": digest, "aggregate_root": digest, "checked": true });
    let drafts = [
        ("syndic.federation.created".to_owned(), None, json!({})),
        ("syndic.job.agreed".to_owned(), Some("job/job".to_owned()), json!({ "job": "job" })),
        round("opened", 1, json!({ "plan": digest })),
        round("advertised", 1, json!({})),
        round("closed", 1, closed),
        round("opened", 2, json!({ "plan": digest })),
        round("abandoned", 2, json!({ "reason": "too few" })),
        (
            "bank.example.note".to_owned(),
            None,
            json!({ "text": "\u{e9}\u{1f600}\n", "of": [null, true, -5] }),
        ),
    ];
    linked(drafts)
}

/// Entries of the kinds that a coordinator reads back.
pub(super) fn facts() -> Vec<Vec<u8>> {
    let plan = FEDERATION.plan(1);
    let digest = Digest::of(b"digest").to_string();
    let cohort = FEDERATION.cohort(&plan);
    let advert = &cohort.adverts()[0];
    let facts = [
        syndic_coordinator::fact::Fact::JobAgreed {
            job: plan.terms.job.clone(),
            file: "[job]\n".into(),
            priority: syndic_coordinator::fact::Priority::default(),
            by: "configuration".into(),
        },
        syndic_coordinator::fact::Fact::JobPaused { job: plan.terms.job.clone(), cause: cause() },
        syndic_coordinator::fact::Fact::JobPrioritised {
            job: plan.terms.job.clone(),
            priority: syndic_coordinator::fact::Priority::default(),
            cause: cause(),
        },
        syndic_coordinator::fact::Fact::PreparationOpened {
            terms: Box::new(plan.terms.clone()),
            excused: vec![],
        },
        syndic_coordinator::fact::Fact::Heard {
            job: plan.terms.job.clone(),
            place: syndic_round::Place::Ahead(plan.terms.number),
            input: syndic_round::coordinator::Input::Advertise(advert.clone()),
            survivors: Vec::new(),
            beside: syndic_coordinator::fact::Beside::default(),
        },
        syndic_coordinator::fact::Fact::PreparationReady {
            job: plan.terms.job.clone(),
            number: plan.terms.number,
            eligible: plan.terms.admitted.clone(),
        },
        syndic_coordinator::fact::Fact::RoundOpened {
            plan: Box::new(plan.clone()),
            kind: "train".into(),
            training_round: Some(1),
            absent: plan.terms.admitted[1..2].to_vec(),
            excused: plan.terms.admitted[1..2].to_vec(),
            lot: Some("train/1".into()),
        },
        syndic_coordinator::fact::Fact::Heard {
            job: plan.terms.job.clone(),
            place: plan.id.into(),
            input: syndic_round::coordinator::Input::Advertise(advert.clone()),
            survivors: Vec::new(),
            beside: syndic_coordinator::fact::Beside::default(),
        },
        syndic_coordinator::fact::Fact::Heard {
            job: plan.terms.job.clone(),
            place: plan.id.into(),
            input: syndic_round::coordinator::Input::MoreReveals("implausible".into()),
            survivors: Vec::new(),
            beside: syndic_coordinator::fact::Beside::default(),
        },
        syndic_coordinator::fact::Fact::RoundAbandoned {
            job: plan.terms.job.clone(),
            round: plan.id,
            reason: "too few".into(),
            missing: vec![
                missing(&plan, 1, Why::Declined("policy.purpose".into())),
                missing(&plan, 2, Why::Missed(Step::Submit)),
            ],
            phases: vec![syndic_coordinator::phases::PhaseTime {
                phase: syndic_coordinator::event::Phase::Advertise,
                began: syndic_round::Timestamp(1),
                ended: syndic_round::Timestamp(2),
                deadline: syndic_round::Timestamp(3),
            }],
        },
        syndic_coordinator::fact::Fact::ModelStaged(Box::new(syndic_learning::staged::Staged {
            approver: syndic_round::Approver { name: "model-risk".into(), key: [7; 32] },
            approval: super::documents::staged(),
            gates: vec![syndic_learning::promotion::Gate {
                gate: "min_roc_auc".into(),
                limit: "0.75".into(),
                figure: "0.760000000".into(),
            }],
            by: "local-user/1000".into(),
        })),
        syndic_coordinator::fact::Fact::JobAbandoned { job: plan.terms.job, reason: "too few".into() },
    ];
    let drafts = facts.iter().map(|fact| {
        let (kind, subject, data) = fact.to_parts();
        (kind.to_owned(), subject, data)
    });
    let sealed = json!({ "federation": "federation", "digest": digest, "blob": digest });
    drafts
        .chain([("syndic.roster.sealed".to_owned(), None, sealed)])
        .flat_map(|draft| unlinked([draft]))
        .collect()
}

fn cause() -> syndic_coordinator::fact::Cause {
    syndic_coordinator::fact::Cause { by: "local-user/1000".into(), reason: "a look at the data".into() }
}

fn missing(plan: &syndic_round::RoundPlan, position: usize, why: Why) -> Missing {
    Missing { participant: plan.terms.admitted[position], why, equivocated: position == 1 }
}

fn unlinked(drafts: impl IntoIterator<Item = (String, Option<String>, Value)>) -> Vec<Vec<u8>> {
    let entry = |(place, (kind, subject, data)): (u64, (String, Option<String>, Value))| {
        entry(place, kind, subject, data)
    };
    (0..).zip(drafts).map(entry).map(|entry| entry.to_canonical().expect("a sound entry")).collect()
}

fn linked(drafts: impl IntoIterator<Item = (String, Option<String>, Value)>) -> Vec<Vec<u8>> {
    let mut history = History::new();
    let mut log = Vec::new();
    for (place, (kind, subject, data)) in (0..).zip(drafts) {
        let bytes = history.link(entry(place, kind, subject, data)).to_canonical().expect("a sound entry");
        history.accept(&bytes).expect("an orderly log");
        log.push(bytes);
    }
    log
}

fn entry(place: u64, kind: String, subject: Option<String>, data: Value) -> Entry {
    Entry {
        id: format!("{place:032x}"),
        source: "coordinator/1".into(),
        kind,
        time: Timestamp::from_unix_ms(1_785_585_600_000 + place).expect("a moment of this century"),
        subject,
        schema: "1".into(),
        round_prev: None,
        data,
    }
}
