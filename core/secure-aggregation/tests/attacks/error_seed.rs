//! Errors come from the participant's own generator, and from nothing that the coordinator knows (rule 6).

use std::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use syndic_round::{Block, Coding, Contribution, Digest, Layout, ParameterSet, Quantised};
use syndic_secure_aggregation::{EncryptedUpdate, Masks, OneTimeKey};

use crate::algebra::{coefficients, noise, strip};

/// The one key of these tests, each time anew.
fn key() -> OneTimeKey {
    OneTimeKey::generate(&mut ChaCha20Rng::seed_from_u64(25))
}

/// The one update: zeros behind the canaries.
fn update() -> Quantised {
    let block = Block { name: "values".into(), len: 2_000, bound: 10.0, resolution: 1.0 };
    let contribution = Contribution::new(Layout::new(vec![block]).unwrap(), vec![0.0; 2_000]).unwrap();
    contribution.clip().quantise(&Coding::new(ParameterSet::S32, 3), &mut ChaCha20Rng::seed_from_u64(0))
}

fn encrypt(transcript: &[u8], own_seed: u64) -> EncryptedUpdate {
    let masks = Masks::new(&Digest::of(transcript));
    key().encrypt(update(), &masks, &mut ChaCha20Rng::seed_from_u64(own_seed))
}

/// Error and rounding of each coefficient, in units of 2^-64, as whoever has the key and the update sees them.
fn errors(transcript: &[u8], own_seed: u64) -> Vec<i64> {
    let key = coefficients(&key(), &mut ChaCha20Rng::seed_from_u64(0));
    let masks = Masks::new(&Digest::of(transcript));
    noise(&strip(encrypt(transcript, own_seed).bytes(), &key, &masks))
}

/// How many errors differ by more than the rounding to 32 bits can make them.
fn beyond_rounding(a: &[i64], b: &[i64]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > 1 << 32).count()
}

/// A25. If errors followed from the round's seed, everybody could compute them, and an update without its errors is a system
/// of linear equations on the key. Two encryptions of one update under one key in one round, with everything equal but the
/// participant's own generator, have different errors.
#[test]
fn a25_everything_in_the_round_being_equal_errors_differ() {
    assert_eq!(encrypt(b"a round", 1), encrypt(b"a round", 1));
    let (one, other) = (errors(b"a round", 1), errors(b"a round", 2));
    let differing = one.iter().zip(&other).filter(|(a, b)| a != b).count();
    // Errors a quarter of the last bit wide change it with probability 0.28: 578 of 2,048, standard deviation 20.
    assert!((478..678).contains(&differing), "{differing} of 2048");
}

/// A25. The other way round: under another transcript, hence another seed and other masks, the same generator gives the same
/// errors, but for the rounding. So they are a function of that generator alone.
#[test]
fn a25_errors_do_not_depend_on_the_rounds_seed() {
    assert_ne!(encrypt(b"a round", 1), encrypt(b"another round", 1));
    let round = errors(b"a round", 1);
    assert_eq!(beyond_rounding(&round, &errors(b"another round", 1)), 0);
    // Independent errors would show: they differ by more than that once in thirty.
    assert!(beyond_rounding(&round, &errors(b"another round", 2)) > 20);
}

/// Records what is drawn.
struct Recording(ChaCha20Rng, Vec<u8>);

impl TryRng for Recording {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let word = self.0.next_u32();
        self.1.extend(word.to_le_bytes());
        Ok(word)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let word = self.0.next_u64();
        self.1.extend(word.to_le_bytes());
        Ok(word)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        self.1.extend_from_slice(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Recording {}

/// A25. A seed of errors that is shorter than it should be can be searched: Flower's masks come from 32 bits. Each encryption
/// draws 256 bits of its own, whatever it encrypts.
#[test]
fn a25_each_encryption_draws_a_seed_of_256_bits_for_its_errors() {
    let mut recording = Recording(ChaCha20Rng::seed_from_u64(1), Vec::new());
    let masks = Masks::new(&Digest::of(b"a round"));
    for drawn in [32, 64, 96] {
        let _ = key().encrypt(update(), &masks, &mut recording);
        assert_eq!(recording.1.len(), drawn);
    }
    assert_ne!(recording.1[..32], recording.1[32..64]);
}
