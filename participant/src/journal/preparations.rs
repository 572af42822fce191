//! Preparations: claimed in order, each bound to at most one attempt and question (rule 5).

use sqlx::SqliteConnection;
use syndic_round::{Digest, RoundId};

use super::{Journal, JournalError, Recorded, file::stored};

/// How far a preparation has come.
pub(super) enum Preparation {
    /// Never claimed.
    Unknown,
    /// Claimed, and free to be bound.
    Claimed,
    /// Claimed, and never to be bound, since the higher `bound` was.
    Wiped { bound: u64 },
    /// Bound.
    Bound { round: RoundId, question: Digest },
}

impl Journal {
    /// Begins the preparation `number` (from 1), for which keys may then be made. Each number is claimed
    /// once: after a restart its keys are lost, and another has to be begun.
    ///
    /// # Errors
    ///
    /// [`JournalError::PreparationOld`] where it is not newer than every preparation of the job before.
    pub async fn claim_preparation(&self, job: &str, number: u64) -> Result<(), JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let newest = self.newest(&mut step, job).await?;
        if number <= newest {
            return Err(JournalError::PreparationOld { number, newest });
        }
        sqlx::query("INSERT INTO preparations (job, number) VALUES (?, ?)")
            .bind(job)
            .bind(stored(number)?)
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(step).await
    }

    /// Binds a claimed preparation to one round and attempt, and to one question; to be called before its
    /// key encrypts anything. Every lower preparation of the job that is not bound is wiped with it: its
    /// stored messages here, and its keys by the caller. The same binding again is fine.
    ///
    /// # Errors
    ///
    /// [`JournalError::BoundOtherwise`] for another binding of the preparation;
    /// [`JournalError::AttemptBound`] for another preparation of the attempt;
    /// [`JournalError::PreparationWiped`] where a higher one is bound; [`JournalError::PreparationUnknown`].
    pub async fn bind(
        &self,
        job: &str,
        preparation: u64,
        round: RoundId,
        question: Digest,
    ) -> Result<Recorded, JournalError> {
        let number = stored(preparation)?;
        let failed = |error| self.failed(error);
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        match self.preparation(&mut step, job, preparation).await? {
            Preparation::Unknown => return Err(JournalError::PreparationUnknown { number: preparation }),
            Preparation::Wiped { bound } => {
                return Err(JournalError::PreparationWiped { number: preparation, bound });
            }
            Preparation::Bound { round: to, question: asked } if (to, asked) == (round, question) => {
                return Ok(Recorded::Same);
            }
            Preparation::Bound { round: to, .. } => {
                return Err(JournalError::BoundOtherwise { number: preparation, to });
            }
            Preparation::Claimed => {}
        }
        if let Some(preparation) = self.preparation_of(&mut step, job, round).await? {
            return Err(JournalError::AttemptBound { round, preparation });
        }
        sqlx::query(
            "UPDATE preparations SET round = ?, attempt = ?, question = ? WHERE job = ? AND number = ?",
        )
        .bind(round.round)
        .bind(round.attempt)
        .bind(&question.0[..])
        .bind(job)
        .bind(number)
        .execute(&mut *step)
        .await
        .map_err(failed)?;
        sqlx::query(
            "UPDATE messages SET bytes = NULL WHERE job = ?1 AND preparation IN
                 (SELECT number FROM preparations WHERE job = ?1 AND number < ?2 AND question IS NULL)",
        )
        .bind(job)
        .bind(number)
        .execute(&mut *step)
        .await
        .map_err(failed)?;
        self.commit(step).await?;
        Ok(Recorded::New)
    }

    /// How far a preparation has come.
    pub(super) async fn preparation(
        &self,
        connection: &mut SqliteConnection,
        job: &str,
        preparation: u64,
    ) -> Result<Preparation, JournalError> {
        let number = stored(preparation)?;
        type Row = (Option<i64>, Option<i64>, Option<Vec<u8>>);
        let row: Option<Row> =
            sqlx::query_as("SELECT round, attempt, question FROM preparations WHERE job = ? AND number = ?")
                .bind(job)
                .bind(number)
                .fetch_optional(&mut *connection)
                .await
                .map_err(|error| self.failed(error))?;
        match row {
            None => return Ok(Preparation::Unknown),
            Some((Some(round), Some(attempt), Some(question))) => {
                let round = RoundId { round: self.number(round)?, attempt: self.number(attempt)? };
                return Ok(Preparation::Bound { round, question: self.digest(&question)? });
            }
            Some(_) => {}
        }
        let bound: Option<i64> = sqlx::query_scalar(
            "SELECT max(number) FROM preparations WHERE job = ? AND number > ? AND question IS NOT NULL",
        )
        .bind(job)
        .bind(number)
        .fetch_one(connection)
        .await
        .map_err(|error| self.failed(error))?;
        match bound {
            Some(bound) => Ok(Preparation::Wiped { bound: self.number(bound)? }),
            None => Ok(Preparation::Claimed),
        }
    }

    async fn preparation_of(
        &self,
        connection: &mut SqliteConnection,
        job: &str,
        round: RoundId,
    ) -> Result<Option<u64>, JournalError> {
        let number: Option<i64> =
            sqlx::query_scalar("SELECT number FROM preparations WHERE job = ? AND round = ? AND attempt = ?")
                .bind(job)
                .bind(round.round)
                .bind(round.attempt)
                .fetch_optional(connection)
                .await
                .map_err(|error| self.failed(error))?;
        number.map(|number| self.number(number)).transpose()
    }

    /// The newest preparation of the job that was ever claimed, zero for none.
    async fn newest(&self, connection: &mut SqliteConnection, job: &str) -> Result<u64, JournalError> {
        let newest: i64 =
            sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM preparations WHERE job = ?")
                .bind(job)
                .fetch_one(connection)
                .await
                .map_err(|error| self.failed(error))?;
        self.number(newest)
    }
}
