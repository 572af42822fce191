//! Between wire messages and what people see of jobs.

use serde::Serialize;
use syndic_round::{JobId, Rejection, RoundId, Stage};

use crate::v1;

/// A job, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobStatus {
    /// Job.
    pub job: JobId,
    /// What it does now.
    pub standing: JobStanding,
    /// Why it is paused, or ended without an outcome; what it waits for.
    pub reason: Option<String>,
    /// How urgent it is, from 0 to 100.
    pub priority: u32,
    /// Its place in the order of agreement, from 1.
    pub order: u64,
    /// SHA-256 of its file.
    pub agreement: String,
    /// The encrypted round in progress.
    pub round: Option<RoundId>,
    /// The phase of that round; none while its sum is being opened.
    pub phase: Option<String>,
    /// The training round that it is at.
    pub training_round: Option<u32>,
    /// Training rounds that it asks for.
    pub training_rounds: u32,
    /// Institutions admitted; 0 once it is over.
    pub admitted: u32,
    /// Of those, how many are connected.
    pub connected: u32,
    /// Who is missing in the round in progress, and why, once its survivor set is frozen.
    pub missing: Vec<String>,
    /// Who is missing in how many of its sums, a sentence for each: what must be said beside its outcome.
    pub warnings: Vec<String>,
    /// SHA-256 of the model, once there is one.
    pub model: Option<String>,
    /// Why it does not go on, where the coordinator's store takes nothing now; none of a job that is over.
    pub trouble: Option<JobTrouble>,
    /// Where it waits for institutions: those that are not connected.
    pub waiting_for: Vec<String>,
    /// When it is abandoned unless its first round has opened (Unix milliseconds); none once it has, or where its file sets no
    /// such deadline.
    pub starts_by_ms: Option<u64>,
    /// When its updates are erased (Unix milliseconds); none where they are kept, are erased, or it is not over.
    pub erase_at_ms: Option<u64>,
    /// The entry of the ledger by which its updates were erased.
    pub erased_by_entry: Option<u64>,
}

/// A model of the registry, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelStatus {
    /// The name that it stands under.
    pub name: String,
    /// The job that released it.
    pub job: JobId,
    /// What it is used for.
    pub stage: Stage,
    /// SHA-256 of its weights.
    pub model: String,
    /// SHA-256 of its card, once an approver has named it.
    pub card: Option<String>,
    /// The place of the entry by which it came to its stage; none of a candidate.
    pub entry: Option<u64>,
}

/// Why the coordinator's store takes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobTrouble {
    /// The stable code, as `/ready` shows it.
    pub code: String,
    /// What is wrong, and where.
    pub message: String,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobStanding {
    /// Waits for others to end or pause.
    Queued,
    /// Its rounds run.
    Running,
    /// It is paused once the round in progress has ended.
    Pausing,
    /// It waits to be resumed.
    Paused,
    /// Has its outcome.
    Completed,
    /// Ended without one, because it could not go on.
    Abandoned,
    /// Ended without one, because it was stopped.
    Stopped,
}

impl JobStanding {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Abandoned => "abandoned",
            Self::Stopped => "stopped",
        }
    }
}

