//! Whether the pages of the file are what SQLite wrote, and its tables those that this software made.
//!
//! Entries carry their own proof; this finds what they cannot show: a page that hides entries, a table that was
//! redefined. SQLite walks every page and accounts for every byte of those that hold rows
//! (sqlite.org/pragma.html, "quick_check").

use std::path::Path;

use sqlx::{Connection, SqliteConnection};

use super::migrate::MIGRATIONS;
use crate::store::StoreError;

/// Refuses a file in which something is damaged.
///
/// # Errors
/// [`StoreError::Corrupt`] names the first damage.
pub(super) async fn require_whole(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    match damage(path, connection).await?.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(StoreError::Corrupt { what: format!("{} ({first})", path.display()) }),
    }
}

/// What is damaged, in words, in as many places as SQLite names.
///
/// # Errors
/// What reading can meet, damage apart.
pub(super) async fn damage(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<Vec<String>, StoreError> {
    let failed = |error| StoreError::database(path, error);
    let found = async {
        let mut found: Vec<String> =
            sqlx::query_scalar("PRAGMA quick_check").fetch_all(&mut *connection).await.map_err(failed)?;
        found.retain(|line| line != "ok");
        if tables(connection).await.map_err(failed)? != expected().await.map_err(failed)? {
            found.push("its tables are not those that this software makes".into());
        }
        Ok(found)
    };
    match found.await {
        Err(StoreError::Corrupt { .. }) => Ok(vec!["a page cannot be read".into()]),
        found => found,
    }
}

/// Kind, name, table and definition of everything that the file defines.
async fn tables(connection: &mut SqliteConnection) -> Result<Vec<Definition>, sqlx::Error> {
    sqlx::query_as("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
        .fetch_all(connection)
        .await
}

/// What the migrations define, all of them.
async fn expected() -> Result<Vec<Definition>, sqlx::Error> {
    let mut fresh = SqliteConnection::connect("sqlite::memory:").await?;
    for sql in MIGRATIONS {
        sqlx::raw_sql(*sql).execute(&mut fresh).await?;
    }
    tables(&mut fresh).await
}

type Definition = (String, String, String, Option<String>);

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use crate::store::{Log, SqliteLog, StoreError};

    async fn read(path: &std::path::Path) -> Result<Vec<Vec<u8>>, StoreError> {
        let log = SqliteLog::open(path).await?;
        log.read(0, log.size().await?).await
    }

    /// Entries of many lengths, so that some pages hold many, and some entries take many pages.
    #[tokio::test]
    async fn a_flipped_byte_in_any_page_is_found_or_is_in_no_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.sqlite");
        let entries: Vec<Vec<u8>> = (0..700_u32)
            .map(|at| vec![at as u8; (at as usize * 37) % 500 + (at as usize % 50 / 49 * 9000)])
            .collect();
        let log = SqliteLog::open(&path).await.unwrap();
        log.append(0, &entries).await.unwrap();
        let into_the_file = "PRAGMA wal_checkpoint(TRUNCATE)";
        let done = sqlx::query(into_the_file).fetch_one(&mut *log.writer.lock().await).await.unwrap();
        assert_eq!(done.get::<i64, _>(0), 0, "nothing is left in the write-ahead log");
        let whole = std::fs::read(&path).unwrap();
        let pages = whole.len() / PAGE;
        assert!(pages > 80, "{pages} pages, of every kind");

        let mut unused = 0;
        let one_in = if std::env::var_os("SYNDIC_SOAK").is_some() { 1 } else { 4 };
        for page in (0..pages).step_by(one_in) {
            let spread = (1..8).map(|step| (step * 509 + page * 131) % PAGE);
            for offset in [0, 4, 6, 9, PAGE - 1].into_iter().chain(spread) {
                let mut file = whole.clone();
                file[page * PAGE + offset] ^= 1 << ((page + offset) % 8);
                let copy = folder.path().join(format!("{page}-{offset}.sqlite"));
                std::fs::write(&copy, &file).unwrap();
                match read(&copy).await {
                    Ok(found) => {
                        assert!(found == entries, "byte {offset} of page {page} is silently used");
                        unused += 1;
                    }
                    Err(refused) => {
                        assert!(refused.to_string().contains("sqlite"), "it is named: {refused}");
                    }
                }
                std::fs::remove_file(&copy).unwrap();
            }
        }
        let flipped = pages.div_ceil(one_in) * 12;
        assert!(unused < flipped / 10, "most are used: {unused} of {flipped} are not");
    }

    const PAGE: usize = 4096;
}
