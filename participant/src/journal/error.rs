//! Why the journal refused: a rule of the protocol, or the file.

use std::{io, path::Path};

use syndic_learning::job::Protected;
use syndic_round::RoundId;
use thiserror::Error;

use super::MessageKind;

/// The journal refused. Nothing was changed, except where [`JournalError::Io`] leaves the outcome unknown:
/// then ask again with the same arguments, which is always safe.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Rule 4: another message of this kind was said in this preparation.
    #[error("another {kind} was already said in preparation {preparation}")]
    AlreadySaid {
        /// The kind of message.
        kind: MessageKind,
        /// The preparation.
        preparation: u64,
    },
    /// Rule 5: a preparation is begun once, and in order.
    #[error("preparation {number} is not newer than preparation {newest}")]
    PreparationOld {
        /// The preparation asked for.
        number: u64,
        /// The newest one of the job.
        newest: u64,
    },
    /// The preparation was never begun here.
    #[error("preparation {number} was never begun here")]
    PreparationUnknown {
        /// The preparation.
        number: u64,
    },
    /// Rule 5: binding a preparation wiped all lower unused ones.
    #[error("preparation {number} was wiped when preparation {bound} was bound")]
    PreparationWiped {
        /// The preparation.
        number: u64,
        /// The higher one that is bound.
        bound: u64,
    },
    /// Rule 5: the preparation is bound to something else.
    #[error("preparation {number} is bound to another question, or to another attempt than round {to}")]
    BoundOtherwise {
        /// The preparation.
        number: u64,
        /// The attempt that it is bound to.
        to: RoundId,
    },
    /// Rule 5: the attempt has its preparation.
    #[error("round {round} has consumed preparation {preparation}")]
    AttemptBound {
        /// The round and attempt.
        round: RoundId,
        /// Its preparation.
        preparation: u64,
    },
    /// Rule 5: the message uses the key, and the preparation is not bound.
    #[error("preparation {preparation} is not bound to a question, which must come before its {kind}")]
    Unbound {
        /// The kind of message.
        kind: MessageKind,
        /// The preparation.
        preparation: u64,
    },
    /// Rule 11: what helps to open a sum and the promise never to do so exclude each other.
    #[error("no {kind} in preparation {preparation}, in which the {earlier} was said")]
    Excluded {
        /// The kind of message asked for.
        kind: MessageKind,
        /// What was said before.
        earlier: MessageKind,
        /// The preparation.
        preparation: u64,
    },
    /// Rule 11: this participant helped to open the question in another attempt.
    #[error("the same question was already opened in round {round} of job {job}")]
    AlreadyOpened {
        /// The job of the opening.
        job: String,
        /// The round and attempt of the opening.
        round: RoundId,
    },
    /// The job was accepted with another file.
    #[error("job {job} was accepted with another job file")]
    OtherAgreement {
        /// The job.
        job: String,
    },
    /// The job's rows were others when it was accepted.
    #[error(
        "the rows of job {job} were read from other files, or by another query, when the job was accepted"
    )]
    OtherSnapshot {
        /// The job.
        job: String,
    },
    /// The ledger shown is shorter than the one seen before.
    #[error("the ledger shown has {shown} entries; one with {kept} was seen before")]
    CheckpointOlder {
        /// Size seen before.
        kept: u64,
        /// Size shown now.
        shown: u64,
    },
    /// The ledger shown has the size of the one seen before, and another content.
    #[error("the ledger shown differs from the one of the same {size} entries that was seen before")]
    CheckpointForked {
        /// The size of both.
        size: u64,
    },
    /// Rule 9: the ledger has a message of this participant, in a job that is not over, that this journal did not send.
    #[error(
        "the ledger has a message of this participant that its journal did not send: entry {index}, {kind}, {subject}"
    )]
    Restored {
        /// Its place in the ledger.
        index: u64,
        /// The entry's type.
        kind: String,
        /// What the entry is about.
        subject: String,
    },
    /// A number from outside is beyond what can be stored.
    #[error("{0} is out of range")]
    OutOfRange(u64),
    /// Another process has the journal open.
    #[error("{path} is in use by another process")]
    InUse {
        /// The file.
        path: String,
    },
    /// The account has a limit, and nobody said what was debited before, in other journals.
    #[error(
        "the site policy sets a privacy budget, and {path} does not know what was debited before it: it is a new journal"
    )]
    AccountUnknown {
        /// The file.
        path: String,
        /// What the amounts of the account protect.
        unit: Protected,
    },
    /// The file belongs to something else.
    #[error("{path} is not a participant's journal")]
    WrongFormat {
        /// The file.
        path: String,
    },
    /// A newer version of this software wrote the file.
    #[error("{path} has schema {found}; this version knows up to {known}")]
    NewerSchema {
        /// The file.
        path: String,
        /// The schema found.
        found: i64,
        /// The newest schema known.
        known: i64,
    },
    /// What is stored is not what was written.
    #[error("{path} is damaged")]
    Corrupt {
        /// The file.
        path: String,
    },
    /// No space is left.
    #[error("no space is left for {path}")]
    Full {
        /// The file.
        path: String,
    },
    /// The system refused.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl JournalError {
    /// Whether a rule forbids what was asked for; otherwise the journal itself cannot be used.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::AlreadySaid { .. }
                | Self::PreparationOld { .. }
                | Self::PreparationUnknown { .. }
                | Self::PreparationWiped { .. }
                | Self::BoundOtherwise { .. }
                | Self::AttemptBound { .. }
                | Self::Unbound { .. }
                | Self::Excluded { .. }
                | Self::AlreadyOpened { .. }
                | Self::OtherAgreement { .. }
                | Self::OtherSnapshot { .. }
                | Self::CheckpointOlder { .. }
                | Self::CheckpointForked { .. }
                | Self::OutOfRange(_)
        )
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadySaid { .. } => "journal.already-said",
            Self::PreparationOld { .. } => "journal.preparation-old",
            Self::PreparationUnknown { .. } => "journal.preparation-unknown",
            Self::PreparationWiped { .. } => "journal.preparation-wiped",
            Self::BoundOtherwise { .. } => "journal.bound-otherwise",
            Self::AttemptBound { .. } => "journal.attempt-bound",
            Self::Unbound { .. } => "journal.unbound",
            Self::Excluded { .. } => "journal.excluded",
            Self::AlreadyOpened { .. } => "journal.already-opened",
            Self::OtherAgreement { .. } => "journal.other-agreement",
            Self::OtherSnapshot { .. } => "journal.other-snapshot",
            Self::CheckpointOlder { .. } => "journal.checkpoint-older",
            Self::CheckpointForked { .. } => "journal.checkpoint-forked",
            Self::Restored { .. } => "journal.restored",
            Self::OutOfRange(_) => "journal.out-of-range",
            Self::InUse { .. } => "journal.in-use",
            Self::AccountUnknown { .. } => "budget.unknown",
            Self::WrongFormat { .. } => "journal.wrong-format",
            Self::NewerSchema { .. } => "journal.newer-schema",
            Self::Corrupt { .. } => "journal.corrupt",
            Self::Full { .. } => "journal.full",
            Self::Io { .. } => "journal.io",
        }
    }

    /// What the institution's operator can do next, where there is something to do.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::CheckpointOlder { .. } | Self::CheckpointForked { .. } => Some(
                "the coordinator's ledger changed its past: keep this journal as evidence, tell the members",
            ),
            Self::OtherSnapshot { .. } => Some(
                "put the files and the query back as they were until the job is over: all its rounds use the same rows",
            ),
            Self::Restored { .. } => Some(
                "an older copy of the state folder was put back, or it is a new one, or two agents run with one institution's \
                 keys. Put the newest state folder in its place, or leave this agent stopped until the job is over: it could \
                 sign a second message where it has signed one",
            ),
            Self::InUse { .. } => {
                Some("stop the other agent; two agents of one institution need two journals")
            }
            Self::AccountUnknown { unit: Protected::Institution, .. } => Some(
                "write `already_spent` into [privacy.institution.budget] of the policy: what `syndic-participant budget` showed for the state \
                 folder before this one, or `{ epsilon = 0.0, delta = 0.0 }` where this institution was in no job with noise for institutions yet",
            ),
            Self::AccountUnknown { unit: Protected::Row, .. } => Some(
                "write `already_spent` into [privacy.budget] of the policy: what `syndic-participant budget` showed for the state folder \
                 before this one, or `{ epsilon = 0.0, delta = 0.0 }` where these rows were in no job with noise yet",
            ),
            Self::WrongFormat { .. } => Some("check the journal's path in the configuration"),
            Self::NewerSchema { .. } => Some("start the version that wrote it, or a newer one"),
            Self::Corrupt { .. } => Some(
                "keep the file, and put no older copy in its place: it would forget what was said. Make new keys with \
                 `syndic-participant keygen` in a new folder, enrol with them, and name another folder as `state`",
            ),
            Self::Full { .. } => Some("free space on that volume; nothing was sent"),
            Self::Io { .. } => Some("check that the folder exists and that this user may write to it"),
            _ => None,
        }
    }

    /// The error of an operation on the file `path`.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.display().to_string();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { path, source },
        }
    }

    /// The error of a statement on the file `path`, by its primary result code (sqlite.org/rescode.html).
    pub(super) fn database(path: &Path, error: sqlx::Error) -> Self {
        let unreadable = matches!(
            error,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_)
        );
        if unreadable {
            return Self::Corrupt { path: path.display().to_string() };
        }
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<i64>().ok());
        let shown = path.display().to_string();
        match code.map(|code| code & 0xff) {
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::InUse { path: shown },
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Corrupt { path: shown },
            Some(SQLITE_FULL) => Self::Full { path: shown },
            _ => Self::io(path, io::Error::other(error)),
        }
    }
}

const SQLITE_BUSY: i64 = 5;
const SQLITE_LOCKED: i64 = 6;
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_FULL: i64 = 13;
const SQLITE_NOTADB: i64 = 26;
