//! The coordinator's door: TLS 1.3 only, post-quantum key exchange only, certificates of the federation only.
//!
//! What is shown and who is let in can be replaced while it is open: [`Door`] does it when the files change.
//!
//! tonic's own TLS settings can neither rotate nor say who is calling, so connections are accepted here and
//! handed to `serve_with_incoming`. Handlers find a [`PeerIdentity`] in `request.extensions()`. Sessions are
//! never resumed: each connection proves its certificate anew.
//!
//! rustls::ServerConfig is called an acceptor configuration here, since nothing in a federation is a server.

mod allowed;
mod census;
mod incoming;
mod peer;
mod refusal;
mod reload;
mod terms;
mod verifier;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{ServerConfig, version};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use allowed::read_fingerprints;
pub use census::Connections;
pub use incoming::{Connection, Counter, Incoming};
pub use peer::{Channel, PeerIdentity};
pub use refusal::Refusal;
pub use reload::{Door, DoorError};
pub use terms::{Admission, Excluded, Suspended, Terms};

pub use crate::limits::Limits;

use crate::authority::AuthorityError;
use crate::federation::CoordinatorIdentity;
use verifier::MembersOnly;

/// Why the coordinator cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another process listens there.
    #[error("another process listens on {address} already")]
    PortBusy {
        /// The address.
        address: SocketAddr,
    },
    /// The system does not allow it, or the address is not this host's.
    #[error("cannot listen on {address}: {source}")]
    Unavailable {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A certificate or key that TLS cannot use.
    #[error("cannot use the coordinator's certificate: {reason}")]
    Certificate {
        /// The library's reason.
        reason: String,
    },
}

impl ListenError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PortBusy { .. } => "net.port-busy",
            Self::Unavailable { .. } => "net.cannot-listen",
            Self::Certificate { .. } => "tls.own-certificate",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::PortBusy { address } => format!(
                "stop the process that holds port {0} (`ss -ltnp 'sport = :{0}'` names it), or listen on another \
                 port",
                address.port()
            ),
            Self::Unavailable { .. } => {
                "listen on an address of this host; ports below 1024 need a privilege".to_owned()
            }
            Self::Certificate { .. } => {
                "restore the coordinator's files as `syndic federation init` wrote them".to_owned()
            }
        }
    }
}

/// Listens on `address`; port 0 lets the system choose.
///
/// # Errors
/// [`ListenError::PortBusy`], [`ListenError::Unavailable`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ListenError::PortBusy { address },
        _ => ListenError::Unavailable { address, source },
    })
}

/// Accepts participants of `identity`'s federation on `listener`, under terms that never change.
///
/// # Errors
/// [`ListenError::Certificate`].
pub fn accept(
    listener: TcpListener,
    identity: &CoordinatorIdentity,
    limits: Limits,
) -> Result<Incoming, ListenError> {
    let (_, terms) = watch::channel(Arc::new(Terms::new(identity, Admission::default())?));
    Ok(Incoming::new(listener, terms, limits))
}

/// What the TLS library is told of the terms on which participants are let in.
fn configuration_under(
    identity: &CoordinatorIdentity,
    admission: Arc<Admission>,
) -> Result<Arc<ServerConfig>, ListenError> {
    let provider = Arc::new(provider());
    let own = identity
        .tls_key()
        .certified(identity.certificate().clone())
        .map_err(|error: AuthorityError| ListenError::Certificate { reason: error.to_string() })?;
    let verifier = MembersOnly::new(identity.federation(), identity.authority(), provider.clone(), admission)
        .map_err(|reason| ListenError::Certificate { reason })?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| ListenError::Certificate { reason: error.to_string() })?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// aws-lc-rs with one key exchange: X25519 and ML-KEM-768 together, so that recorded traffic stays closed to
/// a quantum computer. Given to each configuration, so that no process-wide default is needed.
fn provider() -> CryptoProvider {
    CryptoProvider { kx_groups: vec![kx_group::X25519MLKEM768], ..aws_lc_rs::default_provider() }
}

#[cfg(test)]
mod tests;
