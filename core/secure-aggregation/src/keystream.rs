//! AES in counter mode with a little-endian 128-bit counter, in bulk.
//!
//! With a 128-bit key this is, bit for bit, the generator from which tfhe expands the masks of a seeded
//! ciphertext (`tfhe_csprng::generators::DefaultRandomGenerator`), at the speed of the hardware.

use aes::Block;
use aes::cipher::BlockCipherEncrypt;
use aes::cipher::consts::U16;
use zeroize::Zeroize;

/// Words of one AES block.
const WORDS_PER_BLOCK: usize = 2;

/// Blocks per call of the cipher: enough to keep its pipeline full.
const BATCH: usize = 32;

/// Fills `words` with the keystream from block `first` on.
///
/// # Panics
/// When `words` is not a whole number of blocks.
pub(crate) fn fill(cipher: &impl BlockCipherEncrypt<BlockSize = U16>, first: u128, words: &mut [u64]) {
    assert!(words.len().is_multiple_of(WORDS_PER_BLOCK), "a keystream is whole blocks");
    let mut counter = first;
    let mut blocks = [Block::default(); BATCH];
    for part in words.chunks_mut(BATCH * WORDS_PER_BLOCK) {
        let blocks = &mut blocks[..part.len() / WORDS_PER_BLOCK];
        for block in blocks.iter_mut() {
            *block = counter.to_le_bytes().into();
            counter = counter.wrapping_add(1);
        }
        cipher.encrypt_blocks(blocks);
        for (pair, block) in part.chunks_exact_mut(WORDS_PER_BLOCK).zip(blocks.iter()) {
            let both = u128::from_le_bytes((*block).into());
            pair[0] = both as u64;
            pair[1] = (both >> 64) as u64;
        }
    }
    // The last words may be noise.
    blocks.iter_mut().for_each(|block| block.as_mut_slice().zeroize());
}
