//! A coordinator whose port strangers and one member hold open as best they can, while the others work through a job.
//!
//! The member that attacks takes no part, and nobody waits for it, so that what a round takes is the others' doing. In the test
//! command some hundreds of connections come once. With `SYNDIC_SOAK=1` ten thousand come, and come again for a minute; a minute
//! without an attack goes before, and a round may take twice as long.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use syndic_coordinator::limits::Limits;
use syndic_participant::enrol::Enrolment;
use syndic_proto::v1::coordination_client::CoordinationClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tonic::transport::Endpoint;

use super::founding::{BANKS, Hosts, Job};
use super::process::{Line, Process};
use super::{WITHOUT_ALL, everybody_ends_well, ledger, rounds_of};

/// What the attack is.
#[derive(Clone, Copy)]
struct Attack {
    /// Connections of strangers: every other one says nothing, the others stop in the middle of a handshake.
    half_open: usize,
    /// Uploads of a member that never come.
    uploads: usize,
    /// Whether those who are cut off come again.
    again: bool,
    /// Of the job that goes on meanwhile.
    training_rounds: u32,
    /// The least that it lasts; to the job's end otherwise.
    lasts: Option<Duration>,
}

/// What a coordinator took.
#[derive(Debug)]
#[allow(dead_code, reason = "printed")]
struct Taken {
    rounds: usize,
    /// Between the first round's end and the last one's.
    all_but_the_first: Duration,
    /// From the attack's beginning to the job's end.
    lasted: Duration,
    slowest_round: Duration,
    most_descriptors: usize,
    resident_kib_before: u64,
    resident_kib_most: u64,
    turned_away: u64,
}

#[test]
fn a_job_ends_while_strangers_and_a_member_hold_open_what_they_can() {
    provide_descriptors();
    if std::env::var_os("SYNDIC_SOAK").is_none() {
        let attack = Attack { half_open: 600, uploads: 200, again: false, training_rounds: 10, lasts: None };
        println!("attacked: {:?}", besiege(attack));
        return;
    }
    let lasts = Some(Duration::from_secs(60));
    let attack = Attack { half_open: 10_000, uploads: 10_000, again: true, training_rounds: 1_000, lasts };
    let calm = besiege(Attack { half_open: 0, uploads: 0, ..attack });
    let attacked = besiege(attack);
    let ratio = attacked.a_round().as_secs_f64() / calm.a_round().as_secs_f64();
    println!("calm: {calm:?}\nattacked: {attacked:?}");
    println!("a round: {:?} calm, {:?} attacked, ratio {ratio:.2}", calm.a_round(), attacked.a_round());
    assert!(ratio <= 2.0, "a round took {ratio:.2} times as long");
}

fn besiege(attack: Attack) -> Taken {
    let rounds = rounds_of(attack.training_rounds);
    let hosts = Hosts::ready(Job { training_rounds: attack.training_rounds, deadline_seconds: 60 });
    let mut coordinator = hosts.start_coordinator();
    coordinator.wait_for("that it is ready", |line| line.is("ready"));
    let before = resident(&coordinator, "VmRSS:");
    let runtime = Runtime::new().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], hosts.port));
    for number in 0..attack.half_open {
        // Some hundreds to an address, none of them the members'.
        let from = Ipv4Addr::new(127, 1, 0, 1 + u8::try_from(number / 2 % 32).unwrap());
        let bytes = if number % 2 == 0 { 0 } else { 1 + number % 200 };
        runtime.spawn(stranger(from, address, bytes, attack.again));
    }
    runtime.spawn(member(hosts.enrolment(BANKS[0]), attack.uploads, attack.again));

    let began = Instant::now();
    let mut banks: Vec<Process> = BANKS[1..].iter().map(|bank| hosts.start(bank)).collect();
    let (mut closed, mut descriptors) = (Vec::new(), 0);
    for round in 1..=rounds {
        // The member that attacks is in none of them.
        let has_closed = |line: &Line| line.is("round closed") || line.is(WITHOUT_ALL);
        coordinator.wait_for("a round", |line| has_closed(line) && line.round() == round);
        closed.push(Instant::now());
        descriptors = descriptors.max(open_files(&coordinator));
        if attack.lasts.is_some_and(|lasts| began.elapsed() >= lasts) {
            break;
        }
    }
    let lasted = began.elapsed();
    assert!(closed.len() > 1, "{} rounds in {lasted:?}: {}", closed.len(), coordinator.told());
    let most = resident(&coordinator, "VmHWM:");
    runtime.shutdown_background();
    if attack.lasts.is_none() {
        assert_eq!(coordinator.ended(), 0, "{}", coordinator.told());
        everybody_ends_well(&mut banks);
        assert_eq!(ledger::verified(&hosts)["rounds_closed"], rounds);
    }

    let limits = Limits::default();
    let members = BANKS.len() * limits.connections_per_member;
    let allowed = limits.handshakes + GIVING_WAY + members + OWN_FILES;
    assert!(descriptors <= allowed, "{descriptors} files are open, {allowed} are allowed for");
    let allowed = limits.handshakes as u64 * HANDSHAKE_KIB
        + BANKS.len() as u64 * limits.bytes_of_a_member() / 1024
        + OWN_KIB;
    assert!(most <= before + allowed, "{most} KiB resident, {before} before, {allowed} allowed for");
    Taken {
        rounds: closed.len(),
        all_but_the_first: closed[closed.len() - 1] - closed[0],
        lasted,
        slowest_round: closed.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap(),
        most_descriptors: descriptors,
        resident_kib_before: before,
        resident_kib_most: most,
        turned_away: turned_away(&coordinator),
    }
}

