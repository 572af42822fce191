//! What every call passes before a handler sees it: how often its caller calls, how much it sends and how slowly.
//!
//! Connections are limited where they are accepted, what HTTP/2 does with them by its library, and calls here. Nothing here
//! knows what a call is about; a caller is a member, whatever connection it comes by.

mod body;
mod rate;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use syndic_proto::status::{limited, refusal};
use syndic_round::ParticipantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};
use tracing::warn;

use crate::limits::{LARGEST_MESSAGE, LARGEST_SMALL_BODY, Limits, Rate};
use crate::refusals::Refusals;
use crate::tls::PeerIdentity;
use body::{Answer, Bounded};
use rate::Bucket;

/// Puts a [`Gate`] before a service.
#[derive(Clone)]
pub(crate) struct GateLayer(Arc<Shared>);

/// A service behind the limits on calls.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    inner: S,
    shared: Arc<Shared>,
}

struct Shared {
    limits: Limits,
    refusals: Refusals,
    members: Mutex<BTreeMap<ParticipantId, Member>>,
    /// True once calls that go on are to end.
    draining: watch::Receiver<bool>,
}

/// What one member has under way.
struct Member {
    buckets: BTreeMap<Call, Bucket>,
    large: Arc<Semaphore>,
    /// All of those but one, where there are several: updates that do not go on keep nothing from being heard that their member
    /// says meanwhile.
    uploads: Arc<Semaphore>,
    lasting: Arc<Semaphore>,
    /// Whether it was told of in the log since it last kept within its limits.
    is_told: bool,
}

/// The calls, as far as limits differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Hello,
    Duties,
    Say,
    Submit,
    Uploaded,
    Fetch,
    Closing,
    Chunk,
    Cosign,
    Models,
    Other,
}

impl GateLayer {
    pub(crate) fn new(limits: &Limits, refusals: Refusals, draining: watch::Receiver<bool>) -> Self {
        let (limits, members) = (limits.clone(), Mutex::default());
        Self(Arc::new(Shared { limits, refusals, members, draining }))
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner, shared: self.0.clone() }
    }
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that was found ready is the one to call.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let shared = self.shared.clone();
        let peer = request.extensions().get::<PeerIdentity>().cloned();
        let call = Call::of(request.uri().path());
        Box::pin(async move {
            let admitted = match &peer {
                Some(peer) => shared.admit(peer, call).await,
                // The handler refuses it.
                None => Ok(Vec::new()),
            };
            let who = peer.map(|peer| peer.id);
            let places = match admitted {
                Ok(places) => places,
                Err(wait) => {
                    let limited = limited(wait).into_http();
                    shared.note(who, &limited);
                    return Ok(limited);
                }
            };
            let time = call.has_deadline().then(|| Duration::from_secs(shared.limits.body_seconds.into()));
            let request = request.map(|body| Body::new(Bounded::new(body, call.largest_body(), time)));
            let response = inner.call(request).await?;
            shared.note(who, &response);
            let draining = call.is_lasting().then(|| shared.draining.clone());
            Ok(response.map(|body| Body::new(Answer::new(body, places, draining))))
        })
    }
}

impl Shared {
    /// Counts a refusal, for the record. What comes too late, or asks for what is no longer offered, is nobody's fault.
    fn note(&self, who: Option<ParticipantId>, answer: &Response<Body>) {
        if let (Some(who), Some((kind, code))) = (who, refusal(answer.headers()))
            && !matches!(kind, Code::Ok | Code::NotFound | Code::Unavailable | Code::Unknown)
            && !FAULTLESS.contains(&code)
        {
            self.refusals.note(who, code);
        }
    }

