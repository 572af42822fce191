//! What signals do to a run, at any moment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod hangups;
mod interrupts;

use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What `work` gives, if it does so in time.
fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(work()));
    told.recv_timeout(Duration::from_secs(60)).ok()
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -s {signal} {process}")]).status().unwrap();
    assert!(sent.success());
}
