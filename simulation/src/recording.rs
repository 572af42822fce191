//! Facts of a round as ledger entries, and back: all that replay has. Types and data are those of docs/ledger.md,
//! which the coordinator writes, but for what only people read in an opening.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use syndic_ledger::Entry;
use syndic_round::coordinator::{Bundle, Input, Opened, Upload};
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
            let terms = BASE64.encode(plan.to_bytes());
            ("syndic.round.opened", json!({ "plan": plan.digest().to_string(), "terms": terms }))
        }
        Recorded::Input(input, survivors) => write_input(input, survivors),
        Recorded::Abandoned(reason) => ("syndic.round.abandoned", json!({ "reason": reason })),
    };
    data["job"] = json!(plan.terms.job.as_str());
    data["round"] = json!(plan.id.round);
    data["attempt"] = json!(plan.id.attempt);
    (kind, data)
}

/// The fact that `entry` records; none for an entry that [`write()`] cannot have made.
pub(crate) fn read(entry: &Entry) -> Option<Recorded> {
    let data = &entry.data;
    Some(match entry.kind.as_str() {
        "syndic.round.opened" => {
            Recorded::Opened(Box::new(RoundPlan::from_bytes(&bytes(data, "terms")?).ok()?))
        }
        "syndic.round.abandoned" => Recorded::Abandoned(data.get("reason")?.as_str()?.into()),
        kind => {
            let survivors = data.get("survivors").map_or(Some(Vec::new()), ids)?;
            Recorded::Input(read_input(kind, data)?, survivors)
        }
    })
}

fn write_input(input: &Input, survivors: &[ParticipantId]) -> (&'static str, Value) {
    let message =
        |signed: &Signed| json!({ "participant": signed.from, "message": BASE64.encode(signed.to_bytes()) });
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
        Input::Wake => ("syndic.round.woke", json!({})),
        Input::Resume => ("syndic.round.resumed", json!({})),
        Input::Void(signed) => ("syndic.round.void-promised", message(signed)),
        Input::MoreReveals(reason) => ("syndic.round.more-reveals", json!({ "reason": reason })),
        Input::SumRefused(reason) => ("syndic.round.result", json!({ "refused": reason })),
        Input::Opened(opened) => {
            let data = json!({
                "survivors": survivors,
                "sum": opened.sum.to_string(),
                "key_sum": opened.key_sum.to_string(),
                "aggregate": opened.aggregate.to_string(),
                "aggregate_root": opened.aggregate_root.to_string(),
                "transcript": opened.transcript.to_string(),
                "wrong_reveals": opened.wrong_reveals,
            });
            ("syndic.round.closed", data)
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
        "syndic.round.woke" => Input::Wake,
        "syndic.round.resumed" => Input::Resume,
        "syndic.round.result" => Input::SumRefused(data.get("refused")?.as_str()?.into()),
        "syndic.round.void-promised" => Input::Void(signed()?),
        "syndic.round.more-reveals" => Input::MoreReveals(data.get("reason")?.as_str()?.into()),
        "syndic.round.closed" => Input::Opened(Opened {
            sum: digest(data, "sum")?,
            key_sum: digest(data, "key_sum")?,
            aggregate: digest(data, "aggregate")?,
            aggregate_root: digest(data, "aggregate_root")?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::Federation;
    use syndic_ledger::{Timestamp, schema};
    use syndic_round::message::PublicPart;

    /// Types that a coordinator writes beside the facts, for whoever reads the ledger; the state follows without them.
    const NOTES: [&str; 2] = ["syndic.round.frozen", "syndic.round.equivocated"];

    /// The types of docs/ledger.md, which the coordinator writes.
    fn documented(kind: &str) -> bool {
        let text = include_str!("../../docs/ledger.md");
        let short = kind.trim_start_matches("syndic.round");
        text.contains(&format!("`{kind}`")) || text.contains(&format!("`{short}`"))
    }

    #[test]
    fn every_fact_has_a_type_of_its_own_that_is_documented_and_reads_back() {
        let federation = Federation::of(1, 4, syndic_round::ParameterSet::S32);
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
        ];
        let opened = Opened {
            sum: digest,
            key_sum: digest,
            aggregate: digest,
            aggregate_root: digest,
            transcript: digest,
            wrong_reveals: vec![from],
        };
        let mut facts: Vec<_> = inputs.map(|input| Recorded::Input(input, Vec::new())).into();
        facts.push(Recorded::Input(Input::Opened(opened), federation.ids()));
        facts.push(Recorded::Opened(Box::new(plan.clone())));
        facts.push(Recorded::Abandoned("why".into()));
        let mut kinds = std::collections::BTreeSet::new();
        for fact in &facts {
            let (kind, data) = write(&plan, fact);
            assert!(kinds.insert(kind), "{kind} stands for two facts");
            assert!(documented(kind), "{kind}");
            let entry = Entry {
                id: "1".into(),
                source: "coordinator/test".into(),
                kind: kind.into(),
                time: Timestamp::MAX,
                subject: Some(syndic_ledger::round_subject(plan.terms.job.as_str(), 1, 1)),
                schema: schema::VERSION.into(),
                round_prev: None,
                data,
            };
            assert_eq!(schema::check(&entry), Ok(()), "{kind}");
            assert_eq!(read(&entry).as_ref(), Some(fact), "{kind}");
        }
        let read_by_replay = |(kind, _): &&(&'static str, &[schema::Key])| {
            kind.starts_with("syndic.round.") && !NOTES.contains(kind)
        };
        assert_eq!(
            kinds.len(),
            schema::TYPES.iter().filter(read_by_replay).count(),
            "every type of a round is written"
        );
    }
}
