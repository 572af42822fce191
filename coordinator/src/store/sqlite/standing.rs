//! What the log in this file is to its federation.

use async_trait::async_trait;

use super::SqliteLog;
use crate::store::standing::STANDING;
use crate::store::{Movable, Standing, StoreError};

#[async_trait]
impl Movable for SqliteLog {
    async fn standing(&self) -> Result<Standing, StoreError> {
        let mut reader = self.reader.lock().await;
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
            .bind(STANDING)
            .fetch_optional(&mut *reader)
            .await
            .map_err(|error| self.failed(error))?;
        let known = text.map_or(Some(Standing::InUse), |text| Standing::from_text(&text));
        known.ok_or_else(|| StoreError::WrongFormat { path: self.place(), expected: "log" })
    }

    async fn set_standing(&self, standing: &Standing) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        // One statement is one transaction: if we crash here the log is what it was, or what it is to be.
        sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")
            .bind(STANDING)
            .bind(standing.to_text())
            .execute(&mut *writer)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}
