//! Receiving an encrypted update: in parts, hashed as it streams, counted only when complete and stored.

use syndic_proto::convert::RoundRef;
use syndic_proto::status::rejected;
use syndic_proto::v1::submit_part::Part;
use syndic_proto::v1::{SubmitHeader, SubmitPart};
use syndic_round::coordinator::Upload;
use syndic_round::message::Kind;
use syndic_round::{Rejection, Signed};
use syndic_secure_aggregation::merkle;
use tonic::{Status, Streaming};

use super::{own_message, refused};
use crate::driver::Coordinator;
use crate::tls::PeerIdentity;

/// Receives one upload, complete and durable when this returns, and claimed by nothing yet. None where the
/// very same was accepted before; its body is not read again.
pub(super) async fn receive(
    coordinator: &Coordinator,
    caller: &PeerIdentity,
    mut parts: Streaming<SubmitPart>,
) -> Result<Option<(RoundRef, Signed, Upload)>, Status> {
    let Some(SubmitPart { part: Some(Part::Header(header)) }) = parts.message().await? else {
        return Err(rejected(&Rejection::Malformed));
    };
    let SubmitHeader { round, signed } = header;
    let round = RoundRef::try_from(round).map_err(|error| rejected(&error))?;
    let signed = own_message(caller, &signed)?;
    if coordinator.has_heard(&round.job, round.id, Kind::Header, &signed).await {
        return Ok(None);
    }
    // Checked before the body: nobody fills the disk with bytes that no round awaits.
    let awaited = coordinator.awaited_upload(caller.id, &round.job, round.id).await;
    let (awaited, chunk_bytes) = awaited.ok_or_else(|| rejected(&Rejection::Late))?;

    let mut writer = coordinator.blobs().writer().await.map_err(|error| refused(&error.into()))?;
    let mut leaves = Leaves { chunk_bytes, pending: Vec::with_capacity(chunk_bytes), leaves: Vec::new() };
    let mut received = 0_u64;
    while let Some(SubmitPart { part }) = parts.message().await? {
        let Some(Part::Chunk(bytes)) = part else { return Err(rejected(&Rejection::Malformed)) };
        received += bytes.len() as u64;
        if received > awaited {
            return Err(rejected(&Rejection::Mismatch("vector length")));
        }
        writer.write(&bytes).await.map_err(|error| refused(&error.into()))?;
        leaves.take(&bytes);
    }
    if received != awaited {
        return Err(rejected(&Rejection::Mismatch("vector length")));
    }
    // If we crash here nothing is visible: the writer's file has no name yet. The participant sends again.
    let blob = writer.finish(None).await.map_err(|error| refused(&error.into()))?;
    // If we crash here the update is stored but unclaimed; the same bytes, sent again, claim it.
    let chunks = leaves.leaves.len() as u32;
    let upload = Upload { root: merkle::root(&leaves.leaves), chunks, blob, bytes: received };
    Ok(Some((round, signed, upload)))
}

/// Merkle leaves of a stream whose parts need not end where chunks do.
struct Leaves {
    chunk_bytes: usize,
    pending: Vec<u8>,
    leaves: Vec<syndic_round::Digest>,
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
