//! Facts of rounds and of preparations made ahead as ledger entries, and back: all that replay has. Types and data are those of docs/ledger.md,
//! which the coordinator writes, but for what only people read in an opening.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use syndic_ledger::Entry;
use syndic_round::coordinator::{Bundle, Input, Opened, RingOpened, Upload};
use syndic_round::message::{Dealing, Payload};
use syndic_round::{
    Digest, JobId, ParticipantId, Place, PreparationTerms, RoundId, RoundPlan, Signed, Timestamp,
};

/// An entry, read back.
pub(crate) struct Fact {
    pub(crate) at: Timestamp,
    /// The round, or the preparation made ahead, that it is about.
    pub(crate) place: Place,
    pub(crate) what: Recorded,
}

/// One thing that had an effect, in a round or in a preparation made ahead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    /// A preparation was begun, ahead of its round, in which nobody waits for these until they speak.
    Begun(Box<PreparationTerms>, Vec<ParticipantId>),
    /// It is ready, and these may submit in its round.
    Ready(Vec<ParticipantId>),
    /// A round opened, in which nobody waits for these until they speak.
    Opened(Box<RoundPlan>, Vec<ParticipantId>),
    /// An input was accepted, after which the round had these survivors, once closed.
    Input(Input, Vec<ParticipantId>),
    /// The round or preparation was abandoned.
    Abandoned(String),
}

/// Type and data of the entry for what was `recorded` about `place`.
pub(crate) fn write(job: &JobId, place: Place, recorded: &Recorded) -> (String, Value) {
    let (kind, mut data) = match recorded {
        Recorded::Begun(terms, excused) => {
            ("opened", json!({ "terms": BASE64.encode(terms.to_bytes()), "excused": excused }))
        }
        Recorded::Ready(eligible) => ("ready", json!({ "eligible": eligible })),
        Recorded::Opened(plan, excused) => {
            let terms = BASE64.encode(plan.to_bytes());
            ("opened", json!({ "plan": plan.digest().to_string(), "terms": terms, "excused": excused }))
        }
        Recorded::Input(input, survivors) => write_input(input, survivors),
        Recorded::Abandoned(reason) => ("abandoned", json!({ "reason": reason })),
    };
    data["job"] = json!(job.as_str());
    match place {
        Place::Round(id) => {
            data["round"] = json!(id.round);
            data["attempt"] = json!(id.attempt);
            (format!("{OF_ROUND}{kind}"), data)
        }
        Place::Ahead(number) => {
            data["preparation"] = json!(number);
            (format!("{OF_PREPARATION}{kind}"), data)
        }
    }
}

/// What entries about `place` are under.
pub(crate) fn subject(job: &JobId, place: Place) -> String {
    match place {
        Place::Round(id) => {
            syndic_ledger::round_subject(job.as_str(), u64::from(id.round), u64::from(id.attempt))
        }
        Place::Ahead(number) => syndic_ledger::preparation_subject(job.as_str(), number),
    }
}

/// What `entry` records; none for an entry that [`write()`] cannot have made.
pub(crate) fn read(entry: &Entry) -> Option<(Place, Recorded)> {
    let data = &entry.data;
    let count = |key: &str| data.get(key)?.as_u64();
    let small = |key: &str| u32::try_from(count(key)?).ok();
    if let Some(kind) = entry.kind.strip_prefix(OF_PREPARATION) {
        let recorded = match kind {
            "opened" => {
                let terms = PreparationTerms::from_bytes(&bytes(data, "terms")?).ok()?;
                Recorded::Begun(Box::new(terms), ids(data.get("excused")?)?)
            }
            "ready" => Recorded::Ready(ids(data.get("eligible")?)?),
            kind => read_rest(kind, data)?,
        };
        return Some((Place::Ahead(count("preparation")?), recorded));
    }
    let recorded = match entry.kind.strip_prefix(OF_ROUND)? {
        "opened" => {
            let plan = RoundPlan::from_bytes(&bytes(data, "terms")?).ok()?;
            Recorded::Opened(Box::new(plan), ids(data.get("excused")?)?)
        }
        kind => read_rest(kind, data)?,
    };
    let id = RoundId { round: small("round")?, attempt: small("attempt")? };
    Some((Place::Round(id), recorded))
}

fn read_rest(kind: &str, data: &Value) -> Option<Recorded> {
    if kind == "abandoned" {
        return Some(Recorded::Abandoned(data.get("reason")?.as_str()?.into()));
    }
    let survivors = data.get("survivors").map_or(Some(Vec::new()), ids)?;
    Some(Recorded::Input(read_input(kind, data)?, survivors))
}

