//! What the coordinator records: each fact is one ledger entry, and the entry is all that replay needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use syndic_ledger::{Entry, round_subject};
use syndic_round::coordinator::{Bundle, Input, Opened, Upload};
use syndic_round::message::{Dealing, Kind, Payload};
use syndic_round::{Digest, JobId, ParticipantId, RoundId, RoundPlan, Signed};
use thiserror::Error;

/// One thing that happened and had an effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The ledger began, for this federation and roster.
    RosterSealed {
        /// Federation.
        federation: String,
        /// What signatures call the roster.
        digest: Digest,
        /// SHA-256 of the sealed roster's file, which is stored as a blob.
        blob: Digest,
    },
    /// A job was agreed: its file, verbatim.
    JobAgreed {
        /// Job.
        job: JobId,
        /// The job file; its SHA-256 is the agreement.
        file: String,
    },
    /// A round opened.
    RoundOpened {
        /// The terms.
        plan: Box<RoundPlan>,
        /// What is asked, for people: `train` for instance.
        kind: String,
        /// The training round it belongs to.
        training_round: Option<u32>,
    },
    /// A round accepted an input.
    Heard {
        /// Job.
        job: JobId,
        /// Round and attempt.
        round: RoundId,
        /// The input.
        input: Input,
        /// Whose updates are in the sum; empty but for the input that closes the round.
        survivors: Vec<ParticipantId>,
    },
    /// A round's survivor set was frozen; what signers look for in the ledger.
    RoundFrozen {
        /// Job.
        job: JobId,
        /// Round and attempt.
        round: RoundId,
        /// The survivors.
        survivors: Vec<ParticipantId>,
        /// The digest that members sign.
        digest: Digest,
    },
    /// A participant signed two messages where one may exist; the other one is on record already.
    Equivocated {
        /// Job.
        job: JobId,
        /// Round and attempt.
        round: RoundId,
        /// What it said twice.
        kind: Kind,
        /// The second message, which was refused.
        message: Signed,
    },
    /// A round ended without a result.
    RoundAbandoned {
        /// Job.
        job: JobId,
        /// Round and attempt.
        round: RoundId,
        /// Why, for a person.
        reason: String,
    },
    /// A training round's model was measured.
    JobProgress {
        /// Job.
        job: JobId,
        /// Training round, from 1.
        training_round: u32,
        /// Metrics as decimal text, by rows and name.
        metrics: Value,
    },
    /// A job reached its outcome.
    JobCompleted {
        /// Job.
        job: JobId,
        /// Training round whose model is released.
        released_round: u32,
        /// SHA-256 of the model file.
        model: Digest,
    },
    /// A job ended without one.
    JobAbandoned {
        /// Job.
        job: JobId,
        /// Why, for a person.
        reason: String,
    },
}

/// An entry that is none of our facts although its type says so.
#[derive(Debug, Error)]
#[error("entry {index} of type {kind} is not one that this version writes")]
pub struct UnreadableFact {
    /// Place in the log.
    pub index: u64,
    /// Type of the entry.
    pub kind: String,
}

impl Fact {
    /// The entry's type, subject and data.
    pub fn to_parts(&self) -> (&'static str, Option<String>, Value) {
        match self {
            Self::RosterSealed { federation, digest, blob } => {
                let (digest, blob) = (digest.to_string(), blob.to_string());
                let data = json!({ "federation": federation, "digest": digest, "blob": blob });
                ("syndic.roster.sealed", None, data)
            }
            Self::JobAgreed { job, file } => {
                let agreement = Digest::of(file.as_bytes()).to_string();
                let data = json!({ "job": job, "agreement": agreement, "file": file });
                ("syndic.job.agreed", Some(job_subject(job)), data)
            }
            Self::RoundOpened { plan, kind, training_round } => opened(plan, kind, *training_round),
            Self::Heard { job, round, input, survivors } => heard(job, *round, input, survivors),
            Self::RoundFrozen { job, round, survivors, digest } => {
                let data = json!({ "survivors": survivors, "digest": digest.to_string() });
                ("syndic.round.frozen", Some(subject(job, *round)), with_round(job, *round, data))
            }
            Self::Equivocated { job, round, kind, message } => {
                let signed = BASE64.encode(message.to_bytes());
                let data = json!({ "participant": message.from, "kind": kind.name(), "message": signed });
                ("syndic.round.equivocated", Some(subject(job, *round)), with_round(job, *round, data))
            }
            Self::RoundAbandoned { job, round, reason } => {
                let data = with_round(job, *round, json!({ "reason": reason }));
                ("syndic.round.abandoned", Some(subject(job, *round)), data)
            }
            Self::JobProgress { job, training_round, metrics } => {
                let data = json!({ "job": job, "training_round": training_round, "metrics": metrics });
                ("syndic.job.progress", Some(job_subject(job)), data)
            }
            Self::JobCompleted { job, released_round, model } => {
                let data =
                    json!({ "job": job, "released_round": released_round, "model": model.to_string() });
                ("syndic.job.completed", Some(job_subject(job)), data)
            }
            Self::JobAbandoned { job, reason } => {
                ("syndic.job.abandoned", Some(job_subject(job)), json!({ "job": job, "reason": reason }))
            }
        }
    }

