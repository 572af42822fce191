//! Serving participants until told to stop.

use std::future::Future;
use std::time::Duration;

use thiserror::Error;
use tonic::transport::Server;

use crate::driver::Coordinator;
use crate::service::Service;
use crate::tls::Incoming;

/// The transport failed.
#[derive(Debug, Error)]
#[error("the coordinator's port failed: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// Serves `coordinator` on `incoming` until `stop` resolves.
///
/// # Errors
/// [`ServeError`] when the transport fails.
pub async fn serve(
    coordinator: Coordinator,
    incoming: Incoming,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_concurrent_streams(Some(STREAMS))
        .tcp_nodelay(true)
        .add_service(Service::new(coordinator))
        .serve_with_incoming_shutdown(incoming, stop)
        .await?;
    Ok(())
}

/// A peer that does not answer for twice this long is gone.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Calls that one connection may have open: the duties, an upload, and a few to spare.
const STREAMS: u32 = 16;
