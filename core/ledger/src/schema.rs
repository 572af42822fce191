//! What each type of entry must say: the one table of types, and its check.

use alloc::format;
use alloc::string::String;

use serde_json::Value;

use crate::{Entry, Hash};

/// The schema version of every type in [`TYPES`].
pub const VERSION: &str = "1";

/// Types under this prefix are ours and must be in [`TYPES`]; others pass unread.
pub const PREFIX: &str = "syndic.";

/// Entry types and the keys that their `data` must have; further keys are allowed.
pub const TYPES: &[(&str, &[Key])] = &[
    ("syndic.federation.created", &[]),
    ("syndic.roster.sealed", &[]),
    ("syndic.participant.policy", &[]),
    (
        "syndic.coordinator.started",
        &[
            ("instance", Form::Text),
            INCARNATION,
            ("version", Form::Text),
            ("commit", Form::TextOrNull),
            ("binary", Form::DigestOrNull),
            ("configuration", Form::DigestOrNull),
        ],
    ),
    (
        "syndic.participant.connected",
        &[
            PARTICIPANT,
            ("certificate", Form::Digest),
            ("serial", Form::Text),
            ("tls", Form::Text),
            ("group", Form::Text),
            ("version", Form::Text),
            ("binary", Form::DigestOrNull),
        ],
    ),
    ("syndic.participant.refused", &[PARTICIPANT, ("refusals", Form::List)]),
    (
        "syndic.admission.changed",
        &[("suspended", Form::TextOrNull), ("newly_revoked", Form::List), ("further", Form::Count)],
    ),
    ("syndic.coordinator.stopped", &[INCARNATION, REASON]),
    ("syndic.job.agreed", &[JOB]),
    ("syndic.job.progress", &[JOB]),
    ("syndic.job.drift", &[JOB, ("drifted", Form::List)]),
    ("syndic.job.completed", &[JOB]),
    ("syndic.job.abandoned", &[JOB]),
    ("syndic.job.paused", &[JOB, REASON, BY]),
    ("syndic.job.resumed", &[JOB, REASON, BY]),
    ("syndic.job.prioritised", &[JOB, ("priority", Form::Count), REASON, BY]),
    ("syndic.job.stopped", &[JOB, REASON, BY]),
    (
        "syndic.job.updates-erased",
        &[
            JOB,
            REASON,
            BY,
            ("due", Form::TextOrNull),
            ("kinds", Form::List),
            ("blobs", Form::Count),
            ("bytes", Form::Count),
        ],
    ),
    (
        "syndic.model.stage",
        &[
            JOB,
            REASON,
            BY,
            ("name", Form::Text),
            ("number", Form::Count),
            ("model", Form::Digest),
            ("card", Form::DigestOrNull),
            ("from", Form::Text),
            ("to", Form::Text),
            ("replaces", Form::TextOrNull),
            ("approver", Form::Text),
            ("key", Form::Text),
            ("signature", Form::Text),
            ("gates", Form::List),
        ],
    ),
    (PREPARATION_OPENED, &[JOB, PREPARATION]),
    ("syndic.preparation.advertised", &[JOB, PREPARATION]),
    ("syndic.preparation.declined", &[JOB, PREPARATION]),
    ("syndic.preparation.shared", &[JOB, PREPARATION]),
    ("syndic.preparation.acknowledged", &[JOB, PREPARATION]),
    ("syndic.preparation.equivocated", &[JOB, PREPARATION]),
    ("syndic.preparation.woke", &[JOB, PREPARATION]),
    ("syndic.preparation.resumed", &[JOB, PREPARATION]),
    ("syndic.preparation.ready", &[JOB, PREPARATION, ("eligible", Form::Any)]),
    ("syndic.preparation.abandoned", &[JOB, PREPARATION, REASON]),
    (ROUND_OPENED, &[JOB, ROUND, ATTEMPT, ("plan", Form::Digest)]),
    ("syndic.round.advertised", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.declined", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.shared", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.acknowledged", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.submitted", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.certified", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.revealed", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.frozen", &[JOB, ROUND, ATTEMPT, ("survivors", Form::Any), ("digest", Form::Digest)]),
    ("syndic.round.equivocated", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.void-promised", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.more-reveals", &[JOB, ROUND, ATTEMPT, REASON]),
    ("syndic.round.woke", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.resumed", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.result", &[JOB, ROUND, ATTEMPT]),
    ("syndic.round.stopped", &[JOB, ROUND, ATTEMPT, REASON]),
    (
        ROUND_CLOSED,
        &[
            JOB,
            ROUND,
            ATTEMPT,
            ("survivors", Form::Any),
            ("sum", Form::Digest),
            ("key_sum", Form::DigestOrNull),
            ("aggregate_root", Form::DigestOrNull),
            ("checked", Form::Flag),
        ],
    ),
    (ROUND_ABANDONED, &[JOB, ROUND, ATTEMPT, REASON]),
];

/// Keys of `data` that entries of a type have since some version of this software: where one is there, it has its form.
pub const LATER: &[(&str, &[Key])] = &[
    (
        "syndic.job.completed",
        &[
            ("attendance", Form::Any),
            ("figures", Form::Any),
            ("comparison", Form::Any),
            ("statistics", Form::Any),
            ("drift", Form::Any),
        ],
    ),
    ("syndic.job.drift", &[("model", Form::Digest)]),
    ("syndic.round.submitted", &[("uploads_begun", Form::Count)]),
    (ROUND_CLOSED, &[PHASES]),
    (ROUND_ABANDONED, &[PHASES]),
];

/// Begins a preparation ahead of its round; the first entry of its subject.
pub const PREPARATION_OPENED: &str = "syndic.preparation.opened";
/// Opens a round; the first entry of its subject.
pub const ROUND_OPENED: &str = "syndic.round.opened";
/// Ends a round with a result; the last entry of its subject.
pub const ROUND_CLOSED: &str = "syndic.round.closed";
/// Ends a round without a result; the last entry of its subject.
pub const ROUND_ABANDONED: &str = "syndic.round.abandoned";

const JOB: Key = ("job", Form::Text);
const ROUND: Key = ("round", Form::Count);
const ATTEMPT: Key = ("attempt", Form::Count);
const PREPARATION: Key = ("preparation", Form::Count);
const PHASES: Key = ("phases", Form::List);
const REASON: Key = ("reason", Form::Text);
/// How many times a coordinator had been started on this ledger, this time included.
const INCARNATION: Key = ("incarnation", Form::Count);
/// By its number in the roster.
const PARTICIPANT: Key = ("participant", Form::Count);
/// Who did it: never a person's name.
const BY: Key = ("by", Form::Text);

/// A required key of `data` and the form of its value.
pub type Key = (&'static str, Form);

/// What the value of a required key must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A string that is not empty.
    Text,
    /// The same, or null where there is none.
    TextOrNull,
    /// An integer that is not negative.
    Count,
    /// 64 lower-case hexadecimal digits.
    Digest,
    /// The same, or null where there is none.
    DigestOrNull,
    /// True or false.
    Flag,
    /// An array.
    List,
    /// Anything but null.
    Any,
}

/// Why a well-formed entry does not say what its type must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A type under [`PREFIX`] that is not in [`TYPES`].
    #[error("`{0}` is not a known entry type")]
    UnknownType(String),
    /// A known type in a version that this table does not describe.
    #[error("schema version `{0}` is not known; expected `{VERSION}`")]
    UnknownVersion(String),
    /// `data` lacks a required key.
    #[error("the data lacks the key `{0}`")]
    MissingKey(&'static str),
    /// A required key has a value of the wrong form.
    #[error("the data key `{0}` has a value of the wrong form")]
    WrongForm(&'static str),
    /// The subject of an entry is not the round, or the preparation, that its data names.
    #[error("the subject is not `{expected}`, which the data names")]
    Subject {
        /// The subject that the data demands.
        expected: String,
    },
}

impl SchemaError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "ledger.schema-unknown-type",
            Self::UnknownVersion(_) => "ledger.schema-unknown-version",
            Self::MissingKey(_) => "ledger.schema-missing-key",
            Self::WrongForm(_) => "ledger.schema-wrong-form",
            Self::Subject { .. } => "ledger.schema-subject",
        }
    }
}

