//! What is held of uploads ends with the attempt that awaited them.

use syndic_round::JobId;
use tracing::{debug, warn};

use crate::driver::Coordinator;
use crate::store::{Begun, StoreError, UploadName};

/// Forgets what is held of uploads to attempts that await none any more, those of an earlier life first. Never ends.
pub(in crate::service) async fn forget_ended(coordinator: Coordinator) {
    let mut changed = coordinator.changes();
    let mut awaiting = None;
    loop {
        changed.borrow_and_update();
        let now = coordinator.collecting().await;
        let goes_on = |attempt: &(JobId, _)| now.contains(attempt);
        if awaiting.is_none_or(|before: Vec<_>| !before.iter().all(goes_on)) {
            // What cannot be removed now is at the next change, or the next start; nobody takes it for anything else.
            if let Err(error) = forget_all_ended(&coordinator).await {
                warn!(code = error.code(), %error, "what is held of ended uploads cannot be removed");
            }
        }
        awaiting = Some(now);
        if changed.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn forget_all_ended(coordinator: &Coordinator) -> Result<(), StoreError> {
    for Begun { name, .. } in coordinator.blobs().all_begun().await? {
        let UploadName { job, round, from, .. } = &name;
        // Asked of each by itself: another attempt may have begun since. One that has ended never awaits anything again.
        if !coordinator.is_collecting(job, *round).await && coordinator.blobs().forget(&name).await? {
            debug!(%job, %round, participant = %from, "forgot an upload that was not finished");
        }
    }
    Ok(())
}
