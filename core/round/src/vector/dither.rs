//! The randomness of rounding: 32 bits for each value, at any position.

use core::array;

use aes::Aes128;
use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use rand_core::Rng;
use zeroize::{Zeroize, Zeroizing};

/// A secret stream of words, one for each value of a vector: AES-128 in counter mode, whose blocks, counted from zero
/// (little-endian, 128 bits), hold four words each (little-endian).
///
/// Word number i belongs to value i, so the order in which values are rounded does not matter. Wiped on drop.
pub(super) struct Dither {
    cipher: Aes128,
}

impl Dither {
    /// A stream of its own; takes 16 bytes of `rng`.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let mut key = Zeroizing::new([0; 16]);
        rng.fill_bytes(&mut *key);
        Self { cipher: Aes128::new((&*key).into()) }
    }

    /// Writes the words of values `first..`.
    pub(super) fn fill(&self, first: usize, words: &mut [u32]) {
        let mut blocks = [Block::default(); BATCH];
        let (mut counter, mut skip) = ((first / WORDS_PER_BLOCK) as u128, first % WORDS_PER_BLOCK);
        let mut rest = words;
        while !rest.is_empty() {
            for block in &mut blocks {
                *block = counter.to_le_bytes().into();
                counter += 1;
            }
            self.cipher.encrypt_blocks(&mut blocks);
            let (now, later) = rest.split_at_mut(rest.len().min(BATCH * WORDS_PER_BLOCK - skip));
            let mut stream = [0; BATCH * WORDS_PER_BLOCK];
            for (words, block) in stream.as_chunks_mut::<WORDS_PER_BLOCK>().0.iter_mut().zip(&blocks) {
                let block = u128::from_le_bytes((*block).into());
                *words = array::from_fn(|k| (block >> (32 * k)) as u32);
            }
            now.copy_from_slice(&stream[skip..skip + now.len()]);
            stream.zeroize();
            (rest, skip) = (later, 0);
        }
        blocks.iter_mut().for_each(|block| block.as_mut_slice().zeroize());
    }
}

type Block = aes::cipher::Array<u8, U16>;

const WORDS_PER_BLOCK: usize = 4;

/// Blocks per call of the cipher: enough to keep its pipeline full.
const BATCH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_word_does_not_depend_on_where_the_reading_begins() {
        let dither = Dither::draw(&mut ChaCha20Rng::seed_from_u64(1));
        let mut whole = vec![0; 1_000];
        dither.fill(0, &mut whole);
        for (first, length) in [(0, 1), (1, 130), (3, 7), (127, 2), (128, 500), (129, 871), (999, 1)] {
            let mut part = vec![0; length];
            dither.fill(first, &mut part);
            assert_eq!(part, whole[first..first + length], "from {first}");
        }
        let mut repeated = whole.clone();
        repeated.sort_unstable();
        repeated.dedup();
        assert!(repeated.len() > 995, "words hardly ever repeat");
    }

    #[test]
    fn each_vector_has_a_stream_of_its_own() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let [a, b] = [(); 2].map(|()| {
            let mut words = [0; 4];
            Dither::draw(&mut rng).fill(0, &mut words);
            words
        });
        assert_ne!(a, b);
    }
}
