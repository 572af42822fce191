//! What a person does with Syndic: run a demo or a sandbox, check a job, govern a federation, verify a ledger.
//!
//! Everything the `syndic` binary does is here, so that tests can call it.

pub mod args;
pub mod attack;
mod carried;
pub mod commands;
pub mod error;
pub mod federation;
pub mod history;
pub mod job_check;
pub mod job_init;
pub mod ledger;
pub mod model;
pub mod new_file;
pub mod privacy;
pub mod report;
pub mod result;
pub mod sandbox;
pub mod score;
mod signing_key;
pub mod statistics;
pub mod table;
pub mod view;
pub mod words;

#[cfg(test)]
pub(crate) mod recording;

pub use error::{Error, Exit, Result};
