//! Recovery: the ledger is read from its start, by the same rules as at work.

use std::ops::Range;
use std::sync::Arc;

use syndic_ledger::{Fault, Formed};
use syndic_round::coordinator::Input;
use syndic_round::{Digest, SealedRoster, Signatures, Sum, Timestamp};
use tokio::sync::mpsc;
use tracing::warn;

use super::CoordinatorError;
use super::record::Record;
use super::verified::Noted;
use crate::engine::{Engine, FoldError};
use crate::fact::Fact;
use crate::store::{Blobs, Log, StoreError};

/// Where entries are read from, and the sums that they name.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) log: &'a Arc<dyn Log>,
    pub(super) blobs: &'a Arc<dyn Blobs>,
}

/// An entry that was read, before it counts.
struct Read {
    bytes: Vec<u8>,
    formed: Formed,
    fact: Fact,
    /// The sum that it closes its round with, where that is small.
    sum: Option<Vec<u8>>,
}

impl Stored<'_> {
    /// Folds the whole ledger. The signatures in the part that this program has `noted` are not verified again, if that part is
    /// what it was then.
    ///
    /// # Errors
    /// [`CoordinatorError::NotAsVerified`] where it is not, although it keeps all rules.
    pub(super) async fn replay(
        self,
        roster: Arc<SealedRoster>,
        noted: Option<&Noted>,
    ) -> Result<(Engine, Record), CoordinatorError> {
        let size = self.log.size().await?;
        let begin = || (Engine::new(roster.clone()), Record::default());
        let noted = noted.filter(|noted| {
            let is_there = noted.part.size() <= size;
            if !is_there {
                let verified = noted.part.size();
                warn!(
                    verified,
                    entries = size,
                    "the ledger is shorter than it was: has an older copy been restored?"
                );
            }
            is_there
        });
        let (mut engine, mut record) = begin();
        if let Some(Noted { part, signatures }) = noted {
            let is_same = |record: &Record| record.history().tree().root() == *part.root();
            let mut folded = self.fold(part.size(), *signatures, &mut engine, &mut record, |_, _| {}).await;
            if *signatures == Signatures::Verified && (folded.is_err() || !is_same(&record)) {
                // What is wrong is found by the rules that a ledger without a note is read by.
                (engine, record) = begin();
                let all = Signatures::Unverified;
                folded = self.fold(part.size(), all, &mut engine, &mut record, |_, _| {}).await;
            }
            folded?;
            if !is_same(&record) {
                return Err(CoordinatorError::NotAsVerified(part.size()));
            }
        }
        self.fold(size, Signatures::Unverified, &mut engine, &mut record, |_, _| {}).await?;
        Ok((engine, record))
    }

    /// Folds what is stored beyond what was folded before, and tells of each fact once it counts.
    pub(super) async fn catch_up(
        self,
        engine: &mut Engine,
        record: &mut Record,
        counted: impl FnMut(&Engine, &Fact),
    ) -> Result<(), CoordinatorError> {
        let size = self.log.size().await?;
        self.fold(size, Signatures::Unverified, engine, record, counted).await
    }

    /// Folds entries up to the `size`-th.
    async fn fold(
        self,
        size: u64,
        signatures: Signatures,
        engine: &mut Engine,
        record: &mut Record,
        mut counted: impl FnMut(&Engine, &Fact),
    ) -> Result<(), CoordinatorError> {
        let entries = record.history().size()..size;
        if entries.is_empty() {
            return Ok(());
        }
        let mut ahead = read_ahead(self.log.clone(), self.blobs.clone(), entries, signatures);
        while let Some(batch) = ahead.recv().await {
            for Read { bytes, formed, fact, sum } in batch? {
                let index = record.history().size();
                let sum = self.sum_of(engine, &fact, sum).await?;
                let now = Timestamp(formed.entry().time.unix_ms());
                let accepted = record.history().follow(formed).map_err(|fault| corrupt(index, fault))?;
                engine.apply(now, &fact, sum.as_ref(), signatures)?;
                record.take(&accepted, bytes, &fact).map_err(|fault| corrupt(index, fault))?;
                counted(engine, &fact);
            }
        }
        Ok(())
    }

    /// The stored sum that a fact closes its round with; `read` is it, where that was read before.
    async fn sum_of(
        self,
        engine: &Engine,
        fact: &Fact,
        read: Option<Vec<u8>>,
    ) -> Result<Option<Sum>, CoordinatorError> {
        let Fact::Heard { job, place, input: Input::Opened(opened), .. } = fact else { return Ok(None) };
        let open = engine.open_round(job, place.round()).ok_or(FoldError::Astray)?;
        let bytes = match read {
            Some(bytes) => bytes,
            None => self.blobs.read(opened.sum).await?,
        };
        let sum = Sum::from_bytes(open.round.plan().layout.clone(), &bytes);
        Ok(Some(sum.ok_or(StoreError::Corrupt { what: format!("the sum {}", opened.sum) })?))
    }
}

