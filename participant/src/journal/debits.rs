//! The privacy account: what jobs with noise may spend of the rows of this institution, debited before anything leaves.
//!
//! Amounts protect single rows, or the institution as a whole, and those of one kind say nothing of the other: they are kept side by
//! side and never added.
//!
//! A job is debited once and as a whole, when it is [taken on](super::Journal::engage): one that is stopped early, or whose institution falls away, has
//! then been debited more than it spent, never less. All jobs of a journal are on one account, whatever their contracts: they
//! read the same customers.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::{ConnectOptions, SqliteConnection};
use syndic_learning::job::Protected;
use syndic_learning::privacy::budget::Amount;

use super::file::{options, schema};
use super::{Journal, JournalError};

/// One job's debit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debit {
    /// The job.
    pub job: String,
    /// The contract of the rows that it reads.
    pub contract: String,
    /// What the amount protects.
    pub unit: Protected,
    /// All that it may spend.
    pub amount: Amount,
    /// Whose noise has to suffice; none where an earlier version did not write it down.
    pub noise: Option<NoiseBasis>,
    /// When it was debited, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Whose noise a debit counts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoiseBasis {
    /// `local` or `distributed`.
    pub source: String,
    /// That of how many institutions, who have to be honest.
    pub honest: u16,
}

/// The privacy account of an institution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What is on accounts of before, by what it protects; none where the journal was never told.
    pub carried: BTreeMap<Protected, Amount>,
    /// The debits, in their order.
    pub debits: Vec<Debit>,
    /// Jobs that were accepted without noise: no amount bounds what those tell of a row.
    pub exact_jobs: u64,
}

impl Account {
    /// All debits together that protect the same, those on accounts of before included: no less than was spent.
    pub fn debited(&self, unit: Protected) -> Amount {
        let carried = self.carried.get(&unit).copied().unwrap_or_default();
        let debits = self.debits.iter().filter(|debit| debit.unit == unit);
        debits.fold(carried, |sum, debit| sum.and(debit.amount))
    }
}

impl Journal {
    /// Opens the account of an institution that has a budget for what is protected. `carried` is what it was debited before, in
    /// other journals, by its policy's word; that is kept, so that it counts also once the policy says nothing of it.
    ///
    /// # Errors
    ///
    /// [`JournalError::AccountUnknown`] where it was never said: a new journal knows nothing of what its customers' rows have told.
    pub async fn open_account(&self, unit: Protected, carried: Option<Amount>) -> Result<(), JournalError> {
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let before = self.carried(&mut step, unit).await?;
        let Some(carried) = carried else {
            let path = || self.path().display().to_string();
            let unknown = || JournalError::AccountUnknown { path: path(), unit };
            return before.map(drop).ok_or_else(unknown);
        };
        // As much as can be stored is more than any budget.
        let most = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        sqlx::query("INSERT OR REPLACE INTO carried (unit, micro_epsilon, femto_delta) VALUES (?, ?, ?)")
            .bind(unit.name())
            .bind(most(carried.micro_epsilon))
            .bind(most(carried.femto_delta))
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        // If we crash here the account is as before, and the policy says it again at the next start.
        self.commit(step).await
    }

    /// What is on accounts of before, where that was said.
    pub(super) async fn carried(
        &self,
        step: &mut SqliteConnection,
        unit: Protected,
    ) -> Result<Option<Amount>, JournalError> {
        let row: Option<(i64, i64)> =
            sqlx::query_as("SELECT micro_epsilon, femto_delta FROM carried WHERE unit = ?")
                .bind(unit.name())
                .fetch_optional(step)
                .await
                .map_err(|error| self.failed(error))?;
        let amount = |(micro_epsilon, femto_delta)| {
            Ok(Amount { micro_epsilon: self.number(micro_epsilon)?, femto_delta: self.number(femto_delta)? })
        };
        row.map(amount).transpose()
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
    let found = schema(path, &mut connection).await?;
    // A file of an older version has no account: no job had noise then, or whose noise it counts on was not written down.
    let debits = match found {
        0 => return Err(JournalError::WrongFormat { path: path.display().to_string() }),
        1..=6 => None,
        7..=8 => Some(
            "SELECT job, contract, unit, micro_epsilon, femto_delta, at_ms, NULL, NULL FROM debits ORDER BY rowid",
        ),
        _ => Some(
            "SELECT job, contract, unit, micro_epsilon, femto_delta, at_ms, noise, honest FROM debits ORDER BY rowid",
        ),
    };
    let rows: Vec<Row> = match debits {
        Some(debits) => sqlx::query_as(debits).fetch_all(&mut connection).await.map_err(failed)?,
        None => Vec::new(),
    };
    // Before there were amounts for institutions all were for rows.
    let carried = match found {
        ..=8 => None,
        9 => Some("SELECT 'row', micro_epsilon, femto_delta FROM carried"),
        _ => Some("SELECT unit, micro_epsilon, femto_delta FROM carried"),
    };
    let carried: Vec<(String, i64, i64)> = match carried {
        Some(carried) => sqlx::query_as(carried).fetch_all(&mut connection).await.map_err(failed)?,
        None => Vec::new(),
    };
    let damaged = || JournalError::Corrupt { path: path.display().to_string() };
    let by_unit = |(unit, micro_epsilon, femto_delta): (String, i64, i64)| {
        Some((Protected::named(&unit)?, amount_of(micro_epsilon, femto_delta)?))
    };
    let carried = carried
        .into_iter()
        .map(|row| by_unit(row).ok_or_else(damaged))
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    let debits: Vec<Debit> =
        rows.into_iter().map(|row| debit_of(row).ok_or_else(damaged)).collect::<Result<_, _>>()?;
    let jobs: Vec<String> =
        sqlx::query_scalar("SELECT job FROM jobs").fetch_all(&mut connection).await.map_err(failed)?;
    let is_exact = |job: &&String| debits.iter().all(|debit| debit.job != **job);
    let exact_jobs = jobs.iter().filter(is_exact).count() as u64;
    Ok(Account { carried, debits, exact_jobs })
}

type Row = (String, String, String, i64, i64, i64, Option<String>, Option<i64>);

fn debit_of(row: Row) -> Option<Debit> {
    let (job, contract, unit, micro_epsilon, femto_delta, at_ms, noise, honest) = row;
    let (unit, amount) = (Protected::named(&unit)?, amount_of(micro_epsilon, femto_delta)?);
    let noise = match (noise, honest) {
        (Some(source), Some(honest)) => Some(NoiseBasis { source, honest: honest.try_into().ok()? }),
        (None, None) => None,
        _ => return None,
    };
    Some(Debit { job, contract, unit, amount, noise, at_ms: at_ms.try_into().ok()? })
}

fn amount_of(micro_epsilon: i64, femto_delta: i64) -> Option<Amount> {
    Some(Amount { micro_epsilon: micro_epsilon.try_into().ok()?, femto_delta: femto_delta.try_into().ok()? })
}
