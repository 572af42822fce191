//! What follows the header of an upload: in parts, hashed as they stream, behind what was held of it before.

use std::pin::Pin;

use syndic_proto::status::{rejected, with_code};
use syndic_proto::v1::SubmitPart;
use syndic_proto::v1::submit_part::Part;
use syndic_round::coordinator::Upload;
use syndic_round::{Digest, Rejection};
use syndic_secure_aggregation::merkle;
use tonic::{Code, Status, Streaming};

use super::under_way::busy;
use super::{refused, waking};
use crate::store::{BlobWriter, Blobs, Resumed, StoreError, UploadName};

/// What the parts after a header have to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What the upload is known by.
    pub name: UploadName,
    /// How many of its first bytes are left out, because they are held.
    pub offset: u64,
    /// The Merkle root that the header signs.
    pub root: Digest,
    /// How long the update is, all of it.
    pub bytes: u64,
    /// Bytes of a chunk, a leaf of the tree.
    pub chunk_bytes: usize,
}

/// Receives what follows the header of an upload: measured and hashed as it streams in, complete and durable when this
/// returns.
///
/// # Errors
/// The status to answer with where it is cut, stalls, is not what is `wanted`, has not come whole when it is `too_late`, or
/// cannot be stored. What had come of one that ended too early is held, where the store can; of others nothing is.
pub async fn receive_body(
    blobs: &dyn Blobs,
    parts: &mut Streaming<SubmitPart>,
    wanted: Wanted,
    too_late: Pin<&mut impl Future<Output = ()>>,
) -> Result<Upload, Status> {
    let mut body = Body::of(&wanted);
    let resumed = blobs.resume(&wanted.name, wanted.offset, &mut |bytes| body.take(bytes)).await;
    let mut writer = match resumed.map_err(of_the_store)? {
        Resumed::On(writer) => writer,
        Resumed::Fewer(held) => return Err(not_held(wanted.offset, held)),
        Resumed::InUse => return Err(busy()),
    };
    let ended = match body.receive(parts, too_late, &mut *writer).await {
        Ok(()) => body.is_whole(&wanted),
        Err(ended) => Err(ended),
    };
    match ended {
        Ok(chunks) => {
            // If we crash here the bytes are held under the upload's name. The participant, who has no receipt, asks for them.
            let blob = writer.finish(None).await.map_err(of_the_store)?;
            // If we crash here the update is stored but unclaimed; the same bytes, sent again, claim it.
            Ok(Upload { root: wanted.root, chunks, blob, bytes: wanted.bytes })
        }
        // If we crash here, or at any moment before, what has come is held as far as the disk has it.
        Err(Ended::Cut(status)) => Err(status),
        Err(Ended::ForGood(status)) => {
            drop(writer);
            // If we crash here it is held for nothing until the attempt is over.
            blobs.forget(&wanted.name).await.map_err(of_the_store)?;
            Err(status)
        }
    }
}

/// Why an upload did not come whole.
enum Ended {
    /// It may be gone on with.
    Cut(Status),
    /// More of the same would not make it right.
    ForGood(Status),
}

/// An update on its way in.
struct Body {
    awaited: u64,
    received: u64,
    leaves: Leaves,
}

impl Body {
    fn of(wanted: &Wanted) -> Self {
        let chunk_bytes = wanted.chunk_bytes;
        let leaves = Leaves { chunk_bytes, pending: Vec::with_capacity(chunk_bytes), leaves: Vec::new() };
        Self { awaited: wanted.bytes, received: 0, leaves }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        self.leaves.take(bytes);
    }

    /// Everything up to the end of the stream.
    async fn receive(
        &mut self,
        parts: &mut Streaming<SubmitPart>,
        mut too_late: Pin<&mut impl Future<Output = ()>>,
        writer: &mut dyn BlobWriter,
    ) -> Result<(), Ended> {
        loop {
            let part = tokio::select! {
                biased;
                // Whoever drips its bytes holds nothing beyond the phase.
                () = too_late.as_mut() => return Err(Ended::ForGood(rejected(&Rejection::Late))),
                part = waking(parts) => part.map_err(Ended::Cut)?,
            };
            let Some(SubmitPart { part }) = part else { return Ok(()) };
            let Some(Part::Chunk(bytes)) = part.filter(brings_bytes) else {
                return Err(Ended::ForGood(rejected(&Rejection::Malformed)));
            };
            if self.received + bytes.len() as u64 > self.awaited {
                return Err(Ended::ForGood(rejected(&Rejection::Mismatch("vector length"))));
            }
            writer.write(&bytes).await.map_err(|error| Ended::Cut(of_the_store(error)))?;
            self.take(&bytes);
        }
    }

    /// The number of its chunks, once it is the update that the header was signed over.
    fn is_whole(&self, wanted: &Wanted) -> Result<u32, Ended> {
        if self.received != self.awaited {
            // A call that its caller took back ends like this, too.
            return Err(Ended::Cut(rejected(&Rejection::Mismatch("vector length"))));
        }
        if merkle::root(&self.leaves.leaves) == wanted.root {
            return Ok(self.leaves.leaves.len() as u32);
        }
        // Who sent all of it at once sent something else. Otherwise it may be our disk that changed what it held.
        let status =
            if wanted.offset == 0 { rejected(&Rejection::Mismatch("ciphertext")) } else { damaged() };
        Err(Ended::ForGood(status))
    }
}

/// Whether a part takes the upload further: empty ones could go on for ever.
fn brings_bytes(part: &Part) -> bool {
    !matches!(part, Part::Chunk(bytes) if bytes.is_empty())
}

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

fn of_the_store(error: StoreError) -> Status {
    refused(&error.into())
}

fn not_held(offset: u64, held: u64) -> Status {
    let told =
        format!("the coordinator holds {held} bytes of this upload, not {offset}; send it from the start");
    with_code(Code::OutOfRange, "upload.not-held", told)
}

fn damaged() -> Status {
    let told = "what was held of this upload and what came behind it are not the update of its header; send it from the start";
    with_code(Code::Aborted, "upload.damaged", told)
}
