//! Openings: a participant reveals for a question in one attempt only, or in another once that one is void (rule 11).

use syndic_round::message::Context;
use syndic_round::{Digest, RoundId};

use super::{Journal, JournalError, Recorded};

/// An attempt at a question in which this participant helped to open the sum, or was about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Round and attempt.
    pub round: RoundId,
    /// What its signatures are bound to.
    pub context: Context,
}

impl Journal {
    /// Records that this participant is about to reveal for the question with fingerprint `question`, in
    /// this attempt of `job`; to be called before the reveal is made. The same attempt again is fine.
    ///
    /// Two sums of the same question over different survivors would give their difference. So it is one attempt for
    /// ever, unless `is_void` says of the earlier one that it can never be opened.
    ///
    /// # Errors
    ///
    /// [`JournalError::AlreadyOpened`] where it was another attempt.
    pub async fn open_question(
        &self,
        question: Digest,
        job: &str,
        opening: &Opening,
        is_void: impl FnOnce(&Opening) -> bool,
    ) -> Result<Recorded, JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let earlier: Option<Row> =
            sqlx::query_as("SELECT job, round, attempt, ctx0, h1 FROM openings WHERE question = ?")
                .bind(&question.0[..])
                .fetch_optional(&mut *step)
                .await
                .map_err(|error| self.failed(error))?;
        if let Some((opened_in, round, attempt, ctx0, h1)) = earlier {
            let round = RoundId { round: self.number(round)?, attempt: self.number(attempt)? };
            if opened_in == job && round == opening.round {
                return Ok(Recorded::Same);
            }
            let digest = |stored: Option<Vec<u8>>| stored.map(|bytes| self.digest(&bytes)).transpose();
            let may_be_void = match (digest(ctx0)?, digest(h1)?) {
                (Some(ctx0), h1 @ Some(_)) if opened_in == job => {
                    is_void(&Opening { round, context: Context { ctx0, h1 } })
                }
                _ => false,
            };
            if !may_be_void {
                return Err(JournalError::AlreadyOpened { job: opened_in, round });
            }
        }
        let Context { ctx0, h1 } = opening.context;
        sqlx::query(
            "INSERT OR REPLACE INTO openings (question, job, round, attempt, ctx0, h1) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&question.0[..])
        .bind(job)
        .bind(opening.round.round)
        .bind(opening.round.attempt)
        .bind(&ctx0.0[..])
        .bind(h1.map(|h1| h1.0.to_vec()))
        .execute(&mut *step)
        .await
        .map_err(|error| self.failed(error))?;
        self.commit(step).await?;
        Ok(Recorded::New)
    }
}

type Row = (String, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);
