//! What can go wrong between whoever runs jobs and the coordinator.

use syndic_proto::status::code_of;
use thiserror::Error;
use tonic::{Code, Status};

/// Why a job was not controlled.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The socket cannot be made.
    #[error("cannot open the control socket {path}: {source}")]
    Socket {
        /// The socket.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another coordinator has it.
    #[error("another coordinator listens at {0}")]
    Occupied(String),
    /// The transport failed.
    #[error("the control socket failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// No coordinator answers.
    #[error("no coordinator answers at {0}")]
    Unreachable(String),
    /// It refused.
    #[error("{message}")]
    Refused {
        /// The stable code.
        code: String,
        /// Why.
        message: String,
        /// Whether it could not answer, whatever was asked.
        is_of_the_world: bool,
    },
}

impl ControlError {
    /// The refusal behind an answer of the coordinator.
    pub(super) fn of(status: &Status) -> Self {
        let code = code_of(status).unwrap_or("control.failed").into();
        let is_of_the_world =
            !matches!(status.code(), Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition);
        Self::Refused { code, message: status.message().into(), is_of_the_world }
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Socket { .. } => "control.socket",
            Self::Occupied(_) => "control.occupied",
            Self::Transport(_) => "control.failed",
            Self::Unreachable(_) => "control.unreachable",
            Self::Refused { code, .. } => code,
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Socket { .. } => {
                "name a folder as `state` that this user may write, with a path of less than 90 characters"
            }
            Self::Occupied(_) => "one coordinator at a time works on one state folder; stop the other first",
            Self::Transport(_) | Self::Unreachable(_) => {
                "start `syndic-coordinator run` with the same configuration, and run this as the same user"
            }
            Self::Refused { code, .. } => match code.as_str() {
                "job.unknown" => "`syndic-coordinator job list` shows the jobs there are",
                "job.over" => "what is over stays so; submit the job anew, under another id",
                "job.other" => "give the job another id: one id belongs to one file, for ever",
                "job.reason" => "say in a line why, without names of people: it is on record in the ledger",
                "job.priority" => "give a number from 0 to 100; 50 is usual",
                "job.id" => "a job's id is in its file, as `id`",
                "model.approval-malformed" => {
                    "name a file that `syndic model promote` or `syndic model withdraw` wrote"
                }
                code if code.starts_with("model.") => {
                    "nothing has changed; docs/models.md says which stages follow, and who approves what"
                }
                _ => "run `syndic job check` on the file; or look at the coordinator's log",
            },
        }
    }

    /// The exit code: 2 what was asked is wrong, 3 the world.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { is_of_the_world: false, .. } => 2,
            _ => 3,
        }
    }
}
