//! F_p, the field of the shares, as far as judging and lying take it.

/// p = 2^61 - 1.
pub(crate) const P: u64 = (1 << 61) - 1;

/// The sum of two elements.
pub(crate) fn plus(a: u64, b: u64) -> u64 {
    (a + b) % P
}

/// The product of two elements.
pub(crate) fn times(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(P)) as u64
}

/// A power.
pub(crate) fn raise(base: u64, mut power: usize) -> u64 {
    let (mut result, mut square) = (1, base % P);
    while power > 0 {
        if power & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        power >>= 1;
    }
    result
}

/// The inverse of an element that is not zero.
pub(crate) fn invert(a: u64) -> u64 {
    raise(a, (P - 2) as usize)
}

/// With which weight the value at `of` counts at `at`, on a polynomial that goes through as many values as there are
/// `points`, `of` among them.
pub(crate) fn weight(points: &[u64], of: u64, at: u64) -> u64 {
    let others = points.iter().filter(|point| **point != of);
    others.fold(1, |weight, &point| {
        let (above, below) = (plus(at, P - point), plus(of, P - point));
        times(weight, times(above, invert(below)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_at_as_many_points_as_it_has_coefficients_give_a_polynomial_anywhere() {
        let value = |x| plus(plus(7, times(P - 3, x)), times(11, times(x, x)));
        for at in [0, 5, 9] {
            let points = [2, 5, 6];
            let sum = points.map(|of| times(weight(&points, of, at), value(of))).into_iter().fold(0, plus);
            assert_eq!(sum, value(at), "at {at}");
        }
        assert_eq!(times(invert(12), 12), 1);
    }
}
