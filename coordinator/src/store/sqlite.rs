//! The log as one SQLite file: write-ahead log, synchronous FULL, one writer.
//!
//! With synchronous FULL a commit returns after the write-ahead log was synced (sqlite.org/pragma.html,
//! "synchronous"): what was appended survives a power cut.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;

use super::{Log, StoreError, create_folder};
use crate::durable::folder_of;

/// The embedded log.
pub struct SqliteLog {
    path: PathBuf,
    writer: Mutex<SqliteConnection>,
    /// Reads run beside the writer, each on the state after some whole batch.
    reader: Mutex<SqliteConnection>,
}

impl SqliteLog {
    /// The log in the file `path`, which is created if need be, with its folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongFormat`], [`StoreError::NewerSchema`] or [`StoreError::Corrupt`] where the file
    /// is something else; [`StoreError::Io`] where it cannot be opened for writing.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = folder_of(path) {
            create_folder(folder).await?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let failed = |error| StoreError::database(path, error);
        let mut writer = options.clone().create_if_missing(true).connect().await.map_err(failed)?;
        migrate(path, &mut writer).await?;
        write_ahead(path, &mut writer).await?;
        let reader = options.read_only(true).connect().await.map_err(failed)?;
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::database(&self.path, error)
    }
}

#[async_trait]
impl Log for SqliteLog {
    async fn append(&self, expected_size: u64, entries: &[Vec<u8>]) -> Result<u64, StoreError> {
        let failed = |error| self.failed(error);
        let mut writer = self.writer.lock().await;
        // Dropped before its commit, the transaction is rolled back.
        let mut batch = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let actual = head(&self.path, &mut batch).await?;
        if actual != expected_size {
            return Err(StoreError::Conflict { expected: expected_size, actual });
        }
        for (position, bytes) in (actual..).zip(entries) {
            sqlx::query("INSERT INTO entries (position, bytes) VALUES (?, ?)")
                .bind(index(position))
                .bind(bytes.as_slice())
                .execute(&mut *batch)
                .await
                .map_err(failed)?;
        }
        // If we crash here the write-ahead log holds a batch without its commit record; SQLite drops it
        // when the file is next opened. Nobody was told: the sender will hand the input in again.
        batch.commit().await.map_err(failed)?;
        Ok(actual + entries.len() as u64)
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT position, bytes FROM entries WHERE position >= ? ORDER BY position LIMIT ?",
        )
        .bind(index(from))
        .bind(index(limit))
        .fetch_all(&mut *reader)
        .await
        .map_err(|error| self.failed(error))?;
        let entry = |((position, bytes), wanted)| {
            if position == index(wanted) { Ok(bytes) } else { Err(self.missing(wanted)) }
        };
        rows.into_iter().zip(from..).map(entry).collect()
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let mut reader = self.reader.lock().await;
        head(&self.path, &mut reader).await
    }
}

impl SqliteLog {
    fn missing(&self, position: u64) -> StoreError {
        StoreError::Corrupt { what: format!("entry {position} of {}", self.path.display()) }
    }
}

async fn head(path: &Path, connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let next: i64 = sqlx::query_scalar("SELECT coalesce(max(position) + 1, 0) FROM entries")
        .fetch_one(connection)
        .await
        .map_err(|error| StoreError::database(path, error))?;
    Ok(u64::try_from(next).expect("the schema checks that positions are not negative"))
}

/// Switches a file that is known to be ours to write-ahead logging; it stays so.
async fn write_ahead(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(connection)
        .await
        .map_err(|error| StoreError::database(path, error))?;
    if mode == "wal" {
        return Ok(());
    }
    let source = std::io::Error::other("its file system has no shared memory; put it on a local disk");
    Err(StoreError::Io { what: format!("cannot log ahead in {}", path.display()), source })
}

/// Brings the file to the newest schema, or refuses it.
async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = |error| StoreError::database(path, error);
    let mut migration = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let found = schema(path, &mut migration).await?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::NewerSchema { path: path.display().to_string(), found, known });
    }
    for sql in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*sql).execute(&mut *migration).await.map_err(failed)?;
    }
    if found < known {
        sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES ('schema', ?)")
            .bind(known.to_string())
            .execute(&mut *migration)
            .await
            .map_err(failed)?;
    }
    // If we crash here the file has its old schema, or none; the next start migrates it.
    migration.commit().await.map_err(failed)
}

