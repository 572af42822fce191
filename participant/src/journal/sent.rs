//! What left the building: every time that bytes of this institution were handed to the network.

use std::path::Path;

use sqlx::{ConnectOptions, SqliteConnection};
use syndic_round::{Digest, Place, RoundId};

use super::{
    Journal, JournalError,
    file::{options, schema, stored},
};

/// One sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Under which job.
    pub job: String,
    /// In which round and attempt, or in which preparation ahead of any.
    pub place: Place,
    /// What it was, in the words of the protocol: `advertise`, `header`, `reveal` ...
    pub what: String,
    /// How many bytes. Of an update that is gone on with after a cut, those that go now.
    pub bytes: u64,
    /// SHA-256 of the message: of all of it, whatever goes now.
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
        self.moments.pass().await;
        // If we crash after this the journal names a sending that did not happen: too much, never too little.
        self.note_sent(&mut *self.connection().await, sent).await?;
        self.moments.pass().await;
        Ok(())
    }

    /// Whether this message was sent before, if only in part.
    ///
    /// # Errors
    ///
    /// What the file can meet.
    pub async fn has_sent(&self, sent: &Sent) -> Result<bool, JournalError> {
        let round = sent.place.round();
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sent
                 WHERE job = ? AND round = ? AND attempt = ? AND what = ? AND digest = ?)",
        )
        .bind(&sent.job)
        .bind(round.round)
        .bind(round.attempt)
        .bind(&sent.what)
        .bind(&sent.digest.0[..])
        .fetch_one(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))
    }

    pub(super) async fn note_sent(
        &self,
        connection: &mut SqliteConnection,
        sent: &Sent,
    ) -> Result<(), JournalError> {
        let round = sent.place.round();
        let preparation = match sent.place {
            Place::Round(_) => None,
            Place::Ahead(number) => Some(stored(number)?),
        };
        sqlx::query(
            "INSERT INTO sent (job, round, attempt, preparation, what, bytes, digest, at_ms)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&sent.job)
        .bind(round.round)
        .bind(round.attempt)
        .bind(preparation)
        .bind(&sent.what)
        .bind(stored(sent.bytes)?)
        .bind(&sent.digest.0[..])
        .bind(stored(sent.at_ms)?)
        .execute(connection)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(())
    }
}

/// All sendings in the journal `path`, in order, while an agent may be using it. Nothing is written and no
/// boot is counted.
///
/// # Errors
///
/// [`JournalError::Io`] where there is no journal; [`JournalError::WrongFormat`], [`JournalError::NewerSchema`];
/// [`JournalError::Corrupt`] where a row is not what was written: then none is told, since the list would be short.
pub async fn read_sent(path: &Path) -> Result<Vec<Sent>, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(failed)?;
    // A file of an older version has no preparations: nothing was sent ahead of a round then.
    let rows: Vec<Row> = match schema(path, &mut connection).await? {
        0 => return Err(JournalError::WrongFormat { path: path.display().to_string() }),
        1..=3 => sqlx::query_as(
            "SELECT job, round, attempt, NULL, what, bytes, digest, at_ms FROM sent ORDER BY number",
        ),
        _ => sqlx::query_as(
            "SELECT job, round, attempt, preparation, what, bytes, digest, at_ms FROM sent ORDER BY number",
        ),
    }
    .fetch_all(&mut connection)
    .await
    .map_err(failed)?;
    let damaged = || JournalError::Corrupt { path: path.display().to_string() };
    rows.into_iter().map(|row| sent_of(row).ok_or_else(damaged)).collect()
}

type Row = (String, i64, i64, Option<i64>, String, i64, Vec<u8>, i64);

/// The sending in a row, if it is one that [`Journal::sent`] can have written.
fn sent_of((job, round, attempt, preparation, what, bytes, digest, at_ms): Row) -> Option<Sent> {
    let round = RoundId { round: round.try_into().ok()?, attempt: attempt.try_into().ok()? };
    let place = match preparation {
        Some(number) => Place::Ahead(number.try_into().ok()?),
        None => Place::Round(round),
    };
    Some(Sent {
        job,
        place,
        what,
        bytes: bytes.try_into().ok()?,
        digest: digest.try_into().map(Digest).ok()?,
        at_ms: at_ms.try_into().ok()?,
    })
}
