//! A view of what leaves before it is encrypted. Tests only: the feature `tap` is in no shipped binary.

/// Sees, in order, every byte that a participant hands to TLS.
pub trait Tap: Send + Sync {
    /// `bytes` were accepted for sending.
    fn sending(&self, bytes: &[u8]);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, version};
    use syndic_round::enrolment::Address;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::super::{Connector, provider};
    use super::*;
    use crate::keys::Keys;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<u8>>);

    impl Tap for Recorder {
        fn sending(&self, bytes: &[u8]) {
            self.0.lock().unwrap().extend_from_slice(bytes);
        }
    }

    /// A coordinator for one connection: says hello, then listens to the end.
    async fn listen(authority: &CertifiedIssuer<'_, KeyPair>) -> (Address, tokio::task::JoinHandle<Vec<u8>>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = CertificateDer::from(params.signed_by(&key, authority).unwrap());
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listening = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            stream.flush().await.unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).await.unwrap();
            received
        });
        (Address { host: "127.0.0.1".to_owned(), port }, listening)
    }

    #[tokio::test]
    async fn a_tap_sees_exactly_what_is_sent() {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let (address, listening) = listen(&authority).await;
        let keys = Keys::generate("bank_a", &mut StdRng::seed_from_u64(1)).unwrap();
        let csr = keys.signing_request().unwrap().csr_pem;
        let csr = rcgen::CertificateSigningRequestParams::from_pem(&csr).unwrap();
        let certificate = csr.signed_by(&authority).unwrap().into();
        let recorder = Arc::new(Recorder::default());
        let connector = Connector::new(&address, authority.der(), &certificate, keys.tls_key()).unwrap();

        let mut connection = connector.with_tap(recorder.clone()).connect().await.unwrap();
        let mut greeting = [0; 5];
        connection.read_exact(&mut greeting).await.unwrap();
        connection.write_all(&[7; 100_000]).await.unwrap();
        connection.write_all(b"secret").await.unwrap();
        connection.shutdown().await.unwrap();

        assert_eq!(&greeting, b"hello");
        let received = listening.await.unwrap();
        assert!(received.ends_with(b"secret"));
        assert!(*recorder.0.lock().unwrap() == received, "the tap saw something else than the coordinator");
    }
}
