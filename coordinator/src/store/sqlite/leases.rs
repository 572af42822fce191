//! Leases in the file of the log. Its clock is the host's, which all who can open the file share.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, Transaction};
use syndic_round::Timestamp;

use super::SqliteLog;
use crate::store::leases::{Row, milliseconds};
use crate::store::{Holding, Lease, Leases, StoreError};

#[async_trait]
impl Leases for SqliteLog {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, StoreError> {
        let mut writer = self.writer.lock().await;
        // One statement is one transaction: of two who ask, the second finds the first one's row.
        let granted: Option<(i64, i64)> = sqlx::query_as(
            "INSERT INTO leases (name, holder, epoch, expires)
             VALUES (?1, ?2, 1, CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3)
             ON CONFLICT (name) DO UPDATE
             SET holder = excluded.holder, epoch = epoch + 1, expires = excluded.expires, note = NULL
             WHERE holder IS NULL OR holder = excluded.holder OR expires <= CAST(unixepoch('subsec') * 1000 AS INTEGER)
             RETURNING epoch, expires",
        )
        .bind(name)
        .bind(holder)
        .bind(milliseconds(ttl))
        .fetch_optional(&mut *writer)
        .await
        .map_err(|error| self.failed(error))?;
        match granted {
            Some((epoch, expires)) => Ok(Lease {
                name: name.into(),
                holder: holder.into(),
                epoch: epoch.unsigned_abs(),
                expires: Timestamp(expires.unsigned_abs()),
            }),
            None => {
                let holder: Option<String> = sqlx::query_scalar("SELECT holder FROM leases WHERE name = ?")
                    .bind(name)
                    .fetch_one(&mut *writer)
                    .await
                    .map_err(|error| self.failed(error))?;
                Err(StoreError::Held { name: name.into(), holder: holder.unwrap_or_default() })
            }
        }
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = self.begin_under(&mut writer, lease).await?;
        let expires: i64 = sqlx::query_scalar(
            "UPDATE leases SET expires = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ? WHERE name = ?
             RETURNING expires",
        )
        .bind(milliseconds(ttl))
        .bind(&lease.name)
        .fetch_one(&mut *change)
        .await
        .map_err(|error| self.failed(error))?;
        // If we crash here the lease ends when it would have ended.
        change.commit().await.map_err(|error| self.failed(error))?;
        Ok(Lease { expires: Timestamp(expires.unsigned_abs()), ..lease.clone() })
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = self.begin(&mut writer).await?;
        if require_held(&mut change, lease).await.map_err(|error| self.failed(error))?.is_none() {
            return Ok(false);
        }
        sqlx::query("UPDATE leases SET holder = NULL, note = NULL WHERE name = ?")
            .bind(&lease.name)
            .execute(&mut *change)
            .await
            .map_err(|error| self.failed(error))?;
        // If we crash here the lease is held until its time is over.
        change.commit().await.map_err(|error| self.failed(error))?;
        Ok(true)
    }

    async fn note(&self, lease: &Lease, note: &str) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = self.begin_under(&mut writer, lease).await?;
        sqlx::query("UPDATE leases SET note = ? WHERE name = ?")
            .bind(note)
            .bind(&lease.name)
            .execute(&mut *change)
            .await
            .map_err(|error| self.failed(error))?;
        // If we crash here the note is the one before it, and ends with the lease.
        change.commit().await.map_err(|error| self.failed(error))
    }

    async fn all(&self, prefix: &str) -> Result<Vec<Holding>, StoreError> {
        let mut reader = self.reader.lock().await;
        let held: Vec<Row> = sqlx::query_as(
            "SELECT name, holder, epoch, expires - CAST(unixepoch('subsec') * 1000 AS INTEGER) AS remaining, note
             FROM leases WHERE substr(name, 1, length(?1)) = ?1 AND holder IS NOT NULL AND remaining > 0 ORDER BY name",
        )
        .bind(prefix)
        .fetch_all(&mut *reader)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(held.into_iter().map(Holding::from).collect())
    }
}

impl SqliteLog {
    /// Begins what may be written as long as the lease is held; it is, until this is over.
    pub(super) async fn begin_under<'a>(
        &self,
        writer: &'a mut SqliteConnection,
        lease: &Lease,
    ) -> Result<Transaction<'a, Sqlite>, StoreError> {
        let mut change = self.begin(writer).await?;
        let held = require_held(&mut change, lease).await.map_err(|error| self.failed(error))?;
        held.map(|()| change).ok_or_else(|| lease.fenced())
    }
}

/// Nothing where the lease is not held with its epoch. To be asked in a transaction that may write: then it
/// stays held until the transaction is over.
async fn require_held(connection: &mut SqliteConnection, lease: &Lease) -> Result<Option<()>, sqlx::Error> {
    let mut held = QueryBuilder::new("");
    push_held(&mut held, lease);
    let held: Option<i64> = held.build_query_scalar().fetch_optional(connection).await?;
    Ok(held.map(drop))
}

/// A query that finds something where the lease is held with its epoch.
pub(super) fn push_held(query: &mut QueryBuilder<Sqlite>, lease: &Lease) {
    query.push("SELECT 1 FROM leases WHERE name = ").push_bind(&lease.name);
    query.push(" AND holder = ").push_bind(&lease.holder);
    query.push(" AND epoch = ").push_bind(i64::try_from(lease.epoch).unwrap_or(i64::MAX));
    query.push(" AND expires > CAST(unixepoch('subsec') * 1000 AS INTEGER)");
}
