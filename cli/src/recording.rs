//! A recorded federation of five banks, for tests of what people see: one is stopped in round 2 and is back
//! in round 3.

use syndic_coordinator::event::{Did, Event, Missing, Phase};
use syndic_learning::job::SmallVectors;
use syndic_round::{Carrier, RoundId};

/// The institutions, in roster order.
pub(crate) const BANKS: [&str; 5] =
    ["bank_business", "bank_online", "bank_postal", "bank_retail", "bank_savings"];

/// Everything told in a job of this many training rounds.
pub(crate) fn events(training_rounds: u32) -> Vec<Event> {
    let mut events: Vec<Event> =
        BANKS.iter().map(|bank| Event::Connection { participant: (*bank).into(), connected: true }).collect();
    events.push(started(training_rounds));
    events.extend(round(1, "statistics", None, &BANKS));
    for number in 1..=training_rounds {
        let here: Vec<&str> =
            BANKS.iter().copied().filter(|bank| number != 2 || *bank != "bank_online").collect();
        events.extend(round(2 * number, "train", Some(number), &here));
        events.extend(round(2 * number + 1, "evaluate", Some(number), &here));
        events.push(metrics(number, "validation"));
        events.push(metrics(number, "test"));
    }
    events.push(Event::JobCompleted {
        job: "bank-marketing".into(),
        rounds: training_rounds,
        warnings: Vec::new(),
    });
    events
}

/// The same of a job that shares its small vectors: statistics and updates. Without the one that is stopped in round 2,
/// nobody confirms that round's sum.
pub(crate) fn shared_events(training_rounds: u32) -> Vec<Event> {
    let mut events = events(training_rounds);
    for event in &mut events {
        match event {
            Event::JobStarted { small_vectors, .. } => *small_vectors = SmallVectors::Shared,
            Event::RoundOpened { kind: "statistics" | "train", padded, carrier, .. } => {
                (*padded, *carrier) = (0, Carrier::Shares);
            }
            Event::RoundClosed { kind: "statistics" | "train", checked, upload_bytes, missing, .. } => {
                (*checked, *upload_bytes) = (missing.is_empty(), 0);
            }
            _ => {}
        }
    }
    events
}

/// An attempt at a training round that ended without a result.
pub(crate) fn abandoned_attempt(training_round: u32) -> Vec<Event> {
    let id = RoundId { round: 2 * training_round, attempt: 9 };
    vec![
        opened(id, "train", Some(training_round)),
        Event::Progress { id, participant: BANKS[0].into(), did: Did::Shared, bytes: 20_000 },
        Event::RoundAbandoned { id, reason: "only 3 of the 4 needed updates arrived in time".into() },
    ]
}

fn started(rounds: u32) -> Event {
    Event::JobStarted {
        admitted: BANKS.len() as u16,
        job: "bank-marketing".into(),
        rounds,
        participants: BANKS.iter().map(|bank| (*bank).into()).collect(),
        threshold: 4,
        parameter_set: "KSA-S32",
        small_vectors: SmallVectors::Encrypted,
    }
}

fn opened(id: RoundId, kind: &'static str, training_round: Option<u32>) -> Event {
    let (values, padded) = if kind == "evaluate" { (16_384, 16_384) } else { (51, 2_048) };
    Event::RoundOpened { id, kind, training_round, values, padded, carrier: Carrier::Ring }
}

fn round(number: u32, kind: &'static str, training_round: Option<u32>, survivors: &[&str]) -> Vec<Event> {
    let id = RoundId { round: number, attempt: 1 };
    let steps = [
        (Phase::Advertise, Did::Advertised, 1_300),
        (Phase::Share, Did::Shared, 15_800),
        (Phase::Acknowledge, Did::Acknowledged, 300),
        (Phase::Collect, Did::Submitted, 8_192),
        (Phase::Certify, Did::Certified, 120),
        (Phase::Reveal, Did::Revealed, 2_800),
    ];
    let mut events = vec![opened(id, kind, training_round)];
    for (phase, did, bytes) in steps {
        events.push(Event::Phase { id, phase, deadline_millis: 10_000 });
        let there = BANKS.iter().filter(|bank| phase < Phase::Collect || survivors.contains(bank));
        events.extend(there.map(|bank| Event::Progress {
            id,
            participant: (*bank).into(),
            did: did.clone(),
            bytes,
        }));
    }
    let missing = BANKS.iter().filter(|bank| !survivors.contains(bank)).map(|bank| Missing {
        participant: (*bank).into(),
        reason: "no update before the deadline; last seen acknowledging its shares".into(),
    });
    events.push(Event::RoundClosed {
        id,
        checked: true,
        kind,
        survivors: survivors.iter().map(|bank| (*bank).into()).collect(),
        missing: missing.collect(),
        wrong_reveals: Vec::new(),
        millis: 100 + 7 * u64::from(number),
        upload_bytes: 8_192 * survivors.len() as u64,
        key_share_bytes: 79_000,
    });
    events
}

fn metrics(training_round: u32, rows: &'static str) -> Event {
    let learnt = 1.0 - 0.6_f64.powi(training_round as i32);
    Event::Metrics {
        training_round,
        rows,
        roc_auc: 0.70 + 0.066 * learnt,
        pr_auc: 0.30 + 0.095 * learnt,
        log_loss: 0.36 - 0.055 * learnt,
    }
}
