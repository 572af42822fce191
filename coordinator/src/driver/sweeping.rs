//! Sweeping while the coordinator works: at its start, and once a day; of several replicas one at a time.

use std::convert::Infallible;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::{Coordinator, CoordinatorError};
use crate::store::StoreError;
use crate::sweep::{Rule, Swept, sweep};

impl Coordinator {
    /// Sweeps what no entry names.
    ///
    /// # Errors
    /// As [`sweep`]; [`StoreError::Held`] where another replica sweeps.
    pub async fn sweep(&self, rule: Rule) -> Result<Swept, CoordinatorError> {
        let sweeping = sweep(&*self.inner.log, &*self.inner.blobs, rule);
        let Some(replica) = &self.inner.replica else { return sweeping.await };
        let tenure = replica.sweep().await?;
        let swept = tokio::select! {
            swept = sweeping => swept,
            lost = tenure.lost() => Err(lost.into()),
        };
        // If we crash here, or before, the lease ends by itself, and another replica may sweep.
        tenure.release().await;
        swept
    }

    /// Sweeps now and every day what is older than this. What cannot be swept today is another day.
    pub async fn sweep_daily(&self, older_than: Duration) -> Infallible {
        loop {
            match self.sweep(Rule { older_than, is_dry: false }).await {
                Ok(swept) if swept.is_nothing() => {}
                Ok(swept) => {
                    let [set_aside, removed, put_back, uploads] =
                        [&swept.set_aside, &swept.removed, &swept.put_back, &swept.uploads].map(Vec::len);
                    let bytes = swept.bytes_removed();
                    info!(set_aside, removed, put_back, uploads, bytes, "swept what no entry names");
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

const DAY: Duration = Duration::from_secs(86_400);
