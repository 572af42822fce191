//! Who gets through the door, and what the operator reads about those who do not.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rcgen::{CertificateParams, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Error as TlsError, RootCertStore};
use syndic_round::enrolment::{Address, SigningRequest};
use syndic_round::{Digest, ParticipantId, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::StreamExt;

use super::*;
use crate::authority::{Authority, Validity};
use crate::clock::now;
use crate::federation::Federation;

fn found(name: &str) -> Federation {
    let here = Address::new("127.0.0.1").unwrap();
    Federation::create(name, vec![here], now(), &mut StdRng::seed_from_u64(1)).unwrap()
}

fn federation() -> &'static Federation {
    static FEDERATION: OnceLock<Federation> = OnceLock::new();
    FEDERATION.get_or_init(|| found("credit"))
}

/// A TLS key and its certificate as participant 7, `bank_a`, of `federation`.
fn member_of(federation: &Federation, validity: Validity) -> (KeyPair, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let request = SigningRequest::new("bank_a", csr, &SigningKey::from_bytes(&[9; 32]));
    let certificate = federation.authority().certify(&request, ParticipantId::new(7).unwrap(), validity);
    (key, certificate.unwrap())
}

fn year() -> Validity {
    Validity::days(now(), 365)
}

/// How a well-behaved participant connects, from which each test takes one thing away.
struct Caller {
    provider: CryptoProvider,
    certificate: Option<(KeyPair, CertificateDer<'static>)>,
    alpn: Vec<Vec<u8>>,
}

impl Caller {
    fn with(key: KeyPair, certificate: CertificateDer<'static>) -> Self {
        Self { certificate: Some((key, certificate)), ..Self::anonymous() }
    }

    fn anonymous() -> Self {
        Self { provider: provider(), certificate: None, alpn: vec![b"h2".to_vec()] }
    }

    fn config(self, authority: &CertificateDer<'static>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let provider = Arc::new(self.provider);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_webpki_verifier(verifier);
        let mut config = match self.certificate {
            None => config.with_no_client_auth(),
            Some((key, certificate)) => {
                let der = key.serialize_der();
                let key = any_ecdsa_type(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&der[..]))).unwrap();
                let own = Arc::new(CertifiedKey::new(vec![certificate], key));
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
            }
        };
        config.alpn_protocols = self.alpn;
        Arc::new(config)
    }

    /// Connects to `address` and reads to the end; what the connection came to for the caller.
    async fn call(self, address: SocketAddr, authority: CertificateDer<'static>) -> io::Result<usize> {
        let connector = TlsConnector::from(self.config(&authority));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = connector.connect(name, TcpStream::connect(address).await?).await?;
        stream.read(&mut [0; 16]).await
    }
}

/// Lets `caller` call the coordinator of [`federation`]; what both sides make of it.
async fn knock(caller: Caller) -> (Result<PeerIdentity, Refusal>, io::Result<usize>) {
    knock_at(federation().identity(), Admission::default(), caller).await
}

async fn knock_at(
    identity: &CoordinatorIdentity,
    admission: Admission,
    caller: Caller,
) -> (Result<PeerIdentity, Refusal>, io::Result<usize>) {
    let admission = Arc::new(admission);
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let call = tokio::spawn(caller.call(address, identity.authority().clone()));
    let acceptor = TlsAcceptor::from(configuration_under(identity, admission).unwrap());
    let (stream, _) = listener.accept().await.unwrap();
    let outcome = incoming::handshake(stream, &acceptor, Duration::from_secs(60)).await;
    // The connection ends here, so that the caller's reading does.
    let outcome = outcome.map(|(_, peer, _)| peer);
    (outcome, call.await.unwrap())
}

/// The alert that a caller was told.
fn alert(result: io::Result<usize>) -> String {
    let error = result.unwrap_err();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(TlsError::AlertReceived(alert)) => format!("{alert:?}"),
        other => panic!("no alert but {other:?}"),
    }
}

fn genuine() -> (KeyPair, CertificateDer<'static>) {
    member_of(federation(), year())
}

#[tokio::test]
async fn a_member_is_let_in_and_known_by_its_certificate() {
    let (key, certificate) = genuine();
    let fingerprint = Digest::of(&certificate);

    let (peer, call) = knock(Caller::with(key, certificate)).await;

    let peer = peer.unwrap();
    assert_eq!((peer.id.get(), peer.name.as_str(), peer.federation.as_str()), (7, "bank_a", "credit"));
    assert_eq!(peer.certificate_fingerprint, fingerprint);
    drop(call); // ends without a farewell, which is how this test hangs up
}