/// The schema of the file, zero for an empty one.
async fn schema(path: &Path, connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let failed = |error| StoreError::database(path, error);
    let wrong = || StoreError::WrongFormat { path: path.display().to_string(), expected: "log" };
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
    if fact("format") != Some("syndic-log") {
        return Err(wrong());
    }
    fact("schema").and_then(|schema| schema.parse().ok()).filter(|schema| *schema > 0).ok_or_else(wrong)
}

/// The index as SQLite counts; beyond its range there are no entries.
fn index(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const MIGRATIONS: &[&str] = &[include_str!("migrations/sqlite_0001_entries.sql")];

#[cfg(test)]
mod tests {
    use super::*;

    async fn log_with_three_entries(path: &Path) -> SqliteLog {
        let log = SqliteLog::open(path).await.unwrap();
        log.append(0, &[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]).await.unwrap();
        log
    }

    async fn refusal(path: &Path) -> StoreError {
        SqliteLog::open(path).await.err().expect("the file must be refused")
    }

    #[tokio::test]
    async fn a_file_of_something_else_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text");
        let before = "not a database, but long enough to look at".repeat(100);
        std::fs::write(&text, &before).unwrap();
        assert_eq!(refusal(&text).await.code(), "store.corrupt");
        assert_eq!(std::fs::read_to_string(&text).unwrap(), before);

        let foreign = dir.path().join("foreign.sqlite");
        let mut other =
            SqliteConnectOptions::new().filename(&foreign).create_if_missing(true).connect().await.unwrap();
        sqlx::raw_sql("CREATE TABLE customers (id INTEGER)").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        let before = std::fs::read(&foreign).unwrap();
        assert_eq!(refusal(&foreign).await.code(), "store.wrong-format");
        assert_eq!(std::fs::read(&foreign).unwrap(), before);
    }

    #[tokio::test]
    async fn a_file_of_a_newer_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.sqlite");
        let log = log_with_three_entries(&path).await;
        sqlx::raw_sql("UPDATE meta SET value = '999' WHERE key = 'schema'")
            .execute(&mut *log.writer.lock().await)
            .await
            .unwrap();
        drop(log);
        let refused = refusal(&path).await;
        assert_eq!(refused.code(), "store.newer-schema");
        assert!(refused.help().is_some());
    }

    #[tokio::test]
    async fn entries_cannot_be_changed_even_by_hand() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_with_three_entries(&dir.path().join("log.sqlite")).await;
        let mut writer = log.writer.lock().await;
        for tampering in ["UPDATE entries SET bytes = x'00' WHERE position = 1", "DELETE FROM entries"] {
            let refused = sqlx::raw_sql(tampering).execute(&mut *writer).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{refused}");
        }
        drop(writer);
        assert_eq!(log.read(0, 9).await.unwrap(), [b"a", b"b", b"c"]);
    }

    #[tokio::test]
    async fn a_missing_entry_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_with_three_entries(&dir.path().join("log.sqlite")).await;
        sqlx::raw_sql("DROP TRIGGER entries_are_never_removed; DELETE FROM entries WHERE position = 1")
            .execute(&mut *log.writer.lock().await)
            .await
            .unwrap();
        let refused = log.read(0, 9).await.unwrap_err();
        assert_eq!(refused.code(), "store.corrupt");
        assert!(refused.to_string().contains("entry 1 of"), "{refused}");
    }

    #[tokio::test]
    async fn a_batch_given_up_half_way_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.sqlite");
        let log = log_with_three_entries(&path).await;
        {
            let mut writer = log.writer.lock().await;
            let mut batch = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
            sqlx::raw_sql("INSERT INTO entries VALUES (3, x'00')").execute(&mut *batch).await.unwrap();
        }
        assert_eq!(log.size().await.unwrap(), 3);
        assert_eq!(log.append(3, &[b"d".to_vec()]).await.unwrap(), 4);
        assert_eq!(log.read(3, 1).await.unwrap(), [b"d"]);
    }

    #[tokio::test]
    async fn what_was_appended_is_in_the_files_before_the_log_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("log.sqlite"), dir.path().join("after-the-crash.sqlite"));
        let _open = log_with_three_entries(&path).await;
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(path.with_extension("sqlite-wal"), copy.with_extension("sqlite-wal")).unwrap();
        let recovered = SqliteLog::open(&copy).await.unwrap();
        assert_eq!(recovered.read(0, 9).await.unwrap(), [b"a", b"b", b"c"]);
    }
}
