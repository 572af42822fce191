//! The rule for certificates at the door: the federation's authority, an identity in this federation, and no reason to keep
//! it out.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use tracing::warn;

use super::peer::PeerIdentity;
use super::terms::{Admission, Excluded};

/// WebPKI verification against one authority, and then the identity, so that a refusal of either kind reaches
/// the participant as a TLS alert.
#[derive(Debug)]
pub(super) struct MembersOnly {
    federation: String,
    chain: Arc<dyn ClientCertVerifier>,
    admission: Arc<Admission>,
}

impl MembersOnly {
    pub(super) fn new(
        federation: &str,
        authority: &CertificateDer<'static>,
        provider: Arc<CryptoProvider>,
        admission: Arc<Admission>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).map_err(|error| error.to_string())?;
        let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { federation: federation.to_owned(), chain, admission })
    }
}

impl ClientCertVerifier for MembersOnly {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let peer = PeerIdentity::of(end_entity).filter(|peer| peer.federation == self.federation);
        let peer = peer.ok_or(CertificateError::ApplicationVerificationFailure)?;
        let Err(excluded) = self.admission.check(end_entity) else { return Ok(verified) };
        let (certificate, code) = (peer.certificate_fingerprint, excluded.code());
        warn!(participant = %peer.name, %certificate, code, reason = %excluded, "a member is kept out");
        Err(match excluded {
            Excluded::Revoked(_) => CertificateError::Revoked,
            Excluded::NotAllowed => CertificateError::Other(OtherError(Arc::new(excluded))),
        }
        .into())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