#[tokio::test]
async fn a_renewed_coordinator_is_known_to_its_members_and_an_expired_one_is_not() {
    let mut federation = found("credit");
    let day = 86_400_000;
    let past = Validity { from: Timestamp(now().0 - 2 * day), until: Timestamp(now().0 - day) };
    for (validity, known) in [(past, false), (year(), true)] {
        federation.renew_coordinator(validity).unwrap();
        let (key, certificate) = member_of(&federation, year());

        let (peer, call) =
            knock_at(federation.identity(), Admission::default(), Caller::with(key, certificate)).await;

        assert_eq!(peer.is_ok(), known);
        let refused = call.err().and_then(|error| error.downcast::<TlsError>().ok());
        assert_eq!(matches!(refused, Some(TlsError::InvalidCertificate(_))), !known, "{refused:?}");
    }
}

#[tokio::test]
async fn certificates_of_other_authorities_are_refused() {
    for name in ["credit", "fraud"] {
        let (key, certificate) = member_of(&found(name), year());
        let (outcome, call) = knock(Caller::with(key, certificate)).await;
        assert_eq!(outcome.unwrap_err().code(), "tls.untrusted-participant", "{name}");
        assert!(["UnknownCA", "DecryptError"].contains(&alert(call).as_str()), "{name}");
    }
}

#[tokio::test]
async fn expired_and_future_certificates_are_refused() {
    let day = 86_400_000;
    let past = Validity { from: Timestamp(now().0 - 2 * day), until: Timestamp(now().0 - day) };
    let future = Validity { from: Timestamp(now().0 + day), until: Timestamp(now().0 + 2 * day) };
    for validity in [past, future] {
        let (key, certificate) = member_of(federation(), validity);

        let (outcome, call) = knock(Caller::with(key, certificate)).await;

        assert_eq!(outcome.unwrap_err().code(), "tls.certificate-expired");
        assert_eq!(alert(call), "CertificateExpired");
    }
}

#[tokio::test]
async fn a_caller_without_certificate_is_refused() {
    let (outcome, call) = knock(Caller::anonymous()).await;
    assert_eq!(outcome.unwrap_err().code(), "tls.no-certificate");
    assert_eq!(alert(call), "CertificateRequired");
}

#[tokio::test]
async fn the_coordinators_own_kind_of_certificate_opens_nothing() {
    let key = KeyPair::try_from(federation().identity().tls_key().pkcs8().as_slice()).unwrap();
    let certificate = federation().identity().certificate().clone();
    let (outcome, call) = knock(Caller::with(key, certificate)).await;
    assert_eq!(outcome.unwrap_err().code(), "tls.untrusted-participant");
    assert_eq!(alert(call), "UnsupportedCertificate");
}

#[test]
fn a_genuine_certificate_of_another_federation_name_is_refused() {
    let (_, certificate) = genuine();
    let authority = federation().identity().authority();
    let verify = |federation: &str| {
        let verifier =
            verifier::MembersOnly::new(federation, authority, Arc::new(provider()), Arc::default()).unwrap();
        verifier.verify_client_cert(&certificate, &[], UnixTime::now()).map(drop)
    };
    assert_eq!(verify("credit"), Ok(()));
    let refused = rustls::CertificateError::ApplicationVerificationFailure;
    assert_eq!(verify("fraud"), Err(TlsError::InvalidCertificate(refused)));
}

#[tokio::test]
async fn a_caller_without_post_quantum_key_exchange_is_refused() {
    let (key, certificate) = genuine();
    let classical = CryptoProvider { kx_groups: vec![kx_group::X25519], ..aws_lc_rs::default_provider() };
    let (outcome, call) = knock(Caller { provider: classical, ..Caller::with(key, certificate) }).await;
    assert_eq!(outcome.unwrap_err().code(), "tls.no-post-quantum");
    assert_eq!(alert(call), "HandshakeFailure");
}

#[tokio::test]
async fn a_caller_without_http2_is_refused() {
    let (key, certificate) = genuine();
    let (outcome, _) = knock(Caller { alpn: Vec::new(), ..Caller::with(key, certificate) }).await;
    assert_eq!(outcome.unwrap_err().code(), "tls.no-http2");
    let (key, certificate) = genuine();
    let (outcome, _) =
        knock(Caller { alpn: vec![b"http/1.1".to_vec()], ..Caller::with(key, certificate) }).await;
    assert_eq!(outcome.unwrap_err().code(), "tls.no-http2");
}

