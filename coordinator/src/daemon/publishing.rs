//! Writing out for reviewers: the ledger, and the models of jobs that are complete.
//!
//! Where it cannot be written, jobs go on all the same, and it is tried again until it can: all that is written out follows
//! from the ledger.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use syndic_learning::Findings;
use syndic_round::{Digest, JobId};
use tokio::sync::watch;
use tracing::{error, info};

use crate::driver::{Coordinator, CoordinatorError, Trouble};
use crate::engine::Over;
use crate::store::{StoreError, write_file};

/// The folder that is written to, and why it takes nothing, if it does not.
pub(super) struct Publishing {
    folder: PathBuf,
    trouble: watch::Sender<Option<Trouble>>,
}

impl Publishing {
    pub(super) fn to(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), trouble: watch::Sender::new(None) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why nothing can be written out now; nothing where it can.
    pub(super) fn trouble(&self) -> watch::Receiver<Option<Trouble>> {
        self.trouble.subscribe()
    }

    /// Writes the ledger, and the model of `job` if there is one, as soon as that is possible. The head that was written.
    ///
    /// # Errors
    /// Those that do not pass by themselves.
    pub(super) async fn publish(
        &self,
        coordinator: &Coordinator,
        job: &JobId,
    ) -> Result<(u64, String), CoordinatorError> {
        self.once_possible(|| publish(coordinator, job, &self.folder)).await
    }

    /// Gives the ledger of `size` entries that was written its head once more, with the cosignatures that have come since; or a
    /// longer one, where more have signed that. The size of what is published then.
    ///
    /// # Errors
    /// Those that do not pass by themselves.
    pub(super) async fn publish_cosigned(
        &self,
        coordinator: &Coordinator,
        size: u64,
    ) -> Result<u64, CoordinatorError> {
        let ledger = self.folder.join(LEDGER);
        if coordinator.best_cosigned(size).await.0 == size {
            self.once_possible(|| coordinator.publish_cosigned(&ledger, size)).await?;
            return Ok(size);
        }
        Ok(self.once_possible(|| coordinator.export_ledger(&ledger)).await?.0)
    }

