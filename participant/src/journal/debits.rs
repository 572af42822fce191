//! The privacy account: what jobs with noise may spend of the rows of this institution, debited before anything leaves.
//!
//! A job is debited once and as a whole, when it is accepted: one that is stopped early, or whose institution falls away, has
//! then been debited more than it spent, never less. All jobs of a journal are on one account, whatever their contracts: they
//! read the same customers.

use std::path::Path;

use sqlx::ConnectOptions;
use syndic_learning::privacy::budget::{Amount, Limit};
use syndic_round::Digest;

use super::file::{options, schema, stored};
use super::{Journal, JournalError, Recorded};

/// One job's debit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debit {
    /// The job.
    pub job: String,
    /// The contract of the rows that it reads.
    pub contract: String,
    /// What the amount protects, `row` for instance.
    pub unit: String,
    /// All that it may spend.
    pub amount: Amount,
    /// When it was debited, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// The privacy account of an institution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The debits, in their order.
    pub debits: Vec<Debit>,
    /// Jobs that were accepted without noise: no amount bounds what those tell of a row.
    pub exact_jobs: u64,
}

/// What became of a debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debited {
    /// It is on the account: now, or it was before.
    Recorded(Recorded),
    /// It would exceed the limit; nothing was changed.
    Refused {
        /// What is left.
        left: Amount,
    },
}

impl Account {
    /// All debits together.
    pub fn spent(&self) -> Amount {
        self.debits.iter().fold(Amount::default(), |sum, debit| sum.and(debit.amount))
    }
}

impl Journal {
    /// [`Self::accept_job`] of a job with noise, which is debited in the same step if that leaves the account within `limit`; to be
    /// called before anything of the job leaves. A job that was debited before is not debited again, also where the limit is
    /// lower now: its file, and so its amount, is the same.
    ///
    /// # Errors
    ///
    /// [`JournalError::OtherAgreement`] where the job was accepted with another file; what the file can meet. Then nothing may be
    /// sent.
    pub async fn accept_and_debit(
        &self,
        agreement: Digest,
        debit: &Debit,
        limit: Option<Limit>,
    ) -> Result<Debited, JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        self.accept_in(&mut step, &debit.job, agreement).await?;
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT job, micro_epsilon, femto_delta FROM debits")
                .fetch_all(&mut *step)
                .await
                .map_err(|error| self.failed(error))?;
        let mut spent = Amount::default();
        for (job, micro_epsilon, femto_delta) in rows {
            if job == debit.job {
                return Ok(Debited::Recorded(Recorded::Same));
            }
            let (micro_epsilon, femto_delta) = (self.number(micro_epsilon)?, self.number(femto_delta)?);
            spent = spent.and(Amount { micro_epsilon, femto_delta });
        }
        if let Some(limit) = limit
            && !limit.admits(spent, debit.amount)
        {
            return Ok(Debited::Refused { left: limit.left(spent) });
        }
        sqlx::query(
            "INSERT INTO debits (job, contract, unit, micro_epsilon, femto_delta, at_ms)
                 VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&debit.job)
        .bind(&debit.contract)
        .bind(&debit.unit)
        .bind(stored(debit.amount.micro_epsilon)?)
        .bind(stored(debit.amount.femto_delta)?)
        .bind(stored(debit.at_ms)?)
        .execute(&mut *step)
        .await
        .map_err(|error| self.failed(error))?;
        // If we crash here nothing is debited or accepted, and nothing has left; after it the job is debited, whatever becomes of it.
        self.commit(step).await?;
        Ok(Debited::Recorded(Recorded::New))
    }
}

/// The privacy account in the journal `path`, while an agent may be using it. Nothing is written and no boot is counted.
///
/// # Errors
///
/// [`JournalError::Io`] where there is no journal; [`JournalError::WrongFormat`], [`JournalError::NewerSchema`];
/// [`JournalError::Corrupt`] where a row is not what was written.
pub async fn read_account(path: &Path) -> Result<Account, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(failed)?;
    let rows: Vec<Row> = match schema(path, &mut connection).await? {
        0 => return Err(JournalError::WrongFormat { path: path.display().to_string() }),
        // A file of an older version has no account: no job had noise then.
        1..=5 => Vec::new(),
        _ => sqlx::query_as(
            "SELECT job, contract, unit, micro_epsilon, femto_delta, at_ms FROM debits ORDER BY rowid",
        )
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?,
    };
    let damaged = || JournalError::Corrupt { path: path.display().to_string() };
    let debits: Vec<Debit> =
        rows.into_iter().map(|row| debit_of(row).ok_or_else(damaged)).collect::<Result<_, _>>()?;
    let jobs: Vec<String> =
        sqlx::query_scalar("SELECT job FROM jobs").fetch_all(&mut connection).await.map_err(failed)?;
    let is_exact = |job: &&String| debits.iter().all(|debit| debit.job != **job);
    let exact_jobs = jobs.iter().filter(is_exact).count() as u64;
    Ok(Account { debits, exact_jobs })
}

type Row = (String, String, String, i64, i64, i64);

fn debit_of((job, contract, unit, micro_epsilon, femto_delta, at_ms): Row) -> Option<Debit> {
    let amount =
        Amount { micro_epsilon: micro_epsilon.try_into().ok()?, femto_delta: femto_delta.try_into().ok()? };
    Some(Debit { job, contract, unit, amount, at_ms: at_ms.try_into().ok()? })
}
