//! Jobs: one agreement for each, for ever.

use sqlx::SqliteConnection;
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
        let accepted = self.accept_in(&mut step, job, agreement).await?;
        if accepted == Recorded::New {
            self.commit(step).await?;
        }
        Ok(accepted)
    }

    /// [`Self::accept_job`] as a part of a step.
    pub(super) async fn accept_in(
        &self,
        step: &mut SqliteConnection,
        job: &str,
        agreement: Digest,
    ) -> Result<Recorded, JournalError> {
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
        Ok(Recorded::New)
    }

    /// Records that the rows of `job`, which was accepted, are those of `snapshot`. The same again is fine.
    ///
    /// A job's model is fitted to one set of rows: others in its later rounds would make it wrong, and the difference
    /// between two sums would tell of the rows that changed.
    ///
    /// # Errors
    ///
    /// [`JournalError::OtherSnapshot`] where the job's rows were others before.
    pub async fn pin_snapshot(&self, job: &str, snapshot: Digest) -> Result<Recorded, JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let earlier: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT snapshot FROM jobs WHERE job = ? AND snapshot IS NOT NULL")
                .bind(job)
                .fetch_optional(&mut *step)
                .await
                .map_err(|error| self.failed(error))?;
        if let Some(earlier) = earlier {
            let same = self.digest(&earlier)? == snapshot;
            return if same {
                Ok(Recorded::Same)
            } else {
                Err(JournalError::OtherSnapshot { job: job.into() })
            };
        }
        sqlx::query("UPDATE jobs SET snapshot = ? WHERE job = ?")
            .bind(&snapshot.0[..])
            .bind(job)
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        self.commit(step).await?;
        Ok(Recorded::New)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_rows_of_a_job_are_the_same_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        let (first, other) = (Digest::of(b"january"), Digest::of(b"february"));
        let agreement = Digest::of(b"the job file");
        for (snapshot, recorded) in
            [(first, Some(Recorded::New)), (other, None), (first, Some(Recorded::Same)), (other, None)]
        {
            // Each time after a restart.
            let journal = Journal::open(&path).await.unwrap();
            journal.accept_job("job", agreement).await.unwrap();
            match (journal.pin_snapshot("job", snapshot).await, recorded) {
                (Ok(found), Some(recorded)) => assert_eq!(found, recorded),
                (Err(refused), None) => {
                    assert_eq!(refused.code(), "journal.other-snapshot");
                    assert!(refused.is_refusal() && refused.help().is_some());
                }
                (found, recorded) => panic!("{found:?}, {recorded:?}"),
            }
        }
        let journal = Journal::open(&path).await.unwrap();
        journal.accept_job("next", agreement).await.unwrap();
        assert_eq!(journal.pin_snapshot("next", other).await.unwrap(), Recorded::New, "each job has its own");
    }
}
