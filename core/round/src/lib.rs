#![no_std]
//! The life of one encrypted round, both sides, as pure state machines, and the vocabulary that secure
//! aggregation and learning share: plans, cohorts, survivor sets and the vectors from contribution to sum.
//!
//! Nothing here does I/O, reads a clock or draws randomness of its own.

extern crate alloc;

mod admission;
pub mod approval;
mod carrier;
pub mod codec;
pub mod cohort;
pub mod coordinator;
mod dealing;
pub mod digest;
pub mod eligibility;
pub mod enrolment;
mod hex_bytes;
pub mod ids;
pub mod layout;
pub mod message;
pub mod parameters;
pub mod participant;
pub mod plan;
pub mod protection;
pub mod receipt;
pub mod rejection;
pub mod roster;
pub mod survivors;
pub mod terms;
mod transcript;
pub mod vector;
mod verifier;
mod voids;

pub use admission::Admission;
pub use approval::{ApprovalError, Stage, StageApproval, StageChange};
pub use carrier::Carrier;
pub use cohort::Cohort;
pub use digest::Digest;
pub use ids::{JobId, ParticipantId, Place, RoundId, Slot, Timestamp};
pub use layout::{Block, Layout};
pub use message::Signed;
pub use parameters::{KEY_BOUND, ParameterSet, RING_DIMENSION};
pub use plan::{PROTOCOL, RoundPlan, question_fingerprint};
pub use protection::{PlanError, Protection};
pub use rejection::Rejection;
pub use roster::{Approver, EndorsedRoster, Endorsement, Member, Roster, RosterError, SealedRoster};
pub use survivors::{Certificate, SurvivorSet};
pub use terms::{Deadlines, PreparationTerms};
pub use transcript::Transcript;
pub use vector::{Clipped, Coding, Contribution, Quantised, Sum};
pub use verifier::Signatures;
pub use voids::Voided;
