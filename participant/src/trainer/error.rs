//! Why the external trainer's answer is no answer.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tonic::{Code, Status};

/// Why the external trainer's answer is no answer. May hold the trainer's own words, which go no further than this host.
#[derive(Debug, Error)]
pub enum TrainerError {
    /// The job asks for another trainer than the configuration names.
    #[error("the job does not ask for trainer `{offered}`")]
    NotMeant {
        /// What the configuration names.
        offered: String,
    },
    /// Nobody listens.
    #[error("no trainer listens on {path}: {reason}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Somebody else than the trainer's user could listen on the socket, or speak to it.
    #[error("the trainer's socket is not safe: {path} {problem}")]
    Unsafe {
        /// The socket or its folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another trainer listens.
    #[error("the trainer says that it is `{found}`, not `{expected}`")]
    Other {
        /// Name and version in the configuration.
        expected: String,
        /// What it says.
        found: String,
    },
    /// It says that it cannot do what the job needs.
    #[error("the trainer says that it does not {0}")]
    Unable(&'static str),
    /// It answered with an error.
    #[error("the trainer refused ({code}): {reason}")]
    Refused {
        /// The code of gRPC.
        code: Code,
        /// Its words.
        reason: String,
    },
    /// The connection ended in the middle.
    #[error("the trainer went away before it had answered: {0}")]
    Died(String),
    /// It took too long.
    #[error("the trainer did not answer within {} s", .limit.as_secs())]
    TimedOut {
        /// How long it had.
        limit: Duration,
    },
    /// One message is larger than any that is awaited.
    #[error("the trainer sent a message of more than 4 MiB")]
    TooLarge,
    /// What it returned is no update of the job's tensors.
    #[error("the trainer's update is none: {0}")]
    BadUpdate(String),
    /// What it returned is not one probability for each row.
    #[error("the trainer's scores are none: {0}")]
    BadScores(&'static str),
}

impl TrainerError {
    /// What a call came to that has no answer.
    pub(super) fn of_call(status: Status) -> Self {
        let reason = status.message().to_owned();
        // Made here, before anything is read of such a message.
        if status.code() == Code::OutOfRange && reason.contains("decoded message length too large") {
            return Self::TooLarge;
        }
        // A status that was sent has no source; one that has was made here, of what became of the connection.
        match status.source().is_some() {
            true => Self::Died(reason),
            false => Self::Refused { code: status.code(), reason },
        }
    }

    /// The stable code, which is all that the coordinator is told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotMeant { .. } => "trainer.not-offered",
            Self::Unreachable { .. } => "trainer.unreachable",
            Self::Unsafe { .. } => "trainer.unsafe-socket",
            Self::Other { .. } => "trainer.other",
            Self::Unable(_) => "trainer.unable",
            Self::Refused { .. } => "trainer.refused",
            Self::Died(_) => "trainer.died",
            Self::TimedOut { .. } => "trainer.timed-out",
            Self::TooLarge => "trainer.too-large",
            Self::BadUpdate(_) => "trainer.bad-update",
            Self::BadScores(_) => "trainer.bad-scores",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotMeant { .. } => {
                "name the trainer that the job asks for in [trainer] of participant.toml"
            }
            Self::Unreachable { .. } => {
                "start the trainer, and compare its socket with [trainer] of participant.toml"
            }
            Self::Unsafe { .. } => {
                "let the trainer make its socket in a folder that nobody else may enter (mode 0700, or 0750 with `uid`)"
            }
            Self::Other { .. } => "start the version that [trainer] of participant.toml names",
            Self::TimedOut { .. } => {
                "raise `timeout_seconds` of [trainer], or in a new job `collect_seconds`; the lower of both holds"
            }
            Self::Unable(_) | Self::Refused { .. } | Self::Died(_) => "see the trainer's own log",
            Self::TooLarge | Self::BadUpdate(_) | Self::BadScores(_) => {
                "correct the trainer: proto/syndic/trainer/v1/trainer.proto says what it returns"
            }
        }
    }
}
