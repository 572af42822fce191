//! What the coordinator records: each fact is one ledger entry, and the entry is all that replay needs.

mod admission;
mod beside;
mod compared;
mod connected;
mod coordinator;
mod drifted;
mod erased;
mod governance;
mod inputs;
mod opened;
mod refused;
mod staged;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use syndic_learning::promotion::Figures;
use syndic_learning::staged::{STAGED, Staged};
use syndic_ledger::{Entry, preparation_subject, round_subject};
use syndic_round::coordinator::Input;
use syndic_round::message::Kind;
use syndic_round::{Digest, JobId, ParticipantId, Place, PreparationTerms, RoundId, RoundPlan, Signed};
use thiserror::Error;

use crate::engine::Attendance;
use crate::missing::Missing;
use crate::phases::PhaseTime;
pub use admission::{
    AdmissionChanged, Admitted, Allowed, MOST as MOST_REVOKED, Revocations, RevokedCertificate,
};
pub use beside::Beside;
use beside::{phases, with_phases};
use compared::COMPLETED;
pub use compared::JobCompared;
pub use connected::Connected;
pub use coordinator::{Started, Stopped, incarnation};
pub use drifted::JobDrift;
pub use erased::{ErasureRule, UpdatesErased, due};
pub use governance::{Cause, Priority};
use inputs::{heard, read_input};
use opened::{excused, opened, preparation_opened};
pub use refused::{Refusal, Refused};

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
    /// A coordinator was started on this ledger.
    CoordinatorStarted(Box<Started>),
    /// A participant is connected otherwise than is on record of it.
    Connected(Box<Connected>),
    /// A participant was refused things.
    Refused(Refused),
    /// Others are let in than before, or nobody new is.
    AdmissionChanged(Box<AdmissionChanged>),
    /// A coordinator ended in order. One that was killed, or lost its store, says nothing.
    CoordinatorStopped(Stopped),
    /// A job was agreed: its file, verbatim.
    JobAgreed {
        /// Job.
        job: JobId,
        /// The job file; its SHA-256 is the agreement.
        file: String,
        /// How urgent it is.
        priority: Priority,
        /// Who handed it in; never a person's name.
        by: String,
    },
    /// No further round of a job is opened until it is resumed; one in progress goes on.
    JobPaused {
        /// Job.
        job: JobId,
        /// Who and why.
        cause: Cause,
    },
    /// A paused job goes on.
    JobResumed {
        /// Job.
        job: JobId,
        /// Who and why.
        cause: Cause,
    },
    /// A job is more urgent, or less, than before.
    JobPrioritised {
        /// Job.
        job: JobId,
        /// How urgent it is from now on.
        priority: Priority,
        /// Who and why.
        cause: Cause,
    },
    /// A job was ended by somebody who may run jobs.
    JobStopped {
        /// Job.
        job: JobId,
        /// Who and why.
        cause: Cause,
    },
    /// A preparation was begun, ahead of the round that will consume it.
    PreparationOpened {
        /// The terms.
        terms: Box<PreparationTerms>,
        /// Who was admitted and had been away for longer than a round waits for anybody, so that nobody waits for it until it
        /// speaks; none in a ledger of a former version.
        excused: Vec<ParticipantId>,
    },
    /// A preparation made ahead is ready.
    PreparationReady {
        /// Job.
        job: JobId,
        /// Its number.
        number: u64,
        /// Who may submit in its round.
        eligible: Vec<ParticipantId>,
    },
    /// A preparation made ahead came to nothing.
    PreparationAbandoned {
        /// Job.
        job: JobId,
        /// Its number.
        number: u64,
        /// Why, for a person.
        reason: String,
    },
    /// A round opened.
    RoundOpened {
        /// The terms.
        plan: Box<RoundPlan>,
        /// What is asked, for people: `train` for instance.
        kind: String,
        /// The training round it belongs to.
        training_round: Option<u32>,
        /// Who was admitted and not connected.
        absent: Vec<ParticipantId>,
        /// Of those the ones whom nobody waits for until they speak; none in a ledger of a former version, which waited for all.
        excused: Vec<ParticipantId>,
        /// What decided by lot who is admitted, `train/3` or `measures`; none where all of the job's institutions are.
        lot: Option<String>,
    },
    /// A round, or a preparation made ahead, accepted an input.
    Heard {
        /// Job.
        job: JobId,
        /// Where.
        place: Place,
        /// The input.
        input: Input,
        /// Whose updates are in the sum; empty but for the input that closes the round.
        survivors: Vec<ParticipantId>,
        /// What is told beside it.
        beside: Beside,
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
        /// Who was admitted and is no survivor, and why.
        missing: Vec<Missing>,
    },
    /// A participant signed two messages where one may exist; the other one is on record already.
    Equivocated {
        /// Job.
        job: JobId,
        /// Where.
        place: Place,
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
        /// Who did not do what its last phase needed.
        missing: Vec<Missing>,
        /// When its phases began and ended; empty where an older version did not say so.
        phases: Vec<PhaseTime>,
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
    /// Test rows were compared with the rows that the job's model was trained on.
    JobDrift(Box<JobDrift>),
    /// A job reached its outcome.
    JobCompleted {
        /// Job.
        job: JobId,
        /// Training round whose model is released.
        released_round: u32,
        /// SHA-256 of the model file.
        model: Digest,
        /// Who is in its sums, and who is not; none where an older version did not say so.
        attendance: Option<Attendance>,
        /// How the model did, where that was measured; none where nothing was, or an older version did not say so.
        figures: Option<Figures>,
    },
    /// A job that compared released models reached its end.
    JobCompared(Box<JobCompared>),
    /// A job ended without one.
    JobAbandoned {
        /// Job.
        job: JobId,
        /// Why, for a person.
        reason: String,
    },
    /// What the rounds of a job that is over were made of is erased.
    UpdatesErased(Box<UpdatesErased>),
    /// A model has another stage than before.
    ModelStaged(Box<Staged>),
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
            Self::CoordinatorStarted(started) => started.parts(),
            Self::CoordinatorStopped(stopped) => stopped.parts(),
            Self::Connected(connected) => connected.parts(),
            Self::Refused(refused) => refused.parts(),
            Self::AdmissionChanged(changed) => changed.parts(),
            Self::JobAgreed { job, file, priority, by } => {
                let agreement = Digest::of(file.as_bytes()).to_string();
                let data = json!({ "job": job, "agreement": agreement, "file": file, "priority": priority, "by": by });
                ("syndic.job.agreed", Some(job_subject(job)), data)
            }
            Self::UpdatesErased(erased) => erased.parts(),
            Self::ModelStaged(staged) => staged::parts(staged),
            Self::JobPaused { job, cause } => governance::parts("syndic.job.paused", job, cause),
            Self::JobResumed { job, cause } => governance::parts("syndic.job.resumed", job, cause),
            Self::JobStopped { job, cause } => governance::parts("syndic.job.stopped", job, cause),
            Self::JobPrioritised { job, priority, cause } => {
                let (kind, subject, data) = governance::parts("syndic.job.prioritised", job, cause);
                (kind, subject, with(data, "priority", json!(priority)))
            }
            Self::PreparationOpened { terms, excused } => preparation_opened(terms, excused),
            Self::PreparationReady { job, number, eligible } => {
                let place = Place::Ahead(*number);
                let data = with_place(job, place, json!({ "eligible": eligible }));
                ("syndic.preparation.ready", Some(subject(job, place)), data)
            }
            Self::PreparationAbandoned { job, number, reason } => {
                let place = Place::Ahead(*number);
                let data = with_place(job, place, json!({ "reason": reason }));
                ("syndic.preparation.abandoned", Some(subject(job, place)), data)
            }
            Self::RoundOpened { plan, kind, training_round, absent, excused, lot } => {
                opened(plan, kind, *training_round, (absent, excused), lot.as_deref())
            }
            Self::Heard { job, place, input, survivors, beside } => {
                heard(job, *place, input, survivors, beside)
            }
            Self::RoundFrozen { job, round, survivors, digest, missing } => {
                let place = Place::Round(*round);
                let missing: Vec<Value> = missing.iter().map(Missing::to_json).collect();
                let data =
                    json!({ "survivors": survivors, "digest": digest.to_string(), "missing": missing });
                ("syndic.round.frozen", Some(subject(job, place)), with_place(job, place, data))
            }
            Self::Equivocated { job, place, kind, message } => {
                let signed = BASE64.encode(message.to_bytes());
                let data = json!({ "participant": message.from, "kind": kind.name(), "message": signed });
                let of = match place {
                    Place::Round(_) => "syndic.round.equivocated",
                    Place::Ahead(_) => "syndic.preparation.equivocated",
                };
                (of, Some(subject(job, *place)), with_place(job, *place, data))
            }
            Self::RoundAbandoned { job, round, reason, missing, phases } => {
                let place = Place::Round(*round);
                let missing: Vec<Value> = missing.iter().map(Missing::to_json).collect();
                let data = json!({ "reason": reason, "missing": missing });
                let data = with_place(job, place, with_phases(data, phases));
                ("syndic.round.abandoned", Some(subject(job, place)), data)
            }
            Self::JobProgress { job, training_round, metrics } => {
                let data = json!({ "job": job, "training_round": training_round, "metrics": metrics });
                ("syndic.job.progress", Some(job_subject(job)), data)
            }
            Self::JobDrift(drift) => drift.parts(),
            Self::JobCompleted { job, released_round, model, attendance, figures } => {
                let mut data =
                    json!({ "job": job, "released_round": released_round, "model": model.to_string() });
                if let Some(attendance) = attendance {
                    data["attendance"] = attendance.to_json();
                }
                if let Some(figures) = figures {
                    data["figures"] = json!(figures);
                }
                (COMPLETED, Some(job_subject(job)), data)
            }
            Self::JobCompared(compared) => compared.parts(),
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
        let number = || data.get("preparation")?.as_u64();
        let missing = || -> Option<Vec<Missing>> {
            data.get("missing")?.as_array()?.iter().map(Missing::from_json).collect()
        };
        let place = || match entry.kind.starts_with(PREPARATION) {
            true => number().map(Place::Ahead),
            false => round().map(Place::Round),
        };
        Some(match entry.kind.as_str() {
            "syndic.roster.sealed" => Self::RosterSealed {
                federation: text("federation")?,
                digest: digest("digest")?,
                blob: digest("blob")?,
            },
            coordinator::STARTED => Self::CoordinatorStarted(Box::new(Started::read(data)?)),
            coordinator::STOPPED => Self::CoordinatorStopped(Stopped::read(data)?),
            connected::CONNECTED => Self::Connected(Box::new(Connected::read(data)?)),
            refused::REFUSED => Self::Refused(Refused::read(data)?),
            admission::CHANGED => Self::AdmissionChanged(Box::new(AdmissionChanged::read(data)?)),
            "syndic.job.agreed" => Self::JobAgreed {
                job: job()?,
                file: text("file")?,
                priority: Priority::read(data)?,
                by: text("by")?,
            },
            STAGED => Self::ModelStaged(Box::new(Staged::from_data(data)?)),
            erased::ERASED => Self::UpdatesErased(Box::new(UpdatesErased::read(data)?)),
            "syndic.job.paused" => Self::JobPaused { job: job()?, cause: Cause::read(data)? },
            "syndic.job.resumed" => Self::JobResumed { job: job()?, cause: Cause::read(data)? },
            "syndic.job.stopped" => Self::JobStopped { job: job()?, cause: Cause::read(data)? },
            "syndic.job.prioritised" => Self::JobPrioritised {
                job: job()?,
                priority: Priority::read(data)?,
                cause: Cause::read(data)?,
            },
            "syndic.preparation.opened" => Self::PreparationOpened {
                terms: Box::new(PreparationTerms::from_bytes(&bytes(data, "terms")?).ok()?),
                excused: excused(data)?,
            },
            "syndic.preparation.ready" => Self::PreparationReady {
                job: job()?,
                number: number()?,
                eligible: serde_json::from_value(data.get("eligible")?.clone()).ok()?,
            },
            "syndic.preparation.abandoned" => {
                Self::PreparationAbandoned { job: job()?, number: number()?, reason: text("reason")? }
            }
            "syndic.round.opened" => Self::RoundOpened {
                plan: Box::new(RoundPlan::from_bytes(&bytes(data, "terms")?).ok()?),
                kind: text("kind")?,
                training_round: count("training_round"),
                absent: serde_json::from_value(data.get("absent")?.clone()).ok()?,
                excused: excused(data)?,
                lot: text("lot"),
            },
            "syndic.round.frozen" => Self::RoundFrozen {
                job: job()?,
                round: round()?,
                survivors: serde_json::from_value(data.get("survivors")?.clone()).ok()?,
                digest: digest("digest")?,
                missing: missing()?,
            },
            "syndic.round.equivocated" | "syndic.preparation.equivocated" => Self::Equivocated {
                job: job()?,
                place: place()?,
                kind: Kind::ALL.into_iter().find(|kind| Some(kind.name()) == text("kind").as_deref())?,
                message: Signed::from_bytes(&bytes(data, "message")?).ok()?,
            },
            "syndic.round.abandoned" => Self::RoundAbandoned {
                job: job()?,
                round: round()?,
                reason: text("reason")?,
                missing: missing()?,
                phases: phases(data)?,
            },
            "syndic.job.progress" => Self::JobProgress {
                job: job()?,
                training_round: count("training_round")?,
                metrics: data.get("metrics")?.clone(),
            },
            drifted::DRIFT => Self::JobDrift(Box::new(JobDrift::read(data)?)),
            COMPLETED if data.get("comparison").is_some() => {
                Self::JobCompared(Box::new(JobCompared::read(data)?))
            }
            COMPLETED => Self::JobCompleted {
                job: job()?,
                released_round: count("released_round")?,
                model: digest("model")?,
                attendance: match data.get("attendance") {
                    None => None,
                    Some(attendance) => Some(Attendance::from_json(attendance)?),
                },
                figures: match data.get("figures") {
                    None => None,
                    Some(figures) => Some(read_figures(figures)?),
                },
            },
            "syndic.job.abandoned" => Self::JobAbandoned { job: job()?, reason: text("reason")? },
            kind => {
                let (input, survivors) = read_input(kind, data)?;
                let beside = Beside::read(data)?;
                Self::Heard { job: job()?, place: place()?, input, survivors, beside }
            }
        })
    }
}

