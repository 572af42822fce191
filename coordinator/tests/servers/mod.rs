//! Real servers for tests: PostgreSQL and an S3 server, each started for one test and ended with it.
//!
//! Debian's `postgresql`, and `moto` from PyPI in the virtual environment that `cargo xtask python` makes. Where one is
//! not there the tests that need it say so, loudly, and pass.

#![allow(dead_code, reason = "not every test that includes this needs all of it")]
#![allow(unreachable_pub, reason = "several crates include this file")]

pub mod cut;
pub mod postgres;
pub mod s3;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};

/// A command whose process ends with the thread that starts it, however that ends, and that runs as `user` where
/// we are root.
fn with_us(program: &Path, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if let Some(user) = user {
        command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".into()]);
    }
    command.arg("--").arg(program);
    command
}

/// Reads what a server says until a line has `mark`, and on from there in another thread, so that the server
/// never waits for a reader. None where it ended before.
fn wait_for_line(output: impl Read + Send + 'static, mark: &str) -> Result<String, String> {
    let mut lines = BufReader::new(output).lines();
    let mut told = String::new();
    for line in lines.by_ref().map_while(Result::ok) {
        told.push_str(&line);
        told.push('\n');
        if line.contains(mark) {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(line);
        }
    }
    Err(told)
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