    /// Does what `write` does, again and again until it is done.
    async fn once_possible<T, W>(&self, write: impl Fn() -> W) -> Result<T, CoordinatorError>
    where
        W: Future<Output = Result<T, CoordinatorError>>,
    {
        let mut wait = SHORTEST_WAIT;
        loop {
            // If we crash here, or while we wait, what is not written is at the next start.
            match write().await {
                Err(CoordinatorError::Store(error)) if error.may_pass() => self.met(&error),
                written => {
                    if self.trouble.send_replace(None).is_some() {
                        info!(folder = %self.folder.display(), "written out after all");
                    }
                    return written;
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn met(&self, error: &StoreError) {
        let code = match error {
            StoreError::Full { .. } => "publish.full",
            StoreError::Io { .. } => "publish.io",
            other => other.code(),
        };
        let message = format!("ledger and models are not written out: {error}");
        let before = self.trouble.send_replace(Some(Trouble { code, message }));
        if before.is_none_or(|before| before.code != code) {
            let help = error.help().unwrap_or_default();
            error!(code, %error, help, "cannot write out ledger and models; jobs go on, and it is tried again");
        }
    }
}

/// Writes the ledger, and the model of `job` if there is one, to `folder`.
///
/// # Errors
/// [`CoordinatorError`].
pub async fn publish(
    coordinator: &Coordinator,
    job: &JobId,
    folder: &Path,
) -> Result<(u64, String), CoordinatorError> {
    let head = coordinator.export_ledger(&folder.join(LEDGER)).await?;
    write_model(coordinator, job, &head, folder).await?;
    Ok(head)
}

/// Writes the ledger, and the model of each job to a folder of its own, whenever a job ends; first what ended before. The
/// ledger's head is written again when witnesses have cosigned it. Comes to an end only where it cannot.
pub(super) async fn publish_as_they_end(
    coordinator: &Coordinator,
    publishing: &Publishing,
) -> Result<(), CoordinatorError> {
    let mut changed = coordinator.changes();
    let mut known = 0;
    let (mut published, mut cosigned) = (None, 0);
    loop {
        changed.borrow_and_update();
        let ended = coordinator.how_many_ended().await;
        if ended > known {
            let head = publishing.once_possible(|| publish_all(coordinator, &publishing.folder)).await?;
            known = ended;
            info!(entries = head.0, folder = %publishing.folder.display(), "ledger and models are published");
            (published, cosigned) = (Some(head.0), 0);
        }
        if let Some(size) = published
            && let (_, now) = coordinator.best_cosigned(size).await
            && now > cosigned
        {
            // If we crash here the ledger is published with fewer cosignatures; the next start publishes it with all of them.
            published = Some(publishing.publish_cosigned(coordinator, size).await?);
            cosigned = now;
        }
        if changed.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Writes the ledger, and the model of each job to a folder of its own.
async fn publish_all(coordinator: &Coordinator, folder: &Path) -> Result<(u64, String), CoordinatorError> {
    let head = coordinator.export_ledger(&folder.join(LEDGER)).await?;
    // If we crash here, or below, what is not written is at the next start: outcomes follow from the ledger.
    for job in coordinator.with_outcomes().await {
        write_model(coordinator, &job, &head, &folder.join(format!("{JOB}{job}"))).await?;
    }
    Ok(head)
}

async fn write_model(
    coordinator: &Coordinator,
    job: &JobId,
    head: &(u64, String),
    folder: &Path,
) -> Result<(), CoordinatorError> {
    if let Some((agreement, found)) = coordinator.findings(job).await {
        let agreement = agreement.to_string();
        let (file, told) = match &*found {
            Findings::Models(found) => {
                (COMPARISON, json!({ "job": job, "agreement": agreement, "comparison": found }))
            }
            // The bins are in the job file: the same words as in the entry, which are all that is on record beside it.
            Findings::Rows(_) => {
                (DRIFT, json!({ "job": job, "agreement": agreement, "drift": found.to_data().1 }))
            }
        };
        write_file(&folder.join(file), format!("{told:#}\n").as_bytes()).await?;
        return Ok(());
    }
    if let Some(Over::Described(digest)) = coordinator.over(job).await {
        let file = folder.join(STATISTICS);
        // All are looked at whenever a job ends: what is there as it is on record stays.
        let is_there = std::fs::read(&file).is_ok_and(|bytes| Digest::of(&bytes) == digest);
        if !is_there && let Some(document) = coordinator.statistics(job).await? {
            write_file(&file, &document).await?;
        }
        return Ok(());
    }
    let Some(outcome) = coordinator.outcome(job).await else { return Ok(()) };
    let weights = outcome.model.to_safetensors()?;
    let card = match coordinator.approved_card(job).await? {
        // A card names the head of its day: the one that an approver signed stays as it is.
        Some(approved) => approved,
        None => {
            let card = outcome.card(&weights, coordinator.provenance(job, head).await);
            serde_json::to_vec_pretty(&card).map_err(|error| CoordinatorError::Ledger(error.to_string()))?
        }
    };
    for (name, bytes) in [("model.safetensors", weights), ("model.json", card)] {
        write_file(&folder.join(name), &bytes).await?;
    }
    Ok(())
}

/// Between attempts; doubled each time.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The ledger's folder among what is published.
const LEDGER: &str = "ledger";
/// What a job found that compared released models.
const COMPARISON: &str = "comparison.json";
/// What a job found that described rows.
const STATISTICS: &str = "statistics.json";
/// What one found that compared rows with those that a released model was trained on.
const DRIFT: &str = "drift.json";
/// With this begins the folder of a job: an id may consist of dots.
const JOB: &str = "job-";