/// Figures that an entry may have: at least one, and numbers.
fn read_figures(figures: &Value) -> Option<Figures> {
    let figures: Figures = serde_json::from_value(figures.clone()).ok()?;
    (!figures.is_empty() && figures.are_numbers()).then_some(figures)
}

fn bytes(data: &Value, key: &str) -> Option<Vec<u8>> {
    BASE64.decode(data.get(key)?.as_str()?).ok()
}

fn job_subject(job: &JobId) -> String {
    format!("job/{job}")
}

fn subject(job: &JobId, place: Place) -> String {
    match place {
        Place::Round(id) => round_subject(job.as_str(), u64::from(id.round), u64::from(id.attempt)),
        Place::Ahead(number) => preparation_subject(job.as_str(), number),
    }
}

fn with_place(job: &JobId, place: Place, data: Value) -> Value {
    let data = with(data, "job", json!(job));
    match place {
        Place::Round(id) => with(with(data, "round", json!(id.round)), "attempt", json!(id.attempt)),
        Place::Ahead(number) => with(data, "preparation", json!(number)),
    }
}

fn with(mut data: Value, key: &str, value: Value) -> Value {
    data[key] = value;
    data
}

/// With this begin the types of entries about preparations made ahead.
const PREPARATION: &str = "syndic.preparation.";

#[cfg(test)]
mod kinds_tests;
