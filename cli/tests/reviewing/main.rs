//! What a reviewer does with a ledger, by the commands that are shipped: proofs, witnesses, reading, and what each of them
//! says of a ledger that somebody has altered.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../../core/ledger/tests/common/mod.rs"]
mod common;
mod convict;
mod earlier;
mod growth;
mod proofs;
mod published;
mod reading;
mod report;
mod witness;
