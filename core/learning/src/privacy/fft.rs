//! A power of a sequence under circular convolution, by the fast Fourier transform.
//!
//! Written here, in radix 2 and with `libm`, since libraries choose instructions by the processor and so get other
//! last digits on other machines.

use core::f64::consts::PI;

/// The sequence, convolved with itself until there are `power` factors; circular, over its length.
///
/// # Panics
/// When the length is no power of two.
pub(super) fn self_convolved(mut real: Vec<f64>, power: u64) -> Vec<f64> {
    let length = real.len();
    assert!(length.is_power_of_two(), "the transform halves the sequence until one entry is left");
    let roots = roots_of_unity(length);
    let mut imaginary = vec![0.0; length];
    transform(&mut real, &mut imaginary, &roots);
    for (re, im) in real.iter_mut().zip(&mut imaginary) {
        (*re, *im) = raised((*re, *im), power);
        // The transform of the conjugate is the conjugate of the inverse, but for the length.
        *im = -*im;
    }
    transform(&mut real, &mut imaginary, &roots);
    let scale = 1.0 / length as f64;
    real.iter_mut().for_each(|value| *value *= scale);
    real
}

/// Cosine and sine of the first half of the circle, in `length` steps of the whole, clockwise.
fn roots_of_unity(length: usize) -> Vec<(f64, f64)> {
    let angle = |k: usize| -2.0 * PI * k as f64 / length as f64;
    (0..length / 2).map(|k| (libm::cos(angle(k)), libm::sin(angle(k)))).collect()
}

/// Cooley and Tukey, in place.
fn transform(real: &mut [f64], imaginary: &mut [f64], roots: &[(f64, f64)]) {
    let length = real.len();
    reverse_bits(real, imaginary);
    let mut half = 1;
    while half < length {
        let stride = length / (2 * half);
        for start in (0..length).step_by(2 * half) {
            let (low_re, high_re) = real[start..start + 2 * half].split_at_mut(half);
            let (low_im, high_im) = imaginary[start..start + 2 * half].split_at_mut(half);
            for k in 0..half {
                let (cos, sin) = roots[k * stride];
                let re = high_re[k] * cos - high_im[k] * sin;
                let im = high_re[k] * sin + high_im[k] * cos;
                (high_re[k], high_im[k]) = (low_re[k] - re, low_im[k] - im);
                (low_re[k], low_im[k]) = (low_re[k] + re, low_im[k] + im);
            }
        }
        half *= 2;
    }
}

/// Moves each entry to where its index leads, read from its last bit to its first.
fn reverse_bits(real: &mut [f64], imaginary: &mut [f64]) {
    let length = real.len();
    if length < 2 {
        return;
    }
    let unused = usize::BITS - length.trailing_zeros();
    for index in 0..length {
        let other = index.reverse_bits() >> unused;
        if index < other {
            real.swap(index, other);
            imaginary.swap(index, other);
        }
    }
}

/// A complex number to a whole power, by squaring.
fn raised(mut base: (f64, f64), mut power: u64) -> (f64, f64) {
    let times = |a: (f64, f64), b: (f64, f64)| (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0);
    let mut result = (1.0, 0.0);
    while power > 0 {
        if power % 2 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        power /= 2;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_become_binomial() {
        let mut coin = vec![0.0; 16];
        (coin[0], coin[1]) = (0.5, 0.5);
        let ten = self_convolved(coin, 10);
        let binomial = [1.0, 10.0, 45.0, 120.0, 210.0, 252.0, 210.0, 120.0, 45.0, 10.0, 1.0];
        for (index, found) in ten.iter().enumerate() {
            let expected = binomial.get(index).copied().unwrap_or(0.0) / 1024.0;
            assert!((found - expected).abs() < 1e-15, "{index}: {found} {expected}");
        }
    }

    #[test]
    fn what_is_too_long_comes_around_again() {
        let mut step = vec![0.0; 4];
        step[3] = 1.0;
        assert!((self_convolved(step, 3)[1] - 1.0).abs() < 1e-15);
        assert_eq!(self_convolved(vec![0.5], 2), [0.25]);
    }
}
