//! The spot check against a coordinator that publishes an altered sum.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::{ParameterSet, ParticipantId, SurvivorSet};
use syndic_secure_aggregation::{
    ChunkEvidence, ChunkProof, EncryptedUpdate, SpotCheckError, chunk_bytes, merkle, random_chunks,
};

use crate::federation::Federation;

const CHUNKS: u32 = 32;
const SET: ParameterSet = ParameterSet::S24;

struct Published {
    survivors: SurvivorSet,
    updates: BTreeMap<ParticipantId, EncryptedUpdate>,
    aggregate: Vec<u8>,
}

/// A round of three, in whose aggregate the coordinator changed one byte of each of the `altered` chunks.
fn publish(altered: &[u32]) -> Published {
    let values = CHUNKS * 2048 - 4;
    let mut federation = Federation::new(SET, 3, values, 27);
    let ids = federation.ids();
    let zeros = ids.iter().map(|&id| (id, vec![0; values as usize])).collect();
    let updates = federation.encrypt(&zeros);
    let survivors = federation.survivors(&updates, &ids);
    let mut aggregate = federation.empty_aggregate();
    ids.iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());
    let mut aggregate = aggregate.bytes().to_vec();
    altered.iter().for_each(|&chunk| aggregate[chunk as usize * chunk_bytes(SET) + 5] ^= 1);
    Published { survivors, updates, aggregate }
}

fn leaves(bytes: &[u8]) -> Vec<syndic_round::Digest> {
    bytes.chunks_exact(chunk_bytes(SET)).map(merkle::leaf).collect()
}

fn proof(bytes: &[u8], index: u32) -> ChunkProof {
    let chunk = bytes.chunks_exact(chunk_bytes(SET)).nth(index as usize).unwrap().to_vec();
    ChunkProof { chunk, path: merkle::path(&leaves(bytes), index as usize).unwrap() }
}

impl Published {
    /// What the coordinator shows of one chunk: the truth, having committed itself to the altered sum.
    fn evidence(&self, index: u32) -> ChunkEvidence {
        let uploads = self.updates.values().map(|update| proof(update.bytes(), index)).collect();
        ChunkEvidence { index, uploads, aggregate: proof(&self.aggregate, index) }
    }

    fn check(&self, evidence: &ChunkEvidence) -> Result<(), SpotCheckError> {
        evidence.check(SET, &self.survivors, merkle::root(&leaves(&self.aggregate)))
    }
}

/// A27. A coordinator that alters a fraction x of the chunks of the sum hopes that nobody asks for one of them. Whoever asks for k
/// random chunks finds it with probability 1 - (1 - x)^k at least, drawing without repetition a little more. Two thousand
/// seeded checks for each x and k stay within five standard deviations of that.
#[test]
fn a27_an_altered_chunk_is_found_as_often_as_predicted() {
    const TRIALS: u32 = 2_000;
    let mut rng = ChaCha20Rng::seed_from_u64(27);
    for altered in [1_u32, 4, 16] {
        let positions = random_chunks(CHUNKS, altered, &mut rng);
        let published = publish(&positions);
        let is_found: Vec<bool> = (0..CHUNKS)
            .map(|index| match published.check(&published.evidence(index)) {
                Ok(()) => false,
                Err(found) => found == SpotCheckError::Sum(index),
            })
            .collect();
        assert_eq!(is_found.iter().filter(|found| **found).count(), altered as usize, "all, and no other");
        for k in [1, 3, 8] {
            let finds = |rng: &mut ChaCha20Rng| {
                random_chunks(CHUNKS, k, rng).into_iter().any(|chunk| is_found[chunk as usize])
            };
            let found = f64::from((0..TRIALS).map(|_| u32::from(finds(&mut rng))).sum::<u32>());
            let x = f64::from(altered) / f64::from(CHUNKS);
            let at_least = 1.0 - (1.0 - x).powi(k as i32);
            // Without repetition.
            let missed: f64 =
                (0..k).map(|j| f64::from(CHUNKS - altered - j) / f64::from(CHUNKS - j)).product();
            let (expected, trials) = (1.0 - missed, f64::from(TRIALS));
            let five_deviations = 5.0 * (trials * expected * missed).sqrt();
            assert!((found - trials * expected).abs() < five_deviations, "{altered} altered, {k} asked for");
            assert!(found > trials * at_least - five_deviations);
        }
    }
}

/// A27. Nor can it answer with something else than it committed itself to: an upload that would make the sum right is not the
/// one that its sender signed, a right sum is not the published one, and chunks of another place, length or number are
/// refused.
#[test]
fn a27_evidence_that_was_made_to_fit_is_refused() {
    let published = publish(&[7]);
    assert_eq!(published.check(&published.evidence(6)), Ok(()));
    assert_eq!(published.check(&published.evidence(7)), Err(SpotCheckError::Sum(7)));
    let participant = published.survivors.ids()[1];
    let altered = |change: fn(&mut ChunkEvidence)| {
        let mut evidence = published.evidence(7);
        change(&mut evidence);
        published.check(&evidence)
    };
    assert_eq!(
        altered(|evidence| evidence.uploads[1].chunk[5] ^= 1),
        Err(SpotCheckError::Upload { index: 7, participant })
    );
    assert_eq!(altered(|evidence| evidence.aggregate.chunk[5] ^= 1), Err(SpotCheckError::Aggregate(7)));
    assert_eq!(
        altered(|evidence| drop(evidence.uploads.pop())),
        Err(SpotCheckError::Count { expected: 3, found: 2 })
    );
    assert_eq!(altered(|evidence| evidence.index = CHUNKS), Err(SpotCheckError::NoSuchChunk(CHUNKS)));
    let mut elsewhere = published.evidence(6);
    elsewhere.index = 7;
    let participant = published.survivors.ids()[0];
    assert_eq!(published.check(&elsewhere), Err(SpotCheckError::Upload { index: 7, participant }));
}
