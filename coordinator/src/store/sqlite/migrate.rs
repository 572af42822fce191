//! The schema of the file: ours, and not newer than this version.

use std::cmp::Ordering;
use std::path::Path;

use sqlx::{Connection, SqliteConnection};

use crate::store::StoreError;

/// Brings the file to the newest schema, or refuses it.
pub(super) async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
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

/// Refuses a file that is not of the newest schema, and leaves it as it is.
pub(super) async fn require_newest(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let (found, known) = (schema(path, connection).await?, MIGRATIONS.len() as i64);
    let path = path.display().to_string();
    match found.cmp(&known) {
        Ordering::Less => Err(StoreError::OlderSchema { path, found, known }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::NewerSchema { path, found, known }),
    }
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

/// What makes the tables, schema by schema.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite_0001_entries.sql"),
    include_str!("../migrations/sqlite_0002_leases_and_digests.sql"),
    include_str!("../migrations/sqlite_0003_lease_notes.sql"),
];
