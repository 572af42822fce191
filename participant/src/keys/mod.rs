//! An institution's keys: made on its own host, kept there, and never sent anywhere.
//!
//! There are two. The TLS key (ECDSA P-256, which bank PKIs and hardware handle) authenticates connections; its
//! certificate is renewed without a new key. The Ed25519 signing key is in the roster and signs every message of a
//! round. [`Keys::write`] and [`Keys::load`] are for hosts that keep them; the demo keeps them in memory.

mod error;
mod pkcs8;
mod secret_file;
mod signing_key;
mod store;
mod tls_key;

use ed25519_dalek::SigningKey;
use rand::CryptoRng;
use rcgen::{CertificateParams, DistinguishedName, DnType};
use syndic_round::enrolment::SigningRequest;
use syndic_round::roster::is_name;
use zeroize::Zeroizing;

pub use error::KeysError;
pub use signing_key::{read_signing_key, write_signing_key};
pub(crate) use store::write_public;
pub use tls_key::TlsKey;

/// One institution's private keys. Not printable, not copyable, wiped when dropped.
pub struct Keys {
    name: String,
    tls: TlsKey,
    signing: SigningKey,
}

impl Keys {
    /// Fresh keys for the institution `name`. `rng` makes the signing key; the TLS key comes from the TLS
    /// library's own generator, seeded by the operating system.
    ///
    /// # Errors
    /// [`KeysError::Name`] for a name outside the rule of a roster; [`KeysError::Generation`].
    pub fn generate(name: &str, rng: &mut impl CryptoRng) -> Result<Self, KeysError> {
        if !is_name(name) {
            return Err(KeysError::Name { name: name.to_owned() });
        }
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Ok(Self { name: name.to_owned(), tls: TlsKey::generate()?, signing: SigningKey::from_bytes(&seed) })
    }

    /// The institution's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that signs the messages of rounds.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The key that authenticates connections.
    pub fn tls_key(&self) -> &TlsKey {
        &self.tls
    }

    /// What the operator needs to certify this institution; holds no secret.
    ///
    /// # Errors
    /// [`KeysError::Generation`] where the TLS library refuses to sign.
    pub fn signing_request(&self) -> Result<SigningRequest, KeysError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.name.as_str());
        let csr_pem = self
            .tls
            .with_key_pair(|key| params.serialize_request(key).and_then(|request| request.pem()))?
            .map_err(KeysError::generation)?;
        Ok(SigningRequest::new(&self.name, csr_pem, &self.signing))
    }
}

#[cfg(test)]
mod tests;
