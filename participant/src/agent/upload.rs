//! The encrypted update: from values to a file, and from the file to the coordinator, neither ever whole in memory.

use std::time::Instant;

use syndic_proto::convert::{PlaceRef, RoundRef};
use syndic_round::message::{Header, Kind, Payload};
use syndic_round::receipt::Receipt;
use syndic_round::vector::Coefficients;
use syndic_round::{Digest, RING_DIMENSION, Rejection, Signed};
use syndic_secure_aggregation::{Masks, OneTimeKey};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::error::{Declined, Undone};
use super::link::Link;
use super::seat::joined;
use super::{Agent, Encryption, leaving, system_randomness};
use crate::journal::{JournalError, Sent, SpoolWriter};

/// Encrypts `update` into `file`, chunk by chunk, under a key that is gone then, whatever comes of it. The update is whole
/// and durable when this returns: its Merkle root, and what encryption cost.
///
/// # Errors
/// [`JournalError`] where it cannot be written; then nothing of it is left.
pub fn encrypt_into_file(
    key: OneTimeKey,
    update: impl Coefficients,
    masks: &Masks,
    mut file: SpoolWriter,
) -> Result<(Digest, Encryption), JournalError> {
    let coefficients = (update.chunk_count() * RING_DIMENSION) as u64;
    let began = Instant::now();
    let root = key.encrypt_into(update, masks, &mut system_randomness(), |chunks| file.write(chunks))?;
    let nanos = began.elapsed().as_nanos() as u64;
    file.finish()?;
    Ok((root, Encryption { coefficients, nanos }))
}

/// All coefficients, for those who look over a participant's shoulder in tests.
#[cfg(feature = "tap")]
pub(super) fn all_of(update: &impl Coefficients) -> Vec<i64> {
    let mut all = vec![0; update.chunk_count() * RING_DIMENSION];
    let chunks = all.as_chunks_mut().0;
    chunks.iter_mut().enumerate().for_each(|(index, chunk)| update.fill(index, chunk));
    all
}

impl Agent {
    /// Sends the update that `header` was signed over: the stored bytes, the first time and every time. Works after a
    /// restart too, since what it takes is the journal and the file; nothing is made anew (rules 4 and 5).
    pub(super) async fn upload(
        &self,
        link: &mut Link,
        round: &RoundRef,
        header: &Signed,
    ) -> Result<(), Undone> {
        let Header { preparation, chunks, root, round: of, .. } =
            Header::decode(&header.payload).map_err(Rejection::from)?;
        if of != round.id {
            return Err(Declined::Coordinator(Rejection::Mismatch("round")).into());
        }
        let at = PlaceRef::from(round.clone());
        if chunks == 0 {
            // The update was shared itself: there is no ciphertext, and the header says it all.
            let (_, parts) = mpsc::channel(1);
            self.journal.sent(&leaving(&at, Kind::Header, &header.to_bytes())).await?;
            let receipt = link.submit(round, header, parts).await?;
            return self.keep(round, header, &receipt).await;
        }
        let (spool, job, said) = (self.journal.spool().clone(), round.job.clone(), header.to_bytes());
        let look = move || {
            let Some(mut update) = spool.find(job.as_str(), preparation)? else { return Ok(None) };
            Ok(update.measure(&said, chunks)?.map(|measured| (update, measured)))
        };
        let stored: Result<_, JournalError> = joined(spawn_blocking(look).await)?;
        let Some((update, measured)) = stored?.filter(|(_, measured)| measured.root == root) else {
            warn!(round = %round.id, "the stored update is gone or damaged");
            return Err(Declined::Restarted.into());
        };
        let bytes = header.to_bytes().len() as u64 + measured.bytes;
        let leaving = leaving(&at, Kind::Header, &[]);
        self.journal.sent(&Sent { bytes, digest: measured.digest, ..leaving }).await?;
        let (sender, parts) = mpsc::channel(PARTS_AHEAD);
        let reading = spawn_blocking(move || update.send_to(&sender));
        let answer = link.submit(round, header, parts).await;
        // A file that ends too early is refused by the coordinator, but it is this disk's fault.
        joined(reading.await)??;
        self.keep(round, header, &answer?).await
    }

    /// Keeps the receipt of an update, once it verifies.
    async fn keep(&self, round: &RoundRef, header: &Signed, receipt: &Receipt) -> Result<(), Undone> {
        self.check_receipt(&round.clone().into(), Kind::Header, header, receipt)?;
        Ok(self.journal.keep_receipt(round.job.as_str(), round.id, receipt).await?)
    }
}

/// Parts that are read while others travel.
const PARTS_AHEAD: usize = 2;
