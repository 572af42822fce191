//! An S3 server: `moto`, which keeps everything in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
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
            eprintln!("*** SKIPPED: there is no {}; run `cargo xtask python` ***", program.display());
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

    /// The same with one bucket.
    pub fn with_bucket(name: &str) -> Option<Self> {
        let server = Self::start()?;
        server.put(name, b"");
        Some(server)
    }

    /// Puts a bucket, or an object as `bucket/key`.
    pub fn put(&self, path: &str, content: &[u8]) {
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(address).unwrap();
        // The server asks for a signature and does not check it.
        let head = format!(
            "PUT /{path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n",
            content.len()
        );
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(content).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
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

/// In the virtual environment that `cargo xtask python` makes.
fn program() -> PathBuf {
    let below = |folder: &Path| folder.join("target/python/bin/moto_server");
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).map(below);
    above.find(|program| program.exists()).unwrap_or_else(|| "target/python/bin/moto_server".into())
}
