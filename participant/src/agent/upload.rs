//! The encrypted update: from values to a file, and from the file to the coordinator, neither ever whole in memory.

use std::time::Instant;

use syndic_proto::convert::{PlaceRef, RoundRef};
use syndic_proto::status::code_of;
use syndic_round::message::{Header, Kind, Payload};
use syndic_round::receipt::Receipt;
use syndic_round::vector::Coefficients;
use syndic_round::{Digest, RING_DIMENSION, Rejection, Signed};
use syndic_secure_aggregation::{Masks, OneTimeKey};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tonic::Status;
use tracing::{info, warn};

use super::error::{Declined, Undone};
use super::link::{Link, Uploaded};
use super::lost::told;
use super::seat::joined;
use super::{Agent, Encryption, leaving, system_randomness};
use crate::journal::{JournalError, Sent, SpoolWriter, SpooledUpdate};

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
            let receipt = link.submit(round, header, 0, parts).await?;
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
        let (mut update, whole) = (update, measured.bytes);
        let leaving = Sent { digest: measured.digest, ..leaving(&at, Kind::Header, &[]) };
        let mut offset = 0;
        if self.journal.has_sent(&leaving).await? {
            (update, offset) = self.agreed_offset(link, round, header, update, whole).await?;
        }
        loop {
            let bytes = header.to_bytes().len() as u64 + whole - offset;
            self.journal.sent(&Sent { bytes, ..leaving.clone() }).await?;
            let (sender, parts) = mpsc::channel(PARTS_AHEAD);
            let reading = spawn_blocking(move || update.send_to(offset, &sender).map(|()| update));
            let answer = link.submit(round, header, offset, parts).await;
            // A file that ends too early is refused by the coordinator, but it is this disk's fault.
            update = joined(reading.await)??;
            match answer {
                Err(status) if offset > 0 && begins_anew(&status) => {
                    info!(round = %round.id, offset, reason = told(&status), "sending the whole update");
                    offset = 0;
                }
                answer => return self.keep(round, header, &answer?).await,
            }
        }
    }

    /// Behind how many of its bytes an update is gone on with: those that the coordinator shows that it has. Whatever it
    /// says, it gets no other bytes than those of this update.
    async fn agreed_offset(
        &self,
        link: &mut Link,
        round: &RoundRef,
        header: &Signed,
        mut update: SpooledUpdate,
        whole: u64,
    ) -> Result<(SpooledUpdate, u64), Undone> {
        let (bytes, digest) = match link.uploaded(round, header).await? {
            Uploaded::Nothing => return Ok((update, 0)),
            // Should that not be so there will be no receipt.
            Uploaded::All => return Ok((update, whole)),
            Uploaded::Part(bytes, digest) => (bytes, digest),
        };
        let compare = move || update.digest_of_first(bytes).map(|own| (update, own == Some(digest)));
        let compared: Result<_, JournalError> = joined(spawn_blocking(compare).await)?;
        let (update, is_same) = compared?;
        if !is_same {
            warn!(round = %round.id, bytes, "what the coordinator has is no beginning of this update; sending all of it");
            return Ok((update, 0));
        }
        info!(round = %round.id, bytes, of = whole, "the upload goes on");
        Ok((update, bytes))
    }

    /// Keeps the receipt of an update, once it verifies.
    async fn keep(&self, round: &RoundRef, header: &Signed, receipt: &Receipt) -> Result<(), Undone> {
        self.check_receipt(&round.clone().into(), Kind::Header, header, receipt)?;
        Ok(self.journal.keep_receipt(round.job.as_str(), round.id, receipt).await?)
    }
}

/// Whether the coordinator wants all of an update of which it was to get the rest.
fn begins_anew(status: &Status) -> bool {
    matches!(code_of(status), Some("upload.not-held" | "upload.damaged"))
}

/// Parts that are read while others travel.
const PARTS_AHEAD: usize = 2;