impl Taken {
    /// What a round took; the first waits for everybody to come, and makes keys that the others find made.
    fn a_round(&self) -> Duration {
        self.all_but_the_first / u32::try_from(self.rounds - 1).unwrap()
    }
}

/// Connects, says `bytes` of a handshake, and waits to be cut off.
async fn stranger(from: Ipv4Addr, to: SocketAddr, bytes: usize, again: bool) {
    loop {
        if let Ok(mut stream) = connect(from, to).await {
            // A record of TLS with a longer handshake message in it than ever comes.
            let beginning = [&[22, 3, 1, 2, 0, 1, 0, 1, 252][..], &[0; 200]].concat();
            let _ = stream.write_all(&beginning[..bytes]).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        if !again {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to).await
}

/// A member that begins upload after upload, on as many connections as it gets, and sends nothing.
async fn member(enrolment: PathBuf, uploads: usize, again: bool) {
    let connector = Enrolment::load(&enrolment).unwrap().connectors().unwrap().remove(0);
    let each = 16;
    for _ in 0..uploads.div_ceil(each) {
        let connector = connector.clone();
        tokio::spawn(async move {
            loop {
                let endpoint = Endpoint::from(connector.endpoint_uri());
                if let Ok(channel) = endpoint.connect_with_connector(connector.clone()).await {
                    let calls = (0..each).map(|_| {
                        let mut calls = CoordinationClient::new(channel.clone());
                        tokio::spawn(async move { drop(calls.submit(tokio_stream::pending()).await) })
                    });
                    for call in calls.collect::<Vec<_>>() {
                        let _ = call.await;
                    }
                }
                if !again {
                    return;
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

fn open_files(process: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap().count()
}

/// A line of what the system says of a process's memory, in KiB.
fn resident(process: &Process, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Connections that the log says were turned away, and those that it left out.
fn turned_away(process: &Process) -> u64 {
    let told = process.told();
    let lines = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let turned = lines.filter(|line| line["fields"]["message"] == "turned a connection away");
    turned.map(|line| 1 + line["fields"]["untold"].as_u64().unwrap_or(0)).sum()
}

/// Twenty thousand connections begin here.
fn provide_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// Sockets that are being closed while others come in their place.
const GIVING_WAY: usize = 64;
/// What a coordinator has open for itself: its store, its port, its log, and updates that it reads.
const OWN_FILES: usize = 96;
/// How long whoever was cut off keeps away: as long as it could have stayed if nobody had needed its place.
const AGAIN: Duration = Duration::from_secs(10);
/// What a handshake takes: its buffers, and its socket's are the system's.
const HANDSHAKE_KIB: u64 = 64;
/// What a job takes of the coordinator that serves it.
const OWN_KIB: u64 = 128 << 10;
