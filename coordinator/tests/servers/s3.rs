//! An S3 server: `moto`, which keeps everything in memory.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::{end, wait_for_line, with_us};

/// A server on a port of the loopback interface. Dropped, it is killed, and what it kept is gone.
pub struct S3 {
    running: Child,
    endpoint: String,
}

impl S3 {
    /// An empty server; none, said loudly, where `moto` is not installed.
    pub fn start() -> Option<Self> {
        let program = program();
        if !program.exists() {
            eprintln!("*** SKIPPED: there is no {}; run `cargo xtask tools` ***", program.display());
            return None;
        }
        let mut running = with_us(&program, None)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let line = wait_for_line(running.stderr.take().unwrap(), "Running on http").unwrap();
        let endpoint = line.split_whitespace().last().unwrap().to_owned();
        Some(Self { running, endpoint })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        end(&mut self.running);
    }
}

/// In the virtual environment that `cargo xtask tools` makes.
fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/moto_server")
}
