//! Tests of a participant, in one program: each that is linked has all of its dependencies in it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod data_check;
mod data_query;
mod enrol;
mod errors;
mod models;
mod policy;
mod policy_check;
mod support;