/// Reads these entries ahead of whoever folds them, on another thread.
fn read_ahead(
    log: Arc<dyn Log>,
    blobs: Arc<dyn Blobs>,
    entries: Range<u64>,
    signatures: Signatures,
) -> mpsc::Receiver<Result<Vec<Read>, CoordinatorError>> {
    let (batches, ahead) = mpsc::channel(BATCHES);
    tokio::spawn(async move {
        let stored = async |from| match from < entries.end {
            true => log.read(from, BATCH.min(entries.end - from)).await,
            false => Ok(Vec::new()),
        };
        let mut from = entries.start;
        let mut following = stored(from).await;
        loop {
            let batch = match following {
                Ok(batch) if batch.is_empty() => return,
                Ok(batch) => batch,
                Err(error) => return drop(batches.send(Err(error.into())).await),
            };
            let first = from;
            from += batch.len() as u64;
            let reading = async {
                let entries = batch.into_iter().zip(first..);
                let read = |(bytes, index)| Read::of(index, bytes, signatures);
                let mut batch = entries.map(read).collect::<Result<Vec<_>, _>>()?;
                add_sums(&*blobs, &mut batch).await;
                Ok(batch)
            };
            // While these are read, the log looks up those that follow.
            let (next, read) = tokio::join!(stored(from), reading);
            let is_last = read.is_err();
            // Whoever folds may have given up.
            if batches.send(read).await.is_err() || is_last {
                return;
            }
            following = next;
        }
    });
    ahead
}

impl Read {
    /// Reads an entry. Where the signatures were verified before, so was the form.
    fn of(index: u64, bytes: Vec<u8>, signatures: Signatures) -> Result<Self, CoordinatorError> {
        let formed = match signatures {
            Signatures::Unverified => Formed::read(&bytes),
            Signatures::Verified => Formed::read_again(&bytes),
        };
        let formed = formed.map_err(|fault| corrupt(index, fault))?;
        let fact = Fact::from_entry(index, formed.entry())?;
        // Here, where they were made: to let go of them on another thread takes longer.
        Ok(Self { bytes, formed: formed.without_data(), fact, sum: None })
    }
}

/// Reads the sums with which rounds are closed, as far as they are small. Of any other, whoever folds it reads it in its turn,
/// and says what is wrong with it.
async fn add_sums(blobs: &dyn Blobs, batch: &mut [Read]) {
    let closing = |read: &Read| match &read.fact {
        Fact::Heard { input: Input::Opened(opened), .. } => Some(opened.sum),
        _ => None,
    };
    let sums: Vec<Digest> = batch.iter().filter_map(closing).collect();
    if sums.is_empty() {
        return;
    }
    let sums = blobs.read_small(sums, SMALL_SUM).await;
    for (read, sum) in batch.iter_mut().filter(|read| closing(read).is_some()).zip(sums) {
        read.sum = sum;
    }
}

fn corrupt(index: u64, fault: Fault) -> StoreError {
    StoreError::Corrupt { what: format!("entry {index} of the ledger ({fault}), it") }
}

/// Entries that are read at a time.
const BATCH: u64 = 256;
/// 64 KiB: at most this much of each round is held before its turn.
const SMALL_SUM: u64 = 64 << 10;
/// Batches that wait for whoever folds them.
const BATCHES: usize = 2;
