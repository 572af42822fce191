//! Participant and coordinator meet over loopback TCP with the libraries' own TLS on both sides.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use rand::rngs::StdRng;
use rustls::pki_types::CertificateDer;
use syndic_coordinator::authority::{Reason, Validity, to_pem};
use syndic_coordinator::federation::Federation;
use syndic_coordinator::renewal::renew;
use syndic_coordinator::revocation::revoke;
use syndic_coordinator::tls::{Door, Incoming, Limits, PeerIdentity, accept, bind};
use syndic_participant::keys::Keys;
use syndic_participant::tls::{ConnectError, Connector};
use syndic_round::Timestamp;
use syndic_round::enrolment::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Server};
use tower::ServiceExt;

/// A service whose answers say who asked.
#[derive(Clone)]
struct WhoAmI;

impl NamedService for WhoAmI {
    const NAME: &'static str = "test.WhoAmI";
}

impl Service<http::Request<Body>> for WhoAmI {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<PeerIdentity>().expect("every caller is known").clone();
        let caller = format!("{}/{}/{}", peer.federation, peer.id, peer.name);
        let answer = http::Response::builder().header("caller", caller);
        Box::pin(async move { Ok(answer.body(Body::empty()).unwrap()) })
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

const YEAR: u64 = 365 * 86_400_000;

fn found(at: Timestamp) -> Federation {
    let here = Address::new("127.0.0.1").unwrap();
    Federation::create("credit", vec![here], at, &mut rand::make_rng::<StdRng>()).unwrap()
}

fn federation() -> &'static Federation {
    static FEDERATION: OnceLock<Federation> = OnceLock::new();
    FEDERATION.get_or_init(|| found(now()))
}

/// Starts the coordinator of `federation`.
async fn start(federation: &Federation) -> SocketAddr {
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = accept(listener, federation.identity(), Limits::default()).unwrap();
    tokio::spawn(Server::builder().add_service(WhoAmI).serve_with_incoming(incoming));
    address
}

/// Starts a coordinator that keeps up with the folder of a federation.
async fn keep_open(federation: &Federation, folder: &Path, allowed: Option<&Path>) -> (SocketAddr, Door) {
    federation.write(folder).unwrap();
    let door = Door::open(folder, allowed).unwrap();
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = Incoming::new(listener, door.terms(), Limits::default());
    tokio::spawn(Server::builder().add_service(WhoAmI).serve_with_incoming(incoming));
    (address, door)
}

/// A member of `federation` with the files of an operator's folder, and how it connects.
fn enrolled(federation: &mut Federation, folder: &Path, port: u16) -> Connector {
    let keys = Keys::generate("bank_a", &mut rand::make_rng::<StdRng>()).unwrap();
    let request = keys.signing_request().unwrap();
    let mut certified = None;
    // Certified twice: the first certificate holds as well until it is over.
    for days in [10, 20] {
        let bundle = federation.add_participant(&request, Validity::days(now(), days)).unwrap();
        federation.write_member(folder, &bundle).unwrap();
        certified.get_or_insert(bundle);
    }
    let first = pem::parse(certified.unwrap().certificate_pem).unwrap().into_contents();
    let address = Address { host: "127.0.0.1".into(), port };
    Connector::new(&address, federation.identity().authority(), &first.into(), keys.tls_key()).unwrap()
}

/// A member's certificate from `issuer`, shown to a coordinator of `trusted` at `host`.
fn connector(
    host: &str,
    port: u16,
    trusted: &Federation,
    issuer: &Federation,
    validity: Validity,
) -> Connector {
    let keys = Keys::generate("bank_a", &mut rand::make_rng::<StdRng>()).unwrap();
    let request = keys.signing_request().unwrap();
    let id = syndic_round::ParticipantId::new(7).unwrap();
    let certificate = issuer.authority().certify(&request, id, validity).unwrap();
    let authority: &CertificateDer<'static> = trusted.identity().authority();
    let address = Address { host: host.to_owned(), port };
    Connector::new(&address, authority, &certificate, keys.tls_key()).unwrap()
}

fn genuine(port: u16) -> Connector {
    connector("127.0.0.1", port, federation(), federation(), Validity::days(now(), 1))
}

/// Connects as an agent does, through tonic, and finds our reason behind tonic's.
async fn refusal(connector: Connector) -> ConnectError {
    let direct = connector.connect().await.err().expect("this connection must be refused");
    let endpoint = Endpoint::from(connector.endpoint_uri());
    let error = endpoint.connect_with_connector(connector).await.unwrap_err();
    let behind = ConnectError::behind(&error).expect("tonic keeps the cause");
    assert_eq!(behind.code(), direct.code());
    assert!(!behind.help().is_empty());
    direct
}

