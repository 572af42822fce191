//! Erasing what the rounds of a job were made of: because its file says so, or somebody who may run jobs.
//!
//! First it is on record, then it is done, and what is on record nobody reads any more. Whatever ends the coordinator in between,
//! the next sweep finishes it.

use syndic_round::JobId;
use tracing::info;

use super::{Coordinator, CoordinatorError, Inner, State, joined};
use crate::clock;
use crate::engine::Ended;
use crate::fact::{Cause, ErasureRule, Fact, UpdatesErased};
use crate::store::Lease;
use crate::sweep::{Looked, finish_erasures};

impl Coordinator {
    /// Erases encrypted updates, sealed shares and questions of a job that is over. Erasing what is erased is fine.
    ///
    /// # Errors
    /// [`CoordinatorError::NoSuchJob`], [`CoordinatorError::JobNotOver`]; that another replica sweeps; what the store can meet.
    pub async fn erase(&self, job: &JobId, cause: Cause) -> Result<(), CoordinatorError> {
        let (coordinator, job) = (self.clone(), job.clone());
        // A task of its own: a caller that hangs up must not leave an append without its answer.
        joined(tokio::spawn(async move { coordinator.erase_here(&job, cause).await })).await
    }

    async fn erase_here(&self, job: &JobId, cause: Cause) -> Result<(), CoordinatorError> {
        let sweeping = self.begin_sweeping().await?;
        let lease = sweeping.lease().await;
        let Inner { log, blobs, .. } = &*self.inner;
        let erased = async {
            let looked = Looked::at(&**log, &**blobs).await?;
            self.inner.put_on_record(&looked, job, ErasureRule::Operator(cause), lease.as_ref()).await?;
            // If we crash here the updates are erased by what is on record, and the next sweep removes them.
            finish_erasures(&**log, &**blobs).await.map(drop)
        };
        let erased = erased.await;
        sweeping.end().await;
        erased
    }

    /// Puts on record that the updates of those jobs are erased whose files keep them no longer; a sweep removes them.
    pub(super) async fn erase_due(&self, lease: Option<Lease>) -> Result<(), CoordinatorError> {
        self.catch_up().await?;
        let now = clock::now();
        let due: Vec<(JobId, ErasureRule)> = {
            let state = self.inner.state.lock().await;
            let rule = |(job, ended): (&JobId, &Ended)| {
                let (due, updates_days) = (ended.erase_at().filter(|at| *at <= now)?, ended.updates_days?);
                Some((job.clone(), ErasureRule::JobFile { updates_days, due }))
            };
            state.engine.all_ended().filter_map(rule).collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        let looked = Looked::at(&*self.inner.log, &*self.inner.blobs).await?;
        for (job, rule) in due {
            self.inner.put_on_record(&looked, &job, rule, lease.as_ref()).await?;
        }
        Ok(())
    }

    /// Refuses what the updates of a job are asked for that were erased.
    pub(super) async fn require_kept(&self, job: &JobId) -> Result<(), CoordinatorError> {
        self.catch_up().await?;
        match self.inner.state.lock().await.record.erased(job) {
            None => Ok(()),
            Some(entry) => Err(CoordinatorError::Erased { job: job.clone(), entry }),
        }
    }
}

impl Inner {
    /// Puts the erasure of a job's updates on record, unless it is.
    async fn put_on_record(
        &self,
        looked: &Looked,
        job: &JobId,
        rule: ErasureRule,
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        let (blobs, bytes) = looked.of_alone(job);
        let fact = UpdatesErased { job: job.clone(), rule, blobs, bytes };
        let erase = |state: &State, _| match state.engine.ended(job) {
            Some(Ended { is_erased: true, .. }) => Ok(Vec::new()),
            Some(_) => Ok(vec![Fact::UpdatesErased(Box::new(fact.clone()))]),
            None if state.engine.job(job).is_some() => Err(CoordinatorError::JobNotOver(job.clone())),
            None => Err(CoordinatorError::NoSuchJob(job.clone())),
        };
        let mut state = self.state.lock().await;
        // If we crash here nothing is erased, and nothing says so; after it nobody reads them any more, wherever they lie.
        if !self.decided(&mut state, lease, erase).await?.is_empty() {
            info!(%job, blobs, bytes, "the job's updates are erased");
        }
        Ok(())
    }
}
