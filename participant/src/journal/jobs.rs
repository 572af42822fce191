//! Jobs: one agreement for each, for ever.

use syndic_round::Digest;

use super::{Journal, JournalError, Recorded};

impl Journal {
    /// Records that this participant takes part in `job` as agreed in the file with digest `agreement`. The
    /// same again is fine.
    ///
    /// Another file under the same name would make old questions new again, and could weaken what was
    /// accepted in the middle of the job.
    ///
    /// # Errors
    ///
    /// [`JournalError::OtherAgreement`] where the job was accepted with another file.
    pub async fn accept_job(&self, job: &str, agreement: Digest) -> Result<Recorded, JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let earlier: Option<Vec<u8>> = sqlx::query_scalar("SELECT agreement FROM jobs WHERE job = ?")
            .bind(job)
            .fetch_optional(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        if let Some(earlier) = earlier {
            let same = self.digest(&earlier)? == agreement;
            return if same {
                Ok(Recorded::Same)
            } else {
                Err(JournalError::OtherAgreement { job: job.into() })
            };
        }
        sqlx::query("INSERT INTO jobs (job, agreement) VALUES (?, ?)")
            .bind(job)
            .bind(&agreement.0[..])
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(step).await?;
        Ok(Recorded::New)
    }
}
