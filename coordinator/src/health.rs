//! Whether the coordinator is alive, and whether it takes work: plain HTTP on a loopback address, for systemd, orchestrators
//! and those who watch over them. docs/operations.md is the contract.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming as Body;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tracing::info;

use crate::clock;
use crate::drain::Draining;
use crate::driver::Trouble;
use crate::tls::{Connections, Counter, ListenError, Terms, bind};

/// What is known of a coordinator's health.
#[derive(Clone)]
pub struct Health {
    /// Once there is a coordinator that may have any trouble.
    serving: watch::Receiver<Option<Troubles>>,
    draining: Draining,
    terms: watch::Receiver<Arc<Terms>>,
    counter: Counter,
}

/// What a coordinator may have trouble with.
struct Troubles {
    store: watch::Receiver<Option<Trouble>>,
    publishing: watch::Receiver<Option<Trouble>>,
}

/// Says that the coordinator serves; until then it is starting.
pub struct Started(watch::Sender<Option<Troubles>>);

/// The answer of `/ready`, and of `/live` but for the status.
#[derive(Serialize)]
struct Report {
    schema: &'static str,
    state: State,
    /// Why the state is not `ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// What does not keep it from taking work, and is to be mended all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Reason>,
    connections: Counts,
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Counts {
    unproved: usize,
    members: usize,
    turned_away: std::collections::BTreeMap<&'static str, u64>,
}

/// What a coordinator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It reads its ledger.
    Starting,
    /// It serves.
    Ready,
    /// It serves those who are connected, and lets nobody new in, or takes nothing new.
    Refusing,
    /// It is about to stop.
    Draining,
}

impl Health {
    /// The health of a coordinator that lets in whom `terms` admit, and what it is told with when it serves.
    pub fn new(terms: watch::Receiver<Arc<Terms>>, counter: Counter, draining: Draining) -> (Self, Started) {
        let (started, serving) = watch::channel(None);
        (Self { serving, draining, terms, counter }, Started(started))
    }

    /// Answers on `address` from now on.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn listen(self, address: SocketAddr) -> Result<(), ListenError> {
        let listener = bind(address).await?;
        info!(address = ?listener.local_addr().ok(), "health is told here");
        tokio::spawn(self.answer(listener));
        Ok(())
    }

    async fn answer(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let health = self.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let answer = health.answer_to(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new())
                    .header_read_timeout(LONGEST)
                    .keep_alive(false)
                    .max_buf_size(8192);
                let connection = http.serve_connection(TokioIo::new(stream), answer);
                // Whoever asks and goes away has its own reasons.
                let _ = tokio::time::timeout(LONGEST, connection).await;
                drop(place);
            });
        }
    }

    fn answer_to(&self, request: &Request<Body>) -> Response<String> {
        let report = self.report();
        let status = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/live") => StatusCode::OK,
            (&Method::GET | &Method::HEAD, "/ready") if report.state == State::Ready => StatusCode::OK,
            (&Method::GET | &Method::HEAD, "/ready") => StatusCode::SERVICE_UNAVAILABLE,
            (&Method::GET | &Method::HEAD, _) => StatusCode::NOT_FOUND,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let body = match status {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => {
                serde_json::to_string(&report).expect("text and numbers have a JSON form")
            }
            _ => String::new(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, "application/json".parse().expect("a header"));
        headers.insert(CACHE_CONTROL, "no-store".parse().expect("a header"));
        response
    }

    fn report(&self) -> Report {
        let suspended = self.terms.borrow().require_open(clock::now()).err();
        let (state, reason) = if self.draining.has_begun() {
            (
                State::Draining,
                Some(Reason { code: "coordinator.draining", message: "it is about to stop".into() }),
            )
        } else if self.serving.borrow().is_none() {
            (
                State::Starting,
                Some(Reason { code: "coordinator.starting", message: "it reads its ledger".into() }),
            )
        } else if let Some(Trouble { code, message }) = self.trouble(|troubles| &troubles.store) {
            (State::Refusing, Some(Reason { code, message }))
        } else if let Some(reason) = suspended {
            (State::Refusing, Some(Reason { code: reason.code(), message: reason.to_string() }))
        } else {
            (State::Ready, None)
        };
        let Connections { unproved, proved, turned_away } = self.counter.connections();
        let connections = Counts { unproved, members: proved, turned_away };
        let publishing = self.trouble(|troubles| &troubles.publishing);
        let warnings = publishing.map(|Trouble { code, message }| Reason { code, message });
        let warnings = warnings.into_iter().collect();
        Report { schema: "syndic.health/1", state, reason, warnings, connections }
    }

    fn trouble(&self, of: fn(&Troubles) -> &watch::Receiver<Option<Trouble>>) -> Option<Trouble> {
        let serving = self.serving.borrow();
        let trouble = of(serving.as_ref()?).borrow();
        trouble.clone()
    }
}

impl Started {
    /// The coordinator serves from now on, but while its `store` is in trouble; that of `publishing` is told and no more.
    pub fn serves(
        &self,
        store: watch::Receiver<Option<Trouble>>,
        publishing: watch::Receiver<Option<Trouble>>,
    ) {
        self.0.send_replace(Some(Troubles { store, publishing }));
    }
}

/// Who asks for more at once than this waits.
const MOST_AT_ONCE: usize = 16;
/// How long one who asks may take.
const LONGEST: Duration = Duration::from_secs(5);
