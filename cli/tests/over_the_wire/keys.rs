//! One-time keys, put together from the shares that a participant dealt: Lagrange's formula over F_p,
//! p = 2^61 - 1, at x = 0 (docs/protocol.md, "Share keys"). Written apart from the library.

use syndic_round::{KEY_BOUND, ParticipantId, RING_DIMENSION};

/// A key in both forms in which a participant handles it.
pub(crate) struct Key {
    /// Elements of F_p.
    pub(crate) packed: Vec<u64>,
    /// Coefficients, at most 63 in absolute value.
    pub(crate) coefficients: Vec<i64>,
}

/// The key whose shares these are.
pub(crate) fn restored(shares: &[(ParticipantId, Vec<u8>)], threshold: usize) -> Key {
    let points: Vec<u64> = shares[..threshold].iter().map(|(id, _)| u64::from(id.get())).collect();
    let words = |share: &Vec<u8>| -> Vec<u64> {
        share.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
    };
    let mut packed = vec![0; words(&shares[0].1).len()];
    for ((_, share), &x) in shares.iter().zip(&points) {
        let weight = points.iter().filter(|&&other| other != x).fold(1, |weight, &other| {
            let difference = (other + P - x) % P;
            times(times(weight, other), power(difference, P - 2))
        });
        for (sum, element) in packed.iter_mut().zip(words(share)) {
            *sum = (*sum + times(weight, element)) % P;
        }
    }
    // Digits s + 63 in the next power of two above 126 n.
    let base = (2 * KEY_BOUND as u64 * shares.len() as u64 + 1).next_power_of_two();
    let digits = 61 / base.ilog2();
    let digit = |element: u64, place: u32| (element / base.pow(place) % base) as i64 - KEY_BOUND;
    let coefficients = packed.iter().flat_map(|&element| (0..digits).map(move |k| digit(element, k)));
    let coefficients = coefficients.take(RING_DIMENSION).collect();
    Key { packed, coefficients }
}

fn times(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(P)) as u64
}

fn power(base: u64, exponent: u64) -> u64 {
    let square = |result| times(result, result);
    (0..61).rev().fold(1, |result, bit| match exponent >> bit & 1 {
        1 => times(square(result), base),
        _ => square(result),
    })
}

const P: u64 = (1 << 61) - 1;
