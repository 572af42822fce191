//! The journal's file: one SQLite database, write-ahead log, synchronous FULL, one process at a time.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use sqlx::{
    ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use syndic_round::Digest;
use tokio::sync::{Mutex, MutexGuard};

use super::{JournalError, Spool, moments::Moments};
use crate::durable::{create_folder, sync_entry};

/// The durable memory of one participant.
pub struct Journal {
    path: PathBuf,
    connection: Mutex<SqliteConnection>,
    boot: u64,
    pub(super) moments: Moments,
    pub(super) spool: Spool,
    /// Held for as long as the journal is open; the system lets go of it if we die.
    _lock: File,
}

impl Journal {
    /// Opens the journal in the file `path`, which is created if need be, with its folder, readable by this
    /// user alone; counts this boot; and removes encrypted updates that no header in it claims.
    ///
    /// # Errors
    ///
    /// [`JournalError::InUse`] where another process has it open; [`JournalError::WrongFormat`],
    /// [`JournalError::NewerSchema`] or [`JournalError::Corrupt`] where the file is something else.
    pub async fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_with(path, Moments::default()).await
    }

    /// The same, with a process that dies where `dies` says so of the moments before and after its durable steps.
    ///
    /// # Errors
    ///
    /// As [`Journal::open`].
    #[cfg(feature = "tap")]
    pub async fn open_mortal(path: &Path, dies: super::Dies) -> Result<Self, JournalError> {
        Self::open_with(path, Moments::of(dies)).await
    }

    async fn open_with(path: &Path, moments: Moments) -> Result<Self, JournalError> {
        let owned = path.to_owned();
        let lock = tokio::task::spawn_blocking(move || prepare(&owned))
            .await
            .map_err(|stopped| JournalError::io(path, io::Error::other(stopped)))??;
        let mut connection =
            options(path).connect().await.map_err(|error| JournalError::database(path, error))?;
        moments.pass().await;
        let boot = migrate_and_count(path, &mut connection).await?;
        moments.pass().await;
        write_ahead(path, &mut connection).await?;
        let mut updates = path.as_os_str().to_owned();
        updates.push(".updates");
        let spool = Spool::open_with(Path::new(&updates), moments.clone())?;
        let connection = Mutex::new(connection);
        let journal = Self { path: path.to_owned(), connection, boot, moments, spool, _lock: lock };
        journal.sweep_updates().await?;
        Ok(journal)
    }

    /// How often this journal was opened, this time included (rule 9). A number that was seen before means
    /// that the file was restored from a copy: the participant then counts as corrupted.
    pub fn boot(&self) -> u64 {
        self.boot
    }

    pub(super) async fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }

    /// A transaction; dropped before its commit it is rolled back.
    pub(super) async fn begin<'c>(
        &self,
        connection: &'c mut SqliteConnection,
    ) -> Result<Transaction<'c, Sqlite>, JournalError> {
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))
    }

    /// Commits, durably.
    pub(super) async fn commit(&self, transaction: Transaction<'_, Sqlite>) -> Result<(), JournalError> {
        // If we crash here nothing was sent or used yet; the step did not happen, and the same call does it
        // after the restart. Once this returns the step is on disk, and so may be told.
        self.moments.pass().await;
        transaction.commit().await.map_err(|error| self.failed(error))?;
        self.moments.pass().await;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn failed(&self, error: sqlx::Error) -> JournalError {
        JournalError::database(&self.path, error)
    }

    /// A number that this journal stored.
    pub(super) fn number<N: TryFrom<i64>>(&self, stored: i64) -> Result<N, JournalError> {
        N::try_from(stored).map_err(|_| self.corrupt())
    }

    /// A digest that this journal stored.
    pub(super) fn digest(&self, stored: &[u8]) -> Result<Digest, JournalError> {
        stored.try_into().map(Digest).map_err(|_| self.corrupt())
    }

    pub(crate) fn corrupt(&self) -> JournalError {
        JournalError::Corrupt { path: self.path.display().to_string() }
    }
}

/// A number from outside, as SQLite counts.
pub(super) fn stored(number: u64) -> Result<i64, JournalError> {
    i64::try_from(number).map_err(|_| JournalError::OutOfRange(number))
}

/// How a journal is read and written.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

/// Makes the folder and an empty file, and takes the lock.
fn prepare(path: &Path) -> Result<File, JournalError> {
    let failed = |error| JournalError::io(path, error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder).map_err(failed)?;
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = private(Path::new(&lock_path)).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            return Err(JournalError::InUse { path: path.display().to_string() });
        }
        Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
    }
    // SQLite gives its log and index files the permissions of this one. If we crash here the file is
    // empty, which is a journal in which nothing was said yet.
    private(path).and_then(|_| sync_entry(path)).map_err(failed)?;
    Ok(lock)
}

/// Opens a file for writing; a new one is for this user alone.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Switches a file that is known to be ours to write-ahead logging; it stays so.
async fn write_ahead(path: &Path, connection: &mut SqliteConnection) -> Result<(), JournalError> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(connection)
        .await
        .map_err(|error| JournalError::database(path, error))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(JournalError::io(
        path,
        io::Error::other("its file system has no shared memory; put it on a local disk"),
    ))
}

/// Brings the file to the newest schema, or refuses it, and counts the boot.
async fn migrate_and_count(path: &Path, connection: &mut SqliteConnection) -> Result<u64, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let mut opening = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let found = schema(path, &mut opening).await?;
    for sql in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*sql).execute(&mut *opening).await.map_err(failed)?;
    }
    sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES ('schema', ?)")
        .bind(KNOWN.to_string())
        .execute(&mut *opening)
        .await
        .map_err(failed)?;
    let boots: String = sqlx::query_scalar(
        "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'boots' RETURNING value",
    )
    .fetch_one(&mut *opening)
    .await
    .map_err(failed)?;
    // If we crash here the boot does not count: nothing was said in it.
    opening.commit().await.map_err(failed)?;
    boots.parse().map_err(|_| JournalError::Corrupt { path: path.display().to_string() })
}

/// The schema of the file, zero for an empty one; one that this version does not know is refused.
pub(super) async fn schema(path: &Path, connection: &mut SqliteConnection) -> Result<i64, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let wrong = || JournalError::WrongFormat { path: path.display().to_string() };
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    if tables.is_empty() {
        return Ok(0);
    }
    if !tables.iter().any(|table| table == "meta") {
        return Err(wrong());
    }
    let facts: Vec<(String, String)> =
        sqlx::query_as("SELECT key, value FROM meta").fetch_all(connection).await.map_err(failed)?;
    let fact = |name: &str| facts.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if fact("format") != Some("syndic-journal") {
        return Err(wrong());
    }
    let found: i64 = fact("schema")
        .and_then(|schema| schema.parse().ok())
        .filter(|schema| *schema > 0)
        .ok_or_else(wrong)?;
    match found <= KNOWN {
        true => Ok(found),
        false => Err(JournalError::NewerSchema { path: path.display().to_string(), found, known: KNOWN }),
    }
}

/// The newest schema.
const KNOWN: i64 = MIGRATIONS.len() as i64;
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_journal.sql"),
    include_str!("migrations/0002_voids.sql"),
    include_str!("migrations/0003_receipts.sql"),
    include_str!("migrations/0004_sent_ahead.sql"),
    include_str!("migrations/0005_sent_by_place.sql"),
    include_str!("migrations/0006_snapshots.sql"),
    include_str!("migrations/0007_debits.sql"),
    include_str!("migrations/0008_contracts.sql"),
    include_str!("migrations/0009_account.sql"),
    include_str!("migrations/0010_units.sql"),
];
