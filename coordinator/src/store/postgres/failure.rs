//! What PostgreSQL and the network say, as errors of a store.

use std::future::Future;
use std::io;
use std::time::Duration;

use super::PostgresAddress;
use crate::store::StoreError;

/// Makes errors that name the server and the schema, and never hold a password.
#[derive(Clone)]
pub(super) struct Failures {
    what: String,
}

impl Failures {
    pub(super) fn of(address: &PostgresAddress, schema: &str) -> Self {
        Self { what: format!("{address}, schema {schema}") }
    }

    /// Server and schema.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn corrupt(&self, position: u64) -> StoreError {
        StoreError::Corrupt { what: format!("entry {position} of {}", self.what) }
    }

    /// What went wrong before anything was to be committed: nothing was stored.
    pub(super) fn before_commit(&self, error: sqlx::Error) -> StoreError {
        let what = self.what.clone();
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        let source = io::Error::other(error);
        match &*code {
            DISK_FULL => StoreError::Full { what },
            LOCK_NOT_AVAILABLE | QUERY_CANCELED | SERIALIZATION_FAILURE | DEADLOCK_DETECTED => {
                StoreError::Busy { what }
            }
            DATA_CORRUPTED | INDEX_CORRUPTED => StoreError::Corrupt { what },
            READ_ONLY => StoreError::Denied { what, source },
            INSUFFICIENT_PRIVILEGE | UNKNOWN_DATABASE | UNKNOWN_SCHEMA => StoreError::Denied { what, source },
            code if code.starts_with(AUTHORIZATION) => StoreError::Denied { what, source },
            _ => StoreError::Unreachable { what, source },
        }
    }

    /// What went wrong while the server was to commit: where it said so itself nothing was stored.
    pub(super) fn at_commit(&self, error: sqlx::Error) -> StoreError {
        match error {
            error @ sqlx::Error::Database(_) => match self.before_commit(error) {
                // A server that is on its way down says this also after the commit was on disk (57P01 and others).
                StoreError::Unreachable { what, source } => StoreError::Unsettled { what, source },
                refused => refused,
            },
            error => StoreError::Unsettled { what: self.what.clone(), source: io::Error::other(error) },
        }
    }

    /// Refuses a session whose commits return before they are on disk. The settings above `on` wait for standbys
    /// too; `local` does not, and neither do we ask for any.
    pub(super) fn require_synchronous_commit(&self, setting: &str) -> Result<(), StoreError> {
        if setting != "off" {
            return Ok(());
        }
        Err(StoreError::NotDurable { what: self.what.clone(), setting: "synchronous_commit is off".into() })
    }

    /// Gives up what no server answers to, having stored nothing.
    pub(super) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(self.silent()))
    }

    fn silent(&self) -> StoreError {
        let source = io::Error::new(io::ErrorKind::TimedOut, "no answer for a minute");
        StoreError::Unreachable { what: self.what.clone(), source }
    }

    /// The same for a commit, of which nobody knows.
    pub(super) async fn commit_in_time(
        &self,
        commit: impl Future<Output = Result<(), sqlx::Error>>,
    ) -> Result<(), StoreError> {
        match tokio::time::timeout(PATIENCE, commit).await {
            Ok(committed) => committed.map_err(|error| self.at_commit(error)),
            Err(_) => Err(StoreError::Unsettled {
                what: self.what.clone(),
                source: io::Error::new(io::ErrorKind::TimedOut, "no answer for a minute"),
            }),
        }
    }
}

/// A server that says nothing for as long as this is as good as gone.
const PATIENCE: Duration = Duration::from_secs(60);

// postgresql.org/docs/current/errcodes-appendix.html
const DISK_FULL: &str = "53100";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const QUERY_CANCELED: &str = "57014";
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK_DETECTED: &str = "40P01";
const DATA_CORRUPTED: &str = "XX001";
const INDEX_CORRUPTED: &str = "XX002";
const READ_ONLY: &str = "25006";
const INSUFFICIENT_PRIVILEGE: &str = "42501";
const UNKNOWN_DATABASE: &str = "3D000";
const UNKNOWN_SCHEMA: &str = "3F000";
/// The class of what is wrong with a login.
const AUTHORIZATION: &str = "28";
