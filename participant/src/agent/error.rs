//! Why an agent stops, or declines a round.

use std::path::PathBuf;
use std::sync::Arc;

use syndic_learning::ProgramError;
use syndic_learning::job::TermsError;
use syndic_ledger::ShownError;
use syndic_round::vector::ContributionError;
use syndic_round::{PlanError, Rejection, RoundId};
use syndic_secure_aggregation::{SealError, SelfTestError, ShareError, ShareMissing};
use thiserror::Error;
use tonic::Status;

use super::spot_check::Finding;
use crate::data::SourceError;
use crate::journal::JournalError;
use crate::models::Unheld;
use crate::policy::Denied;
use crate::shown::printable;
use crate::tls::ConnectError;
use crate::trainer::TrainerError;

/// Why the agent ends.
#[derive(Debug, Error)]
pub enum AgentError {
    /// Encryption does not encrypt on this machine.
    #[error("the start-up self-test failed: {0}")]
    SelfTest(#[from] SelfTestError),
    /// The connection, for a reason that trying again does not mend.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The coordinator speaks of another federation, roster or protocol.
    #[error("the coordinator refuses this participant: {message}")]
    Refused {
        /// The coordinator's code.
        code: String,
        /// Its message.
        message: String,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The coordinator published something else than the sum of what was sent.
    #[error("the spot check of round {round} failed: {finding}")]
    SpotCheck {
        /// Round and attempt.
        round: RoundId,
        /// What is wrong.
        finding: Finding,
    },
    /// The ledger is no continuation of what this participant saw of it, or what is shown of it proves nothing.
    #[error(transparent)]
    Ledger(Unbelieved),
    /// The job ended without an outcome.
    #[error("the job was abandoned: {0}")]
    JobAbandoned(String),
}

/// Why the ledger cannot be believed.
#[derive(Debug, Error)]
#[error("the ledger cannot be believed: {error}{}", self.kept())]
pub struct Unbelieved {
    /// What is wrong with what the coordinator shows.
    pub error: ShownError,
    /// Where the two heads lie that exclude each other, if there are two.
    pub evidence: Option<PathBuf>,
}

/// Why this participant takes no part in a round. Its code is all that the coordinator is told.
#[derive(Debug, Error)]
pub(super) enum Declined {
    #[error(transparent)]
    Policy(#[from] Denied),
    #[error(transparent)]
    Data(#[from] SourceError),
    /// What the rows are the reason for, in a job with noise: which of its rules they break would be an exact answer.
    #[error("{0}")]
    Rows(Box<Declined>),
    /// The rows could not be had, now or when they were last asked for.
    #[error("{0}")]
    Load(Arc<Declined>),
    #[error(transparent)]
    Job(#[from] TermsError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Contribution(#[from] ContributionError),
    #[error("the coordinator's message is refused: {0}")]
    Coordinator(#[from] Rejection),
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    ShareMissing(#[from] ShareMissing),
    #[error("a one-time key of the cohort is unusable: {0}")]
    Seal(#[from] SealError),
    #[error(transparent)]
    Trainer(#[from] TrainerError),
    /// Of models that the job compares.
    #[error(transparent)]
    Models(#[from] Unheld),
    #[error("this participant was restarted and has lost the round's keys")]
    Restarted,
    #[error("the coordinator refused a message of this round")]
    Refused,
    #[error("what was fetched does not have the digest that the plan names")]
    OtherBytes,
    #[error("the journal forbids it: {0}")]
    Forbidden(JournalError),
    #[error("the survivor set is not shown to be in the ledger")]
    NotOnRecord,
    #[error(transparent)]
    Ledger(Unbelieved),
}

/// Why a duty was not done.
#[derive(Debug, Error)]
pub(super) enum Undone {
    /// This participant's no.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// The call failed.
    #[error("{0}")]
    Call(#[from] Box<Status>),
    /// The journal cannot be written; nothing may be sent.
    #[error(transparent)]
    Journal(JournalError),
}

/// What the coordinator is said to have answered when it did not.
pub(super) const UNANSWERED: &str = "coordinator.unavailable";

impl AgentError {
    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::SelfTest(error) => error.code(),
            Self::Connect(error) => error.code(),
            Self::Refused { code, .. } => code,
            Self::Journal(error) => error.code(),
            Self::SpotCheck { finding, .. } => finding.code(),
            Self::Ledger(unbelieved) => unbelieved.error.code(),
            Self::JobAbandoned(_) => "job.abandoned",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &str {
        match self {
            Self::SelfTest(_) => "do not use this machine; encryption gives wrong results on it",
            Self::Connect(error) => error.help(),
            Self::Refused { code, .. } if code == "round.not-closed" => {
                "name a round and attempt that closed; the ledger lists them"
            }
            Self::Refused { code, .. } if code == "round.no-aggregate" => {
                "name a round whose vectors were encrypted; of shared ones the signed reveals are all there is"
            }
            Self::Refused { code, .. } if code == UNANSWERED => "is the coordinator running? try again",
            Self::Refused { .. } => {
                "compare bundle and pinned roster with the coordinator's operator; both sides must have the same"
            }
            Self::Journal(error) => error.help().unwrap_or("check the disk that the state folder is on"),
            Self::SpotCheck { .. } => {
                "take no further part; tell the other members, and compare the aggregate's root with the ledger's"
            }
            Self::Ledger(unbelieved) => unbelieved.help(),
            Self::JobAbandoned(_) => "the coordinator's ledger says what happened",
        }
    }

    /// The exit code: 1 the job was abandoned, 2 bad input, 3 the world, 4 a coordinator that is caught in a lie.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::JobAbandoned(_) => 1,
            Self::SpotCheck { .. } | Self::Ledger(_) => 4,
            Self::Refused { code, .. } if code == UNANSWERED => 3,
            Self::Refused { .. } | Self::Journal(JournalError::AccountUnknown { .. }) => 2,
            Self::Connect(
                ConnectError::CertificateRefused { .. }
                | ConnectError::CertificateRevoked { .. }
                | ConnectError::OwnCertificate { .. },
            ) => 2,
            Self::SelfTest(_) | Self::Connect(_) | Self::Journal(_) => 3,
        }
    }
}

impl Unbelieved {
    /// Whether no later word of the coordinator can mend it: its ledger is another one, or was shorter all of a sudden.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(self.error, ShownError::Shrunk { .. } | ShownError::Forked(_))
    }

    fn help(&self) -> &'static str {
        match &self.error {
            ShownError::Shrunk { .. } => {
                "an older copy of the coordinator's store was put back, or it hides entries: its operator has to find the newest. \
                 Keep this state folder; `syndic-participant checkpoint` prints what was seen"
            }
            ShownError::Forked(_) => {
                "take no further part, and give the evidence to the other members: `syndic ledger convict` judges it by the \
                 ledger's key alone"
            }
            _ => {
                "keep this state folder; compare `syndic-participant checkpoint` with what the other members were shown"
            }
        }
    }

    fn kept(&self) -> String {
        let named = |path: &PathBuf| format!("; the evidence is in {}", path.display());
        self.evidence.as_ref().map_or_else(String::new, named)
    }
}

impl Declined {
    /// The same, of which the coordinator is told the least there is to tell: that this institution declines.
    pub(super) fn without_detail(self) -> Self {
        Self::Rows(Box::new(self))
    }

    /// The whole reason in one line, for this institution's own log. A reason may quote the job file, which somebody
    /// else wrote.
    pub(super) fn shown(&self) -> String {
        if let Self::Load(reason) = self {
            return reason.shown();
        }
        if let Self::Rows(reason) = self {
            return format!("{}: {}", reason.code(), reason.shown());
        }
        let Self::Data(SourceError::Report(report)) = self else {
            let help = match self {
                Self::Job(_) => " (`syndic job check` on that file names every error and its remedy)".into(),
                Self::Data(error) => format!(" ({})", printable(&error.help())),
                Self::Policy(denied) => format!(" ({})", denied.help()),
                Self::Trainer(error) => format!(" ({})", error.help()),
                Self::Models(error) => format!(" ({})", error.help()),
                _ => String::new(),
            };
            return printable(&self.to_string()) + &help;
        };
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|finding| {
                format!("{}: {} ({})", finding.code(), printable(&finding.message()), finding.help())
            })
            .collect();
        findings.join("; ")
    }

    /// The code, with no detail that the coordinator has no business to know.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Policy(denied) => denied.code(),
            Self::Data(error) => error.code(),
            Self::Rows(_) => "data.refused",
            Self::Load(reason) => reason.code(),
            Self::Job(error) => error.code(),
            Self::Plan(error) => error.code(),
            Self::Program(error) => error.code(),
            Self::Contribution(_) => "program.contribution",
            Self::Coordinator(rejection) => rejection.code(),
            Self::Share(error) => error.code(),
            Self::ShareMissing(_) => "shares.missing",
            Self::Seal(error) => error.code(),
            Self::Trainer(error) => error.code(),
            Self::Models(error) => error.code(),
            Self::Restarted => "participant.restarted",
            Self::Refused => "participant.refused",
            Self::OtherBytes => "blob.other-bytes",
            Self::Forbidden(error) => error.code(),
            Self::NotOnRecord => "ledger.not-on-record",
            Self::Ledger(unbelieved) => unbelieved.error.code(),
        }
    }
}

impl From<Rejection> for Undone {
    fn from(rejection: Rejection) -> Self {
        Self::Declined(rejection.into())
    }
}

impl From<Status> for Undone {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

impl From<JournalError> for Undone {
    /// What the journal forbids is a reason to decline; a journal that cannot be written is not.
    fn from(error: JournalError) -> Self {
        if error.is_refusal() { Self::Declined(Declined::Forbidden(error)) } else { Self::Journal(error) }
    }
}

#[cfg(test)]
mod tests {
    use syndic_learning::{Job, TableBuilder};

    use super::*;

    const SAMPLE: &str = include_str!("../../../examples/bank-marketing/job.toml");

    #[test]
    fn a_job_file_cannot_fake_what_the_log_shows() {
        let mut job = Job::from_toml(SAMPLE).unwrap();
        job.contract.label.column = "y\u{1b}[2J\nall is \u{202e}well".into();
        let report = TableBuilder::new(&job.contract, &["age"]).err().unwrap();
        let missing = report.findings.len();
        for reason in [
            Declined::Data(report.into()),
            Denied::Purpose("none\u{1b}[2J\nall is \u{202e}well".into()).into(),
        ] {
            let shown = reason.shown();
            assert!(shown.contains("\\u{1b}[2J\\nall is \\u{202e}well"), "{shown}");
            assert!(!shown.contains(char::is_control) && !shown.contains('\u{202e}'), "{shown:?}");
        }
        assert!(missing > 1, "a report has several findings");
    }

    #[test]
    fn of_rows_under_noise_the_coordinator_is_told_one_code_and_the_log_the_reason() {
        let job = Job::from_toml(SAMPLE).unwrap();
        let report = TableBuilder::new(&job.contract, &["age"]).err().unwrap();
        let file = SourceError::Unreadable { path: "rows.csv".into(), reason: "no such file".into() };
        let other_rows = JournalError::OtherSnapshot { job: "churn".into() };
        for (reason, code) in [
            (Declined::Data(report.into()), "data.column-missing"),
            (Declined::Data(file), "data.unreadable"),
            (Declined::Forbidden(other_rows), "journal.other-snapshot"),
            (
                Declined::Contribution(ContributionError::Length { expected: 2, found: 1 }),
                "program.contribution",
            ),
        ] {
            let (told, shown) = (reason.to_string(), reason.shown());
            let reason = reason.without_detail();
            assert_eq!(reason.code(), "data.refused", "{told}");
            assert_eq!(reason.shown(), format!("{code}: {shown}"));
        }
    }

    #[test]
    fn every_finding_of_a_report_is_shown_in_one_line() {
        let job = Job::from_toml(SAMPLE).unwrap();
        let report = TableBuilder::new(&job.contract, &["age"]).err().unwrap();
        let columns: Vec<_> = report.findings.iter().filter_map(|finding| finding.column.clone()).collect();

        let shown = Declined::Data(report.into()).shown();

        assert!(columns.iter().all(|column| shown.contains(&format!("`{column}`"))), "{shown}");
        assert!(columns.len() > 1 && !shown.contains('\n'), "{shown}");
    }
}
