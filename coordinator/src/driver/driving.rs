//! Driving: each job that is not over has a task that does what the coordinator owes it.

use std::collections::BTreeSet;

use syndic_round::JobId;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::{Coordinator, CoordinatorError};
use crate::boxed::Boxed;
use crate::engine::Over;
use crate::store::{Replica, StoreError, Tenure};

/// How the driving of one job ended.
pub(super) enum Driven {
    /// The job is over.
    Over,
    /// Nothing new is begun any more.
    Drained,
}

/// The tasks of jobs. Dropped, they end where they stand, as in a crash.
#[derive(Default)]
struct Driving {
    jobs: BTreeSet<JobId>,
    tasks: JoinSet<(Result<Driven, CoordinatorError>, JobId)>,
}

impl Coordinator {
    /// Drives all jobs until this one is over. Others that are not go on being driven while the coordinator is there.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the store fails; a restart goes on from what is stored.
    pub fn drive<'a>(&'a self, job: &'a JobId) -> Boxed<'a, Result<Over, CoordinatorError>> {
        Box::pin(async move {
            let mut driving = Driving::default();
            let over = tokio::select! {
                biased;
                over = self.until_over(job) => over,
                driven = driving.all(self) => {
                    driven?;
                    // Drained, it may have ended or not.
                    self.over(job).await.ok_or(CoordinatorError::Stopped)?
                }
            };
            driving.tasks.detach_all();
            Ok(over)
        })
    }

    /// Drives all jobs, those that are agreed meanwhile too, until nothing new is to be begun and what was begun is done.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the store fails; a restart goes on from what is stored.
    pub fn drive_all(&self) -> Boxed<'_, Result<(), CoordinatorError>> {
        Box::pin(async move { Driving::default().all(self).await })
    }

    async fn until_over(&self, job: &JobId) -> Over {
        let mut changed = self.changes();
        loop {
            changed.borrow_and_update();
            if let Some(over) = self.over(job).await {
                return over;
            }
            if changed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn has_stopped(&self) -> bool {
        self.inner.state.lock().await.stopped
    }
}

impl Coordinator {
    /// Does what the coordinator owes a job, until it is over or nothing new is begun any more; of several replicas, whenever
    /// no other does.
    async fn drive_job(&self, job: &JobId) -> Result<Driven, CoordinatorError> {
        let Some(replica) = &self.inner.replica else { return self.drive_under(job, None).await };
        loop {
            let tenure = match self.take_over(replica, job).await? {
                Ok(tenure) => tenure,
                Err(driven) => return Ok(driven),
            };
            let driven = match self.took_over(replica, job, &tenure).await {
                Ok(()) => self.drive_under(job, Some(&tenure)).await,
                Err(error) => Err(error),
            };
            match driven {
                // Another took it over from us, whom it took for dead.
                Err(CoordinatorError::Store(StoreError::Fenced { name, .. }))
                    if name == tenure.lease().await.name =>
                {
                    warn!(%job, "another replica may drive the job: this one was not heard for too long");
                }
                driven => {
                    // If we crash here, or before, another replica takes the job over when the lease is over.
                    tenure.release().await;
                    return driven;
                }
            }
        }
    }

    /// Waits until no other replica drives the job, and takes it over; or says why there is nothing to take over.
    async fn take_over(
        &self,
        replica: &Replica,
        job: &JobId,
    ) -> Result<Result<Tenure, Driven>, CoordinatorError> {
        let (mut changed, mut stirs) = (self.changes(), replica.stirs());
        loop {
            changed.borrow_and_update();
            if self.over(job).await.is_some() {
                return Ok(Err(Driven::Over));
            }
            if self.is_draining() {
                return Ok(Err(Driven::Drained));
            }
            // Asked first, since to ask changes nothing.
            match replica.driver(job).await?.filter(|driver| driver.holder != replica.name()) {
                Some(driver) => tokio::select! {
                    _ = changed.changed() => {}
                    () = stirs.next() => {}
                    () = tokio::time::sleep(driver.left) => {}
                },
                None => match replica.drive(job).await {
                    Ok(tenure) => return Ok(Ok(tenure)),
                    // By another, a moment ago.
                    Err(StoreError::Held { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    /// Nobody ended the phases of a job while nobody drove it: they get their time again.
    async fn took_over(
        &self,
        replica: &Replica,
        job: &JobId,
        tenure: &Tenure,
    ) -> Result<(), CoordinatorError> {
        info!(%job, replica = replica.name(), "this replica drives the job");
        let lease = tenure.lease().await;
        let mut state = self.inner.state.lock().await;
        self.inner.catch_up(&mut state).await?;
        self.inner.resume_job(&mut state, job, Some(&lease)).await
    }
}

impl Driving {
    async fn all(&mut self, coordinator: &Coordinator) -> Result<(), CoordinatorError> {
        let mut changed = coordinator.changes();
        loop {
            changed.borrow_and_update();
            if coordinator.has_stopped().await {
                return Err(CoordinatorError::Stopped);
            }
            let is_draining = coordinator.is_draining();
            if is_draining && self.tasks.is_empty() {
                return Ok(());
            }
            let jobs = if is_draining { Vec::new() } else { coordinator.jobs().await };
            for job in jobs {
                if self.jobs.insert(job.clone()) {
                    let coordinator = coordinator.clone();
                    self.tasks.spawn(async move { (coordinator.drive_job(&job).await, job) });
                }
            }
            tokio::select! {
                _ = changed.changed() => {}
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok((ended, job)) => {
                        ended?;
                        self.jobs.remove(&job);
                    }
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    // The process is ending.
                    Err(_) => return Err(CoordinatorError::Stopped),
                },
            }
        }
    }
}