/// Checks an entry against the table, and the subject of an entry of a round or a preparation against its data.
///
/// # Errors
/// The first requirement that is not met.
pub fn check(entry: &Entry) -> Result<(), SchemaError> {
    if !entry.kind.starts_with(PREFIX) {
        return Ok(());
    }
    let (_, keys) = TYPES
        .iter()
        .find(|(kind, _)| *kind == entry.kind)
        .ok_or_else(|| SchemaError::UnknownType(entry.kind.clone()))?;
    if entry.schema != VERSION {
        return Err(SchemaError::UnknownVersion(entry.schema.clone()));
    }
    for (key, form) in *keys {
        let value = entry.data.get(key).ok_or(SchemaError::MissingKey(key))?;
        if !form.fits(value) {
            return Err(SchemaError::WrongForm(key));
        }
    }
    let later = LATER.iter().filter(|(kind, _)| *kind == entry.kind).flat_map(|(_, keys)| *keys);
    for (key, form) in later {
        if entry.data.get(key).is_some_and(|value| !form.fits(value)) {
            return Err(SchemaError::WrongForm(key));
        }
    }
    match named(entry) {
        Some(expected) if entry.subject.as_ref() != Some(&expected) => Err(SchemaError::Subject { expected }),
        _ => Ok(()),
    }
}

