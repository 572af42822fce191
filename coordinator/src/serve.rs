//! Serving participants until told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tracing::warn;

use crate::boxed::Boxed;
use crate::driver::Coordinator;
use crate::gate::GateLayer;
use crate::limits::Limits;
use crate::service::Service;
use crate::tls::Incoming;

/// The transport failed.
#[derive(Debug, Error)]
#[error("the coordinator's port failed: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// Serves `coordinator` on `incoming` within the limits that there are by default, until `stop` resolves.
///
/// # Errors
/// [`ServeError`] when the transport fails.
pub fn serve<'a>(
    coordinator: Coordinator,
    incoming: Incoming,
    stop: impl Future<Output = ()> + Send + 'a,
) -> Boxed<'a, Result<(), ServeError>> {
    served(coordinator, incoming, Box::pin(stop))
}

fn served(
    coordinator: Coordinator,
    incoming: Incoming,
    stop: Boxed<'_, ()>,
) -> Boxed<'_, Result<(), ServeError>> {
    Box::pin(async move { serve_within(&Limits::default(), Service::new(coordinator), incoming, stop).await })
}

/// Answers calls on `incoming` with `service` until `stop` resolves, and drains then: nobody new is let in, calls that go on
/// are told to come again, and those under way have [`Limits::drain_seconds`] to end.
///
/// # Errors
/// [`ServeError`] when the transport fails.
pub async fn serve_within<S>(
    limits: &Limits,
    service: S,
    incoming: Incoming,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: NamedService + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(S::NAME, ServingStatus::Serving).await;
    let (drain, mut draining) = watch::channel(false);
    let stop = async {
        stop.await;
        drain.send_replace(true);
    };
    let serving = Server::builder()
        .http2_keepalive_interval(Some(seconds(limits.keepalive_seconds)))
        .http2_keepalive_timeout(Some(seconds(limits.keepalive_seconds)))
        .max_connection_age(seconds(limits.connection_seconds))
        .max_connection_age_grace(seconds(limits.connection_grace_seconds))
        .max_concurrent_streams(Some(limits.streams))
        .initial_connection_window_size(Some(limits.window_bytes))
        .initial_stream_window_size(Some(limits.window_bytes))
        .http2_max_header_list_size(Some(limits.header_bytes))
        .max_frame_size(Some(FRAME_BYTES))
        .http2_max_pending_accept_reset_streams(Some(limits.resets))
        .http2_max_local_error_reset_streams(Some(limits.resets))
        .tcp_nodelay(true)
        .layer(GateLayer::new(limits, incoming.refusals(), draining.clone()))
        .add_service(health)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop);
    let too_long = async {
        // The sender goes with the port.
        if draining.wait_for(|draining| *draining).await.is_ok() {
            tokio::time::sleep(seconds(limits.drain_seconds)).await;
        } else {
            std::future::pending().await
        }
    };
    tokio::select! {
        served = serving => served?,
        () = too_long => warn!(seconds = limits.drain_seconds, "cut off what was still under way"),
    }
    Ok(())
}

/// The smallest that HTTP/2 allows (RFC 9113 section 4.2): no peer can have larger ones put together here.
const FRAME_BYTES: u32 = 1 << 14;
