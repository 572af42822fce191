//! The log as one SQLite file: write-ahead log, synchronous FULL, one writer.
//!
//! With synchronous FULL a commit returns after the write-ahead log was synced (sqlite.org/pragma.html,
//! "synchronous"): what was appended survives a power cut. The leases are in the same file, so that an append
//! looks at its lease in the transaction that appends.

mod check;
mod leases;
mod migrate;
mod standing;
mod wal;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection, Transaction,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use syndic_round::Digest;
use tokio::sync::Mutex;

use self::migrate::{migrate, require_newest};
use super::{Lease, Log, StoreError, create_folder};
use crate::durable::folder_of;

/// The embedded log.
pub struct SqliteLog {
    path: PathBuf,
    /// How the writer is connected.
    options: SqliteConnectOptions,
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
    /// is something else or damaged; [`StoreError::Io`] where it cannot be opened for writing.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = folder_of(path) {
            create_folder(folder).await?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Full)
            .row_buffer_size(ROWS_AT_ONCE)
            // What a large batch takes beside the file stays in memory: nothing of a ledger lies in the system's temporary folder.
            .pragma("temp_store", "MEMORY")
            .disable_statement_logging();
        let failed = |error| StoreError::database(path, error);
        // Whoever connects and leaves again moves the write-ahead log into the file, and removes what could not be read.
        wal::require_whole(path)?;
        let mut writer = options.clone().create_if_missing(true).connect().await.map_err(failed)?;
        migrate(path, &mut writer).await?;
        write_ahead(path, &mut writer).await?;
        check::require_whole(path, &mut writer).await?;
        let reader = options.clone().read_only(true).connect().await.map_err(failed)?;
        let (writer, reader) = (Mutex::new(writer), Mutex::new(reader));
        Ok(Self { path: path.to_owned(), options, writer, reader })
    }

    /// The log in the file `path` as it is, to be looked at and never appended to, and what is damaged in the file itself,
    /// in words.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] where it cannot be read at all; [`StoreError::OlderSchema`]; otherwise as [`SqliteLog::open`].
    pub async fn examine(path: &Path) -> Result<(Self, Vec<String>), StoreError> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
        let failed = |error| StoreError::database(path, error);
        wal::require_whole(path)?;
        let mut writer = options.connect().await.map_err(failed)?;
        require_newest(path, &mut writer).await?;
        let damage = check::damage(path, &mut writer).await?;
        let reader = options.connect().await.map_err(failed)?;
        let (writer, reader) = (Mutex::new(writer), Mutex::new(reader));
        Ok((Self { path: path.to_owned(), options, writer, reader }, damage))
    }

    /// Lets go of the file, into which what is in the write-ahead log moves. A log that is dropped does the same a moment
    /// later.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`]; nothing is lost then.
    pub async fn close(self) -> Result<(), StoreError> {
        let Self { path, writer, reader, .. } = self;
        let failed = |error| StoreError::database(&path, error);
        reader.into_inner().close().await.map_err(failed)?;
        writer.into_inner().close().await.map_err(failed)
    }

    /// Begins what may write.
    async fn begin<'a>(
        &self,
        writer: &'a mut SqliteConnection,
    ) -> Result<Transaction<'a, Sqlite>, StoreError> {
        self.make_ready(writer).await?;
        writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))
    }

    /// Sees to it that the writer has no transaction under way.
    async fn make_ready(&self, writer: &mut SqliteConnection) -> Result<(), StoreError> {
        // One that was given up is rolled back by what comes next on its connection. But after some errors, a full disk
        // among them, SQLite has rolled back by itself; the library, which did not hear of it, takes that connection for
        // one with a transaction under way, for good.
        if writer.is_in_transaction() && (writer.ping().await.is_err() || writer.is_in_transaction()) {
            *writer = self.options.connect().await.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::database(&self.path, error)
    }
}

#[async_trait]
impl Log for SqliteLog {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await;
        if !entries.is_empty() {
            self.make_ready(&mut writer).await?;
            let mut insert = insertion(lease, expected_size, entries);
            // If we crash in the middle the write-ahead log holds a batch without its commit record; SQLite drops it
            // when the file is next opened.
            let stored = insert.build().execute(&mut *writer).await.map_err(|error| self.failed(error))?;
            // If we crash here the batch is stored. Nobody was told, either way: the sender will hand the input in again.
            if stored.rows_affected() > 0 {
                return Ok(expected_size + entries.len() as u64);
            }
        }
        // Nothing was stored: why not? By now the lease may be held and the size be the one expected; then it was not a moment
        // ago, and whoever asked looks again.
        let mut looking = match lease {
            Some(lease) => self.begin_under(&mut writer, lease).await?,
            None => self.begin(&mut writer).await?,
        };
        let actual = head(&self.path, &mut looking).await?;
        if entries.is_empty() && actual == expected_size {
            return Ok(actual);
        }
        Err(StoreError::Conflict { expected: expected_size, actual })
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut reader = self.reader.lock().await;
        read(&self.path, &mut reader, from, limit).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let mut reader = self.reader.lock().await;
        head(&self.path, &mut reader).await
    }

    async fn holds(&self, at: u64, entries: &[Vec<u8>]) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await;
        // Whoever may write is alone: no append is under way.
        let mut alone = self.begin(&mut writer).await?;
        Ok(read(&self.path, &mut alone, at, entries.len() as u64).await? == entries)
    }
}

