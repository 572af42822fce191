//! What a journal would say to a job, without a step of it: for whoever asks what the policy would answer.

use std::path::Path;

use sqlx::ConnectOptions;
use syndic_round::Digest;

use super::file::{options, schema};
use super::{Account, JournalError, read_account};

/// What is known of a job, of its contract and of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Digest of the job file that was taken on under the job's id, where one was. It goes on as it was.
    pub agreement: Option<Digest>,
    /// Digest of the content that was accepted under the contract's name and version, where one was.
    pub content: Option<Digest>,
    /// The account.
    pub account: Account,
}

/// What the journal `path` knows of a job and its contract, while an agent may be using it. Nothing is written and no boot is counted.
///
/// # Errors
///
/// As [`read_account`].
pub async fn read_known(path: &Path, job: &str, contract: &str) -> Result<Known, JournalError> {
    let account = read_account(path).await?;
    let failed = |error| JournalError::database(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(failed)?;
    let agreement: Option<Vec<u8>> = sqlx::query_scalar("SELECT agreement FROM jobs WHERE job = ?")
        .bind(job)
        .fetch_optional(&mut connection)
        .await
        .map_err(failed)?;
    let content: Option<Vec<u8>> = match schema(path, &mut connection).await? {
        // A file of an older version keeps no contracts.
        ..=7 => None,
        _ => sqlx::query_scalar("SELECT digest FROM contracts WHERE id = ?")
            .bind(contract)
            .fetch_optional(&mut connection)
            .await
            .map_err(failed)?,
    };
    let damaged = |_| JournalError::Corrupt { path: path.display().to_string() };
    let digest = |stored: Option<Vec<u8>>| {
        stored.map(|stored| stored.try_into().map(Digest)).transpose().map_err(damaged)
    };
    Ok(Known { agreement: digest(agreement)?, content: digest(content)?, account })
}