async fn who_am_i(connector: Connector) -> String {
    let endpoint = Endpoint::from(connector.endpoint_uri());
    ask(endpoint.connect_with_connector(connector).await.unwrap()).await
}

async fn ask(channel: Channel) -> String {
    let uri = "http://coordinator/test.WhoAmI/Ask";
    let request = http::Request::builder().method("POST").uri(uri).body(Body::empty()).unwrap();
    let response = channel.oneshot(request).await.unwrap();
    response.headers()["caller"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn handlers_know_their_caller_by_its_certificate() {
    let address = start(federation()).await;
    assert_eq!(who_am_i(genuine(address.port())).await, "credit/7/bank_a");
}

#[tokio::test]
async fn the_coordinator_serves_on_after_every_refusal() {
    let address = start(federation()).await;
    let port = address.port();
    let past = Validity { from: Timestamp(now().0 - YEAR), until: Timestamp(now().0 - YEAR / 2) };

    let expired = refusal(connector("127.0.0.1", port, federation(), federation(), past)).await;
    assert!(matches!(expired, ConnectError::CertificateExpired { ours: true, .. }), "{expired}");
    assert_eq!(expired.code(), "tls.certificate-expired");

    let stranger = connector("127.0.0.1", port, federation(), &found(now()), Validity::days(now(), 1));
    assert_eq!(refusal(stranger).await.code(), "tls.certificate-refused");

    let elsewhere = connector("127.0.0.1", port, &found(now()), federation(), Validity::days(now(), 1));
    assert_eq!(refusal(elsewhere).await.code(), "tls.untrusted-coordinator");

    let other_host = connector("localhost", port, federation(), federation(), Validity::days(now(), 1));
    assert_eq!(refusal(other_host).await.code(), "tls.untrusted-coordinator");

    assert_eq!(who_am_i(genuine(port)).await, "credit/7/bank_a");
}

#[tokio::test]
async fn a_revoked_member_is_cut_off_and_learns_that_it_was_revoked() {
    let (folder, mut federation) = (tempfile::tempdir().unwrap(), found(now()));
    let folder = folder.path().join("federation");
    let (address, mut door) = keep_open(&federation, &folder, None).await;
    let revoked = enrolled(&mut federation, &folder, address.port());
    let other = connector("127.0.0.1", address.port(), &federation, &federation, Validity::days(now(), 1));
    let mut inside = revoked.connect().await.unwrap();
    assert_eq!(who_am_i(revoked.clone()).await, "credit/1/bank_a");

    let signed = revoke(&folder, Some(("bank_a", Reason::KeyCompromise)), 30).unwrap();
    door.read_again();

    assert_eq!((signed.added, signed.revoked, signed.number), (2, 2, 1));
    let mut rest = Vec::new();
    inside.read_to_end(&mut rest).await.expect_err("an open connection is cut without a farewell");
    let error = refusal(revoked).await;
    assert!(error.is_revoked(), "{error}");
    assert_eq!(error.code(), "tls.certificate-revoked");
    assert_eq!(who_am_i(other).await, "credit/7/bank_a");
}

#[tokio::test]
async fn a_list_that_cannot_be_relied_on_lets_nobody_new_in_and_cuts_nobody_off() {
    let (folder, mut federation) = (tempfile::tempdir().unwrap(), found(now()));
    let folder = folder.path().join("federation");
    let (address, mut door) = keep_open(&federation, &folder, None).await;
    let member = enrolled(&mut federation, &folder, address.port());
    let endpoint = Endpoint::from(member.endpoint_uri());
    let inside = endpoint.connect_with_connector(member.clone()).await.unwrap();
    let list = folder.join("revoked.crl.pem");
    revoke(&folder, None, 30).unwrap();
    let former = std::fs::read(&list).unwrap();
    revoke(&folder, None, 30).unwrap();
    let good = std::fs::read(&list).unwrap();
    door.read_again();
    assert_eq!(who_am_i(member.clone()).await, "credit/1/bank_a");

    let theirs = tempfile::tempdir().unwrap().path().join("theirs");
    found(now()).write(&theirs).unwrap();
    revoke(&theirs, None, 30).unwrap();
    let foreign = std::fs::read(theirs.join("revoked.crl.pem")).unwrap();
    for bad in [Some(&b"no list"[..]), Some(&foreign), Some(&former), None] {
        match bad {
            Some(bad) => std::fs::write(&list, bad).unwrap(),
            None => std::fs::remove_file(&list).unwrap(),
        }
        door.read_again();
        let error = refusal(member.clone()).await;
        assert!(error.is_unreachable(), "whoever is a member tries again: {error}");
        assert_eq!(ask(inside.clone()).await, "credit/1/bank_a");

        std::fs::write(&list, &good).unwrap();
        door.read_again();
        assert_eq!(who_am_i(member.clone()).await, "credit/1/bank_a");
    }
}

#[tokio::test]
async fn only_the_certificates_of_the_list_are_let_in_and_stay() {
    let (folder, mut federation) = (tempfile::tempdir().unwrap(), found(now()));
    let (folder, list) = (folder.path().join("federation"), folder.path().join("allowed"));
    std::fs::write(&list, "").unwrap();
    let (address, mut door) = keep_open(&federation, &folder, Some(&list)).await;
    let member = enrolled(&mut federation, &folder, address.port());
    assert_eq!(refusal(member.clone()).await.code(), "tls.certificate-refused");

    let members = folder.join("members/bank_a.certificates.pem");
    let certificates = pem::parse_many(std::fs::read(members).unwrap()).unwrap();
    let fingerprint = syndic_round::Digest::of(certificates[0].contents());
    std::fs::write(&list, format!("{fingerprint}  # bank_a\n")).unwrap();
    door.read_again();
    let mut inside = member.connect().await.unwrap();

    std::fs::write(&list, "not a fingerprint\n").unwrap();
    door.read_again();
    assert!(refusal(member.clone()).await.is_unreachable());
    std::fs::write(&list, "").unwrap();
    door.read_again();
    inside.read_to_end(&mut Vec::new()).await.expect_err("an open connection is cut without a farewell");
    assert_eq!(refusal(member).await.code(), "tls.certificate-refused");
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let (folder, mut federation) =
        (tempfile::tempdir().unwrap(), found(Timestamp(now().0 - YEAR + 86_400_000)));
    let folder = folder.path().join("federation");
    let (address, mut door) = keep_open(&federation, &folder, None).await;
    let member = enrolled(&mut federation, &folder, address.port());
    let shown = |door: &Door| door.identity().certificate().clone();
    let (before, certificate) = (shown(&door), folder.join("coordinator.pem"));
    let endpoint = Endpoint::from(member.endpoint_uri());
    let inside = endpoint.connect_with_connector(member.clone()).await.unwrap();

    let another = found(now());
    std::fs::write(&certificate, to_pem(another.identity().certificate())).unwrap();
    door.read_again();
    assert_eq!(shown(&door), before, "it is not for this key");
    assert_eq!(who_am_i(member.clone()).await, "credit/1/bank_a");

    std::fs::write(&certificate, to_pem(&before)).unwrap();
    renew(&folder, 90).unwrap();
    door.read_again();
    assert_ne!(shown(&door), before);
    assert_eq!(who_am_i(member.clone()).await, "credit/1/bank_a");
    assert_eq!(ask(inside).await, "credit/1/bank_a", "what is open goes on");
}

#[tokio::test]
async fn an_expired_coordinator_is_named_as_such() {
    let old = found(Timestamp(now().0 - 2 * YEAR));
    let address = start(&old).await;
    let error = refusal(connector("127.0.0.1", address.port(), &old, &old, Validity::days(now(), 1))).await;
    assert!(matches!(error, ConnectError::CertificateExpired { ours: false, .. }), "{error}");
    assert_eq!(error.code(), "tls.certificate-expired");
}

#[tokio::test]
async fn a_host_where_nobody_listens_is_unreachable() {
    // Held, so that nobody else can take the port, but never listening.
    let held = TcpSocket::new_v4().unwrap();
    held.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = held.local_addr().unwrap().port();
    let error = refusal(genuine(port)).await;
    assert_eq!(error.code(), "net.unreachable");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[tokio::test]
async fn a_listener_that_speaks_something_else_is_no_coordinator() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _first_bytes = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    assert_eq!(refusal(genuine(port)).await.code(), "tls.handshake-failed");
}

#[tokio::test]
async fn a_certificate_of_other_keys_is_noticed_at_home() {
    let other = Keys::generate("bank_b", &mut rand::make_rng::<StdRng>()).unwrap();
    let request = other.signing_request().unwrap();
    let id = syndic_round::ParticipantId::new(7).unwrap();
    let certificate = federation().authority().certify(&request, id, Validity::days(now(), 1)).unwrap();
    let keys = Keys::generate("bank_a", &mut rand::make_rng::<StdRng>()).unwrap();
    let here = Address::new("127.0.0.1").unwrap();
    let refused = Connector::new(&here, federation().identity().authority(), &certificate, keys.tls_key());
    assert_eq!(refused.err().unwrap().code(), "tls.own-certificate");
}
