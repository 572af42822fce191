//! Sealing of key shares between participants: HPKE (RFC 9180) with the hybrid KEM X-Wing.
//!
//! X-Wing joins X25519 and ML-KEM-768, so that traffic recorded today stays closed to a quantum computer;
//! HKDF-SHA256 and ChaCha20-Poly1305 do the rest. A seal binds sender, recipient and transcript.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use syndic_round::{Digest, ParticipantId};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The secret half of a one-time KEM key, which opens what was sealed for it.
///
/// Kept until the shares are acknowledged. No `Debug`, no `Clone`, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KemSecret {
    seed: [u8; KemSecret::BYTES],
}

/// The public half of a one-time KEM key, as advertised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KemPublic {
    key: <XWing as Kem>::PublicKey,
}

/// Whom a sealed share is from and for, and the transcript that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext {
    /// The dealer.
    pub sender: ParticipantId,
    /// The holder.
    pub recipient: ParticipantId,
    /// H1 of the preparation.
    pub h1: Digest,
}

/// Why a KEM key or a sealed share is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The bytes are no X-Wing key.
    #[error("the bytes are no X-Wing key")]
    Key,
    /// The share was not sealed for this recipient, by this sender, in this preparation, or was altered.
    #[error("the sealed share does not open for this sender, recipient and preparation")]
    Open,
}

impl KemSecret {
    /// Bytes of the secret: the seed of draft-connolly-cfrg-xwing-kem.
    pub const BYTES: usize = 32;

    /// Draws a secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Self { seed: [0; Self::BYTES] };
        rng.fill_bytes(&mut secret.seed);
        secret
    }

    /// The public half.
    pub fn public(&self) -> KemPublic {
        KemPublic { key: XWing::sk_to_pk(&self.key()) }
    }

    /// Opens what `context.sender` sealed.
    ///
    /// # Errors
    /// [`SealError::Open`] when anything about it is not as sealed.
    pub fn open(&self, sealed: &[u8], context: &SealContext) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED).ok_or(SealError::Open)?;
        let encapsulated =
            <XWing as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| SealError::Open)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.key(),
            &encapsulated,
            INFO,
            ciphertext,
            &context.to_bytes(),
        )
        .map(Zeroizing::new)
        .map_err(|_| SealError::Open)
    }

    fn key(&self) -> <XWing as Kem>::PrivateKey {
        <XWing as Kem>::PrivateKey::from_bytes(&self.seed).expect("every 32 bytes are an X-Wing seed")
    }
}

impl KemPublic {
    /// Bytes of the public half.
    pub const BYTES: usize = 1216;

    /// The bytes as advertised.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.key.to_bytes().to_vec()
    }

    /// The key advertised as `bytes`.
    ///
    /// # Errors
    /// [`SealError::Key`] when they are no X-Wing public key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        <XWing as Kem>::PublicKey::from_bytes(bytes).map(|key| Self { key }).map_err(|_| SealError::Key)
    }

    /// Seals `plaintext` for `context.recipient`, whose key this is.
    ///
    /// The result is 1136 bytes longer.
    pub fn seal(&self, plaintext: &[u8], context: &SealContext, rng: &mut impl CryptoRng) -> Vec<u8> {
        let (encapsulated, ciphertext) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
                &OpModeS::Base,
                &self.key,
                INFO,
                plaintext,
                &context.to_bytes(),
                rng,
            )
            .expect("sealing a few kilobytes with a valid key cannot fail");
        let mut sealed = encapsulated.to_bytes().to_vec();
        sealed.extend(ciphertext);
        sealed
    }
}

impl SealContext {
    /// The associated data that a seal binds.
    fn to_bytes(self) -> Vec<u8> {
        let ids = [self.sender, self.recipient].map(|id| id.get().to_be_bytes());
        [ids.as_flattened(), self.h1.as_bytes()].concat()
    }
}

impl SealError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key => "seal.key",
            Self::Open => "seal.open",
        }
    }
}

/// What the key derivation is told it is for.
const INFO: &[u8] = b"KSA/1 share";

/// Bytes of an X-Wing encapsulation.
const ENCAPSULATED: usize = 1120;

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn context(sender: u16, recipient: u16, transcript: &[u8]) -> SealContext {
        let id = |number| ParticipantId::new(number).unwrap();
        SealContext { sender: id(sender), recipient: id(recipient), h1: Digest::of(transcript) }
    }

    #[test]
    fn a_share_opens_for_its_recipient_only_as_it_was_sealed() {
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        let (secret, other) = (KemSecret::generate(&mut rng), KemSecret::generate(&mut rng));
        let public = KemPublic::from_bytes(&secret.public().to_bytes()).unwrap();
        assert_eq!(public.to_bytes().len(), KemPublic::BYTES);
        let told = context(1, 2, b"h1");
        let sealed = public.seal(b"a share", &told, &mut rng);
        assert_eq!(sealed.len(), 7 + 1136);

        assert_eq!(secret.open(&sealed, &told).unwrap().as_slice(), b"a share");
        assert_eq!(other.open(&sealed, &told).unwrap_err(), SealError::Open, "another key");
        for wrong in [context(3, 2, b"h1"), context(1, 3, b"h1"), context(2, 1, b"h1"), context(1, 2, b"h2")]
        {
            assert_eq!(secret.open(&sealed, &wrong).unwrap_err(), SealError::Open, "{wrong:?}");
        }
    }

    #[test]
    fn altered_cut_and_empty_seals_do_not_open() {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let secret = KemSecret::generate(&mut rng);
        let told = context(1, 2, b"h1");
        let sealed = secret.public().seal(&[7; 100], &told, &mut rng);
        for position in [0, 500, ENCAPSULATED, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(secret.open(&altered, &told).is_err(), "byte {position}");
        }
        for length in [0, 1, ENCAPSULATED, sealed.len() - 1] {
            assert!(secret.open(&sealed[..length], &told).is_err(), "{length} bytes");
        }
        assert_eq!(KemPublic::from_bytes(&[0; 1215]).unwrap_err(), SealError::Key);
    }
}
