//! Federations whose local half external trainers do: over real loopback TLS, each institution with a trainer on a socket of
//! its own, those of examples/external-trainer in Python or scripted ones that misbehave; and in the sandbox all with one.
//!
//! `cargo xtask test` installs what the Python trainer needs in a virtual environment below `target/`. Where it is not, the
//! tests that need it say so and pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../crashes/federation.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod federation;
mod misbehaving;
mod python;
mod run;
mod sandboxed;
#[path = "../../../participant/tests/trainer/scripted.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod scripted;
