//! The check that a participant makes before it sends anything: that this build, on this processor, encrypts.
//!
//! One of the two modules that call tfhe (here its own encryption, the reference).

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use syndic_round::{ParameterSet, RING_DIMENSION};
use tfhe::core_crypto::commons::math::random::{Gaussian, Seed, Seeder};
use tfhe::core_crypto::prelude::{
    CiphertextModulus, GlweCiphertextCount, GlweSecretKey, PlaintextList, PolynomialSize,
    SeededGlweCiphertextList, StandardDev, encrypt_seeded_glwe_ciphertext_list,
};
use thiserror::Error;

use crate::encrypt::{Bench, Encryptor};
use crate::key::OneTimeKey;
use crate::masks::Masks;
use crate::noise::NoiseSource;
use crate::wire;

/// What is wrong with this build or processor. A participant that finds this must not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SelfTestError {
    /// The fast path differs from the encryption of tfhe.
    #[error("encryption on this machine differs from the reference in chunk {chunk} of {set}", set = .set.name())]
    Differs {
        /// The parameter set under test.
        set: ParameterSet,
        /// The first chunk that differs, from zero.
        chunk: usize,
    },
    /// The errors have another width than encryption is safe with.
    #[error("the errors drawn on this machine are not those of {set}", set = .set.name())]
    Errors {
        /// The parameter set under test.
        set: ParameterSet,
    },
    /// A ciphertext shows its plaintext.
    #[error("encryption on this machine leaves the plaintext readable under {set}", set = .set.name())]
    Readable {
        /// The parameter set under test.
        set: ParameterSet,
    },
}

/// Encrypts a known vector under a known key in every parameter set and compares with tfhe: for the same key,
/// mask seed and errors, every body of its `encrypt_seeded_glwe_ciphertext_list` must come out bit by bit. Then
/// checks that our own errors have the right width, and that what would travel does not show the plaintext.
///
/// Takes tens of milliseconds.
///
/// # Errors
/// [`SelfTestError`]: do not run on this machine.
pub fn self_test() -> Result<(), SelfTestError> {
    ParameterSet::ALL.into_iter().try_for_each(test)
}

fn test(set: ParameterSet) -> Result<(), SelfTestError> {
    let mut rng = ChaCha20Rng::from_seed(*b"the known answer test of Syndic.");
    let key = OneTimeKey::generate(&mut rng);
    let unused_bits = 64 - set.sum_bits();
    let messages: Vec<i64> =
        (0..CHUNKS * RING_DIMENSION).map(|_| rng.next_u64() as i64 >> unused_bits).collect();
    let encoded: Vec<u64> = messages.iter().map(|&message| (message as u64) << unused_bits).collect();

    let secret = key.coefficients().iter().map(|&s| s as i64 as u64).collect();
    let reference = encrypt_by_tfhe(secret, encoded.clone(), set);
    // Under a key of zeros, a plaintext of zeros encrypts to the errors.
    let errors = encrypt_by_tfhe(vec![0; RING_DIMENSION], vec![0; CHUNKS * RING_DIMENSION], set);

    let masks = Masks::from_seed(MASK_SEED);
    let encryptor = Encryptor::new(&key, &masks, set);
    let noise = NoiseSource::draw(&mut rng);
    let mut bench = Bench::new();
    for chunk in 0..CHUNKS {
        let range = chunk * RING_DIMENSION..(chunk + 1) * RING_DIMENSION;
        encryptor.noiseless(chunk, &messages[range.clone()], &mut bench);
        let noiseless = **bench.body;
        let with_errors = noiseless.iter().zip(&errors[range.clone()]).map(|(b, e)| b.wrapping_add(*e));
        if !with_errors.eq(reference[range.clone()].iter().copied()) {
            return Err(SelfTestError::Differs { set, chunk });
        }
        noise.add_to(&mut bench.body[..], chunk, set);
        if !width_is_right(&noiseless[..], &bench.body[..], set) {
            return Err(SelfTestError::Errors { set });
        }
        if shows(&encoded[range], &bench.body[..], set) {
            return Err(SelfTestError::Readable { set });
        }
    }
    Ok(())
}