fn write_input(input: &Input, survivors: &[ParticipantId]) -> (&'static str, Value) {
    let message =
        |signed: &Signed| json!({ "participant": signed.from, "message": BASE64.encode(signed.to_bytes()) });
    match input {
        Input::Advertise(signed) => ("advertised", message(signed)),
        Input::Deal(signed, Bundle { blob, bytes, .. }) => {
            let mut data = message(signed);
            data["shares"] = json!({ "blob": blob.to_string(), "bytes": bytes });
            ("shared", data)
        }
        Input::Acknowledge(signed) => ("acknowledged", message(signed)),
        Input::Submit(signed, Upload { root, chunks, blob, bytes }) => {
            let mut data = message(signed);
            let (root, blob) = (root.to_string(), blob.to_string());
            data["ciphertext"] = json!({ "root": root, "chunks": chunks, "blob": blob, "bytes": bytes });
            ("submitted", data)
        }
        Input::Certify(signed) => ("certified", message(signed)),
        Input::Reveal(signed) => ("revealed", message(signed)),
        Input::Decline(signed) => ("declined", message(signed)),
        Input::Wake => ("woke", json!({})),
        Input::Resume => ("resumed", json!({})),
        Input::Void(signed) => ("void-promised", message(signed)),
        Input::MoreReveals(reason) => ("more-reveals", json!({ "reason": reason })),
        Input::SumRefused(reason) => ("result", json!({ "refused": reason })),
        Input::Stop(reason) => ("stopped", json!({ "reason": reason })),
        Input::Opened(opened) => {
            let data = json!({
                "survivors": survivors,
                "sum": opened.sum.to_string(),
                "key_sum": opened.ring.map(|ring| ring.key_sum.to_string()),
                "aggregate": opened.ring.map(|ring| ring.aggregate.to_string()),
                "aggregate_root": opened.ring.map(|ring| ring.aggregate_root.to_string()),
                "checked": opened.checked,
                "transcript": opened.transcript.to_string(),
                "wrong_reveals": opened.wrong_reveals,
            });
            ("closed", data)
        }
    }
}

fn read_input(kind: &str, data: &Value) -> Option<Input> {
    let signed = || Signed::from_bytes(&bytes(data, "message")?).ok();
    Some(match kind {
        "advertised" => Input::Advertise(signed()?),
        "shared" => {
            let (signed, stored) = (signed()?, data.get("shares")?);
            // The digests of the shares are in the message itself.
            let shares = Dealing::decode(&signed.payload).ok()?.shares;
            let (blob, bytes) = (digest(stored, "blob")?, stored.get("bytes")?.as_u64()?);
            Input::Deal(signed, Bundle { shares, blob, bytes })
        }
        "acknowledged" => Input::Acknowledge(signed()?),
        "submitted" => {
            let stored = data.get("ciphertext")?;
            let upload = Upload {
                root: digest(stored, "root")?,
                chunks: u32::try_from(stored.get("chunks")?.as_u64()?).ok()?,
                blob: digest(stored, "blob")?,
                bytes: stored.get("bytes")?.as_u64()?,
            };
            Input::Submit(signed()?, upload)
        }
        "certified" => Input::Certify(signed()?),
        "revealed" => Input::Reveal(signed()?),
        "declined" => Input::Decline(signed()?),
        "woke" => Input::Wake,
        "resumed" => Input::Resume,
        "result" => Input::SumRefused(data.get("refused")?.as_str()?.into()),
        "stopped" => Input::Stop(data.get("reason")?.as_str()?.into()),
        "void-promised" => Input::Void(signed()?),
        "more-reveals" => Input::MoreReveals(data.get("reason")?.as_str()?.into()),
        "closed" => Input::Opened(Opened {
            sum: digest(data, "sum")?,
            ring: match data.get("key_sum")? {
                Value::Null => None,
                _ => Some(RingOpened {
                    key_sum: digest(data, "key_sum")?,
                    aggregate: digest(data, "aggregate")?,
                    aggregate_root: digest(data, "aggregate_root")?,
                }),
            },
            checked: data.get("checked")?.as_bool()?,
            transcript: digest(data, "transcript")?,
            wrong_reveals: ids(data.get("wrong_reveals")?)?,
        }),
        _ => return None,
    })
}

fn ids(list: &Value) -> Option<Vec<ParticipantId>> {
    let id = |value: &Value| ParticipantId::new(u16::try_from(value.as_u64()?).ok()?);
    list.as_array()?.iter().map(id).collect()
}

fn bytes(data: &Value, key: &str) -> Option<Vec<u8>> {
    BASE64.decode(data.get(key)?.as_str()?).ok()
}

fn digest(data: &Value, key: &str) -> Option<Digest> {
    Digest::from_hex(data.get(key)?.as_str()?)
}

