//! Sweeping while the coordinator works: at its start, and once a day; of several replicas one at a time.

use std::convert::Infallible;
use std::time::Duration;

use tracing::{debug, info, warn};

use tokio::sync::MutexGuard;

use super::{Coordinator, CoordinatorError, joined};
use crate::store::{Lease, StoreError, Tenure};
use crate::sweep::{Rule, Swept, sweep};

impl Coordinator {
    /// Sweeps what no entry names; first it lets go what is to be erased.
    ///
    /// # Errors
    /// As [`sweep`]; [`StoreError::Held`] where another replica sweeps.
    pub async fn sweep(&self, rule: Rule) -> Result<Swept, CoordinatorError> {
        let sweeping = self.begin_sweeping().await?;
        let swept = self.sweep_under(&sweeping, rule).await;
        // If we crash here, or before, the lease ends by itself, and another replica may sweep.
        sweeping.end().await;
        swept
    }

    async fn sweep_under(&self, sweeping: &Sweeping<'_>, rule: Rule) -> Result<Swept, CoordinatorError> {
        if !rule.is_dry {
            let (coordinator, lease) = (self.clone(), sweeping.lease().await);
            // A task of its own: no append is left without its answer.
            joined(tokio::spawn(async move { coordinator.erase_due(lease).await })).await?;
        }
        tokio::select! {
            swept = sweep(&*self.inner.log, &*self.inner.blobs, rule) => swept,
            lost = sweeping.lost() => Err(lost.into()),
        }
    }

    /// Waits until nobody sweeps here, and takes the sweeping over if no other replica has it.
    pub(super) async fn begin_sweeping(&self) -> Result<Sweeping<'_>, CoordinatorError> {
        let turn = self.inner.sweeping.lock().await;
        let tenure = match &self.inner.replica {
            Some(replica) => Some(replica.sweep().await?),
            None => None,
        };
        Ok(Sweeping { tenure, _turn: turn })
    }

    /// Sweeps now and every day what is older than this. What cannot be swept today is another day.
    pub async fn sweep_daily(&self, older_than: Duration) -> Infallible {
        loop {
            match self.sweep(Rule { older_than, is_dry: false }).await {
                Ok(swept) if swept.is_nothing() => {}
                Ok(swept) => {
                    let [erased, set_aside, removed, put_back, uploads] =
                        [&swept.erased, &swept.set_aside, &swept.removed, &swept.put_back, &swept.uploads]
                            .map(Vec::len);
                    let bytes = swept.bytes_removed();
                    info!(erased, set_aside, removed, put_back, uploads, bytes, "swept what no entry names");
                }
                Err(CoordinatorError::Store(StoreError::Held { holder, .. })) => {
                    debug!(holder, "another replica sweeps");
                }
                Err(error) => warn!(code = error.code(), %error, "what no entry names cannot be swept"),
            }
            tokio::time::sleep(DAY).await;
        }
    }
}

/// The right to sweep.
pub(super) struct Sweeping<'a> {
    /// None where nobody else could.
    tenure: Option<Tenure>,
    _turn: MutexGuard<'a, ()>,
}

impl Sweeping<'_> {
    /// What is shown with what is put on record meanwhile.
    pub(super) async fn lease(&self) -> Option<Lease> {
        match &self.tenure {
            Some(tenure) => Some(tenure.lease().await),
            None => None,
        }
    }

    async fn lost(&self) -> StoreError {
        match &self.tenure {
            Some(tenure) => tenure.lost().await,
            None => std::future::pending().await,
        }
    }

    pub(super) async fn end(self) {
        if let Some(tenure) = &self.tenure {
            tenure.release().await;
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