/// The subject that every entry of a round carries: `job/<job>/round/<round>/attempt/<attempt>`.
#[must_use]
pub fn round_subject(job: &str, round: u64, attempt: u64) -> String {
    format!("job/{job}/round/{round}/attempt/{attempt}")
}

/// The subject that every entry of a preparation carries that is made ahead: `job/<job>/preparation/<number>`.
#[must_use]
pub fn preparation_subject(job: &str, number: u64) -> String {
    format!("job/{job}/preparation/{number}")
}

/// Whether entries of this type belong to a round.
#[must_use]
pub fn is_round(kind: &str) -> bool {
    kind.starts_with("syndic.round.")
}

/// The subject of the round or preparation that the data names, for the types that belong to one.
fn named(entry: &Entry) -> Option<String> {
    let text = |key| entry.data.get(key).and_then(Value::as_str);
    let count = |key| entry.data.get(key).and_then(Value::as_u64);
    if entry.kind.starts_with("syndic.preparation.") {
        return Some(preparation_subject(text(JOB.0)?, count(PREPARATION.0)?));
    }
    if !is_round(&entry.kind) {
        return None;
    }
    Some(round_subject(text(JOB.0)?, count(ROUND.0)?, count(ATTEMPT.0)?))
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.as_str().is_some_and(|text| !text.is_empty()),
            Self::TextOrNull => value.is_null() || Self::Text.fits(value),
            Self::Count => value.is_u64(),
            Self::Digest => value.as_str().is_some_and(|text| Hash::from_hex(text).is_some()),
            Self::DigestOrNull => value.is_null() || Self::Digest.fits(value),
            Self::Flag => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Any => !value.is_null(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use serde_json::json;

    fn entry(kind: &str, data: Value) -> Entry {
        let ahead = kind.starts_with("syndic.preparation.").then(|| preparation_subject("7f", 4));
        let subject = is_round(kind).then(|| round_subject("7f", 3, 1)).or(ahead);
        Entry {
            id: "1".to_string(),
            source: "coordinator/1".to_string(),
            kind: kind.to_string(),
            time: Timestamp::MAX,
            subject,
            schema: VERSION.to_string(),
            round_prev: None,
            data,
        }
    }

    fn complete() -> Value {
        let digest = Hash::of(&[]).to_string();
        let of_models = json!({
            "name": "churn", "number": 0, "model": digest, "card": digest, "from": "candidate", "to": "shadow", "replaces": null,
            "drifted": [], "approver": "model-risk", "key": digest, "signature": "00", "gates": [], "attendance": {}, "figures": {}
        });
        let mut all = json!({
            "job": "7f", "round": 3, "attempt": 1, "plan": digest, "sum": digest, "key_sum": digest, "aggregate_root": digest, "digest": digest,
            "survivors": ["a", "b"], "reason": "too few", "preparation": 4, "eligible": ["a", "b"], "checked": true,
            "priority": 50, "by": "local-user/1000",
            "instance": "0198", "incarnation": 1, "version": "0.1.0", "commit": "c0ffee", "binary": digest, "configuration": null, "refusals": [], "newly_revoked": [], "further": 0, "suspended": null,
            "due": "2026-01-01T00:00:00.000Z", "kinds": [], "blobs": 3, "bytes": 300,
            "participant": 2, "certificate": digest, "serial": "07", "tls": "TLS 1.3", "group": "X25519MLKEM768"
        });
        all.as_object_mut().unwrap().extend(of_models.as_object().unwrap().clone());
        all
    }

    #[test]
    fn every_type_demands_each_of_its_keys_in_its_form() {
        for (kind, keys) in TYPES {
            assert_eq!(check(&entry(kind, complete())), Ok(()), "{kind}");
            for (key, form) in *keys {
                let mut data = complete();
                data[key] = match form {
                    Form::DigestOrNull => json!("none"),
                    Form::TextOrNull => json!(""),
                    _ => Value::Null,
                };
                assert_eq!(check(&entry(kind, data.clone())), Err(SchemaError::WrongForm(key)), "{kind}");
                data.as_object_mut().unwrap().remove(*key);
                assert_eq!(check(&entry(kind, data)), Err(SchemaError::MissingKey(key)), "{kind}");
            }
        }
    }

    #[test]
    fn what_older_entries_lack_has_its_form_where_it_is() {
        for (kind, keys) in LATER {
            assert!(TYPES.iter().any(|(known, _)| known == kind), "{kind}");
            for (key, _) in *keys {
                let mut data = complete();
                assert_eq!(check(&entry(kind, data.clone())), Ok(()), "{kind}");
                data[key] = Value::Null;
                assert_eq!(check(&entry(kind, data)), Err(SchemaError::WrongForm(key)), "{kind}");
            }
        }
    }

    #[test]
    fn an_entry_of_a_preparation_is_about_the_one_that_its_data_names() {
        let right = entry(PREPARATION_OPENED, complete());
        assert_eq!(check(&right), Ok(()));
        let expected = preparation_subject("7f", 4);
        for subject in [None, Some(preparation_subject("7f", 5)), Some(round_subject("7f", 3, 1))] {
            let wrong = Entry { subject, ..right.clone() };
            assert_eq!(check(&wrong), Err(SchemaError::Subject { expected: expected.clone() }));
        }
    }

    #[test]
    fn types_are_listed_once() {
        let mut kinds = TYPES.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
        kinds.sort_unstable();
        assert!(kinds.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_unknown_type_of_ours_is_refused_and_a_foreign_one_passes() {
        let kind = "syndic.round.forgotten";
        assert_eq!(check(&entry(kind, complete())), Err(SchemaError::UnknownType(kind.to_string())));
        assert_eq!(check(&entry("bank.example.note", json!({}))), Ok(()));
    }

    #[test]
    fn an_unknown_version_is_refused() {
        let later = Entry { schema: "2".to_string(), ..entry(ROUND_OPENED, complete()) };
        assert_eq!(check(&later), Err(SchemaError::UnknownVersion("2".to_string())));
    }

    #[test]
    fn a_rounds_subject_is_the_round_that_its_data_names() {
        let expected = round_subject("7f", 3, 1);
        for subject in [None, Some(round_subject("7f", 3, 2)), Some("job/7f".to_string())] {
            let astray = Entry { subject, ..entry(ROUND_OPENED, complete()) };
            assert_eq!(check(&astray), Err(SchemaError::Subject { expected: expected.clone() }));
        }
    }
}