const OF_ROUND: &str = "syndic.round.";
const OF_PREPARATION: &str = "syndic.preparation.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::Federation;
    use crate::scenario::Shared;
    use syndic_ledger::{Timestamp, schema};
    use syndic_round::message::{Kind, PublicPart};

    /// Types that a coordinator writes beside the facts, for whoever reads the ledger; the state follows without them.
    const NOTES: [&str; 3] =
        ["syndic.round.frozen", "syndic.round.equivocated", "syndic.preparation.equivocated"];

    /// The types of docs/ledger.md, which the coordinator writes.
    fn documented(kind: &str) -> bool {
        let text = include_str!("../../docs/ledger.md");
        let short = kind.trim_start_matches("syndic.round").trim_start_matches("syndic.preparation");
        text.contains(&format!("`{kind}`")) || text.contains(&format!("`{short}`"))
    }

    #[test]
    fn every_fact_has_a_type_of_its_own_that_is_documented_and_reads_back() {
        let federation = Federation::of(1, 4, syndic_round::ParameterSet::S32, Shared::Nothing);
        let (plan, from) =
            (federation.plan(syndic_round::RoundId { round: 1, attempt: 1 }, 1), federation.ids()[1]);
        let digest = Digest::of(b"a blob");
        let public = PublicPart { commitments: vec![digest], checks: [vec![1], vec![2]] };
        let payload = Dealing { id: from, shares: vec![(from, digest)], public }.encode();
        let signed = Signed { from, payload, signature: [7; 64] };
        let bundle = Bundle { shares: vec![(from, digest)], blob: digest, bytes: 9 };
        let upload = Upload { root: digest, chunks: 1, blob: digest, bytes: 8_192 };
        let inputs = [
            Input::Advertise(signed.clone()),
            Input::Deal(signed.clone(), bundle),
            Input::Acknowledge(signed.clone()),
            Input::Submit(signed.clone(), upload),
            Input::Certify(signed.clone()),
            Input::Reveal(signed.clone()),
            Input::Void(signed.clone()),
            Input::Decline(signed),
            Input::Wake,
            Input::Resume,
            Input::MoreReveals("why".into()),
            Input::SumRefused("why".into()),
            Input::Stop("why".into()),
        ];
        let opened = Opened {
            sum: digest,
            ring: Some(RingOpened { key_sum: digest, aggregate: digest, aggregate_root: digest }),
            checked: true,
            transcript: digest,
            wrong_reveals: vec![from],
        };
        let (round, ahead) = (Place::Round(plan.id), Place::Ahead(plan.terms.number));
        // A preparation takes what is said before there is a question.
        let is_of_any = |input: &Input| {
            let kind = input.message().map(|(kind, _)| kind);
            matches!(input, Input::Wake | Input::Resume)
                || kind.is_some_and(|kind| kind <= Kind::Ack || kind == Kind::Decline)
        };
        let of_ahead = inputs.iter().filter(|input| is_of_any(input)).cloned();
        let mut facts: Vec<_> = of_ahead.map(|input| (ahead, Recorded::Input(input, Vec::new()))).collect();
        facts.extend(inputs.map(|input| (round, Recorded::Input(input, Vec::new()))));
        facts.push((round, Recorded::Input(Input::Opened(opened), federation.ids())));
        facts.push((round, Recorded::Opened(Box::new(plan.clone()), federation.ids())));
        facts.push((ahead, Recorded::Begun(Box::new(plan.terms.clone()), Vec::new())));
        facts.push((ahead, Recorded::Ready(federation.ids())));
        facts.extend([round, ahead].map(|place| (place, Recorded::Abandoned("why".into()))));
        let mut kinds = std::collections::BTreeSet::new();
        for (place, recorded) in &facts {
            let (kind, data) = write(&plan.terms.job, *place, recorded);
            assert!(kinds.insert(kind.clone()), "{kind} stands for two facts");
            assert!(documented(&kind), "{kind}");
            let entry = Entry {
                id: "1".into(),
                source: "coordinator/test".into(),
                kind: kind.clone(),
                time: Timestamp::MAX,
                subject: Some(subject(&plan.terms.job, *place)),
                schema: schema::VERSION.into(),
                round_prev: None,
                data,
            };
            assert_eq!(schema::check(&entry), Ok(()), "{kind}");
            assert_eq!(read(&entry).as_ref(), Some(&(*place, recorded.clone())), "{kind}");
        }
        let read_by_replay = |(kind, _): &&(&'static str, &[schema::Key])| {
            (kind.starts_with(OF_ROUND) || kind.starts_with(OF_PREPARATION)) && !NOTES.contains(kind)
        };
        assert_eq!(
            kinds.len(),
            schema::TYPES.iter().filter(read_by_replay).count(),
            "every type of a round or preparation is written"
        );
    }
}
