//! Writing out for reviewers: the ledger, and the models of jobs that are complete.

use std::path::Path;

use syndic_round::JobId;

use crate::driver::{Coordinator, CoordinatorError};
use crate::store::write_file;

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
    folder: &Path,
) -> Result<(), CoordinatorError> {
    let mut changed = coordinator.changes();
    let mut known = 0;
    let (mut published, mut cosigned) = (None, 0);
    loop {
        changed.borrow_and_update();
        let ended = coordinator.how_many_ended().await;
        if ended > known {
            let head = coordinator.export_ledger(&folder.join(LEDGER)).await?;
            // If we crash here, or below, what is not written is at the next start: outcomes follow from the ledger.
            for job in coordinator.with_outcomes().await {
                write_model(coordinator, &job, &head, &folder.join(format!("{JOB}{job}"))).await?;
            }
            known = ended;
            (published, cosigned) = (Some(head.0), 0);
        }
        if let Some(size) = published
            && let now = coordinator.how_many_cosigned(size).await
            && now > cosigned
        {
            // If we crash here the ledger is published with fewer cosignatures; the next start publishes it with all of them.
            coordinator.publish_cosigned(&folder.join(LEDGER), size).await?;
            cosigned = now;
        }
        if changed.changed().await.is_err() {
            return Ok(());
        }
    }
}

async fn write_model(
    coordinator: &Coordinator,
    job: &JobId,
    head: &(u64, String),
    folder: &Path,
) -> Result<(), CoordinatorError> {
    let Some(outcome) = coordinator.outcome(job).await else { return Ok(()) };
    let weights = outcome.model.to_safetensors()?;
    let card = outcome.model.card(&weights, coordinator.provenance(job, head).await);
    let card =
        serde_json::to_vec_pretty(&card).map_err(|error| CoordinatorError::Ledger(error.to_string()))?;
    for (name, bytes) in [("model.safetensors", weights), ("model.json", card)] {
        write_file(&folder.join(name), &bytes).await?;
    }
    Ok(())
}

/// The ledger's folder among what is published.
pub(super) const LEDGER: &str = "ledger";
/// With this begins the folder of a job: an id may consist of dots.
const JOB: &str = "job-";
