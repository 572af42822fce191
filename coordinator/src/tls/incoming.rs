//! Connections that made it through the door, one after the other.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;
use tracing::{info, warn};

use super::census::{Census, Connections, MustGo, Place};
use super::peer::{Channel, PeerIdentity};
use super::refusal::Refusal;
use super::terms::Terms;
use crate::clock;
use crate::limits::Limits;
use crate::refusals::Refusals;

/// The authenticated connections of a listener, for `serve_with_incoming`. Never yields an error and never
/// ends: a failed handshake is logged and forgotten. Dropping it closes the listener; who is inside stays.
pub struct Incoming {
    connections: mpsc::Receiver<Connection>,
    local_address: Option<SocketAddr>,
    census: Arc<Census>,
    refusals: Refusals,
    accepting: JoinHandle<()>,
}

/// One authenticated connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: PeerIdentity,
    must_go: MustGo,
    _place: Place,
}

/// How many connections a port has, for whoever watches over it.
#[derive(Clone)]
pub struct Counter(Arc<Census>);

impl Counter {
    /// As it is now.
    pub fn connections(&self) -> Connections {
        self.0.connections()
    }
}

impl Incoming {
    /// Starts accepting on `listener` under the `terms` of each moment; must be called on a tokio runtime.
    pub fn new(listener: TcpListener, terms: watch::Receiver<Arc<Terms>>, limits: Limits) -> Self {
        let (accepted, connections) = mpsc::channel(WAITING);
        let local_address = listener.local_addr().ok();
        let handshake_time = limits.handshake_time();
        let at_the_door = Arc::new(Semaphore::new(limits.handshakes + GIVING_WAY));
        let census = Census::new(limits);
        let refusals = Refusals::default();
        tokio::spawn(judge_again(census.clone(), refusals.clone(), terms.clone(), accepted.clone()));
        let (of_door, of_port) = (census.clone(), refusals.clone());
        let door = Accepting { census, refusals, terms, handshake_time, at_the_door, accepted };
        let accepting = tokio::spawn(door.accept_all(listener));
        Self { connections, local_address, census: of_door, refusals: of_port, accepting }
    }

    /// Where it listens.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }

    /// What members were refused here, as it comes.
    pub fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }

    /// Counts its connections, also after it is gone.
    pub fn counter(&self) -> Counter {
        Counter(self.census.clone())
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

/// What the task has that accepts.
#[derive(Clone)]
struct Accepting {
    census: Arc<Census>,
    refusals: Refusals,
    terms: watch::Receiver<Arc<Terms>>,
    handshake_time: Duration,
    /// One for each socket that has not proved whose it is, also while it is being closed: whoever has to give way is gone
    /// only when its task was told, and connections can come faster than that.
    at_the_door: Arc<Semaphore>,
    accepted: mpsc::Sender<Connection>,
}

impl Accepting {
    async fn accept_all(self, listener: TcpListener) {
        let told = Told::default();
        loop {
            let socket = self.at_the_door.clone().acquire_owned().await;
            let socket = socket.expect("the semaphore is never closed");
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most likely out of file descriptors: let connections end rather than spin.
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            match self.census.enter(from.ip()) {
                Ok((place, must_go)) => {
                    let (door, told) = (self.clone(), told.clone());
                    tokio::spawn(async move {
                        match door.let_in(stream, place, must_go, socket).await {
                            // A closed channel means that the coordinator is stopping.
                            Ok(connection) => drop(door.accepted.send(connection).await),
                            Err(refusal) => door.turn_away(from, &refusal, &told),
                        }
                    });
                }
                Err(refusal) => self.turn_away(from, &refusal, &told),
            }
        }
    }

    async fn let_in(
        &self,
        stream: TcpStream,
        place: Place,
        must_go: MustGo,
        _socket: OwnedSemaphorePermit,
    ) -> Result<Connection, Refusal> {
        let terms = self.terms.borrow().clone();
        // Nothing is said to anybody: whoever is a member tries again until it is mended.
        terms.require_open(clock::now()).map_err(Refusal::Suspended)?;
        let acceptor = TlsAcceptor::from(terms.config.clone());
        let (stream, peer, certificate) = tokio::select! {
            proved = handshake(stream, &acceptor, self.handshake_time) => proved?,
            _ = must_go => return Err(Refusal::GaveWay),
        };
        let judged = place.prove(peer.clone(), certificate.clone()).and_then(|must_go| {
            // The terms may have been replaced during the handshake; from here on they are seen to change.
            self.terms.borrow().admission().check(&certificate)?;
            Ok(must_go)
        });
        let must_go = judged.inspect_err(|refusal| self.refusals.note(peer.id, refusal.code()))?;
        Ok(Connection { stream, peer, must_go, _place: place })
    }

    fn turn_away(&self, from: SocketAddr, refusal: &Refusal, told: &Told) {
        self.census.turned_away(refusal.code());
        if let Some(untold) = told.may_tell() {
            info!(%from, code = refusal.code(), reason = %refusal, untold, "turned a connection away");
        }
    }
}

/// Cuts off who is inside and not admitted any more, whenever the terms are replaced, as long as there is a port or anybody
/// inside.
async fn judge_again(
    census: Arc<Census>,
    refusals: Refusals,
    mut terms: watch::Receiver<Arc<Terms>>,
    accepted: mpsc::Sender<Connection>,
) {
    loop {
        let changed = tokio::select! {
            changed = terms.changed() => changed,
            () = accepted.closed() => return,
        };
        if changed.is_err() {
            return;
        }
        let now = terms.borrow_and_update().clone();
        for (peer, excluded) in census.judge_again(now.admission()) {
            let (certificate, code) = (peer.certificate_fingerprint, excluded.code());
            census.turned_away(code);
            refusals.note(peer.id, code);
            warn!(participant = %peer.name, %certificate, code, reason = %excluded, "cut a member off");
        }
    }
}

/// Who was turned away is told in the log so often in a second and no more: strangers do not fill the disk.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Option<Instant>, u32, u64)>>);

impl Told {
    /// How many were not told of since the last that was, if this one may be.
    fn may_tell(&self) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, lines, untold) = &mut *told;
        let now = Instant::now();
        if since.is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1)) {
            (*since, *lines) = (Some(now), 0);
        }
        if *lines >= LINES_A_SECOND {
            *untold += 1;
            return None;
        }
        *lines += 1;
        Some(std::mem::take(untold))
    }
}

/// Authenticates one connection.
pub(super) async fn handshake(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    timeout: Duration,
) -> Result<(TlsStream<TcpStream>, PeerIdentity, CertificateDer<'static>), Refusal> {
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
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.ok_or(Refusal::NotAMember)?.clone().into_owned();
    let mut peer = PeerIdentity::of(&certificate).ok_or(Refusal::NotAMember)?;
    peer.channel = Channel::of(session);
    Ok((stream, peer, certificate))
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

impl Connection {
    /// Ends it where whose it is must go. Asked at each turn of the task that holds it, which is woken for it.
    fn require_stay(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match Pin::new(&mut self.must_go).poll(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(reason) => {
                let reason =
                    reason.map_or_else(|_| Refusal::GaveWay.to_string(), |refusal| refusal.to_string());
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason))
            }
        }
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
        self.require_stay(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.require_stay(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.require_stay(context)?;
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

/// Sockets that are being closed while others come in their place.
const GIVING_WAY: usize = 64;
/// Connections that were let in and that the transport has not taken over yet.
const WAITING: usize = 64;
/// Lines of the log about connections that were turned away.
const LINES_A_SECOND: u32 = 20;
