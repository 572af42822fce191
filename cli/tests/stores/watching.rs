//! What a coordinator that runs tells those who watch over it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::founding::{Hosts, free_port};
use super::process::succeed;

/// Gives the coordinator's configuration a port for its health.
pub(crate) fn health(hosts: &Hosts) -> u16 {
    let port = free_port();
    hosts.edit(
        "operator/coordinator.toml",
        "gather_seconds = 10",
        &format!("gather_seconds = 10\nhealth = \"127.0.0.1:{port}\""),
    );
    port
}

/// The status of `/ready`, and its report.
pub(crate) fn ready(port: u16) -> (u16, Value) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(b"GET /ready HTTP/1.1\r\nHost: coordinator\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// A job as whoever runs it is told.
pub(crate) fn shown(hosts: &Hosts, job: &str) -> Value {
    let arguments = ["job", "show", job, "--config", "coordinator.toml", "--json"];
    let told = succeed("syndic-coordinator", &hosts.host("operator"), &arguments);
    serde_json::from_str(&told).unwrap()
}
