//! A small log writer for the tests: entries with good defaults, linked and checked as a coordinator would.
#![allow(dead_code, reason = "each test file uses its own part")]

use serde_json::{Value, json};
use syndic_ledger::{Entry, Fault, Hash, History, Timestamp, leaf_hash, round_subject};

/// A log under construction.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) history: History,
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Log {
    pub(crate) fn append(&mut self, entry: Entry) -> Result<Hash, Fault> {
        let bytes = self.history.link(entry).to_canonical()?;
        let accepted = self.history.accept(&bytes)?;
        self.entries.push(bytes);
        Ok(accepted.leaf)
    }

    /// The entry with the next free id.
    pub(crate) fn draft(&self, kind: &str, subject: Option<String>, data: Value) -> Entry {
        let size = self.history.size();
        Entry {
            id: format!("{size:032x}"),
            source: "coordinator/1".into(),
            kind: kind.into(),
            time: Timestamp::from_unix_ms(1_785_585_600_000 + size).expect("a moment of this century"),
            subject,
            schema: "1".into(),
            round_prev: None,
            data,
        }
    }

    pub(crate) fn round_entry(&self, step: &str, round: u64) -> Entry {
        let digest = leaf_hash(b"some digest").to_string();
        let mut data = json!({"job": "7f", "round": round, "attempt": 1});
        let more = match step {
            "opened" => json!({"plan": digest}),
            "closed" => {
                json!({"survivors": [0, 1, 2, 4], "sum": digest, "key_sum": digest, "aggregate_root": digest, "checked": true})
            }
            "abandoned" => json!({"reason": "fewer survivors than the threshold"}),
            _ => json!({}),
        };
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.draft(&format!("syndic.round.{step}"), Some(round_subject("7f", round, 1)), data)
    }

    pub(crate) fn round_step(&mut self, step: &str, round: u64) -> Result<Hash, Fault> {
        self.append(self.round_entry(step, round))
    }
}

/// A log of at least `size` entries: a federation, a job, and round after round, each seventh abandoned.
pub(crate) fn log_of(size: u64) -> Log {
    let mut log = Log::default();
    let must = |result: Result<Hash, Fault>| result.expect("an orderly log");
    must(log.append(log.draft("syndic.federation.created", None, json!({}))));
    must(log.append(log.draft("syndic.job.agreed", Some("job/7f".into()), json!({"job": "7f"}))));
    for round in 1.. {
        if log.history.size() >= size {
            return log;
        }
        for step in ["opened", "advertised", "submitted"] {
            must(log.round_step(step, round));
        }
        let end = if round % 7 == 0 { "abandoned" } else { "closed" };
        must(log.round_step(end, round));
        let progress = json!({"job": "7f", "auc": "0.7912"});
        must(log.append(log.draft("syndic.job.progress", Some("job/7f".into()), progress)));
    }
    log
}
