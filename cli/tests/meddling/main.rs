//! A whole federation over real TCP and TLS with a man in the middle, who makes participants or the coordinator lie.
//!
//! No phase of a round ends for want of time here, so whatever goes wrong is missed: the run never ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../crashes/answers.rs"]
mod answers;
mod between;
#[path = "../crashes/copies.rs"]
mod copies;
mod cuts;
mod dealers;
mod denials;
#[path = "../crashes/federation.rs"]
#[allow(dead_code, reason = "other tests need less of it")]
mod federation;
#[path = "../over_the_wire/kept.rs"]
#[allow(dead_code, reason = "other tests look at more of it")]
mod kept;
mod known;
mod lies;
#[path = "../crashes/life.rs"]
mod life;
#[path = "../crashes/log.rs"]
#[allow(dead_code, reason = "other tests look at more of it")]
mod log;
mod losses;
mod on_record;
mod questions;
mod recognised;
mod restarts;
mod scene;
mod speaking_for_others;
mod spot_checks;
mod uploads;
mod voids;
mod witnesses;
mod wrong_reveals;