    /// The fact that an entry records.
    ///
    /// # Errors
    /// [`UnreadableFact`] for an entry of our types that this version cannot have written.
    pub fn from_entry(index: u64, entry: &Entry) -> Result<Self, UnreadableFact> {
        Self::read(entry).ok_or_else(|| UnreadableFact { index, kind: entry.kind.clone() })
    }

    fn read(entry: &Entry) -> Option<Self> {
        let data = &entry.data;
        let text = |key: &str| data.get(key)?.as_str().map(String::from);
        let digest = |key: &str| Digest::from_hex(data.get(key)?.as_str()?);
        let count = |key: &str| u32::try_from(data.get(key)?.as_u64()?).ok();
        let job = || JobId::new(data.get("job")?.as_str()?);
        let round = || Some(RoundId { round: count("round")?, attempt: count("attempt")? });
        Some(match entry.kind.as_str() {
            "syndic.roster.sealed" => Self::RosterSealed {
                federation: text("federation")?,
                digest: digest("digest")?,
                blob: digest("blob")?,
            },
            "syndic.job.agreed" => Self::JobAgreed { job: job()?, file: text("file")? },
            "syndic.round.opened" => Self::RoundOpened {
                plan: Box::new(RoundPlan::from_bytes(&bytes(data, "terms")?).ok()?),
                kind: text("kind")?,
                training_round: count("training_round"),
            },
            "syndic.round.frozen" => Self::RoundFrozen {
                job: job()?,
                round: round()?,
                survivors: serde_json::from_value(data.get("survivors")?.clone()).ok()?,
                digest: digest("digest")?,
            },
            "syndic.round.equivocated" => Self::Equivocated {
                job: job()?,
                round: round()?,
                kind: Kind::ALL.into_iter().find(|kind| Some(kind.name()) == text("kind").as_deref())?,
                message: Signed::from_bytes(&bytes(data, "message")?).ok()?,
            },
            "syndic.round.abandoned" => {
                Self::RoundAbandoned { job: job()?, round: round()?, reason: text("reason")? }
            }
            "syndic.job.progress" => Self::JobProgress {
                job: job()?,
                training_round: count("training_round")?,
                metrics: data.get("metrics")?.clone(),
            },
            "syndic.job.completed" => Self::JobCompleted {
                job: job()?,
                released_round: count("released_round")?,
                model: digest("model")?,
            },
            "syndic.job.abandoned" => Self::JobAbandoned { job: job()?, reason: text("reason")? },
            kind => {
                let (input, survivors) = read_input(kind, data)?;
                Self::Heard { job: job()?, round: round()?, input, survivors }
            }
        })
    }
}

fn opened(
    plan: &RoundPlan,
    kind: &str,
    training_round: Option<u32>,
) -> (&'static str, Option<String>, Value) {
    let protection = &plan.protection;
    let (core_svp, matzov) = protection.parameter_set().security_estimate();
    let data = json!({
        "kind": kind,
        "training_round": training_round,
        "plan": plan.digest().to_string(),
        "terms": BASE64.encode(plan.to_bytes()),
        "question": plan.question.to_string(),
        "agreement": plan.agreement.to_string(),
        "roster": plan.roster.to_string(),
        "preparation": plan.preparation,
        "protocol": syndic_round::PROTOCOL,
        "parameter_set": protection.parameter_set().name(),
        "security_bits": { "core_svp": core_svp, "matzov": matzov },
        "admitted": plan.admitted,
        "threshold": protection.threshold(),
        "colluding": protection.colluding(),
        "min_survivors": protection.min_survivors(),
        "values": plan.layout.len(),
        "coefficients": plan.coefficients(),
    });
    ("syndic.round.opened", Some(subject(&plan.job, plan.id)), with_round(&plan.job, plan.id, data))
}

