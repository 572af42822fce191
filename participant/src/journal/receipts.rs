//! Receipts: the coordinator's signed word that it accepted an update.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::ConnectOptions;
use syndic_round::RoundId;
use syndic_round::receipt::Receipt;

use super::{
    Journal, JournalError,
    file::{options, schema},
};

impl Journal {
    /// Keeps the receipt, once verified, of the update in this round and attempt; the first one stays.
    ///
    /// # Errors
    ///
    /// What the file can meet.
    pub async fn keep_receipt(
        &self,
        job: &str,
        round: RoundId,
        receipt: &Receipt,
    ) -> Result<(), JournalError> {
        self.moments.pass().await;
        // If we crash here the update was accepted and its receipt is lost; sent again, it gets another one.
        sqlx::query("INSERT OR IGNORE INTO receipts (job, round, attempt, receipt) VALUES (?, ?, ?, ?)")
            .bind(job)
            .bind(round.round)
            .bind(round.attempt)
            .bind(receipt.to_bytes())
            .execute(&mut *self.connection().await)
            .await
            .map_err(|error| self.failed(error))?;
        self.moments.pass().await;
        Ok(())
    }
}

/// All receipts in the journal `path`, by job and round, while an agent may be using it.
///
/// # Errors
///
/// [`JournalError`] where the file cannot be read, is no journal, or is damaged.
pub async fn read_receipts(path: &Path) -> Result<BTreeMap<(String, RoundId), Receipt>, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(failed)?;
    if schema(path, &mut connection).await? < SINCE {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(String, i64, i64, Vec<u8>)> =
        sqlx::query_as("SELECT job, round, attempt, receipt FROM receipts")
            .fetch_all(&mut connection)
            .await
            .map_err(failed)?;
    let read = |(job, round, attempt, receipt): (String, i64, i64, Vec<u8>)| {
        let id = RoundId { round: round.try_into().ok()?, attempt: attempt.try_into().ok()? };
        Some(((job, id), Receipt::from_bytes(&receipt).ok()?))
    };
    let damaged = || JournalError::Corrupt { path: path.display().to_string() };
    rows.into_iter().map(|row| read(row).ok_or_else(damaged)).collect()
}

/// The schema that has receipts.
const SINCE: i64 = 3;
