#![no_std]
//! The life of one encrypted round, both sides, as pure state machines, and the vocabulary that secure
//! aggregation and learning share: plans, cohorts, survivor sets and the vectors from contribution to sum.
//!
//! Nothing here does I/O, reads a clock or draws randomness of its own.

extern crate alloc;

pub mod digest;
pub mod ids;
pub mod layout;
pub mod parameters;
pub mod vector;

pub use digest::Digest;
pub use ids::{JobId, ParticipantId, RoundId, Slot, Timestamp};
pub use layout::{Block, Layout};
pub use parameters::{KEY_BOUND, ParameterSet, RING_DIMENSION};
pub use vector::{Clipped, Coding, Contribution, Quantised, Sum};
