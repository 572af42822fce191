//! The rounds of a job, folded from their entries.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use syndic_coordinator::fact::Fact;
use syndic_coordinator::phases::PhaseTime;
use syndic_learning::Job;
use syndic_ledger::{Entry, Timestamp};
use syndic_round::{Carrier, Deadlines};

use super::steps::Steps;
use crate::ledger::names::Names;

/// One attempt at a round.
#[derive(Debug, Serialize)]
pub struct RoundFacts {
    /// The round, counted through the job.
    pub round: u64,
    /// The attempt at it.
    pub attempt: u64,
    /// What it was for: `statistics`, `train` or `evaluate`.
    pub kind: String,
    /// The training round that it belongs to.
    pub training_round: Option<u64>,
    /// Which step of that training round it is, where there are several.
    pub step: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it was abandoned.
    pub reason: Option<String>,
    /// When it was opened.
    pub opened: Timestamp,
    /// When the set of those in the sum was frozen.
    pub frozen: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many milliseconds it had at most, by its plan: until that was frozen, and from there to its end. After a restart of
    /// the coordinator a phase has its whole time again. None where the plan cannot be read.
    pub deadlines: Option<[u64; 2]>,
    /// When its phases began and ended, in order; empty where the ledger does not say it.
    pub phases: Vec<PhaseFacts>,
    /// How vectors travelled: `ring`, encrypted, or `shares`.
    pub carrier: String,
    /// Length of the vector.
    pub values: Option<u64>,
    /// Bytes of all updates that were accepted.
    pub update_bytes: u64,
    /// How many uploads were begun and did not come whole; they were begun again.
    pub uploads_again: u64,
    /// Who was admitted.
    pub admitted: Vec<String>,
    #[serde(skip)]
    pub(super) admitted_ids: Vec<u64>,
    /// Whose updates are in the sum.
    pub survivors: Vec<String>,
    /// Who was admitted and did not do what the round needed, and why, as the ledger has it.
    pub missing: Vec<Missing>,
    /// Whose reveals were wrong, and were corrected.
    pub wrong_reveals: Vec<String>,
    /// Whether a single wrong reveal would have been noticed.
    pub checked: Option<bool>,
    /// Digest of the plan.
    pub plan: Option<String>,
    /// What members signed before they revealed.
    pub survivor_set: Option<String>,
    /// SHA-256 of the opened sum.
    pub sum: Option<String>,
    /// SHA-256 of everything that participants signed.
    pub transcript: Option<String>,
    /// The places of its first and last entry in the ledger.
    pub entries: [u64; 2],
    #[serde(skip)]
    travels: Carrier,
}

/// How a round or a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A job, with a result.
    Completed,
    /// A job, without one, because somebody stopped it.
    Stopped,
    /// A round, with a result.
    Closed,
    /// Without one, on record.
    Abandoned,
    /// Not yet.
    Open,
}

/// Somebody who did not do what a round needed.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// Who.
    pub participant: String,
    /// Why.
    pub reason: String,
}

/// A phase of a round.
#[derive(Debug, Serialize)]
pub struct PhaseFacts {
    /// Its name.
    pub phase: &'static str,
    /// When it began.
    pub began: Timestamp,
    /// How many milliseconds it took.
    pub millis: u64,
    /// How many it could have taken; from its begin on also where the coordinator was started again in it.
    pub at_most: u64,
}

/// All rounds of a job, in the order in which they were opened.
pub(super) struct Rounds<'a> {
    names: &'a Names,
    rounds: Vec<RoundFacts>,
    /// The preparations that were made ahead of their rounds.
    ahead: BTreeSet<u64>,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self { names, rounds: Vec::new(), ahead: BTreeSet::new() }
    }

    /// The numbers of all rounds.
    pub(super) fn numbers(&self) -> BTreeSet<u64> {
        self.rounds.iter().map(|round| round.round).collect()
    }

    /// Takes in the next entry of the job.
    pub(super) fn take(&mut self, index: u64, entry: &Entry) {
        let (data, names) = (&entry.data, self.names);
        let count = |key: &str| data[key].as_u64();
        let Some((of, step)) = entry.kind.strip_prefix("syndic.").and_then(|kind| kind.split_once('.'))
        else {
            return;
        };
        match (of, count("round"), count("attempt"), count("preparation")) {
            ("preparation", _, _, Some(number)) => {
                self.ahead.insert(number);
            }
            ("round", Some(round), Some(attempt), _) => {
                if step == "opened" {
                    let is_prepared = count("preparation").is_some_and(|number| self.ahead.contains(&number));
                    let mut opened = opened(index, entry, names);
                    opened.deadlines = deadlines(index, entry, is_prepared);
                    self.rounds.push(opened);
                }
                let known = self
                    .rounds
                    .iter_mut()
                    .rev()
                    .find(|known| (known.round, known.attempt) == (round, attempt));
                if let Some(known) = known {
                    known.entries[1] = index;
                    known.take(step, index, entry, names);
                }
            }
            _ => {}
        }
    }

    /// The rounds of this job, where its file can be read, or the attempts at the one with this number.
    pub(super) fn end(mut self, job: Option<&Job>, wanted: Option<u64>) -> Vec<RoundFacts> {
        if let Some(job) = job {
            let mut steps = Steps::of(job);
            let trained = self.rounds.iter_mut().filter(|round| round.kind == "train");
            for round in trained {
                round.step = round.training_round.and_then(|training| steps.of_round(training, round.round));
            }
        }
        self.rounds.into_iter().filter(|round| wanted.is_none_or(|wanted| round.round == wanted)).collect()
    }
}

