//! What left the building: every time that bytes of this institution were handed to the network.

use std::path::Path;

use sqlx::{ConnectOptions, SqliteConnection};
use syndic_round::{Digest, RoundId};

use super::{
    Journal, JournalError,
    file::{options, schema, stored},
};

/// One sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Under which job.
    pub job: String,
    /// In which round and attempt.
    pub round: RoundId,
    /// What it was, in the words of the protocol: `advertise`, `upload`, `reveal` ...
    pub what: String,
    /// How many bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

impl Journal {
    /// Records a sending; to be called before the bytes go, and each time that they do.
    ///
    /// # Errors
    ///
    /// What the file can meet; then nothing may be sent.
    pub async fn sent(&self, sent: &Sent) -> Result<(), JournalError> {
        // If we crash after this the journal names a sending that did not happen: too much, never too little.
        sqlx::query(
            "INSERT INTO sent (job, round, attempt, what, bytes, digest, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&sent.job)
        .bind(sent.round.round)
        .bind(sent.round.attempt)
        .bind(&sent.what)
        .bind(stored(sent.bytes)?)
        .bind(&sent.digest.0[..])
        .bind(stored(sent.at_ms)?)
        .execute(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// All sendings, in order.
    pub async fn all_sent(&self) -> Result<Vec<Sent>, JournalError> {
        let mut connection = self.connection().await;
        all_sent(&mut connection).await.map_err(|error| self.failed(error))
    }
}

/// All sendings in the journal `path`, in order, while an agent may be using it. Nothing is written and no
/// boot is counted.
///
/// # Errors
///
/// [`JournalError::Io`] where there is no journal; [`JournalError::WrongFormat`].
pub async fn read_sent(path: &Path) -> Result<Vec<Sent>, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(failed)?;
    if schema(path, &mut connection).await? == 0 {
        return Err(JournalError::WrongFormat { path: path.display().to_string() });
    }
    all_sent(&mut connection).await.map_err(failed)
}

async fn all_sent(connection: &mut SqliteConnection) -> Result<Vec<Sent>, sqlx::Error> {
    type Row = (String, u32, u32, String, i64, Vec<u8>, i64);
    let rows: Vec<Row> =
        sqlx::query_as("SELECT job, round, attempt, what, bytes, digest, at_ms FROM sent ORDER BY number")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(sent_of).collect()
}

fn sent_of(row: (String, u32, u32, String, i64, Vec<u8>, i64)) -> Result<Sent, sqlx::Error> {
    let (job, round, attempt, what, bytes, digest, at_ms) = row;
    let damaged = |what: &str| sqlx::Error::Decode(format!("a damaged {what}").into());
    Ok(Sent {
        job,
        round: RoundId { round, attempt },
        what,
        bytes: bytes.try_into().map_err(|_| damaged("count"))?,
        digest: digest.try_into().map(Digest).map_err(|_| damaged("digest"))?,
        at_ms: at_ms.try_into().map_err(|_| damaged("time"))?,
    })
}
