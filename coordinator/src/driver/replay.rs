//! Recovery: the ledger is read from its start, by the same rules as at work.

use std::sync::Arc;

use syndic_round::coordinator::Input;
use syndic_round::{SealedRoster, Sum, Timestamp};

use super::CoordinatorError;
use super::record::Record;
use crate::engine::{Engine, FoldError};
use crate::fact::Fact;
use crate::store::{Blobs, Log, StoreError};

/// Folds the stored ledger.
pub(super) async fn replay(
    log: &dyn Log,
    blobs: &dyn Blobs,
    roster: Arc<SealedRoster>,
) -> Result<(Engine, Record), CoordinatorError> {
    let mut engine = Engine::new(roster);
    let mut record = Record::default();
    catch_up(log, blobs, &mut engine, &mut record, |_, _| {}).await?;
    Ok((engine, record))
}

/// Folds what is stored beyond what was folded before, and tells of each fact once it counts.
pub(super) async fn catch_up(
    log: &dyn Log,
    blobs: &dyn Blobs,
    engine: &mut Engine,
    record: &mut Record,
    mut counted: impl FnMut(&Engine, &Fact),
) -> Result<(), CoordinatorError> {
    let size = log.size().await?;
    while record.history().size() < size {
        for bytes in log.read(record.history().size(), 1024).await? {
            let index = record.history().size();
            let corrupt =
                |fault| StoreError::Corrupt { what: format!("entry {index} of the ledger ({fault}), it") };
            let accepted = record.history().check(&bytes).map_err(corrupt)?;
            let fact = Fact::from_entry(index, &accepted.entry)?;
            let sum = sum_of(engine, blobs, &fact).await?;
            engine.apply(Timestamp(accepted.entry.time.unix_ms()), &fact, sum.as_ref())?;
            record.take(&accepted, bytes, &fact).map_err(corrupt)?;
            counted(engine, &fact);
        }
    }
    Ok(())
}

/// The stored sum that a fact closes its round with.
async fn sum_of(engine: &Engine, blobs: &dyn Blobs, fact: &Fact) -> Result<Option<Sum>, CoordinatorError> {
    let Fact::Heard { job, place, input: Input::Opened(opened), .. } = fact else { return Ok(None) };
    let open = engine.open_round(job, place.round()).ok_or(FoldError::Astray)?;
    let bytes = blobs.read(opened.sum).await?;
    let sum = Sum::from_bytes(open.round.plan().layout.clone(), &bytes);
    Ok(Some(sum.ok_or(StoreError::Corrupt { what: format!("the sum {}", opened.sum) })?))
}