/// The bodies of a seeded ciphertext list, by tfhe.
fn encrypt_by_tfhe(secret: Vec<u64>, encoded: Vec<u64>, set: ParameterSet) -> Vec<u64> {
    let polynomial_size = PolynomialSize(RING_DIMENSION);
    let secret = GlweSecretKey::from_container(secret, polynomial_size);
    let mut list = SeededGlweCiphertextList::new(
        0,
        secret.glwe_dimension().to_glwe_size(),
        polynomial_size,
        GlweCiphertextCount(CHUNKS),
        Seed(MASK_SEED).into(),
        CiphertextModulus::new_native(),
    );
    let width = StandardDev(0.5_f64.powi(set.sent_bits() as i32 + 2));
    let errors = Gaussian::from_standard_dev(width, 0.0);
    let plaintext = PlaintextList::from_container(encoded);
    encrypt_seeded_glwe_ciphertext_list(&secret, &mut list, &plaintext, errors, &mut KnownSeed);
    list.into_container()
}

/// Whether the differences have a standard deviation within a quarter of 2^(62 - p), which is
/// sixteen standard errors of 2048 draws.
fn width_is_right(without: &[u64], with: &[u64], set: ParameterSet) -> bool {
    let width = (1_u64 << (62 - set.sent_bits())) as f64;
    let error = |(without, with): (&u64, &u64)| with.wrapping_sub(*without) as i64 as f64 / width;
    let variance = without.iter().zip(with).map(error).map(|e| e * e).sum::<f64>() / without.len() as f64;
    (0.75..1.25).contains(&variance.sqrt())
}

/// Whether more coefficients travel as they would unencrypted than chance allows.
fn shows(encoded: &[u64], encrypted: &[u64], set: ParameterSet) -> bool {
    let sent = |coefficients| {
        let mut bytes = vec![0; wire::chunk_bytes(set)];
        wire::truncate(coefficients, &mut bytes, set);
        bytes
    };
    let (plain, encrypted) = (sent(encoded), sent(encrypted));
    let size = set.bytes_per_coefficient();
    plain.chunks(size).zip(encrypted.chunks(size)).filter(|(plain, encrypted)| plain == encrypted).count() > 2
}

/// The same "random" errors every time. For comparing with the reference and nothing else.
struct KnownSeed;

impl Seeder for KnownSeed {
    fn seed(&mut self) -> Seed {
        Seed(0x5e1f_7e57)
    }

    fn is_available() -> bool {
        true
    }
}

const CHUNKS: usize = 2;
const MASK_SEED: u128 = 0x4b53_412f_3120_7365_6c66_2d74_6573_7400;

impl SelfTestError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Differs { .. } => "self-test.differs",
            Self::Errors { .. } => "self-test.errors",
            Self::Readable { .. } => "self-test.readable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_encrypts_like_tfhe() {
        assert_eq!(self_test(), Ok(()));
    }

    #[test]
    fn missing_and_excessive_errors_are_noticed() {
        let set = ParameterSet::S32;
        let without = [5; RING_DIMENSION];
        let alternating = |size: u64| {
            std::array::from_fn::<u64, RING_DIMENSION, _>(|k| {
                if k % 2 == 0 { 5 + size } else { 5_u64.wrapping_sub(size) }
            })
        };
        assert!(width_is_right(&without, &alternating(1 << 30), set));
        for size in [0, 1 << 29, 1 << 31] {
            assert!(!width_is_right(&without, &alternating(size), set), "{size}");
        }
    }

    #[test]
    fn a_plaintext_in_the_clear_is_noticed() {
        let encoded: [u64; RING_DIMENSION] = std::array::from_fn(|k| (k as u64) << 50);
        let barely_hidden = encoded.map(|b| b + 77);
        assert!(shows(&encoded, &barely_hidden, ParameterSet::S32));
        assert!(!shows(&encoded, &encoded.map(|b| b + (1 << 40)), ParameterSet::S32));
    }
}
