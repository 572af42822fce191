//! Arithmetic in F_p, p = 2^61 - 1, the field in which keys are shared.
//!
//! Elements are `u64` below [`P`]. Nothing branches on or indexes by a value, since shares are secret.

use syndic_round::Digest;

/// The Mersenne prime 2^61 - 1.
pub(crate) const P: u64 = (1 << 61) - 1;

/// a + b.
pub(crate) fn add(a: u64, b: u64) -> u64 {
    below_p(a + b)
}

/// a - b.
pub(crate) fn sub(a: u64, b: u64) -> u64 {
    below_p(a + (P - b))
}

/// a b.
pub(crate) fn mul(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    // 2^61 = 1: the halves of a 122-bit product add up, to less than 2p.
    below_p((wide as u64 & P) + (wide >> 61) as u64)
}

/// 1 / a by Fermat's theorem; zero for zero.
pub(crate) fn inverse(a: u64) -> u64 {
    let (mut power, mut result) = (a, 1);
    // p - 2 = 2^61 - 3 is ones in all bits but bit 1.
    for bit in 0..61 {
        if bit != 1 {
            result = mul(result, power);
        }
        power = mul(power, power);
    }
    result
}

/// Lagrange's weights at `target`: the sum of `weights[i] f(points[i])` is f(target) when the points are distinct
/// and more than the degree of f.
pub(crate) fn weights_at(target: u64, points: &[u64]) -> Vec<u64> {
    let weight = |i: usize| {
        let (mut numerator, mut denominator) = (1, 1);
        for (j, &point) in points.iter().enumerate() {
            if j != i {
                numerator = mul(numerator, sub(target, point));
                denominator = mul(denominator, sub(points[i], point));
            }
        }
        mul(numerator, inverse(denominator))
    };
    (0..points.len()).map(weight).collect()
}

/// An element that nobody can choose: 128 bits of a digest modulo p, uniform within 2^-67.
pub(crate) fn from_digest(digest: &Digest) -> u64 {
    let (high, _) = digest.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
    (u128::from_be_bytes(*high) % u128::from(P)) as u64
}

/// Brings a number below 2p below p, without a branch.
fn below_p(x: u64) -> u64 {
    let reduced = x.wrapping_sub(P);
    // The top bit of `reduced` says whether it went below zero.
    let went_below = (reduced >> 63).wrapping_neg();
    reduced.wrapping_add(P & went_below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arithmetic_is_that_of_integers_modulo_p(a in 0..P, b in 0..P) {
            let modulo = |x: u128| (x % u128::from(P)) as u64;
            prop_assert_eq!(add(a, b), modulo(u128::from(a) + u128::from(b)));
            prop_assert_eq!(sub(a, b), modulo(u128::from(a) + u128::from(P) - u128::from(b)));
            prop_assert_eq!(mul(a, b), modulo(u128::from(a) * u128::from(b)));
            prop_assert_eq!(mul(inverse(a), a), u64::from(a != 0));
        }
    }

    #[test]
    fn the_extremes_stay_canonical() {
        assert_eq!(add(P - 1, P - 1), P - 2);
        assert_eq!(add(P - 1, 1), 0);
        assert_eq!(sub(0, P - 1), 1);
        assert_eq!(mul(P - 1, P - 1), 1);
        assert_eq!(sub(0, 0), 0);
    }

    #[test]
    fn weights_restore_a_polynomial_anywhere() {
        let f = |x: u64| add(7, mul(x, add(3, mul(x, P - 5))));
        let points = [2, 9, 65_535];
        for target in [0, 1, 40_000] {
            let weights = weights_at(target, &points);
            let value = (0..3).fold(0, |sum, i| add(sum, mul(weights[i], f(points[i]))));
            assert_eq!(value, f(target));
        }
    }
}
