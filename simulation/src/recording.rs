//! Facts of a round as ledger entries, and back: all that replay has.

use serde_json::{Value, json};
use syndic_ledger::Entry;
use syndic_round::coordinator::{Bundle, Input, Upload};
use syndic_round::message::{Dealing, Payload};
use syndic_round::{Digest, ParticipantId, RoundPlan, Signed};

/// One thing that had an effect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    /// A round opened.
    Opened(Box<RoundPlan>),
    /// It accepted an input, after which it had these survivors, once closed.
    Input(Input, Vec<ParticipantId>),
    /// It was abandoned.
    Abandoned(String),
}

/// Type and data of the entry for `fact`.
pub(crate) fn write(plan: &RoundPlan, fact: &Recorded) -> (&'static str, Value) {
    let (kind, mut data) = match fact {
        Recorded::Opened(plan) => {
            let terms = hex::encode(plan.to_bytes());
            ("syndic.round.opened", json!({ "plan": plan.digest().to_string(), "terms": terms }))
        }
        Recorded::Input(input, survivors) => write_input(input, survivors),
        Recorded::Abandoned(reason) => ("syndic.round.abandoned", json!({ "reason": reason })),
    };
    data["job"] = json!(plan.job.as_str());
    data["round"] = json!(plan.id.round);
    data["attempt"] = json!(plan.id.attempt);
    (kind, data)
}

/// The fact that `entry` records; none for an entry that [`write`] cannot have made.
pub(crate) fn read(entry: &Entry) -> Option<Recorded> {
    let data = &entry.data;
    Some(match entry.kind.as_str() {
        "syndic.round.opened" => {
            Recorded::Opened(Box::new(RoundPlan::from_bytes(&bytes(data, "terms")?).ok()?))
        }
        "syndic.round.abandoned" => Recorded::Abandoned(data.get("reason")?.as_str()?.into()),
        kind => {
            let survivors = data.get("survivors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let id = |value: &Value| ParticipantId::new(u16::try_from(value.as_u64()?).ok()?);
            let survivors = survivors.iter().map(id).collect::<Option<_>>()?;
            Recorded::Input(read_input(kind, data)?, survivors)
        }
    })
}

fn write_input(input: &Input, survivors: &[ParticipantId]) -> (&'static str, Value) {
    let message = |signed: &Signed| json!({ "message": hex::encode(signed.to_bytes()) });
    match input {
        Input::Advertise(signed) => ("syndic.round.advertised", message(signed)),
        Input::Deal(signed, Bundle { blob, bytes, .. }) => {
            let mut data = message(signed);
            data["shares"] = json!({ "blob": blob.to_string(), "bytes": bytes });
            ("syndic.round.shared", data)
        }
        Input::Acknowledge(signed) => ("syndic.round.acknowledged", message(signed)),
        Input::Submit(signed, Upload { root, chunks, blob, bytes }) => {
            let mut data = message(signed);
            let (root, blob) = (root.to_string(), blob.to_string());
            data["ciphertext"] = json!({ "root": root, "chunks": chunks, "blob": blob, "bytes": bytes });
            ("syndic.round.submitted", data)
        }
        Input::Certify(signed) => ("syndic.round.certified", message(signed)),
        Input::Reveal(signed) => ("syndic.round.revealed", message(signed)),
        Input::Decline(signed) => ("syndic.round.declined", message(signed)),
        Input::Wake => ("syndic.round.woke", json!({ "resumed": false })),
        Input::Resume => ("syndic.round.woke", json!({ "resumed": true })),
        Input::SumRefused(reason) => ("syndic.round.result", json!({ "refused": reason })),
        Input::Opened(sum) => {
            let survivors: Vec<u16> = survivors.iter().map(|id| id.get()).collect();
            ("syndic.round.closed", json!({ "sum": sum.to_string(), "survivors": survivors }))
        }
    }
}

fn read_input(kind: &str, data: &Value) -> Option<Input> {
    let signed = || Signed::from_bytes(&bytes(data, "message")?).ok();
    Some(match kind {
        "syndic.round.advertised" => Input::Advertise(signed()?),
        "syndic.round.shared" => {
            let (signed, stored) = (signed()?, data.get("shares")?);
            // The digests of the shares are in the message itself.
            let shares = Dealing::decode(&signed.payload).ok()?.shares;
            let (blob, bytes) = (digest(stored, "blob")?, stored.get("bytes")?.as_u64()?);
            Input::Deal(signed, Bundle { shares, blob, bytes })
        }
        "syndic.round.acknowledged" => Input::Acknowledge(signed()?),
        "syndic.round.submitted" => {
            let stored = data.get("ciphertext")?;
            let upload = Upload {
                root: digest(stored, "root")?,
                chunks: u32::try_from(stored.get("chunks")?.as_u64()?).ok()?,
                blob: digest(stored, "blob")?,
                bytes: stored.get("bytes")?.as_u64()?,
            };
            Input::Submit(signed()?, upload)
        }
        "syndic.round.certified" => Input::Certify(signed()?),
        "syndic.round.revealed" => Input::Reveal(signed()?),
        "syndic.round.declined" => Input::Decline(signed()?),
        "syndic.round.woke" if data.get("resumed")?.as_bool()? => Input::Resume,
        "syndic.round.woke" => Input::Wake,
        "syndic.round.result" => Input::SumRefused(data.get("refused")?.as_str()?.into()),
        "syndic.round.closed" => Input::Opened(digest(data, "sum")?),
        _ => return None,
    })
}

fn bytes(data: &Value, key: &str) -> Option<Vec<u8>> {
    hex::decode(data.get(key)?.as_str()?).ok()
}

fn digest(data: &Value, key: &str) -> Option<Digest> {
    Digest::from_hex(data.get(key)?.as_str()?)
}
