//! Appending and reading.

use async_trait::async_trait;
use sqlx::PgConnection;
use syndic_round::Digest;

use super::failure::Failures;
use super::{PostgresLog, leases};
use crate::store::{Lease, Log, StoreError};

#[async_trait]
impl Log for PostgresLog {
    async fn append_under(
        &self,
        lease: Option<&Lease>,
        expected_size: u64,
        entries: &[Vec<u8>],
    ) -> Result<u64, StoreError> {
        let failed = |error| self.failures.before_commit(error);
        let written = async {
            // Dropped before its commit, the transaction is rolled back.
            let mut batch = self.begin().await?;
            if let Some(lease) = lease {
                leases::require_held(&mut batch, lease)
                    .await
                    .map_err(failed)?
                    .ok_or_else(|| lease.fenced())?;
            }
            let actual = head(&mut batch, &self.failures).await?;
            if actual != expected_size {
                return Err(StoreError::Conflict { expected: expected_size, actual });
            }
            let digests: Vec<Vec<u8>> = entries.iter().map(|bytes| Digest::of(bytes).0.to_vec()).collect();
            sqlx::query(
                "INSERT INTO entries (position, bytes, digest)
                 SELECT $1 + place - 1, bytes, digest
                 FROM unnest($2::bytea[], $3::bytea[]) WITH ORDINALITY AS batch (bytes, digest, place)",
            )
            .bind(index(actual))
            .bind(entries)
            .bind(digests)
            .execute(&mut *batch)
            .await
            .map_err(failed)?;
            let size = actual + entries.len() as u64;
            Ok((batch, size))
        };
        let (batch, size) = self.in_time(written).await?;
        // If we crash here, or the connection breaks, the server rolls back: nobody was told, and the sender will
        // hand the input in again. If the answer to the commit is lost, the batch is there or not, as a whole.
        self.failures.commit_in_time(batch.commit()).await?;
        Ok(size)
    }

    async fn read(&self, from: u64, limit: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.in_time(async {
            let mut reader = self.pool.acquire().await.map_err(|error| self.failures.before_commit(error))?;
            read(&mut reader, from, limit, &self.failures).await
        })
        .await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.in_time(async {
            let mut reader = self.pool.acquire().await.map_err(|error| self.failures.before_commit(error))?;
            head(&mut reader, &self.failures).await
        })
        .await
    }

    async fn holds(&self, at: u64, entries: &[Vec<u8>]) -> Result<bool, StoreError> {
        self.in_time(async {
            // The lock is had once an append that lost its caller is committed or rolled back.
            let mut alone = self.begin().await?;
            Ok(read(&mut alone, at, entries.len() as u64, &self.failures).await? == entries)
        })
        .await
    }
}

async fn head(connection: &mut PgConnection, failures: &Failures) -> Result<u64, StoreError> {
    let next: i64 = sqlx::query_scalar("SELECT coalesce(max(position) + 1, 0) FROM entries")
        .fetch_one(connection)
        .await
        .map_err(|error| failures.before_commit(error))?;
    Ok(u64::try_from(next).expect("the schema checks that positions are not negative"))
}

async fn read(
    connection: &mut PgConnection,
    from: u64,
    limit: u64,
    failures: &Failures,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT position, bytes, digest FROM entries WHERE position >= $1 ORDER BY position LIMIT $2",
    )
    .bind(index(from))
    .bind(index(limit))
    .fetch_all(connection)
    .await
    .map_err(|error| failures.before_commit(error))?;
    let entry = |((position, bytes, digest), wanted): ((i64, Vec<u8>, Vec<u8>), u64)| {
        let whole = position == index(wanted) && digest == Digest::of(&bytes).0;
        if whole { Ok(bytes) } else { Err(failures.corrupt(wanted)) }
    };
    rows.into_iter().zip(from..).map(entry).collect()
}

/// The index as PostgreSQL counts; beyond its range there are no entries.
fn index(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
