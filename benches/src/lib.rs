//! What the benchmark measures against, and how it reports: the baseline of pairwise masks, the table and the plot.
//!
//! Nothing here is shipped. `cargo bench -p syndic-benches` measures (docs/performance.md).

pub mod pairwise;
pub mod plot;
pub mod report;
