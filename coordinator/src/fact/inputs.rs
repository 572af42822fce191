//! Inputs of rounds and preparations as entries: what each says, and how it is read back.

use base64::Engine as _;
use serde_json::{Value, json};
use syndic_round::coordinator::{Bundle, Input, Opened, RingOpened, Upload};
use syndic_round::message::{Dealing, Payload};
use syndic_round::{Digest, JobId, ParticipantId, Place, Signed};

use super::reading::bytes;
use super::{BASE64, Beside, subject, with, with_phases, with_place};

pub(super) fn heard(
    job: &JobId,
    place: Place,
    input: &Input,
    survivors: &[ParticipantId],
    beside: &Beside,
) -> (&'static str, Option<String>, Value) {
    let message =
        |signed: &Signed| json!({ "participant": signed.from, "message": BASE64.encode(signed.to_bytes()) });
    let (kind, data) = match input {
        Input::Advertise(signed) => (ADVERTISED, message(signed)),
        Input::Deal(signed, bundle) => {
            let shares = json!({ "blob": bundle.blob.to_string(), "bytes": bundle.bytes });
            (SHARED, with(message(signed), "shares", shares))
        }
        Input::Acknowledge(signed) => (ACKNOWLEDGED, message(signed)),
        Input::Submit(signed, upload) => {
            let ciphertext = json!({
                "blob": upload.blob.to_string(),
                "bytes": upload.bytes,
                "chunks": upload.chunks,
                "root": upload.root.to_string(),
            });
            let mut data = with(message(signed), "ciphertext", ciphertext);
            if let Some(begun) = beside.begun {
                data["uploads_begun"] = json!(begun);
            }
            (Names::of_round("syndic.round.submitted"), data)
        }
        Input::Certify(signed) => (Names::of_round("syndic.round.certified"), message(signed)),
        Input::Reveal(signed) => (Names::of_round("syndic.round.revealed"), message(signed)),
        Input::Void(signed) => (Names::of_round("syndic.round.void-promised"), message(signed)),
        Input::Decline(signed) => (DECLINED, message(signed)),
        Input::Wake => (WOKE, json!({})),
        Input::Resume => (RESUMED, json!({})),
        Input::Opened(opened) => {
            let data = with_phases(closed(opened, survivors), &beside.phases);
            (Names::of_round("syndic.round.closed"), data)
        }
        Input::MoreReveals(reason) => {
            (Names::of_round("syndic.round.more-reveals"), json!({ "reason": reason }))
        }
        Input::SumRefused(reason) => (Names::of_round("syndic.round.result"), json!({ "refused": reason })),
        Input::Stop(reason) => (Names::of_round("syndic.round.stopped"), json!({ "reason": reason })),
    };
    (kind.at(place), Some(subject(job, place)), with_place(job, place, data))
}

/// The type of an entry about an input: to a round, and to a preparation made ahead.
struct Names {
    round: &'static str,
    ahead: &'static str,
}

impl Names {
    /// Of an input that only rounds accept.
    const fn of_round(round: &'static str) -> Self {
        Self { round, ahead: round }
    }

    const fn at(&self, place: Place) -> &'static str {
        match place {
            Place::Round(_) => self.round,
            Place::Ahead(_) => self.ahead,
        }
    }

    fn has(&self, kind: &str) -> bool {
        kind == self.round || kind == self.ahead
    }
}

fn closed(opened: &Opened, survivors: &[ParticipantId]) -> Value {
    json!({
        "survivors": survivors,
        "sum": opened.sum.to_string(),
        "key_sum": opened.ring.map(|ring| ring.key_sum.to_string()),
        "aggregate": opened.ring.map(|ring| ring.aggregate.to_string()),
        "aggregate_root": opened.ring.map(|ring| ring.aggregate_root.to_string()),
        "checked": opened.checked,
        "transcript": opened.transcript.to_string(),
        "wrong_reveals": opened.wrong_reveals,
    })
}

fn read_closed(data: &Value) -> Option<(Opened, Vec<ParticipantId>)> {
    let digest = |key: &str| Digest::from_hex(data.get(key)?.as_str()?);
    let ids = |key: &str| serde_json::from_value(data.get(key)?.clone()).ok();
    let opened = Opened {
        sum: digest("sum")?,
        ring: match data.get("key_sum")? {
            Value::Null => None,
            _ => Some(RingOpened {
                key_sum: digest("key_sum")?,
                aggregate: digest("aggregate")?,
                aggregate_root: digest("aggregate_root")?,
            }),
        },
        checked: data.get("checked")?.as_bool()?,
        transcript: digest("transcript")?,
        wrong_reveals: ids("wrong_reveals")?,
    };
    Some((opened, ids("survivors")?))
}

pub(super) fn read_input(kind: &str, data: &Value) -> Option<(Input, Vec<ParticipantId>)> {
    let signed = || Signed::from_bytes(&bytes(data, "message")?).ok();
    let part = |part: &str, key: &str| data.get(part)?.get(key).cloned();
    let part_digest = |of: &str, key: &str| Digest::from_hex(part(of, key)?.as_str()?);
    let input = match kind {
        kind if ADVERTISED.has(kind) => Input::Advertise(signed()?),
        kind if SHARED.has(kind) => {
            let signed = signed()?;
            let shares = Dealing::decode(&signed.payload).ok()?.shares;
            let (blob, bytes) = (part_digest("shares", "blob")?, part("shares", "bytes")?.as_u64()?);
            Input::Deal(signed, Bundle { shares, blob, bytes })
        }
        kind if ACKNOWLEDGED.has(kind) => Input::Acknowledge(signed()?),
        kind if DECLINED.has(kind) => Input::Decline(signed()?),
        kind if WOKE.has(kind) => Input::Wake,
        kind if RESUMED.has(kind) => Input::Resume,
        "syndic.round.submitted" => {
            let upload = Upload {
                root: part_digest("ciphertext", "root")?,
                chunks: u32::try_from(part("ciphertext", "chunks")?.as_u64()?).ok()?,
                blob: part_digest("ciphertext", "blob")?,
                bytes: part("ciphertext", "bytes")?.as_u64()?,
            };
            Input::Submit(signed()?, upload)
        }
        "syndic.round.certified" => Input::Certify(signed()?),
        "syndic.round.revealed" => Input::Reveal(signed()?),
        "syndic.round.void-promised" => Input::Void(signed()?),
        "syndic.round.closed" => {
            let (opened, survivors) = read_closed(data)?;
            return Some((Input::Opened(opened), survivors));
        }
        "syndic.round.more-reveals" => Input::MoreReveals(data.get("reason")?.as_str()?.into()),
        "syndic.round.result" => Input::SumRefused(data.get("refused")?.as_str()?.into()),
        "syndic.round.stopped" => Input::Stop(data.get("reason")?.as_str()?.into()),
        _ => return None,
    };
    Some((input, Vec::new()))
}

const ADVERTISED: Names = Names { round: "syndic.round.advertised", ahead: "syndic.preparation.advertised" };
const SHARED: Names = Names { round: "syndic.round.shared", ahead: "syndic.preparation.shared" };
const ACKNOWLEDGED: Names =
    Names { round: "syndic.round.acknowledged", ahead: "syndic.preparation.acknowledged" };
const DECLINED: Names = Names { round: "syndic.round.declined", ahead: "syndic.preparation.declined" };
const WOKE: Names = Names { round: "syndic.round.woke", ahead: "syndic.preparation.woke" };
const RESUMED: Names = Names { round: "syndic.round.resumed", ahead: "syndic.preparation.resumed" };