/// The statement that stores a batch where the log has the size expected and the lease is held, or nothing. One statement is
/// one transaction, and one way to the thread of the database and back.
fn insertion(lease: Option<&Lease>, expected_size: u64, entries: &[Vec<u8>]) -> QueryBuilder<Sqlite> {
    let first = index(expected_size);
    let mut insert = QueryBuilder::new("WITH batch (position, bytes, digest) AS (");
    insert.push_values((0..).zip(entries), |mut row, (offset, bytes)| {
        let digest = Digest::of(bytes).0.to_vec();
        row.push_bind(first.saturating_add(offset)).push_bind(bytes.as_slice()).push_bind(digest);
    });
    insert.push(
        ") INSERT INTO entries (position, bytes, digest) SELECT position, bytes, digest FROM batch
         WHERE (SELECT coalesce(max(position) + 1, 0) FROM entries) = ",
    );
    insert.push_bind(first);
    if let Some(lease) = lease {
        insert.push(" AND EXISTS (");
        leases::push_held(&mut insert, lease);
        insert.push(")");
    }
    insert
}

async fn read(
    path: &Path,
    connection: &mut SqliteConnection,
    from: u64,
    limit: u64,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT position, bytes, digest FROM entries WHERE position >= ? ORDER BY position LIMIT ?",
    )
    .bind(index(from))
    .bind(index(limit))
    .fetch_all(connection)
    .await
    .map_err(|error| StoreError::database(path, error))?;
    let entry = |((position, bytes, digest), wanted): (Row, u64)| {
        // Entries that the first schema stored have no digest.
        let whole = digest.is_none_or(|digest| digest == Digest::of(&bytes).0);
        if position == index(wanted) && whole { Ok(bytes) } else { Err(damaged(path, wanted)) }
    };
    rows.into_iter().zip(from..).map(entry).collect()
}

/// Rows that are read before whoever asked for them is woken: as many as replay asks for at once.
const ROWS_AT_ONCE: usize = 256;

/// Position, bytes and digest of an entry.
type Row = (i64, Vec<u8>, Option<Vec<u8>>);

fn damaged(path: &Path, position: u64) -> StoreError {
    StoreError::Corrupt { what: format!("entry {position} of {}", path.display()) }
}

async fn head(path: &Path, connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let next: i64 = sqlx::query_scalar("SELECT coalesce(max(position) + 1, 0) FROM entries")
        .fetch_one(connection)
        .await
        .map_err(|error| StoreError::database(path, error))?;
    // The schema has no negative positions; a damaged page may.
    u64::try_from(next).map_err(|_| StoreError::Corrupt { what: path.display().to_string() })
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

/// The index as SQLite counts; beyond its range there are no entries.
fn index(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Leases as _;

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
            sqlx::raw_sql("INSERT INTO entries (position, bytes) VALUES (3, x'00')")
                .execute(&mut *batch)
                .await
                .unwrap();
        }
        assert_eq!(log.size().await.unwrap(), 3);
        assert_eq!(log.append(3, &[b"d".to_vec()]).await.unwrap(), 4);
        assert_eq!(log.read(3, 1).await.unwrap(), [b"d"]);
    }

    #[tokio::test]
    async fn a_log_that_was_full_goes_on_once_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_with_three_entries(&dir.path().join("log.sqlite")).await;
        let limit = async |pages: u32| {
            let limit = format!("PRAGMA max_page_count = {pages}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(&mut *log.writer.lock().await).await.unwrap();
        };
        limit(1).await;
        for _ in 0..2 {
            let full = log.append(3, &[vec![0; 60_000]]).await.unwrap_err();
            assert_eq!(full.code(), "store.full");
            assert_eq!(log.size().await.unwrap(), 3);
            assert!(!log.holds(3, &[vec![0; 60_000]]).await.unwrap());
            limit(1).await;
        }
        limit(1_000_000).await;
        let lease = log.acquire("job/one", "a", Duration::from_secs(600)).await.unwrap();
        limit(1).await;
        // In a transaction, which SQLite ends by itself.
        let full = log.note(&lease, &"long ".repeat(20_000)).await.unwrap_err();
        assert_eq!(full.code(), "store.full");
        log.note(&lease, "short").await.unwrap();
        assert_eq!(log.append(3, &[b"d".to_vec()]).await.unwrap(), 4);
        assert_eq!(log.read(0, 9).await.unwrap(), [b"a", b"b", b"c", b"d"]);
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

    #[tokio::test]
    async fn a_file_of_the_first_schema_is_brought_to_this_one_with_its_entries() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.sqlite");
        let mut old =
            SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
        sqlx::raw_sql(include_str!("../migrations/sqlite_0001_entries.sql")).execute(&mut old).await.unwrap();
        sqlx::raw_sql("INSERT INTO meta VALUES ('schema', '1'); INSERT INTO entries VALUES (0, x'61')")
            .execute(&mut old)
            .await
            .unwrap();
        old.close().await.unwrap();

        let log = SqliteLog::open(&path).await.unwrap();

        assert_eq!(log.append(1, &[b"b".to_vec()]).await.unwrap(), 2);
        assert_eq!(log.read(0, 9).await.unwrap(), [b"a", b"b"]);
    }
}
