//! Whatever the coordinator can record has its place in the ledger's table of types.

use std::collections::BTreeSet;
use std::iter::successors;

use ed25519_dalek::SigningKey;
use syndic_ledger::schema::{self, TYPES};
use syndic_ledger::{Entry, Timestamp};
use syndic_round::coordinator::{Bundle, Opened, Upload};
use syndic_round::{
    Approver, Block, Carrier, Deadlines, Layout, ParameterSet, Protection, Stage, StageChange,
};

use super::*;
use crate::instance::{Instance, Software};

fn digest() -> Digest {
    Digest::of(b"something")
}

fn job() -> JobId {
    JobId::new("small").unwrap()
}

fn bank(number: u16) -> ParticipantId {
    ParticipantId::new(number).unwrap()
}

fn cause() -> Cause {
    Cause { by: "local-user/1000".into(), reason: "a reason".into() }
}

fn round() -> RoundId {
    RoundId { round: 1, attempt: 1 }
}

fn signed() -> Signed {
    Signed { from: bank(1), payload: vec![1], signature: [2; 64] }
}

fn terms() -> PreparationTerms {
    PreparationTerms {
        federation: "federation".into(),
        roster: digest(),
        job: job(),
        agreement: digest(),
        number: 1,
        protection: Protection::default_for(ParameterSet::S32, 3).unwrap(),
        admitted: (1..=3).map(bank).collect(),
        deadlines: Deadlines { advertise: 1, share: 1, collect: 1, certify: 1, reveal: 1 },
    }
}

fn plan() -> RoundPlan {
    let block = Block { name: "values".into(), len: 8, bound: 1.0, resolution: 0.1 };
    let layout = Layout::new(vec![block]).unwrap();
    RoundPlan { terms: terms(), id: round(), question: digest(), layout, carrier: Carrier::Ring }
}

fn staged() -> Staged {
    let key = SigningKey::from_bytes(&[7; 32]);
    let change = StageChange {
        name: "response".into(),
        number: 0,
        job: job(),
        model: digest(),
        card: Some(digest()),
        from: Stage::Candidate,
        to: Stage::Shadow,
        replaces: None,
        reason: "a reason".into(),
        ungated: vec!["max_psi".into()],
    };
    let approver = Approver { name: "model-risk".into(), key: key.verifying_key().to_bytes() };
    let approval = change.approve(digest(), "model-risk", &key);
    Staged { approval, approver, gates: Vec::new(), by: "local-user/1000".into() }
}

fn heard(input: Input, place: Place) -> Fact {
    Fact::Heard { job: job(), place, input, survivors: Vec::new(), beside: Beside::default() }
}

fn equivocated(place: Place) -> Fact {
    Fact::Equivocated { job: job(), place, kind: Kind::Advertise, message: signed() }
}

/// One fact of each kind, each made from the one before it: a new kind does not compile until it is in this row.
fn after(fact: Option<&Fact>) -> Option<Fact> {
    let Some(fact) = fact else {
        let federation = "federation".into();
        return Some(Fact::RosterSealed { federation, digest: digest(), blob: digest() });
    };
    let reason = || "a reason".to_owned();
    Some(match fact {
        Fact::RosterSealed { .. } => {
            let software = Software { version: "0.1.0".into(), commit: None, binary: None };
            let instance = Instance { id: "0198".into(), software, configuration: None };
            Fact::CoordinatorStarted(Box::new(Started { incarnation: 1, instance }))
        }
        Fact::CoordinatorStarted(_) => Fact::Connected(Box::new(Connected {
            participant: bank(1),
            certificate: digest(),
            serial: "07".into(),
            tls: "TLS 1.3".into(),
            group: "X25519MLKEM768".into(),
            version: "0.1.0".into(),
            binary: None,
        })),
        Fact::Connected(_) => Fact::Refused(Refused { participant: bank(1), refusals: Vec::new() }),
        Fact::Refused(_) => {
            let now = Admitted::default();
            let changed = AdmissionChanged { now, before: None, newly_revoked: Vec::new(), further: 0 };
            Fact::AdmissionChanged(Box::new(changed))
        }
        Fact::AdmissionChanged(_) => Fact::CoordinatorStopped(Stopped { incarnation: 1, reason: reason() }),
        Fact::CoordinatorStopped(_) => {
            let (file, priority, by) = ("[job]\n".into(), Priority::default(), "configuration".into());
            Fact::JobAgreed { job: job(), file, priority, by }
        }
        Fact::JobAgreed { .. } => Fact::JobPaused { job: job(), cause: cause() },
        Fact::JobPaused { .. } => Fact::JobResumed { job: job(), cause: cause() },
        Fact::JobResumed { .. } => {
            Fact::JobPrioritised { job: job(), priority: Priority::default(), cause: cause() }
        }
        Fact::JobPrioritised { .. } => Fact::JobStopped { job: job(), cause: cause() },
        Fact::JobStopped { .. } => Fact::PreparationOpened { terms: Box::new(terms()), excused: Vec::new() },
        Fact::PreparationOpened { .. } => {
            Fact::PreparationReady { job: job(), number: 1, eligible: vec![bank(1)] }
        }
        Fact::PreparationReady { .. } => {
            Fact::PreparationAbandoned { job: job(), number: 1, reason: reason() }
        }
        Fact::PreparationAbandoned { .. } => Fact::RoundOpened {
            plan: Box::new(plan()),
            kind: "train".into(),
            training_round: Some(1),
            absent: Vec::new(),
            excused: Vec::new(),
            lot: None,
        },
        Fact::RoundOpened { .. } => heard(Input::Wake, Place::Round(round())),
        Fact::Heard { .. } => Fact::RoundFrozen {
            job: job(),
            round: round(),
            survivors: vec![bank(1)],
            digest: digest(),
            missing: Vec::new(),
        },
        Fact::RoundFrozen { .. } => equivocated(Place::Round(round())),
        Fact::Equivocated { .. } => Fact::RoundAbandoned {
            job: job(),
            round: round(),
            reason: reason(),
            missing: Vec::new(),
            phases: Vec::new(),
        },
        Fact::RoundAbandoned { .. } => {
            Fact::JobProgress { job: job(), training_round: 1, metrics: json!({}) }
        }
        Fact::JobProgress { .. } => {
            let (thresholds, columns) = Default::default();
            let (model, rows, score, drifted) = (Some(digest()), [1, 1], json!({}), Vec::new());
            Fact::JobDrift(Box::new(JobDrift {
                job: job(),
                model,
                rows,
                thresholds,
                score,
                columns,
                drifted,
            }))
        }
        Fact::JobDrift(_) => Fact::JobCompleted {
            job: job(),
            released_round: 1,
            model: digest(),
            attendance: None,
            figures: None,
        },
        Fact::JobCompleted { .. } => {
            let data = json!({
                "job": job(),
                "comparison": { "rows": "test", "count": 9, "positives": 1, "models": [] },
                "attendance": { "sums": 1, "training_sums": 0, "missing": [] },
            });
            Fact::JobCompared(Box::new(JobCompared::read(&data).unwrap()))
        }
        Fact::JobCompared(_) => {
            let data = json!({
                "job": job(),
                "statistics": { "document": digest().to_string(), "rows": 9, "columns": 1, "noise": false },
                "attendance": { "sums": 1, "training_sums": 0, "missing": [] },
            });
            Fact::JobDescribed(Box::new(JobDescribed::read(&data).unwrap()))
        }
        Fact::JobDescribed(_) => Fact::JobAbandoned { job: job(), reason: reason() },
        Fact::JobAbandoned { .. } => {
            let rule = ErasureRule::Operator(cause());
            Fact::UpdatesErased(Box::new(UpdatesErased { job: job(), rule, blobs: 0, bytes: 0 }))
        }
        Fact::UpdatesErased(_) => Fact::ModelStaged(Box::new(staged())),
        Fact::ModelStaged(_) => return None,
    })
}

