//! What an entry is about: its subject, and the job and place that its data names.

use serde_json::{Value, json};
use syndic_ledger::{preparation_subject, round_subject};
use syndic_round::{JobId, Place};

pub(super) fn job_subject(job: &JobId) -> String {
    format!("job/{job}")
}

pub(super) fn subject(job: &JobId, place: Place) -> String {
    match place {
        Place::Round(id) => round_subject(job.as_str(), u64::from(id.round), u64::from(id.attempt)),
        Place::Ahead(number) => preparation_subject(job.as_str(), number),
    }
}

pub(super) fn with_place(job: &JobId, place: Place, data: Value) -> Value {
    let data = with(data, "job", json!(job));
    match place {
        Place::Round(id) => with(with(data, "round", json!(id.round)), "attempt", json!(id.attempt)),
        Place::Ahead(number) => with(data, "preparation", json!(number)),
    }
}

pub(super) fn with(mut data: Value, key: &str, value: Value) -> Value {
    data[key] = value;
    data
}