/// Sends raw bytes; the refusal and what comes back.
async fn shout(bytes: &[u8], timeout: Duration) -> (Refusal, Vec<u8>) {
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let mut caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    caller.write_all(bytes).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let acceptor = TlsAcceptor::from(configuration_under(federation().identity(), Arc::default()).unwrap());
    let listening = tokio::spawn(async move {
        let mut answer = Vec::new();
        caller.read_to_end(&mut answer).await.map(|_| answer)
    });
    let refusal = incoming::handshake(stream, &acceptor, timeout).await.err().unwrap();
    (refusal, listening.await.unwrap().unwrap_or_default())
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let (refusal, answer) = shout(&tls_1_2_hello(), Duration::from_secs(60)).await;
    assert_eq!(refusal.code(), "tls.old-protocol");
    assert_eq!(answer[0], 21, "an alert record");
    assert_eq!(answer[5..], [2, 70], "fatal, protocol_version");
}

#[tokio::test]
async fn noise_and_silence_are_refused() {
    let (refusal, _) = shout(b"GET / HTTP/1.1\r\n\r\n", Duration::from_secs(60)).await;
    assert_eq!(refusal.code(), "tls.broken-off");
    let (refusal, _) = shout(b"", Duration::from_millis(1)).await;
    assert_eq!(refusal.code(), "tls.too-slow");
}

#[tokio::test]
async fn the_listener_survives_everybody_it_turned_away() {
    let identity = federation().identity();
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { handshakes: 1, ..Limits::default() };
    let mut incoming = accept(listener, identity, limits).unwrap();
    let authority = identity.authority().clone();

    assert_eq!(alert(Caller::anonymous().call(address, authority.clone()).await), "CertificateRequired");
    let (key, certificate) = member_of(&found("credit"), year());
    assert!(Caller::with(key, certificate).call(address, authority.clone()).await.is_err());
    drop(TcpStream::connect(address).await.unwrap());
    TcpStream::connect(address).await.unwrap().write_all(&tls_1_2_hello()).await.unwrap();
    let (key, certificate) = genuine();
    let call = tokio::spawn(Caller::with(key, certificate).call(address, authority));

    let connection = incoming.next().await.unwrap().unwrap();

    assert_eq!(connection.peer().name, "bank_a");
    assert_eq!(incoming.local_address(), Some(address));
    drop(connection);
    drop(call.await);
}

#[tokio::test]
async fn a_busy_port_is_named_with_its_remedy() {
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = bind(address).await.unwrap_err();
    assert_eq!(error.code(), "net.port-busy");
    assert!(error.to_string().contains(&address.to_string()));
    assert!(error.help().contains(&format!("sport = :{}", address.port())));
}

#[test]
fn an_authority_is_asked_for_sensible_dates_only() {
    let authority = Authority::create("credit", now()).unwrap();
    let issue = |from, until| {
        let validity = Validity { from: Timestamp(from), until: Timestamp(until) };
        authority.issue_coordinator(&["localhost"], validity).err().map(|error| error.code())
    };
    assert_eq!(issue(1000, 2000), None);
    assert_eq!(issue(2000, 2000), Some("authority.validity"));
    assert_eq!(issue(0, u64::MAX), Some("authority.validity"));
}

/// A ClientHello of RFC 5246 that offers ECDHE-ECDSA-AES128-GCM on X25519, and no supported_versions.
fn tls_1_2_hello() -> Vec<u8> {
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0, 29][..], // supported_groups: x25519
        &[0, 11, 0, 2, 1, 0],            // ec_point_formats: uncompressed
        &[0, 13, 0, 4, 0, 2, 4, 3],      // signature_algorithms: ecdsa_secp256r1_sha256
        &[0, 23, 0, 0],                  // extended_master_secret
    ]
    .concat();
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]); // random
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]); // no session, one suite, no compression
    body.extend([0, extensions.len() as u8]);
    body.extend(extensions);
    let handshake = [&[1, 0, 0, body.len() as u8][..], &body].concat();
    [&[22, 3, 1, 0, handshake.len() as u8][..], &handshake].concat()
}
