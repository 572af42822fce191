//! The baseline: masks that cancel between pairs, as in SecAgg (Bonawitz et al., CCS'17), and among fewer neighbours,
//! as in SecAgg+ (Bell et al., CCS'20).
//!
//! The arithmetic on vectors alone, in its fastest form: AES-128 in counter mode expands the seeds, words are 32 bits.
//! Agreeing on seeds and sharing them, which both protocols also need, is left out in their favour.

use aes::Aes128;
use aes::cipher::consts::U16;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

/// A seed that two participants agreed on, or a participant's own.
pub type Seed = [u8; 16];

/// Whether a mask is added or taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// By the participant of the lower id.
    Plus,
    /// By the other one, and by the coordinator that removes it.
    Minus,
}

/// Adds the mask of `seed` to `vector`, modulo 2^32, or takes it off.
pub fn apply(vector: &mut [u32], seed: &Seed, sign: Sign) {
    let cipher = Aes128::new(seed.into());
    let mut blocks = [Array::<u8, U16>::default(); BATCH];
    let mut counter = 0_u128;
    for part in vector.chunks_mut(4 * BATCH) {
        for block in &mut blocks {
            *block = counter.to_le_bytes().into();
            counter += 1;
        }
        cipher.encrypt_blocks(&mut blocks);
        let mut mask = [0_u32; 4 * BATCH];
        for (words, block) in mask.as_chunks_mut::<4>().0.iter_mut().zip(&blocks) {
            let block = u128::from_le_bytes((*block).into());
            *words = std::array::from_fn(|k| (block >> (32 * k)) as u32);
        }
        let pairs = part.iter_mut().zip(&mask);
        match sign {
            Sign::Plus => pairs.for_each(|(word, mask)| *word = word.wrapping_add(*mask)),
            Sign::Minus => pairs.for_each(|(word, mask)| *word = word.wrapping_sub(*mask)),
        }
    }
}

/// What a participant does to its vector: its own mask, and one for each neighbour.
pub fn mask(vector: &mut [u32], own: &Seed, neighbours: &[(Seed, Sign)]) {
    apply(vector, own, Sign::Plus);
    neighbours.iter().for_each(|(seed, sign)| apply(vector, seed, *sign));
}

/// What the coordinator does to the sum: it removes the own mask of each survivor, and the masks that each dropped
/// participant shared with its neighbours.
pub fn unmask(sum: &mut [u32], survivors: &[Seed], dropped: &[Vec<(Seed, Sign)>]) {
    survivors.iter().for_each(|seed| apply(sum, seed, Sign::Minus));
    dropped.iter().flatten().for_each(|(seed, sign)| apply(sum, seed, *sign));
}

/// Neighbours of a participant in SecAgg+: 3 log2 n, and never more than there are others.
pub fn neighbours(n: usize) -> usize {
    ((3.0 * (n as f64).log2()).ceil() as usize).min(n - 1)
}

const BATCH: usize = 64;
