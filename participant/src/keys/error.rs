//! What can go wrong with keys on disk.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::shown::plain;

/// Why keys could not be made, written or read. Never holds key material.
#[derive(Debug, Error)]
pub enum KeysError {
    /// A name that no roster would take.
    #[error("the name `{}` is not 1 to 64 characters of a-z, 0-9, `-` and `_`", plain(name))]
    Name {
        /// The name.
        name: String,
    },
    /// Keys lie there already.
    #[error("`{}` exists already and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No keys lie there, or not all.
    #[error("`{}` does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others on the host can read or write a private key.
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
        reason: &'static str,
    },
    /// The disk said no.
    #[error("cannot access `{}`: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The TLS library could not make or use a key.
    #[error("the TLS library cannot use the key: {reason}")]
    Generation {
        /// Its reason.
        reason: String,
    },
}

impl KeysError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "keys.name",
            Self::Exists { .. } => "keys.exists",
            Self::Missing { .. } => "keys.missing",
            Self::Permissions { .. } => "keys.permissions",
            Self::Malformed { .. } => "keys.malformed",
            Self::Io { .. } => "keys.io",
            Self::Generation { .. } => "keys.generation",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Name { .. } => "choose a short name such as `bank_a`; it is how others will see you",
            Self::Exists { .. } => {
                "the institution has keys already: use them, or choose another directory; delete them only \
                 if no operator has certified them"
            }
            Self::Missing { .. } => {
                "make keys with `syndic-participant keygen --name NAME --dir DIR`, or correct the directory"
            }
            Self::Permissions { .. } => "run `chmod 600` on it, and ask who may have read it",
            Self::Malformed { .. } => {
                "restore the file from a backup; if the keys were never certified, delete the directory and \
                 run `syndic-participant keygen` again"
            }
            Self::Io { .. } => {
                "check that the directory exists, is writable for this user and has space left"
            }
            Self::Generation { .. } => {
                "restore the key file from a backup; where the key is fresh, the system's random number \
                 source is not available to this process"
            }
        }
    }

    /// The exit code: 2 bad input, 3 the world.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Generation { .. } => 3,
            Self::Name { .. }
            | Self::Exists { .. }
            | Self::Missing { .. }
            | Self::Permissions { .. }
            | Self::Malformed { .. } => 2,
        }
    }

    pub(super) fn generation(error: impl std::fmt::Display) -> Self {
        Self::Generation { reason: error.to_string() }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Io { path, source },
        }
    }

    pub(super) fn malformed(path: &Path, reason: &'static str) -> Self {
        Self::Malformed { path: path.to_owned(), reason }
    }
}
