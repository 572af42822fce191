//! What the log in this schema is to its federation.

use async_trait::async_trait;

use super::PostgresLog;
use crate::store::standing::STANDING;
use crate::store::{Movable, Standing, StoreError};

#[async_trait]
impl Movable for PostgresLog {
    async fn standing(&self) -> Result<Standing, StoreError> {
        self.in_time(async {
            let text: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
                .bind(STANDING)
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| self.failures.before_commit(error))?;
            let known = text.map_or(Some(Standing::InUse), |text| Standing::from_text(&text));
            known.ok_or_else(|| StoreError::WrongFormat { path: self.place(), expected: "log" })
        })
        .await
    }

    async fn set_standing(&self, standing: &Standing) -> Result<(), StoreError> {
        let changed = async {
            let mut change = self.begin().await?;
            sqlx::query(
                "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2",
            )
            .bind(STANDING)
            .bind(standing.to_text())
            .execute(&mut *change)
            .await
            .map_err(|error| self.failures.before_commit(error))?;
            Ok(change)
        };
        let change = self.in_time(changed).await?;
        // If we crash here, or the answer is lost, the log is what it was, or what it is to be.
        self.failures.commit_in_time(change.commit()).await
    }

    fn place(&self) -> String {
        self.failures.what().into()
    }
}
