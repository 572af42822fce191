//! What must be true of every run, whatever was done to it.
//!
//! The institution at place *i* brings 2 · 4^i rows of each role, so the digits of every count that is published, to the
//! base of 4, say how often each of them is in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syndic_ledger::{Tree, leaf_hash};
use syndic_participant::journal::read_receipts;
use syndic_round::{ParticipantId, Place, RoundId, Sum};

use crate::house::{BANKS, House, rows_of};
use crate::kept::{Kept, Round, kept};
use crate::process::{Process, run, succeed};

/// How a job ended, once everything about it was found to be as it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// With a model.
    Completed {
        /// Attempts at rounds that were abandoned on the way.
        abandoned: u64,
        /// Who is not in which sum, and why, as it is on record.
        missing: Vec<String>,
    },
    /// On record, with a reason.
    Abandoned,
}

impl Verdict {
    /// Everybody is in every sum, each at the first attempt.
    pub(crate) const WHOLE: Self = Self::Completed { abandoned: 0, missing: Vec::new() };
}

/// Waits for the coordinator, which must end by itself, and judges what it leaves.
pub(crate) fn judge(house: &House, coordinator: &mut Process, banks: &mut [Process]) -> Verdict {
    let exit = all_end(house, coordinator, banks);
    judge_what_is_left(house, exit)
}

/// What is published is what is stored, up to the end of the job or to what most have signed since.
fn is_the_beginning_of(summary: &Value, stored: &Kept) {
    let published = summary["size"].as_u64().unwrap();
    assert!((stored.published()..=stored.entries.len() as u64).contains(&published), "{published} entries");
    let mut tree = Tree::default();
    for entry in &stored.entries[..published as usize] {
        tree.append(leaf_hash(&entry.to_canonical().unwrap()));
    }
    assert_eq!(summary["root"], tree.root().to_string());
}

/// Waits for the coordinator, which must end by itself, and for everybody else; how it ended.
pub(crate) fn all_end(house: &House, coordinator: &mut Process, banks: &mut [Process]) -> i32 {
    let exit = coordinator.ended();
    assert!(matches!(exit, 0 | 1), "the coordinator ends with {exit}:\n{}", coordinator.told());
    all_hear_of_the_end(house, banks, exit);
    exit
}

/// Judges what everybody has left, where the ledger is in the coordinator's folder, once all have ended.
pub(crate) fn judge_what_is_left(house: &House, exit: i32) -> Verdict {
    let stored = stored(house);
    let summary = verified(house);
    is_the_beginning_of(&summary, &stored);
    let sums = stored.rounds.iter().filter(|round| round.closed.is_some());
    let missing = sums.clone().flat_map(|round| counted_once(house, round)).collect();
    assert_eq!(summary["rounds_closed"], sums.count());
    nothing_is_said_twice(house, &stored);
    nothing_acknowledged_is_lost(house, &stored);
    let of_type = |kind: &str| summary["types"][kind].as_u64().unwrap_or(0);
    match exit {
        0 => {
            assert_eq!((of_type("syndic.job.completed"), of_type("syndic.job.abandoned")), (1, 0));
            assert_eq!(summary["rounds_open"], 0);
            Verdict::Completed { abandoned: summary["rounds_abandoned"].as_u64().unwrap(), missing }
        }
        _ => {
            assert_eq!((of_type("syndic.job.completed"), of_type("syndic.job.abandoned")), (0, 1));
            let reason = stored.entries.iter().find(|entry| entry.kind == "syndic.job.abandoned").unwrap();
            assert!(reason.data["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{reason:?}");
            Verdict::Abandoned
        }
    }
}

/// Whoever was away at the end hears of it when the coordinator is started again.
fn all_hear_of_the_end(house: &House, banks: &mut [Process], exit: i32) {
    let mut again = 0;
    while again < 4 && banks.iter().any(|bank| !bank.has_ended()) {
        let mut coordinator = house.coordinator_with(&[]);
        assert_eq!(coordinator.ended(), exit, "{}", coordinator.told());
        again += 1;
    }
    for bank in banks {
        assert_eq!(bank.ended(), exit, "{}", bank.told());
    }
}

/// Verifies the published ledger as a reviewer does, against the key that the operator shows.
fn verified(house: &House) -> Value {
    let (exit, told) = verify(house);
    assert_eq!(exit, 0, "{told}");
    let summary: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(summary["pinned"], true);
    summary
}

/// The exit code of that, and what it says.
pub(crate) fn verify(house: &House) -> (i32, String) {
    let operator = house.host("operator");
    let roster = succeed("syndic", &operator, &["federation", "roster", "--dir", "federation"]);
    let key = roster.lines().find_map(|line| line.strip_prefix("ledger key")).unwrap().trim();
    let output = run("syndic", &operator, &["ledger", "verify", "publish/ledger", "--key", key, "--json"]);
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), told.concat())
}

