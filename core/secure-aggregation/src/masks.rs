//! The public masks a_j of a preparation, chosen by its transcript and by nobody in it.

use aes::Aes128;
use aes::cipher::KeyInit;
use hkdf::Hkdf;
use sha2::Sha256;
use syndic_round::{Digest, RING_DIMENSION};

use crate::keystream;

/// The masks of one preparation: ring elements a_0, a_1, ... of uniform coefficients modulo 2^64.
///
/// Expanded from HKDF-SHA256(H1), where H1 hashes every signed advertisement, so nobody chooses them and no
/// seed is ever taken from the wire. They are those of a seeded ciphertext list of tfhe under that seed: the
/// bytes of chunk j start at byte j * 2048 * 8 of the generator's stream.
pub struct Masks {
    cipher: Aes128,
}

impl Masks {
    /// The masks that belong to the transcript hash H1.
    pub fn new(h1: &Digest) -> Self {
        Self::from_seed(seed(h1))
    }

    /// Writes the mask of chunk `index`, lowest power of X first.
    pub fn fill(&self, index: usize, mask: &mut [u64; RING_DIMENSION]) {
        keystream::fill(&self.cipher, index as u128 * BLOCKS_PER_MASK, mask);
    }

    /// The masks of a seed as tfhe writes it. Only the self-test has a seed of its own.
    pub(crate) fn from_seed(seed: u128) -> Self {
        Self { cipher: Aes128::new(&seed.to_le_bytes().into()) }
    }
}

/// The seed that belongs to H1, as tfhe writes it.
fn seed(h1: &Digest) -> u128 {
    let mut seed = [0; 16];
    Hkdf::<Sha256>::new(None, h1.as_bytes())
        .expand(b"KSA/1 masks", &mut seed)
        .expect("HKDF-SHA256 yields up to 8160 bytes");
    u128::from_le_bytes(seed)
}

/// 2048 words of 8 bytes in blocks of 16.
const BLOCKS_PER_MASK: u128 = RING_DIMENSION as u128 / 2;

#[cfg(test)]
mod tests {
    use super::*;
    use tfhe_csprng::generators::{DefaultRandomGenerator, RandomGenerator as _};
    use tfhe_csprng::seeders::Seed;

    #[test]
    fn masks_are_the_stream_of_tfhes_generator() {
        let h1 = Digest::of(b"a transcript");
        let mut generator = DefaultRandomGenerator::new(Seed(seed(&h1)));
        let mut word = || u64::from_le_bytes([(); 8].map(|()| generator.next().unwrap()));
        let mut mask = [0; RING_DIMENSION];
        for chunk in 0..3 {
            Masks::new(&h1).fill(chunk, &mut mask);
            assert!(mask.iter().all(|&coefficient| coefficient == word()), "chunk {chunk}");
        }
    }

    #[test]
    fn each_transcript_and_each_chunk_has_masks_of_its_own() {
        let mask = |h1: &[u8], chunk| {
            let mut mask = [0; RING_DIMENSION];
            Masks::new(&Digest::of(h1)).fill(chunk, &mut mask);
            mask
        };
        assert_eq!(mask(b"1", 5), mask(b"1", 5));
        assert_ne!(mask(b"1", 5), mask(b"1", 6));
        assert_ne!(mask(b"1", 5), mask(b"2", 5));
    }
}
