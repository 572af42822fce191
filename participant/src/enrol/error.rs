//! What can go wrong while an institution joins.

use std::path::PathBuf;

use syndic_round::enrolment::Bundle;
use syndic_round::{Digest, ParticipantId, RosterError};
use thiserror::Error;

use crate::keys::KeysError;
use crate::shown::plain;

/// Why an institution is not enrolled.
#[derive(Debug, Error)]
pub enum EnrolError {
    /// Another kind of file.
    #[error("the bundle is a `{}`, not a `syndic.bundle/1`", plain(found))]
    Schema {
        /// What it says it is.
        found: String,
    },
    /// A bundle made for somebody else.
    #[error("the bundle is for `{}`, the keys are of `{keys}`", plain(bundle))]
    WrongName {
        /// Name in the bundle.
        bundle: String,
        /// Name with the keys.
        keys: String,
    },
    /// A roster of another federation, or of one founded anew under the same name.
    #[error(
        "the roster is of federation `{}` and its coordinator, the bundle of `{}` and another",
        plain(roster),
        plain(bundle)
    )]
    WrongFederation {
        /// Federation in the roster.
        roster: String,
        /// Federation in the bundle.
        bundle: String,
    },
    /// A roster without us, or with another key in our place.
    #[error("the roster does not list `{name}` as participant {id} with this directory's signing key")]
    NotInRoster {
        /// Our name.
        name: String,
        /// Our id.
        id: ParticipantId,
    },
    /// A certificate that does not fit.
    #[error("the certificate of `{}` in the bundle does not fit: {reason}", plain(name))]
    CertificateMismatch {
        /// Name in the bundle.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A sealed roster before we signed any.
    #[error("no roster was endorsed in `{}`", dir.display())]
    NotEndorsed {
        /// The participant's directory.
        dir: PathBuf,
    },
    /// Another roster than the one we signed.
    #[error("the roster ({found}) is not the one that was endorsed here ({endorsed})")]
    ChangedRoster {
        /// Digest of the roster shown.
        found: Digest,
        /// Digest of the roster signed.
        endorsed: Digest,
    },
    /// Signing another roster after one was pinned.
    #[error("a roster ({pinned}) is pinned already")]
    AlreadyPinned {
        /// Its digest.
        pinned: Digest,
    },
    /// A name in a roster outside the rule; such a name could fake what the reviewer sees.
    #[error(
        "the name of {whose} in the roster (`{}`) is not 1 to 64 characters of a-z, 0-9, `-` and `_`",
        plain(name)
    )]
    RosterName {
        /// Whose name it is: the federation's, or which member's.
        whose: String,
        /// The name, as it stands in the roster: not to be shown but through this error.
        name: String,
    },
    /// A roster that its members did not all sign, or that no federation can have.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// A file that is not there.
    #[error("`{}` does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file of another kind.
    #[error("`{}` is not what it should be: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line and the rule that is broken, without the file's text.
        reason: String,
    },
    /// Keys or disk.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl EnrolError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Schema { .. } => "enrol.schema",
            Self::WrongName { .. } => "enrol.wrong-name",
            Self::WrongFederation { .. } => "enrol.wrong-federation",
            Self::NotInRoster { .. } => "enrol.not-in-roster",
            Self::CertificateMismatch { .. } => "enrol.certificate-mismatch",
            Self::NotEndorsed { .. } => "enrol.not-endorsed",
            Self::ChangedRoster { .. } => "enrol.changed-roster",
            Self::AlreadyPinned { .. } => "enrol.already-pinned",
            Self::RosterName { .. } => "roster.name",
            Self::Roster(error) => error.code(),
            Self::Missing { .. } => "enrol.missing",
            Self::Malformed { .. } => "enrol.malformed",
            Self::Keys(error) => error.code(),
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Schema { .. } | Self::WrongName { .. } => {
                "ask the operator for the bundle that `syndic federation add-participant` made for this request"
            }
            Self::WrongFederation { .. } => {
                "bundle and roster must come from the same federation: ask the operator for both again"
            }
            Self::NotInRoster { .. } => {
                "do not sign; ask the operator why the roster differs from the bundle, and compare keys by telephone"
            }
            Self::CertificateMismatch { .. } => {
                "use the directory whose request the operator certified, or send this directory's request again"
            }
            Self::NotEndorsed { .. } => {
                "run `syndic-participant endorse --dir DIR --bundle BUNDLE --roster roster.json` first"
            }
            Self::ChangedRoster { .. } => {
                "do not use it; ask the operator who changed the roster, review the new `roster.json` and endorse \
                 it if it is right"
            }
            Self::AlreadyPinned { .. } => {
                "a pinned roster is never replaced; join another federation from another directory"
            }
            Self::RosterName { .. }
            | Self::Roster(RosterError::Order | RosterError::Size(_) | RosterError::Key(_)) => {
                "do not sign it; no federation can have this roster: ask the operator who changed it, and compare keys \
                 by telephone"
            }
            Self::Roster(_) => "ask the operator for the `roster.sealed.json` that every member signed",
            Self::Missing { .. } => {
                "finish enrolment: keygen, endorse, and pin the `roster.sealed.json` from the operator"
            }
            Self::Malformed { .. } => "ask its sender for the file again, unchanged",
            Self::Keys(error) => error.help(),
        }
    }

    /// The exit code: 2 bad input, 3 the world.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Keys(error) => error.exit_code(),
            _ => 2,
        }
    }

    pub(super) fn mismatch(bundle: &Bundle, reason: &'static str) -> Self {
        Self::CertificateMismatch { name: bundle.name.clone(), reason }
    }
}
