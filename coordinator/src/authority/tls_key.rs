//! The private key of a TLS certificate.

use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::{Zeroize, Zeroizing};

use super::error::AuthorityError;

/// An ECDSA P-256 key as PKCS #8 (RFC 5958). Not printable, not copyable, wiped when dropped.
pub struct TlsKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public_key_info: Vec<u8>,
}

impl TlsKey {
    pub(super) fn generate() -> Result<Self, AuthorityError> {
        let mut pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::library)?;
        let pkcs8 = Zeroizing::new(pair.serialize_der());
        let key = Self { pkcs8, public_key_info: pair.subject_public_key_info() };
        pair.zeroize();
        Ok(key)
    }

    pub(crate) fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, AuthorityError> {
        let mut key = Self { pkcs8, public_key_info: Vec::new() };
        key.public_key_info = key.with_key_pair(PublicKeyData::subject_public_key_info)?;
        Ok(key)
    }

    pub(crate) fn pkcs8(&self) -> &Zeroizing<Vec<u8>> {
        &self.pkcs8
    }

    pub(super) fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// The key with the certificate issued for it, as the TLS library wants it.
    ///
    /// # Errors
    /// [`AuthorityError::Library`] where the certificate is for another key.
    pub(crate) fn certified(
        &self,
        certificate: CertificateDer<'static>,
    ) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&self.pkcs8[..]));
        let key = any_ecdsa_type(&der).map_err(AuthorityError::library)?;
        let certified = CertifiedKey::new(vec![certificate], key);
        certified.keys_match().map_err(AuthorityError::library)?;
        Ok(Arc::new(certified))
    }

    /// Lends the key to the certificate library, whose own copy is wiped afterwards.
    pub(super) fn with_key_pair<T>(&self, action: impl FnOnce(&KeyPair) -> T) -> Result<T, AuthorityError> {
        let der = PrivatePkcs8KeyDer::from(&self.pkcs8[..]);
        let mut pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map_err(AuthorityError::library)?;
        let result = action(&pair);
        pair.zeroize();
        Ok(result)
    }
}
