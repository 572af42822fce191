//! What closed rounds came to: of the last round of a job it is held, of all others it is read from the ledger again.

use std::collections::BTreeMap;

use syndic_ledger::Entry;
use syndic_round::coordinator::Input;
use syndic_round::{Digest, JobId, ParticipantId, Place, RoundId, RoundPlan};
use syndic_secure_aggregation::chunk_bytes;

use super::{Coordinator, CoordinatorError};
use crate::engine::ClosedRound;
use crate::fact::Fact;
use crate::store::StoreError;

impl Coordinator {
    /// What a closed round came to; none where there is no such round.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be read.
    pub async fn closed_round(
        &self,
        job: &JobId,
        id: RoundId,
    ) -> Result<Option<ClosedRound>, CoordinatorError> {
        let range = {
            let mut state = self.inner.state.lock().await;
            if state.record.closed(job, id).is_none() {
                self.inner.catch_up(&mut state).await?;
            }
            if let Some(closed) = state.engine.job(job).and_then(|job| job.last_closed(id)) {
                return Ok(Some(closed.clone()));
            }
            state.record.closed(job, id)
        };
        let Some(range) = range else { return Ok(None) };
        let (mut plan, mut uploads) = (None, BTreeMap::new());
        let mut next = *range.start();
        while next <= *range.end() {
            let page = self.inner.log.read(next, PAGE.min(range.end() - next + 1)).await?;
            if page.is_empty() {
                return Err(StoreError::Corrupt { what: format!("the log ends at entry {next}, it") }.into());
            }
            for bytes in page {
                if let Some(closed) = read(next, &bytes, (job, id), &mut plan, &mut uploads)? {
                    return Ok(Some(closed));
                }
                next += 1;
            }
        }
        Ok(None)
    }
}

/// Takes one entry into account, if it is of this round; the closed round once that is known.
fn read(
    index: u64,
    bytes: &[u8],
    (job, id): (&JobId, RoundId),
    plan: &mut Option<Box<RoundPlan>>,
    uploads: &mut BTreeMap<ParticipantId, Digest>,
) -> Result<Option<ClosedRound>, CoordinatorError> {
    let corrupt = |error| StoreError::Corrupt { what: format!("entry {index} of the ledger ({error}), it") };
    let entry = Entry::parse(bytes).map_err(corrupt)?;
    match Fact::from_entry(index, &entry)? {
        Fact::RoundOpened { plan: opened, .. } if opened.terms.job == *job && opened.id == id => {
            *plan = Some(opened);
        }
        Fact::Heard { job: of, place, input, survivors, .. } if of == *job && place == Place::Round(id) => {
            match (input, plan) {
                (Input::Submit(signed, upload), _) => drop(uploads.insert(signed.from, upload.blob)),
                (Input::Opened(opened), Some(plan)) => {
                    let uploads = survivors.iter().filter_map(|id| uploads.get(id).copied()).collect();
                    let chunk_bytes = chunk_bytes(plan.terms.protection.parameter_set());
                    return Ok(Some(ClosedRound { opened, uploads, chunk_bytes }));
                }
                _ => {}
            }
        }
        _ => {}
    }
    Ok(None)
}

/// Entries read at a time.
const PAGE: u64 = 1024;
