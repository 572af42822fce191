//! Which of several values do not lie on one polynomial: Reed-Solomon decoding by the extended Euclidean algorithm
//! (Gao, "A New Algorithm for Decoding Reed-Solomon Codes", 2003).
//!
//! Only for what has been revealed: the work depends on the values.

use crate::field::{add, inverse, mul, sub};

/// A polynomial over F_p, the coefficient of x^0 first and the last one not zero.
type Polynomial = Vec<u64>;

/// Positions of the values that are off the one polynomial of fewer than `terms` terms on which all others lie;
/// none where more than half of the surplus, (values - terms) / 2, would have to be wrong.
///
/// `points` are distinct, and there are as many as `values` and at least `terms`.
pub(crate) fn wrong_positions(points: &[u64], values: &[u64], terms: usize) -> Option<Vec<usize>> {
    let through_all = interpolate(points, values);
    if through_all.len() <= terms {
        return Some(Vec::new());
    }
    let vanishing = vanishing(points);
    // Invariant: remainder = (something) vanishing + factor * through_all.
    let (mut earlier, mut remainder) = (vanishing, through_all);
    let (mut earlier_factor, mut factor) = (Vec::new(), vec![1]);
    // Down to a degree below (values + terms) / 2.
    while 2 * remainder.len() > points.len() + terms + 1 {
        let (quotient, rest) = divide(&earlier, &remainder);
        let next_factor = subtract(&earlier_factor, &multiply(&quotient, &factor));
        (earlier, remainder) = (remainder, rest);
        (earlier_factor, factor) = (factor, next_factor);
    }
    let (polynomial, rest) = divide(&remainder, &factor);
    if !rest.is_empty() || polynomial.len() > terms {
        return None;
    }
    let is_off = |&k: &usize| evaluate(&polynomial, points[k]) != values[k];
    let wrong: Vec<usize> = (0..points.len()).filter(is_off).collect();
    (2 * wrong.len() <= points.len() - terms).then_some(wrong)
}

/// The value at `x`.
pub(crate) fn evaluate(polynomial: &[u64], x: u64) -> u64 {
    polynomial.iter().rev().fold(0, |value, &coefficient| add(mul(value, x), coefficient))
}

/// The product of all x - point.
fn vanishing(points: &[u64]) -> Polynomial {
    let mut product = vec![1];
    for &point in points {
        product.push(0);
        for k in (0..product.len()).rev() {
            let below = if k == 0 { 0 } else { product[k - 1] };
            product[k] = sub(below, mul(point, product[k]));
        }
    }
    product
}

/// The polynomial of the least degree through all values.
fn interpolate(points: &[u64], values: &[u64]) -> Polynomial {
    let vanishing = vanishing(points);
    let mut sum = vec![0; points.len()];
    for (&point, &value) in points.iter().zip(values) {
        let others = divide_by_root(&vanishing, point);
        let weight = mul(value, inverse(evaluate(&others, point)));
        for (sum, other) in sum.iter_mut().zip(others) {
            *sum = add(*sum, mul(weight, other));
        }
    }
    trimmed(sum)
}

/// `polynomial` / (x - root), where root is one of its roots.
fn divide_by_root(polynomial: &[u64], root: u64) -> Polynomial {
    let mut quotient = vec![0; polynomial.len() - 1];
    let mut carry = 0;
    for (quotient, &coefficient) in quotient.iter_mut().zip(&polynomial[1..]).rev() {
        carry = add(coefficient, mul(carry, root));
        *quotient = carry;
    }
    quotient
}

/// Quotient and remainder. `divisor` is not zero.
fn divide(dividend: &[u64], divisor: &[u64]) -> (Polynomial, Polynomial) {
    let mut rest = dividend.to_vec();
    if rest.len() < divisor.len() {
        return (Vec::new(), rest);
    }
    let lead = inverse(divisor[divisor.len() - 1]);
    let mut quotient = vec![0; rest.len() - divisor.len() + 1];
    for k in (0..quotient.len()).rev() {
        let factor = mul(rest[k + divisor.len() - 1], lead);
        quotient[k] = factor;
        for (rest, &coefficient) in rest[k..].iter_mut().zip(divisor) {
            *rest = sub(*rest, mul(factor, coefficient));
        }
    }
    (trimmed(quotient), trimmed(rest))
}

fn multiply(a: &[u64], b: &[u64]) -> Polynomial {
    let mut product = vec![0; (a.len() + b.len()).saturating_sub(1)];
    for (i, &x) in a.iter().enumerate() {
        for (j, &y) in b.iter().enumerate() {
            product[i + j] = add(product[i + j], mul(x, y));
        }
    }
    trimmed(product)
}

fn subtract(a: &[u64], b: &[u64]) -> Polynomial {
    let at = |polynomial: &[u64], k: usize| polynomial.get(k).copied().unwrap_or(0);
    trimmed((0..a.len().max(b.len())).map(|k| sub(at(a, k), at(b, k))).collect())
}

fn trimmed(mut polynomial: Vec<u64>) -> Polynomial {
    let terms = polynomial.iter().rposition(|&coefficient| coefficient != 0).map_or(0, |last| last + 1);
    polynomial.truncate(terms);
    polynomial
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::P;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    /// A random polynomial's values at `count` points, and the points.
    fn word(seed: u64, count: usize, terms: usize) -> (Vec<u64>, Vec<u64>) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let polynomial: Vec<u64> = (0..terms).map(|_| rng.next_u64() % P).collect();
        let points: Vec<u64> = (0..count as u64).map(|k| 3 * k + 2).collect();
        let values = points.iter().map(|&x| evaluate(&polynomial, x)).collect();
        (points, values)
    }

    proptest! {
        #[test]
        fn up_to_half_of_the_surplus_may_be_wrong_and_is_found(
            seed: u64, terms in 1..20_usize, surplus in 0..12_usize, wrong in 0..7_usize, shift in 1..P
        ) {
            let (points, mut values) = word(seed, terms + surplus, terms);
            let wrong = wrong.min(surplus / 2);
            let at: Vec<usize> = (0..wrong).map(|k| (seed as usize % 5 + 2 * k) % points.len()).collect();
            let mut expected = at.clone();
            expected.sort_unstable();
            expected.dedup();
            expected.iter().for_each(|&k| values[k] = add(values[k], shift));
            prop_assert_eq!(wrong_positions(&points, &values, terms), Some(expected));
        }

        #[test]
        fn more_wrong_values_than_can_be_corrected_are_not_corrected(
            seed: u64, terms in 2..10_usize, shift in 1..P, other in 1..P
        ) {
            // A surplus of two tells one wrong value. Two random ones are as if of another polynomial with
            // probability below 2^-57 only.
            let (points, mut values) = word(seed, terms + 2, terms);
            values[0] = add(values[0], shift);
            values[1] = add(values[1], other);
            prop_assert_eq!(wrong_positions(&points, &values, terms), None);
        }
    }

    #[test]
    fn values_that_are_all_zero_are_a_polynomial() {
        assert_eq!(wrong_positions(&[1, 2, 3], &[0, 0, 0], 2), Some(vec![]));
        assert_eq!(wrong_positions(&[1, 2, 3, 4], &[0, 5, 0, 0], 2), Some(vec![1]));
    }

    #[test]
    fn a_cohort_of_256_is_decoded() {
        let (points, mut values) = word(7, 256, 171);
        let wrong: Vec<usize> = (0..42).map(|k| 6 * k + 1).collect();
        wrong.iter().for_each(|&k| values[k] = add(values[k], 1 + k as u64));
        assert_eq!(wrong_positions(&points, &values, 171), Some(wrong));
    }
}
