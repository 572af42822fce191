//! How much memory the encrypted round takes: of a participant that encrypts to disk, and of a coordinator that adds
//! up and opens what fifty of them sent.
//!
//! `cargo bench -p syndic-benches --bench memory -- [PARAMETERS] [PARTICIPANTS]`
//!
//! On Linux only: peaks are read from /proc/self/status, and set back before each step.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made may fail loudly")]

#[path = "../../../core/secure-aggregation/tests/encrypted_round/federation.rs"]
#[allow(dead_code, reason = "shared with the tests of whole rounds")]
mod federation;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use federation::Federation;
use syndic_round::vector::{Decoder, Quantiser};
use syndic_round::{Contribution, Digest, ParameterSet, ParticipantId, RING_DIMENSION};
use syndic_secure_aggregation::{Aggregate, chunk_bytes, merkle, reconstruct, unmask};

const SET: ParameterSet = ParameterSet::S32;

fn main() {
    // Cargo says `--bench` too. A word is a filter for the other benchmark.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let Ok(numbers) = words.iter().map(|word| word.parse()).collect::<Result<Vec<u32>, _>>() else { return };
    let mut arguments = numbers.into_iter();
    let (parameters, participants) = (arguments.next().unwrap_or(10_000_000), arguments.next().unwrap_or(50));
    println!("{parameters} parameters, {participants} participants");
    let folder = tempfile::tempdir().unwrap();
    let mut federation = Federation::new(SET, participants as u16, parameters, 1);
    let mut roots = BTreeMap::new();
    for id in federation.ids() {
        let file = File::create(path(folder.path(), id)).unwrap();
        let first = roots.is_empty();
        let (peak, root) = peak(|| participate(&mut federation, id, parameters, file));
        roots.insert(id, root);
        if first {
            println!("participant, values to ciphertext on disk: {peak} MB at most");
        }
    }
    let (peak, last) = peak(|| coordinate(&federation, &roots, folder.path()));
    println!("coordinator, ciphertexts on disk to the sum: {peak} MB at most");
    // The last value is the same for everybody.
    assert!((last - f64::from(participants) * value(parameters - 1)).abs() < f64::from(participants));
}

/// Quantises and encrypts into `file`, and gives the Merkle root.
fn participate(federation: &mut Federation, id: ParticipantId, parameters: u32, mut file: File) -> Digest {
    let update = answer(federation, parameters);
    let key = federation.keys.remove(&id).unwrap();
    let sink = |chunks: &[u8]| file.write_all(chunks);
    key.encrypt_into(update, &federation.masks, &mut federation.rng, sink).unwrap()
}

/// What the participant's program would answer.
fn answer(federation: &mut Federation, parameters: u32) -> Quantiser {
    let values = (0..parameters).map(value).collect();
    let contribution = Contribution::new(federation.plan.layout.clone(), values).unwrap();
    contribution.clip().quantiser(&federation.plan.coding(), &mut federation.rng)
}

fn value(position: u32) -> f64 {
    f64::from(position % 2_000) - 999.5
}

/// Adds up and opens, window by window, and writes the aggregate. Gives the last value of the sum.
fn coordinate(federation: &Federation, roots: &BTreeMap<ParticipantId, Digest>, folder: &Path) -> f64 {
    let plan = &federation.plan;
    let chunks = plan.coefficients() / RING_DIMENSION;
    let uploaded = roots.iter().map(|(&id, &root)| (id, chunks, root));
    let survivors = federation.survivors_of(uploaded).unwrap();
    let reveals = federation.reveal(&federation.certify(&survivors), &federation.ids());
    let restored = reconstruct(&reveals, federation.threshold(), roots.len(), &survivors).unwrap();
    let mut decoder = Decoder::new(plan.layout.clone(), &plan.coding(), survivors.len() as u16);
    let mut uploads: Vec<_> = roots.keys().map(|id| (*id, File::open(path(folder, *id)).unwrap())).collect();
    let mut aggregate = File::create(folder.join("aggregate")).unwrap();
    let mut leaves = Vec::new();
    let mut bytes = vec![0; WINDOW * chunk_bytes(SET)];
    for first in (0..chunks).step_by(WINDOW) {
        let count = WINDOW.min(chunks - first);
        let bytes = &mut bytes[..count * chunk_bytes(SET)];
        let mut window = Aggregate::window(SET, first, count);
        for (id, upload) in &mut uploads {
            upload.seek(SeekFrom::Start((first * chunk_bytes(SET)) as u64)).unwrap();
            upload.read_exact(bytes).unwrap();
            window.fold(*id, bytes).unwrap();
        }
        aggregate.write_all(window.bytes()).unwrap();
        leaves.extend(window.leaves());
        decoder.take(&unmask(&window, &survivors, &restored.keys, &federation.masks).unwrap()).unwrap();
    }
    println!("root of the aggregate: {}", merkle::root(&leaves));
    *decoder.finish().unwrap().steps().last().unwrap() as f64
}

/// Chunks of a window: 512 KB.
const WINDOW: usize = 64;

/// What `step` gives, and the peak of resident memory during it, in megabytes.
fn peak<T>(step: impl FnOnce() -> T) -> (u64, T) {
    // Sets the peak back to what is resident now (proc(5)).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let result = step();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (kilobytes / 1_000, result)
}

fn path(folder: &Path, id: ParticipantId) -> std::path::PathBuf {
    folder.join(id.get().to_string())
}