impl From<JobStatus> for v1::JobStatus {
    fn from(status: JobStatus) -> Self {
        let round = status.round.unwrap_or(RoundId { round: 0, attempt: 0 });
        Self {
            job: status.job.to_string(),
            standing: v1::JobStanding::from(status.standing).into(),
            reason: status.reason.unwrap_or_default(),
            priority: status.priority,
            order: status.order,
            agreement: status.agreement,
            round: round.round,
            attempt: round.attempt,
            phase: status.phase.unwrap_or_default(),
            training_round: status.training_round.unwrap_or_default(),
            training_rounds: status.training_rounds,
            admitted: status.admitted,
            connected: status.connected,
            missing: status.missing,
            warnings: status.warnings,
            model: status.model.unwrap_or_default(),
            trouble: status.trouble.map(|JobTrouble { code, message }| v1::Trouble { code, message }),
            waiting_for: status.waiting_for,
            starts_by_ms: status.starts_by_ms.unwrap_or_default(),
            erase_at_ms: status.erase_at_ms.unwrap_or_default(),
            erased_by_entry: status.erased_by_entry.unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::JobStatus> for JobStatus {
    type Error = Rejection;

    fn try_from(wire: v1::JobStatus) -> Result<Self, Rejection> {
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        let standing = JobStanding::try_from(wire.standing())?;
        Ok(Self {
            job: JobId::new(&wire.job).ok_or(Rejection::Malformed)?,
            standing,
            reason: text(wire.reason),
            priority: wire.priority,
            order: wire.order,
            agreement: wire.agreement,
            round: (wire.round > 0).then_some(RoundId { round: wire.round, attempt: wire.attempt }),
            phase: text(wire.phase),
            training_round: Some(wire.training_round).filter(|round| *round > 0),
            training_rounds: wire.training_rounds,
            admitted: wire.admitted,
            connected: wire.connected,
            missing: wire.missing,
            warnings: wire.warnings,
            model: text(wire.model),
            trouble: wire.trouble.map(|v1::Trouble { code, message }| JobTrouble { code, message }),
            waiting_for: wire.waiting_for,
            starts_by_ms: Some(wire.starts_by_ms).filter(|at| *at > 0),
            erase_at_ms: Some(wire.erase_at_ms).filter(|at| *at > 0),
            erased_by_entry: Some(wire.erased_by_entry).filter(|entry| *entry > 0),
        })
    }
}

impl From<ModelStatus> for v1::ModelStatus {
    fn from(ModelStatus { name, job, stage, model, card, entry }: ModelStatus) -> Self {
        let (job, stage) = (job.to_string(), stage.name().into());
        Self { name, job, stage, model, card: card.unwrap_or_default(), entry: entry.unwrap_or_default() }
    }
}

impl TryFrom<v1::ModelStatus> for ModelStatus {
    type Error = Rejection;

    fn try_from(wire: v1::ModelStatus) -> Result<Self, Rejection> {
        Ok(Self {
            name: wire.name,
            job: JobId::new(&wire.job).ok_or(Rejection::Malformed)?,
            stage: Stage::named(&wire.stage).ok_or(Rejection::Malformed)?,
            model: wire.model,
            card: Some(wire.card).filter(|card| !card.is_empty()),
            entry: Some(wire.entry).filter(|entry| *entry > 0),
        })
    }
}

impl From<JobStanding> for v1::JobStanding {
    fn from(standing: JobStanding) -> Self {
        match standing {
            JobStanding::Queued => Self::Queued,
            JobStanding::Running => Self::Running,
            JobStanding::Pausing => Self::Pausing,
            JobStanding::Paused => Self::Paused,
            JobStanding::Completed => Self::Completed,
            JobStanding::Abandoned => Self::Abandoned,
            JobStanding::Stopped => Self::Stopped,
        }
    }
}

impl TryFrom<v1::JobStanding> for JobStanding {
    type Error = Rejection;

    fn try_from(wire: v1::JobStanding) -> Result<Self, Rejection> {
        Ok(match wire {
            v1::JobStanding::Queued => Self::Queued,
            v1::JobStanding::Running => Self::Running,
            v1::JobStanding::Pausing => Self::Pausing,
            v1::JobStanding::Paused => Self::Paused,
            v1::JobStanding::Completed => Self::Completed,
            v1::JobStanding::Abandoned => Self::Abandoned,
            v1::JobStanding::Stopped => Self::Stopped,
            v1::JobStanding::Unspecified => return Err(Rejection::Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> JobStatus {
        JobStatus {
            job: JobId::new("churn").unwrap(),
            standing: JobStanding::Pausing,
            reason: Some("the data are checked".into()),
            priority: 70,
            order: 3,
            agreement: "ab".repeat(32),
            round: Some(RoundId { round: 4, attempt: 2 }),
            phase: Some("collect".into()),
            training_round: Some(2),
            training_rounds: 20,
            admitted: 5,
            connected: 4,
            missing: vec!["bank_a declined: policy.purpose".into()],
            warnings: vec!["bank_a is missing in 2 of 3 sums, 1 of 2 of local training".into()],
            model: Some("cd".repeat(32)),
            trouble: Some(JobTrouble { code: "store.full".into(), message: "the disk is full".into() }),
            waiting_for: vec!["bank_b".into()],
            starts_by_ms: Some(1_800_000_000_000),
            erase_at_ms: Some(1_700_000_000_000),
            erased_by_entry: Some(812),
        }
    }

    #[test]
    fn a_jobs_status_arrives_as_it_was_sent() {
        let waiting = JobStatus {
            standing: JobStanding::Queued,
            reason: None,
            round: None,
            phase: None,
            training_round: None,
            missing: Vec::new(),
            warnings: Vec::new(),
            model: None,
            trouble: None,
            waiting_for: Vec::new(),
            starts_by_ms: None,
            erase_at_ms: None,
            erased_by_entry: None,
            ..status()
        };
        for status in [status(), waiting] {
            assert_eq!(JobStatus::try_from(v1::JobStatus::from(status.clone())), Ok(status));
        }
    }

    #[test]
    fn a_models_status_arrives_as_it_was_sent_and_no_stage_is_malformed() {
        let of = |stage, entry: Option<u64>| ModelStatus {
            name: "churn".into(),
            job: JobId::new("churn-2026").unwrap(),
            stage,
            model: "ab".repeat(32),
            card: entry.map(|_| "cd".repeat(32)),
            entry,
        };
        for (stage, entry) in
            [(Stage::Candidate, None), (Stage::Champion, Some(812)), (Stage::Withdrawn, Some(9))]
        {
            let status = of(stage, entry);
            assert_eq!(ModelStatus::try_from(v1::ModelStatus::from(status.clone())), Ok(status));
        }
        let wire = v1::ModelStatus { stage: "king".into(), ..of(Stage::Shadow, Some(1)).into() };
        assert_eq!(ModelStatus::try_from(wire), Err(Rejection::Malformed));
    }

    #[test]
    fn every_standing_arrives_as_it_was_sent_and_none_is_malformed() {
        use JobStanding::{Abandoned, Completed, Paused, Pausing, Queued, Running, Stopped};
        for standing in [Queued, Running, Pausing, Paused, Completed, Abandoned, Stopped] {
            assert_eq!(JobStanding::try_from(v1::JobStanding::from(standing)), Ok(standing));
            assert_eq!(serde_json::to_value(standing).unwrap(), standing.name());
        }
        let wire = v1::JobStatus { standing: 0, ..status().into() };
        assert_eq!(JobStatus::try_from(wire), Err(Rejection::Malformed));
        let wire = v1::JobStatus { job: "No Job".into(), ..status().into() };
        assert_eq!(JobStatus::try_from(wire), Err(Rejection::Malformed));
    }
}
