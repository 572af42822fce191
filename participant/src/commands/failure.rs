//! What to tell a person whose command failed.

use std::io::{Error, ErrorKind};

use syndic_participant::agent::AgentError;
use syndic_participant::enrol::EnrolError;
use syndic_participant::journal::JournalError;
use syndic_participant::keys::KeysError;
use syndic_terminal::file;

/// What to tell a person whose command failed.
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) exit: u8,
}

impl Failure {
    /// A file that a person named, on the command line or in the configuration, cannot be read.
    pub(crate) fn unreadable(message: String, cause: &Error) -> Self {
        let (code, exit) = (file::UNREADABLE.into(), file::exit_code(cause));
        Self { code, message, help: "check the path, and that this user may read the file".into(), exit }
    }
}

/// What was read from a file that a person named, as against one that an enrolment must have.
pub(super) fn named<T>(read: Result<T, EnrolError>) -> Result<T, Failure> {
    read.map_err(|error| match &error {
        EnrolError::Missing { .. } => Failure::unreadable(error.to_string(), &ErrorKind::NotFound.into()),
        EnrolError::Keys(KeysError::Io { source, .. }) => Failure::unreadable(error.to_string(), source),
        _ => error.into(),
    })
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        let (code, help, exit) = (error.code().into(), error.help().into(), error.exit_code());
        Self { code, message: error.to_string(), help, exit }
    }
}

impl From<EnrolError> for Failure {
    fn from(error: EnrolError) -> Self {
        let (code, help, exit) = (error.code().into(), error.help().into(), error.exit_code());
        Self { code, message: error.to_string(), help, exit }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let help = error.help().unwrap_or("check the disk that the state folder is on");
        Self { code: error.code().into(), message: error.to_string(), help: help.into(), exit: 3 }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        let (code, help, exit) = (error.code().into(), error.help().into(), error.exit_code());
        Self { code, message: error.to_string(), help, exit }
    }
}