fn heard(
    job: &JobId,
    round: RoundId,
    input: &Input,
    survivors: &[ParticipantId],
) -> (&'static str, Option<String>, Value) {
    let message =
        |signed: &Signed| json!({ "participant": signed.from, "message": BASE64.encode(signed.to_bytes()) });
    let (kind, data) = match input {
        Input::Advertise(signed) => ("syndic.round.advertised", message(signed)),
        Input::Deal(signed, bundle) => {
            let shares = json!({ "blob": bundle.blob.to_string(), "bytes": bundle.bytes });
            ("syndic.round.shared", with(message(signed), "shares", shares))
        }
        Input::Acknowledge(signed) => ("syndic.round.acknowledged", message(signed)),
        Input::Submit(signed, upload) => {
            let ciphertext = json!({
                "blob": upload.blob.to_string(),
                "bytes": upload.bytes,
                "chunks": upload.chunks,
                "root": upload.root.to_string(),
            });
            ("syndic.round.submitted", with(message(signed), "ciphertext", ciphertext))
        }
        Input::Certify(signed) => ("syndic.round.certified", message(signed)),
        Input::Reveal(signed) => ("syndic.round.revealed", message(signed)),
        Input::Void(signed) => ("syndic.round.void-promised", message(signed)),
        Input::Decline(signed) => ("syndic.round.declined", message(signed)),
        Input::Wake => ("syndic.round.woke", json!({})),
        Input::Resume => ("syndic.round.resumed", json!({})),
        Input::Opened(opened) => ("syndic.round.closed", closed(opened, survivors)),
        Input::MoreReveals(reason) => ("syndic.round.more-reveals", json!({ "reason": reason })),
        Input::SumRefused(reason) => ("syndic.round.result", json!({ "refused": reason })),
    };
    (kind, Some(subject(job, round)), with_round(job, round, data))
}

fn closed(opened: &Opened, survivors: &[ParticipantId]) -> Value {
    json!({
        "survivors": survivors,
        "sum": opened.sum.to_string(),
        "key_sum": opened.key_sum.to_string(),
        "aggregate": opened.aggregate.to_string(),
        "aggregate_root": opened.aggregate_root.to_string(),
        "transcript": opened.transcript.to_string(),
        "wrong_reveals": opened.wrong_reveals,
    })
}

fn read_closed(data: &Value) -> Option<(Opened, Vec<ParticipantId>)> {
    let digest = |key: &str| Digest::from_hex(data.get(key)?.as_str()?);
    let ids = |key: &str| serde_json::from_value(data.get(key)?.clone()).ok();
    let opened = Opened {
        sum: digest("sum")?,
        key_sum: digest("key_sum")?,
        aggregate: digest("aggregate")?,
        aggregate_root: digest("aggregate_root")?,
        transcript: digest("transcript")?,
        wrong_reveals: ids("wrong_reveals")?,
    };
    Some((opened, ids("survivors")?))
}

fn read_input(kind: &str, data: &Value) -> Option<(Input, Vec<ParticipantId>)> {
    let signed = || Signed::from_bytes(&bytes(data, "message")?).ok();
    let part = |part: &str, key: &str| data.get(part)?.get(key).cloned();
    let part_digest = |of: &str, key: &str| Digest::from_hex(part(of, key)?.as_str()?);
    let input = match kind {
        "syndic.round.advertised" => Input::Advertise(signed()?),
        "syndic.round.shared" => {
            let signed = signed()?;
            let shares = Dealing::decode(&signed.payload).ok()?.shares;
            let (blob, bytes) = (part_digest("shares", "blob")?, part("shares", "bytes")?.as_u64()?);
            Input::Deal(signed, Bundle { shares, blob, bytes })
        }
        "syndic.round.acknowledged" => Input::Acknowledge(signed()?),
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
        "syndic.round.declined" => Input::Decline(signed()?),
        "syndic.round.woke" => Input::Wake,
        "syndic.round.resumed" => Input::Resume,
        "syndic.round.closed" => {
            let (opened, survivors) = read_closed(data)?;
            return Some((Input::Opened(opened), survivors));
        }
        "syndic.round.more-reveals" => Input::MoreReveals(data.get("reason")?.as_str()?.into()),
        "syndic.round.result" => Input::SumRefused(data.get("refused")?.as_str()?.into()),
        _ => return None,
    };
    Some((input, Vec::new()))
}

fn bytes(data: &Value, key: &str) -> Option<Vec<u8>> {
    BASE64.decode(data.get(key)?.as_str()?).ok()
}

fn job_subject(job: &JobId) -> String {
    format!("job/{job}")
}

fn subject(job: &JobId, round: RoundId) -> String {
    round_subject(job.as_str(), u64::from(round.round), u64::from(round.attempt))
}

fn with_round(job: &JobId, round: RoundId, data: Value) -> Value {
    let data = with(data, "job", json!(job));
    with(with(data, "round", json!(round.round)), "attempt", json!(round.attempt))
}

fn with(mut data: Value, key: &str, value: Value) -> Value {
    data[key] = value;
    data
}
