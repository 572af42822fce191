//! Several coordinators on one store, none of which is above the others.
//!
//! | lease | whoever holds it |
//! |---|---|
//! | `replica/HOLDER` | is a replica: it hears participants and appends what it accepts. Its note says who is connected to it |
//! | `job/JOB` | drives that job: opens its rounds, ends its phases, opens its sums |
//! | `sweep` | removes what no entry names, also beside replicas |
//! | `alone` | is the only one on the store: a migration, or `fsck` |
//!
//! All append under a lease, and only to the log as they have read it.

use std::sync::Arc;

use syndic_round::{JobId, Timestamp};
use tokio::sync::watch;
use tracing::info;

use super::tenure::{ALONE, HeldLog, TTL};
use super::{Holding, Lease, Leases, Log, Movable, Stirs, StoreError, Tenure};

/// This process among those that run a federation.
pub struct Replica {
    leases: Arc<dyn Leases>,
    log: Arc<dyn Log>,
    holder: String,
    membership: Tenure,
}

impl Replica {
    /// Joins those that work on `store`, under the name `holder`. Waits as long as somebody works alone on it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Left`], [`StoreError::Filling`] where the ledger is elsewhere; what the store can meet.
    pub async fn join<S>(store: Arc<S>, holder: String) -> Result<Self, StoreError>
    where
        S: Leases + Movable + 'static,
    {
        let (name, mut is_told, mut stirs) = (format!("{REPLICA}{holder}"), false, store.stirs());
        let membership = loop {
            match Tenure::take_in(store.clone(), store.clone(), &name, &holder).await {
                Err(StoreError::Held { name, holder: other }) if name == ALONE => {
                    if !is_told {
                        info!(
                            holder = other,
                            "somebody works alone on the ledger; waiting until that is done"
                        );
                        is_told = true;
                    }
                    let _ = tokio::time::timeout(TTL, stirs.next()).await;
                }
                taken => break taken?,
            }
        };
        Ok(Self { leases: store.clone(), log: store, holder, membership })
    }

    /// The name under which it is known to the others.
    pub fn name(&self) -> &str {
        &self.holder
    }

    /// The log, to which what is appended without another lease is appended as a replica's.
    pub fn log(&self) -> HeldLog {
        self.membership.log(self.log.clone())
    }

    /// Takes over the driving of a job, if nobody else drives it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] says by whom.
    pub async fn drive(&self, job: &JobId) -> Result<Tenure, StoreError> {
        Tenure::take(self.leases.clone(), &name_of(job), &self.holder).await
    }

    /// Takes over the sweeping of what no entry names, if nobody else sweeps.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] says who does.
    pub async fn sweep(&self) -> Result<Tenure, StoreError> {
        Tenure::take(self.leases.clone(), SWEEP, &self.holder).await
    }

    /// Who drives a job now.
    ///
    /// # Errors
    ///
    /// What the store can meet.
    pub async fn driver(&self, job: &JobId) -> Result<Option<Holding>, StoreError> {
        self.leases.holding(&name_of(job)).await
    }

    /// The epoch of its lease: what was noted with an earlier one is gone.
    pub async fn epoch(&self) -> u64 {
        self.membership.lease().await.epoch
    }

    /// Lets the others know something.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`]; what the store can meet.
    pub async fn note(&self, note: &str) -> Result<(), StoreError> {
        self.membership.note(note).await
    }

    /// The other replicas, each with what it lets us know.
    ///
    /// # Errors
    ///
    /// What the store can meet.
    pub async fn others(&self) -> Result<Vec<Holding>, StoreError> {
        let mut all = self.leases.all(REPLICA).await?;
        all.retain(|holding| holding.holder != self.holder);
        Ok(all)
    }

    /// Tells of what the others do.
    pub fn stirs(&self) -> Box<dyn Stirs> {
        self.leases.stirs()
    }

    /// Resolves when another process is known by this one's name.
    pub async fn lost(&self) -> StoreError {
        self.membership.lost().await
    }

    /// Whether the others take it for dead, since it could not renew its lease in time.
    pub fn cut_off(&self) -> watch::Receiver<bool> {
        self.membership.cut_off()
    }

    /// Lets everything go that it holds, so that no other need wait for it.
    pub async fn leave(&self) {
        for Holding { name, holder, epoch, .. } in self.leases.all("").await.unwrap_or_default() {
            if holder == self.holder && !name.starts_with(REPLICA) {
                let lease = Lease { name, holder, epoch, expires: Timestamp(0) };
                // One that stays ends by itself.
                let _ = self.leases.release(&lease).await;
            }
        }
        self.membership.release().await;
    }
}

/// Takes a store for `holder` alone.
///
/// # Errors
///
/// [`StoreError::Held`] where another works on it.
pub(super) async fn alone(leases: Arc<dyn Leases>, holder: &str) -> Result<Tenure, StoreError> {
    let tenure = Tenure::take(leases.clone(), ALONE, holder).await?;
    // Whoever joins from now on sees that we are here, and waits.
    let at_work = leases.all("").await.map(|all| all.into_iter().find(|lease| lease.holder != holder));
    match at_work {
        Ok(None) => Ok(tenure),
        Ok(Some(Holding { name, holder, .. })) => {
            tenure.release().await;
            Err(StoreError::Held { name, holder })
        }
        Err(error) => {
            tenure.release().await;
            Err(error)
        }
    }
}

/// Takes over the sweeping of `store` for `holder`, who is none of its replicas.
///
/// # Errors
///
/// [`StoreError::Held`] where another sweeps, or works alone; [`StoreError::Left`], [`StoreError::Filling`] where the ledger
/// is elsewhere.
pub(super) async fn sweep_beside<S>(store: Arc<S>, holder: &str) -> Result<Tenure, StoreError>
where
    S: Leases + Movable + 'static,
{
    Tenure::take_in(store.clone(), store, SWEEP, holder).await
}

fn name_of(job: &JobId) -> String {
    format!("{JOB}{job}")
}

const REPLICA: &str = "replica/";
const JOB: &str = "job/";
const SWEEP: &str = "sweep";

#[cfg(test)]
mod tests;
