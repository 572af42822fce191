//! Receiving an encrypted update: in parts, hashed as it streams, counted only when complete and stored.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syndic_proto::convert::RoundRef;
use syndic_proto::status::{rejected, with_code};
use syndic_proto::v1::submit_part::Part;
use syndic_proto::v1::{SubmitHeader, SubmitPart};
use syndic_round::coordinator::Upload;
use syndic_round::{Digest, ParticipantId, Rejection, Signed};
use syndic_secure_aggregation::merkle;
use tonic::{Code, Status, Streaming};

use super::{own_message, refused};
use crate::driver::Coordinator;
use crate::store::{Blobs, StoreError};
use crate::tls::PeerIdentity;

/// An upload, as far as it has to be read.
pub(super) enum Heard {
    /// Complete and durable, and claimed by nothing yet.
    Complete(RoundRef, Signed, Upload),
    /// The very same was accepted before; its body was not read again.
    Before(RoundRef, Signed),
}

/// Receives one upload.
pub(super) async fn receive(
    coordinator: &Coordinator,
    caller: &PeerIdentity,
    mut parts: Streaming<SubmitPart>,
) -> Result<Heard, Status> {
    let Some(SubmitPart { part: Some(Part::Header(header)) }) = first(coordinator, &mut parts).await? else {
        return Err(rejected(&Rejection::Malformed));
    };
    let SubmitHeader { round, signed } = header;
    let round = RoundRef::try_from(round).map_err(|error| rejected(&error))?;
    let signed = own_message(caller, &signed)?;
    // The header is judged before the body: nobody fills the disk with bytes that no round awaits.
    let judged = coordinator.judge_header(&round.job, round.id, &signed).await;
    let Some(header) = judged.map_err(|error| refused(&error))? else {
        return Ok(Heard::Before(round, signed));
    };
    let awaited = coordinator.upload_bytes(&round.job, round.id).await;
    let (awaited, chunk_bytes) = awaited.ok_or_else(|| rejected(&Rejection::Over))?;
    let mut too_late = pin!(no_longer_awaited(coordinator, round.clone()));
    if awaited == 0 {
        // The update was shared itself: its header is all that comes.
        return match next(&mut parts, too_late.as_mut()).await? {
            None => Ok(Heard::Complete(round, signed, Upload::of_shares(header.root))),
            Some(_) => Err(rejected(&Rejection::Mismatch("vector length"))),
        };
    }

    let wanted = Wanted { root: header.root, bytes: awaited, chunk_bytes };
    let upload = receive_body(coordinator.blobs(), &mut parts, wanted, too_late).await?;
    Ok(Heard::Complete(round, signed, upload))
}

/// What the parts after a header have to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The Merkle root that the header signs.
    pub root: Digest,
    /// How long all parts together are.
    pub bytes: u64,
    /// Bytes of a chunk, a leaf of the tree.
    pub chunk_bytes: usize,
}

/// Receives what follows the header of an upload: measured and hashed as it streams in, complete and durable when this
/// returns.
///
/// # Errors
/// The status to answer with where it stalls, is not what is `wanted`, has not come whole when it is `too_late`, or cannot
/// be stored; nothing is stored then.
pub async fn receive_body(
    blobs: &dyn Blobs,
    parts: &mut Streaming<SubmitPart>,
    wanted: Wanted,
    mut too_late: Pin<&mut impl Future<Output = ()>>,
) -> Result<Upload, Status> {
    let Wanted { root, bytes: awaited, chunk_bytes } = wanted;
    let stored = |error: StoreError| refused(&error.into());
    let mut writer = blobs.writer().await.map_err(stored)?;
    let mut leaves = Leaves { chunk_bytes, pending: Vec::with_capacity(chunk_bytes), leaves: Vec::new() };
    let mut received = 0_u64;
    while let Some(SubmitPart { part }) = next(parts, too_late.as_mut()).await? {
        let Some(Part::Chunk(bytes)) = part.filter(brings_bytes) else {
            return Err(rejected(&Rejection::Malformed));
        };
        received += bytes.len() as u64;
        if received > awaited {
            return Err(rejected(&Rejection::Mismatch("vector length")));
        }
        writer.write(&bytes).await.map_err(stored)?;
        leaves.take(&bytes);
    }
    if received != awaited {
        return Err(rejected(&Rejection::Mismatch("vector length")));
    }
    if merkle::root(&leaves.leaves) != root {
        return Err(rejected(&Rejection::Mismatch("ciphertext")));
    }
    // If we crash here nothing is visible: the writer's file has no name yet. The participant sends again.
    let blob = writer.finish(None).await.map_err(stored)?;
    // If we crash here the update is stored but unclaimed; the same bytes, sent again, claim it.
    Ok(Upload { root, chunks: leaves.leaves.len() as u32, blob, bytes: received })
}

