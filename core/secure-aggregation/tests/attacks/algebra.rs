//! The arithmetic of attackers: F_p, shares put together, ring products by their definition, small random numbers.

use rand_core::{CryptoRng, Rng};
use syndic_round::{Digest, KEY_BOUND, ParameterSet, ParticipantId, RING_DIMENSION};
use syndic_secure_aggregation::{KeyShare, Masks, OneTimeKey, SharingContext};

use crate::federation::Federation;

/// The field in which keys are shared.
pub(crate) const P: u64 = (1 << 61) - 1;

pub(crate) fn add(a: u64, b: u64) -> u64 {
    ((u128::from(a) + u128::from(b)) % u128::from(P)) as u64
}

pub(crate) fn sub(a: u64, b: u64) -> u64 {
    add(a, P - b)
}

pub(crate) fn mul(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(P)) as u64
}

pub(crate) fn inverse(a: u64) -> u64 {
    (0..61).rev().fold(1, |power, bit| {
        let square = mul(power, power);
        if (P - 2) >> bit & 1 == 1 { mul(square, a) } else { square }
    })
}

/// Lagrange's weights at zero: what restores f(0) from the values at `points`.
pub(crate) fn weights_at_zero(points: &[u64]) -> Vec<u64> {
    let weight = |&x: &u64| {
        let others = points.iter().filter(|&&y| y != x);
        let (above, below) = others.fold((1, 1), |(above, below), &y| (mul(above, y), mul(below, sub(y, x))));
        mul(above, inverse(below))
    };
    points.iter().map(weight).collect()
}

pub(crate) fn point(id: ParticipantId) -> u64 {
    u64::from(id.get())
}

/// The elements of a share, its two blinding values included.
pub(crate) fn elements(share: &KeyShare) -> Vec<u64> {
    let bytes = share.to_bytes();
    let (values, _salt) = bytes.split_last_chunk::<32>().unwrap();
    values.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// Adds `weight` times `row` to `sum`, which is as long or shorter.
pub(crate) fn accumulate(sum: &mut [u64], weight: u64, row: &[u64]) {
    sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum = add(*sum, mul(weight, value)));
}

/// The values at zero of the polynomials on which these shares lie, of the blinding ones too.
pub(crate) fn at_zero(shares: &[(ParticipantId, &KeyShare)]) -> Vec<u64> {
    let points: Vec<u64> = shares.iter().map(|(id, _)| point(*id)).collect();
    let mut values = vec![0; elements(shares[0].1).len()];
    for (weight, (_, share)) in weights_at_zero(&points).into_iter().zip(shares) {
        accumulate(&mut values, weight, &elements(share));
    }
    values
}

/// How keys are packed in a cohort of `n`: bits of a digit, digits of an element.
pub(crate) fn packing(n: usize) -> (u32, usize) {
    let bits = (126 * n + 1).next_power_of_two().trailing_zeros();
    (bits, 61 / bits as usize)
}

/// A key's coefficients from its packed elements in a cohort of `n`.
pub(crate) fn unpack(elements: &[u64], n: usize) -> Vec<i64> {
    let (bits, digits) = packing(n);
    let digit = |(element, k): (&u64, usize)| (element >> (bits as usize * k) & ((1 << bits) - 1)) as i64;
    let all = elements.iter().flat_map(|element| (0..digits).map(move |k| digit((element, k)) - KEY_BOUND));
    all.take(RING_DIMENSION).collect()
}

/// The key of `dealer`, which its shares hold: what a test may know.
pub(crate) fn key_of(federation: &Federation, dealer: ParticipantId) -> Vec<i64> {
    let holders = federation.held.iter().take(federation.threshold().into());
    let shares: Vec<_> = holders.map(|(id, held)| (*id, &held[&dealer])).collect();
    unpack(&at_zero(&shares), federation.cohort.len())
}

/// The coefficients of `key`, by way of two of its shares.
pub(crate) fn coefficients(key: &OneTimeKey, rng: &mut impl CryptoRng) -> Vec<i64> {
    let cohort = [1, 2].map(|number| ParticipantId::new(number).unwrap());
    let context = SharingContext { dealer: cohort[0], h1: Digest::of(b""), cohort: &cohort, threshold: 2 };
    let sharing = key.share(&context, rng).unwrap();
    let shares: Vec<_> = sharing.shares.iter().map(|(id, share)| (*id, share)).collect();
    unpack(&at_zero(&shares), cohort.len())
}

/// a s in `Z[X]/(X^N + 1)` modulo 2^64, by the definition.
pub(crate) fn product(a: &[u64], s: &[i64]) -> Vec<u64> {
    let mut product = vec![0_u64; a.len()];
    for (i, &s) in s.iter().enumerate() {
        let (wrapped, straight) = product.split_at_mut(i);
        let (low, high) = a.split_at(a.len() - i);
        straight.iter_mut().zip(low).for_each(|(sum, a)| *sum = sum.wrapping_add(a.wrapping_mul(s as u64)));
        // X^N = -1.
        wrapped.iter_mut().zip(high).for_each(|(sum, a)| *sum = sum.wrapping_sub(a.wrapping_mul(s as u64)));
    }
    product
}

/// What a key leaves of ciphertexts of set S32: for each coefficient Delta m and the noise, modulo 2^64.
pub(crate) fn strip(bytes: &[u8], key: &[i64], masks: &Masks) -> Vec<u64> {
    let mut stripped = Vec::new();
    for (index, chunk) in bytes.chunks_exact(4 * RING_DIMENSION).enumerate() {
        let product = product(&mask(masks, index), key);
        let sent = chunk.as_chunks().0.iter().map(|word| u64::from(u32::from_le_bytes(*word)) << 32);
        stripped.extend(sent.zip(product).map(|(b, product)| b.wrapping_sub(product)));
    }
    stripped
}

pub(crate) fn mask(masks: &Masks, index: usize) -> Vec<u64> {
    let mut mask = [0; RING_DIMENSION];
    masks.fill(index, &mut mask);
    mask.to_vec()
}

/// log2 of Delta in S32.
pub(crate) const SCALE: u32 = 64 - ParameterSet::S32.sum_bits();

/// Messages, from what a key leaves.
pub(crate) fn messages(stripped: &[u64]) -> Vec<i64> {
    stripped.iter().map(|x| x.wrapping_add(1 << (SCALE - 1)) as i64 >> SCALE).collect()
}

/// Noise, from what a key leaves: the distance to the nearest multiple of Delta.
pub(crate) fn noise(stripped: &[u64]) -> Vec<i64> {
    stripped.iter().map(|x| (x << (64 - SCALE)) as i64 >> (64 - SCALE)).collect()
}

/// A discrete Gaussian of standard deviation `width`, by rejection.
pub(crate) fn discrete_gaussian(width: f64, rng: &mut impl Rng) -> i64 {
    let most = (10.0 * width).ceil() as i64;
    loop {
        let x = rng.next_u64() as i64 % (most + 1);
        let density = (-((x * x) as f64) / (2.0 * width * width)).exp();
        // Zero comes from either sign.
        let density = if x == 0 { density / 2.0 } else { density };
        if ((rng.next_u64() >> 11) as f64) < density * (1_u64 << 53) as f64 {
            return x;
        }
    }
}
