//! The private key of a TLS certificate.

use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::{Zeroize, Zeroizing};

use super::error::KeysError;

/// An ECDSA P-256 key as PKCS #8 (RFC 5958). Not printable, not copyable, wiped when dropped.
pub struct TlsKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public_key_info: Vec<u8>,
}

impl TlsKey {
    pub(super) fn generate() -> Result<Self, KeysError> {
        let mut pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(KeysError::generation)?;
        let key = Self {
            pkcs8: Zeroizing::new(pair.serialize_der()),
            public_key_info: pair.subject_public_key_info(),
        };
        pair.zeroize();
        Ok(key)
    }

    pub(super) fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeysError> {
        let mut key = Self { pkcs8, public_key_info: Vec::new() };
        key.public_key_info = key.with_key_pair(PublicKeyData::subject_public_key_info)?;
        Ok(key)
    }

    pub(super) fn pkcs8(&self) -> &Zeroizing<Vec<u8>> {
        &self.pkcs8
    }

    /// The public key as a DER SubjectPublicKeyInfo (RFC 5280 section 4.1).
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// The key with the certificate issued for it, as the TLS library wants it.
    pub(crate) fn certified(
        &self,
        certificate: CertificateDer<'static>,
    ) -> Result<Arc<CertifiedKey>, KeysError> {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&self.pkcs8[..]));
        let key = any_ecdsa_type(&der).map_err(KeysError::generation)?;
        Ok(Arc::new(CertifiedKey::new(vec![certificate], key)))
    }

    /// Lends the key to the certificate library, whose own copy is wiped afterwards.
    pub(super) fn with_key_pair<T>(&self, action: impl FnOnce(&KeyPair) -> T) -> Result<T, KeysError> {
        let der = PrivatePkcs8KeyDer::from(&self.pkcs8[..]);
        let mut pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map_err(KeysError::generation)?;
        let result = action(&pair);
        pair.zeroize();
        Ok(result)
    }
}
