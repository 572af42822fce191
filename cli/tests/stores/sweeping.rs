//! `syndic-coordinator sweep` on servers, beside a coordinator at work: what no entry names goes, days later by its clock.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use syndic_round::Digest;

use super::founding::Hosts;
use super::process::program;
use super::serving::Serving;

/// An object that no entry names.
pub(crate) struct Orphan(Digest);

impl Orphan {
    /// Stores one, as whoever dies before it appends an entry leaves it.
    pub(crate) fn plant(serving: &Serving) -> Self {
        let orphan = Self(Digest::of(ORPHAN));
        assert_eq!(orphan.request(serving, "PUT", "blobs", ORPHAN), 200);
        orphan
    }

    /// Whether it is in this folder of the bucket.
    fn is_in(&self, serving: &Serving, folder: &str) -> bool {
        self.request(serving, "HEAD", folder, b"") == 200
    }

    /// Asks the server by hand, which wants a signature and does not check it; the status of its answer.
    fn request(&self, serving: &Serving, method: &str, folder: &str, body: &[u8]) -> u16 {
        let (name, address) = (self.0.to_string(), format!("127.0.0.1:{}", serving.s3_port()));
        let mut connection = TcpStream::connect(&address).unwrap();
        let head = format!(
            "{method} /bucket/federation/{folder}/{}/{} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\
             Connection: close\r\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n",
            &name[..2],
            &name[2..],
            body.len()
        );
        connection.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// Sweeps beside a coordinator that works on the servers; what is named meanwhile stays, as its job shows.
pub(crate) fn sweeps_beside_a_coordinator(hosts: &Hosts, serving: &Serving, orphan: &Orphan) {
    let young = swept(hosts, "+0d", &["--dry-run"]).unwrap();
    assert_eq!(names(&young, "set_aside"), [""; 0], "{young}");
    let Some(_) = library() else { return };

    // Of two at once one sweeps, or one after the other.
    let (one, other) = std::thread::scope(|scope| {
        let sweep = || swept(hosts, "+8d", &[]);
        let other = scope.spawn(sweep);
        (sweep(), other.join().unwrap())
    });
    let did: Vec<_> = [one, other].into_iter().filter_map(did).collect();
    // By that clock a blob is old as soon as it is stored. One that no entry names yet is set aside as well, and put back.
    let set_aside = did.iter().flat_map(|swept| names(swept, "set_aside"));
    assert_eq!(set_aside.filter(|name| *name == orphan.0.to_string()).count(), 1, "{did:?}");
    assert_eq!([orphan.is_in(serving, "blobs"), orphan.is_in(serving, "set-aside")], [false, true]);

    let soon = swept(hosts, "+0d", &[]).unwrap();
    assert!(soon["waiting"].as_u64().is_some_and(|waiting| waiting >= 1), "{soon}");
    assert_eq!(names(&soon, "removed"), [""; 0], "{soon}");
    let last = swept(hosts, "+8d", &[]).unwrap();
    assert_eq!(names(&last, "removed"), [orphan.0.to_string()], "{last}");
    assert_eq!([orphan.is_in(serving, "blobs"), orphan.is_in(serving, "set-aside")], [false, false]);
}

fn did(swept: Result<Value, Output>) -> Option<Value> {
    swept
        .inspect_err(|refused| {
            let told = String::from_utf8_lossy(&refused.stderr);
            assert!(told.contains("\"code\":\"store.lease-held\""), "{told}");
        })
        .ok()
}

/// What a sweep told whose clock is ahead by so much.
fn swept(hosts: &Hosts, ahead: &str, more: &[&str]) -> Result<Value, Output> {
    let mut command = Command::new(program("syndic-coordinator"));
    command.current_dir(hosts.host("operator")).args(SWEEP).arg("--json").args(more);
    if let Some(library) = library().filter(|_| ahead != "+0d") {
        command.env("LD_PRELOAD", library).env("FAKETIME", ahead).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    let output = command.output().unwrap();
    if !output.status.success() {
        return Err(output);
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

fn names(swept: &Value, list: &str) -> Vec<String> {
    let gone = swept[list].as_array().unwrap();
    gone.iter().map(|gone| gone["name"].as_str().unwrap().to_owned()).collect()
}

/// Debian's libfaketime; none where it is not installed, which is said loudly.
fn library() -> Option<&'static Path> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    let found = paths.find(|path| path.exists());
    if found.is_none() {
        eprintln!("*** SKIPPED: libfaketime is not installed (Debian: faketime), so nothing becomes old ***");
    }
    found.map(|path| &*Box::leak(path.into_boxed_path()))
}

const ORPHAN: &[u8] = b"an orphan";
const SWEEP: [&str; 3] = ["sweep", "--config", "coordinator.toml"];
