//! The log in PostgreSQL: each federation in a schema of its own, so that each has its own rights, backups and
//! migrations, and none sees another's entries.
//!
//! Whoever appends holds the row lock of [`LOCK`] from before it looks at the head until its transaction is over.
//! So appends stand in line, leases are looked at in the transaction that appends, and who has the lock knows that
//! no other append is under way: [`Log::holds`](super::Log::holds) answers for good.
//!
//! Statements rely on the settings of the session, so the connection must reach the server itself, or a pooler
//! that keeps one server session for each of ours.

mod address;
mod cosignatures;
mod failure;
mod leases;
mod listening;
mod log;
mod migrate;
mod standing;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, Postgres, Transaction};
use tracing::warn;

pub use address::{BadAddress, PostgresAddress};

use self::failure::Failures;
use self::listening::Listening;
use super::StoreError;

/// The log, and the leases beside it, in a PostgreSQL database.
pub struct PostgresLog {
    pool: PgPool,
    failures: Failures,
    /// The schema, and the channel that tells of changes.
    schema: String,
    listening: OnceLock<Listening>,
}

impl PostgresLog {
    /// The log of `federation` in the database at `address`; its schema is created if need be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreachable`] or [`StoreError::Denied`]; [`StoreError::NotDurable`];
    /// [`StoreError::WrongFormat`], [`StoreError::NewerSchema`] or [`StoreError::OtherFederation`] where the schema
    /// is something else, and was left as it is.
    pub async fn open(address: &PostgresAddress, federation: &str) -> Result<Self, StoreError> {
        let schema = schema_of(federation);
        let failures = Failures::of(address, &schema);
        let options = options(address, &schema);
        // By itself, not from the pool: a pool would go on trying, and not say why.
        let connect = async { options.connect().await.map_err(|error| failures.before_commit(error)) };
        let mut connection = failures.in_time(connect).await?;
        failures.in_time(prepare(&mut connection, &schema, federation, &failures)).await?;
        // What matters is stored; the server notices by itself when nobody says goodbye.
        let _ = connection.close().await;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE_FOR_A_CONNECTION)
            .connect_lazy_with(options);
        Ok(Self { pool, failures, schema, listening: OnceLock::new() })
    }

    /// Begins what may write, and waits until nobody else does.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let failed = |error| self.failures.before_commit(error);
        let mut batch = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(failed)?;
        let setting: String = sqlx::query_scalar(LOCK).fetch_one(&mut *batch).await.map_err(failed)?;
        // Every time: somebody may have turned it off since the last, for this user or for the whole server.
        self.failures.require_synchronous_commit(&setting)?;
        Ok(batch)
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.failures.in_time(work).await
    }
}

/// Checks the server, and brings the schema up to date.
async fn prepare(
    connection: &mut PgConnection,
    schema: &str,
    federation: &str,
    failures: &Failures,
) -> Result<(), StoreError> {
    let failed = |error| failures.before_commit(error);
    let (synchronous_commit, fsync, full_page_writes): (String, String, String) = sqlx::query_as(
        "SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    failures.require_synchronous_commit(&synchronous_commit)?;
    for (setting, value) in [("fsync", fsync), ("full_page_writes", full_page_writes)] {
        if value == "off" {
            warn!(
                server = failures.what(),
                setting,
                "DANGER: this PostgreSQL server loses acknowledged entries in a power cut; turn `{setting}` on"
            );
        }
    }
    migrate::migrate(connection, schema, federation, failures).await
}

/// How each session is set up.
fn options(address: &PostgresAddress, schema: &str) -> PgConnectOptions {
    let settings = [
        ("search_path", format!("\"{schema}\"")),
        // Behind a writer that hangs we would otherwise wait for ever, and so would others behind us: a server
        // does not notice by itself that a client's host is gone.
        ("lock_timeout", "10s".into()),
        ("statement_timeout", "60s".into()),
        // A process that stands still in the middle of a transaction keeps the only lock. It is cut off well before its lease is
        // over, and before whoever stands in line behind it gives up: so nobody else is held up by it.
        ("idle_in_transaction_session_timeout", "8s".into()),
        ("tcp_keepalives_idle", "20".into()),
        ("tcp_keepalives_interval", "5".into()),
        ("tcp_keepalives_count", "3".into()),
    ];
    address
        .options()
        .clone()
        .application_name("syndic-coordinator")
        .options(settings)
        .disable_statement_logging()
}

/// A name of at most 63 bytes, which is where PostgreSQL cuts names off, and without quotation marks. The
/// federation's own name is in the schema, and checked.
fn schema_of(federation: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if federation.bytes().all(is_plain) && federation.len() <= LONGEST_NAME - PREFIX.len() {
        return format!("{PREFIX}{federation}");
    }
    let digest = syndic_round::Digest::of(federation.as_bytes()).to_string();
    format!("{PREFIX}{}", &digest[..32])
}

/// Stands in line for the only lock there is, and asks whether a commit will be durable.
const LOCK: &str = "SELECT current_setting('synchronous_commit') FROM meta WHERE key = 'format' FOR UPDATE";
const PREFIX: &str = "syndic_";
const LONGEST_NAME: usize = 63;
/// One who appends, those who read, and one who listens.
const CONNECTIONS: u32 = 6;
const PATIENCE_FOR_A_CONNECTION: Duration = Duration::from_secs(10);
