//! Real processes under real faults: the daemons that operators run, killed at their own writes, on disks that fail, behind
//! a network that misbehaves, with clocks that jump and bytes that flip.
//!
//! Every run is judged alike ([`oracle`]): each institution's counts are a power of their own, so that every sum shows who
//! is in it, and how often. The normal run takes a seeded sample of each campaign; `SYNDIC_SOAK=1` all of it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod clocks;
mod disks;
mod faults;
mod flips;
mod house;
#[path = "../over_the_wire/kept.rs"]
#[allow(dead_code, reason = "other tests look at more of it")]
mod kept;
mod kills;
mod kills_on_servers;
mod lanes;
mod moment;
mod network;
mod on_servers;
mod oracle;
mod pauses;
#[path = "../two_hosts/process.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod process;
mod replicas;
#[path = "../../../coordinator/tests/servers/mod.rs"]
mod servers;
mod uploads;
mod victim;
