//! What can go wrong when certificates are issued and key files are read.

use std::io;
use std::path::{Path, PathBuf};

use syndic_round::Timestamp;
use syndic_round::enrolment::RequestError;
use thiserror::Error;

use crate::durable::Failed;

/// Why a certificate is not issued. Never holds key material.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A federation name outside the rule.
    #[error("the federation name `{0}` is not 1 to 64 characters of a-z, 0-9, `-` and `_`")]
    Name(String),
    /// A host that no certificate can name.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    Host(String),
    /// Dates that a certificate cannot hold.
    #[error("a certificate cannot hold from {} to {} (milliseconds since 1970)", from.0, until.0)]
    Validity {
        /// The first instant.
        from: Timestamp,
        /// The last.
        until: Timestamp,
    },
    /// A request that does not prove its signing key.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A request that does not prove its TLS key.
    #[error("the certificate request of `{name}` is refused: {reason}")]
    Csr {
        /// Who asked.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate library could not make or use a key or certificate.
    #[error("the certificate library refuses: {reason}")]
    Library {
        /// Its reason.
        reason: String,
    },
}

impl AuthorityError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "federation.name",
            Self::Host(_) => "federation.host",
            Self::Validity { .. } => "authority.validity",
            Self::Request(error) => error.code(),
            Self::Csr { .. } => "request.csr",
            Self::Library { .. } => "authority.library",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Name(_) => "choose a short name such as `consumer_credit`; members will see it",
            Self::Host(_) => "give hosts as `hub.example.org`, `hub.example.org:7443` or `192.0.2.7`",
            Self::Validity { .. } => "check this host's clock and the number of days asked for",
            Self::Request(_) | Self::Csr { .. } => {
                "ask the institution to send again, unchanged, the file that `syndic-participant keygen` wrote"
            }
            Self::Library { .. } => {
                "check that the authority's files are those that `syndic federation init` wrote"
            }
        }
    }

    pub(super) fn library(error: impl std::fmt::Display) -> Self {
        Self::Library { reason: error.to_string() }
    }
}

/// Why a file of a federation directory could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is there already.
    #[error("`{}` exists already and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// It is not there.
    #[error("`{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// Others on the host can use a private key.
    #[error("`{}` is open to others (mode {mode:03o})", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not the kind of file that belongs there.
    #[error("`{}` {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk said no.
    #[error("cannot access `{}`: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "federation.exists",
            Self::Missing(_) => "federation.missing",
            Self::Permissions { .. } => "federation.permissions",
            Self::Malformed { .. } => "federation.malformed",
            Self::Io { .. } => "federation.io",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Exists(_) => "use the federation that is there, or choose another directory",
            Self::Missing(_) => {
                "check the path; `syndic federation init --name NAME --dir DIR --host HOST` makes a directory"
            }
            Self::Permissions { .. } => "run `chmod 600` on it, and ask who may have read it",
            Self::Malformed { .. } => "restore the file from a backup, or ask its sender for it again",
            Self::Io { .. } => {
                "check that the directory exists, is writable for this user and has space left"
            }
        }
    }

    pub(crate) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path),
            io::ErrorKind::AlreadyExists => Self::Exists(path),
            _ => Self::Io { path, source },
        }
    }

    pub(crate) fn malformed(path: &Path, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.into() }
    }
}

impl From<Failed> for FileError {
    fn from(Failed { path, source, .. }: Failed) -> Self {
        Self::Io { path, source }
    }
}
