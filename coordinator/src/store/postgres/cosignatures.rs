//! Cosignatures beside the log, which every replica must publish.

use async_trait::async_trait;
use syndic_round::ParticipantId;

use super::PostgresLog;
use crate::store::{Cosignature, Cosignatures, StoreError};

#[async_trait]
impl Cosignatures for PostgresLog {
    async fn keep(&self, cosignature: &Cosignature) -> Result<(), StoreError> {
        self.in_time(async {
            // If we crash here the witness's last cosignature is kept, below an older head. Another replica may have kept a
            // newer one meanwhile, which stays.
            sqlx::query(
                "INSERT INTO cosignatures (witness, size, line) VALUES ($1, $2, $3)
                 ON CONFLICT (witness) DO UPDATE SET size = $2, line = $3 WHERE cosignatures.size <= $2",
            )
            .bind(i32::from(cosignature.witness.get()))
            .bind(i64::try_from(cosignature.size).unwrap_or(i64::MAX))
            .bind(&cosignature.line)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failures.before_commit(error))
            .map(drop)
        })
        .await
    }

    async fn kept(&self) -> Result<Vec<Cosignature>, StoreError> {
        self.in_time(async {
            let rows: Vec<(i32, i64, String)> =
                sqlx::query_as("SELECT witness, size, line FROM cosignatures ORDER BY witness")
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|error| self.failures.before_commit(error))?;
            let one = |(witness, size, line): (i32, i64, String)| {
                let witness = ParticipantId::new(u16::try_from(witness).ok()?)?;
                Some(Cosignature { witness, size: size.unsigned_abs(), line })
            };
            Ok(rows.into_iter().filter_map(one).collect())
        })
        .await
    }
}
