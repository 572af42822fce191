//! What a coordinator shows in a spot check: evidence that passes is the evidence of what was submitted.

use std::sync::LazyLock;

use syndic_round::{Digest, ParameterSet, SurvivorSet};
use syndic_secure_aggregation::{Aggregate, ChunkEvidence, ChunkProof, EncryptedUpdate, chunk_bytes, merkle};

use crate::bounded::bounded;
use crate::federation::{FEDERATION, N, chunks_of, id};
use crate::script::Script;

struct Closed {
    survivors: SurvivorSet,
    updates: Vec<EncryptedUpdate>,
    aggregate: Aggregate,
}

static CLOSED: LazyLock<Closed> = LazyLock::new(|| {
    let plan = FEDERATION.plan(1);
    let cohort = FEDERATION.cohort(&plan);
    let mut aggregate = Aggregate::new(SET, chunks_of(&plan) as usize);
    let update = |number: u16| {
        let length = chunks_of(&plan) as usize * chunk_bytes(SET);
        let bytes = (0..length).map(|k| (k / 3 * usize::from(number)) as u8).collect();
        EncryptedUpdate::from_bytes(SET, bytes).expect("whole chunks")
    };
    let updates: Vec<_> = (1..=N).map(update).collect();
    for (number, update) in (1..).zip(&updates) {
        aggregate.fold(id(number), update.bytes()).expect("each once");
    }
    let roots: Vec<_> = (1..).zip(&updates).map(|(number, update)| (id(number), update.root())).collect();
    Closed { survivors: FEDERATION.survivors(&plan, &cohort, &roots), updates, aggregate }
});

/// Which chunk, how many proofs, then each proof: whose chunk, which, where altered and how, and its path.
pub(super) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let index = u32::from(script.u8());
    let index = if index == 0xff { u32::MAX } else { index };
    let count = usize::from(script.u8() % 8);
    let uploads: Vec<_> = (0..count).map(|_| proof(&mut script)).collect();
    let evidence = ChunkEvidence { index, uploads, aggregate: proof(&mut script) };
    let shown = evidence.uploads.iter().chain([&evidence.aggregate]);
    let size = shown.map(|proof| proof.chunk.len() + 32 * proof.path.len()).sum();
    let root = CLOSED.aggregate.root();
    let judged = bounded(size, || evidence.check(SET, &CLOSED.survivors, root));
    let honest = (index < CHUNKS).then(|| honest(index));
    assert_eq!(judged.is_ok(), Some(&evidence) == honest.as_ref(), "{judged:?}");
}

fn proof(script: &mut Script<'_>) -> ChunkProof {
    let (whose, which, mode, at, value) = (script.u8(), script.u8(), script.u8(), script.u16(), script.u8());
    let whole = source(whose);
    let start = usize::from(which) % CHUNKS as usize * chunk_bytes(SET);
    let mut chunk = whole[start..start + chunk_bytes(SET)].to_vec();
    match mode % 4 {
        0 => {}
        1 => chunk[usize::from(at) % chunk_bytes(SET)] ^= value,
        2 => chunk.truncate(at.into()),
        _ => chunk.extend(vec![value; (at % 64).into()]),
    }
    let path = path(&leaves(whole), usize::from(which) % CHUNKS as usize);
    let path = match script.u8() % 4 {
        0 => path,
        1 => path.into_iter().rev().collect(),
        2 => (0..script.u8()).map(|k| Digest([k; 32])).collect(),
        _ => (0..script.u8() % 4).map(|_| Digest(script.array())).collect(),
    };
    ChunkProof { chunk, path }
}

/// The update of a survivor, or the aggregate after the last.
fn source(whose: u8) -> &'static [u8] {
    CLOSED.updates.get(usize::from(whose)).map_or(CLOSED.aggregate.bytes(), EncryptedUpdate::bytes)
}

fn leaves(whole: &[u8]) -> Vec<Digest> {
    whole.chunks(chunk_bytes(SET)).map(merkle::leaf).collect()
}

fn path(leaves: &[Digest], index: usize) -> Vec<Digest> {
    merkle::path(leaves, index).expect("a chunk of the round")
}

fn honest(index: u32) -> ChunkEvidence {
    let proof = |whole: &[u8]| {
        let start = index as usize * chunk_bytes(SET);
        let chunk = whole[start..start + chunk_bytes(SET)].to_vec();
        ChunkProof { chunk, path: path(&leaves(whole), index as usize) }
    };
    let uploads = CLOSED.updates.iter().map(|update| proof(update.bytes())).collect();
    ChunkEvidence { index, uploads, aggregate: proof(CLOSED.aggregate.bytes()) }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let proof = |whose: u8, index: u8| [whose, index, 0, 0, 0, 0, 0];
    let evidence = |index: u8| {
        let shown: Vec<u8> = (0..=N as u8).flat_map(|whose| proof(whose, index)).collect();
        [&[index, N as u8], shown.as_slice()].concat()
    };
    (0..CHUNKS as u8).map(evidence).collect()
}

const SET: ParameterSet = ParameterSet::S24;

/// Chunks of the plan of [`FEDERATION`].
const CHUNKS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_honest_samples_pass() {
        assert_eq!(chunks_of(&FEDERATION.plan(1)), CHUNKS);
        for index in 0..CHUNKS {
            assert_eq!(honest(index).check(SET, &CLOSED.survivors, CLOSED.aggregate.root()), Ok(()));
        }
        seeds().iter().for_each(|seed| run(seed));
    }
}
