//! The spot check: does a published aggregate really hold the sum of the survivors' ciphertexts?
//!
//! Whoever knows the signed headers of the survivors and the published root of the aggregate can ask for any chunk of
//! all of them, and add up. A coordinator that altered a fraction x of the chunks passes k random checks with
//! probability (1 - x)^k.

use rand_core::Rng;
use syndic_round::{Digest, ParameterSet, ParticipantId, SurvivorSet};
use thiserror::Error;

use crate::{merkle, wire};

/// One chunk of a ciphertext with the Merkle path to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkProof {
    /// The chunk as it travelled, or of the aggregate.
    pub chunk: Vec<u8>,
    /// The hashes beside the way from the leaf to the root.
    pub path: Vec<Digest>,
}

/// What the coordinator shows of one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkEvidence {
    /// Which chunk, from zero.
    pub index: u32,
    /// That chunk of every survivor's upload, in the order of ids.
    pub uploads: Vec<ChunkProof>,
    /// That chunk of the aggregate.
    pub aggregate: ChunkProof,
}

/// What a spot check found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpotCheckError {
    /// Not one chunk of each survivor.
    #[error("the evidence has {found} chunks where there are {expected} survivors")]
    Count {
        /// Survivors.
        expected: usize,
        /// Chunks shown.
        found: usize,
    },
    /// There is no such chunk.
    #[error("there is no chunk {0} in this round")]
    NoSuchChunk(u32),
    /// A chunk is not the one that its sender signed.
    #[error("chunk {index} of participant {participant} is not in the upload that it signed")]
    Upload {
        /// Which chunk.
        index: u32,
        /// Whose.
        participant: ParticipantId,
    },
    /// A chunk is not the one in the published aggregate.
    #[error("chunk {0} of the aggregate is not in the one that was published")]
    Aggregate(u32),
    /// The sum is another.
    #[error("chunk {0} of the published aggregate is not the sum of the survivors' chunks")]
    Sum(u32),
}

impl ChunkEvidence {
    /// Checks one chunk against the survivors' signed headers and the published root of the aggregate.
    ///
    /// # Errors
    /// [`SpotCheckError`]: what the coordinator shows cannot be true.
    pub fn check(
        &self,
        set: ParameterSet,
        survivors: &SurvivorSet,
        aggregate_root: Digest,
    ) -> Result<(), SpotCheckError> {
        let (expected, found) = (survivors.len(), self.uploads.len());
        if expected != found {
            return Err(SpotCheckError::Count { expected, found });
        }
        let chunks = survivors.headers().first().map_or(0, |header| header.chunks);
        if self.index >= chunks {
            return Err(SpotCheckError::NoSuchChunk(self.index));
        }
        let mut sum = vec![0; wire::chunk_bytes(set)];
        for (header, upload) in survivors.headers().iter().zip(&self.uploads) {
            if !upload.leads_to(header.root, self.index, chunks, set) {
                return Err(SpotCheckError::Upload { index: self.index, participant: header.id });
            }
            wire::add(&mut sum, &upload.chunk, set);
        }
        if !self.aggregate.leads_to(aggregate_root, self.index, chunks, set) {
            return Err(SpotCheckError::Aggregate(self.index));
        }
        if self.aggregate.chunk == sum { Ok(()) } else { Err(SpotCheckError::Sum(self.index)) }
    }
}

impl ChunkProof {
    fn leads_to(&self, root: Digest, index: u32, chunks: u32, set: ParameterSet) -> bool {
        self.chunk.len() == wire::chunk_bytes(set)
            && merkle::root_of(merkle::leaf(&self.chunk), index as usize, chunks as usize, &self.path)
                == Some(root)
    }
}

/// `count` distinct chunks of `chunks`, in random order; all of them where there are no more.
pub fn random_chunks(chunks: u32, count: u32, rng: &mut impl Rng) -> Vec<u32> {
    // Floyd's algorithm (Bentley and Floyd, CACM 30(9), 1987).
    let mut chosen = Vec::new();
    for last in chunks - count.min(chunks)..chunks {
        let candidate = below(last + 1, rng);
        chosen.push(if chosen.contains(&candidate) { last } else { candidate });
    }
    chosen
}

/// Uniform below `bound`, by rejection.
fn below(bound: u32, rng: &mut impl Rng) -> u32 {
    let most = u32::MAX - u32::MAX % bound;
    loop {
        let candidate = rng.next_u32();
        if candidate < most {
            return candidate % bound;
        }
    }
}

impl SpotCheckError {
    /// The stable code of this finding.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Count { .. } => "spot-check.count",
            Self::NoSuchChunk(_) => "spot-check.no-such-chunk",
            Self::Upload { .. } => "spot-check.upload",
            Self::Aggregate(_) => "spot-check.aggregate",
            Self::Sum(_) => "spot-check.sum",
        }
    }
}
