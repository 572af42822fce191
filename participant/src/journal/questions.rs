//! Openings: a participant reveals at most once for one question (rule 11).

use syndic_round::{Digest, RoundId};

use super::{Journal, JournalError, Recorded};

impl Journal {
    /// Records that this participant is about to reveal for the question with fingerprint `question`, in
    /// this round and attempt; to be called before the reveal is made. The same attempt again is fine.
    ///
    /// Two sums of the same question over different survivors would give their difference; until voids
    /// exist the rule is strict: one attempt for ever, whether or not its sum came out.
    ///
    /// # Errors
    ///
    /// [`JournalError::AlreadyOpened`] where it was another attempt.
    pub async fn open_question(
        &self,
        question: Digest,
        job: &str,
        round: RoundId,
    ) -> Result<Recorded, JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let earlier: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT job, round, attempt FROM openings WHERE question = ?")
                .bind(&question.0[..])
                .fetch_optional(&mut *step)
                .await
                .map_err(|error| self.failed(error))?;
        if let Some((opened_in, opened, attempt)) = earlier {
            let opened = RoundId { round: self.number(opened)?, attempt: self.number(attempt)? };
            let same = opened_in == job && opened == round;
            return if same {
                Ok(Recorded::Same)
            } else {
                Err(JournalError::AlreadyOpened { job: opened_in, round: opened })
            };
        }
        sqlx::query("INSERT INTO openings (question, job, round, attempt) VALUES (?, ?, ?, ?)")
            .bind(&question.0[..])
            .bind(job)
            .bind(round.round)
            .bind(round.attempt)
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(step).await?;
        Ok(Recorded::New)
    }
}
