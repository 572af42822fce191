//! Which vectors are small, and how their values share elements of F_p.

use syndic_round::vector::{Coding, Digit, small_vector_elements};
use syndic_round::{Layout, RoundPlan};
use zeroize::Zeroizing;

use crate::sharing;

/// How the vector of a plan is shared itself: derived from the plan, never chosen.
///
/// Canaries and values, each as a whole number of steps, become a [`Digit`] each.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorShape {
    layout: Layout,
    coding: Coding,
    admitted: u16,
    threshold: u16,
    elements: usize,
}

impl VectorShape {
    /// The shape of the plan's vector; none where it is not small: where it needs more than 512 elements, as many as the
    /// longest key, or a value needs a digit of more than 60 bits.
    pub fn of(plan: &RoundPlan) -> Option<Self> {
        let (admitted, threshold) = (plan.terms.protection.admitted(), plan.terms.protection.threshold());
        let elements = small_vector_elements(&plan.layout, admitted)?;
        Some(Self { layout: plan.layout.clone(), coding: plan.coding(), admitted, threshold, elements })
    }

    /// L: elements of the vector.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Bytes of a share before it is sealed.
    pub fn share_bytes(&self) -> usize {
        sharing::share_bytes(self.elements)
    }

    /// Bytes of a reveal's sum of shares.
    pub fn reveal_bytes(&self) -> usize {
        8 * self.elements
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn coding(&self) -> &Coding {
        &self.coding
    }

    pub(super) fn admitted(&self) -> u16 {
        self.admitted
    }

    pub(super) fn threshold(&self) -> u16 {
        self.threshold
    }

    /// The elements of canaries and values, as whole `steps` within their bounds.
    pub(super) fn pack(&self, steps: &[i64]) -> Zeroizing<Vec<u64>> {
        let mut elements = Zeroizing::new(vec![0; self.elements]);
        for (digit, &step) in Digit::all(&self.layout, self.admitted).zip(steps) {
            elements[digit.element] |= ((step + digit.most) as u64) << digit.shift;
        }
        elements
    }

    /// The sums of the steps of `survivors` vectors, in order, beyond their bounds or not; none where bits are set that
    /// belong to no digit.
    pub(super) fn unpack(&self, elements: &[u64], survivors: u16) -> Option<Vec<i64>> {
        let mut rest = elements.to_vec();
        let sum = |place: Digit| {
            let mask = ((1 << place.bits) - 1) << place.shift;
            let digit = (rest[place.element] & mask) >> place.shift;
            rest[place.element] &= !mask;
            digit as i64 - i64::from(survivors) * place.most
        };
        let sums = Digit::all(&self.layout, self.admitted).map(sum).collect();
        rest.iter().all(|&bits| bits == 0).then_some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syndic_round::vector::MOST_ELEMENTS;

    use crate::packing::{LARGEST_COHORT, Packing};
    use crate::small::tests::plan;

    #[test]
    fn a_vector_is_small_up_to_as_many_elements_as_the_longest_key() {
        assert_eq!(MOST_ELEMENTS, Packing::for_cohort(LARGEST_COHORT).elements());
        // 10 participants, 1,000 steps: digits of 15 bits, four to an element; the canaries fill 20 bits of the first.
        let elements =
            |values| VectorShape::of(&plan(10, &[(values, 1_000.0)])).map(|shape| shape.elements());
        assert_eq!([elements(2), elements(3), elements(6), elements(7)], [1, 2, 2, 3].map(Some));
        assert_eq!([elements(2 + 511 * 4), elements(2 + 511 * 4 + 1)], [Some(512), None]);
        assert_eq!(elements(u32::MAX), None);
    }

    #[test]
    fn a_value_is_narrow_enough_up_to_a_base_of_2_to_the_60() {
        let of = |n, steps: u64| VectorShape::of(&plan(n, &[(1, steps as f64)]));
        assert!(of(256, 1 << 51).is_none(), "2 n v_max is 2^60");
        let widest = of(256, (1 << 51) - 1).unwrap();
        assert_eq!(widest.elements(), 2);
        assert!(of(64, 1 << 52).is_some());
    }

    #[test]
    fn sums_of_packed_vectors_neither_carry_nor_reach_p() {
        for n in [3, 5, 10, 100, 255, 256] {
            let blocks = [(7, 1.0), (5, 1_000.0), (3, 2_251_799_813_685_247.0), (30, 3.0)];
            let shape = VectorShape::of(&plan(n, &blocks)).unwrap();
            let largest: Vec<i64> = Digit::all(&shape.layout, n).map(|place| place.most).collect();
            let smallest: Vec<i64> = largest.iter().map(|most| -most).collect();
            for steps in [largest, smallest] {
                let sums =
                    shape.pack(&steps).iter().map(|&element| element * u64::from(n)).collect::<Vec<_>>();
                assert!(sums.iter().all(|&sum| sum < 1 << 60));
                let expected: Vec<i64> = steps.iter().map(|step| step * i64::from(n)).collect();
                assert_eq!(shape.unpack(&sums, n), Some(expected));
            }
        }
    }

    #[test]
    fn bits_that_belong_to_no_digit_are_noticed() {
        let shape = VectorShape::of(&plan(10, &[(3, 1_000.0)])).unwrap();
        let elements = shape.pack(&[1, 0, 0, 0, -1_000, 0, 1_000]);
        for (element, bit, none) in
            [(0, 49, false), (0, 50, true), (0, 60, true), (1, 14, false), (1, 15, true)]
        {
            let mut altered = elements.to_vec();
            altered[element] ^= 1 << bit;
            assert_eq!(shape.unpack(&altered, 1).is_none(), none, "bit {bit} of element {element}");
        }
    }
}
