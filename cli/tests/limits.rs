//! Each limit of the transport, attacked by one member, while another one goes on beside it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body as _, Frame};
use rand::rngs::StdRng;
use syndic_coordinator::authority::Validity;
use syndic_coordinator::fact::Refusal;
use syndic_coordinator::federation::Federation;
use syndic_coordinator::limits::{Calls, Limits, Rate};
use syndic_coordinator::refusals::Refusals;
use syndic_coordinator::serve::serve_within;
use syndic_coordinator::tls::{accept, bind};
use syndic_participant::keys::Keys;
use syndic_participant::tls::Connector;
use syndic_proto::status::{code_of, retry_after};
use syndic_round::Timestamp;
use syndic_round::enrolment::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, oneshot};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Bytes, Service, http};
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::ServiceExt;

/// Takes a whole call, and says what became of it.
#[derive(Clone)]
struct Taker {
    /// A permit for each call that has come to it.
    begun: Arc<Semaphore>,
}

impl NamedService for Taker {
    const NAME: &'static str = "syndic.v1.Coordination";
}

impl Service<http::Request<Body>> for Taker {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.begun.add_permits(1);
        Box::pin(async move {
            let mut body = Box::pin(request.into_body());
            loop {
                match std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Ok(Status::from_error(error.into()).into_http()),
                    None => return Ok(Status::ok("taken").into_http()),
                }
            }
        })
    }
}

/// So many bytes, and then the end or silence.
struct Sent {
    bytes: usize,
    ends: bool,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match std::mem::take(&mut self.bytes) {
            0 if self.ends => Poll::Ready(None),
            0 => Poll::Pending,
            bytes => Poll::Ready(Some(Ok(Frame::data(vec![0; bytes].into())))),
        }
    }
}

/// A coordinator's port with limits, and two members.
struct Port {
    address: SocketAddr,
    federation: Federation,
    refusals: Refusals,
    begun: Arc<Semaphore>,
    _stop: oneshot::Sender<()>,
}

