//! When the store takes nothing: no new work, reads go on, and so does everything else by itself once it takes things again.
//!
//! Whether an append that failed is stored is unknown. So recovery does what a start does: it reads what the log holds
//! beyond what counts here, and gives the phases that were under way their time again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use syndic_proto::control::JobTrouble;
use syndic_round::coordinator::Input;
use syndic_round::{JobId, Place, Rejection};
use tokio::sync::watch;
use tracing::{error, info};

use super::{Coordinator, CoordinatorError, Inner, State};
use crate::store::{Blobs, Lease, StoreError};

/// Why a store takes nothing now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong, and where.
    pub message: String,
}

/// Whether there is any trouble; shared by all who may meet it.
#[derive(Clone)]
pub(super) struct Condition(Arc<watch::Sender<Option<Trouble>>>);

impl Condition {
    pub(super) fn good() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Remembers the trouble that an error tells of, if it is one that may pass.
    pub(super) fn met(&self, error: &StoreError) {
        if !error.may_pass() {
            return;
        }
        let trouble = Trouble { code: error.code(), message: error.to_string() };
        let code = trouble.code;
        let before = self.0.send_replace(Some(trouble));
        if before.is_none_or(|before| before.code != code) {
            let help = error.help().unwrap_or_default();
            error!(code, %error, help, "the store takes nothing: no new work until it does again");
        }
    }

    fn passed(&self) {
        self.0.send_replace(None);
    }

    pub(super) fn is_bad(&self) -> bool {
        self.0.borrow().is_some()
    }

    fn watch(&self) -> watch::Receiver<Option<Trouble>> {
        self.0.subscribe()
    }
}

impl Coordinator {
    /// Why the store takes nothing now; nothing where it does.
    pub fn trouble(&self) -> watch::Receiver<Option<Trouble>> {
        self.inner.condition.watch()
    }

    /// The same, beside a job that does not go on for it.
    pub(super) fn job_trouble(&self) -> Option<JobTrouble> {
        let trouble = self.trouble().borrow().clone();
        trouble.map(|Trouble { code, message }| JobTrouble { code: code.into(), message })
    }

    /// Does what `drive` does, again and again: it is given up when the store takes nothing, and begun anew once it takes
    /// things again.
    ///
    /// # Errors
    /// Those of `drive` that do not pass by themselves.
    pub async fn through_trouble<T, D>(&self, drive: impl Fn() -> D) -> Result<T, CoordinatorError>
    where
        D: Future<Output = Result<T, CoordinatorError>>,
    {
        loop {
            let mut trouble = self.trouble();
            tokio::select! {
                driven = drive() => match driven {
                    Err(error) if self.may_pass(&error) => {}
                    driven => return driven,
                },
                _ = trouble.wait_for(Option::is_some) => {}
            }
            self.recovered().await?;
        }
    }

    fn may_pass(&self, error: &CoordinatorError) -> bool {
        match error {
            CoordinatorError::Store(error) => {
                // Also of what nobody watches: files that are written beside log and blobs.
                self.inner.condition.met(error);
                error.may_pass()
            }
            CoordinatorError::Stopped => self.inner.condition.is_bad(),
            _ => false,
        }
    }

    /// Waits until the store takes things again, and goes on from what it holds.
    async fn recovered(&self) -> Result<(), CoordinatorError> {
        loop {
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
            match self.inner.recover().await {
                Err(error) if self.may_pass(&error) => {}
                recovered => {
                    recovered?;
                    self.inner.condition.passed();
                    info!("the store takes things again; everything goes on");
                    self.inner.tick();
                    return Ok(());
                }
            }
        }
    }
}

impl Inner {
    async fn recover(&self) -> Result<(), CoordinatorError> {
        require_room(&*self.blobs).await?;
        // Asked before anybody has to wait for us: what does not answer would hold up those who read.
        self.log.size().await?;
        let mut state = self.state.lock().await;
        self.settle(&mut state).await?;
        self.resume_all(&mut state).await
    }

    /// Finds out what became of an append that has no answer.
    pub(super) async fn settle(&self, state: &mut State) -> Result<(), CoordinatorError> {
        if state.stopped {
            // The answer is had once an append that lost its caller is over.
            self.log.holds(state.record.history().size(), &[]).await?;
            self.read_on(state).await?;
            state.stopped = false;
        }
        Ok(())
    }

    /// Gives the phases of rounds and preparations that were under way their time again. Of several replicas, whoever takes
    /// a job over does so.
    pub(super) async fn resume_all(&self, state: &mut State) -> Result<(), CoordinatorError> {
        if self.replica.is_some() {
            return Ok(());
        }
        let jobs: Vec<JobId> = state.engine.jobs().map(|job| job.id.clone()).collect();
        for job in jobs {
            self.resume_job(state, &job, None).await?;
        }
        Ok(())
    }

    /// The same for one job.
    pub(super) async fn resume_job(
        &self,
        state: &mut State,
        job: &JobId,
        under: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        let Some(live) = state.engine.job(job) else { return Ok(()) };
        let round = live.round().map(|open| Place::Round(open.round.plan().id));
        let ahead = live.ahead().map(|ahead| Place::Ahead(ahead.terms().number));
        for place in round.into_iter().chain(ahead) {
            match self.hear(state, job, place, Input::Resume, None, under).await {
                // Another replica heard meanwhile what ended it.
                Ok(_) | Err(CoordinatorError::Rejected(Rejection::Over)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Stores as much as the log and a small update need, and removes it.
async fn require_room(blobs: &dyn Blobs) -> Result<(), StoreError> {
    // If we crash here a blob is left that no entry names.
    let room = blobs.put(&vec![0; ROOM_BYTES]).await?;
    blobs.remove(room).await.map(drop)
}

const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// 4 MiB.
const ROOM_BYTES: usize = 4 << 20;
