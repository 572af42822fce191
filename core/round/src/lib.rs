#![no_std]
//! The life of one encrypted round, both sides, as pure state machines, and the vocabulary that secure
//! aggregation and learning share: plans, cohorts, survivor sets and the vectors from contribution to sum.
//!
//! Nothing here does I/O, reads a clock or draws randomness of its own.

extern crate alloc;

pub mod codec;
pub mod digest;
mod hex_bytes;
pub mod ids;
pub mod layout;
pub mod parameters;
pub mod roster;
pub mod vector;

pub use digest::Digest;
pub use ids::{JobId, ParticipantId, RoundId, Slot, Timestamp};
pub use layout::{Block, Layout};
pub use parameters::{KEY_BOUND, ParameterSet, RING_DIMENSION};
pub use roster::{EndorsedRoster, Endorsement, Member, Roster, RosterError, SealedRoster};
pub use vector::{Clipped, Coding, Contribution, Quantised, Sum};
