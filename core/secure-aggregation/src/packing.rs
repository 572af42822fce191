//! Several key coefficients in one element of F_p, so that shares are short.

use syndic_round::{KEY_BOUND, RING_DIMENSION};
use zeroize::Zeroizing;

use crate::key::{LARGEST_NORM_SQUARED, OneTimeKey};

/// How key coefficients share an element: as digits s + 63 in a base that holds the sum over the cohort.
pub(crate) struct Packing {
    base_bits: u32,
    digits: usize,
}

/// The largest cohort of any parameter set, for which the product with a sum of keys is proven exact.
pub(crate) const LARGEST_COHORT: usize = 256;

impl Packing {
    /// The base is the next power of two above 126 n, so that no digit of the sum carries; at most
    /// floor(61 / log2 B) digits, which is never all 61 bits, so that the sum of packed elements stays below p.
    pub(crate) fn for_cohort(cohort: usize) -> Self {
        let largest_digit = 2 * KEY_BOUND as usize * cohort.clamp(1, LARGEST_COHORT);
        let base_bits = (largest_digit + 1).next_power_of_two().trailing_zeros();
        Self { base_bits, digits: (61 / base_bits) as usize }
    }

    pub(crate) fn elements(&self) -> usize {
        RING_DIMENSION.div_ceil(self.digits)
    }

    pub(crate) fn pack(&self, key: &OneTimeKey) -> Zeroizing<Vec<u64>> {
        let digit = |&s: &i8| (i64::from(s) + KEY_BOUND) as u64;
        let pack = |group: &[i8]| group.iter().rev().fold(0, |packed, s| packed << self.base_bits | digit(s));
        Zeroizing::new(key.coefficients().chunks(self.digits).map(pack).collect())
    }

    /// The sum of `keys` keys; none where the elements cannot be that: a digit beyond 126 each, bits beyond the
    /// digits, or a sum longer than that many keys of the greatest length.
    pub(crate) fn unpack(&self, elements: &[u64], keys: usize) -> Option<Box<[i32; RING_DIMENSION]>> {
        let most = KEY_BOUND * keys as i64;
        let mut coefficients = Box::new([0; RING_DIMENSION]);
        let mut norm_squared = 0;
        for (group, &element) in coefficients.chunks_mut(self.digits).zip(elements) {
            let mut rest = element;
            for coefficient in group {
                let digit = rest & ((1 << self.base_bits) - 1);
                let s = digit as i64 - most;
                if s > most {
                    return None;
                }
                rest >>= self.base_bits;
                norm_squared += s * s;
                *coefficient = s as i32;
            }
            if rest != 0 {
                return None;
            }
        }
        (norm_squared <= LARGEST_NORM_SQUARED * (keys as i64).pow(2)).then_some(coefficients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn shares_are_as_long_as_the_protocol_says() {
        let elements = |cohorts: std::ops::RangeInclusive<usize>| {
            let mut lengths: Vec<_> = cohorts.map(|n| Packing::for_cohort(n).elements()).collect();
            lengths.dedup();
            lengths
        };
        assert_eq!(
            (elements(3..=8), elements(9..=32), elements(33..=256)),
            (vec![342], vec![410], vec![512])
        );
    }

    #[test]
    fn the_largest_sum_of_packed_elements_is_a_field_element_and_does_not_carry() {
        for cohort in 1..=LARGEST_COHORT {
            let packing = Packing::for_cohort(cohort);
            let largest_digit = 126 * cohort as u64;
            assert!(largest_digit < 1 << packing.base_bits);
            let all = (0..packing.digits).fold(0, |sum: u64, _| sum << packing.base_bits | largest_digit);
            assert!(all < field::P, "{cohort} participants");
        }
    }

    #[test]
    fn packed_keys_add_up_to_the_packed_sum() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for cohort in [3, 8, 9, 33, 256] {
            let packing = Packing::for_cohort(cohort);
            let keys: Vec<_> = (0..cohort).map(|_| OneTimeKey::generate(&mut rng)).collect();
            let mut packed = vec![0; packing.elements()];
            for key in &keys {
                packed.iter_mut().zip(&*packing.pack(key)).for_each(|(sum, &e)| *sum = field::add(*sum, e));
            }
            let sum = packing.unpack(&packed, cohort).unwrap();
            let expected = |k: usize| keys.iter().map(|key| i32::from(key.coefficients()[k])).sum::<i32>();
            assert!((0..RING_DIMENSION).all(|k| sum[k] == expected(k)), "{cohort} participants");
        }
    }

    #[test]
    fn what_cannot_be_a_sum_of_keys_is_refused() {
        let packing = Packing::for_cohort(3);
        // Every digit 3 * 63: a sum of zeros.
        let zero = (0..packing.digits).fold(0, |sum, _| sum << packing.base_bits | 189);
        let last = 189 | 189 << packing.base_bits; // 2048 = 341 * 6 + 2
        let mut elements = vec![zero; packing.elements()];
        elements[341] = last;
        assert!(packing.unpack(&elements, 3).is_some_and(|sum| sum.iter().all(|&s| s == 0)));
        let with = |position: usize, element| {
            let mut altered = elements.clone();
            altered[position] = element;
            packing.unpack(&altered, 3)
        };
        assert!(with(0, zero + 189).is_some(), "189 in one coefficient is possible");
        assert!(with(0, zero + 190).is_none(), "190 is not");
        assert!(
            with(341, last | 1 << (2 * packing.base_bits)).is_none(),
            "a digit beyond the last coefficient"
        );
        let long = (0..packing.digits).fold(0, |sum, _| sum << packing.base_bits | 229);
        assert!(
            packing.unpack(&vec![long; 341], 3).is_none(),
            "40 in every coefficient is too long for three"
        );
    }
}
