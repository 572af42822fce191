//! Nanoseconds and bytes of every step of an encrypted round, beside a plain float32 pass over the same vector and
//! beside pairwise masks. Processor time, on one core.
//!
//! `cargo bench -p syndic-benches` prints the tables of docs/performance.md and says where it wrote them and the plot;
//! `cargo bench -p syndic-benches -- FILTER` measures a part again.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made may fail loudly")]

mod dealing;
#[path = "../../../core/secure-aggregation/tests/encrypted_round/federation.rs"]
#[allow(dead_code, reason = "shared with the tests of whole rounds")]
mod federation;
mod phases;
mod processor;
mod small;
mod summary;
mod vectors;

use std::path::Path;
use std::time::Duration;

use criterion::Criterion;
use processor::ProcessorTime;

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("performance");
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().unwrap();
    let mut criterion = Criterion::default()
        .with_measurement(ProcessorTime)
        .configure_from_args()
        .output_directory(&folder)
        // Many short samples: the fastest counts.
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    vectors::measure(&mut criterion);
    phases::measure(&mut criterion);
    small::measure(&mut criterion);
    criterion.final_summary();
    summary::print(&folder);
}

/// Lengths of vectors.
const PARAMETERS: [usize; 3] = [100_000, 1_000_000, 10_000_000];

/// Sizes of cohorts.
const COHORTS: [usize; 4] = [5, 10, 100, 200];
