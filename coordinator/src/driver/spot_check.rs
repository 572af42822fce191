//! What a spot check asks for: one chunk of everything that was added up, with Merkle paths.

use syndic_round::{Digest, JobId, RoundId};
use syndic_secure_aggregation::{ChunkProof, merkle};

use super::{Coordinator, CoordinatorError};
use crate::store::{Blobs, StoreError};

impl Coordinator {
    /// Chunk `index` of every survivor's upload in a closed round, in the order of ids, then that of the aggregate. None
    /// where there is no such round or chunk.
    ///
    /// Each upload is read once and hashed, since no Merkle tree is kept.
    ///
    /// # Errors
    /// [`CoordinatorError::Erased`] where the uploads were erased; otherwise when a blob cannot be read.
    pub async fn chunk_proofs(
        &self,
        job: &JobId,
        id: RoundId,
        index: u32,
    ) -> Result<Option<Vec<ChunkProof>>, CoordinatorError> {
        self.require_kept(job).await?;
        match self.read_chunk_proofs(job, id, index).await {
            // A moment ago, perhaps, and perhaps by another replica.
            Err(absent @ CoordinatorError::Store(StoreError::Absent { .. })) => {
                self.require_kept(job).await?;
                Err(absent)
            }
            read => read,
        }
    }

    async fn read_chunk_proofs(
        &self,
        job: &JobId,
        id: RoundId,
        index: u32,
    ) -> Result<Option<Vec<ChunkProof>>, CoordinatorError> {
        let Some(closed) = self.closed_round(job, id).await? else { return Ok(None) };
        let Some(ring) = closed.opened.ring else { return Ok(None) };
        // One at a time: whoever asks for much waits, and the round in progress does not.
        let _turn = self.inner.spot_checks.lock().await;
        let mut proofs = Vec::with_capacity(closed.uploads.len() + 1);
        for blob in closed.uploads.iter().chain([&ring.aggregate]) {
            match proof(self.blobs(), *blob, closed.chunk_bytes, index as usize).await? {
                Some(proof) => proofs.push(proof),
                None => return Ok(None),
            }
        }
        Ok(Some(proofs))
    }
}

async fn proof(
    blobs: &dyn Blobs,
    blob: Digest,
    chunk_bytes: usize,
    index: usize,
) -> Result<Option<ChunkProof>, StoreError> {
    let mut reader = blobs.reader(blob).await?;
    let (mut leaves, mut wanted, mut pending) = (Vec::new(), None, Vec::new());
    while let Some(part) = reader.next().await? {
        pending.extend_from_slice(&part);
        let whole = pending.len() / chunk_bytes * chunk_bytes;
        for chunk in pending[..whole].chunks_exact(chunk_bytes) {
            if leaves.len() == index {
                wanted = Some(chunk.to_vec());
            }
            leaves.push(merkle::leaf(chunk));
        }
        pending.drain(..whole);
    }
    Ok(wanted.and_then(|chunk| Some(ChunkProof { chunk, path: merkle::path(&leaves, index)? })))
}
