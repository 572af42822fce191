//! All tests of the rounds, in one program: linking one is quicker than linking one for each file.
#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod ahead;
mod approvals;
mod attacks;
mod coordinator;
mod excused;
mod limbs;
mod malformed;
mod narrow_checks;
mod opening_attacks;
mod plans;
mod receipts;
mod rejections;
mod replay;
mod roster;
mod shared_vectors;
mod sharing_attacks;
mod signatures;
mod streaming;
