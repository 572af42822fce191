//! Connections that made it through the door, one after the other.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;
use tracing::{info, warn};

use super::peer::PeerIdentity;
use super::refusal::Refusal;

/// What strangers may take of the coordinator before they have proved who they are.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How many handshakes run at once; further connections wait in the system's queue.
    pub handshakes_in_flight: usize,
}

impl Default for Limits {
    /// 10 seconds, 64 at once.
    fn default() -> Self {
        Self { handshake_timeout: Duration::from_secs(10), handshakes_in_flight: 64 }
    }
}

/// The authenticated connections of a listener, for `serve_with_incoming`. Never yields an error and never
/// ends: a failed handshake is logged and forgotten. Dropping it closes the listener.
pub struct Incoming {
    connections: mpsc::Receiver<Connection>,
    local_address: Option<SocketAddr>,
    accepting: JoinHandle<()>,
}

/// One authenticated connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: PeerIdentity,
}

impl Incoming {
    /// Starts accepting on `listener` under `config`; must be called on a tokio runtime.
    pub fn new(listener: TcpListener, config: Arc<ServerConfig>, limits: Limits) -> Self {
        let (accepted, connections) = mpsc::channel(limits.handshakes_in_flight.max(1));
        let local_address = listener.local_addr().ok();
        let accepting = tokio::spawn(accept_all(listener, TlsAcceptor::from(config), limits, accepted));
        Self { connections, local_address, accepting }
    }

    /// Where it listens.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.connections.poll_recv(context).map(|connection| connection.map(Ok))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    limits: Limits,
    accepted: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(limits.handshakes_in_flight.max(1)));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely out of file descriptors: let connections end rather than spin.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        tokio::spawn(async move {
            match handshake(stream, &acceptor, limits.handshake_timeout).await {
                // A closed channel means that the coordinator is stopping.
                Ok(connection) => drop(accepted.send(connection).await),
                Err(refusal) => {
                    info!(%from, code = refusal.code(), reason = %refusal, "turned a connection away")
                }
            }
            drop(place);
        });
    }
}

/// Authenticates one connection.
pub(super) async fn handshake(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    timeout: Duration,
) -> Result<Connection, Refusal> {
    // Requests are small and answered at once; waiting to fill packets only adds delay.
    stream.set_nodelay(true).map_err(Refusal::BrokenOff)?;
    let accepted = tokio::time::timeout(timeout, acceptor.accept(stream).into_fallible());
    let stream = match accepted.await.map_err(|_| Refusal::TooSlow(timeout))? {
        Ok(stream) => stream,
        Err((error, stream)) => {
            // Whether it arrives or not, we are done with this peer.
            let _ = tokio::time::timeout(Duration::from_secs(1), let_the_alert_arrive(stream)).await;
            return Err(error.into());
        }
    };
    // The library agrees to speak without ALPN where the peer offers none at all.
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(b"h2") {
        return Err(Refusal::NoHttp2);
    }
    let peer = session.peer_certificates().and_then(|chain| chain.first()).and_then(PeerIdentity::of);
    let peer = peer.ok_or(Refusal::NotAMember)?;
    Ok(Connection { stream, peer })
}

/// Closes `stream` in the order that lets the peer read why: closing with unread bytes would reset the
/// connection, and the alert would be lost.
async fn let_the_alert_arrive(mut stream: TcpStream) {
    let mut discarded = [0; 1024];
    if stream.shutdown().await.is_ok() {
        while matches!(stream.read(&mut discarded).await, Ok(1..)) {}
    }
}

impl Connection {
    /// Who is at the other end.
    pub fn peer(&self) -> &PeerIdentity {
        &self.peer
    }
}

impl Connected for Connection {
    type ConnectInfo = PeerIdentity;

    fn connect_info(&self) -> PeerIdentity {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