/// The same of inputs.
fn next_input(input: Option<&Input>) -> Option<Input> {
    let Some(input) = input else { return Some(Input::Advertise(signed())) };
    let reason = || "a reason".to_owned();
    Some(match input {
        Input::Advertise(_) => Input::Deal(signed(), Bundle { shares: Vec::new(), blob: digest(), bytes: 1 }),
        Input::Deal(..) => Input::Acknowledge(signed()),
        Input::Acknowledge(_) => {
            Input::Submit(signed(), Upload { root: digest(), chunks: 1, blob: digest(), bytes: 1 })
        }
        Input::Submit(..) => Input::Certify(signed()),
        Input::Certify(_) => Input::Reveal(signed()),
        Input::Reveal(_) => Input::Void(signed()),
        Input::Void(_) => Input::Decline(signed()),
        Input::Decline(_) => Input::Wake,
        Input::Wake => Input::Resume,
        Input::Resume => Input::Opened(Opened {
            sum: digest(),
            ring: None,
            transcript: digest(),
            wrong_reveals: Vec::new(),
            checked: true,
        }),
        Input::Opened(_) => Input::MoreReveals(reason()),
        Input::MoreReveals(_) => Input::SumRefused(reason()),
        Input::SumRefused(_) => Input::Stop(reason()),
        Input::Stop(_) => return None,
    })
}

/// Whether a preparation made ahead accepts such an input; the others are of rounds only.
fn is_ahead(input: &Input) -> bool {
    use Input::{Acknowledge, Advertise, Deal, Decline, Resume, Wake};
    matches!(input, Advertise(_) | Deal(..) | Acknowledge(_) | Decline(_) | Wake | Resume)
}

#[test]
fn every_kind_of_fact_is_in_the_ledgers_table_of_types_and_says_what_its_type_demands() {
    let inputs: Vec<Input> = successors(next_input(None), |input| next_input(Some(input))).collect();
    let of_rounds = inputs.iter().map(|input| heard(input.clone(), Place::Round(round())));
    let ahead = inputs.iter().filter(|input| is_ahead(input));
    let ahead = ahead.map(|input| heard(input.clone(), Place::Ahead(1)));
    let facts = successors(after(None), |fact| after(Some(fact)));
    let mut written = BTreeSet::new();
    for fact in facts.chain(of_rounds).chain(ahead).chain([equivocated(Place::Ahead(1))]) {
        let (kind, subject, data) = fact.to_parts();
        let entry = Entry {
            id: "1".into(),
            source: "coordinator/federation/1".into(),
            kind: kind.into(),
            time: Timestamp::MAX,
            subject,
            schema: schema::VERSION.into(),
            round_prev: None,
            data,
        };
        assert_eq!(schema::check(&entry), Ok(()), "{kind}: {fact:?}");
        written.insert(kind);
    }
    // Nobody has written these two yet.
    let reserved = ["syndic.federation.created", "syndic.participant.policy"];
    let known: BTreeSet<&str> = TYPES.iter().map(|(kind, _)| *kind).collect();
    let missing: Vec<_> = known.difference(&written).filter(|kind| !reserved.contains(kind)).collect();
    assert!(missing.is_empty(), "no fact is written as {missing:?}");
}
