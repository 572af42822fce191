//! Fuzz targets: every decoder of bytes that come from elsewhere, and the coordinator's state machines, of a round and of
//! a preparation made ahead.
//!
//! A [`Target`] is a function of bytes that panics where a promise is broken: a decoder panics, takes more memory
//! than a small multiple of its input (`bounded`), or reads what nothing writes; a state machine breaks an
//! invariant. Its seeds are honest samples, made here.
//!
//! The same targets run in three ways: by [`sample::holds`], a seeded draw without coverage, in the test command;
//! over the findings kept in `regressions/`, there too; and under libFuzzer (`cargo xtask fuzz`), steered by the
//! coverage of this workspace's crates, on the stable toolchain.

mod bounded;
mod federation;
#[cfg(feature = "guided")]
pub mod guided;
mod mutate;
mod preparation;
mod round;
pub mod sample;
mod script;
mod targets;

pub use mutate::mutate;
pub use targets::TARGETS;

/// One thing that is fuzzed.
pub struct Target {
    /// Its name on command lines, and of its folder under `regressions/`.
    pub name: &'static str,
    /// Honest samples to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Runs once. Panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Among how many decoders an input chooses.
    pub decoders: u32,
    /// Inputs in the sample that the test command runs.
    pub sample: u32,
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
