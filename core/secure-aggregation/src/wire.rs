//! Coefficients as they travel: the top p bits of each, little-endian, p/8 bytes.
//!
//! In memory a coefficient keeps its place at the top of a `u64`, so that sums wrap modulo 2^p by themselves.

use syndic_round::{ParameterSet, RING_DIMENSION};

/// Bytes of one chunk on the wire.
pub(crate) const fn chunk_bytes(set: ParameterSet) -> usize {
    RING_DIMENSION * set.bytes_per_coefficient()
}

/// Rounds `coefficients` to their top p bits and writes those.
pub(crate) fn truncate(coefficients: &[u64], bytes: &mut [u8], set: ParameterSet) {
    match set {
        ParameterSet::S24 => truncate_to::<3>(coefficients, bytes),
        ParameterSet::S32 => truncate_to::<4>(coefficients, bytes),
        ParameterSet::S40 => truncate_to::<5>(coefficients, bytes),
    }
}

/// Reads coefficients, with zeros below their top p bits.
pub(crate) fn read(bytes: &[u8], coefficients: &mut [u64], set: ParameterSet) {
    match set {
        ParameterSet::S24 => read_from::<3>(bytes, coefficients),
        ParameterSet::S32 => read_from::<4>(bytes, coefficients),
        ParameterSet::S40 => read_from::<5>(bytes, coefficients),
    }
}

/// Adds coefficients to others in place, modulo 2^p.
pub(crate) fn add(sum: &mut [u8], bytes: &[u8], set: ParameterSet) {
    match set {
        ParameterSet::S24 => add_each::<3>(sum, bytes),
        ParameterSet::S32 => add_each::<4>(sum, bytes),
        ParameterSet::S40 => add_each::<5>(sum, bytes),
    }
}

fn truncate_to<const BYTES: usize>(coefficients: &[u64], bytes: &mut [u8]) {
    let half = 1 << (63 - 8 * BYTES);
    for (&coefficient, bytes) in coefficients.iter().zip(bytes.as_chunks_mut::<BYTES>().0) {
        bytes.copy_from_slice(&coefficient.wrapping_add(half).to_le_bytes()[8 - BYTES..]);
    }
}

fn read_from<const BYTES: usize>(bytes: &[u8], coefficients: &mut [u64]) {
    for (coefficient, bytes) in coefficients.iter_mut().zip(bytes.as_chunks::<BYTES>().0) {
        *coefficient = word(bytes);
    }
}

fn add_each<const BYTES: usize>(sum: &mut [u8], bytes: &[u8]) {
    for (sum, bytes) in sum.as_chunks_mut::<BYTES>().0.iter_mut().zip(bytes.as_chunks::<BYTES>().0) {
        let added = word(sum).wrapping_add(word(bytes));
        sum.copy_from_slice(&added.to_le_bytes()[8 - BYTES..]);
    }
}

#[inline(always)]
fn word<const BYTES: usize>(bytes: &[u8; BYTES]) -> u64 {
    let mut word = [0; 8];
    word[8 - BYTES..].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_travels_is_the_rounded_top_of_each_coefficient(a: u64, b: u64) {
            for set in ParameterSet::ALL {
                let p = set.sent_bits();
                let top = |b: u64| b.wrapping_add(1 << (63 - p)) >> (64 - p);
                let mut bytes = vec![0; 2 * set.bytes_per_coefficient()];
                truncate(&[a, b], &mut bytes, set);
                let sent = &bytes[..set.bytes_per_coefficient()];
                prop_assert_eq!(sent, &top(a).to_le_bytes()[..sent.len()]);

                let mut read_back = [0; 2];
                read(&bytes, &mut read_back, set);
                prop_assert_eq!(read_back, [top(a) << (64 - p), top(b) << (64 - p)]);

                let other = bytes.clone();
                add(&mut bytes, &other, set);
                read(&bytes, &mut read_back, set);
                prop_assert_eq!(read_back, [top(a) << (65 - p), top(b) << (65 - p)]);
            }
        }
    }
}
