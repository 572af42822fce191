//! Driving: each job that is not over has a task that does what the coordinator owes it.

use std::collections::BTreeSet;

use syndic_round::JobId;
use tokio::task::JoinSet;

use super::{Coordinator, CoordinatorError};
use crate::engine::Over;

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
    pub async fn drive(&self, job: &JobId) -> Result<Over, CoordinatorError> {
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
    }

    /// Drives all jobs, those that are agreed meanwhile too, until nothing new is to be begun and what was begun is done.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the store fails; a restart goes on from what is stored.
    pub async fn drive_all(&self) -> Result<(), CoordinatorError> {
        Driving::default().all(self).await
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