/// Whether a part takes the upload further: empty ones could go on for ever.
fn brings_bytes(part: &Part) -> bool {
    !matches!(part, Part::Chunk(bytes) if bytes.is_empty())
}

/// The first part. Who opens an upload and sends nothing is sent away when no round that awaits updates now awaits them
/// any longer.
async fn first(
    coordinator: &Coordinator,
    parts: &mut Streaming<SubmitPart>,
) -> Result<Option<SubmitPart>, Status> {
    let ends = async {
        let collecting = coordinator.collecting().await;
        if collecting.is_empty() {
            // Nothing ends that has not begun: what is sent now is judged by its header.
            return std::future::pending().await;
        }
        for (job, id) in collecting {
            no_longer_awaited(coordinator, RoundRef { job, id }).await;
        }
    };
    tokio::select! {
        biased;
        // What was accepted before is said again also when the round has gone on.
        part = from_the_wakeful(parts) => part,
        () = ends => Err(rejected(&Rejection::Late)),
    }
}

/// The next part, unless `too_late` comes first: whoever drips its bytes holds nothing beyond the phase.
async fn next(
    parts: &mut Streaming<SubmitPart>,
    too_late: Pin<&mut impl Future<Output = ()>>,
) -> Result<Option<SubmitPart>, Status> {
    tokio::select! {
        biased;
        () = too_late => Err(rejected(&Rejection::Late)),
        part = from_the_wakeful(parts) => part,
    }
}

/// The next part, from a sender that is not asleep.
async fn from_the_wakeful(parts: &mut Streaming<SubmitPart>) -> Result<Option<SubmitPart>, Status> {
    let stalled =
        |_| with_code(Code::DeadlineExceeded, "upload.stalled", "the upload stalled; send it again");
    tokio::time::timeout(PATIENCE, parts.message()).await.map_err(stalled)?
}

/// Comes when the round does not await updates, for whatever reason.
async fn no_longer_awaited(coordinator: &Coordinator, round: RoundRef) {
    let mut changed = coordinator.changes();
    loop {
        changed.borrow_and_update();
        if !coordinator.is_collecting(&round.job, round.id).await || changed.changed().await.is_err() {
            return;
        }
    }
}

/// Uploads of each member that are under way: as many as jobs may be, since a job awaits one at a time.
#[derive(Clone)]
pub(super) struct Uploading {
    most: usize,
    members: Arc<Mutex<BTreeMap<ParticipantId, usize>>>,
}

/// One upload of a member; over when dropped.
pub(super) struct UnderWay(Uploading, ParticipantId);

impl Uploading {
    /// None under way; `most` of each member may be.
    pub(super) fn at_most(most: usize) -> Self {
        Self { most, members: Arc::default() }
    }

    /// Begins an upload of `member`, unless as many as may be are under way.
    pub(super) fn begin(&self, member: ParticipantId) -> Result<UnderWay, Status> {
        let mut members = self.lock();
        let under_way = members.entry(member).or_default();
        if *under_way < self.most {
            *under_way += 1;
            return Ok(UnderWay(self.clone(), member));
        }
        let message = "other uploads of this participant are under way";
        Err(with_code(Code::Unavailable, "upload.busy", message))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ParticipantId, usize>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(under_way) = self.0.lock().get_mut(&self.1) {
            *under_way -= 1;
        }
    }
}

/// How long a sender may be silent in the middle of an upload.
const PATIENCE: Duration = Duration::from_secs(30);

/// Merkle leaves of a stream whose parts need not end where chunks do.
struct Leaves {
    chunk_bytes: usize,
    pending: Vec<u8>,
    leaves: Vec<Digest>,
}

impl Leaves {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(self.chunk_bytes - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = rest;
            if self.pending.len() == self.chunk_bytes {
                self.leaves.push(merkle::leaf(&self.pending));
                self.pending.clear();
            }
        }
    }
}
