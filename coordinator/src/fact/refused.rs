//! What a member was refused, as entries: counted together.

use serde_json::{Value, json};
use syndic_round::{ParticipantId, Timestamp};

/// What one member was refused since the entry before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who.
    pub participant: ParticipantId,
    /// What for, each code once.
    pub refusals: Vec<Refusal>,
}

/// Refusals of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code that it was told.
    pub code: String,
    /// How often.
    pub count: u64,
    /// When for the first time.
    pub since: Timestamp,
}

impl Refused {
    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { participant, refusals } = self;
        let refusals: Vec<Value> = refusals
            .iter()
            .map(|Refusal { code, count, since }| json!({ "code": code, "count": count, "since": time(*since) }))
            .collect();
        let data = json!({ "participant": participant, "refusals": refusals });
        (REFUSED, Some(format!("participant/{participant}")), data)
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let refusals = data.get("refusals")?.as_array()?.iter().map(|one| {
            Some(Refusal {
                code: one.get("code")?.as_str()?.into(),
                count: one.get("count")?.as_u64()?,
                since: read_time(one.get("since")?)?,
            })
        });
        Some(Self {
            participant: serde_json::from_value(data.get("participant")?.clone()).ok()?,
            refusals: refusals.collect::<Option<_>>()?,
        })
    }
}

/// As entries write a time; one that no entry can name becomes the last that one can.
pub(super) fn time(at: Timestamp) -> String {
    syndic_ledger::Timestamp::from_unix_ms(at.0).unwrap_or(syndic_ledger::Timestamp::MAX).to_string()
}

pub(super) fn read_time(value: &Value) -> Option<Timestamp> {
    let time: syndic_ledger::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp(time.unix_ms()))
}

pub(super) const REFUSED: &str = "syndic.participant.refused";