fn stored(house: &House) -> Kept {
    tokio::runtime::Runtime::new().unwrap().block_on(kept(&house.state("operator")))
}

/// The sum counts everybody whom the ledger names, once, and nobody else. Who is missing, and why.
fn counted_once(house: &House, round: &Round) -> Vec<String> {
    let (bytes, survivors) = round.closed.as_ref().unwrap();
    let sum = Sum::from_bytes(round.plan.layout.clone(), bytes).unwrap();
    let expected: u64 = survivors.iter().map(|id| rows_of(usize::from(id.get()) - 1)).sum();
    let at = || format!("{} in {}", round.plan.id, house.host("operator").display());
    for (what, counted) in counts(&sum) {
        let digits: Vec<u64> = (0..BANKS.len()).map(|place| counted / rows_of(place) % 4).collect();
        assert_eq!(counted, expected, "{what} of {}: {digits:?}, survivors {survivors:?}", at());
    }
    let Round { plan, missing, .. } = round;
    assert_eq!(survivors.len() + missing.len(), BANKS.len(), "{missing:?} are missing in {}", at());
    let name = |id: ParticipantId| BANKS[usize::from(id.get()) - 1];
    let told = missing.iter().map(|one| (name(one.participant), plan.id, one.reason(plan.carrier)));
    told.map(|(bank, round, reason)| format!("{bank} in {round}: {reason}")).collect()
}

/// Every count of rows that a sum tells.
fn counts(sum: &Sum) -> Vec<(&'static str, u64)> {
    let total = |names: &[&str]| {
        let values = names.iter().map(|name| sum.values(name)).collect::<Option<Vec<_>>>()?;
        Some(values.concat().iter().sum::<f64>() as u64)
    };
    if let Some(histogram) = total(&["test.negative", "test.positive"]) {
        return vec![("test rows", histogram)];
    }
    match sum.values("rows").expect("every round counts rows").as_slice() {
        // Of the statistics: to train on, to validate with, to test with.
        [train, validation, test] => {
            assert_eq!(*validation, 0.0);
            vec![("training rows", *train as u64), ("test rows", *test as u64)]
        }
        [train] => vec![("training rows", *train as u64)],
        other => panic!("{other:?}"),
    }
}

/// No institution signed two messages where one may exist, none is recorded twice, and each sent the same bytes each time.
fn nothing_is_said_twice(house: &House, stored: &Kept) {
    let mut heard = BTreeSet::new();
    for entry in &stored.entries {
        assert!(!entry.kind.contains("equivocated"), "{entry:?}");
        if let (Some(from), Some(_)) = (entry.data.get("participant"), entry.data.get("message")) {
            let message = (entry.subject.clone(), entry.kind.clone(), from.as_u64().unwrap());
            assert!(heard.insert(message.clone()), "{message:?} is counted twice");
        }
    }
    for bank in BANKS {
        let mut said = BTreeMap::new();
        let arguments = ["journal", "--config", "participant.toml", "--json"];
        for line in succeed("syndic-participant", &house.host(bank), &arguments).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let place = ["job", "round", "attempt", "preparation", "what"].map(|key| line[key].to_string());
            let bytes = line["sha256"].to_string();
            let first = said.entry(place.clone()).or_insert_with(|| bytes.clone());
            assert_eq!(*first, bytes, "{bank} said {place:?} in two ways");
        }
    }
}

/// Whatever update an institution has a receipt for is on record.
fn nothing_acknowledged_is_lost(house: &House, stored: &Kept) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let submitted: BTreeSet<(RoundId, ParticipantId)> = stored
        .rounds
        .iter()
        .flat_map(|round| round.uploads.iter().map(|(from, ..)| (round.plan.id, *from)))
        .collect();
    for bank in BANKS {
        let receipts = runtime.block_on(read_receipts(&house.state(bank).join("journal.sqlite"))).unwrap();
        for (_, round) in receipts.into_keys() {
            let place = Place::Round(round);
            assert!(
                submitted.contains(&(round, stored.ids[bank])),
                "{bank} was told of its update in {place}"
            );
        }
    }
}
