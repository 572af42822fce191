//! All tests of the ledger, in one program: linking one is quicker than linking one for each file.
#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

#[path = "../common/mod.rs"]
mod common;

mod checkpoint;
mod entry;
mod forks;
mod history;
mod rfc6962;
mod shown;
mod verify;
mod witnesses;
