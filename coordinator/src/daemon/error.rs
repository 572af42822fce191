//! Why the daemon stops, with codes, remedies and exit codes.

use std::path::Path;

use syndic_terminal::file;
use thiserror::Error;

use crate::config::ConfigError;
use crate::control::ControlError;
use crate::driver::CoordinatorError;
use crate::federation::FederationError;
use crate::serve::ServeError;
use crate::tls::{DoorError, ListenError};

/// Why the daemon stops.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The federation's folder.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// On what terms to let anybody in.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Its roster is not sealed yet.
    #[error("the roster in {0} is not sealed")]
    Unsealed(String),
    /// A file that was named cannot be read.
    #[error("cannot read the {what} {path}: {source}")]
    Unreadable {
        /// What it should be: `job file`, or `approval`.
        what: &'static str,
        /// File.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store or the ledger.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The transport.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The control socket, or whoever answers there.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The output of a command cannot be written.
    #[error("cannot write the output: {0}")]
    Output(std::io::Error),
    /// Signals.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// A second signal, while what was under way was ending.
    #[error("ended by a second signal before everybody was done")]
    Interrupted,
    /// The port was closed while the job went on.
    #[error("the coordinator's port was closed before the job was over")]
    PortClosed,
    /// The job ended without an outcome.
    #[error("job `{job}` was abandoned: {reason}")]
    Abandoned {
        /// Job.
        job: String,
        /// Why.
        reason: String,
    },
}

impl DaemonError {
    /// The text of a file that a person named, which should be `what`.
    ///
    /// # Errors
    /// [`Self::Unreadable`].
    pub fn reading(what: &'static str, path: &Path) -> Result<String, Self> {
        std::fs::read_to_string(path).map_err(|source| Self::Unreadable {
            what,
            path: path.display().to_string(),
            source,
        })
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Config(error) => error.code(),
            Self::Federation(error) => error.code(),
            Self::Door(error) => error.code(),
            Self::Unsealed(_) => "roster.unsealed",
            Self::Unreadable { .. } => file::UNREADABLE,
            Self::Listen(error) => error.code(),
            Self::Coordinator(error) => error.code(),
            Self::Serve(_) | Self::PortClosed => "net.failed",
            Self::Control(error) => error.code(),
            Self::Output(_) => "output.closed",
            Self::Signals(_) => "signals.unavailable",
            Self::Interrupted => "run.interrupted",
            Self::Abandoned { .. } => "job.abandoned",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Config(error) => error.help().into(),
            Self::Federation(error) => error.help().into(),
            Self::Door(error) => error.help(),
            Self::Unsealed(_) => {
                "let every member run `syndic-participant endorse`, then run `syndic federation seal`".into()
            }
            Self::Unreadable { what: JOB_FILE, .. } => {
                "name a readable job file; in the configuration as `job`".into()
            }
            Self::Unreadable { what, .. } => format!("name a readable {what}"),
            Self::Listen(error) => error.help(),
            Self::Coordinator(error) => error.help().into(),
            Self::Control(error) => error.help().into(),
            Self::Output(_) => "write to a terminal or a file that is open".into(),
            Self::Serve(_) | Self::PortClosed | Self::Interrupted | Self::Signals(_) => {
                "start the coordinator again; it goes on from its ledger".into()
            }
            Self::Abandoned { .. } => {
                "the ledger says what happened; hand the job in again under another id".into()
            }
        }
    }

    /// The exit code: 1 the job was abandoned, 2 bad input, 3 the world.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Abandoned { .. } | Self::Interrupted => 1,
            Self::Config(ConfigError::Unreadable { source, .. }) | Self::Unreadable { source, .. } => {
                file::exit_code(source)
            }
            Self::Federation(error) if error.is_of_the_world() => 3,
            Self::Door(error) => {
                if error.is_of_the_world() {
                    3
                } else {
                    2
                }
            }
            Self::Config(ConfigError::Malformed { .. }) | Self::Federation(_) | Self::Unsealed(_) => 2,
            Self::Listen(ListenError::Certificate { .. }) => 2,
            Self::Coordinator(error) if error.is_of_the_files() => 2,
            Self::Listen(_) | Self::Coordinator(_) => 3,
            Self::Control(error) => error.exit_code(),
            Self::Serve(_) | Self::PortClosed | Self::Signals(_) | Self::Output(_) => 3,
        }
    }
}

/// What a file is that holds a job.
pub const JOB_FILE: &str = "job file";
/// What a file is that holds an approver's word.
pub const APPROVAL: &str = "approval";
