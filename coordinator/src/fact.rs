//! What the coordinator records: each fact is one ledger entry, and the entry is all that replay needs.

mod admission;
mod beside;
mod compared;
mod connected;
mod coordinator;
mod described;
mod drifted;
mod erased;
mod governance;
mod inputs;
mod opened;
mod reading;
mod refused;
mod staged;
mod subjects;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use syndic_learning::promotion::Figures;
use syndic_learning::staged::Staged;
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
use beside::with_phases;
pub use compared::JobCompared;
pub use connected::Connected;
pub use coordinator::{Started, Stopped, incarnation};
pub use described::JobDescribed;
pub use drifted::JobDrift;
pub use erased::{ErasureRule, UpdatesErased, due};
pub use governance::{Cause, Priority};
use inputs::heard;
use opened::{opened, preparation_opened};
pub use refused::{Refusal, Refused};
use subjects::{job_subject, subject, with, with_place};

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
    /// A job that described rows did.
    JobDescribed(Box<JobDescribed>),
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
                described::completed(job, (*released_round, model), (attendance.as_ref(), figures.as_ref()))
            }
            Self::JobCompared(compared) => compared.parts(),
            Self::JobDescribed(described) => described.parts(),
            Self::JobAbandoned { job, reason } => {
                ("syndic.job.abandoned", Some(job_subject(job)), json!({ "job": job, "reason": reason }))
            }
        }
    }
}

#[cfg(test)]
mod kinds_tests;