impl RoundFacts {
    fn take(&mut self, step: &str, index: u64, entry: &Entry, names: &Names) {
        let data = &entry.data;
        let text = |key: &str| data[key].as_str().map(String::from);
        match step {
            "submitted" => {
                // Entries say what they like where nobody has played the rounds again.
                let (bytes, begun) = (data["ciphertext"]["bytes"].as_u64(), data["uploads_begun"].as_u64());
                self.update_bytes = self.update_bytes.saturating_add(bytes.unwrap_or_default());
                self.uploads_again = self.uploads_again.saturating_add(begun.unwrap_or(1).saturating_sub(1));
            }
            "frozen" => {
                (self.frozen, self.survivor_set) = (Some(entry.time), text("digest"));
                self.survivors(&ids(data, "survivors"), names);
                self.missing(index, entry, names);
            }
            "closed" => {
                (self.outcome, self.ended) = (Outcome::Closed, Some(entry.time));
                (self.sum, self.transcript, self.checked) =
                    (text("sum"), text("transcript"), data["checked"].as_bool());
                self.wrong_reveals =
                    ids(data, "wrong_reveals").into_iter().map(|id| names.name(id)).collect();
                self.survivors(&ids(data, "survivors"), names);
                self.phases(index, entry);
            }
            "abandoned" => {
                (self.outcome, self.ended) = (Outcome::Abandoned, Some(entry.time));
                self.reason = text("reason");
                self.missing(index, entry, names);
                self.phases(index, entry);
            }
            _ => {}
        }
    }

    fn survivors(&mut self, survivors: &[u64], names: &Names) {
        self.survivors = survivors.iter().map(|id| names.name(*id)).collect();
    }

    fn phases(&mut self, index: u64, entry: &Entry) {
        let phases = match Fact::from_entry(index, entry) {
            Ok(Fact::RoundAbandoned { phases, .. }) => phases,
            Ok(Fact::Heard { beside, .. }) => beside.phases,
            _ => return,
        };
        let facts = |it: &PhaseTime| {
            let since = |at: syndic_round::Timestamp| at.0.saturating_sub(it.began.0);
            let began = Timestamp::from_unix_ms(it.began.0).ok()?;
            let (millis, at_most) = (since(it.ended), since(it.deadline));
            Some(PhaseFacts { phase: it.phase.name(), began, millis, at_most })
        };
        self.phases = phases.iter().filter_map(facts).collect();
    }

    fn missing(&mut self, index: u64, entry: &Entry, names: &Names) {
        let (Ok(Fact::RoundFrozen { missing, .. }) | Ok(Fact::RoundAbandoned { missing, .. })) =
            Fact::from_entry(index, entry)
        else {
            return;
        };
        let missing = missing.iter().map(|missing| Missing {
            participant: names.name(missing.participant.get().into()),
            reason: missing.reason(self.travels),
        });
        self.missing = missing.collect();
    }
}

fn opened(index: u64, entry: &Entry, names: &Names) -> RoundFacts {
    let data = &entry.data;
    let text = |key: &str| data[key].as_str().map(String::from);
    let admitted_ids = ids(data, "admitted");
    RoundFacts {
        round: data["round"].as_u64().unwrap_or_default(),
        attempt: data["attempt"].as_u64().unwrap_or_default(),
        kind: text("kind").unwrap_or_default(),
        training_round: data["training_round"].as_u64(),
        step: None,
        outcome: Outcome::Open,
        reason: None,
        opened: entry.time,
        frozen: None,
        ended: None,
        deadlines: None,
        phases: Vec::new(),
        carrier: text("carrier").unwrap_or_default(),
        values: data["values"].as_u64(),
        update_bytes: 0,
        uploads_again: 0,
        admitted: admitted_ids.iter().map(|id| names.name(*id)).collect(),
        admitted_ids,
        survivors: Vec::new(),
        missing: Vec::new(),
        wrong_reveals: Vec::new(),
        checked: None,
        plan: text("plan"),
        survivor_set: None,
        sum: None,
        transcript: None,
        entries: [index; 2],
        travels: if data["carrier"] == "shares" { Carrier::Shares } else { Carrier::Ring },
    }
}

/// How long the phases of a round may take together, before and after its survivor set is frozen.
fn deadlines(index: u64, entry: &Entry, is_prepared: bool) -> Option<[u64; 2]> {
    let Ok(Fact::RoundOpened { plan, .. }) = Fact::from_entry(index, entry) else { return None };
    let Deadlines { advertise, share, collect, certify, reveal } = plan.terms.deadlines;
    // Sharing and acknowledging have as long each.
    let preparing = if is_prepared { 0 } else { advertise.saturating_add(share).saturating_add(share) };
    Some([preparing.saturating_add(collect), certify.saturating_add(reveal)])
}

fn ids(data: &Value, key: &str) -> Vec<u64> {
    data[key].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}
