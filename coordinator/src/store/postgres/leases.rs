//! Leases beside the log. The clock is the server's.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;
use syndic_round::Timestamp;

use super::PostgresLog;
use super::listening::Listening;
use crate::store::leases::{Row, milliseconds};
use crate::store::{Holding, Lease, Leases, Stirs, StoreError};

#[async_trait]
impl Leases for PostgresLog {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, StoreError> {
        self.in_time(async {
            // One statement is one transaction. It locks the row before it looks at it, so that of two who ask the
            // second sees what the first has made of it; `clock_timestamp` goes on while it waits.
            let granted: Option<(i64, i64)> = sqlx::query_as(
                "INSERT INTO leases (name, holder, epoch, expires)
                 VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
                 ON CONFLICT (name) DO UPDATE
                 SET holder = $2, epoch = leases.epoch + 1, note = NULL,
                     expires = clock_timestamp() + $3 * interval '1 millisecond'
                 WHERE leases.holder IS NULL OR leases.holder = $2 OR leases.expires <= clock_timestamp()
                 RETURNING epoch, (extract(epoch FROM expires) * 1000)::bigint",
            )
            .bind(name)
            .bind(holder)
            .bind(milliseconds(ttl))
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failures.before_commit(error))?;
            let Some((epoch, expires)) = granted else {
                let holder = self.holding(name).await?.map(|holding| holding.holder);
                return Err(StoreError::Held { name: name.into(), holder: holder.unwrap_or_else(released) });
            };
            let (epoch, expires) = (epoch.unsigned_abs(), Timestamp(expires.unsigned_abs()));
            Ok(Lease { name: name.into(), holder: holder.into(), epoch, expires })
        })
        .await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        self.in_time(async {
            let expires: Option<i64> = sqlx::query_scalar(
                "UPDATE leases SET expires = clock_timestamp() + $4 * interval '1 millisecond'
                 WHERE name = $1 AND holder = $2 AND epoch = $3 AND expires > clock_timestamp()
                 RETURNING (extract(epoch FROM expires) * 1000)::bigint",
            )
            .bind(&lease.name)
            .bind(&lease.holder)
            .bind(epoch_of(lease))
            .bind(milliseconds(ttl))
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failures.before_commit(error))?;
            let expires = expires.ok_or_else(|| lease.fenced())?;
            Ok(Lease { expires: Timestamp(expires.unsigned_abs()), ..lease.clone() })
        })
        .await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.in_time(async {
            let released = sqlx::query(
                "UPDATE leases SET holder = NULL, note = NULL
                 WHERE name = $1 AND holder = $2 AND epoch = $3 AND expires > clock_timestamp()",
            )
            .bind(&lease.name)
            .bind(&lease.holder)
            .bind(epoch_of(lease))
            .execute(&self.pool)
            .await
            .map_err(|error| self.failures.before_commit(error))?;
            Ok(released.rows_affected() == 1)
        })
        .await
    }

    async fn note(&self, lease: &Lease, note: &str) -> Result<(), StoreError> {
        self.in_time(async {
            let noted = sqlx::query(
                "UPDATE leases SET note = $4
                 WHERE name = $1 AND holder = $2 AND epoch = $3 AND expires > clock_timestamp()",
            )
            .bind(&lease.name)
            .bind(&lease.holder)
            .bind(epoch_of(lease))
            .bind(note)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failures.before_commit(error))?;
            if noted.rows_affected() == 1 { Ok(()) } else { Err(lease.fenced()) }
        })
        .await
    }

    async fn all(&self, prefix: &str) -> Result<Vec<Holding>, StoreError> {
        self.in_time(async {
            let held: Vec<Row> = sqlx::query_as(
                "SELECT name, holder, epoch, (extract(epoch FROM expires - clock_timestamp()) * 1000)::bigint, note
                 FROM leases
                 WHERE starts_with(name, $1) AND holder IS NOT NULL AND expires > clock_timestamp() ORDER BY name",
            )
            .bind(prefix)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failures.before_commit(error))?;
            Ok(held.into_iter().map(Holding::from).collect())
        })
        .await
    }

    fn stirs(&self) -> Box<dyn Stirs> {
        let listening = self.listening.get_or_init(|| Listening::begin(&self.pool, &self.schema));
        Box::new(listening.stirs())
    }
}

/// Nothing where the lease is not held with its epoch. To be asked in a transaction: until that is over nobody
/// can take the lease, even if its time is over meanwhile.
pub(super) async fn require_held(
    connection: &mut PgConnection,
    lease: &Lease,
) -> Result<Option<()>, sqlx::Error> {
    let held: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM leases
         WHERE name = $1 AND holder = $2 AND epoch = $3 AND expires > clock_timestamp() FOR SHARE",
    )
    .bind(&lease.name)
    .bind(&lease.holder)
    .bind(epoch_of(lease))
    .fetch_optional(connection)
    .await?;
    Ok(held.map(drop))
}

fn epoch_of(lease: &Lease) -> i64 {
    i64::try_from(lease.epoch).unwrap_or(i64::MAX)
}

/// The holder let go between two questions.
fn released() -> String {
    "somebody who has just let it go".into()
}