    /// Waits for `peer`'s turn: the places that it has from then on; how long it is to wait where it calls too often.
    async fn admit(&self, peer: &PeerIdentity, call: Call) -> Result<Vec<OwnedSemaphorePermit>, Duration> {
        let queues = {
            let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            let member = members.entry(peer.id).or_insert_with(|| Member::new(&self.limits));
            let bucket = member.buckets.entry(call).or_default();
            let within = bucket.take(call.rate(&self.limits), Instant::now());
            if within.is_err() && !std::mem::replace(&mut member.is_told, true) {
                warn!(participant = %peer.name, ?call, code = "rate.limited", "a member calls more often than it may");
            }
            within?;
            member.is_told = false;
            if call.is_lasting() {
                // Whoever has so many already is not waited for.
                return member.lasting.clone().try_acquire_owned().map(|place| vec![place]).map_err(|_| BUSY);
            }
            let uploads = (call == Call::Submit).then(|| member.uploads.clone());
            uploads.into_iter().chain(call.is_large().then(|| member.large.clone()))
        };
        let time = Duration::from_secs(self.limits.body_seconds.into());
        let placed = tokio::time::timeout(time, async {
            let mut places = Vec::new();
            for queue in queues {
                places.push(queue.acquire_owned().await.map_err(|_| BUSY)?);
            }
            Ok(places)
        });
        placed.await.unwrap_or(Err(BUSY))
    }
}

impl Member {
    fn new(limits: &Limits) -> Self {
        Self {
            buckets: BTreeMap::new(),
            large: Arc::new(Semaphore::new(limits.large_calls)),
            uploads: Arc::new(Semaphore::new(limits.large_calls.saturating_sub(1).max(1))),
            lasting: Arc::new(Semaphore::new(limits.connections_per_member)),
            is_told: false,
        }
    }
}

impl Call {
    fn of(path: &str) -> Self {
        match path.strip_prefix("/syndic.v1.Coordination/") {
            Some("Hello") => Self::Hello,
            Some("Duties") => Self::Duties,
            Some("Say") => Self::Say,
            Some("Submit") => Self::Submit,
            Some("Uploaded") => Self::Uploaded,
            Some("Fetch") => Self::Fetch,
            Some("Closing") => Self::Closing,
            Some("Chunk") => Self::Chunk,
            Some("Cosign") => Self::Cosign,
            Some("Models") => Self::Models,
            _ => Self::Other,
        }
    }

    fn rate(self, limits: &Limits) -> Rate {
        let calls = &limits.calls;
        match self {
            Self::Hello => calls.hello,
            // Once a connection, and whenever a model has another stage, which is rare.
            Self::Duties | Self::Models => calls.duties,
            Self::Say => calls.say,
            Self::Submit => calls.submit,
            Self::Uploaded => calls.uploaded,
            Self::Fetch => calls.fetch,
            Self::Closing => calls.closing,
            Self::Chunk => calls.chunk,
            Self::Cosign => calls.cosign,
            Self::Other => calls.other,
        }
    }

    /// An update is measured by its handler, against what the round awaits.
    fn largest_body(self) -> Option<usize> {
        match self {
            Self::Submit => None,
            // And the five bytes before a message.
            Self::Say => Some(LARGEST_MESSAGE + 5),
            _ => Some(LARGEST_SMALL_BODY),
        }
    }

    /// An update has its handler's patience.
    fn has_deadline(self) -> bool {
        self != Self::Submit
    }

    /// Whether it moves or reads much.
    fn is_large(self) -> bool {
        matches!(self, Self::Say | Self::Submit | Self::Uploaded | Self::Fetch | Self::Chunk | Self::Models)
    }

    /// Whether its answer goes on until somebody ends it.
    fn is_lasting(self) -> bool {
        matches!(self, Self::Duties | Self::Other)
    }
}

/// Codes of refusals that an honest participant meets.
const FAULTLESS: [&str; 5] = ["round.late", "round.over", "round.early", "upload.not-held", "upload.damaged"];
/// What who has as many calls under way as it may is told to wait.
const BUSY: Duration = Duration::from_secs(1);
