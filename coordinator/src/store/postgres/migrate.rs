//! The schema of a federation: ours, and not newer than this version.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::failure::Failures;
use crate::store::StoreError;

/// Brings the schema to the newest version, or refuses it.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    schema: &str,
    federation: &str,
    failures: &Failures,
) -> Result<(), StoreError> {
    let failed = |error| failures.before_commit(error);
    let mut migration = connection.begin().await.map_err(failed)?;
    // Several coordinators may be started at once.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(schema)
        .execute(&mut *migration)
        .await
        .map_err(failed)?;
    let found = version(&mut migration, schema, federation, failures).await?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::NewerSchema { path: failures.what().into(), found, known });
    }
    if found == known {
        return Ok(());
    }
    if !exists(&mut migration, schema).await.map_err(failed)? {
        // The name has no quotation marks: `schema_of` sees to it.
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\"")))
            .execute(&mut *migration)
            .await
            .map_err(failed)?;
    }
    for sql in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*sql).execute(&mut *migration).await.map_err(failed)?;
    }
    for (key, value) in [("schema", known.to_string()), ("federation", federation.into())] {
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2",
        )
        .bind(key)
        .bind(value)
        .execute(&mut *migration)
        .await
        .map_err(failed)?;
    }
    // If we crash here the schema is as it was, or not there; the next start migrates it.
    migration.commit().await.map_err(|error| failures.at_commit(error))
}

async fn exists(connection: &mut PgConnection, schema: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
        .bind(schema)
        .fetch_one(connection)
        .await
}

/// The version of the schema, zero for an empty one or none.
async fn version(
    connection: &mut PgConnection,
    schema: &str,
    federation: &str,
    failures: &Failures,
) -> Result<i64, StoreError> {
    let failed = |error| failures.before_commit(error);
    let wrong = || StoreError::WrongFormat { path: failures.what().into(), expected: "log" };
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE nspname = $1 AND relkind <> 'i'",
    )
    .bind(schema)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    if tables.is_empty() {
        return Ok(0);
    }
    let columns: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_attribute
         JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE nspname = $1 AND relname = 'meta' AND attname IN ('key', 'value')",
    )
    .bind(schema)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    if columns != 2 {
        return Err(wrong());
    }
    // With the schema's name, so that who may not read it is told that and not that there is no such table.
    let read = format!("SELECT key::text, value::text FROM \"{schema}\".meta");
    let facts: Vec<(String, String)> =
        sqlx::query_as(AssertSqlSafe(read)).fetch_all(connection).await.map_err(failed)?;
    let fact = |name: &str| facts.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if fact("format") != Some("syndic-log") {
        return Err(wrong());
    }
    match fact("federation") {
        Some(found) if found != federation => Err(StoreError::OtherFederation {
            what: failures.what().into(),
            found: found.into(),
            expected: federation.into(),
        }),
        _ => fact("schema")
            .and_then(|schema| schema.parse().ok())
            .filter(|schema| *schema > 0)
            .ok_or_else(wrong),
    }
}

const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/postgres_0001_log.sql"),
    include_str!("../migrations/postgres_0002_replicas.sql"),
];
