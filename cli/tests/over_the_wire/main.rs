//! What a federation over real loopback TCP and TLS sends and computes, seen by a test that looks over every
//! participant's shoulder: five banks, one of them stopped in the middle of one round.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod exactness;
#[path = "../crashes/federation.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod federation;
#[allow(dead_code, reason = "other tests use more of it")]
mod kept;
mod keys;
#[path = "../crashes/life.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod life;
#[path = "../crashes/log.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod log;
mod nothing_plain_leaves;
mod plaintexts;
mod recorded;
mod refused_rows;
mod search;
