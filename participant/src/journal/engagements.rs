//! Taking part in a job: its file, the content of its contract and its debit, in one step before any row is read.

use sqlx::SqliteConnection;
use syndic_learning::job::Protected;
use syndic_learning::privacy::budget::{Amount, Limit};
use syndic_round::Digest;

use super::file::stored;
use super::{Debit, Journal, JournalError, Recorded};

/// What is written down of a job that the policy allows.
#[derive(Clone, Copy, Debug)]
pub struct Engagement<'a> {
    /// The job.
    pub job: &'a str,
    /// Digest of its file.
    pub agreement: Digest,
    /// Its contract, by name and version.
    pub contract: &'a str,
    /// Digest of the contract's content.
    pub content: Digest,
    /// Whether the site policy names this content, which counts for more than what was accepted first.
    pub is_pinned: bool,
    /// What it may spend; none where it adds no noise.
    pub debit: Option<&'a Debit>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engaged {
    /// It is written down: now, or it was before.
    Recorded(Recorded),
    /// Another content was accepted before under the contract's name and version; nothing was changed.
    OtherContract {
        /// Digest of that one.
        accepted: Digest,
    },
    /// The debit would exceed the limit; nothing was changed.
    OverBudget {
        /// What the amounts protect.
        unit: Protected,
        /// What the job may spend.
        needed: Amount,
        /// What is left.
        left: Amount,
    },
}

impl Journal {
    /// Takes part in a job: [`Self::accept_job`], and in the same step the content of its contract is kept, the first of each
    /// name and version, and a job with noise is debited if that leaves the account of its unit within `limit`. To be called before
    /// any row is read for the job and before anything of it leaves.
    ///
    /// Without the second rule the author of job files could ask exact questions: is there a row with a value in this range? The
    /// refusal is the answer, and neither noise nor account is in it.
    ///
    /// A job that was taken on before goes on as it was: it is not debited again, and its contract is not compared.
    ///
    /// # Errors
    ///
    /// [`JournalError::OtherAgreement`] where the job was accepted with another file; what the file can meet. Then nothing may be
    /// sent.
    pub async fn engage(
        &self,
        wanted: &Engagement<'_>,
        limit: Option<Limit>,
    ) -> Result<Engaged, JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let accepted = self.accept_in(&mut step, wanted.job, wanted.agreement).await?;
        let kept = self.keep_contract(&mut step, wanted).await?;
        if let Kept::Other(first) = kept
            && accepted == Recorded::New
        {
            return Ok(Engaged::OtherContract { accepted: first });
        }
        let debited = match wanted.debit {
            Some(debit) => self.debit(&mut step, debit, limit).await?,
            None => Engaged::Recorded(accepted),
        };
        if debited == Engaged::Recorded(Recorded::New) || kept == Kept::Now && is_recorded(debited) {
            // If we crash here nothing is debited, kept or accepted, and nothing was read or has left; after it all of it is written
            // down, whatever becomes of the job.
            self.commit(step).await?;
        }
        Ok(debited)
    }

    async fn keep_contract(
        &self,
        step: &mut SqliteConnection,
        wanted: &Engagement<'_>,
    ) -> Result<Kept, JournalError> {
        let earlier: Option<Vec<u8>> = sqlx::query_scalar("SELECT digest FROM contracts WHERE id = ?")
            .bind(wanted.contract)
            .fetch_optional(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        if let Some(earlier) = earlier {
            let earlier = self.digest(&earlier)?;
            if earlier == wanted.content {
                return Ok(Kept::Before);
            }
            if !wanted.is_pinned {
                return Ok(Kept::Other(earlier));
            }
        }
        sqlx::query("INSERT OR REPLACE INTO contracts (id, digest) VALUES (?, ?)")
            .bind(wanted.contract)
            .bind(&wanted.content.0[..])
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(Kept::Now)
    }

    async fn debit(
        &self,
        step: &mut SqliteConnection,
        debit: &Debit,
        limit: Option<Limit>,
    ) -> Result<Engaged, JournalError> {
        let rows: Vec<(String, String, i64, i64)> =
            sqlx::query_as("SELECT job, unit, micro_epsilon, femto_delta FROM debits")
                .fetch_all(&mut *step)
                .await
                .map_err(|error| self.failed(error))?;
        let mut spent = self.carried(step, debit.unit).await?.unwrap_or_default();
        for (job, unit, micro_epsilon, femto_delta) in rows {
            if job == debit.job {
                return Ok(Engaged::Recorded(Recorded::Same));
            }
            // What protects something else is on another account.
            if unit != debit.unit.name() {
                continue;
            }
            let (micro_epsilon, femto_delta) = (self.number(micro_epsilon)?, self.number(femto_delta)?);
            spent = spent.and(Amount { micro_epsilon, femto_delta });
        }
        if let Some(limit) = limit
            && !limit.admits(spent, debit.amount)
        {
            let (unit, needed, left) = (debit.unit, debit.amount, limit.left(spent));
            return Ok(Engaged::OverBudget { unit, needed, left });
        }
        sqlx::query(
            "INSERT INTO debits (job, contract, unit, micro_epsilon, femto_delta, at_ms, noise, honest)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&debit.job)
        .bind(&debit.contract)
        .bind(debit.unit.name())
        .bind(stored(debit.amount.micro_epsilon)?)
        .bind(stored(debit.amount.femto_delta)?)
        .bind(stored(debit.at_ms)?)
        .bind(debit.noise.as_ref().map(|noise| &*noise.source))
        .bind(debit.noise.as_ref().map(|noise| noise.honest))
        .execute(&mut *step)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(Engaged::Recorded(Recorded::New))
    }
}

/// What is known of a contract's content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It is what was accepted first.
    Before,
    /// It is kept from now on.
    Now,
    /// Another one was accepted first.
    Other(Digest),
}

fn is_recorded(engaged: Engaged) -> bool {
    matches!(engaged, Engaged::Recorded(_))
}
