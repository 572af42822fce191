//! The only way out of an institution: one outbound connection to its coordinator.
//!
//! TLS 1.3 with post-quantum key exchange; the coordinator must hold a certificate of the federation's own
//! authority for the very host that was dialled; the participant shows its certificate. Nothing listens.
//!
//! In TLS 1.3 the coordinator judges our certificate after our side of the handshake is done, so a refusal
//! would otherwise surface in the middle of the first call. [`Connector`] therefore waits for the coordinator's
//! first bytes, which HTTP/2 (RFC 9113 section 3.4) lets it send without hearing from us, before it says that
//! it is connected.

mod error;
mod stream;
#[cfg(feature = "tap")]
mod tap;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore, version};
use syndic_round::enrolment::Address;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Uri;

pub use error::ConnectError;
pub use stream::Connection;
#[cfg(feature = "tap")]
pub use tap::Tap;

use crate::keys::TlsKey;

/// Opens authenticated connections to one coordinator address, for
/// [`tonic::transport::Endpoint::connect_with_connector`]. The endpoint's own URI only names the authority of
/// requests; where to connect is fixed here.
#[derive(Clone)]
pub struct Connector {
    address: Address,
    host: ServerName<'static>,
    config: Arc<ClientConfig>,
    #[cfg(feature = "tap")]
    tap: Option<Arc<dyn Tap>>,
}

impl Connector {
    /// A connector to `address` that trusts `authority` alone and shows `certificate`.
    ///
    /// # Errors
    /// [`ConnectError::OwnCertificate`] where the certificate is not for `key` or the authority is unusable.
    pub fn new(
        address: &Address,
        authority: &CertificateDer<'static>,
        certificate: &CertificateDer<'static>,
        key: &TlsKey,
    ) -> Result<Self, ConnectError> {
        let host = ServerName::try_from(address.host.clone()).map_err(ConnectError::own)?;
        Ok(Self {
            address: address.clone(),
            host,
            config: configuration(authority, certificate, key)?,
            #[cfg(feature = "tap")]
            tap: None,
        })
    }

    /// The same, showing `tap` every byte before it is encrypted.
    #[cfg(feature = "tap")]
    pub fn with_tap(self, tap: Arc<dyn Tap>) -> Self {
        Self { tap: Some(tap), ..self }
    }

    /// Where it connects to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The URI to give to [`tonic::transport::Endpoint`]. Its scheme is `http` because tonic would refuse to
    /// connect to `https` without its own TLS; every byte goes through ours.
    pub fn endpoint_uri(&self) -> Uri {
        let uri = Uri::builder().scheme("http").authority(self.address.to_string()).path_and_query("/");
        uri.build().expect("a checked host and port make a URI")
    }

    /// Connects, authenticates both sides and waits for the coordinator's first bytes.
    ///
    /// # Errors
    /// [`ConnectError`] by who is at fault and with what to do.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        let attempt = tokio::time::timeout(TIMEOUT, self.attempt());
        attempt.await.unwrap_or_else(|_| {
            let reason = format!("no answer within {TIMEOUT:?}");
            Err(ConnectError::Unreachable { address: self.address.clone(), reason })
        })
    }

    async fn attempt(&self) -> Result<Connection, ConnectError> {
        let failed = |error| ConnectError::of(&self.address, error);
        let tcp =
            TcpStream::connect((self.address.host.as_str(), self.address.port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let mut tls =
            TlsConnector::from(self.config.clone()).connect(self.host.clone(), tcp).await.map_err(failed)?;
        let mut first = [0; 1024];
        let refused = |error| ConnectError::proved(&self.address, error);
        let length = tls.read(&mut first).await.map_err(refused)?;
        if length == 0 {
            let reason = "it closed the connection without a word".to_owned();
            return Err(ConnectError::Unreachable { address: self.address.clone(), reason });
        }
        let connection = Connection::new(tls, first[..length].to_vec());
        #[cfg(feature = "tap")]
        let connection = connection.tapped(self.tap.clone());
        Ok(connection)
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Connection>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await.map(TokioIo::new) })
    }
}

fn configuration(
    authority: &CertificateDer<'static>,
    certificate: &CertificateDer<'static>,
    key: &TlsKey,
) -> Result<Arc<ClientConfig>, ConnectError> {
    let provider = Arc::new(provider());
    let own = key.certified(certificate.clone()).map_err(ConnectError::own)?;
    own.keys_match().map_err(ConnectError::own)?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(ConnectError::own)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(ConnectError::own)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(ConnectError::own)?
        .with_webpki_verifier(verifier)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// aws-lc-rs with one key exchange: X25519 and ML-KEM-768 together, so that recorded traffic stays closed to
/// a quantum computer. Given to each configuration, so that no process-wide default is needed.
fn provider() -> CryptoProvider {
    CryptoProvider { kx_groups: vec![kx_group::X25519MLKEM768], ..aws_lc_rs::default_provider() }
}

/// How long a connection attempt may take, to the coordinator's first bytes.
const TIMEOUT: Duration = Duration::from_secs(15);
