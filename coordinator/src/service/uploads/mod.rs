//! Receiving an encrypted update: in parts, hashed as it streams, counted only when complete and stored. One that is cut goes
//! on behind what is held of it.

mod body;
mod leftovers;
mod under_way;

use std::pin::{Pin, pin};
use std::time::Duration;

use syndic_proto::convert::RoundRef;
use syndic_proto::status::{rejected, with_code};
use syndic_proto::v1::submit_part::Part;
use syndic_proto::v1::{SubmitHeader, SubmitPart, UploadedReply};
use syndic_round::coordinator::Upload;
use syndic_round::message::Header;
use syndic_round::{Digest, Rejection, Signed};
use tonic::{Code, Status, Streaming};

pub use body::{Wanted, receive_body};
pub(super) use leftovers::forget_ended;
pub(super) use under_way::Uploading;

use super::{own_message, refused};
use crate::driver::Coordinator;
use crate::store::{Held, UploadName};
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
    let offset = header.offset;
    let Asked { round, signed, header } = Asked::read(coordinator, caller, header).await?;
    let Some(header) = header else { return Ok(Heard::Before(round, signed)) };
    coordinator.upload_begins(&round.job, signed.from).await;
    let awaited = coordinator.upload_bytes(&round.job, round.id).await;
    let (awaited, chunk_bytes) = awaited.ok_or_else(|| rejected(&Rejection::Over))?;
    let mut too_late = pin!(no_longer_awaited(coordinator, round.clone()));
    if awaited == 0 {
        // The update was shared itself: its header is all that comes.
        return match next(&mut parts, too_late.as_mut()).await? {
            None if offset == 0 => Ok(Heard::Complete(round, signed, Upload::of_shares(header.root))),
            _ => Err(rejected(&Rejection::Mismatch("vector length"))),
        };
    }

    let name = name_of(&round, &signed);
    let wanted = Wanted { name, offset, root: header.root, bytes: awaited, chunk_bytes };
    let upload = receive_body(coordinator.blobs(), &mut parts, wanted, too_late).await?;
    Ok(Heard::Complete(round, signed, upload))
}

/// How much is held of the upload with this header.
pub(super) async fn uploaded(
    coordinator: &Coordinator,
    caller: &PeerIdentity,
    header: SubmitHeader,
) -> Result<UploadedReply, Status> {
    if header.offset != 0 {
        return Err(rejected(&Rejection::Malformed));
    }
    let Asked { round, signed, header } = Asked::read(coordinator, caller, header).await?;
    if header.is_none() {
        return Ok(UploadedReply { accepted: true, ..UploadedReply::default() });
    }
    let held = coordinator.blobs().begun(&name_of(&round, &signed)).await;
    let reply = |Held { bytes, digest }| UploadedReply {
        accepted: false,
        bytes,
        digest: digest.as_bytes().to_vec().into(),
    };
    Ok(held.map_err(|error| refused(&error.into()))?.map(reply).unwrap_or_default())
}

/// The beginning of an upload, judged before its body: nobody fills the disk with bytes that no round awaits.
struct Asked {
    round: RoundRef,
    signed: Signed,
    /// None where the very same was accepted before.
    header: Option<Header>,
}

impl Asked {
    async fn read(
        coordinator: &Coordinator,
        caller: &PeerIdentity,
        header: SubmitHeader,
    ) -> Result<Self, Status> {
        let round = RoundRef::try_from(header.round).map_err(|error| rejected(&error))?;
        let signed = own_message(caller, &header.signed)?;
        let judged = coordinator.judge_header(&round.job, round.id, &signed).await;
        let header = judged.map_err(|error| refused(&error))?;
        Ok(Self { round, signed, header })
    }
}

fn name_of(round: &RoundRef, signed: &Signed) -> UploadName {
    let RoundRef { job, id } = round.clone();
    UploadName { job, round: id, from: signed.from, header: Digest::of(&signed.to_bytes()) }
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
        part = waking(parts) => part,
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
        part = waking(parts) => part,
    }
}

/// The next part, from a sender that is not asleep.
async fn waking(parts: &mut Streaming<SubmitPart>) -> Result<Option<SubmitPart>, Status> {
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

/// How long a sender may be silent in the middle of an upload.
const PATIENCE: Duration = Duration::from_secs(30);
