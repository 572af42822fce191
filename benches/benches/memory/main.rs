//! How much memory an encrypted round takes in the services' own code: of a participant, from its values to the file that
//! it uploads; of a coordinator, from the uploads in its folder to the stored sum.
//!
//! `cargo bench -p syndic-benches --bench memory -- [PARAMETERS] [PARTICIPANTS]`
//!
//! On Linux only: peaks are read from /proc/self/status, and set back before each step. What the process holds beside (the
//! keys and shares of a whole federation) is in every figure.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made may fail loudly")]

#[path = "../../../core/secure-aggregation/tests/encrypted_round/federation.rs"]
#[allow(dead_code, reason = "shared with the tests of whole rounds")]
mod federation;

use std::collections::BTreeMap;
use std::fs;

use federation::Federation;
use syndic_coordinator::driver::{Ready, open_sum};
use syndic_coordinator::store::{Blobs, FolderBlobs};
use syndic_participant::agent::encrypt_into_file;
use syndic_participant::journal::Spool;
use syndic_round::coordinator::Upload;
use syndic_round::vector::Quantiser;
use syndic_round::{Contribution, Digest, ParameterSet, ParticipantId, RING_DIMENSION};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const SET: ParameterSet = ParameterSet::S32;

fn main() {
    // Cargo says `--bench` too. A word is a filter for the other benchmark.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let Ok(numbers) = words.iter().map(|word| word.parse()).collect::<Result<Vec<u32>, _>>() else { return };
    let mut arguments = numbers.into_iter();
    let (parameters, participants) = (arguments.next().unwrap_or(10_000_000), arguments.next().unwrap_or(50));
    println!("{parameters} parameters, {participants} participants");
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let spool = Spool::open(&folder.path().join("updates")).unwrap();
    let blobs = runtime.block_on(FolderBlobs::open(folder.path())).unwrap();
    let mut federation = Federation::new(SET, participants as u16, parameters, 1);
    let mut uploads = BTreeMap::new();
    for id in federation.ids() {
        let first = uploads.is_empty();
        let (peak, root) = peak(|| participate(&mut federation, id, parameters, &spool));
        if first {
            println!("participant, values to the file that it uploads: {peak} MB at most");
        }
        let upload = runtime.block_on(hand_in(&spool, id, root, &federation, &blobs));
        uploads.insert(id, upload);
    }
    let opening = federation.opening(&uploads);
    let plan = &federation.plan;
    let (peak, opened) = peak(|| runtime.block_on(open_sum(plan, &opening, &blobs)));
    println!("coordinator, uploads in its folder to the stored sum: {peak} MB at most");
    let Ready { sum, stored } = opened.unwrap().ok().unwrap();
    if let Some(ring) = stored.ring {
        println!("root of the aggregate: {}", ring.aggregate_root);
    }
    // The last value is the same for everybody.
    let last = *sum.steps().last().unwrap() as f64;
    assert!((last - f64::from(participants) * value(parameters - 1)).abs() < f64::from(participants));
}

/// Quantises and encrypts into the spool, and gives the Merkle root.
fn participate(federation: &mut Federation, id: ParticipantId, parameters: u32, spool: &Spool) -> Digest {
    let update = answer(federation, parameters);
    let key = federation.keys.remove(&id).unwrap();
    let file = spool.begin(JOB, id.get().into()).unwrap();
    encrypt_into_file(key, update, &federation.masks, file).unwrap().0
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

/// The file of a participant becomes a blob of the coordinator, as if it had travelled.
async fn hand_in(
    spool: &Spool,
    id: ParticipantId,
    root: Digest,
    federation: &Federation,
    blobs: &FolderBlobs,
) -> Upload {
    let chunks = (federation.plan.coefficients() / RING_DIMENSION) as u32;
    let mut update = spool.find(JOB, id.get().into()).unwrap().unwrap();
    let measured = update.measure(b"", chunks).unwrap().unwrap();
    assert_eq!(measured.root, root);
    let (sender, mut parts) = mpsc::channel(2);
    let sending = tokio::task::spawn_blocking(move || update.send_to(0, &sender));
    let mut writer = blobs.writer().await.unwrap();
    while let Some(part) = parts.recv().await {
        writer.write(&part).await.unwrap();
    }
    sending.await.unwrap().unwrap();
    let blob = writer.finish(Some(measured.digest)).await.unwrap();
    spool.forget(JOB).unwrap();
    Upload { root, chunks, blob, bytes: measured.bytes }
}

const JOB: &str = "memory";

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