impl Port {
    async fn open(limits: Limits) -> Self {
        limits.check().unwrap();
        let here = Address::new("127.0.0.1").unwrap();
        let federation =
            Federation::create("credit", vec![here], now(), &mut rand::make_rng::<StdRng>()).unwrap();
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = accept(listener, federation.identity(), limits.clone()).unwrap();
        let refusals = incoming.refusals();
        let begun = Arc::new(Semaphore::new(0));
        let taker = Taker { begun: begun.clone() };
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serve_within(&limits, taker, incoming, stopped).await.unwrap();
        });
        Self { address, federation, refusals, begun, _stop: stop }
    }

    fn connector(&self, member: u16) -> Connector {
        let keys = Keys::generate(&format!("bank_{member}"), &mut rand::make_rng::<StdRng>()).unwrap();
        let request = keys.signing_request().unwrap();
        let id = syndic_round::ParticipantId::new(member).unwrap();
        let authority = self.federation.authority();
        let certificate = authority.certify(&request, id, Validity::days(now(), 1)).unwrap();
        let address = Address { host: "127.0.0.1".into(), port: self.address.port() };
        Connector::new(&address, authority.certificate(), &certificate, keys.tls_key()).unwrap()
    }

    async fn channel(&self, member: u16) -> Channel {
        let connector = self.connector(member);
        let endpoint = Endpoint::from(connector.endpoint_uri());
        endpoint.connect_with_connector(connector).await.unwrap()
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

/// The status of a call with this body.
async fn call(channel: &Channel, what: &str, body: Sent) -> Status {
    let uri = format!("http://coordinator/syndic.v1.Coordination/{what}");
    let request = http::Request::builder().method("POST").uri(uri).body(Body::new(body)).unwrap();
    let response = channel.clone().oneshot(request).await.unwrap();
    Status::from_header_map(response.headers()).expect("these answers are a status alone")
}

/// What an honest member sends.
const fn whole(bytes: usize) -> Sent {
    Sent { bytes, ends: true }
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_again_and_nobody_else_is() {
    let say = Rate { burst: 2, per_second: 1 };
    let port = Port::open(Limits { calls: Calls { say, ..Calls::default() }, ..Limits::default() }).await;
    let (flooding, honest) = (port.channel(1).await, port.channel(2).await);
    let mut last = call(&flooding, "Say", whole(10)).await;
    for _ in 0..100 {
        if last.code() != Code::Ok {
            break;
        }
        last = call(&flooding, "Say", whole(10)).await;
    }
    assert_eq!((last.code(), code_of(&last)), (Code::ResourceExhausted, Some("rate.limited")));
    assert!(retry_after(&last).is_some_and(|wait| !wait.is_zero()));
    assert_eq!(call(&flooding, "Hello", whole(10)).await.code(), Code::Ok, "each call has its own rate");
    assert_eq!(call(&honest, "Say", whole(10)).await.code(), Code::Ok);
    let refused = port.refusals.all();
    let refused: Vec<_> =
        refused.iter().map(|one| (one.participant.get(), one.refusals.as_slice())).collect();
    let [(1, [Refusal { code, count: 1, .. }])] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!(code, "rate.limited", "counted, for the record");
}

#[tokio::test]
async fn a_call_that_is_longer_than_any_such_call_is_refused() {
    let port = Port::open(Limits::default()).await;
    let channel = port.channel(1).await;
    for (what, most) in [("Hello", 4 << 10), ("Duties", 4 << 10), ("Fetch", 4 << 10), ("Say", 4 << 20)] {
        assert_eq!(call(&channel, what, whole(most)).await.code(), Code::Ok, "{what}");
        let refused = call(&channel, what, whole(most + 6)).await;
        assert_eq!(code_of(&refused), Some("call.too-long"), "{what}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for_and_holds_up_its_sender_alone() {
    let port = Port::open(Limits { body_seconds: 1, large_calls: 1, ..Limits::default() }).await;
    let (slow, honest) = (port.channel(1).await, port.channel(2).await);
    let dripping = tokio::spawn({
        let slow = slow.clone();
        async move { call(&slow, "Say", Sent { bytes: 1, ends: false }).await }
    });
    assert_eq!(call(&honest, "Say", whole(10)).await.code(), Code::Ok);
    assert_eq!(code_of(&dripping.await.unwrap()), Some("call.too-slow"));
    assert_eq!(call(&slow, "Say", whole(10)).await.code(), Code::Ok, "its place is free again");
}

#[tokio::test]
async fn updates_that_do_not_go_on_keep_nothing_from_being_heard_that_their_member_says() {
    let port = Port::open(Limits { large_calls: 3, ..Limits::default() }).await;
    let channel = port.channel(1).await;
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let channel = channel.clone();
        uploads.spawn(async move { call(&channel, "Submit", Sent { bytes: 1, ends: false }).await });
    }
    // They have taken all places that they get; one is left.
    port.begun.acquire_many(2).await.unwrap().forget();
    for _ in 0..20 {
        assert_eq!(call(&channel, "Say", whole(10)).await.code(), Code::Ok);
        assert_eq!(call(&channel, "Fetch", whole(10)).await.code(), Code::Ok);
    }
    assert!(uploads.try_join_next().is_none(), "they wait for their bytes, or for their turn");
}

#[tokio::test]
async fn a_member_has_so_many_connections_and_its_others_are_closed() {
    let port = Port::open(Limits { connections_per_member: 2, ..Limits::default() }).await;
    let connector = port.connector(1);
    let first = connector.connect().await.unwrap();
    let _second = connector.connect().await.unwrap();
    assert!(connector.connect().await.err().unwrap().is_unreachable());
    assert_eq!(call(&port.channel(2).await, "Hello", whole(10)).await.code(), Code::Ok);
    drop(first);
    // The place is free once the coordinator has seen the end.
    while connector.connect().await.is_err() {}
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let port = Port::open(Limits { connections_per_address: 3, ..Limits::default() }).await;
    let connector = port.connector(1);
    let mut inside = Vec::new();
    for _ in 0..3 {
        inside.push(connector.connect().await.unwrap());
    }
    assert!(connector.connect().await.err().unwrap().is_unreachable());
}

#[tokio::test]
async fn headers_beyond_the_limit_end_the_call() {
    let port = Port::open(Limits::default()).await;
    let (mut calls, connection) =
        h2::client::handshake(port.connector(1).connect().await.unwrap()).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::builder().method("POST").uri("http://coordinator/x");
    let request = request.header("x-large", "a".repeat(64 << 10)).body(()).unwrap();
    calls = calls.ready().await.unwrap();
    let (answer, _) = calls.send_request(request, true).unwrap();
    match answer.await {
        Ok(answer) => assert_eq!(answer.status(), http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(error) => assert!(error.is_remote() || error.is_io(), "{error}"),
    }
    assert_eq!(call(&port.channel(2).await, "Hello", whole(10)).await.code(), Code::Ok);
}

#[tokio::test]
async fn calls_that_are_taken_back_at_once_end_the_connection() {
    let port = Port::open(Limits { resets: 5, ..Limits::default() }).await;
    let mut raw = port.connector(1).connect().await.unwrap();
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1..2_000_u32).step_by(2) {
        // HEADERS of `POST /`, and RST_STREAM with CANCEL (RFC 9113 sections 6.2 and 6.4).
        flood.extend([&[0, 0, 3, 1, 4][..], &stream.to_be_bytes(), &[0x83, 0x86, 0x84]].concat());
        flood.extend([&[0, 0, 4, 3, 0][..], &stream.to_be_bytes(), &[0, 0, 0, 8]].concat());
    }
    // It may end before it has read everything.
    let _ = raw.write_all(&flood).await;
    let mut answer = Vec::new();
    let _ = raw.read_to_end(&mut answer).await;
    // GOAWAY with ENHANCE_YOUR_CALM is eleven in the four bytes after the last stream (RFC 9113 section 6.8).
    let is_told = answer.windows(17).any(|it| it[3..9] == [7, 0, 0, 0, 0, 0] && it[13..17] == [0, 0, 0, 11]);
    assert!(is_told, "{answer:02x?}");
    assert_eq!(call(&port.channel(2).await, "Hello", whole(10)).await.code(), Code::Ok);
}

#[tokio::test]
async fn whether_a_coordinator_is_well_is_told_to_members() {
    let port = Port::open(Limits::default()).await;
    let channel = port.channel(1).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let service = "syndic.v1.Coordination".to_owned();
    let answer = health.check(tonic_health::pb::HealthCheckRequest { service }).await.unwrap();
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    assert_eq!(answer.into_inner().status(), serving);
}
