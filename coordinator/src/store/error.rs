//! What can go wrong in a store, by who has to act.

use std::{io, path::Path};

use syndic_ledger::tiles::TooLong;
use syndic_round::Digest;
use thiserror::Error;

/// A store could not keep its promise. After any of these nothing has changed, except where
/// [`StoreError::leaves_open_what_is_stored`] says that the outcome is unknown: then ask the store again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The log has another head than the caller saw: read on from there and decide again.
    #[error("the log holds {actual} entries, not {expected}")]
    Conflict {
        /// The size that the caller saw.
        expected: u64,
        /// The size of the log.
        actual: u64,
    },
    /// No blob of this name is stored.
    #[error("no blob {digest} is stored")]
    Absent {
        /// The name asked for.
        digest: Digest,
    },
    /// The bytes handed in are not those that the caller announced; nothing was stored.
    #[error("the bytes written have digest {actual}, not {expected}")]
    DigestMismatch {
        /// The digest announced.
        expected: Digest,
        /// The digest of what was written.
        actual: Digest,
    },
    /// What is stored is not what was written.
    #[error("{what} is damaged")]
    Corrupt {
        /// The blob, entry or file, by name.
        what: String,
    },
    /// The file belongs to something else.
    #[error("{path} is not a Syndic {expected}")]
    WrongFormat {
        /// The file.
        path: String,
        /// What it was opened as.
        expected: &'static str,
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
    /// An older version of this software wrote the file, and it was not brought to this one's schema yet.
    #[error("{path} has schema {found}, not yet {known}")]
    OlderSchema {
        /// The file.
        path: String,
        /// The schema found.
        found: i64,
        /// The newest schema known.
        known: i64,
    },
    /// No space is left.
    #[error("no space is left for {what}")]
    Full {
        /// What was being written.
        what: String,
    },
    /// Another process holds the file for longer than we wait.
    #[error("{what} is held by another process")]
    Busy {
        /// The file.
        what: String,
    },
    /// The lease that an append, a renewal or a release was made under is not held any more with that epoch.
    #[error("lease `{name}` is not held any more with epoch {epoch}")]
    Fenced {
        /// The lease.
        name: String,
        /// The epoch that was shown.
        epoch: u64,
    },
    /// Somebody else holds the lease.
    #[error("lease `{name}` is held by {holder}")]
    Held {
        /// The lease.
        name: String,
        /// Who holds it.
        holder: String,
    },
    /// The server cannot be reached, or does not take part now: nothing was stored.
    #[error("cannot reach {what}: {source}")]
    Unreachable {
        /// The server.
        what: String,
        /// What was said.
        source: io::Error,
    },
    /// The lease of a replica was not renewed for as long as it lasts: the others take it for dead.
    #[error("cut off from the database: the lease of this coordinator could not be renewed in time")]
    CutOff,
    /// The answer to a commit was lost: the batch is there as a whole, or not at all.
    #[error("{what} did not say whether a batch is stored: {source}")]
    Unsettled {
        /// The server.
        what: String,
        /// What was said.
        source: io::Error,
    },
    /// The server knows us, and does not let us do this.
    #[error("{what} refuses this: {source}")]
    Denied {
        /// The server.
        what: String,
        /// What was said.
        source: io::Error,
    },
    /// The server would acknowledge what a power cut takes away again.
    #[error("{what} does not store durably: {setting}")]
    NotDurable {
        /// The server.
        what: String,
        /// The setting at fault.
        setting: String,
    },
    /// The place holds the ledger of another federation.
    #[error("{what} belongs to federation `{found}`, not to `{expected}`")]
    OtherFederation {
        /// Where.
        what: String,
        /// Whose it is.
        found: String,
        /// Who we are.
        expected: String,
    },
    /// The ledger was moved from here.
    #[error("{what} was left: the ledger is in {to}")]
    Left {
        /// Where it was.
        what: String,
        /// Where it is.
        to: String,
    },
    /// A copy of the ledger that is not whole.
    #[error("{what} holds a part of a ledger: a migration to it was not finished")]
    Filling {
        /// Where.
        what: String,
    },
    /// The configuration names servers, and the ledger is elsewhere.
    #[error("the ledger is still in {what}")]
    NotMoved {
        /// Where.
        what: String,
    },
    /// There is nothing to move.
    #[error("there is no ledger in {what}")]
    NoLedger {
        /// Where.
        what: String,
    },
    /// A place that is to be filled is not empty.
    #[error("{what} holds another ledger")]
    Occupied {
        /// Where.
        what: String,
    },
    /// Both have the name and are not the same.
    #[error("{what} is not what {of} holds")]
    Differs {
        /// What, and where.
        what: String,
        /// What it was compared with.
        of: String,
    },
    /// An entry that no bundle of a ledger can hold.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, to which file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "store.conflict",
            Self::Absent { .. } => "store.absent",
            Self::DigestMismatch { .. } => "store.digest-mismatch",
            Self::Corrupt { .. } => "store.corrupt",
            Self::WrongFormat { .. } => "store.wrong-format",
            Self::NewerSchema { .. } => "store.newer-schema",
            Self::OlderSchema { .. } => "store.older-schema",
            Self::Full { .. } => "store.full",
            Self::Busy { .. } => "store.busy",
            Self::Fenced { .. } => "store.fenced",
            Self::Held { .. } => "store.lease-held",
            Self::Unreachable { .. } => "store.unreachable",
            Self::CutOff => "store.cut-off",
            Self::Unsettled { .. } => "store.unsettled",
            Self::Denied { .. } => "store.denied",
            Self::NotDurable { .. } => "store.not-durable",
            Self::OtherFederation { .. } => "store.other-federation",
            Self::Left { .. } => "store.left",
            Self::Filling { .. } => "store.incomplete",
            Self::NotMoved { .. } => "store.not-moved",
            Self::NoLedger { .. } => "store.no-ledger",
            Self::Occupied { .. } => "store.occupied",
            Self::Differs { .. } => "store.differs",
            Self::TooLong(error) => error.code(),
            Self::Io { .. } => "store.io",
        }
    }

    /// What an operator can do next, where there is something to do.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Conflict { .. } | Self::Absent { .. } | Self::DigestMismatch { .. } | Self::TooLong(_) => {
                None
            }
            Self::Corrupt { .. } => {
                Some("restore it from a backup; the ledger's checkpoint tells which copy is the right one")
            }
            Self::WrongFormat { .. } => Some("check the path in the configuration"),
            Self::NewerSchema { .. } => Some("start the version that wrote it, or a newer one"),
            Self::OlderSchema { .. } => {
                Some("start the coordinator of this version once; it renews the file")
            }
            Self::Full { .. } => Some("free space on that volume; nothing is lost, the sender will retry"),
            Self::Busy { .. } => Some("see whether a second coordinator runs on the same folder"),
            Self::Fenced { .. } => Some(
                "another process has this one's name, from a copy of its state folder, or does its work; stop one of them",
            ),
            Self::Held { .. } => Some("stop whoever works on the ledger, or wait until its lease is over"),
            Self::Unreachable { .. } => {
                Some("check address, network and server; nothing was stored, and it is tried again")
            }
            Self::CutOff => Some(
                "check the network between this host and its database; participants go to other coordinators meanwhile, and it serves again by itself",
            ),
            Self::Unsettled { .. } => {
                Some("once the server is back the log is asked whether it holds the batch")
            }
            Self::Denied { .. } => {
                Some("check user, password or key, and what the server allows them; docs/stores.md lists it")
            }
            Self::NotDurable { .. } => {
                Some("turn it on for this database and user; an acknowledged entry must survive a power cut")
            }
            Self::OtherFederation { .. } => Some("check database, bucket and prefix in the configuration"),
            Self::Left { .. } => Some(
                "set `[store]` as it was when the ledger was moved, or move it back with `syndic-coordinator migrate-store`",
            ),
            Self::Filling { .. } => {
                Some("run `syndic-coordinator migrate-store` again; it goes on where it was")
            }
            Self::NotMoved { .. } => Some(
                "run `syndic-coordinator migrate-store --to servers`, or take `[store]` out of the configuration",
            ),
            Self::NoLedger { .. } => {
                Some("check `state` and `[store]` in the configuration, and the direction")
            }
            Self::Occupied { .. } => Some(
                "check where the ledger is, and which of both is the right one; nothing was changed. To fill that place, empty it by hand",
            ),
            Self::Differs { .. } => Some(
                "nothing was moved: the ledger is where it was; empty the copy by hand and run the migration again",
            ),
            Self::Io { .. } => Some("check that the folder exists and that this user may write to it"),
        }
    }

    /// Whether the place is not what the configuration takes it for, and trying again cannot help.
    pub fn is_of_the_files(&self) -> bool {
        matches!(
            self,
            Self::WrongFormat { .. }
                | Self::NewerSchema { .. }
                | Self::OtherFederation { .. }
                | Self::Left { .. }
                | Self::Filling { .. }
                | Self::NotMoved { .. }
                | Self::NoLedger { .. }
                | Self::Occupied { .. }
        )
    }

    /// Whether the store may take the same another time, once somebody has made room or mended something.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Full { .. }
                | Self::Busy { .. }
                | Self::Io { .. }
                | Self::Unreachable { .. }
                | Self::CutOff
                | Self::Unsettled { .. }
                | Self::Denied { .. }
                | Self::NotDurable { .. }
                | Self::Held { .. }
        )
    }

    /// Whether an append that ended so may be stored all the same; [`super::Log::holds`] tells.
    pub fn leaves_open_what_is_stored(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Unsettled { .. })
    }

    /// The error of an operation on `path`; `what` says which, as in "cannot write".
    pub(super) fn io(what: &str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { what: path.display().to_string() }
            }
            _ => Self::Io { what: format!("{what} {}", path.display()), source },
        }
    }

    /// The error of a statement on the database file `path`.
    pub(super) fn database(path: &Path, error: sqlx::Error) -> Self {
        let what = path.display().to_string();
        match primary_code(&error) {
            Some(SQLITE_FULL) => Self::Full { what },
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Busy { what },
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Corrupt { what },
            _ => Self::Io { what, source: io::Error::other(error) },
        }
    }
}

/// The primary result code, which is the low byte of the extended one (sqlite.org/rescode.html).
fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

const SQLITE_BUSY: i64 = 5;
const SQLITE_LOCKED: i64 = 6;
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_FULL: i64 = 13;
const SQLITE_NOTADB: i64 = 26;
